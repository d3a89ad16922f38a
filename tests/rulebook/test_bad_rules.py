"""Every fault class has its files under tests/data/rules/bad and the exact words expected, lines and carets included.

A case is `<name>.yaml`, a theme by itself, or a folder `<name>/` as `rules/` would be; what is expected of it stands in
`<name>.expected.txt` as `monitor check` prints it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.errors import Fault
from monitor.matching.engine import compile_book
from monitor.matching.explain import run_examples
from monitor.rulebook.themes import load_rules, read_rule_files

BAD = Path(__file__).parents[1] / "data" / "rules" / "bad"
CASES = sorted({path.name.partition(".")[0] for path in BAD.iterdir()})


def faults_of(case: str) -> list[Fault]:
    """All that is wrong, as `monitor check` finds it; broken rows of lists too."""
    alone = BAD / f"{case}.yaml"
    if alone.exists():
        files, unread = {f"themes/{case}.yaml": alone.read_text("utf-8")}, []
    else:
        files, unread = read_rule_files(BAD / case)
    book, faults = load_rules(files)
    if book is None:
        return sorted(unread + faults)
    return sorted([*unread, *book.warnings, *run_examples(compile_book(book))])


def shown(case: str) -> str:
    return "".join(
        f"{fault}\n" + "".join(f"    {line}\n" for line in fault.excerpt.splitlines()) for fault in faults_of(case)
    )


@pytest.mark.parametrize("case", CASES)
def test_fault_is_named_at_its_place_with_the_cure(case: str) -> None:
    expected = (BAD / f"{case}.expected.txt").read_text("utf-8")
    assert expected
    assert shown(case) == expected
