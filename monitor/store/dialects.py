"""What differs between SQLite and PostgreSQL: connecting, locking the log's end, bulk inserts, and what errors mean.

SQLAlchemy makes the connections (driver, URL, pool) and alembic the tables. Connections are in autocommit and
transactions are opened in plain SQL, so that BEGIN is the one we mean.
"""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, Protocol
from urllib.parse import quote

from sqlalchemy import URL, Engine, NullPool, PoolProxiedConnection, QueuePool, create_engine, make_url
from sqlalchemy import Connection as SqlAlchemyConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from monitor.errors import ConfigurationError, MonitorError, StoreError, TryAgain, Unavailable
from monitor.store.chain import StoredEvent

COLUMNS = ", ".join(StoredEvent._fields)
_WAL_RESET_MENDED = (3, 51, 3)


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
    def insert(
        self, connection: Connection, into: str, kinds: Sequence[str], rows: Sequence[tuple[Any, ...]], then: str = ""
    ) -> None:
        """Insert rows into a table: `into` is its name and columns, `kinds` PostgreSQL's names of their types."""

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
        """Statements in it need not be answered one by one; what went wrong may be raised later, at the end at last."""
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
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigurationError("database_url: SQLite needs a file, as in sqlite:///state/monitor.db")
        return Sqlite(Path(parsed.database), timeout=float(str(parsed.query.get("timeout", "5"))))
    if kind in ("postgresql", "postgres"):
        return Postgres(parsed.set(drivername="postgresql+psycopg"))
    raise ConfigurationError(f"database_url: '{kind}' is not known; use sqlite:///… or postgresql://…")


