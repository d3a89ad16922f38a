"""What waits for immediate receivers: each alert event and each notice is looked at once, whatever the log's length."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from monitor.core import events as ev
from monitor.core.entries import Arrival
from monitor.core.routing import Fate, QuietHours
from monitor.core.windows import Routed
from monitor.pipeline.gather import Gatherer


@dataclass
class Pending:
    """What a receiver's next window holds so far: positions in (after, seen].

    `first`: the position and instant of the oldest thing that asks for a message; `last`: the instant of the newest.
    """

    after: int
    seen: int
    rows: list[Routed] = field(default_factory=list)
    noticed: bool = False
    first: tuple[int, datetime] | None = None
    last: datetime | None = None
    already_there: bool = False

    def asks(self, position: int, at: datetime) -> None:
        """Something asks for a message."""
        self.first = min(self.first or (position, at), (position, at))
        self.last = max(self.last or at, at)

    def asking(self, quiet: QuietHours | None) -> tuple[int, datetime, datetime] | None:
        """The position and instant of the oldest thing that asks for a message now, and the instant of the newest; in
        `quiet` hours only of those that pierce them.
        """
        if quiet is None:
            return (*self.first, self.last) if self.first and self.last else None
        piercing = [
            one.row
            for one in self.rows
            if one.fate is Fate.TELL
            and one.row.reason != ev.AlertReason.RULE_CHANGED
            and quiet.pierced_by(one.row.severity)
        ]
        if not piercing:
            return None
        last = max(row.recorded_at for row in piercing)
        return piercing[0].position, piercing[0].recorded_at, last


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
                    pending.asks(routed.row.position, routed.row.recorded_at)
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
