"""The event store on SQLite beside raw sqlite3: append, replay, verify, size."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import pytest

from monitor.core.views import ALL
from monitor.store.verify import verify
from tests.benchmarks.figures import Figure, compared, rates
from tests.benchmarks.log_events import batches, opened

orjson = pytest.importorskip("orjson", reason="the benchmarks' peers come with the extra [bench]")

SECTION = "Event store on SQLite"
NOTES = """

Append: bodies of 1,024 bytes in batches of 100, `synchronous=FULL`, 8-KB pages. The peer is `executemany` of ready
rows into the same table with the same indices and settings: it neither encodes nor checks nor hashes nor looks for
duplicates. Ours makes the rows too, for about 4 µs an event (2.5 of them for three SHA-256, the JSON, and reading it
back to prove that it can be), and saves a good 1 µs by inserting twenty rows a statement. How close one caller comes
thus depends on what a commit costs beside that work: the ratio is at its lowest as here, on a log that begins empty,
and on a disk that answers an fsync at once. Callers that come together share a commit and work while another waits.
Replay and verify: the log read in order; the peer decodes with `orjson`, or feeds each body into one SHA-256 a row.
"""
EVENTS = 10_000
_COUNT = iter(range(1_000_000))


class Bench:
    """One folder, one set of events."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._commits = folder, batches(EVENTS)
        self.log = self._append(callers=1)[1]
        with closing(sqlite3.connect(self.log)) as connection:
            self._rows = connection.execute("SELECT * FROM events ORDER BY position").fetchall()

    def _new(self) -> Path:
        return self._folder / f"{next(_COUNT)}.db"

    def _append(self, *, callers: int, views: Any = ()) -> tuple[float, Path]:
        path = self._new()
        with closing(opened(f"sqlite:///{path}", views)) as store:
            if callers == 1:
                begin = perf_counter()
                for commit in self._commits:
                    store.append(commit)
                return perf_counter() - begin, path
            with ThreadPoolExecutor(callers) as pool:
                begin = perf_counter()
                list(pool.map(store.append, self._commits))
                return perf_counter() - begin, path

    def append(self, callers: int = 1, views: Any = ()) -> float:
        took, path = self._append(callers=callers, views=views)
        path.unlink()
        return took

    def executemany(self) -> float:
        path = self._new()
        opened(f"sqlite:///{path}").close()  # the same table, indices and page size
        statement = f"INSERT INTO events VALUES ({', '.join('?' * len(self._rows[0]))})"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            connection.execute("PRAGMA synchronous = FULL")
            begin = perf_counter()
            for start in range(0, EVENTS, 100):
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(statement, self._rows[start : start + 100])
                connection.execute("COMMIT")
            took = perf_counter() - begin
        path.unlink()
        return took

    def replay(self) -> float:
        with closing(opened(f"sqlite:///{self.log}", read_only=True)) as store:
            begin = perf_counter()
            number = sum(event.event is not None for event in store.read())
            took = perf_counter() - begin
        assert number == EVENTS
        return took

    def read_with_orjson(self) -> float:
        statement = (
            "SELECT position, stream, version, type, schema_version, event_id, recorded_at, causation, actor, hash,"
            " body FROM events ORDER BY position"
        )
        with closing(sqlite3.connect(self.log)) as connection:
            begin = perf_counter()
            number = sum(orjson.loads(row[10]) is not None for row in connection.execute(statement))
            took = perf_counter() - begin
        assert number == EVENTS
        return took

    def verify(self) -> float:
        with closing(opened(f"sqlite:///{self.log}", read_only=True)) as store:
            begin = perf_counter()
            assert verify(store, chain_only=True).ok
            return perf_counter() - begin

    def read_and_hash(self) -> float:
        with closing(sqlite3.connect(self.log)) as connection:
            begin, digest = perf_counter(), b""
            for row in connection.execute("SELECT * FROM events ORDER BY position"):
                digest = hashlib.sha256(digest + row[11]).digest()
            return perf_counter() - begin

    def bytes_per_event(self) -> float:
        with closing(sqlite3.connect(self.log)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.log.stat().st_size / EVENTS


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def append_figures(bench: Bench) -> list[Figure]:
    found = rates(
        EVENTS,
        {
            "ours": bench.append,
            "raw sqlite3 executemany": bench.executemany,
            "four callers": lambda: bench.append(callers=4),
            "with views": lambda: bench.append(views=ALL),
        },
    )
    peer = "raw sqlite3 executemany"
    return [
        compared("append, one caller", found, "ours", peer, 0.8),
        compared("append, four callers at once", found, "four callers", peer, 0.8),
        compared("append and fold into every view, one caller", found, "with views", peer),
    ]


def replay_figure(bench: Bench) -> Figure:
    found = rates(EVENTS, {"ours": bench.replay, "raw sqlite3 + orjson": bench.read_with_orjson})
    return compared("replay with decoding", found, "ours", "raw sqlite3 + orjson", 0.5)


def verify_figure(bench: Bench) -> Figure:
    found = rates(EVENTS, {"ours": bench.verify, "raw sqlite3 + SHA-256": bench.read_and_hash})
    return compared("verify --chain", found, "ours", "raw sqlite3 + SHA-256", 0.5)


def size_figure(bench: Bench) -> Figure:
    size = bench.bytes_per_event()
    return Figure("log on disk, a 1-KB event", f"{size:,.0f} bytes", promised="≤ 1.5 KB", holds=size <= 1536)


def figures() -> Iterator[Figure]:
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        yield from append_figures(bench)
        yield replay_figure(bench)
        yield verify_figure(bench)
        yield size_figure(bench)


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_appending_keeps_up_with_raw_sqlite(bench: Bench) -> None:
    one, four, _ = append_figures(bench)
    print(one, four)
    assert four.holds, four


@pytest.mark.benchmark
def test_replaying_keeps_up_with_raw_sqlite(bench: Bench) -> None:
    assert replay_figure(bench).holds, replay_figure(bench)


@pytest.mark.benchmark
def test_verifying_keeps_up_with_raw_sqlite(bench: Bench) -> None:
    assert verify_figure(bench).holds, verify_figure(bench)


@pytest.mark.benchmark
def test_the_log_is_small(bench: Bench) -> None:
    assert size_figure(bench).holds, size_figure(bench)
