"""Stand-ins for what app.py hands in: the clock, chance, and a store that others can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from monitor.errors import TryAgain
from monitor.ports import Appended, Commit
from monitor.store.memory import MemoryStore

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday


class ManualClock:
    """A `ports.Clock` that stands still until moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **step: float) -> datetime:
        """Move by `timedelta(**step)`, back too, and return the new instant."""
        self.now += timedelta(**step)
        return self.now


class ScriptedDraw:
    """A `ports.Draw` that yields what it was given, then the last of it for ever."""

    def __init__(self, values: Iterable[float] = (0.5,)) -> None:
        self._values: Iterator[float] = iter(values)
        self._last = 0.5

    def __call__(self) -> float:
        self._last = next(self._values, self._last)
        return self._last


class LockableStore(MemoryStore):
    """A store that another process can hold."""

    locked = False

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        if self.locked:
            raise TryAgain("another process is writing")
        return super().append(commit)
