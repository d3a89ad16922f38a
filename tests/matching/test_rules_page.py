"""The examples of docs/rules.md are what the program does. (Those of "Trying a change": test_trying_a_change.)"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from monitor.matching.engine import Engine, compile_book
from monitor.matching.explain import run_examples
from monitor.matching.model import Document
from monitor.rulebook.themes import load_rules

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")
PATH = "themes/port-strikes.yaml"


def files() -> list[tuple[str, str]]:
    """Every block of the page, with the path named last before it, relative to `rules/`."""
    found, path = [], ""
    for named, block in re.findall(r"`rules/([\w/-]+\.\w+)`|^```(?:yaml|csv)\n(.*?)^```", PAGE, re.M | re.S):
        path = named or path
        if block:
            found.append((path if not block.startswith("theme: ") else PATH, block))
    return found


def compiled(texts: dict[str, str]) -> Engine:
    book, faults = load_rules(texts)
    assert book is not None, [str(fault) for fault in faults]
    assert not book.warnings
    return compile_book(book)


def rows(heading: str) -> list[tuple[str, ...]]:
    """The rows of the table of a section, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def written(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def engine(when: str, *terms: str) -> Engine:
    """One rule; with the concepts of the page's first theme, or one of these terms."""
    first = files()[0][1]
    if terms:
        theme: dict[str, Any] = {"theme": "t", "title": "T", "rules": [{"id": "r", "when": when}]}
        return compiled({"themes/t.yaml": json.dumps({**theme, "concepts": {"c": {"terms": terms}}})})
    whole, count = re.subn(r"when: .*\nexamples:.*", lambda _: f"when: '{when}'\n", first, flags=re.S)
    assert count == 1
    return compiled({PATH: whole})


def document(cell: str) -> Document:
    """`Title / body`, `body`, or `url: …, author: …`; ¶ begins a paragraph."""
    fields = re.fullmatch(r"url: (\S+), author: (.+)", cell)
    if fields:
        return Document(title="", text="", url=fields[1], author=fields[2])
    title, _, text = cell.rpartition(" / ")
    return Document(title=title, text=text.replace("¶ ", "\n\n"))


def finds(compiled: Engine, cell: str) -> bool:
    return bool(compiled.match(document(cell)))


def test_the_first_theme_loads_alone_and_its_examples_pass() -> None:
    path, text = files()[0]
    assert path == PATH
    tried = compiled({path: text})
    assert tried.book.themes[0].examples
    assert run_examples(tried) == []


def test_the_whole_theme_loads_with_its_vocabulary_and_list_and_its_examples_pass() -> None:
    assert [path for path, _ in files()] == [PATH, PATH, "concepts/places.yaml", "watchlists/unions.csv"]
    tried = compiled(dict(files()))
    assert len(tried.book.themes[0].examples) == 6
    assert run_examples(tried) == []


@pytest.mark.parametrize(("terms", "_what", "found", "missed"), rows("Terms"))
def test_a_term_is_found_where_the_table_says(terms: str, _what: str, found: str, missed: str) -> None:
    for term in written(terms):
        assert [text for text in missed.split(" · ") if finds(engine("c", term), text)] == [], term
        assert any(finds(engine("c", term), text) for text in found.split(" · ")), term
    together = engine("c", *written(terms))
    assert [text for text in found.split(" · ") if not finds(together, text)] == []


@pytest.mark.parametrize(("expressions", "_means", "true", "false"), rows("Expressions"))
def test_an_expression_holds_where_the_table_says(expressions: str, _means: str, true: str, false: str) -> None:
    for expression in written(expressions):
        tried = engine(expression)
        assert [text for text in true.split(" · ") if not finds(tried, text)] == [], expression
        assert [text for text in false.split(" · ") if finds(tried, text)] == [], expression


def test_both_tables_are_there() -> None:
    assert (len(rows("Terms")), len(rows("Expressions"))) == (10, 16)
