"""The event store on PostgreSQL beside the recorder of the `eventsourcing` library (extra `bench`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from time import perf_counter
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from monitor.core import codec
from monitor.core.views import ALL
from tests.benchmarks.figures import Figure, compared, rates
from tests.benchmarks.log_events import batches, opened
from tests.conftest import POSTGRES

SECTION = "Event store on PostgreSQL"
NOTES = """

Append: bodies of 1,024 bytes in batches of 100, one writer, one server on the same machine. The peer is
`PostgresApplicationRecorder.insert_events` of the library `eventsourcing` with ready bytes, as it comes: one table, one
further index, a table lock, no hash chain.
"""
EVENTS = 4_000


class Bench:
    """A database a run."""

    def __init__(self) -> None:
        import psycopg

        self._url = make_url(POSTGRES).set(drivername="postgresql")
        self._admin = psycopg.connect(self._url.render_as_string(hide_password=False), autocommit=True)
        self._name = f"theme_monitor_bench_{os.getpid()}"
        self._commits = batches(EVENTS)
        self._bodies = [codec.encode(new.event) for commit in self._commits for new in commit.events]

    def close(self) -> None:
        self._admin.execute(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')
        self._admin.close()

    def _fresh(self) -> Any:
        self._admin.execute(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')
        self._admin.execute(f'CREATE DATABASE "{self._name}"')
        return self._url.set(database=self._name)

    def append(self, views: Any = ()) -> float:
        with closing(opened(self._fresh().render_as_string(hide_password=False), views)) as store:
            begin = perf_counter()
            for commit in self._commits:
                store.append(commit)
            return perf_counter() - begin

    def eventsourcing(self) -> float:
        from eventsourcing.persistence import StoredEvent
        from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

        url = self._fresh()
        with PostgresDatastore(
            url.database, url.host or "127.0.0.1", url.port or 5432, url.username or "postgres", url.password or ""
        ) as store:
            recorder = PostgresApplicationRecorder(store)
            recorder.create_table()
            events = [StoredEvent(uuid4(), 1, "EntryObserved", body) for body in self._bodies]
            begin = perf_counter()
            for start in range(0, EVENTS, 100):
                recorder.insert_events(events[start : start + 100])
            return perf_counter() - begin


def append_figures(bench: Bench) -> list[Figure]:
    peer = "eventsourcing"
    found = rates(
        EVENTS, {"ours": bench.append, peer: bench.eventsourcing, "with views": lambda: bench.append(views=ALL)}
    )
    return [
        compared("append, one writer", found, "ours", peer, 2),
        compared("append and fold into every view, one writer", found, "with views", peer),
    ]


def figures() -> Iterator[Figure]:
    with closing(Bench()) as bench:
        yield from append_figures(bench)


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_appending_is_twice_as_fast_as_the_eventsourcing_library(postgres_url: str) -> None:
    pytest.importorskip("eventsourcing")
    with closing(Bench()) as bench:
        assert append_figures(bench)[0].holds, append_figures(bench)[0]
