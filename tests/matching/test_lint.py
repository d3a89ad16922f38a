"""What is legal but poor: each remark by name, and what draws none."""

from __future__ import annotations

import json

from monitor.matching.lint import lint
from monitor.rulebook.themes import load_rules


def remarks(
    when: str = "china",
    concepts: dict[str, object] | None = None,
    *,
    files: dict[str, str] | None = None,
    where: dict[str, object] | None = None,
    languages: tuple[str, ...] = (),
    sources: tuple[str, ...] | None = None,
    tags: tuple[str, ...] | None = None,
    examples: bool = True,
    **theme: object,
) -> list[str]:
    """The messages about a book of one theme with one rule, `r`."""
    written = {
        "theme": "t", "title": "T", "concepts": {"china": ["China"]} if concepts is None else concepts,
        "rules": [{"id": "r", "when": when, "where": where or {"min_words": 0}}], **theme,
    }  # fmt: skip
    if examples:
        written["examples"] = {"match": ["China"]}
    book, faults = load_rules({"themes/t.yaml": json.dumps(written, ensure_ascii=False), **(files or {})})
    assert book is not None, [str(fault) for fault in faults]
    found = lint(book, languages, sources, tags)
    assert all(remark.path and remark.line for remark in found)
    return [remark.message for remark in found]


def test_a_sound_rule_draws_no_remark() -> None:
    assert remarks(languages=("en",), sources=("wire",), tags=("official",)) == []


def test_sources_and_tags_that_no_watched_source_has() -> None:
    where = {"sources": ["wire", "wrie"], "tags": ["official", "offical"]}
    assert remarks(where=where, sources=("wire",), tags=("official",)) == [
        "rule 'r': no watched source has the id 'wrie' that 'where' asks for",
        "rule 'r': no watched source has the tag 'offical' that 'where' asks for",
    ]
    assert remarks(where=where) == []
