"""Events for the store's benchmarks: entries of which each body is 1,024 bytes, with keys as ingest gives them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from monitor.core import codec
from monitor.core.events import NewEvent
from monitor.ports import Commit
from monitor.store import open_store
from monitor.store.sql import SqlStore
from tests.builders import observed, parsed_entry

BATCH = 100
WORDS = "The ministry amended annex II of the control list and named three firms that ship machine tools. "


def entry(number: int) -> NewEvent:
    event = observed(parsed_entry(f"Notice {number}"))
    room = 1024 - len(codec.encode(event))
    event = msgspec.structs.replace(event, text=event.text + (WORDS * 12)[:room])
    return NewEvent(stream=f"entry/{event.entry_id}", event=event, dedupe=f"seen-{event.entry_id}-{event.fingerprint}")


def batches(number: int, size: int = BATCH) -> list[Commit]:
    """`number` entries in commits of `size`."""
    return [
        Commit(events=tuple(entry(n) for n in range(start, min(start + size, number))))
        for start in range(0, number, size)
    ]


def wall_clock() -> datetime:
    return datetime.now(UTC)


def opened(url: str, views: Iterable[object] = (), *, read_only: bool = False) -> SqlStore:
    return open_store(url, views=tuple(views), clock=wall_clock, entropy=os.urandom, read_only=read_only)  # type: ignore[arg-type]
