"""The three stores under one fixture, and the two that outlive a process."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.core.views import ALL
from monitor.store import open_store
from monitor.store.memory import MemoryStore
from monitor.store.sql import SqlStore
from tests.contracts.children import entropy
from tests.contracts.schemas import _server, postgres_url  # noqa: F401  (fixtures)
from tests.fakes import ManualClock

AnyStore = MemoryStore | SqlStore


class Place:
    """Where stores of one kind are opened; all are closed at the end of the test."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind, self.url, self.clock = kind, url, ManualClock()
        self._opened: list[AnyStore] = []

    def open(self, *, views: Collection[Any] = ALL, read_only: bool = False, url: str | None = None) -> AnyStore:
        if self.kind == "memory":
            store: AnyStore = MemoryStore(views=views, clock=self.clock, entropy=entropy())
        else:
            store = open_store(url or self.url, views=views, clock=self.clock, entropy=entropy(), read_only=read_only)
        self._opened.append(store)
        return store

    def close(self) -> None:
        for store in self._opened:
            store.close()


def _place(kind: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    if kind == "postgres":
        return Place(kind, request.getfixturevalue("postgres_url"))
    return Place(kind, f"sqlite:///{folder / 'monitor.db'}")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    found = _place(request.param, request, tmp_path)
    yield found
    found.close()


@pytest.fixture(params=["sqlite", "postgres"])
def sql_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    found = _place(request.param, request, tmp_path)
    yield found
    found.close()


@pytest.fixture
def store(place: Place) -> AnyStore:
    """A store with every view, empty."""
    return place.open()


@pytest.fixture
def clock(place: Place) -> ManualClock:
    return place.clock
