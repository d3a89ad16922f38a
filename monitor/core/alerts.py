"""Matches against open alerts: raise, group, reopen or suppress, with reasons. One alert per theme and story."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core import events as ev
from monitor.core.entries import Arrival, derived_id
from monitor.core.views import AlertRow
from monitor.matching.model import Mode, ThemeMatch

MAX_TITLE = 300
COPY = ev.AlertReason.COPY


@dataclass(frozen=True, slots=True)
class Candidate:
    """The revision of an entry that met a theme, and the story it tells. `diff`: from the revision before it."""

    entry_id: str
    source_id: str
    title: str
    revision: int
    arrival: Arrival
    story_id: str
    diff: str = ""


def alert_id(theme: str, story_id: str) -> str:
    """`alr-…`, the same for the same theme and story on every machine."""
    return derived_id("alr", theme, story_id)


def decide(
    match: ThemeMatch,
    entry: Candidate,
    alert: AlertRow | None,
    *,
    rule_changed: bool = False,
    silence: str | None = None,
) -> ev.Event:
    """What a match leads to. `alert`: that of the theme and the entry's story, if any. `rule_changed`: an edited rule
    found it among older entries. `silence`: the one that hides it.
    """
    if match.mode is not Mode.LIVE:
        return ev.AlertSuppressed(entry_id=entry.entry_id, theme=match.theme, reason=match.mode.value)
    if entry.arrival is Arrival.BASELINE and alert is None and entry.revision == 1:
        return ev.AlertSuppressed(entry_id=entry.entry_id, theme=match.theme, reason="baseline")
    rules = tuple(rule.rule for rule in match.rules)
    if alert is None:
        reason = ev.AlertReason.FIRST_MATCH if entry.revision == 1 else ev.AlertReason.REVISED
        return ev.AlertRaised(
            alert_id=alert_id(match.theme, entry.story_id),
            theme=match.theme,
            theme_title=match.title,
            severity=match.severity,
            title=entry.title[:MAX_TITLE],
            reason=ev.AlertReason.RULE_CHANGED if rule_changed else reason,
            story_id=entry.story_id,
            entry_id=entry.entry_id,
            source_id=entry.source_id,
            rules=rules,
            arrival=entry.arrival if entry.revision == 1 else Arrival.NEW,
            silence=silence,
        )
    joins = entry.entry_id not in alert.entry_ids
    if joins and entry.arrival is Arrival.BASELINE and entry.revision == 1:
        return _one_more(entry, alert)
    if match.severity.rank > alert.severity.rank:
        reason = ev.AlertReason.HIGHER_SEVERITY
    elif not set(rules) <= set(alert.rules):
        reason = ev.AlertReason.FIRST_MATCH if joins else ev.AlertReason.REVISED
    elif _said_anew(match, entry.diff):
        reason = ev.AlertReason.REVISED
    elif joins and (alert.state == "closed" or (alert.state == "silenced" and silence is None)):
        reason = ev.AlertReason.REVIVED
    elif joins:
        return _one_more(entry, alert)
    else:
        return ev.AlertSuppressed(entry_id=entry.entry_id, theme=match.theme, reason="unchanged")
    goes_on = alert.state == "open" or (alert.state == "silenced" and silence is not None)
    kind = ev.AlertGrouped if goes_on else ev.AlertReopened
    return kind(
        alert_id=alert.alert_id,
        entry_id=entry.entry_id,
        source_id=entry.source_id,
        severity=max(match.severity, alert.severity, key=lambda severity: severity.rank),
        rules=rules,
        reason=ev.AlertReason.RULE_CHANGED if rule_changed else reason,
        silence=silence,
    )


def _one_more(entry: Candidate, alert: AlertRow) -> ev.AlertGrouped:
    """A copy: the alert stays as it is and names one more entry."""
    return ev.AlertGrouped(
        alert_id=alert.alert_id,
        entry_id=entry.entry_id,
        source_id=entry.source_id,
        severity=alert.severity,
        rules=alert.rules,
        reason=COPY,
    )


def _said_anew(match: ThemeMatch, diff: str) -> bool:
    """Whether a revision changed a sentence that holds words of the match: "found" became "found no"."""
    words = {hit.text for rule in match.rules for hit in rule.evidence}
    return any(word in line for line in diff.splitlines() if line.startswith("+") for word in words)


def closes_at(told: datetime, last_entry: datetime | None, close_after: timedelta) -> datetime:
    """When an alert closes: so long after it was last raised, grouped or reopened (`told`), and after the last entry of
    its story.
    """
    return max(told, last_entry or told) + close_after


def reminder_due(
    history: Iterable[ev.Recorded], receiver: str, repeat: timedelta, most: int
) -> tuple[datetime, int] | None:
    """When a receiver is reminded of an alert, and for which time; None where it was often enough. `history`: the
    alert's stream. It counts anew where something material came.
    """
    told: datetime | None = None
    number = 0
    for recorded in history:
        match recorded.event:
            case ev.AlertRaised() | ev.AlertReopened() | ev.AlertGrouped() as event if event.reason is not COPY:
                told, number = recorded.recorded_at, 0
            case ev.AlertReminded() as event if event.receiver == receiver:
                told, number = recorded.recorded_at, number + 1
            case _:
                pass
    return None if told is None or number >= most else (told + repeat, number + 1)
