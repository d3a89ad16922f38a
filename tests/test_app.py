"""The wired pipeline, with a store that another process may hold and a clock that is told when it was moved."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor import daemon
from monitor.app import GuardedClock, Monitor
from monitor.books import Books, compile_files, configure, load_book
from monitor.core import events as ev
from monitor.core import views
from monitor.core.clocks import ClockGuard, Reading
from monitor.core.entries import ParsedFeed, Source
from monitor.core.routing import Receiver
from monitor.errors import TryAgain
from monitor.pipeline.detect import Detector
from monitor.pipeline.ingest import Ingestor
from monitor.pipeline.notify import Notifier
from monitor.pipeline.rule_changes import RuleChanges
from monitor.ports import Appended, Commit, DocumentsRead, Fetched, FetchFailed, PollState
from monitor.ports import Receiver as Adapter
from monitor.settings import load_settings
from monitor.store.memory import MemoryStore
from tests.fakes import START, ManualClock, ScriptedDraw

THEME = """\
theme: machines
title: Machines
severity: high
rules:
  - {id: only, when: '"machine tools" and "Russia"'}
"""
FEED = "  - {id: %s, url: 'https://%s.example.org/feed'}\n"


class LockableStore(MemoryStore):
    """A store that another process can hold: for all events, or those of one type."""

    locked: type[ev.Event] | None = None

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        if self.locked is not None and any(isinstance(new.event, self.locked) for new in commit.events):
            raise TryAgain("another process is writing")
        return super().append(commit)


class ToldClock(GuardedClock):
    """Stands still, and notices the steps it is told of."""

    def __init__(self) -> None:
        super().__init__()
        self.noticed: list[Reading] = []

    def __call__(self) -> datetime:
        return START

    def steps(self) -> list[Reading]:
        noticed, self.noticed = self.noticed, []
        return noticed

    def move(self, seconds: float) -> None:
        step = timedelta(seconds=seconds)
        anomaly = ev.ClockAnomaly(before=START, after=START + step, step_seconds=seconds)
        self.noticed.append(Reading(ClockGuard(START, 0.0), START, anomaly, max(-step, timedelta(0))))


class Nowhere:
    """A network, a parser and a disk that hold nothing."""

    async def fetch(self, source: Source, poll: PollState) -> Fetched:
        raise FetchFailed("DNS: there is no host")

    async def parse(self, body: bytes, *, url: str, content_type: str | None) -> ParsedFeed:
        raise FetchFailed("is empty", lasting=True)

    async def read_folder(self, location: str, known: Collection[str]) -> AsyncIterator[DocumentsRead]:
        raise FetchFailed("is not there")
        yield

    async def read_path(self, path: str, folders: Sequence[str]) -> AsyncIterator[DocumentsRead]:
        raise FetchFailed("is not there")
        yield


def connect(receiver: Receiver) -> Adapter:
    raise AssertionError("nothing is to be sent")


class World:
    """A monitor in a folder of its own."""

    def __init__(self, home: Path) -> None:
        for folder in ("rules/themes", "seeds"):
            (home / folder).mkdir(parents=True)
        (home / "rules/themes/machines.yaml").write_text(THEME)
        self.sources = home / "seeds/sources.yaml"
        self.watch("one")
        self.store = LockableStore(views=views.ALL, clock=ManualClock(), entropy=random.Random(1).randbytes)
        self.clock, settings, nowhere = ToldClock(), load_settings(home, {}), Nowhere()
        self.monitor = Monitor(
            settings=settings,
            store=self.store,
            clock=self.clock,
            books=Books(settings, self.store),
            detector=Detector(self.store, compile_files),
            ingestor=Ingestor(self.store, nowhere, nowhere, nowhere, self.clock, ScriptedDraw()),
            notifier=Notifier(self.store, configure, connect, draw=ScriptedDraw()),
            rule_changes=RuleChanges(self.store, configure, load_book),
        )

    def watch(self, *names: str) -> None:
        self.sources.write_text("sources:\n" + "".join(FEED % (name, name) for name in names))

    def told(self, kind: type[ev.Event]) -> list[ev.Event]:
        return [recorded.event for recorded in self.store.read() if isinstance(recorded.event, kind)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.anyio
async def test_a_source_that_could_not_be_put_on_record_is_with_the_next_look(world: World) -> None:
    await world.monitor.start()
    before = len(world.told(ev.SourceAdded))
    world.watch("one", "two")
    world.store.locked = ev.SourceAdded
    with pytest.raises(TryAgain):
        await world.monitor.reload_if_stale()
    with pytest.raises(TryAgain):
        await world.monitor.reload_if_stale()
    world.store.locked = None
    await world.monitor.reload_if_stale()
    assert [event.source_id for event in world.told(ev.SourceAdded)[before:]] == ["two"]
    assert world.store.poll("two") is not None
    position = world.store.head().position
    await world.monitor.reload_if_stale()
    assert world.store.head().position == position


@pytest.mark.anyio
async def test_every_step_of_the_clock_is_put_on_record_once_the_store_can_write(world: World) -> None:
    await world.monitor.start()
    world.store.locked = ev.ClockAnomaly
    due = world.store.poll("one").next_due
    for seconds in (600, -7200):
        world.clock.move(seconds)
    for _ in range(2):
        with pytest.raises(TryAgain):
            await world.monitor.check_clock()
    world.clock.move(60)
    world.store.locked = None
    for _ in range(2):
        await world.monitor.check_clock()
    assert [event.step_seconds for event in world.told(ev.ClockAnomaly)] == [600, -7200, 60]
    assert world.store.poll("one").next_due == due - timedelta(hours=2), "moved once"


@pytest.mark.anyio
async def test_a_watcher_that_dies_is_named_and_watches_again(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(daemon, "TICK_SECONDS", 0.01)
    await world.monitor.start()
    watches = 0

    async def watch(*folders: Path) -> AsyncIterator[frozenset[Path]]:
        nonlocal watches
        watches += 1
        if watches < 3:
            raise RuntimeError("the watcher broke")
        world.watch("one", "two")
        yield frozenset({world.sources})
        await asyncio.Event().wait()

    watching = asyncio.create_task(daemon.Daemon(world.monitor, watch=watch)._watch())
    async with asyncio.timeout(10):
        while world.store.poll("two") is None:  # noqa: ASYNC110  (a row of the store, nothing to wait on)
            await asyncio.sleep(0.01)
    watching.cancel()
    await asyncio.wait({watching})
    assert capsys.readouterr().out.count("a job failed and is tried again") == 1, "said once"


@pytest.mark.anyio
async def test_changed_settings_are_told_of_once_and_whenever_it_is_asked(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    def said() -> int:
        return capsys.readouterr().out.count("monitor.toml was changed; what it says takes effect at the next start")

    await world.monitor.look_at_settings(again=True)
    assert said() == 0
    file = world.monitor.settings.home / "monitor.toml"
    for text in ("time_zone = 'UTC'\n", "time_zone = 'Asia/Tokyo'\n"):
        file.write_text(text)
        for again, times in ((False, 1), (False, 0), (True, 1)):
            await world.monitor.look_at_settings(again=again)
            assert said() == times
    file.unlink()
    await world.monitor.look_at_settings()
    assert said() == 0, "it is as it was at the start"


@pytest.mark.anyio
async def test_what_keeps_time_ends_at_the_stop_also_in_the_midst_of_a_look(world: World) -> None:
    looking = asyncio.Event()

    async def look() -> None:
        looking.set()
        await asyncio.Event().wait()

    world.monitor.check_clock = look  # type: ignore[method-assign]
    stopping = daemon.Daemon(world.monitor)
    keeping = asyncio.create_task(stopping._keep_time())
    async with asyncio.timeout(10):
        await looking.wait()
        stopping._stop.set()
        keeping.cancel()
        await asyncio.wait({keeping})
    assert keeping.cancelled()


@pytest.mark.anyio
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system knows no SIGHUP")
async def test_sighup_reads_the_files_again_where_nothing_tells_of_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(*folders: Path) -> AsyncIterator[frozenset[Path]]:
        await asyncio.Event().wait()
        yield frozenset()

    monkeypatch.setattr(world.monitor.books, "stale", lambda: False)  # a share that keeps no times
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # without its handler, the signal would end the tests
    await world.monitor.start()
    running = asyncio.create_task(daemon.Daemon(world.monitor, watch=deaf).run())
    try:
        async with asyncio.timeout(10):
            while signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # noqa: ASYNC110  (nothing to wait on)
                await asyncio.sleep(0.01)
            world.watch("one", "two")
            os.kill(os.getpid(), signal.SIGHUP)
            while world.store.poll("two") is None:  # noqa: ASYNC110  (a row of the store, nothing to wait on)
                await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    finally:
        running.cancel()
        await asyncio.wait({running})
        signal.signal(signal.SIGHUP, before)
