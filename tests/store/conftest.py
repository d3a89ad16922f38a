"""Stores that outlive a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.conftest import Place
from tests.contracts.schemas import _server, postgres_url  # noqa: F401  (fixtures)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    url = f"sqlite:///{tmp_path / 'monitor.db'}"
    found = Place(request.param, request.getfixturevalue("postgres_url") if request.param == "postgres" else url)
    yield found
    found.close()
