"""Matches against open alerts: raise, group, reopen or suppress, with reasons. One alert per theme and story."""

from __future__ import annotations

from monitor.core import events as ev
from monitor.core.entries import Arrival, derived_id
from monitor.core.views import AlertRow, EntryRow
from monitor.matching.model import Mode, ThemeMatch

MAX_TITLE = 300


def alert_id(theme: str, story_id: str) -> str:
    """`alr-…`, the same for the same theme and story on every machine."""
    return derived_id("alr", theme, story_id)


def decide(match: ThemeMatch, entry: EntryRow, story_id: str, alert: AlertRow | None) -> ev.Event:
    """What a match leads to. `entry`: the matched revision; `alert`: that of theme and story, if any."""
    if match.mode is not Mode.LIVE:
        return ev.AlertSuppressed(entry_id=entry.entry_id, theme=match.theme, reason=match.mode.value)
    if entry.arrival == Arrival.BASELINE and alert is None and entry.revision == 1:
        return ev.AlertSuppressed(entry_id=entry.entry_id, theme=match.theme, reason="baseline")
    rules = tuple(rule.rule for rule in match.rules)
    if alert is None:
        return ev.AlertRaised(
            alert_id=alert_id(match.theme, story_id),
            theme=match.theme,
            theme_title=match.title,
            severity=match.severity,
            title=entry.title[:MAX_TITLE],
            reason=ev.AlertReason.FIRST_MATCH if entry.revision == 1 else ev.AlertReason.REVISED,
            story_id=story_id,
            entry_id=entry.entry_id,
            source_id=entry.source_id,
            rules=rules,
            arrival=Arrival(entry.arrival) if entry.revision == 1 else Arrival.NEW,
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
        reason=reason,
    )
