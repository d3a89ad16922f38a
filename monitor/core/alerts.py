"""Matches against open alerts: raise, group, reopen or suppress, with reasons. One alert per theme and story."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.core import events as ev
from monitor.core.entries import Arrival, derived_id
from monitor.core.views import AlertRow
from monitor.matching.model import Mode, ThemeMatch

MAX_TITLE = 300


@dataclass(frozen=True, slots=True)
class Candidate:
    """The revision of an entry that met a theme, and the story it tells."""

    entry_id: str
    source_id: str
    title: str
    revision: int
    arrival: Arrival
    story_id: str


def alert_id(theme: str, story_id: str) -> str:
    """`alr-…`, the same for the same theme and story on every machine."""
    return derived_id("alr", theme, story_id)


def decide(match: ThemeMatch, entry: Candidate, alert: AlertRow | None, *, rule_changed: bool = False) -> ev.Event:
    """What a match leads to. `alert`: that of the theme and the entry's story, if any. `rule_changed`: an edited rule
    found it among older entries.
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
        )
    if match.severity.rank > alert.severity.rank:
        reason = ev.AlertReason.HIGHER_SEVERITY
    elif not set(rules) <= set(alert.rules):
        reason = ev.AlertReason.REVISED
    else:
        return ev.AlertSuppressed(entry_id=entry.entry_id, theme=match.theme, reason="unchanged")
    kind = ev.AlertGrouped if alert.state == "open" else ev.AlertReopened
    return kind(
        alert_id=alert.alert_id,
        entry_id=entry.entry_id,
        source_id=entry.source_id,
        severity=max(match.severity, alert.severity, key=lambda severity: severity.rank),
        rules=rules,
        reason=ev.AlertReason.RULE_CHANGED if rule_changed else reason,
    )
