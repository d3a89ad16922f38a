"""What a hostile or mistaken rule book may cost: includes without end, rules of many names."""

from __future__ import annotations

import json

import pytest

from monitor.matching.engine import compile_book
from monitor.matching.model import Document
from monitor.rulebook.themes import load_rules


def files(rules: list[dict[str, str]], concepts: dict[str, object] | None = None) -> dict[str, str]:
    theme = {"theme": "t", "title": "T", "concepts": concepts or {}, "rules": rules}
    return {"themes/t.yaml": json.dumps(theme)}


def messages(rules: list[dict[str, str]], concepts: dict[str, object] | None = None) -> list[str]:
    return [fault.message for fault in load_rules(files(rules, concepts))[1]]


# --- includes


def chain(length: int, ways: int = 1) -> dict[str, object]:
    """Concepts each of which includes the next, by way of as many others."""
    concepts: dict[str, object] = {f"c{length}": ["x", "y"]}
    for number in range(length):
        concepts[f"c{number}"] = {"include": [f"c{number}-{way}" for way in range(ways)]}
        for way in range(ways):
            concepts[f"c{number}-{way}"] = {"include": [f"c{number + 1}"], "except": [f"x{number} {way}"]}
    return concepts


INCLUDING = [{"id": "a", "when": "c0 and distinct2(c0)"}]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("length", "ways"), [(24, 1), (9, 2)])
def test_includes_of_some_depth_match(length: int, ways: int) -> None:
    book, faults = load_rules(files(INCLUDING, chain(length, ways)))
    assert book is not None, faults
    assert [match.theme for match in compile_book(book).match(Document(title="", text="x y"))] == ["t"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("length", "ways", "said"),
    [
        (25, 1, "includes go on for more than 50 concepts one below the other; include them here directly"),
        (1500, 1, "includes go on for more than 50 concepts one below the other; include them here directly"),
        (22, 2, "what is included here includes others in more than 10,000 ways; include each in one place"),
    ],
)
def test_includes_without_end_are_a_fault(length: int, ways: int, said: str) -> None:
    found = messages([{"id": "a", "when": "c0"}], chain(length, ways))
    assert set(found) == {said}


def test_long_circle_is_shown_by_its_beginning() -> None:
    (message,) = messages([{"id": "a", "when": "c0"}], chain(12) | {"c12": {"include": ["c0"]}})
    assert message.startswith("a circle of includes: t:c12 → t:c0 → t:c0-0 → ")
    assert message.endswith(" → … → t:c12") and len(message) < 150


# --- rules that cannot be meant

OTHERS = " or ".join(f'"x{number}"' for number in range(40))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("when", "unless", "said"),
    [
        (f'("china" or {OTHERS}) and "y"', f'"china" or {OTHERS}', "whatever meets 'when' meets 'unless' too"),
        (f'"y" and ({OTHERS}) and not ({OTHERS} or "z")', "", "it asks for something and excludes the same"),
        (f'"china" and ({OTHERS}) and not "china"', "", "it asks for something and excludes the same"),
    ],
)
def test_rule_of_many_names_that_can_never_match_is_found(when: str, unless: str, said: str) -> None:
    rule = {"id": "a", "when": when} | ({"unless": unless} if unless else {})
    assert messages([rule]) == [f"the rule can never match: {said}"]


@pytest.mark.parametrize(
    ("when", "unless"),
    [
        (f'("china" or {OTHERS}) and "y"', OTHERS),
        (f'("china" or {OTHERS}) and not ({OTHERS})', '"china" and "z"'),
        ('"china" not w/3 "russia" and "russia"', 'title:("russia")'),
        ('not not "china"', 'not "china" and "x"'),
    ],
)
def test_rule_that_can_match_is_not_refused(when: str, unless: str) -> None:
    assert messages([{"id": "a", "when": when, "unless": unless}]) == []


@pytest.mark.timeout(20)
def test_hundreds_of_rules_that_exclude_much_are_soon_judged() -> None:
    when = '"china" and ' + " and ".join(f'not "x{number}"' for number in range(40))
    assert messages([{"id": f"r{number}", "when": when} for number in range(200)]) == []
