"""Near misses among documents that hold a rule's anchor."""

from __future__ import annotations

import json

import pytest

from monitor.matching.engine import Engine, compile_book
from monitor.matching.explain import look_for_near_misses
from monitor.matching.model import Document
from monitor.rulebook.themes import load_rules

CONCEPTS = {"ship": ["ship*"], "goods": ["semiconductor*"], "place": ["Russia"]}


def engine(*rules: dict[str, object]) -> Engine:
    theme = {"theme": "t", "title": "T", "concepts": CONCEPTS, "rules": list(rules)}
    other = {"theme": "u", "title": "U", "rules": [{"id": "r", "when": '"quince" w/2 "medlar"'}]}
    files = {f"themes/{one['theme']}.yaml": json.dumps(one) for one in (theme, other)}
    book, faults = load_rules(files)
    assert book is not None, [str(fault) for fault in faults]
    return compile_book(book)


def missed(engine: Engine, text: str, theme: str | None = None, **fields: object) -> list[tuple[str, str, str]]:
    document = Document(title="", text=text, **fields)  # type: ignore[arg-type]
    return [(miss.theme, miss.rule, miss.failed) for miss in look_for_near_misses(engine, document, theme)]


@pytest.mark.parametrize(
    ("rule", "text", "failed"),
    [
        ({"when": "ship and goods and place"}, "Semiconductors for Russia", "only ship failed"),
        ({"when": "ship and goods and place"}, "Semiconductors", None),
        ({"when": "goods and place"}, "Semiconductors", None),
        ({"when": "goods w/3 place"}, "Semiconductors, as he said, then for Russia", "only goods w/3 place failed"),
        ({"when": "goods", "unless": '"football"'}, "Semiconductor football", "stopped by unless: football"),
        ({"when": "goods", "where": {"languages": ["ru"]}}, "Semiconductors", "where: language en is none of ru"),
        ({"when": "goods", "where": {"languages": ["ru"]}, "unless": '"f"'}, "Semiconductors f", None),
        # the rarest concept is the longest one: an entry without it is not looked at
        ({"when": "ship and goods and place"}, "Shipped to Russia", None),
        ({"when": "ship and goods and place", "anchor": "place"}, "Shipped to Russia", "only goods failed"),
        ({"when": "ship and goods and place", "anchor": "place"}, "Semiconductors shipped", None),
    ],
)
def test_one_rule(rule: dict[str, object], text: str, failed: str | None) -> None:
    found = missed(engine({"id": "r", **rule}), text, language="en")
    assert found == ([] if failed is None else [("t", "r", failed)])


def test_a_document_that_another_rule_of_the_theme_finds_is_none() -> None:
    rules = engine({"id": "a", "when": "ship and goods and place"}, {"id": "b", "when": '"tariff"'})
    text = "Semiconductors for Russia."
    assert missed(rules, text) == [("t", "a", "only ship failed")]
    assert missed(rules, f"{text} A tariff.") == []


def test_of_one_theme() -> None:
    rules = engine({"id": "a", "when": "ship and goods and place"})
    text = "Semiconductors for Russia, quince and jam and medlar."
    assert [theme for theme, _, _ in missed(rules, text)] == ["t", "u"]
    assert [theme for theme, _, _ in missed(rules, text, "u")] == ["u"]


def test_the_words_of_what_held() -> None:
    rules = engine({"id": "a", "when": "ship and goods and place"})
    [miss] = look_for_near_misses(rules, Document(title="", text="Semiconductors for Russia"))
    assert [hit.text for hit in miss.evidence] == ["Semiconductors", "Russia"]
