"""What waits for immediate receivers: each alert event and each notice is looked at once, whatever the log's length."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from monitor.core import events as ev
from monitor.core.entries import Arrival
from monitor.core.routing import Fate, QuietHours, Receiver
from monitor.core.views import AlertEventRow, NoticeRow
from monitor.core.windows import Routed
from monitor.pipeline.gather import Gatherer

CALM = timedelta(minutes=1)
"""Notices without an alert wait until none has come for so long: someone is at work, and the next save may mend it."""

NEVER_CALM = timedelta(minutes=10)
"""So long after the first, notices are told whatever still comes."""


class Asking(NamedTuple):
    """What asks for a message: the oldest thing's position, since when it waits until when, and the newest's instant.

    `since` lies in the future where the clock was set back.
    """

    position: int
    since: datetime
    due: datetime
    last: datetime


@dataclass
class Pending:
    """What a receiver's next window holds so far: positions in (after, seen].

    `news`: the alert events that ask for a message, `notes`: the notices that do; since `noted` there were some.
    """

    after: int
    seen: int
    rows: list[Routed] = field(default_factory=list)
    noticed: bool = False
    news: list[AlertEventRow] = field(default_factory=list)
    notes: list[NoticeRow] = field(default_factory=list)
    noted: datetime | None = None
    already_there: bool = False

    def asking(self, receiver: Receiver, quiet: QuietHours | None) -> Asking | None:
        """What asks for a message now; in `quiet` hours only what pierces them."""
        if quiet is not None:
            return _of_news([row for row in self.news if quiet.pierced_by(row.severity)], receiver.group_wait)
        found = [_of_news(self.news, receiver.group_wait), self._of_notes(receiver.group_wait)]
        asking = [one for one in found if one is not None]
        if not asking:
            return None
        first = min(asking, key=lambda one: one.due)
        return first._replace(position=min(one.position for one in asking), last=max(one.last for one in asking))

    def _of_notes(self, group_wait: timedelta) -> Asking | None:
        if not self.notes or self.noted is None:
            return None
        last = self.notes[-1].recorded_at
        due = min(last + max(CALM, group_wait), self.noted + NEVER_CALM)
        return Asking(self.notes[0].position, last, due, last)

    def take_notes(self, notes: list[NoticeRow]) -> None:
        """The notices that ask for a message from now on."""
        self.noted = (self.noted or notes[0].recorded_at) if notes else None
        self.notes = notes


def _of_news(rows: list[AlertEventRow], group_wait: timedelta) -> Asking | None:
    if not rows:
        return None
    first = rows[0]
    last = max(row.recorded_at for row in rows)
    return Asking(first.position, first.recorded_at, first.recorded_at + group_wait, last)


class Lookout:
    """Keeps `Pending` for every immediate receiver. Methods block; one caller at a time."""

    def __init__(self, gather: Gatherer) -> None:
        self._gather = gather
        self._known: dict[str, Pending] = {}

    def look(self, receiver: str, after: int, upto: int, *, operator: bool) -> Pending:
        """What waits for a receiver whose last window ended at `after`. An `operator` also hears of trouble."""
        pending = self._known.get(receiver)
        if pending is None or pending.after != after:
            pending = self._known[receiver] = Pending(after=after, seen=after)
        for routed in self._gather.routed(receiver, pending.seen, upto):
            pending.rows.append(routed)
            if routed.fate is Fate.TELL:
                pending.already_there = pending.already_there or routed.row.arrival == Arrival.ALREADY_THERE
                if routed.row.reason != ev.AlertReason.RULE_CHANGED:
                    pending.news.append(routed.row)
        if operator and upto > pending.seen:
            notes = list(pending.notes)
            for notice in self._gather.notices(receiver, pending.seen, upto):
                pending.noticed = True
                if self._gather.urgent(notice):
                    notes.append(notice)
            pending.take_notes(self._gather.standing(notes, upto))
        pending.seen = max(pending.seen, upto)
        return pending

    def known(self, receiver: str) -> Pending | None:
        """What the last look found."""
        return self._known.get(receiver)

    def forget(self, receiver: str) -> Pending | None:
        """Its window closes: the next look begins anew."""
        return self._known.pop(receiver, None)
