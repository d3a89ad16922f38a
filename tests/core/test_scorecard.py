"""What each rule and term has brought, from matches and verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from monitor.core.scorecard import Fired, Score, Verdict, scorecard
from monitor.matching.book import RuleBook
from monitor.rulebook.themes import load_rules
from tests.fakes import START

CONCEPTS = {
    "place": {"include": ["towns"], "terms": ["Harbour"]},
    "towns": ["Bergen", "Narvik"],
    "strike": ["strike*", "walkout"],
    "film": ["film*"],
    "firms": {"list": "watchlists/firms.csv"},
}


def book(*rules: tuple[str, str], mode: str = "live") -> RuleBook:
    theme = {
        "theme": "t", "title": "T", "mode": mode, "concepts": CONCEPTS,
        "rules": [{"id": name, "when": when} for name, when in rules],
    }  # fmt: skip
    files = {"themes/t.yaml": json.dumps(theme), "watchlists/firms.csv": "name\nAlpha Shipping\nBeta Shipping\n"}
    found, faults = load_rules(files)
    assert found is not None, [str(fault) for fault in faults]
    return found


def fired(entry: str, *terms: str, rule: str = "r", hours: int = 0, **fields: object) -> Fired:
    return Fired(
        "t", rule, entry, START + timedelta(hours=hours), **{"fresh": True, "terms": terms, "resting": terms, **fields}  # type: ignore[arg-type]
    )  # fmt: skip


Verdicts = Mapping[tuple[str, str], Verdict]


def scores(book: RuleBook, *matches: Fired, verdicts: Verdicts | None = None) -> dict[str | None, Score]:
    """By term; None is the rule."""
    return {score.term: score for score in scorecard(book, matches, verdicts or {})}


def test_hits_of_rule_and_terms_the_most_frequent_first() -> None:
    found = scores(
        book(("r", "place and strike")),
        fired("a", "Bergen", "strike*"),
        fired("b", "Bergen", "walkout", hours=3),
        fired("c", "Harbour", "walkout", hours=2),
    )
    assert {term: score.hits for term, score in found.items()} == {
        None: 3, "Bergen": 2, "walkout": 2, "Harbour": 1, "strike*": 1, "Narvik": 0,
    }  # fmt: skip
    assert next(iter(found)) is None
    assert list(found)[-1] == "Narvik"
    rule = found[None]
    assert (rule.terms, rule.never_fired, rule.last_fired) == (5, 1, START + timedelta(hours=3))
    assert (found["Narvik"].last_fired, found["Narvik"].finding) == (None, "dead")
    assert (found["Bergen"].concept, found["walkout"].concept) == ("place", "strike")


def test_a_revision_that_matches_again_is_no_second_hit() -> None:
    again = fired("a", "walkout", fresh=False, again=("Bergen",), resting=(), hours=5)
    found = scores(book(("r", "place and strike")), fired("a", "Bergen", "strike*"), again)
    assert (found[None].hits, found["Bergen"].hits, found["walkout"].hits) == (1, 1, 1)
    assert found["Bergen"].last_fired == START + timedelta(hours=5)
    assert (found["Bergen"].rests, found["walkout"].rests) == (1, 0)


def test_how_much_rests_on_a_term() -> None:
    found = scores(
        book(("r", "place and strike")),
        fired("a", "Bergen", "strike*", "walkout", resting=("Bergen",)),
        fired("b", "Bergen", "Narvik", "strike*", "walkout", resting=()),
    )
    assert (found[None].rests, found[None].share) == (1, 0.5)
    assert (found["Bergen"].rests, found["Bergen"].share) == (1, 0.5)
    assert (found["strike*"].rests, found["strike*"].share) == (0, 0.0)


def test_a_rule_that_never_fired_is_dead_and_has_no_share() -> None:
    found = scores(book(("r", "place")))[None]
    assert (found.hits, found.last_fired, found.share, found.precision, found.finding) == (0, None, None, None, "dead")


def test_terms_that_shut_out_are_not_asked_for() -> None:
    found = scores(book(("r", 'strike and not film and (strike not w/5 towns) and title:("quay")')))
    assert set(found) == {None, "strike*", "walkout", "quay"}


def test_names_of_a_watch_list_that_never_fired_are_counted_only() -> None:
    found = scores(book(("r", "firms")), fired("a", "Alpha Shipping"))
    assert set(found) == {None, "Alpha Shipping"}
    assert (found[None].terms, found[None].never_fired) == (2, 1)


def judged(**words: str) -> dict[tuple[str, str], Verdict]:
    return {("t", entry): Verdict(f"alr-{entry}", word) for entry, word in words.items()}


def test_verdicts_count_alerts_and_name_the_noisy() -> None:
    matches = [fired(entry, "Bergen", "strike*") for entry in "abc"]
    matches += [fired(entry, "Bergen", "walkout") for entry in "de"]
    verdicts = judged(a="noise", b="noise", c="noise", d="relevant", e="relevant")
    found = scores(book(("r", "place and strike")), *matches, verdicts=verdicts)
    assert (found[None].relevant, found[None].noise, found[None].precision) == (2, 3, 0.4)
    assert (found["strike*"].precision, found["walkout"].precision, found["Narvik"].precision) == (0.0, 1.0, None)
    assert {term for term, score in found.items() if score.finding == "noisy"} == {None, "strike*"}


def test_two_verdicts_of_noise_are_too_few_to_call_it_noisy() -> None:
    matches = [fired(entry, "Bergen", "strike*") for entry in "ab"]
    found = scores(book(("r", "place and strike")), *matches, verdicts=judged(a="noise", b="noise"))
    assert (found[None].noise, found[None].finding) == (2, None)


def test_entries_of_one_alert_count_it_once() -> None:
    one = {("t", entry): Verdict("alr-1", "noise") for entry in "abc"}
    found = scores(book(("r", "strike")), *(fired(entry, "strike*") for entry in "abc"), verdicts=one)
    assert (found[None].hits, found[None].noise) == (3, 1)


def test_each_rule_is_told_by_itself_with_its_mode() -> None:
    found = list(scorecard(book(("r", "strike"), ("s", "film"), mode="shadow"), [fired("a", "film*", rule="s")], {}))
    assert [(score.rule, score.term, score.hits) for score in found] == [
        ("r", None, 0), ("r", "strike*", 0), ("r", "walkout", 0), ("s", None, 1), ("s", "film*", 1),
    ]  # fmt: skip
    assert {score.mode for score in found} == {"shadow"}


@pytest.mark.parametrize(("mode", "theme"), [("off", None), ("live", "another")])
def test_themes_that_rest_or_are_not_asked_for_are_left_out(mode: str, theme: str | None) -> None:
    assert list(scorecard(book(("r", "strike"), mode=mode), [fired("a", "strike*")], {}, theme)) == []
