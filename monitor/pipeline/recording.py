"""Appends what a poll brought: entries, turns of health and the poll state in one commit. Blocking; run in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from monitor.core import views
from monitor.core.entries import ParsedFeed, Source
from monitor.core.events import EntryObserved, EntryRevised, Event, NewEvent
from monitor.core.observe import candidates, dated, identify, observe, unsure
from monitor.core.views import EntryRow, SourceRow
from monitor.errors import WrongVersion
from monitor.pipeline.polls import Step
from monitor.ports import Commit, EventStore, PollState

CHUNK = 2_000  # entries a commit; the poll state goes with the last
TRIES = 10
NOTHING = ParsedFeed(format="", title="", entries=())

Decide = Callable[[SourceRow | None], Step]
"""The poll state to store and the turns to record, given how the source stands."""


class Count(msgspec.Struct, frozen=True):
    """How many entries were new, and how many changed."""

    observed: int = 0
    revised: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.observed + other.observed, self.revised + other.revised)


class Done(msgspec.Struct, frozen=True):
    """What an append came to: entries, and the poll state that was written with them."""

    count: Count = Count()
    poll: PollState | None = None


class Recorder:
    """Compares documents with what the store knows and appends the difference, however often it has to try.

    Another writer (matching appends to an entry's stream too) may get in between reading and appending; the store then
    refuses the whole commit, and the comparison is made anew.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def record(
        self,
        source: Source,
        feed: ParsedFeed,
        now: datetime,
        *,
        first_poll: bool | None = False,
        decide: Decide | None = None,
        actor: str = "monitor",
    ) -> Done:
        """Append what is new in a document.

        `first_poll` None: it is one if nothing in it is known. `decide`: what else becomes true with the last entry.
        """
        if first_poll is None:
            first_poll = not self._known(candidates(source, feed))
        starts = range(0, max(1, len(feed.entries)), CHUNK)
        total, undated = Count(), 0
        for start in starts[:-1]:
            part = _part(feed, start)
            total += self._append(source, part, now, first_poll, undated, None, actor).count
            undated += sum(dated(entry) is None for entry in part.entries)
        done = self._append(source, _part(feed, starts[-1]), now, first_poll, undated, decide, actor)
        return replace(done, count=total + done.count)

    def adopt(self, events: Sequence[Event], streams: Sequence[str], commit: Commit) -> None:
        """Append changes to the list of sources, each to its stream, with the poll states of `commit`."""
        new = tuple(NewEvent(stream=stream, event=event) for stream, event in zip(streams, events, strict=True))
        if new or commit.polls or commit.forget_polls:
            self._store.append(replace(commit, events=new))

    def _append(
        self,
        source: Source,
        feed: ParsedFeed,
        now: datetime,
        first_poll: bool,
        undated: int,
        decide: Decide | None,
        actor: str,
    ) -> Done:
        for attempt in range(1, TRIES + 1):
            commit, poll = self._compose(source, feed, now, first_poll, undated, decide, actor)
            if not commit.events and not commit.polls:
                return Done()
            try:
                appended = self._store.append(commit)
            except WrongVersion:
                if attempt == TRIES:
                    raise
                continue
            written = [new.event for new, at in zip(commit.events, appended, strict=True) if not at.duplicate]
            observed = sum(isinstance(event, EntryObserved) for event in written)
            return Done(Count(observed, sum(isinstance(event, EntryRevised) for event in written)), poll)
        raise AssertionError("the last try returns or raises")

    def _compose(
        self,
        source: Source,
        feed: ParsedFeed,
        now: datetime,
        first_poll: bool,
        undated: int,
        decide: Decide | None,
        actor: str,
    ) -> tuple[Commit, PollState | None]:
        events, expected = self._compare(source, feed, now, first_poll, undated)
        events = tuple(replace(event, actor=actor) for event in events)
        if decide is None:
            return Commit(events=events, expected=expected), None
        stream = f"source/{source.id}"
        version = self._store.version(stream)
        step = decide(self._store.get(views.SOURCES, source.id))
        if step.turns:
            events += tuple(NewEvent(stream=stream, event=turn) for turn in step.turns)
            expected[stream] = version
        return Commit(events=events, expected=expected, polls=(step.poll,)), step.poll

    def _compare(
        self, source: Source, feed: ParsedFeed, now: datetime, first_poll: bool, undated: int
    ) -> tuple[tuple[NewEvent, ...], dict[str, int]]:
        known = self._known(candidates(source, feed))
        sightings = identify(source, feed, known)
        doubtful = unsure(sightings)
        # Versions are read before texts: a revision in between is then noticed when appending.
        versions = {f"entry/{row.entry_id}": self._store.version(f"entry/{row.entry_id}") for row in doubtful}
        texts = {row.entry_id: text for row in doubtful if (text := self._text(row)) is not None}
        observation = observe(source, sightings, texts, first_poll=first_poll, now=now, undated=undated)
        erased = frozenset(stream for stream in observation.fresh if self._erased(stream))
        events = tuple(event for event in observation.events if event.stream not in erased)
        expected = dict.fromkeys((stream for stream in observation.fresh if stream not in erased), 0)
        for stream in observation.revised:
            # One whose text is the same and whose date moved was not doubtful.
            expected[stream] = versions.get(stream) or self._store.version(stream)
        return events, expected

    def _erased(self, stream: str) -> bool:
        """Whether an entry was erased: there are events of it, and no row. It is not stored anew."""
        entry_id = stream.removeprefix("entry/")
        return self._store.version(stream) > 0 and self._store.get(views.ENTRIES, entry_id) is None

    def _known(self, ids: frozenset[str]) -> Mapping[str, EntryRow]:
        rows = ((entry_id, self._store.get(views.ENTRIES, entry_id)) for entry_id in ids)
        return {entry_id: row for entry_id, row in rows if row is not None}

    def _text(self, row: EntryRow) -> str | None:
        event = self._store.at(row.text_position).event
        return event.text if isinstance(event, EntryObserved | EntryRevised) else None


def _part(feed: ParsedFeed, start: int) -> ParsedFeed:
    return replace(feed, entries=feed.entries[start : start + CHUNK])
