"""The whole store in dictionaries: for tests, dry runs and replays. Keeps every promise of the port but durability."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from threading import RLock
from typing import TypeVar

import msgspec

from monitor.core.events import Recorded
from monitor.core.views import View
from monitor.errors import NotFound
from monitor.ports import Appended, Clock, Commit, Head, PollState
from monitor.store.chain import GENESIS, Entropy, LogHead, StoredEvent, commit_to, microseconds
from monitor.store.erasure import erasable, erasure, touched
from monitor.store.fold import AnyView, Change, KeptRow, changes, named, read_row, recorded
from monitor.store.kept import Snapshot
from monitor.store.plan import Batch, Draft, Known, Used, draft_all

Row = TypeVar("Row", bound=msgspec.Struct)


@dataclass(slots=True)
class _Kept:
    """A view's rows by key, and their order."""

    rows: dict[str, KeptRow] = field(default_factory=dict)
    order: list[tuple[int, str]] = field(default_factory=list)

    def apply(self, changed: Collection[Change]) -> None:
        for change in changed:
            if change.before is not None and (change.after is None or change.after.sort != change.before.sort):
                self.order.remove((change.before.sort, change.key))
            if change.after is None:
                del self.rows[change.key]
            else:
                if change.before is None or change.after.sort != change.before.sort:
                    insort(self.order, (change.after.sort, change.key))
                self.rows[change.key] = change.after


