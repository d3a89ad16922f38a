"""Tables brought up to date at open, and databases that are not ours left alone."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from sqlalchemy import Connection as SqlAlchemyConnection

from monitor.errors import StoreError
from monitor.store.dialects import Connection, Database

REVISIONS = ("0001",)
"""The migrations in order. Kept here so that a database in order is opened without importing alembic (a test compares
them with the files)."""

_one_at_a_time = Lock()  # alembic's context is global to the process


def prepare(database: Database, connection: Connection) -> None:
    """Make or migrate the tables in one transaction. Raises `StoreError` where the database is another's or newer."""
    if _revision(database, connection) == REVISIONS[-1]:
        return
    with _one_at_a_time, database.migrating() as migrating:
        if _revision(database, connection) != REVISIONS[-1]:
            _migrate(migrating)


def check(database: Database, connection: Connection, *, older: bool = False) -> None:
    """For readers: raises `StoreError` unless the tables are as this program knows them (or `older`, to be copied)."""
    found = _revision(database, connection)
    if found is None:
        raise StoreError(f"{database.place}: empty; `monitor run` fills it")
    if found != REVISIONS[-1] and not older:
        raise StoreError(f"{database.place}: made by an older version; `monitor run` brings it up to date")


def _revision(database: Database, connection: Connection) -> str | None:
    tables = {name for (name,) in database.fetch(connection, database.tables)}
    if not tables:
        return None
    found = database.fetch(connection, "SELECT version_num FROM alembic_version") if "alembic_version" in tables else []
    if not found:
        raise StoreError(f"{database.place}: holds tables of another program ({min(tables)}, …); it was not touched")
    revision = str(found[0][0])
    if revision not in REVISIONS:
        raise StoreError(
            f"{database.place}: made by a newer version (tables '{revision}', known are up to '{REVISIONS[-1]}');"
            " it was not touched, update this program"
        )
    return revision


def _migrate(connection: SqlAlchemyConnection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
