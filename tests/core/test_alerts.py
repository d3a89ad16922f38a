"""What a match leads to, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from monitor.core import events as ev
from monitor.core.alerts import Candidate, alert_id, decide
from monitor.core.entries import Arrival
from monitor.core.views import AlertRow
from monitor.matching.model import Evidence, Mode, RuleMatch, Severity, ThemeMatch
from tests.fakes import START

ENTRY = Candidate("ent-1", "port-news", "Port of Example reopens", 1, Arrival.NEW, "sto-1")


def match(*rules: str, severity: Severity = Severity.HIGH, mode: Mode = Mode.LIVE) -> ThemeMatch:
    met = tuple(RuleMatch(rule=rule, severity=severity, when="a and b", evidence=()) for rule in rules or ("goods",))
    return ThemeMatch(theme="ports", title="Ports", mode=mode, severity=severity, rules=met)


def open_alert(**fields: object) -> AlertRow:
    row = AlertRow(
        alert_id=alert_id("ports", "sto-1"), theme="ports", theme_title="Ports", severity=Severity.HIGH, state="open",
        title=ENTRY.title, reason="first_match", story_id="sto-1", entry_ids=("ent-1",), sources=("port-news",),
        rules=("goods",), arrival="new", raised_at=START, verdict=None, position=9, last_position=9,
    )  # fmt: skip
    return changed(row, **fields)


def test_a_first_match_raises_an_alert() -> None:
    decided = decide(match("goods", "listed"), ENTRY, None)
    assert isinstance(decided, ev.AlertRaised)
    assert (decided.reason, decided.rules, decided.arrival) == ("first_match", ("goods", "listed"), Arrival.NEW)


def test_the_alert_id_depends_on_theme_and_story_only() -> None:
    assert alert_id("ports", "sto-1") == alert_id("ports", "sto-1")
    assert len({alert_id("ports", "sto-1"), alert_id("ports", "sto-2"), alert_id("port", "ssto-1")}) == 3


def test_an_entry_that_was_already_there_says_so_in_its_alert() -> None:
    decided = decide(match(), replace(ENTRY, arrival=Arrival.ALREADY_THERE), None)
    assert isinstance(decided, ev.AlertRaised)
    assert decided.arrival is Arrival.ALREADY_THERE


def test_a_baseline_entry_raises_nothing_and_says_why() -> None:
    decided = decide(match(), replace(ENTRY, arrival=Arrival.BASELINE), None)
    assert decided == ev.AlertSuppressed(entry_id="ent-1", theme="ports", reason="baseline")


def test_a_revised_baseline_entry_is_news() -> None:
    decided = decide(match(), replace(ENTRY, arrival=Arrival.BASELINE, revision=2), None)
    assert isinstance(decided, ev.AlertRaised)
    assert (decided.reason, decided.arrival) == ("revised", Arrival.NEW)


def test_a_shadow_theme_raises_nothing() -> None:
    decided = decide(match(mode=Mode.SHADOW), ENTRY, None)
    assert decided == ev.AlertSuppressed(entry_id="ent-1", theme="ports", reason="shadow")


def test_a_revision_that_meets_the_same_rules_is_not_said_again() -> None:
    decided = decide(match("goods"), replace(ENTRY, revision=2), open_alert())
    assert isinstance(decided, ev.AlertSuppressed)
    assert decided.reason == "unchanged"


def hit(*words: str) -> ThemeMatch:
    found = tuple(Evidence(concept=word, term=word, field="text", start=0, end=1, text=word) for word in words)
    met = RuleMatch(rule="goods", severity=Severity.HIGH, when="a and b", evidence=found)
    return ThemeMatch(theme="ports", title="Ports", mode=Mode.LIVE, severity=Severity.HIGH, rules=(met,))


@pytest.mark.parametrize("state", ["open", "acknowledged"])
def test_a_revision_of_a_sentence_that_matched_is_news(state: str) -> None:
    diff = "@@ -1 +1 @@\n-They found Chinese lathes.\n+They found no Chinese lathes."
    decided = decide(hit("lathes"), replace(ENTRY, revision=2, diff=diff), open_alert(state=state))
    assert isinstance(decided, ev.AlertGrouped if state == "open" else ev.AlertReopened)
    assert decided.reason == "revised"


def test_a_revision_beside_what_matched_is_not_said_again() -> None:
    diff = "@@ -1,2 +1,2 @@\n They found Chinese lathes.\n-It rained.\n+It rained all day."
    decided = decide(hit("lathes"), replace(ENTRY, revision=2, diff=diff), open_alert())
    assert isinstance(decided, ev.AlertSuppressed)


def test_a_revision_that_meets_another_rule_is_grouped() -> None:
    decided = decide(match("goods", "listed"), replace(ENTRY, revision=2), open_alert())
    assert isinstance(decided, ev.AlertGrouped)
    assert decided.reason == "revised"


def test_a_higher_severity_is_grouped_under_that_reason() -> None:
    decided = decide(match(severity=Severity.CRITICAL), replace(ENTRY, revision=2), open_alert())
    assert isinstance(decided, ev.AlertGrouped)
    assert (decided.reason, decided.severity) == ("higher_severity", Severity.CRITICAL)


def test_severity_never_falls() -> None:
    decided = decide(match("other", severity=Severity.LOW), replace(ENTRY, revision=2), open_alert())
    assert isinstance(decided, ev.AlertGrouped)
    assert decided.severity is Severity.HIGH


@pytest.mark.parametrize("state", ["acknowledged", "closed"])
def test_something_material_reopens_what_was_put_aside(state: str) -> None:
    decided = decide(match("goods", "listed"), replace(ENTRY, revision=2), open_alert(state=state))
    assert isinstance(decided, ev.AlertReopened)


@pytest.mark.parametrize("state", ["acknowledged", "closed"])
def test_nothing_material_leaves_it_aside(state: str) -> None:
    assert isinstance(decide(match(), replace(ENTRY, revision=2), open_alert(state=state)), ev.AlertSuppressed)


def test_a_headline_without_end_is_cut() -> None:
    decided = decide(match(), replace(ENTRY, title="x" * 100_000), None)
    assert isinstance(decided, ev.AlertRaised)
    assert len(decided.title) == 300
