"""The store opened to read only, for commands that list and look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import TypeVar

import msgspec

from monitor.app import open_store_to_read, wall_clock
from monitor.cli.instants import parse_instant
from monitor.core import events as ev
from monitor.core import views
from monitor.core.views import View
from monitor.errors import UsageError
from monitor.pipeline.replay import position_at, rows_at
from monitor.settings import Settings

Row = TypeVar("Row", bound=msgspec.Struct)


class Reading:
    """A read-only look at the log and its views; a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = open_store_to_read(settings)

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.store.close()

    def now(self) -> datetime:
        return wall_clock()

    def rows(self, view: View[Row], as_of: str | None = None, *, facet: str | None = None) -> Iterator[Row]:
        """A view's rows, newest first; with `as_of`, as they stood then."""
        if as_of is None:
            return self.store.rows(view, facet=facet, descending=True)
        past = rows_at(self.store, view, self.position(as_of))
        return (row for row in reversed(past) if facet is None or view.facet(row) == facet)

    def position(self, as_of: str) -> int:
        """A position written as a number, or the one reached at an instant."""
        if not re.fullmatch(r"[0-9]{1,18}", as_of):
            return position_at(self.store, parse_instant(as_of, self.now()))
        if int(as_of) > self.store.head().position:
            raise UsageError(f"position {as_of} is beyond the log's end at {self.store.head().position}")
        return int(as_of)

    def text(self, row: views.EntryRow) -> str:
        """The text of an entry's latest revision; empty where it was erased."""
        event = self.store.at(row.text_position).event
        return event.text if isinstance(event, ev.EntryObserved | ev.EntryRevised) else ""
