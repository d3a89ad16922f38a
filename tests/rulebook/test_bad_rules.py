"""Every fault class has its files under tests/data/rules/bad and the exact words expected, lines and carets included.

A case is `<name>.yaml`, a theme by itself, or a folder `<name>/` as `rules/` would be; what is expected of it stands in
`<name>.expected.txt` as `monitor check` prints it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.rulebook.themes import load_rules, read_rule_files

BAD = Path(__file__).parents[1] / "data" / "rules" / "bad"
CASES = sorted({path.name.partition(".")[0] for path in BAD.iterdir()})


def files_of(case: str) -> dict[str, str]:
    alone = BAD / f"{case}.yaml"
    if alone.exists():
        return {f"themes/{case}.yaml": alone.read_text("utf-8")}
    files, faults = read_rule_files(BAD / case)
    assert not faults
    return dict(files)


def shown(case: str) -> str:
    book, faults = load_rules(files_of(case))
    assert (book is None) == bool(faults)
    return "".join(f"{fault}\n" + "".join(f"    {line}\n" for line in fault.excerpt.splitlines()) for fault in faults)


@pytest.mark.parametrize("case", CASES)
def test_fault_is_named_at_its_place_with_the_cure(case: str) -> None:
    expected = (BAD / f"{case}.expected.txt").read_text("utf-8")
    assert expected
    assert shown(case) == expected