class MemoryStore:
    """A `ports.EventStore` that forgets everything with the process."""

    notes: tuple[str, ...] = ()

    def __init__(self, *, views: Collection[AnyView], clock: Clock, entropy: Entropy) -> None:
        self.views = tuple(views)
        self._clock, self._entropy, self._lock = clock, entropy, RLock()
        self._head = LogHead(0, GENESIS, 1, 1)
        self._events: list[StoredEvent] = []
        self._streams: dict[str, list[int]] = {}
        self._known = Known()
        self._kept = {view.name: _Kept() for view in self.views}
        self._polls: dict[str, PollState] = {}

    # --- writing

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        drafts = draft_all(commit.events, self._entropy)
        with self._lock:
            return self._append(commit, drafts)

    def _append(self, commit: Commit, drafts: Sequence[Draft]) -> tuple[Appended, ...]:
        batch = Batch(self._head, self._known_to(commit, drafts), microseconds(self._clock()))
        placed = batch.place(commit, drafts)
        self._write(batch)
        return placed

    def _write(self, batch: Batch) -> None:
        changed = list(changes(self.views, batch.recorded, self._load))
        # Nothing below this line can fail.
        self._head = batch.head
        for row in batch.rows:
            self._remember(StoredEvent._make(row))
        self._known.checkpoints.update(batch.checkpoints)
        for view, rows in changed:
            self._kept[view.name].apply(rows)
        for source_id, poll in batch.polls.items():
            if poll is None:
                self._polls.pop(source_id, None)
            else:
                self._polls[source_id] = poll

    def _known_to(self, commit: Commit, drafts: Sequence[Draft]) -> Known:
        streams = {draft.stream for draft in drafts} | commit.expected.keys()
        mine = self._known
        return Known(
            {d.dedupe: mine.dedupes[d.dedupe] for d in drafts if d.dedupe is not None and d.dedupe in mine.dedupes},
            {d.event_id: mine.event_ids[d.event_id] for d in drafts if d.event_id and d.event_id in mine.event_ids},
            {stream: len(self._streams[stream]) for stream in streams if stream in self._streams},
            dict(mine.checkpoints),
        )

    def _remember(self, row: StoredEvent) -> None:
        self._events.append(row)
        self._streams.setdefault(row.stream, []).append(row.position)
        if row.event_id is not None:
            self._known.event_ids[row.event_id] = Used(row.position, row.stream, row.type)
        if row.dedupe is not None:
            self._known.dedupes[row.dedupe] = row.position

    def _load(self, view: AnyView, keys: Sequence[str]) -> dict[str, KeptRow]:
        rows = self._kept[view.name].rows
        return {key: rows[key] for key in keys if key in rows}

    # --- reading the log

    def read(
        self,
        after: int = 0,
        *,
        upto: int | None = None,
        stream: str | None = None,
        types: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Recorded]:
        last = self._head.position if upto is None else min(upto, self._head.position)
        if stream is None:
            positions: Sequence[int] = range(after + 1, last + 1)
        else:
            mine = list(self._streams.get(stream, ()))
            positions = mine[bisect_right(mine, after) : bisect_right(mine, last)]
        rows = (self._events[position - 1] for position in positions)
        wanted = (row for row in rows if types is None or row.type in types)
        return map(recorded, islice(wanted, limit))

    def at(self, position: int) -> Recorded:
        if not 1 <= position <= self._head.position:
            raise NotFound(f"position {position}: the log ends at {self._head.position}")
        return recorded(self._events[position - 1])

    def head(self) -> Head:
        head = self._head
        return Head(head.position, head.hash.hex(), head.epoch)

    def version(self, stream: str) -> int:
        return len(self._streams.get(stream, ()))

    def checkpoint(self, subscription: str) -> int:
        return self._known.checkpoints.get(subscription, 0)

    # --- reading views

    def get(self, view: View[Row], key: str) -> Row | None:
        kept = self._kept[view.name].rows.get(key)
        return None if kept is None else read_row(view, kept.body)

    def rows(
        self,
        view: View[Row],
        *,
        facet: str | None = None,
        after: int | None = None,
        upto: int | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> Iterator[Row]:
        with self._lock:
            kept = self._kept[view.name]
            ordered = [(sort, kept.rows[key]) for sort, key in (reversed(kept.order) if descending else kept.order)]
        wanted = (
            row.body
            for sort, row in ordered
            if (facet is None or row.facet == facet)
            and (after is None or sort > after)
            and (upto is None or sort <= upto)
        )
        return (read_row(view, body) for body in islice(wanted, limit))

    def count(self, view: View[Row], *, facet: str | None = None) -> int:
        rows = self._kept[view.name].rows
        return len(rows) if facet is None else sum(row.facet == facet for row in list(rows.values()))

    # --- polls

    def poll(self, source_id: str) -> PollState | None:
        return self._polls.get(source_id)

    def polls(self) -> list[PollState]:
        with self._lock:
            return sorted(self._polls.values(), key=lambda poll: poll.source_id)

    def due(self, now: datetime, limit: int) -> list[PollState]:
        with self._lock:
            due = [(poll.next_due, poll.source_id, poll) for poll in self._polls.values() if poll.next_due is not None]
        return [poll for _, _, poll in sorted(entry for entry in due if entry[0] <= now)[:limit]]

    def next_due(self) -> datetime | None:
        with self._lock:
            return min((poll.next_due for poll in self._polls.values() if poll.next_due is not None), default=None)

    # --- what the commands need

    def stored(self, after: int = 0, *, upto: int | None = None) -> Iterator[StoredEvent]:
        """As `read`, but rows as they are stored."""
        return iter(self._events[after : self._head.position if upto is None else upto])

    def pages(self, after: int = 0, *, upto: int | None = None) -> Iterator[list[StoredEvent]]:
        """As `stored`, all at once."""
        yield list(self.stored(after, upto=upto))

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The store standing still."""
        with self._lock:
            yield _MemorySnapshot(self._head, self._head.position, self)

    def extend(self, rows: Sequence[StoredEvent], checkpoints: Mapping[str, int]) -> None:
        """See `kept.KeptLog`."""
        with self._lock:
            streams = {row.stream for row in rows} & self._streams.keys()
            versions = {stream: len(self._streams[stream]) for stream in streams}
            batch = Batch(self._head, Known(versions=versions, checkpoints=dict(self._known.checkpoints)), 0)
            batch.adopt(rows, checkpoints)
            self._write(batch)

    def rebuild(self, names: Collection[str] | None = None) -> None:
        """Fold the named views (None: all) anew from the log. Raises `NotFound`."""
        with self._lock:
            self._fold_anew(named(self.views, names))

    def _fold_anew(self, views: Iterable[AnyView]) -> None:
        events = list(map(recorded, self._events))
        for view in views:
            self._kept[view.name] = _Kept()
            for _, changed in changes([view], events, self._load):
                self._kept[view.name].apply(changed)

    def erase(self, positions: Collection[int], reason: str, *, actor: str = "monitor") -> tuple[int, ...]:
        """Erase bodies, append `PayloadErased` for each, take what they brought out of the views. See `SqlStore`."""
        with self._lock:
            found = erasable(self.at(position) for position in sorted(set(positions)))
            for position in (event.position for event in found):
                row = self._events[position - 1]
                assert row.salt is not None and row.body is not None
                erased = row._replace(salt=None, body=None, commitment=commit_to(row.salt, row.body))
                self._events[position - 1] = erased
            self._fold_anew(touched(self.views, found))
            gone = tuple(event.position for event in found)
            self.append(Commit(events=tuple(erasure(position, reason, actor) for position in gone)))
            return gone

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass(frozen=True, slots=True)
class _MemorySnapshot:
    head: LogHead
    last: int
    store: MemoryStore

    def checkpoints(self) -> dict[str, int]:
        return dict(sorted(self.store._known.checkpoints.items()))

    def stored(self, after: int = 0) -> Iterator[StoredEvent]:
        return self.store.stored(after, upto=self.head.position)

    def misnumbered(self) -> int | None:
        seen: dict[str, int] = {}
        for row in self.store._events:
            if row.version != seen.get(row.stream, 0) + 1:
                return row.position
            seen[row.stream] = row.version
        return None

    def kept(self, view: AnyView) -> Iterator[tuple[str, KeptRow]]:
        return iter(sorted(self.store._kept[view.name].rows.items()))
