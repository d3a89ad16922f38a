"""A PostgreSQL schema a test: making a database for each takes a hundred times as long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.conftest import POSTGRES, absent

_numbers = count(1)


@pytest.fixture(scope="session")
def _server() -> Iterator[Any]:
    """A connection to a database of this run alone; its name is in `info.dbname`."""
    import psycopg

    server = POSTGRES.replace("postgresql+psycopg://", "postgresql://")
    name = f"theme_monitor_stores_{os.getpid()}_{next(_numbers)}"
    try:
        admin = psycopg.connect(server, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        absent(f"no PostgreSQL at {server.rpartition('@')[2]}: {str(error).splitlines()[0]}")
    with admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            with psycopg.connect(f"{server.rpartition('/')[0]}/{name}", autocommit=True) as connection:
                yield connection
        finally:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def postgres_url(_server: Any) -> Iterator[str]:
    """The address of an empty schema of this test alone."""
    schema = f"test_{next(_numbers)}"
    _server.execute(f"CREATE SCHEMA {schema}")
    address = POSTGRES.replace("postgresql+psycopg://", "postgresql://").rpartition("/")[0]
    try:
        yield f"{address}/{_server.info.dbname}?options=-csearch_path%3D{schema}"
    finally:
        _server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        _server.execute(f"DROP SCHEMA {schema} CASCADE")
