"""Rules over stored entries, stretch by stretch of the log, so that processes may share the work. It only reads.

What is judged is what live matching saw: each `EntryObserved` and `EntryRevised` as it stands in the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from typing import Any, NamedTuple, Protocol, TypeVar

import structlog

from monitor.core import events as ev
from monitor.core import views
from monitor.matching.compare import Comparison, RuleChange, compare
from monitor.matching.engine import Engine
from monitor.matching.explain import NearMiss, look_for_near_misses
from monitor.matching.model import Document, ThemeMatch
from monitor.pipeline.detect import document_of
from monitor.pipeline.replay import position_at
from monitor.ports import EventStore

log = structlog.get_logger()

ENTRIES = ("EntryObserved", "EntryRevised")
MOST = 2_000
"""Positions in one stretch."""

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
Stretch = tuple[int, int]
"""Positions in (after, upto]."""


class Task(Protocol[Result_co]):
    """Something to be asked of one stretch after the other; it holds what it reads from until it is closed."""

    def __call__(self, after: int, upto: int, /) -> Result_co: ...

    def close(self) -> None: ...


# --- what is looked at


class Seen(NamedTuple):
    """One revision of an entry, as live matching saw it."""

    position: int
    entry_id: str
    raw_id: str | None
    revision: int
    document: Document


def span(store: EventStore, since: datetime | None, until: datetime | None) -> Stretch:
    """The stretch of log recorded from `since` to `until`, both included."""
    after = 0 if since is None else position_at(store, since - timedelta(microseconds=1))
    return after, store.head().position if until is None else position_at(store, until)


def seen(store: EventStore, after: int, upto: int) -> Iterator[Seen]:
    """Every revision of every entry in (after, upto], in order; texts that were erased are left out."""
    for recorded in store.read(after, upto=upto, types=ENTRIES):
        found = _seen(store, recorded)
        if found is not None:
            yield found


def _seen(store: EventStore, recorded: ev.Recorded) -> Seen | None:
    event = recorded.event
    if isinstance(event, ev.EntryObserved):  # knows all by itself: most entries cost no look-up
        return Seen(recorded.position, event.entry_id, event.raw_id, 1, document_of(event, event))
    if isinstance(event, ev.EntryRevised):
        row = store.get(views.ENTRIES, event.entry_id)
        assert row is not None, "an observed entry has a row"
        return Seen(recorded.position, event.entry_id, row.raw_id, event.revision, document_of(event, row))
    return None


def _looked_at(one: Seen, look: Callable[[Document], Result]) -> Result | None:
    """What there is to say of one entry; None where the engine stumbles, as live matching goes on then too."""
    try:
        return look(one.document)
    except Exception:
        log.exception("matching failed; the entry counts as unmatched", entry=one.entry_id, revision=one.revision)
        return None


# --- what is asked


def matches(store: EventStore, engine: Engine, after: int, upto: int) -> Iterator[tuple[Seen, tuple[ThemeMatch, ...]]]:
    """What live matching under these rules would have found, revision by revision."""
    for one in seen(store, after, upto):
        yield one, _looked_at(one, engine.match) or ()


def near_misses(
    store: EventStore, engine: Engine, theme: str | None, after: int, upto: int
) -> Iterator[tuple[Seen, NearMiss]]:
    """Near misses among entries as they stand now: of an entry only the latest revision."""
    for one in seen(store, after, upto):
        found = _looked_at(one, lambda document: look_for_near_misses(engine, document, theme)) or ()
        if found and _row(store, one.entry_id).text_position == one.position:
            for miss in found:
                yield one, miss


class Differing(NamedTuple):
    """One entry that a change of rules touches or leaves. `compared`: all its revisions in the stretch together."""

    seen: Seen
    compared: Comparison


def differences(
    store: EventStore, old: Engine, new: Engine, whole: Stretch, after: int, upto: int
) -> Iterator[Differing]:
    """Entries that meet a rule under either book, each once, at the first revision in the `whole` stretch that does.

    Gained is what no revision in `whole` met under the old rules, lost what none meets under the new ones.
    """

    def look(document: Document) -> Comparison:
        return compare(old, new, document)

    for one in seen(store, after, upto):
        compared = _looked_at(one, look)
        if compared is None or not _says(compared):
            continue
        if _row(store, one.entry_id).revision == 1:
            yield Differing(one, compared)
            continue
        every = [
            (other, said)
            for recorded in store.read(whole[0], upto=whole[1], stream=f"entry/{one.entry_id}", types=ENTRIES)
            if (other := _seen(store, recorded)) and (said := _looked_at(other, look)) and _says(said)
        ]
        if every[0][0].position == one.position:
            yield Differing(one, _together([said for _, said in every]))


def _says(compared: Comparison) -> bool:
    return bool(compared.gained or compared.lost or compared.unchanged)


def _together(compared: list[Comparison]) -> Comparison:
    """The revisions of one entry as one: what is met by any of them under a book is met."""
    gained: dict[tuple[str, str], RuleChange] = {}
    lost: dict[tuple[str, str], RuleChange] = {}
    both = dict.fromkeys(key for one in compared for key in one.unchanged)
    for one in compared:
        for found, changes in ((gained, one.gained), (lost, one.lost)):
            for change in changes:
                found.setdefault((change.theme, change.rule), change)
    both |= dict.fromkeys(key for key in gained if key in lost)
    return Comparison(
        gained=tuple(change for key, change in gained.items() if key not in both),
        lost=tuple(change for key, change in lost.items() if key not in both),
        unchanged=tuple(both),
    )


def _row(store: EventStore, entry_id: str) -> views.EntryRow:
    row = store.get(views.ENTRIES, entry_id)
    assert row is not None, "an observed entry has a row"
    return row


# --- by several processes


def stretches(whole: Stretch, jobs: int) -> Iterator[Stretch]:
    """A stretch in parts, so that no process is left without work for long."""
    after, upto = whole
    size = max(1, min(MOST, -(-(upto - after) // (4 * jobs))))
    for start in range(after, upto, size):
        yield start, min(upto, start + size)


def run(start: Callable[[], Task[Result]], parts: Iterable[Stretch], jobs: int) -> Iterator[Result]:
    """What the task that `start` makes says of each part, in order; a few results are held at most.

    With several `jobs`, `start` is pickled and called once in each process, which keeps what it made.
    """
    if jobs == 1:
        with closing(start()) as task:
            yield from (task(*part) for part in parts)
        return
    waiting: deque[Future[Result]] = deque()
    left = iter(parts)
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start, (start,)) as pool:
        try:
            waiting.extend(pool.submit(_work, *part) for part in islice(left, 3 * jobs))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(_work, *part) for part in islice(left, 1))
        finally:  # who reads no further waits for nothing
            pool.shutdown(wait=False, cancel_futures=True)


_task: Task[Any] | None = None


def _start(start: Callable[[], Task[Any]]) -> None:
    import gc
    import signal

    global _task
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear: it lets its processes go
    _task = start()
    gc.freeze()  # the rules live as long as the process; not to be walked again and again


def _work(after: int, upto: int) -> Any:
    assert _task is not None, "the process was started with a task"
    return _task(after, upto)
