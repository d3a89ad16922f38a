"""What waits for immediate receivers: each alert event and each notice is looked at once, whatever the log's length."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from monitor.core import events as ev
from monitor.core import views
from monitor.core.entries import Arrival
from monitor.pipeline.gather import Gatherer


@dataclass
class Pending:
    """What a receiver's next window holds so far: positions in (after, seen].

    `first`: the position and instant of the oldest thing that asks for a message; `last`: the instant of the newest.
    """

    after: int
    seen: int
    rows: list[views.AlertEventRow] = field(default_factory=list)
    noticed: bool = False
    first: tuple[int, datetime] | None = None
    last: datetime | None = None
    already_there: bool = False

    def asks(self, position: int, at: datetime) -> None:
        """Something asks for a message."""
        self.first = min(self.first or (position, at), (position, at))
        self.last = max(self.last or at, at)


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
        for event in self._gather.routed(receiver, pending.seen, upto):
            pending.rows.append(event)
            pending.already_there = pending.already_there or event.arrival == Arrival.ALREADY_THERE
            if event.reason != ev.AlertReason.RULE_CHANGED:
                pending.asks(event.position, event.recorded_at)
        if operator and upto > pending.seen:
            for notice, _ in self._gather.notices(receiver, pending.seen, upto):
                pending.noticed = True
                if self._gather.urgent(notice):
                    pending.asks(notice.position, notice.recorded_at)
        pending.seen = max(pending.seen, upto)
        return pending

    def known(self, receiver: str) -> Pending | None:
        """What the last look found."""
        return self._known.get(receiver)

    def forget(self, receiver: str) -> Pending | None:
        """Its window closes: the next look begins anew."""
        return self._known.pop(receiver, None)