class Sqlite(Database):
    """A file in WAL mode. One connection writes and is the only one that checkpoints; the others open read-only."""

    begin = "BEGIN IMMEDIATE"
    snapshot = "BEGIN"
    lock_head = "SELECT position, hash, epoch, views_revision FROM log_head"  # BEGIN IMMEDIATE holds the whole file
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    errors = sqlite3.Error
    conflict = sqlite3.IntegrityError

    def __init__(self, path: Path, *, timeout: float = 5) -> None:
        self._rebuilding = Lock()
        self.path, self.place, self._timeout = path, f"database '{path}'", timeout
        super().__init__(
            create_engine("sqlite://", creator=self._open_reader, poolclass=QueuePool, max_overflow=-1),
            create_engine("sqlite://", creator=self._open_writer, poolclass=NullPool),
        )
        if sqlite3.sqlite_version_info < _WAL_RESET_MENDED:
            self.notes = (
                f"SQLite {sqlite3.sqlite_version} has the WAL-reset fault (mended in 3.51.3); this store writes and"
                " checkpoints on one connection, which keeps clear of it, so let no other program write to the file",
            )

    def _open(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(self.path))}?mode={mode}", uri=True, isolation_level=None, timeout=self._timeout,
            check_same_thread=False, cached_statements=256,
        )  # fmt: skip

    def _open_reader(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise Unavailable(f"{self.place}: not there; `monitor run` makes it")
        connection = self._open("ro")  # mode=ro never checkpoints, not even when it is the last to close
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _open_writer(self) -> sqlite3.Connection:
        self._create()
        connection = self._open("rw")
        try:
            connection.execute("PRAGMA page_size = 8192")  # heeded by an empty file only
            connection.execute("BEGIN IMMEDIATE")  # says at once that the file is locked, read-only or no database
            connection.execute("ROLLBACK")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            connection.execute("PRAGMA cache_size = -32000")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA secure_delete = ON")  # what was erased is overwritten with zeros
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self) -> None:
        try:
            self.path.parent.mkdir(exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise Unavailable(f"{self.place}: cannot be created: {error.strerror}; nothing was done") from error

    def lock_schema(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE is enough."""

    @contextmanager
    def exclusive(self, doing: str) -> Iterator[None]:
        with self._rebuilding:
            yield

    def insert(
        self, connection: Connection, into: str, kinds: Sequence[str], rows: Sequence[tuple[Any, ...]], then: str = ""
    ) -> None:
        self.execute(connection, f"INSERT INTO {into} VALUES ({', '.join('?' * len(kinds))}) {then}", rows)

    def roll_back(self, connection: Connection) -> None:
        # Some errors (disk full) roll back by themselves, and then ROLLBACK is an error of its own.
        if connection.in_transaction:  # type: ignore[attr-defined]
            connection.execute("ROLLBACK")

    def is_lost(self, connection: Connection) -> bool:
        return False

    def kept_rows(self, connection: Connection, generation: int, keys: Sequence[str]) -> Iterable[tuple[Any, ...]]:
        statement = "SELECT key, sort, facet, body FROM view_rows WHERE generation = ? AND key IN ({})"
        return self.fetch_in(connection, statement, keys, generation)

    def scrub(self, connection: Connection) -> None:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def explain(self, error: Exception, doing: str) -> MonitorError:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        text = str(cause).splitlines()[0]
        code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
        match code:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return TryAgain(f"{self.place}: another process is writing to it; nothing was done, try again")
            case sqlite3.SQLITE_READONLY:
                return StoreError(f"{self.place}: read-only; nothing was done, give this user the right to write to it")
            case sqlite3.SQLITE_FULL:
                return StoreError(f"{self.place}: disk full while {doing}; nothing was done, it works again with space")
            case sqlite3.SQLITE_NOTADB:
                return StoreError(f"{self.place}: not an SQLite database; it was not touched")
            case sqlite3.SQLITE_CORRUPT:
                return StoreError(f"{self.place}: damaged ({text}); run `monitor verify`, then restore a backup")
            case sqlite3.SQLITE_CANTOPEN:
                return Unavailable(f"{self.place}: cannot be opened ({text}); look at the folder and its permissions")
        return StoreError(f"{self.place}: {text} while {doing}; nothing was done")


class Postgres(Database):
    """A server shared by several processes; the row of `log_head` serialises them."""

    begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
    snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    lock_head = "SELECT position, hash, epoch, views_revision FROM log_head FOR UPDATE"
    tables = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"

    def __init__(self, url: URL) -> None:
        self.place = f"database '{url.set(drivername='postgresql', query={}).render_as_string(hide_password=True)}'"
        arguments = {
            "connect_timeout": 10, "application_name": "theme-monitor", "client_encoding": "utf8", "autocommit": True,
            "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 30_000,
        }  # fmt: skip
        options: dict[str, Any] = {"connect_args": arguments, "use_native_hstore": False}
        try:
            import psycopg

            super().__init__(
                create_engine(url, pool_pre_ping=True, max_overflow=-1, **options),
                create_engine(url, poolclass=NullPool, **options),
            )
        except ModuleNotFoundError:
            raise ConfigurationError(
                "database_url: PostgreSQL needs the driver psycopg; pip install 'theme-monitor[postgres]'"
            ) from None
        self.errors, self.conflict = psycopg.Error, psycopg.errors.IntegrityError
        self._pipelines = psycopg.capabilities.has_pipeline()

    def sql(self, statement: str) -> str:
        return statement.replace("?", "%s")

    def fetch(self, connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        # Bytes in binary, not twice as long in hex.
        execute: Any = connection.execute
        return execute(self.sql(statement), parameters, binary=True).fetchall()  # type: ignore[no-any-return]

    def connect(self) -> Connection:
        connection = super().connect()
        try:
            # A writer that stops in mid-transaction (paused machine, dead network) must not hold the log for ever.
            for name, loose, strict in (
                ("idle_in_transaction_session_timeout", "0", "60s"),
                ("lock_timeout", "0", "30s"),
                ("synchronous_commit", "off", "on"),
            ):
                connection.execute(
                    "SELECT set_config(%s, %s, false) WHERE current_setting(%s) = %s", (name, strict, name, loose)
                )
            encoding = self.fetch(connection, "SHOW server_encoding")[0][0]
            if encoding != "UTF8":
                raise ConfigurationError(f"{self.place}: its encoding is {encoding}; make it with ENCODING 'UTF8'")
        except BaseException:
            connection.close()
            raise
        return connection

    def lock_schema(self, connection: Connection) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('theme-monitor ' || current_schema()))")

    @contextmanager
    def exclusive(self, doing: str) -> Iterator[None]:
        key = "hashtext('theme-monitor views ' || current_schema())"
        with self.reading(doing) as connection:
            connection.execute(f"SELECT pg_advisory_lock({key})")
            try:
                yield
            finally:
                if not self.is_lost(connection):
                    connection.execute(f"SELECT pg_advisory_unlock({key})")

    def pipeline(self, connection: Connection) -> AbstractContextManager[Any]:
        return connection.pipeline() if self._pipelines else nullcontext()  # type: ignore[attr-defined]

    def roll_back(self, connection: Connection) -> None:
        connection.rollback()  # type: ignore[attr-defined]

    def is_lost(self, connection: Connection) -> bool:
        return bool(connection.closed)  # type: ignore[attr-defined]

    def insert(
        self, connection: Connection, into: str, kinds: Sequence[str], rows: Sequence[tuple[Any, ...]], then: str = ""
    ) -> None:
        # One array a column in binary: twice to three times as fast as a statement a row, even in a pipeline.
        arrays = ", ".join(f"%b::{kind}[]" for kind in kinds)
        if rows:
            connection.execute(
                f"INSERT INTO {into} SELECT * FROM unnest({arrays}) {then}", list(map(list, zip(*rows, strict=True)))
            )

    def kept_rows(self, connection: Connection, generation: int, keys: Sequence[str]) -> Iterable[tuple[Any, ...]]:
        # A seek a key: of a table that was never analysed the planner thinks that reading it all is cheaper.
        statement = (
            "SELECT r.* FROM unnest(%s::text[]) AS k(key) CROSS JOIN LATERAL (SELECT key, sort, facet, body"
            ' FROM view_rows v WHERE v.generation = %s AND v.key = k.key COLLATE "C" LIMIT 1) AS r'
        )
        return self.fetch(connection, statement, (list(keys), generation))

    def scrub(self, connection: Connection) -> None:
        """VACUUM removes the old rows for good, and the server does that by itself in time."""

    def explain(self, error: Exception, doing: str) -> MonitorError:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        text = (str(cause) or type(cause).__name__).splitlines()[0]
        state = getattr(cause, "sqlstate", None) or ""
        if state == "53100":
            return StoreError(f"{self.place}: disk full while {doing}; nothing was done, it works again with space")
        if state in ("55P03", "57014", "40001", "40P01"):
            return TryAgain(f"{self.place}: another process holds the log ({text}); nothing was done, try again")
        if state in ("25006", "42501"):
            return StoreError(f"{self.place}: read-only for this user ({text}); nothing was done")
        if not state or state[:2] in ("08", "28", "3D", "53", "57") or state == "25P03":
            return Unavailable(f"{self.place}: {text} while {doing}; try again when the server answers")
        return StoreError(f"{self.place}: {text} while {doing}; nothing was done")
