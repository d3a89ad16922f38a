"""Wires everything: the only file that names concretes, and the only one that reads the clock and draws lots."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from monitor.core import events as ev
from monitor.core import views
from monitor.core.clocks import ClockGuard
from monitor.errors import ConfigurationError, Fault
from monitor.ports import Commit, Matcher
from monitor.settings import Secrets, Settings

if TYPE_CHECKING:
    from monitor.books import Books, Reloaded
    from monitor.pipeline.detect import Detector
    from monitor.pipeline.ingest import Ingestor
    from monitor.pipeline.notify import Notifier
    from monitor.ports import Head
    from monitor.store.sql import SqlStore

log = structlog.get_logger()

ONCE_INGEST_SECONDS = 25.0
ONCE_SEND_SECONDS = 20.0


def wall_clock() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def draw() -> float:
    """A float in [0, 1), for jitter and spread."""
    return random.random()  # noqa: S311  (spreads load; guards nothing)


def new_token() -> str:
    """A secret for the loopback port of the control channel."""
    return secrets.token_urlsafe(24)


class GuardedClock:
    """The wall clock, held against the monotonic one at every reading (`core.clocks`); a `ports.Clock`."""

    def __init__(self) -> None:
        self._guard = ClockGuard(wall_clock(), time.monotonic())
        self._anomalies: list[ev.ClockAnomaly] = []

    def __call__(self) -> datetime:
        reading = self._guard.read(wall_clock(), time.monotonic())
        self._guard = reading.guard
        if reading.anomaly is not None:
            self._anomalies.append(reading.anomaly)
        return reading.now

    def anomalies(self) -> list[ev.ClockAnomaly]:
        """The steps noticed since this was last asked."""
        noticed, self._anomalies = self._anomalies, []
        return noticed


class Monitor:
    """The whole pipeline, wired. Each method is one step that can be repeated: what is done already is not done again."""

    def __init__(
        self,
        settings: Settings,
        store: SqlStore,
        clock: GuardedClock,
        books: Books,
        detector: Detector,
        ingestor: Ingestor,
        notifier: Notifier,
    ) -> None:
        self.settings = settings
        self.store = store
        self.books = books
        self.notifier = notifier
        self._clock = clock
        self._detector = detector
        self._ingestor = ingestor
        self._detecting = asyncio.Lock()
        self._reloading = asyncio.Lock()
        self._faults: tuple[Fault, ...] = ()

    async def start(self) -> None:
        """Adopt the files as they are. Raises `ConfigurationError` where there are no rules to work with."""
        await self._take(await asyncio.to_thread(self.books.start))

    async def reload(self) -> None:
        """Look at all files again."""
        async with self._reloading:
            await self._take(await asyncio.to_thread(self.books.reload))

    async def _take(self, reloaded: Reloaded) -> None:
        if reloaded.engine is not None:
            self._detector.prepare(reloaded.revision, reloaded.engine)
        for line in reloaded.adopted:
            log.info(f"adopted {line}")
        if reloaded.faults != self._faults:
            for fault in reloaded.faults:
                log.error(f"not in force: {fault}")
            if not reloaded.faults:
                log.info("all files are sound again")
        self._faults = reloaded.faults
        await self._ingestor.adopt_sources(self.books.sources)

    async def check_clock(self) -> None:
        """Read the clock, and put it on record where it was moved."""
        self._clock()
        for anomaly in self._clock.anomalies():
            log.warning("the clock was moved", seconds=anomaly.step_seconds)
            if anomaly.step_seconds < 0:
                await asyncio.to_thread(self.notifier.clock_set_back, anomaly.before - anomaly.after)
                await asyncio.to_thread(self._ingestor.clock_set_back, anomaly.before - anomaly.after)
            await asyncio.to_thread(
                self.store.append, Commit(events=(ev.NewEvent(stream="system", event=anomaly),))
            )
