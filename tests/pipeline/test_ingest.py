"""Sources to entries through the whole pipeline, with a scripted network and the store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core import views
from monitor.core.entries import Arrival, Kind, ParsedEntry, ParsedFeed, Source
from monitor.core.polling import CONFIRMED_MOVES
from monitor.errors import StoreError, TryAgain, WrongVersion
from monitor.pipeline import ingest, recording
from monitor.pipeline.ingest import Ingestor, by_hand_id
from monitor.ports import MARK_LENGTH, Appended, Commit, DocumentsRead, Fetched, FetchFailed, PollState
from monitor.store.memory import MemoryStore
from tests.builders import parsed_entry, source
from tests.fakes import START, ManualClock, ScriptedDraw

T = TypeVar("T")
Answer = Fetched | FetchFailed | Exception | Callable[[], Awaitable[Fetched]]


class FakeNetwork:
    """A `ports.Fetcher` that plays a script for each address, the last line for ever, and notes what was asked."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, PollState]] = []

    def on(self, location: str, *answers: Answer) -> None:
        self.scripts[location] = list(answers)

    async def fetch(self, source: Source, poll: PollState) -> Fetched:
        self.asked.append((source.id, poll))
        script = self.scripts.get(source.location, [FetchFailed("DNS: there is no host")])
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Fetched) else await answer()

    def polls_of(self, source_id: str) -> list[PollState]:
        return [poll for asked, poll in self.asked if asked == source_id]


class FakeParser:
    """A `ports.Parser`: the body names one of these feeds."""

    def __init__(self) -> None:
        self.feeds: dict[bytes, ParsedFeed] = {}
        self.parsed: list[bytes] = []

    async def parse(self, body: bytes, *, url: str, content_type: str | None) -> ParsedFeed:
        self.parsed.append(body)
        if body not in self.feeds:
            raise FetchFailed("is an HTML page, not a feed", lasting=True)
        return self.feeds[body]


class FakeDocuments:
    """A `ports.DocumentReader`: parts to give, for folders by location and for paths."""

    def __init__(self) -> None:
        self.folders: dict[str, list[DocumentsRead]] = {}
        self.paths: dict[str, list[DocumentsRead]] = {}
        self.known: list[frozenset[str]] = []
        self.broken: FetchFailed | None = None  # what ends a look into a folder, after its parts

    async def read_folder(self, location: str, known: Collection[str]) -> AsyncIterator[DocumentsRead]:
        self.known.append(frozenset(known))
        if location not in self.folders:
            raise FetchFailed(f"folder '{location}' is not there")
        for part in self.folders[location]:
            yield part
        if self.broken is not None:
            raise self.broken

    async def read_path(self, path: str, folders: Sequence[str]) -> AsyncIterator[DocumentsRead]:
        if path not in self.paths:
            raise FetchFailed("cannot be opened (No such file or directory)", lasting=True)
        for part in self.paths[path]:
            yield part


