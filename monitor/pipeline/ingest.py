"""Sources → entries: asks who is due, fetches, parses, and appends what is new together with the next due time."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core import views
from monitor.core.entries import Kind, ParsedFeed, Source, derived_id
from monitor.core.urls import redact_url
from monitor.core.views import SourceRow
from monitor.errors import MonitorError
from monitor.pipeline.polls import (
    Step,
    after_answer,
    after_failure,
    after_folder,
    after_part,
    earlier,
    fresh_state,
    seen_marks,
    within_reach,
)
from monitor.pipeline.recording import NOTHING, Done, Recorder
from monitor.pipeline.reports import Polled, Report, report_of
from monitor.ports import (
    Clock,
    Commit,
    DocumentReader,
    Draw,
    EventStore,
    Fetched,
    Fetcher,
    FetchFailed,
    Parser,
    PollState,
)

__all__ = ["BY_HAND", "IN_FLIGHT", "Ingestor", "Polled", "Report", "by_hand_id", "is_address"]

T = TypeVar("T")

log = structlog.get_logger()

IN_FLIGHT = 64
LOOK_AGAIN = 1.0  # seconds between two questions for what has become due while others are in flight
RESTING = 60.0  # seconds a source is left alone that is still due after its poll, or could not even be written down
BACKWARDS = 60.0  # seconds by which the clock may step back before due times are moved
REMEMBERED = 10_000  # polls that a report tells of; among many slow sources a run may never end
BY_HAND = "by-hand"


class Ingestor:
    """Bound to one event loop. One bad source never stops the others; what is interrupted was never recorded."""

    def __init__(
        self,
        store: EventStore,
        fetcher: Fetcher,
        parser: Parser,
        documents: DocumentReader,
        clock: Clock,
        draw: Draw,
    ) -> None:
        self._store, self._fetcher, self._parser, self._documents = store, fetcher, parser, documents
        self._clock, self._draw = clock, draw
        self._recorder = Recorder(store)
        self._sources: dict[str, Source] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._looked = False
        self._stopping = False
        self._flying: dict[asyncio.Task[Polled], str] = {}
        self._resting: dict[str, float] = {}

    def stop(self) -> None:
        """Break off every poll in flight and begin none; runs under way return what they have, and nothing is lost."""
        self._stopping = True
        for task in self._flying:
            task.cancel()

    # --- which sources there are --------------------------------------------------------------------

    async def adopt_sources(self, sources: Sequence[Source]) -> None:
        """Watch exactly these from now on; differences to the log become `SourceAdded` and `SourceRemoved`.

        Where the store refuses, those of before are watched.
        """
        before, self._sources = self._sources, {source.id: source for source in sources}
        try:
            await _in_thread(self._adopt, before)
        except BaseException:
            self._sources = before
            raise
        for gone in before.keys() - self._sources.keys():
            self._locks.pop(gone, None)

    def _adopt(self, before: Mapping[str, Source]) -> None:
        now = self._clock()
        rows = {row.id: row for row in self._store.rows(views.SOURCES) if row.state != "removed"}
        states = {poll.source_id: poll for poll in self._store.polls()}
        events: list[ev.Event] = []
        streams: list[str] = []
        polls: list[PollState] = []
        for source in self._sources.values():
            row, poll = rows.get(source.id), states.get(source.id)
            # A source that moved has another location in its row; its state knows the written one.
            same = (
                row is not None
                and row.kind == source.kind
                and source.location in ((row.location,) if poll is None else (poll.location,))
            )
            if not same:
                events.append(ev.SourceAdded(source_id=source.id, kind=source.kind, location=source.location))
                streams.append(f"source/{source.id}")
                polls.append(fresh_state(source, None, now))
            elif poll is None:
                polls.append(fresh_state(source, row, now))
            else:
                fitting = _sooner(within_reach(poll, source, now), source, before.get(source.id), now)
                polls += [] if fitting == poll else [fitting]
        for removed in rows.keys() - self._sources.keys():
            events.append(ev.SourceRemoved(source_id=removed))
            streams.append(f"source/{removed}")
        forgotten = tuple(sorted(states.keys() - self._sources.keys()))
        self._recorder.adopt(events, streams, Commit(polls=tuple(polls), forget_polls=forgotten))

    def clock_set_back(self, step: timedelta) -> None:
        """The clock was set back by `step` (positive): no poll is delayed by it. Blocks."""
        if step.total_seconds() <= BACKWARDS:
            return
        flying = set(self._flying.values())  # what is in flight writes its state anew in a moment
        polls = tuple(earlier(poll, step) for poll in self._store.polls() if poll.source_id not in flying)
        self._store.append(Commit(polls=polls))

    # --- polling ------------------------------------------------------------------------------------

    async def ingest_due(self, deadline: float | None = None) -> Report:
        """Poll every source that is due, and those that become due meanwhile; at most `deadline` seconds."""
        # At the start nobody has watched the folders for a while.
        first = [] if self._looked else [name for name, source in self._sources.items() if source.kind is Kind.FOLDER]
        self._looked = True

        async def next_ones(free: int) -> list[Source]:
            clock = asyncio.get_running_loop().time()
            self._resting = {name: until for name, until in self._resting.items() if until > clock}
            left_alone = self._resting.keys() | set(self._flying.values())
            due = await _in_thread(self._store.due, self._clock(), free + len(left_alone))
            await self._forget([poll.source_id for poll in due if poll.source_id not in self._sources])
            wanted = dict.fromkeys((*first, *(poll.source_id for poll in due)))
            found = [name for name in wanted if name in self._sources and name not in left_alone]
            first[:] = [name for name in first if name in found[free:]]
            return [self._sources[name] for name in found[:free]]

        return await self._poll_many(next_ones, force=False, deadline=deadline, kept=REMEMBERED)

    async def _forget(self, removed: list[str]) -> None:
        # A poll in flight when its source was removed has written its state once more.
        if removed:
            await _in_thread(self._store.append, Commit(forget_polls=tuple(removed)))

    async def ingest_all(self, deadline: float | None = None) -> Report:
        """Poll all sources, due or not, except where the server said wait or gone."""
        return await self._poll_listed(list(self._sources.values()), deadline)

    async def ingest_folders(self) -> Report:
        """Look into all folders now."""
        return await self._poll_listed(
            [source for source in self._sources.values() if source.kind is Kind.FOLDER], None
        )

    async def _poll_listed(self, waiting: list[Source], deadline: float | None) -> Report:
        async def next_ones(free: int) -> list[Source]:
            found, waiting[:] = waiting[:free], waiting[free:]
            return found

        report = await self._poll_many(next_ones, force=True, deadline=deadline)
        late = (f"source '{source.id}': not asked, the time was up; it stays due" for source in waiting)
        return report_of(report.polled, late)

    async def _poll_many(
        self,
        next_ones: Callable[[int], Awaitable[list[Source]]],
        *,
        force: bool,
        deadline: float | None,
        kept: int | None = None,
    ) -> Report:
        clock = asyncio.get_running_loop().time
        end = float("inf") if deadline is None else clock() + deadline
        tasks: dict[asyncio.Task[Polled], Source] = {}
        results: deque[Polled] = deque(maxlen=kept)
        broken: Exception | None = None
        try:
            while True:
                if len(tasks) < IN_FLIGHT and clock() < end and broken is None and not self._stopping:
                    for source in await next_ones(IN_FLIGHT - len(tasks)):
                        task = asyncio.create_task(self._poll(source, force=force))
                        tasks[task], self._flying[task] = source, source.id
                        task.add_done_callback(self._flying.pop)
                if not tasks:
                    break
                wait = max(0.0, min(LOOK_AGAIN, end - clock()))
                done, _ = await asyncio.wait(tasks, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if not done and clock() >= end:
                    done = await _cancelled(tasks)
                for task in done:
                    source = tasks.pop(task)
                    try:
                        polled = task.result()
                        results.append(polled)
                        if polled.state not in ("new", "unchanged", "failed"):  # it may be due still
                            self._resting[source.id] = clock() + RESTING
                    except asyncio.CancelledError:
                        if not self._stopping:
                            results.append(await self._too_late(source, deadline))
                    except Exception as error:  # the store could not even note the failure
                        broken = broken or error
                        self._resting[source.id] = clock() + RESTING
        finally:
            await _cancelled(tasks)
        if broken is not None:
            raise broken
        return report_of(results)

    async def _too_late(self, source: Source, deadline: float | None) -> Polled:
        failed = FetchFailed(f"no answer before this cycle's {deadline:g} s were over")
        polled = await self._failed(source, failed)
        self._say(polled)
        return polled

    async def _poll(self, source: Source, *, force: bool) -> Polled:
        lock, asked = self._locks.setdefault(source.id, asyncio.Lock()), self._clock()
        waits = lock.locked()
        async with lock:
            poll, now = await _in_thread(self._state, source), self._clock()
            if waits and poll.last_ok is not None and poll.last_ok >= asked:  # what we waited for has just been done
                return Polled(source_id=source.id, state="skipped", next_due=poll.next_due)
            if poll.next_due is None:
                return Polled(source_id=source.id, state="gone", next_due=None)
            if poll.not_before is not None and now < poll.not_before:
                return Polled(source_id=source.id, state="waiting", next_due=poll.next_due)
            if not force and now < poll.next_due and source.kind is Kind.FEED:  # another run was faster
                return Polled(source_id=source.id, state="skipped", next_due=poll.next_due)
            try:
                polled = await (self._look_into if source.kind is Kind.FOLDER else self._ask)(source, poll)
            except FetchFailed as failed:
                polled = await self._failed(source, failed)
            except MonitorError:
                raise
            except Exception as error:
                log.exception("a source could not be polled", source=source.id)
                said = f"a fault of this program ({type(error).__name__}); please report it"
                polled = await self._failed(source, FetchFailed(said, lasting=True))
        self._say(polled)
        return polled

    def _state(self, source: Source) -> PollState:
        poll = self._store.poll(source.id)
        if poll is not None and poll.location == source.location:
            return poll
        # Lost, or left by a poll that was in flight when the address changed.
        return fresh_state(source, self._store.get(views.SOURCES, source.id), self._clock())

    async def _ask(self, source: Source, poll: PollState) -> Polled:
        fetched = await self._fetcher.fetch(source, poll)
        parsed: ParsedFeed | None = None
        body_hash = poll.body_hash
        if fetched.body is not None:
            body_hash = hashlib.sha256(fetched.body).hexdigest()
            if body_hash != poll.body_hash:
                parsed = await self._parse(fetched)
        # Chance is drawn once, so that deciding again after a race decides the same.
        now, draw = self._clock(), self._draw()

        def decide(row: SourceRow | None) -> Step:
            return after_answer(source, poll, row, fetched, parsed, body_hash, now, draw)

        done = await self._record(source, parsed or NOTHING, now, first_poll=poll.polled == 0, decide=decide)
        return _polled(source.id, done, parsed.faults if parsed is not None else ())

    async def _parse(self, fetched: Fetched) -> ParsedFeed:
        assert fetched.body is not None
        try:
            return await self._parser.parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
        except FetchFailed as failed:
            # The server answered, so it is spared as one that refuses is.
            raise FetchFailed(failed.reason, status=fetched.status, lasting=failed.lasting) from None

    async def _look_into(self, source: Source, poll: PollState) -> Polled:
        seen, done, faults = seen_marks(poll), Done(), list[str]()
        try:
            async for part in self._documents.read_folder(source.location, seen):
                now, seen = self._clock(), seen | part.marks
                if part.present is None:
                    decide = partial(after_part, poll, seen=seen)
                else:
                    decide = partial(after_folder, source, poll, seen=part.present, now=now)
                recorded = await self._record(source, part.feed, now, decide=decide)
                done = Done(done.count + recorded.count, recorded.poll)
                faults += part.feed.faults
        except FetchFailed:  # what was found until then is said now or never
            self._say(_polled(source.id, done, tuple(faults)))
            raise
        return _polled(source.id, done, tuple(faults))

    async def _failed(self, source: Source, failed: FetchFailed) -> Polled:
        now, draw = self._clock(), self._draw()
        poll = await _in_thread(self._state, source)
        done = await self._record(
            source, NOTHING, now, decide=lambda row: after_failure(source, poll, row, failed, now, draw)
        )
        state = "gone" if failed.gone else "failed"
        due = done.poll.next_due if done.poll is not None else None
        return Polled(source_id=source.id, state=state, error=failed.reason, next_due=due)

    async def _record(self, source: Source, feed: ParsedFeed, now: datetime, **options: Any) -> Done:
        return await _in_thread(self._recorder.record, source, feed, now, **options)

    def _say(self, polled: Polled) -> None:
        name = polled.source_id
        for line in polled.lines:
            (log.info if polled.error is None and self._is_feed(name) else log.warning)(line)
        if polled.count.observed or polled.count.revised:
            log.info(f"source '{name}': {polled.count.observed} new, {polled.count.revised} revised entries")

    def _is_feed(self, name: str) -> bool:
        source = self._sources.get(name)
        return source is not None and source.kind is Kind.FEED

    # --- given by hand ------------------------------------------------------------------------------

    async def ingest_given(self, items: Sequence[str], actor: str = "monitor") -> Report:
        """Read files, folders and feeds (by address) once, watched or not; what is watched counts as its source's."""
        polled: list[Polled] = []
        for item in items:
            given = self._given_address(item, actor) if is_address(item) else self._given_path(item, actor)
            try:
                polled.append(await given)
            except FetchFailed as failed:
                polled.append(Polled(source_id=redact_url(item), state="failed", error=failed.reason))
        said = [(one.source_id, one.faults if one.error is None else (one.error,)) for one in polled]
        faults = tuple(f"{name}: {fault}" for name, faults in said for fault in faults)
        return replace(report_of(polled), faults=faults)

    async def _given_path(self, path: str, actor: str) -> Polled:
        folders = {source.location: source for source in self._sources.values() if source.kind is Kind.FOLDER}
        by_hand = Source(id=BY_HAND, kind=Kind.FOLDER, location="")
        done, faults = Done(), list[str]()
        async for part in self._documents.read_path(path, list(folders)):
            source = by_hand if part.location is None else folders[part.location]
            recorded = await self._record(source, part.feed, self._clock(), actor=actor)
            done = Done(done.count + recorded.count)
            faults += part.feed.faults
        return _polled(path, done, tuple(faults))

    async def _given_address(self, url: str, actor: str) -> Polled:
        for source in self._sources.values():
            if source.location == url:
                return await self._poll(source, force=True)
        source = Source(id=by_hand_id(url), kind=Kind.FEED, location=url)
        fetched = await self._fetcher.fetch(source, PollState(source_id=source.id, location=url, next_due=None))
        parsed = await self._parse(fetched)
        done = await self._record(source, parsed, self._clock(), first_poll=None, actor=actor)
        return _polled(redact_url(url), done, parsed.faults)


