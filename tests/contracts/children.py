"""What runs in another process: writers that race and writers that are killed. Also the events and views they use."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import msgspec
from sqlalchemy import create_engine

from monitor.core import events as ev
from monitor.core.views import ALL, View
from monitor.errors import MonitorError
from monitor.ports import Commit
from monitor.store import open_store
from tests.builders import observed, parsed_entry
from tests.fakes import ManualClock

_context = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
)
if _context.get_start_method() == "forkserver":
    _context.set_forkserver_preload(["monitor.store.sql", "monitor.store.sqlite", "tests.contracts.children"])


def entropy(seed: int | None = None) -> Callable[[int], bytes]:
    """Random bytes that no two stores share, unless they ask for the same seed."""
    return Random(seed if seed is not None else os.urandom(8)).randbytes


def entry(number: int | str, *, source: str = "port-news", text: str = "The port reopened.") -> ev.NewEvent:
    """An entry as ingest appends it."""
    event = observed(parsed_entry(f"Notice {number}", text), source_id=source)
    dedupe = f"{source}|{event.entry_id}|{event.fingerprint}"
    return ev.NewEvent(stream=f"entry/{event.entry_id}", event=event, dedupe=dedupe)


def source_added(name: str = "port-news") -> ev.NewEvent:
    event = ev.SourceAdded(source_id=name, kind="feed", location=f"https://feeds.example.org/{name}.xml")
    return ev.NewEvent(stream=f"source/{name}", event=event)


class Tally(msgspec.Struct, frozen=True):
    """A row of the view below."""

    seen: int
    position: int


def counting(
    name: str = "tally", version: int = 1, at: Callable[[ev.Recorded], None] = lambda event: None
) -> View[Tally]:
    """A view that counts all events under one key; `at` is called inside the fold."""

    def fold(row: Tally | None, event: ev.Recorded, key: str) -> Tally:
        at(event)
        return Tally(row.seen + 1 if row else 1, row.position if row else event.position)

    return View(name, version, Tally, lambda event, position: ("all",), fold, sort=lambda row: row.position)


@contextmanager
def child(work: Callable[..., None], *arguments: Any) -> Iterator[tuple[Any, Connection]]:
    """`work(pipe, *arguments)` in another process; killed at the end if it still lives."""
    ours, theirs = _context.Pipe()
    process = _context.Process(target=work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()
        ours.close()


def stop_in_fold(pipe: Connection) -> View[Tally]:
    """A view that, at an event whose actor is `stop`, says so and waits for ever, with the transaction open."""

    def at(event: ev.Recorded) -> None:
        if event.actor == "stop":
            pipe.send("in the fold")
            signal.pause()

    return counting("tally", at=at)


def append_and_stop(pipe: Connection, url: str, commit: Commit) -> None:
    """Append a commit that stops in the fold."""
    store = open_store(url, views=[*ALL, stop_in_fold(pipe)], clock=ManualClock(), entropy=entropy())
    store.append(commit)


def append_as_nobody(pipe: Connection, url: str, commit: Commit) -> None:
    """Append without a right to write to the file, and tell what came of it."""
    if os.geteuid() == 0:
        create_engine(url).dispose()  # imports what nobody may not read
        os.setegid(65534)
        os.seteuid(65534)
    try:
        open_store(url, views=ALL, clock=ManualClock(), entropy=entropy()).append(commit)
    except MonitorError as error:
        pipe.send(str(error))
    else:
        pipe.send("appended")


def append_after_a_pause(pipe: Connection, url: str, commit: Commit) -> None:
    """Append a commit that stops in the fold until told to go on, and tell what came of it."""
    stops = iter([True])

    def at(event: ev.Recorded) -> None:
        if event.actor == "stop" and next(stops, False):
            pipe.send("in the fold")
            pipe.recv()

    store = open_store(url, views=[*ALL, counting(at=at)], clock=ManualClock(), entropy=entropy())
    try:
        store.append(commit)
    except MonitorError as error:
        pipe.send(str(error))
    else:
        pipe.send("appended")


def append_and_keep_silent(pipe: Connection, url: str, commit: Commit) -> None:
    """Append, and then never tell anybody where the events stand."""
    store = open_store(url, views=ALL, clock=ManualClock(), entropy=entropy())
    store.append(commit)
    pipe.send("committed")
    signal.pause()


def rebuild_and_stop(pipe: Connection, url: str) -> None:
    store = open_store(url, views=[*ALL, stop_in_fold(pipe)], clock=ManualClock(), entropy=entropy())
    store.rebuild(["tally", "entries"])


def erase_and_stop(pipe: Connection, url: str, position: int) -> None:
    store = open_store(url, views=[*ALL, stop_in_fold(pipe)], clock=ManualClock(), entropy=entropy())
    store.erase([position], "asked for by its author")


def append_large_for_ever(pipe: Connection, url: str) -> None:
    """Half a megabyte at a time, so that SQLite checkpoints its WAL every sixteenth commit; tells each position."""
    store = open_store(url, views=ALL, clock=ManualClock(), entropy=entropy())
    while True:
        placed = store.append(Commit(events=(entry(f"large-{entropy()(8).hex()}", text="x" * 500_000),)))
        pipe.send(placed[0].position)


def append_for_ever(pipe: Connection, url: str, seed: int) -> None:
    """Commits of one to twenty entries with a checkpoint each, telling every place once it is acknowledged."""
    draw = Random(seed)
    store = open_store(url, views=ALL, clock=ManualClock(), entropy=entropy())
    at = store.checkpoint("detect")
    while True:
        events = tuple(entry(f"{seed}-{draw.random()}") for _ in range(draw.randint(1, 20)))
        placed = store.append(Commit(events=events, checkpoint=("detect", at, at + len(events))))
        at += len(events)
        pipe.send((at, [(event.dedupe, place.position) for event, place in zip(events, placed, strict=True)]))


def append_many(pipe: Connection, url: str, name: str, number: int) -> None:
    """`number` commits of three entries, then the places of all."""
    store = open_store(url, views=ALL, clock=ManualClock(), entropy=entropy())
    places: list[int] = []
    for at in range(number):
        commit = Commit(events=tuple(entry(f"{name}-{at}-{part}") for part in range(3)))
        places += [place.position for place in store.append(commit)]
    store.close()
    pipe.send(places)
