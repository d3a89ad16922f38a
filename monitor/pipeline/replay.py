"""The past from the log: a view as it stood at a position. Given no fetcher and no receiver, so it cannot send."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec

from monitor.core.views import View
from monitor.ports import EventStore

Row = TypeVar("Row", bound=msgspec.Struct)


def rows_at(store: EventStore, view: View[Row], position: int) -> list[Row]:
    """The view's rows as they stood when the log ended at `position`, in the order that lists use."""
    rows: dict[str, Row] = {}
    for recorded in store.read(0, upto=position):
        if recorded.event is None:
            continue
        for key in view.keys(recorded.event, recorded.position):
            row = view.fold(rows.get(key), recorded, key)
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
    return [row for _, row in sorted(rows.items(), key=lambda item: (view.sort(item[1]), item[0]))]


def position_at(store: EventStore, instant: datetime, upto: int | None = None) -> int:
    """The last position recorded at or before an instant (0: none), `upto` at most. Clock steps make this approximate
    near the step.
    """
    low, high = 0, store.head().position if upto is None else upto
    while low < high:
        middle = (low + high + 1) // 2
        if store.at(middle).recorded_at <= instant:
            low = middle
        else:
            high = middle - 1
    return low
