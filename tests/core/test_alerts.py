"""What a match leads to, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec.structs import replace as changed

from monitor.core import events as ev
from monitor.core import views
from monitor.core.alerts import Candidate, alert_id, closes_at, decide, reminder_due
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


# --- what was put aside


def another(**fields: object) -> Candidate:
    """A further entry of the same story."""
    return replace(ENTRY, entry_id="ent-2", **fields)


def test_ten_more_copies_leave_an_acknowledged_alert_alone() -> None:
    alert = open_alert(state="acknowledged")
    for number in range(2, 12):
        assert_quietly_added(decide(match(), replace(ENTRY, entry_id=f"ent-{number}"), alert))


def test_an_old_copy_that_a_new_source_brings_is_added_quietly_whatever_it_meets() -> None:
    severe = match(severity=Severity.CRITICAL)
    for state in ("open", "acknowledged", "closed"):
        assert_quietly_added(decide(severe, another(arrival=Arrival.BASELINE), open_alert(state=state)))


def assert_quietly_added(decided: ev.Event) -> None:
    """Grouped for a reason that no window gathers, and the alert stays as it is."""
    assert isinstance(decided, ev.AlertGrouped)
    assert (decided.reason, decided.severity) == ("copy", open_alert().severity)
    assert views.ALERT_EVENTS.keys(decided, 7) == ()


def test_a_closed_alert_is_revived_by_a_further_entry() -> None:
    decided = decide(match(), another(), open_alert(state="closed"))
    assert isinstance(decided, ev.AlertReopened)
    assert (decided.reason, decided.silence) == ("revived", None)


def test_a_silenced_alert_is_revived_once_nothing_hides_it() -> None:
    alert = open_alert(state="silenced")
    assert_quietly_added(decide(match(), another(), alert, silence="sil-1"))
    decided = decide(match(), another(), alert)
    assert isinstance(decided, ev.AlertReopened)
    assert decided.reason == "revived"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("open", ev.AlertGrouped),
        ("silenced", ev.AlertGrouped),
        ("acknowledged", ev.AlertReopened),
        ("closed", ev.AlertReopened),
    ],
)
def test_what_is_material_names_the_silence_that_hides_it(state: str, kind: type[ev.Event]) -> None:
    decided = decide(match(severity=Severity.CRITICAL), another(), open_alert(state=state), silence="sil-1")
    assert isinstance(decided, kind)
    assert isinstance(decided, ev.AlertGrouped | ev.AlertReopened)
    assert decided.silence == "sil-1"


def test_an_alert_closes_so_long_after_the_last_that_came_of_it_or_its_story() -> None:
    week, day = timedelta(days=7), timedelta(days=1)
    assert closes_at(START, None, week) == START + week
    assert closes_at(START, START + day, week) == START + week + day
    assert closes_at(START, START - 13 * day, week) == START + week  # found by an edited rule


def history(*events: tuple[float, ev.Event]) -> list[ev.Recorded]:
    """Events so many hours after the start."""
    return [
        ev.Recorded(
            position=number, stream="alert/alr-1", version=number, type=type(event).__name__, schema=1,
            event_id=f"evt-{number}", recorded_at=START + timedelta(hours=hours), causation=None, actor="monitor",
            event=event, hash="",
        )
        for number, (hours, event) in enumerate(events, 1)
    ]  # fmt: skip


def test_reminders_count_by_receiver_and_anew_after_something_material() -> None:
    raised = decide(match(), ENTRY, None)
    more = decide(match(severity=Severity.CRITICAL), another(), open_alert())
    duty, other = (
        ev.AlertReminded(alert_id="alr-1", entry_id="ent-1", receiver=name, severity=Severity.HIGH, number=1)
        for name in ("duty", "other")
    )
    day, hours = timedelta(days=1), timedelta(hours=1)
    assert reminder_due(history((0, raised)), "duty", day, 3) == (START + day, 1)
    assert reminder_due(history((0, raised), (24, duty), (30, other)), "duty", day, 3) == (START + 2 * day, 2)
    assert reminder_due(history((0, raised), (24, duty)), "duty", day, 1) is None
    assert reminder_due(history((0, raised), (24, duty), (30, more)), "duty", day, 1) == (START + day + 30 * hours, 1)
    assert reminder_due(history((0, duty)), "other", day, 1) is None
