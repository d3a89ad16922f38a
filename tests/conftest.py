"""What every test stands on: a clean environment, steady hypothesis, and servers that are there or say why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import hypothesis
import pytest
import structlog

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")

hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")
_databases = count(1)


def absent(what: str) -> None:
    """A test lacks something outside Python: skipped on a desk, a failure where CI promised to bring it."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; .ci/run must provide it", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    kept = {key: os.environ.pop(key) for key in list(os.environ) if key.startswith("MONITOR_")}
    yield
    os.environ.update(kept)


@pytest.fixture(autouse=True)
def _logging_is_not_set_up() -> None:
    """A command that another test ran in this process has set it up."""
    structlog.reset_defaults()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of this test alone, empty, dropped afterwards; as an SQLAlchemy URL for psycopg."""
    import psycopg

    server = POSTGRES.replace("postgresql+psycopg://", "postgresql://")
    name = f"theme_monitor_test_{os.getpid()}_{next(_databases)}"
    try:
        admin = psycopg.connect(server, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        absent(f"no PostgreSQL at {server.rpartition('@')[2]}: {str(error).splitlines()[0]}")
    with admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield POSTGRES.rpartition("/")[0] + "/" + name
        finally:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
