"""A log of a million events and a table of a hundred thousand sources: what does not grow with them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import pytest

from monitor.core.views import ALL
from monitor.ports import Commit, PollState
from tests.benchmarks.figures import Figure
from tests.benchmarks.log_events import entry, opened
from tests.fakes import START

SECTION = "A large event store"
NOTES = """

A million entries of 1 KB with every view kept. Opening is timed in a process of its own from before the import of the
store until the head and an entry were read. Due sources: 50 of 100,000 are due; the peer is the same query on raw
sqlite3, without making objects of the rows.
"""
EVENTS, SOURCES, DUE = 1_000_000, 100_000, 50

OPENING = """
import sys, os, time
from monitor.core.views import ALL, ENTRIES
begin = time.perf_counter()
from tests.benchmarks.log_events import opened
store = opened(sys.argv[1], ALL)
imported = time.perf_counter()
assert store.head().position == int(sys.argv[2])
assert next(iter(store.rows(ENTRIES, descending=True, limit=1))).position == int(sys.argv[2])
ready = time.perf_counter()
store.close()
store = opened(sys.argv[1], ALL)
print(ready - begin, time.perf_counter() - ready)
"""


def fill(path: Path, events: int) -> None:
    with closing(opened(f"sqlite:///{path}", ALL)) as store:
        for start in range(0, events, 1000):
            store.append(Commit(events=tuple(entry(number) for number in range(start, start + 1000))))


def opening(path: Path, events: int) -> tuple[float, float]:
    """Seconds with imports, and of the store alone (opened a second time)."""
    command = [sys.executable, "-c", OPENING, f"sqlite:///{path}", str(events)]
    said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(5)]
    return median(float(one) for one, _ in said), median(float(other) for _, other in said)


def due(folder: Path) -> tuple[float, float]:
    """Milliseconds to find the due sources: ours, raw sqlite3's."""
    path = folder / "sources.db"
    polls = [
        PollState(
            source_id=f"source-{number:06d}", location=f"https://feeds.example.org/{number}.xml", etag='W/"0123456789"',
            next_due=START + timedelta(seconds=number - DUE + 1),
        )
        for number in range(SOURCES)
    ]  # fmt: skip
    ours, raw = [], []
    with closing(opened(f"sqlite:///{path}")) as store, closing(sqlite3.connect(path)) as peer:
        store.append(Commit(polls=tuple(polls)))
        at = int(START.timestamp() * 1_000_000)
        query = "SELECT body FROM polls WHERE next_due <= ? ORDER BY next_due, source_id LIMIT 1000"
        for _ in range(20):
            begin = perf_counter()
            found = store.due(START, 1000)
            ours.append(perf_counter() - begin)
            begin = perf_counter()
            rows = peer.execute(query, (at,)).fetchall()
            raw.append(perf_counter() - begin)
            assert len(found) == len(rows) == DUE
    return median(ours) * 1000, median(raw) * 1000


def figures() -> Iterator[Figure]:
    with TemporaryDirectory() as folder:
        ours, raw = due(Path(folder))
        yield Figure(
            "the due among 100,000 sources", f"{ours:.2f} ms", f"raw sqlite3: {raw:.2f} ms", raw / ours, "≤ 5 ms",
            ours <= 5,
        )  # fmt: skip
        path = Path(folder) / "large.db"
        fill(path, EVENTS)
        whole, alone = opening(path, EVENTS)
        yield Figure("open a log of 1,000,000 events", f"{alone * 1000:.0f} ms", promised="< 1 s", holds=alone < 1)
        yield Figure("… and import the store, first read", f"{whole * 1000:.0f} ms")
        size = path.stat().st_size / EVENTS
        yield Figure("log and views on disk, an entry of 1 KB", f"{size:,.0f} bytes")


@pytest.mark.benchmark
def test_finding_due_sources_does_not_read_them_all(tmp_path: Path) -> None:
    ours, raw = due(tmp_path)
    assert ours < max(5, 50 * raw), (ours, raw)


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
def test_opening_does_not_grow_with_the_log(tmp_path: Path) -> None:
    fill(tmp_path / "small.db", 1000)
    fill(tmp_path / "large.db", 100_000)
    _, small = opening(tmp_path / "small.db", 1000)
    _, large = opening(tmp_path / "large.db", 100_000)
    assert large < max(3 * small, 1), (small, large)
