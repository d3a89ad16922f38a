"""Silences: which one hides an alert, what one would have hidden, and how a person adds and ends them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import PurePath

import msgspec

from monitor.core import events as ev
from monitor.core import silences, views
from monitor.core.alerts import Candidate
from monitor.core.entries import derived_id
from monitor.core.excerpts import one_line
from monitor.errors import NotFound, UsageError
from monitor.matching.model import Severity, ThemeMatch
from monitor.pipeline.replay import position_at
from monitor.ports import Commit, EventStore

ACTIVE = "active"
LONGEST = timedelta(days=silences.LONGEST_DAYS)
MAX_REASON = 500
MAX_NAME = 200


class Matchers(msgspec.Struct, frozen=True, kw_only=True):
    """What a silence hides: all that is named must be so, one thing at least. `at_most`: no more severe than that."""

    theme: str | None = None
    source: str | None = None
    rule: str | None = None
    at_most: Severity | None = None


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """An alert event that a silence would have hidden."""

    alert: views.AlertRow
    severity: Severity
    at: datetime


def silence_of(store: EventStore, match: ThemeMatch, entry: Candidate, at: datetime) -> str | None:
    """The silence that hides what this match leads to, for an entry seen `at`."""
    rows = store.rows(views.SILENCES, facet=ACTIVE)
    rules = [rule.rule for rule in match.rules]
    return silences.hiding(rows, match.theme, entry.source_id, rules, match.severity, at)


def add_silence(
    store: EventStore, matchers: Matchers, until: datetime, reason: str, *, now: datetime, actor: str
) -> str:
    """Silence what fits, until then; returns the silence's id. Raises `UsageError`, and `NotFound` for a theme or
    source that is not known: a slip would hide nothing.
    """
    check(store, matchers)
    reason = one_line(reason, MAX_REASON)
    if not reason:
        raise UsageError("a silence needs a reason: --reason TEXT")
    if not now < until <= now + LONGEST:
        raise UsageError(f"a silence ends after now and within {silences.LONGEST_DAYS} days; write --for 8h")
    names = [name or "" for name in (matchers.theme, matchers.source, matchers.rule, matchers.at_most)]
    silence_id = derived_id("sil", *names, until.isoformat(), str(store.head().position))
    added = ev.SilenceAdded(
        silence_id=silence_id, theme=matchers.theme, source=matchers.source, rule=matchers.rule,
        at_most=matchers.at_most, until=until, reason=reason,
    )  # fmt: skip
    store.append(Commit(events=(ev.NewEvent(stream=f"silence/{silence_id}", event=added, actor=actor),)))
    return silence_id


def expire_silence(store: EventStore, silence_id: str, *, actor: str) -> bool:
    """End a silence now; False where it is over already. Raises `NotFound`."""
    row = store.get(views.SILENCES, silence_id)
    if row is None:
        raise NotFound(f"no silence has the id '{silence_id}'; `monitor silences` lists them")
    if row.state != ACTIVE:
        return False
    return not store.append(Commit(events=(over(silence_id, "by hand", actor),)))[0].duplicate


def over(silence_id: str, reason: str, actor: str = "monitor") -> ev.NewEvent:
    """The event of a silence's end, which it has once."""
    event = ev.SilenceExpired(silence_id=silence_id, reason=reason)
    return ev.NewEvent(stream=f"silence/{silence_id}", event=event, dedupe=f"silence-over:{silence_id}", actor=actor)


def preview(store: EventStore, matchers: Matchers, since: datetime, now: datetime) -> Iterator[Hidden]:
    """What such a silence would have hidden since then, in order. Raises as `add_silence` does."""
    check(store, matchers)
    row = views.SilenceRow(
        silence_id="", theme=matchers.theme, source=matchers.source, rule=matchers.rule, at_most=matchers.at_most,
        until=now, reason="", actor="", added_at=since, state=ACTIVE, expired_at=None, hidden=0, position=0,
    )  # fmt: skip
    for told in store.rows(views.ALERT_EVENTS, after=position_at(store, since)):
        event, alert = store.at(told.position).event, store.get(views.ALERTS, told.alert_id)
        if alert is None or not isinstance(event, ev.AlertRaised | ev.AlertGrouped | ev.AlertReopened):
            continue
        if silences.fits(row, alert.theme, event.source_id, event.rules, event.severity):
            yield Hidden(alert=alert, severity=event.severity, at=told.recorded_at)


def check(store: EventStore, matchers: Matchers) -> None:
    """Raises `UsageError` where nothing is named, `NotFound` where what is named is not known."""
    named = (matchers.theme, matchers.source, matchers.rule)
    if all(name is None for name in (*named, matchers.at_most)):
        raise UsageError("this would silence everything; give --theme, --source, --rule or --at-most")
    if any(name is not None and (not name or len(name) > MAX_NAME) for name in named):
        raise UsageError(f"a name to silence has 1 to {MAX_NAME} characters")
    book = store.get(views.RULE_BOOK, views.CURRENT)
    themes = sorted(PurePath(path).stem for path in (book.files if book else ()) if path.startswith("themes/"))
    theme = matchers.theme
    if theme is not None and theme not in themes and not store.count(views.ALERTS, facet=theme):
        raise NotFound(f"there is no theme '{theme}'; there are {', '.join(themes) or 'none'}")
    if matchers.source is not None and store.get(views.SOURCES, matchers.source) is None:
        raise NotFound(f"there is no source '{matchers.source}'; `monitor sources` lists them")
