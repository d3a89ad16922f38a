"""Wires everything: the only file that names concretes, and the only one that reads the clock and draws lots."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import structlog

from monitor.core import events as ev
from monitor.core import views
from monitor.core.clocks import ClockGuard, Reading
from monitor.errors import Fault
from monitor.ports import Clock, Commit
from monitor.settings import FILE_NAME, Secrets, Settings

if TYPE_CHECKING:
    from monitor.books import Books, Reloaded
    from monitor.pipeline.detect import Detector
    from monitor.pipeline.ingest import Ingestor, Report
    from monitor.pipeline.notify import Notifier
    from monitor.pipeline.rule_changes import RuleChanges
    from monitor.store.sql import SqlStore

log = structlog.get_logger()

ONCE_INGEST_SECONDS = 25.0
ONCE_FOLLOW_SECONDS = 10.0
ONCE_SEND_SECONDS = 20.0
STOP_SECONDS = 5.0
"""How long what is being sent may go on when the program ends."""


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def wall_clock() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def draw() -> float:
    """A float in [0, 1), for jitter and spread."""
    return random.random()  # noqa: S311  (spreads load; guards nothing)


def new_token() -> str:
    """A secret for the loopback port of the control channel."""
    return secrets.token_urlsafe(24)


def open_store_to_write(settings: Settings, clock: Clock = wall_clock) -> SqlStore:
    """The store, migrated, views up to date. The caller holds the writer lock where the store is SQLite."""
    from monitor.store import open_store

    settings.state.mkdir(parents=True, exist_ok=True)
    return open_store(settings.database_url, views=views.ALL, clock=clock, entropy=os.urandom)


def open_store_to_read(settings: Settings) -> SqlStore:
    """The store for looking only; raises `Unavailable` where nothing was stored yet."""
    from monitor.store import open_store

    return open_store(settings.database_url, views=views.ALL, clock=wall_clock, entropy=os.urandom, read_only=True)


class GuardedClock:
    """The wall clock, held against the monotonic one at every reading (`core.clocks`); a `ports.Clock`."""

    def __init__(self) -> None:
        self._guard = ClockGuard(wall_clock(), time.monotonic())
        self._steps: list[Reading] = []
        self._reading = Lock()

    def __call__(self) -> datetime:
        with self._reading:  # worker threads read it too
            reading = self._guard.read(wall_clock(), time.monotonic())
            self._guard = reading.guard
            if reading.anomaly is not None or reading.set_back:
                self._steps.append(reading)
        return reading.now

    def steps(self) -> list[Reading]:
        """The steps noticed since this was last asked."""
        with self._reading:
            noticed, self._steps = self._steps, []
        return noticed


class Monitor:
    """The whole pipeline, wired. Each method is one step; what is done already is not done again."""

    def __init__(
        self,
        settings: Settings,
        store: SqlStore,
        clock: GuardedClock,
        books: Books,
        detector: Detector,
        ingestor: Ingestor,
        notifier: Notifier,
        rule_changes: RuleChanges,
    ) -> None:
        self.settings = settings
        self.store = store
        self.books = books
        self.notifier = notifier
        self._clock = clock
        self._detector = detector
        self._ingestor = ingestor
        self._rule_changes = rule_changes
        self._detecting = asyncio.Lock()
        self._reloading = asyncio.Lock()
        self._faults: tuple[Fault, ...] = ()
        self._taken = False
        self._settings_read = self._settings_seen = _stamp(settings.home / FILE_NAME)
        self._clock_work: deque[Callable[[], object]] = deque()
        self._stopping = False

    async def start(self) -> None:
        """Adopt the files as they are. Raises `ConfigurationError` where there are no rules to work with."""
        await self._take(await asyncio.to_thread(self.books.start))

    async def reload(self) -> None:
        """Look at all files again."""
        async with self._reloading:
            await self._take(await asyncio.to_thread(self.books.reload))

    async def reload_if_stale(self) -> None:
        """Look at all files again where one was changed since the last look, or that look led to nothing."""
        if not self._taken or await asyncio.to_thread(self.books.stale):
            await self.reload()

    async def look_at_settings(self, *, again: bool = False) -> None:
        """Say that `monitor.toml` is another than the one in force: once for each change, and when asked `again`."""
        stamp = await asyncio.to_thread(_stamp, self.settings.home / FILE_NAME)
        if stamp != self._settings_read and (again or stamp != self._settings_seen):
            log.warning(f"{FILE_NAME} was changed; what it says takes effect at the next start")
        self._settings_seen = stamp

    async def _take(self, reloaded: Reloaded) -> None:
        self._taken = False
        if reloaded.engine is not None:
            self._detector.prepare(reloaded.revision, reloaded.engine)
            self._rule_changes.prepare(reloaded.revision, reloaded.engine.book)
        for line in reloaded.adopted:
            log.info(f"adopted {line}")
        if reloaded.faults != self._faults:
            for fault in reloaded.faults:
                log.error(f"not in force: {fault}")
            if not reloaded.faults:
                log.info("all files are sound again")
        self._faults = reloaded.faults
        await self._ingestor.adopt_sources(self.books.sources)
        self._taken = True

    async def check_clock(self) -> None:
        """Read the clock; where it was moved, put that on record, and let nothing be delayed by it."""
        self._clock()
        for step in self._clock.steps():
            if step.set_back:
                self._clock_work.append(partial(self.notifier.clock_set_back, step.set_back))
                self._clock_work.append(partial(self._ingestor.clock_set_back, step.set_back))
            if step.anomaly is not None:
                log.warning("the clock was moved", seconds=step.anomaly.step_seconds)
                event = ev.NewEvent(stream="system", event=step.anomaly)
                self._clock_work.append(partial(self.store.append, Commit(events=(event,))))
        while self._clock_work:  # what the store refuses is done once it does not
            await asyncio.to_thread(self._clock_work[0])
            self._clock_work.popleft()

    async def ingest_due(self, deadline: float | None = None) -> None:
        """Poll what is due; match what came at once."""
        report = await self._ingestor.ingest_due(deadline=deadline)
        if report.observed or report.revised:
            await self.detect()

    async def ingest_folders(self) -> None:
        """Look into the folders of documents now; match what came."""
        report = await self._ingestor.ingest_folders()
        if report.observed or report.revised:
            await self.detect()

    async def ingest(self, items: Sequence[str], actor: str) -> Report:
        """Read what is given by hand, or all sources where nothing is; match what came."""
        ingestor = self._ingestor
        report = await (ingestor.ingest_given(items, actor) if items else ingestor.ingest_all())
        await self.detect()
        return report

    async def detect(self) -> None:
        """Match what is new in the log."""
        async with self._detecting:
            await asyncio.to_thread(self._detector.catch_up)

    async def follow_rule_changes(self, seconds: float = math.inf) -> None:
        """Tell owners of edits of their rules, and hold older entries against these, in steps that leave room for all
        else. What `seconds` do not suffice for is gone on with by the next call.
        """
        deadline = time.monotonic() + seconds
        while not self._stopping and await asyncio.to_thread(self._rule_changes.step, self._clock()):
            if time.monotonic() > deadline:
                log.warning("an edit of the rules takes long to follow; the daemon, or `run --until-idle`, ends it")
                return

    async def close_windows(self, *, settle: bool = False) -> None:
        """Close the windows that are due and compose their digests."""
        await asyncio.to_thread(self.notifier.close_windows, self._clock(), settle=settle)

    async def deliver(self) -> None:
        """Put what is due to be sent on its way."""
        await self.notifier.deliver_due(self._clock())

    async def send(self) -> None:
        """Send what is due, and wait for it within reason."""
        await self.deliver()
        if not await self.notifier.drained(ONCE_SEND_SECONDS):
            log.warning("some deliveries take long; they stay pending and are tried again by the next run")

    async def cycle(self, *, settle: bool) -> None:
        """Ingest all that is due, match, alert, send what is due. With `settle`, `group_wait` counts as elapsed."""
        await self.check_clock()
        await self.ingest_folders()
        await self.ingest_due(deadline=ONCE_INGEST_SECONDS)
        await self.detect()
        await self.follow_rule_changes(ONCE_FOLLOW_SECONDS)
        await self.close_windows(settle=settle)
        await self.send()

    async def stop(self, seconds: float) -> None:
        """Begin nothing more: polls are broken off, what is being sent may end within `seconds`."""
        self._stopping = True
        self._ingestor.stop()
        await self.notifier.stop(seconds)

    def summary(self) -> str:
        """How it stands, in one line for a person."""
        store = self.store
        sources = [row for row in store.rows(views.SOURCES) if row.state != "removed"]
        failing = sum(row.state == "failing" for row in sources)
        said = [
            f"{count:,} {one if count == 1 else more}"
            for count, one, more in (
                (store.count(views.ENTRIES), "entry", "entries"),
                (store.count(views.OPEN_ALERTS, facet="open"), "open alert", "open alerts"),
                (store.count(views.DELIVERIES, facet="delivered"), "delivery made", "deliveries made"),
                (store.count(views.DELIVERIES, facet="pending"), "pending", "pending"),
            )
        ]
        if failing:
            said.append(f"{failing} of {len(sources)} sources failing (`monitor status` tells why)")
        return f"position {store.head().position}: {', '.join(said)}"

    async def seconds_to_next(self) -> float | None:
        """How long until something is due; None where nothing is in sight."""
        if self._rule_changes.busy:
            return 0.0
        now = self._clock()
        moments = (
            await asyncio.to_thread(self.store.next_due),
            await asyncio.to_thread(self.notifier.next_wakeup, now),
        )
        return min(((moment - now).total_seconds() for moment in moments if moment is not None), default=None)


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Monitor]:
    """The pipeline, started, its files adopted; closed in order at the end. The caller holds the writer lock."""
    from monitor.books import Books, compile_files, configure, load_book, parsed
    from monitor.pipeline.detect import Detector
    from monitor.pipeline.ingest import Ingestor
    from monitor.pipeline.notify import Notifier
    from monitor.pipeline.rule_changes import RuleChanges
    from monitor.receivers.connect import Connections
    from monitor.sources.client import Client
    from monitor.sources.seeds import Documents
    from monitor.sources.workers import Workers

    networks, smtp = parsed(settings)
    clock, known = GuardedClock(), Secrets(os.environ)
    async with contextlib.AsyncExitStack() as undo:
        store = await asyncio.to_thread(open_store_to_write, settings, clock)
        undo.push_async_callback(asyncio.to_thread, store.close)
        undo.enter_context(store.database.sole())
        client = Client(clock=clock, contact=settings.contact, networks=networks, proxy=settings.proxy, secrets=known)
        undo.push_async_callback(client.aclose)
        workers = Workers()
        undo.push_async_callback(workers.aclose)
        connections = Connections(settings.home, smtp, settings.mail_from, known, client, clock)
        notifier = Notifier(store, configure, connections.connect, draw=draw)
        undo.push_async_callback(notifier.stop, STOP_SECONDS)
        monitor = Monitor(
            settings=settings,
            store=store,
            clock=clock,
            books=Books(settings, store, known_variables=known),
            detector=Detector(store, compile_files),
            ingestor=Ingestor(store, client, workers, Documents(settings.seeds, workers), clock, draw),
            notifier=notifier,
            rule_changes=RuleChanges(store, configure, load_book),
        )
        await monitor.start()
        yield monitor
