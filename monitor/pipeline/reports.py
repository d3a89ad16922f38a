"""What came of polls: one by one, and together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from monitor.pipeline.recording import Count


class Polled(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one source. State: new | unchanged | failed | waiting | gone | skipped.

    `error`: one line without secrets. `next_due` None: never by itself.
    """

    source_id: str
    state: str
    count: Count = Count()
    faults: tuple[str, ...] = ()
    error: str | None = None
    next_due: datetime | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person should hear of it: who, what, what happens next."""
        if self.error is None:
            return tuple(f"source '{self.source_id}': {fault}" for fault in self.faults)
        then = "not asked again until its address changes"
        if self.state != "gone" and self.next_due is not None:
            then = f"next try {self.next_due:%Y-%m-%d %H:%MZ}"
        return (f"source '{self.source_id}': {self.error}; {then}",)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of many. `faults`: one line for each, with who, what and what happens next."""

    observed: int = 0
    revised: int = 0
    polled: tuple[Polled, ...] = ()
    faults: tuple[str, ...] = ()


def report_of(polled: Sequence[Polled], faults: Iterable[str] = ()) -> Report:
    """The sum of single results, with faults of its own."""
    return Report(
        observed=sum(one.count.observed for one in polled),
        revised=sum(one.count.revised for one in polled),
        polled=tuple(polled),
        faults=(*(line for one in polled for line in one.lines), *faults),
    )