async def _in_thread(call: Callable[..., T], *args: Any, **options: Any) -> T:
    """`call` in a thread; where we are cancelled meanwhile, its end is awaited, so that nothing writes behind us."""
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **options))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise


async def _cancelled(tasks: Iterable[asyncio.Task[Polled]]) -> set[asyncio.Task[Polled]]:
    tasks = set(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return tasks


def _polled(name: str, done: Done, faults: tuple[str, ...]) -> Polled:
    state = "new" if done.count.observed or done.count.revised else "unchanged"
    due = done.poll.next_due if done.poll is not None else None
    return Polled(source_id=name, state=state, count=done.count, faults=faults, next_due=due)


def is_address(item: str) -> bool:
    """Whether what was given by hand is a web address rather than a path."""
    return re.match(r"https?://", item, re.IGNORECASE) is not None


def by_hand_id(url: str) -> str:
    """The source id of entries from an address given by hand: the host's name and a mark of the whole."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:  # the fetch will say so
        name = ""
    host = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return f"{BY_HAND}-{host}-{derived_id('', redact_url(url))[1:7]}"


def _sooner(poll: PollState, source: Source, before: Source | None, now: datetime) -> PollState:
    """Where the owner now wants a source more often, the next poll is drawn near."""
    if before is None or source.every >= before.every or poll.next_due is None or poll.last_ok is None:
        return poll
    wanted = max(now, poll.last_ok + timedelta(seconds=source.every))
    return replace(poll, next_due=min(poll.next_due, wanted))
