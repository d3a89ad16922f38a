"""The examples of docs/rules.md, "Trying a change", are what the program does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from monitor.matching.compare import compare, rests_on
from monitor.matching.engine import Engine, compile_book
from monitor.matching.model import Document
from monitor.rulebook.themes import load_rules

SECTION = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8").partition("## Trying a change")[2]


def table(columns: int) -> list[tuple[str, ...]]:
    """The rows of the section's table with so many columns, without its head."""
    lines = [line for line in SECTION.splitlines() if line.startswith("|")]
    rows = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]
    return [row for row in rows if len(row) == columns][1:]


def engine(when: str) -> Engine:
    theme = {"theme": "t", "title": "T", "rules": [{"id": "r", "when": when.strip("`")}]}
    book, faults = load_rules({"themes/t.yaml": json.dumps(theme)})
    assert book is not None, [str(fault) for fault in faults]
    return compile_book(book)


def terms(said: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", said))


@pytest.mark.parametrize(("old", "new", "text", "said"), table(4))
def test_what_diff_says(old: str, new: str, text: str, said: str) -> None:
    found = compare(engine(old), engine(new), Document(title="", text=text))
    changes = [*found.gained, *found.lost]
    if said.startswith("none"):
        assert not changes and found.unchanged
        return
    [change] = changes
    kind, _, by = said.partition(" by ")
    assert change.change == kind
    if by.startswith("no term: "):
        assert (change.terms, change.reason) == ((), by.removeprefix("no term: ").replace("`", ""))
    else:
        assert change.terms == terms(by)


@pytest.mark.parametrize(("rule", "text", "said"), table(3))
def test_what_a_match_rests_on(rule: str, text: str, said: str) -> None:
    compiled = engine(rule)
    scan = compiled.scan(Document(title="", text=text))
    [met] = compiled.met(scan)
    assert rests_on(met, scan) == terms(said)


def test_both_tables_are_there() -> None:
    assert (len(table(4)), len(table(3))) == (6, 4)
