"""What the rule language is promised to find and to leave, each case by its own name."""

from __future__ import annotations

import json

import pytest

from monitor.matching.engine import compile_book
from monitor.matching.model import Document
from monitor.rulebook.themes import load_rules


def found(text: str, *terms: str, exceptions: tuple[str, ...] = ()) -> list[str]:
    """The words of `text` that a concept of these terms finds."""
    concept = {"terms": terms, "except": exceptions} if exceptions else {"terms": terms}
    theme = {"theme": "t", "title": "T", "concepts": {"c": concept}, "rules": [{"id": "r", "when": "c"}]}
    book, faults = load_rules({"themes/t.yaml": json.dumps(theme, ensure_ascii=False)})
    assert book is not None, [str(fault) for fault in faults]
    matches = compile_book(book).match(Document(title="", text=text))
    return [evidence.text for match in matches for rule in match.rules for evidence in rule.evidence]


def test_mac_does_not_hit_machine() -> None:
    assert found("A machine of machinists", "mac") == []
    assert found("A Mac of machinists", "mac") == ["Mac"]


def test_chips_are_found_within_a_run_of_han() -> None:
    assert found("中国芯片出口", "芯片") == ["芯片"]


def test_cnc_is_found_between_han() -> None:
    assert found("用CNC机床", "CNC") == ["CNC"]


def test_china_is_found_with_a_possessive() -> None:
    assert found("China's exports and China’s ports", "China") == ["China", "China"]


def test_kitayu_is_found_by_its_stem_and_as_written() -> None:
    assert found("Поставки Китаю выросли", "Кита*") == ["Китаю"]
    assert found("Поставки Китаю выросли", "Китаю") == ["Китаю"]


def test_chinese_made_is_found_by_chinese() -> None:
    assert found("Chinese-made drones", "Chinese") == ["Chinese"]
    assert found("Chinese-made drones", "Chinese-made") == ["Chinese-made"]


def test_dual_use_is_found_with_a_non_breaking_hyphen() -> None:
    assert found("dual\u2011use goods", "dual-use") == ["dual\u2011use"]


def test_us_in_capitals_does_not_hit_us_the_pronoun() -> None:
    assert found("They told us that the US and Us differ", "=US") == ["US"]


def test_war_is_not_warriors() -> None:
    assert found("воины вернулись", "войны") == []
    assert found("после войны", "войны") == ["войны"]


def test_semiconductor_is_found_through_a_soft_hyphen() -> None:
    assert found("a semi\u00adconductor plant", "semiconductor") == ["semi\u00adconductor"]


def test_halbleiter_with_a_star_in_front_finds_the_compound() -> None:
    assert found("Der Leistungshalbleiter fehlt", "*halbleiter") == ["Leistungshalbleiter"]


def test_a_newspaper_named_after_china_is_not_china() -> None:
    morning_post = ("South China Morning Post",)
    assert found("as the South China Morning Post wrote", "China", exceptions=morning_post) == []
    assert found("China, as the South China Morning Post wrote", "China", exceptions=morning_post) == ["China"]


def test_or_beside_and_is_refused_with_both_readings() -> None:
    theme = {
        "theme": "t", "title": "T", "concepts": {name: [name * 3] for name in "abc"},
        "rules": [{"id": "r", "when": "a or b and c"}],
    }  # fmt: skip
    book, faults = load_rules({"themes/t.yaml": json.dumps(theme)})
    assert book is None
    (message,) = (fault.message for fault in faults)
    assert "(a or b) and c" in message
    assert "a or (b and c)" in message


@pytest.mark.parametrize("term", ["China", "China Telecom"])
def test_overlapping_terms_are_all_found(term: str) -> None:
    assert term in found("China Telecom sells", "China", "China Telecom")