class World:
    """An ingestor and everything it stands on."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.clock = ManualClock()
        self.store = store or MemoryStore(views=views.ALL, clock=self.clock, entropy=lambda size: b"\0" * size)
        self.network, self.parser, self.documents = FakeNetwork(), FakeParser(), FakeDocuments()
        self.ingestor = self.restarted()

    def restarted(self) -> Ingestor:
        return Ingestor(self.store, self.network, self.parser, self.documents, self.clock, ScriptedDraw([0.0]))

    def publish(self, watched: Source, *entries: ParsedEntry, times: int = 1, **fields: Any) -> None:
        """From now on this source answers with these entries."""
        body = repr(entries).encode()
        feed = fields.pop("feed", {})
        self.parser.feeds[body] = ParsedFeed(**{"format": "rss20", "title": "", "entries": entries, **feed})
        answer = Fetched(**{"body": body, "url": watched.location, "status": 200, "etag": f'"{hash(body)}"', **fields})
        self.network.on(watched.location, answer)

    def events(self, *types: type[ev.Event]) -> list[Any]:
        return [recorded.event for recorded in self.store.read() if not types or isinstance(recorded.event, types)]

    def poll(self, source_id: str = "port-news") -> PollState:
        poll = self.store.poll(source_id)
        assert poll is not None
        return poll

    def row(self, source_id: str = "port-news") -> views.SourceRow:
        row = self.store.get(views.SOURCES, source_id)
        assert row is not None
        return row


def play(scenario: Callable[[World], Awaitable[T]], world: World | None = None) -> T:
    async def run() -> T:
        return await scenario(world or World())

    return asyncio.run(run())


FEED = source()


# --- one poll


def test_entries_validators_and_the_next_due_time_commit_together() -> None:
    commits: list[Commit] = []

    class Watching(MemoryStore):
        def append(self, commit: Commit) -> tuple[Appended, ...]:
            commits.append(commit)
            return super().append(commit)

    clock = ManualClock()
    world = World(Watching(views=views.ALL, clock=clock, entropy=lambda size: b"\0" * size))

    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one", raw_id="1"), parsed_entry("two", raw_id="2"), last_modified="then")
        commits.clear()
        report = await world.ingestor.ingest_due()
        assert (report.observed, report.revised, report.faults) == (2, 0, ())
        (commit,) = commits
        assert [type(new.event).__name__ for new in commit.events] == ["EntryObserved", "EntryObserved"]
        (poll,) = commit.polls
        assert (poll.last_modified, poll.polled, poll.last_ok) == ("then", 1, START)
        assert poll.etag is not None
        assert poll.next_due == START + timedelta(seconds=300)

    play(scenario, world)


def test_a_second_poll_sends_the_validators_and_adds_nothing() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"), etag='"e"', last_modified="m")
        await world.ingestor.ingest_due()
        world.network.on(FEED.location, Fetched(body=None, url="", status=304, etag='"f"'))
        world.clock.advance(hours=1)
        report = await world.ingestor.ingest_due()
        assert (report.observed, report.revised) == (0, 0)
        sent = world.network.polls_of("port-news")[1]
        assert (sent.etag, sent.last_modified) == ('"e"', "m")
        assert (world.poll().etag, world.poll().last_modified) == ('"f"', "m")
        assert len(world.events(ev.EntryObserved)) == 1

    play(scenario)


def test_the_same_bytes_are_not_parsed_again() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"), etag=None)
        await world.ingestor.ingest_due()
        world.clock.advance(hours=2)
        await world.ingestor.ingest_due()
        assert len(world.network.asked) == 2
        assert len(world.parser.parsed) == 1

    play(scenario)


def test_validators_of_the_last_answer_are_forgotten_where_the_new_one_has_none() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"), etag='"e"', last_modified="m")
        await world.ingestor.ingest_due()
        world.publish(FEED, parsed_entry("two"), etag=None)
        world.clock.advance(hours=2)
        await world.ingestor.ingest_due()
        assert (world.poll().etag, world.poll().last_modified) == (None, None)

    play(scenario)


def test_of_a_feed_that_breaks_off_nothing_is_kept_that_would_hide_its_rest() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        half = {"complete": False, "faults": ("it breaks off before its end",)}
        world.publish(FEED, parsed_entry("one"), etag='"e"', feed=half)
        report = await world.ingestor.ingest_due()
        assert report.observed == 1
        assert report.faults == ("source 'port-news': it breaks off before its end",)
        assert (world.poll().etag, world.poll().body_hash) == (None, None)

    play(scenario)


def test_an_edited_entry_is_one_revision() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one", "The ban begins in May."))
        await world.ingestor.ingest_due()
        for _ in range(2):
            world.publish(FEED, parsed_entry("one", "The ban begins in June."))
            world.clock.advance(hours=2)
            await world.ingestor.ingest_due()
        (revised,) = world.events(ev.EntryRevised)
        assert (revised.revision, revised.changed) == (2, ("text",))
        assert "+The ban begins in June." in revised.diff

    play(scenario)


def test_the_first_poll_of_a_feed_is_no_flood_of_news() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        old = parsed_entry("old", raw_id="1", published=START - timedelta(days=30))
        world.publish(FEED, old, parsed_entry("recent", raw_id="2"))
        await world.ingestor.ingest_due()
        world.clock.advance(hours=2)
        world.publish(FEED, parsed_entry("late", raw_id="3", published=START - timedelta(days=99)))
        await world.ingestor.ingest_due()
        arrivals = {event.title: event.arrival for event in world.events(ev.EntryObserved)}
        assert arrivals == {"old": Arrival.BASELINE, "recent": Arrival.ALREADY_THERE, "late": Arrival.NEW}

    play(scenario)


def test_a_lost_poll_state_is_no_first_poll() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one", raw_id="1"))
        await world.ingestor.ingest_due()
        world.store.append(Commit(forget_polls=("port-news",)))
        world.publish(FEED, parsed_entry("two", raw_id="2", published=START - timedelta(days=99)))
        again = world.restarted()
        await again.adopt_sources([FEED])
        await again.ingest_due()
        assert [event.arrival for event in world.events(ev.EntryObserved)][-1] is Arrival.NEW

    play(scenario)


def test_a_large_feed_comes_in_several_commits_with_its_state_in_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "CHUNK", 10)

    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, *(parsed_entry(f"item {n}", raw_id=str(n), url=None) for n in range(25)))
        assert (await world.ingestor.ingest_due()).observed == 25
        assert world.poll().polled == 1

    play(scenario)


def test_of_a_large_document_the_first_twenty_undated_may_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "CHUNK", 15)
    entries = [parsed_entry(f"item {n}", raw_id=str(n), url=None, published=None) for n in range(70)]

    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, *entries)
        await world.ingestor.ingest_due()
        world.publish(source("by-hand"), *entries)
        await world.ingestor.ingest_given([source("by-hand").location])
        alerting = [one for one in world.events(ev.EntryObserved) if one.arrival is Arrival.ALREADY_THERE]
        assert [one.title for one in alerting] == [f"item {n}" for n in range(20)] * 2

    play(scenario)


def test_of_an_address_given_again_all_that_is_new_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "CHUNK", 2)
    entries = [parsed_entry(f"item {n}", raw_id=str(n), url=None, published=None) for n in range(8)]

    async def scenario(world: World) -> None:
        other = source("by-hand")
        world.publish(other, *entries[6:])
        await world.ingestor.ingest_given([other.location])
        world.publish(other, *entries)
        await world.ingestor.ingest_given([other.location])
        late = world.events(ev.EntryObserved)[2:]
        assert [one.arrival for one in late] == [Arrival.NEW] * 6, "also in parts of which nothing is known"

    play(scenario)


@pytest.mark.parametrize("text", ["The port reopened.", "The port reopened at noon."])
def test_an_erased_entry_stays_erased_and_holds_up_no_other(text: str) -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one", raw_id="1"))
        await world.ingestor.ingest_due()
        world.store.erase(
            [recorded.position for recorded in world.store.read() if recorded.stream.startswith("entry/")], ""
        )
        for n in (2, 3):
            world.clock.advance(hours=2)
            world.publish(FEED, parsed_entry("one", text, raw_id="1"), parsed_entry(f"item {n}", raw_id=str(n)))
            assert (await world.ingestor.ingest_due()).observed == 1
        assert [event.title for event in world.events(ev.EntryObserved)] == ["item 2", "item 3"]

    play(scenario)


# --- races


class Interfering(MemoryStore):
    """Another writer gets in just before the first appends of entries."""

    times = 2

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        revised = [new for new in commit.events if isinstance(new.event, ev.EntryRevised)]
        if revised and self.times:
            self.times -= 1
            matched = ev.EntryMatched(
                entry_id=revised[0].event.entry_id, revision=1, theme="t", book="b", mode="live", rules=()  # type: ignore[attr-defined]
            )  # fmt: skip
            super().append(Commit(events=(ev.NewEvent(stream=revised[0].stream, event=matched),)))
        return super().append(commit)


def test_a_race_with_another_writer_is_run_again() -> None:
    world = World(Interfering(views=views.ALL, clock=ManualClock(), entropy=lambda size: b"\0" * size))

    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one", "A"))
        await world.ingestor.ingest_due()
        world.publish(FEED, parsed_entry("one", "B"))
        world.clock.advance(hours=2)
        assert (await world.ingestor.ingest_due()).revised == 1
        assert len(world.events(ev.EntryRevised)) == 1

    play(scenario, world)


def test_a_race_that_never_ends_is_given_up() -> None:
    store = Interfering(views=views.ALL, clock=ManualClock(), entropy=lambda size: b"\0" * size)
    store.times = 1000

    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one", "A"))
        await world.ingestor.ingest_due()
        world.publish(FEED, parsed_entry("one", "B"))
        world.clock.advance(hours=2)
        with pytest.raises(WrongVersion):
            await world.ingestor.ingest_due()

    play(scenario, World(store))


# --- health


def test_a_source_that_never_answered_fails_at_once_and_is_said_once() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        report = await world.ingestor.ingest_due()
        assert report.faults == (
            "source 'port-news': DNS: there is no host; next try 2026-03-02 09:54Z",
        )  # 0.9 of an hour: the draw is 0
        world.clock.advance(hours=1)
        await world.ingestor.ingest_due()
        assert [type(event).__name__ for event in world.events()] == ["SourceAdded", "SourceFailed"]
        assert (world.row().state, world.row().last_error) == ("failing", "DNS: there is no host")
        assert world.poll().failures == 2

    play(scenario)


def test_a_hiccup_is_no_turn_but_three_in_a_row_are_and_recovery_is() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"))
        await world.ingestor.ingest_due()
        for expected in ("ok", "ok", "failing", "failing"):
            world.network.on(FEED.location, FetchFailed("HTTP 503 (service unavailable)", status=503))
            world.clock.advance(days=2)
            await world.ingestor.ingest_due()
            assert world.row().state == expected
        world.publish(FEED, parsed_entry("two", raw_id="2"))
        world.clock.advance(days=2)
        await world.ingestor.ingest_due()
        assert world.row().state == "ok"
        (failed,), (recovered,) = world.events(ev.SourceFailed), world.events(ev.SourceRecovered)
        assert failed.reason == "HTTP 503 (service unavailable)"
        assert recovered.failures == 4
        assert (world.poll().failures, world.poll().last_error) == (0, None)

    play(scenario)


def test_a_feed_that_turns_into_a_login_page_fails_at_once_and_keeps_its_validators() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"), etag='"good"')
        await world.ingestor.ingest_due()
        world.network.on(FEED.location, Fetched(body=b"<html>", url="", status=200, etag='"page"'))
        world.clock.advance(hours=2)
        report = await world.ingestor.ingest_due()
        assert "is an HTML page, not a feed" in report.faults[0]
        assert world.row().state == "failing"
        assert world.poll().etag == '"good"'

    play(scenario)


def test_410_stops_the_polls_and_says_so_once() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.network.on(FEED.location, FetchFailed("HTTP 410 (gone)", status=410, gone=True, lasting=True))
        report = await world.ingestor.ingest_due()
        assert report.faults == ("source 'port-news': HTTP 410 (gone); not asked again until its address changes",)
        assert world.poll().next_due is None
        world.clock.advance(days=99)
        assert (await world.ingestor.ingest_due()).polled == ()
        assert (await world.ingestor.ingest_all()).polled[0].state == "gone"
        again = world.restarted()
        await again.adopt_sources([FEED])
        await again.ingest_all()
        assert len(world.network.asked) == 1
        assert len(world.events(ev.SourceGone)) == 1

    play(scenario)


def test_the_servers_word_forbids_even_polls_by_hand() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.network.on(FEED.location, FetchFailed("HTTP 429", status=429, retry_after=7200))
        await world.ingestor.ingest_due()
        world.clock.advance(hours=1)
        assert (await world.ingestor.ingest_all()).polled[0].state == "waiting"
        assert len(world.network.asked) == 1
        world.clock.advance(hours=1, seconds=1)
        await world.ingestor.ingest_all()
        assert len(world.network.asked) == 2

    play(scenario)


def test_by_hand_a_source_is_polled_before_it_is_due() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"))
        await world.ingestor.ingest_due()
        assert (await world.ingestor.ingest_due()).polled == ()
        assert [one.state for one in (await world.ingestor.ingest_all()).polled] == ["unchanged"]

    play(scenario)


def test_two_runs_at_once_ask_a_source_once() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"))
        answer = world.network.scripts[FEED.location][0]
        assert isinstance(answer, Fetched)
        asked, free = asyncio.Event(), asyncio.Event()

        async def slow() -> Fetched:
            asked.set()
            await free.wait()
            return answer

        world.network.on(FEED.location, slow)
        runs = asyncio.gather(world.ingestor.ingest_due(), world.ingestor.ingest_all())
        await asked.wait()
        free.set()
        assert sorted(report.observed for report in await runs) == [0, 1]
        assert len(world.network.asked) == 1

    play(scenario)


def test_what_a_document_says_of_itself_holds_over_a_304() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"), feed={"ttl_seconds": 4 * 3600, "skip_hours": 1 << 14})
        await world.ingestor.ingest_due()
        world.network.on(FEED.location, Fetched(body=None, url="", status=304))
        world.clock.advance(hours=1)
        await world.ingestor.ingest_all()
        due = world.poll().next_due
        assert due is not None
        assert due == START + timedelta(hours=6), "four hours on, and out of the hour that is left out"

    play(scenario)


def test_a_move_is_said_once_it_is_confirmed_and_taken_back_when_it_fails() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        moved = "https://new.example.org/feed"
        world.publish(FEED, parsed_entry("one"), moved_to=moved)
        for _ in range(CONFIRMED_MOVES):
            await world.ingestor.ingest_all()
        (event,) = world.events(ev.SourceMoved)
        assert event.location == moved
        assert world.row().location == moved
        world.publish(FEED, parsed_entry("one"))  # asked at its new place it redirects no more
        await world.ingestor.ingest_all()
        assert (world.poll().moved_to, world.poll().moved_times) == (moved, CONFIRMED_MOVES)
        again = world.restarted()
        await again.adopt_sources([FEED])
        assert len(world.events(ev.SourceAdded)) == 1, "a moved source is no new one"
        world.network.on(FEED.location, FetchFailed("HTTP 404 (not found)", status=404, lasting=True))
        await again.ingest_all()
        assert (world.poll().moved_to, world.poll().moved_times) == (None, 0)

    play(scenario)


def test_a_fault_of_ours_in_one_source_stops_only_that_one() -> None:
    async def scenario(world: World) -> None:
        other = source("other")
        await world.ingestor.adopt_sources([FEED, other])
        world.network.on(FEED.location, ZeroDivisionError("oops"))
        world.publish(other, parsed_entry("one"))
        report = await world.ingestor.ingest_due()
        assert report.observed == 1
        assert "a fault of this program (ZeroDivisionError)" in report.faults[0]
        assert world.row().state == "failing"

    play(scenario)


# --- many sources


def test_a_hanging_source_holds_up_no_other_and_is_reported_when_time_is_up() -> None:
    async def hang() -> Fetched:
        await asyncio.sleep(3600)
        raise AssertionError

    async def scenario(world: World) -> None:
        others = [source(f"s{n}") for n in range(5)]
        await world.ingestor.adopt_sources([FEED, *others])
        world.network.on(FEED.location, hang)
        for other in others:
            world.publish(other, parsed_entry(other.id))
        report = await world.ingestor.ingest_due(deadline=0.3)
        assert report.observed == 5
        assert [one.source_id for one in report.polled if one.state == "failed"] == ["port-news"]
        assert world.poll().last_error == "no answer before this cycle's 0.3 s were over"

    play(scenario)


def test_more_sources_than_fly_at_once_are_all_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "IN_FLIGHT", 3)
    most = now = 0

    async def scenario(world: World) -> None:
        async def count() -> Fetched:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1
            return Fetched(body=b"x", url="", status=200)

        world.parser.feeds[b"x"] = ParsedFeed(format="rss20", title="", entries=())
        sources = [source(f"s{n}") for n in range(20)]
        await world.ingestor.adopt_sources(sources)
        for one in sources:
            world.network.on(one.location, count)
        assert len((await world.ingestor.ingest_due()).polled) == 20
        assert most <= 3

    play(scenario)


def test_a_slow_source_does_not_keep_others_from_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "LOOK_AGAIN", 0.01)

    async def scenario(world: World) -> None:
        free = asyncio.Event()

        async def slow() -> Fetched:
            await free.wait()
            raise FetchFailed("closed the line")

        quick = source("quick", every=300)
        await world.ingestor.adopt_sources([FEED, quick])
        world.network.on(FEED.location, slow)
        world.publish(quick, parsed_entry("one"))
        run = asyncio.create_task(world.ingestor.ingest_due())
        for times in range(1, 5):
            async with asyncio.timeout(10):
                while world.poll("quick").polled < times:  # noqa: ASYNC110  (a row of the store, nothing to wait on)
                    await asyncio.sleep(0.001)
            world.clock.advance(minutes=6)
        free.set()
        await run
        assert len(world.network.polls_of(FEED.id)) == 1

    play(scenario)


def test_asking_who_is_due_costs_the_same_for_each_of_many_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "IN_FLIGHT", 4)
    told = 0

    class Counting(MemoryStore):
        def due(self, now: datetime, limit: int) -> list[PollState]:
            nonlocal told
            polls = super().due(now, limit)
            told += len(polls)
            return polls

    clock = ManualClock()

    async def scenario(world: World) -> None:
        world.clock = clock
        sources = [source(f"s{n}") for n in range(100)]
        await world.ingestor.adopt_sources(sources)
        for one in sources:
            world.publish(one, parsed_entry(one.id))
        assert (await world.ingestor.ingest_due()).observed == 100
        assert told <= 100 * 2 * 4

    play(scenario, World(Counting(views=views.ALL, clock=clock, entropy=lambda size: b"\0" * size)))


@pytest.mark.parametrize("state", ["waiting", "gone"])
def test_a_source_that_stays_due_is_not_asked_over_and_over(state: str) -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        poll = replace(world.poll(), not_before=START + timedelta(hours=1))
        if state == "gone":  # and its poll state is another address's
            poll = replace(poll, location="")
            gone = ev.NewEvent(stream="source/port-news", event=ev.SourceGone(source_id=FEED.id, reason="HTTP 410"))
            world.store.append(Commit(events=(gone,)))
        world.store.append(Commit(polls=(poll,)))
        async with asyncio.timeout(10):
            report = await world.ingestor.ingest_due()
        assert [one.state for one in report.polled] == [state]
        assert (await world.ingestor.ingest_due()).polled == (), "left alone for a while"

    play(scenario)


def test_a_run_that_never_ends_remembers_no_more_than_its_latest_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "REMEMBERED", 3)

    async def scenario(world: World) -> None:
        sources = [source(f"s{n}") for n in range(5)]
        await world.ingestor.adopt_sources(sources)
        assert len((await world.ingestor.ingest_due()).polled) == 3
        assert len((await world.ingestor.ingest_all()).polled) == 5

    play(scenario)


def test_a_store_that_cannot_write_is_reported_and_the_servers_are_spared() -> None:
    class Full(MemoryStore):
        full = False

        def append(self, commit: Commit) -> tuple[Appended, ...]:
            if self.full:
                raise StoreError("the disk is full; nothing was appended")
            return super().append(commit)

    store = Full(views=views.ALL, clock=ManualClock(), entropy=lambda size: b"\0" * size)

    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"))
        store.full = True
        with pytest.raises(StoreError, match="the disk is full"):
            await world.ingestor.ingest_due()
        await world.ingestor.ingest_due()
        assert len(world.network.asked) == 1, "not fetched over and over while nothing can be kept"
        store.full = False
        assert (await world.ingestor.ingest_all()).observed == 1

    play(scenario, World(store))


def test_stopping_breaks_off_what_hangs_and_blames_no_source() -> None:
    async def scenario(world: World) -> None:
        other = source("other")
        await world.ingestor.adopt_sources([FEED, other])
        started = asyncio.Event()

        async def hang() -> Fetched:
            started.set()
            await asyncio.sleep(3600)
            raise AssertionError

        world.network.on(FEED.location, hang)
        world.publish(other, parsed_entry("one"))
        before = world.poll()
        run = asyncio.create_task(world.ingestor.ingest_due())
        await started.wait()
        world.ingestor.stop()
        report = await run
        assert report.faults == ()
        assert world.poll() == before
        assert (await world.ingestor.ingest_all()).polled == ()

    play(scenario)


def test_an_interrupted_poll_leaves_nothing_or_all() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        started = asyncio.Event()

        async def hang() -> Fetched:
            started.set()
            await asyncio.sleep(3600)
            raise AssertionError

        world.network.on(FEED.location, hang)
        before = world.poll()
        task = asyncio.create_task(world.ingestor.ingest_due())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert world.poll() == before
        world.publish(FEED, parsed_entry("one"))
        assert (await world.ingestor.ingest_due()).observed == 1

    play(scenario)


# --- the list of sources


def test_sources_that_come_change_and_go_are_events() -> None:
    async def scenario(world: World) -> None:
        other = source("other")
        await world.ingestor.adopt_sources([FEED, other])
        await world.ingestor.adopt_sources([FEED, other])
        world.publish(FEED, parsed_entry("one"))
        await world.ingestor.ingest_due()
        changed = source(location="https://elsewhere.example.org/feed")
        await world.ingestor.adopt_sources([changed])
        assert [type(event).__name__ for event in world.events(ev.SourceAdded, ev.SourceRemoved)] == [
            "SourceAdded", "SourceAdded", "SourceAdded", "SourceRemoved",
        ]  # fmt: skip
        assert world.store.poll("other") is None
        assert (world.poll().location, world.poll().etag, world.poll().polled) == (changed.location, None, 0)
        assert world.row("other").state == "removed"

    play(scenario)


def test_a_source_wanted_more_often_is_polled_sooner() -> None:
    async def scenario(world: World) -> None:
        rare = source(every=7 * 86400)
        await world.ingestor.adopt_sources([rare])
        world.publish(rare, parsed_entry("one"), wait=86400)
        await world.ingestor.ingest_due()
        due = world.poll().next_due
        assert due is not None
        assert due >= START + timedelta(days=1)
        world.clock.advance(hours=30)
        await world.ingestor.ingest_all()
        await world.ingestor.adopt_sources([source(every=3600)])
        due = world.poll().next_due
        assert due is not None
        assert due <= world.clock() + timedelta(hours=1)

    play(scenario)


def test_a_clock_that_ran_ten_years_ahead_for_a_minute_costs_one_poll() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"), wait=7200)
        world.clock.advance(days=3650)
        await world.ingestor.ingest_due()
        world.clock.advance(days=-3650, minutes=1)
        world.ingestor.clock_set_back(timedelta(days=3650))
        await world.ingestor.ingest_due()
        due = world.poll().next_due
        assert due is not None
        assert due < START + timedelta(days=1)

    play(scenario)


def test_a_clock_set_back_an_hour_delays_no_poll() -> None:
    async def scenario(world: World) -> None:
        gone = source("gone")
        await world.ingestor.adopt_sources([FEED, gone])
        world.publish(FEED, parsed_entry("one"), wait=600)
        world.network.on(gone.location, FetchFailed("HTTP 410", status=410, gone=True))
        await world.ingestor.ingest_due()
        before, hour = world.poll(), timedelta(hours=1)
        assert before.next_due is not None and before.not_before is not None
        world.clock.advance(hours=-1)
        world.ingestor.clock_set_back(timedelta(microseconds=3))  # the two clocks are never quite of one mind
        assert world.poll() == before
        world.ingestor.clock_set_back(hour)
        assert world.poll() == replace(before, next_due=before.next_due - hour, not_before=before.not_before - hour)
        assert world.poll("gone").next_due is None

    play(scenario)


def test_a_clock_set_back_leaves_polls_in_flight_alone() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        asked, free = asyncio.Event(), asyncio.Event()
        world.publish(FEED, parsed_entry("one"))
        answer = world.network.scripts[FEED.location][0]
        assert isinstance(answer, Fetched)

        async def slow() -> Fetched:
            asked.set()
            await free.wait()
            return answer

        world.network.on(FEED.location, slow)
        run = asyncio.create_task(world.ingestor.ingest_due())
        await asked.wait()
        before = world.poll()
        world.clock.advance(hours=-1)
        world.ingestor.clock_set_back(timedelta(hours=1))
        assert world.poll() == before, "it is written anew in a moment"
        free.set()
        await run
        due = world.poll().next_due
        assert due is not None and world.clock() < due <= world.clock() + timedelta(seconds=FEED.every * 1.05)

    play(scenario)


def test_sources_that_could_not_be_put_on_record_are_not_watched_and_come_with_the_next_look() -> None:
    class Locked(MemoryStore):
        locked = False

        def append(self, commit: Commit) -> tuple[Appended, ...]:
            if self.locked:
                raise TryAgain("another process is writing")
            return super().append(commit)

    store = Locked(views=views.ALL, clock=ManualClock(), entropy=lambda size: b"\0" * size)

    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        added = source("added")
        world.publish(added, parsed_entry("one"))
        store.locked = True
        with pytest.raises(TryAgain):
            await world.ingestor.adopt_sources([FEED, added])
        store.locked = False
        await world.ingestor.ingest_all()
        assert world.network.polls_of("added") == [], "an entry's source is on record before it"
        await world.ingestor.adopt_sources([FEED, added])
        assert [event.source_id for event in world.events(ev.SourceAdded)] == [FEED.id, "added"]
        assert (await world.ingestor.ingest_due()).observed == 1

    play(scenario, World(store))


# --- folders and what is given by hand


FOLDER = source("seed-documents", kind=Kind.FOLDER, location="documents/")


def part(*entries: ParsedEntry, faults: tuple[str, ...] = (), **fields: Any) -> DocumentsRead:
    return DocumentsRead(feed=ParsedFeed(format="documents", title="", entries=entries, faults=faults), **fields)


def document(path: str, text: str = "text", **fields: Any) -> ParsedEntry:
    return ParsedEntry(**{"raw_id": None, "url": None, "title": path, "text": text, "path": path, **fields})


A, B, C = (frozenset([letter * MARK_LENGTH]) for letter in "abc")


def test_a_folders_documents_are_news_and_its_faults_are_said() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FOLDER])
        old = document("a.txt", published=START - timedelta(days=999))
        world.documents.folders["documents/"] = [
            part(old, faults=("b.txt: is empty",), marks=A | B),
            part(present=A | B),
        ]
        report = await world.ingestor.ingest_due()
        assert (report.observed, report.faults) == (1, ("source 'seed-documents': b.txt: is empty",))
        assert world.events(ev.EntryObserved)[0].arrival is Arrival.NEW
        assert (await world.ingestor.ingest_due()).polled == (), "the daemon watches; here it is not due"
        await world.ingestor.ingest_folders()
        assert world.documents.known[-1] == A | B

    play(scenario)


def test_what_was_read_of_a_folder_is_not_read_again_even_by_another_process() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FOLDER])

        async def breaks_off(location: str, known: Collection[str]) -> AsyncIterator[DocumentsRead]:
            yield part(document("a.txt"), marks=A)
            raise FetchFailed("the disk is gone")

        world.documents.read_folder, kept = breaks_off, world.documents.read_folder  # type: ignore[method-assign]
        await world.ingestor.ingest_due()
        world.documents.read_folder = kept  # type: ignore[method-assign]
        world.documents.folders["documents/"] = [part(document("c.txt"), marks=C), part(present=A | C)]
        again = world.restarted()
        await again.adopt_sources([FOLDER])
        await again.ingest_due()
        assert world.documents.known == [A], "a folder is looked into at the start, due or not"
        await again.ingest_folders()
        assert world.documents.known[-1] == A | C

    play(scenario)


def test_a_look_that_breaks_off_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FOLDER])
        world.documents.folders["documents/"] = [
            part(document("a.txt"), faults=("b.pdf: is no sound PDF",), marks=A | B)
        ]
        world.documents.broken = FetchFailed("no parser could be started: Too many open files")
        (polled,) = (await world.ingestor.ingest_folders()).polled
        assert polled.error == "no parser could be started: Too many open files"
        assert world.poll(FOLDER.id).seen == "".join(sorted(A | B))
        assert len(world.events(ev.EntryObserved)) == 1

    play(scenario)
    assert "source 'seed-documents': b.pdf: is no sound PDF" in capsys.readouterr().out


def test_a_folder_that_is_not_there_fails_and_recovers() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FOLDER])
        report = await world.ingestor.ingest_due()
        assert "folder 'documents/' is not there; next try" in report.faults[0]
        world.documents.folders["documents/"] = [part(document("a.txt"), marks=A), part(present=A)]
        await world.ingestor.ingest_folders()
        assert world.row("seed-documents").state == "ok"
        assert len(world.events(ev.SourceRecovered)) == 1

    play(scenario)


def test_documents_given_by_hand_come_once_per_content() -> None:
    async def scenario(world: World) -> None:
        world.documents.paths["/x/a.txt"] = [part(document("/x/a.txt"), faults=("b.txt: is empty",))]
        world.documents.paths["/x/copy.txt"] = [part(document("/x/copy.txt", title="/x/a.txt"))]
        report = await world.ingestor.ingest_given(["/x/a.txt", "/x/a.txt", "/x/copy.txt", "/no"], actor="user:ada")
        assert report.observed == 1
        assert report.faults == (
            "/x/a.txt: b.txt: is empty",
            "/x/a.txt: b.txt: is empty",
            "/no: cannot be opened (No such file or directory)",
        )
        (recorded,) = (one for one in world.store.read() if one.type == "EntryObserved")
        assert recorded.actor == "user:ada"
        assert recorded.event is not None
        assert recorded.event.source_id == "by-hand"  # type: ignore[attr-defined]

    play(scenario)


def test_a_document_given_by_hand_from_a_watched_folder_is_that_folders() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FOLDER])
        world.documents.paths["/seeds/documents/a.txt"] = [part(document("a.txt"), location="documents/")]
        world.documents.folders["documents/"] = [part(document("a.txt"), marks=A), part(present=A)]
        assert (await world.ingestor.ingest_given(["/seeds/documents/a.txt"])).observed == 1
        assert (await world.ingestor.ingest_due()).observed == 0

    play(scenario)


def test_an_address_given_by_hand_is_read_once_and_not_watched() -> None:
    async def scenario(world: World) -> None:
        elsewhere = source("x", location="https://feeds.example.net/rss")
        old = parsed_entry("old", raw_id="1", published=START - timedelta(days=99))
        world.publish(elsewhere, old, parsed_entry("new", raw_id="2"))
        report = await world.ingestor.ingest_given([elsewhere.location, "https://no.example.net/?token=s3cret"])
        assert report.observed == 2
        assert report.faults == ("https://no.example.net/?token=***: DNS: there is no host",)
        assert {event.arrival for event in world.events(ev.EntryObserved)} == {Arrival.BASELINE, Arrival.ALREADY_THERE}
        assert world.store.polls() == []
        assert (await world.ingestor.ingest_given([elsewhere.location])).observed == 0
        assert by_hand_id(elsewhere.location).startswith("by-hand-feeds-example-net-")

    play(scenario)


def test_a_watched_address_given_by_hand_is_a_poll_of_its_source() -> None:
    async def scenario(world: World) -> None:
        await world.ingestor.adopt_sources([FEED])
        world.publish(FEED, parsed_entry("one"))
        assert (await world.ingestor.ingest_given([FEED.location])).observed == 1
        assert world.events(ev.EntryObserved)[0].source_id == "port-news"
        assert world.poll().polled == 1

    play(scenario)
