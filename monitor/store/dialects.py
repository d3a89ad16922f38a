"""What differs between SQLite and PostgreSQL: connecting, locking the log's end, bulk inserts, and what errors mean.

SQLAlchemy makes the connections (driver, URL, pool) and alembic the tables. Connections are in autocommit and
transactions are opened in plain SQL, so that BEGIN is the one we mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection as SqlAlchemyConnection
from sqlalchemy import Engine, PoolProxiedConnection, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from monitor.errors import ConfigurationError, MonitorError
from monitor.store.chain import StoredEvent

COLUMNS = ", ".join(StoredEvent._fields)


class Connection(Protocol):
    """What sqlite3's and psycopg's connections have in common. Statements go straight to the driver: on the way through
    SQLAlchemy each costs as much as several inserted rows (measured; see docs/decisions/0001-event-store.md).
    """

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Any: ...

    def cursor(self) -> Any: ...

    def close(self) -> None: ...


class Database(ABC):
    """One database: how to reach it and how to speak to it. `place` names it in messages, without secrets."""

    place: str
    notes: tuple[str, ...] = ()
    begin: str
    snapshot: str
    lock_head: str
    tables: str
    errors: type[Exception]
    conflict: type[Exception]

    def __init__(self, engine: Engine, writers: Engine) -> None:
        self._readers, self._writers = engine, writers

    def sql(self, statement: str) -> str:
        """The statement, written with `?`, in the driver's style."""
        return statement

    def connect(self) -> Connection:
        """The connection that writes, in autocommit. Raises what the driver raises."""
        pooled = self._writers.raw_connection()
        connection: Connection = _driver(pooled)
        pooled.detach()
        return connection

    def close(self) -> None:
        """Close the connections that read."""
        self._readers.dispose()

    @contextmanager
    def migrating(self) -> Iterator[SqlAlchemyConnection]:
        """A transaction for alembic, which no other process can share."""
        with self._writers.connect() as connection:
            connection.exec_driver_sql(self.begin)
            self.lock_schema(_driver(connection.connection))
            yield connection
            connection.exec_driver_sql("COMMIT")

    @abstractmethod
    def lock_schema(self, connection: Connection) -> None:
        """Inside a transaction: keep other processes from migrating at the same time."""

    @abstractmethod
    def exclusive(self, doing: str) -> AbstractContextManager[None]:
        """Held by who opens or rebuilds views, against other threads and (PostgreSQL) processes."""

    @abstractmethod
    def sole(self) -> AbstractContextManager[None]:
        """Held by the one program that works on the log. Raises `TryAgain` where another does."""

    @abstractmethod
    def insert(
        self, connection: Connection, table: str, kinds: Mapping[str, str], rows: Sequence[tuple[Any, ...]],
        then: str = "",
    ) -> None:  # fmt: skip
        """Insert rows into a table; `kinds` are PostgreSQL's names of the types of its columns, by their names."""

    @abstractmethod
    def kept_rows(self, connection: Connection, generation: int, keys: Sequence[str]) -> Iterable[tuple[Any, ...]]:
        """(key, sort, facet, body) of those rows of a view's generation that there are."""

    @abstractmethod
    def explain(self, error: Exception, doing: str) -> MonitorError:
        """What a driver's error means for the caller, in one line."""

    @abstractmethod
    def is_lost(self, connection: Connection) -> bool:
        """Whether the line to the database is dead."""

    def pipeline(self, connection: Connection) -> AbstractContextManager[Any]:
        """Statements in it are not answered one by one; what went wrong may be raised later, at the end at last."""
        return nullcontext()

    @abstractmethod
    def roll_back(self, connection: Connection) -> None: ...

    @abstractmethod
    def scrub(self, connection: Connection) -> None:
        """After an erasure: leave no copy of what was erased outside the tables, as far as that can be done."""

    @contextmanager
    def reading(self, doing: str = "reading") -> Iterator[Connection]:
        """A connection that reads; each statement sees what is committed when it begins."""
        with self.explained(doing):
            pooled = self._readers.raw_connection()
            connection = _driver(pooled)
            try:
                yield connection
            except self.errors:
                if self.is_lost(connection):
                    pooled.invalidate()
                raise
            finally:
                pooled.close()

    @contextmanager
    def steady(self, doing: str = "reading") -> Iterator[Connection]:
        """A connection to which the database stands still."""
        with self.reading(doing) as connection:
            connection.execute(self.snapshot)
            try:
                yield connection
            finally:
                self.roll_back(connection)

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turns the driver's errors into ours."""
        try:
            yield
        except (self.errors, SQLAlchemyError) as error:
            raise self.explain(error, doing) from error

    def fetch(self, connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows, as tuples."""
        return connection.execute(self.sql(statement), parameters).fetchall()  # type: ignore[no-any-return]

    def fetch_in(
        self, connection: Connection, statement: str, keys: Sequence[Any], *first: Any, between: str = ", "
    ) -> Iterator[Any]:
        """Rows of a statement that holds `{}`, a list of places for the keys; `first` are the parameters before.

        Lists are filled up to a power of two by repeating the last key, so that few statements are ever prepared.
        """
        for start in range(0, len(keys), 512):
            some = keys[start : start + 512]
            width = 1 << (len(some) - 1).bit_length()
            places = statement.format(between.join("?" * width))
            yield from self.fetch(connection, places, (*first, *some, *[some[-1]] * (width - len(some))))

    def execute(self, connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a statement once for each row of parameters."""
        if len(rows) == 1:
            connection.execute(self.sql(statement), rows[0])
        elif rows:
            connection.cursor().executemany(self.sql(statement), rows)


def _driver(pooled: PoolProxiedConnection) -> Connection:
    connection: Connection | None = pooled.driver_connection
    assert connection is not None
    return connection


def database(url: str) -> Database:
    """The database that a URL names. Raises `ConfigurationError`."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "database_url: not an address; write sqlite:///state/monitor.db or postgresql://user@host/database"
        ) from None
    kind = parsed.drivername.partition("+")[0]
    if kind == "sqlite":
        from monitor.store.sqlite import Sqlite

        if not parsed.database or parsed.database == ":memory:":
            raise ConfigurationError("database_url: SQLite needs a file, as in sqlite:///state/monitor.db")
        return Sqlite(Path(parsed.database), timeout=float(str(parsed.query.get("timeout", "5"))))
    if kind in ("postgresql", "postgres"):
        from monitor.store.postgres import Postgres

        return Postgres(parsed.set(drivername="postgresql+psycopg"))
    raise ConfigurationError(f"database_url: '{kind}' is not known; use sqlite:///… or postgresql://…")
