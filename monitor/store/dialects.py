"""What differs between SQLite and PostgreSQL: connecting, locking the log's end, bulk inserts, and what errors mean.

Connections are in autocommit and transactions are opened in plain SQL, so that BEGIN is the one we mean.
"""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from monitor.errors import ConfigurationError, MonitorError, StoreError, TryAgain, Unavailable
from monitor.store.chain import StoredEvent

COLUMNS = ", ".join(StoredEvent._fields)
_INSERT_EVENT = f"INSERT INTO events ({COLUMNS}) VALUES ({', '.join('?' * len(StoredEvent._fields))})"
_WAL_RESET_MENDED = (3, 51, 3)


class Database(ABC):
    """One database: how to reach it and how to speak to it. `place` names it in messages, without secrets."""

    place: str
    notes: tuple[str, ...] = ()
    begin: str
    snapshot: str
    lock_head: str
    tables: str
    reader: Engine

    def sql(self, statement: str) -> str:
        """The statement, written with `?`, in the driver's style."""
        return statement

    @abstractmethod
    def connect(self) -> Connection:
        """The one connection that writes."""

    @abstractmethod
    def lock_schema(self, connection: Connection) -> None:
        """Inside a transaction: keep other processes from migrating at the same time."""

    @abstractmethod
    def exclusive(self, doing: str) -> AbstractContextManager[None]:
        """Held by who opens or rebuilds views, against other threads and (PostgreSQL) processes."""

    @abstractmethod
    def insert_events(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None: ...

    @abstractmethod
    def explain(self, error: Exception, doing: str) -> MonitorError:
        """What a driver's error means for the caller, in one line."""

    def roll_back(self, connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    @abstractmethod
    def scrub(self, connection: Connection) -> None:
        """After an erasure: leave no copy of what was erased outside the tables, as far as that can be done."""

    @contextmanager
    def reading(self, doing: str = "reading") -> Iterator[Connection]:
        """A connection that reads; each statement sees what is committed when it begins."""
        try:
            with self.reader.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self.explain(error, doing) from error

    @contextmanager
    def steady(self, doing: str = "reading") -> Iterator[Connection]:
        """A connection to which the database stands still."""
        with self.reading(doing) as connection:
            connection.exec_driver_sql(self.snapshot)
            try:
                yield connection
            finally:
                self.roll_back(connection)

    def fetch(self, connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows as the driver gives them: plain tuples, without the cost of SQLAlchemy's."""
        cursor = connection.exec_driver_sql(self.sql(statement), tuple(parameters)).cursor
        assert cursor is not None
        return list(cursor.fetchall())

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
        if rows:
            connection.exec_driver_sql(self.sql(statement), list(rows))

    def close(self) -> None:
        self.reader.dispose()


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

    def __init__(self, path: Path, *, timeout: float = 5) -> None:
        self._rebuilding = Lock()
        self.path, self.place, self._timeout = path, f"database '{path}'", timeout
        self.reader = create_engine("sqlite://", creator=self._open_reader, poolclass=QueuePool, max_overflow=-1)
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

    def connect(self) -> Connection:
        return create_engine("sqlite://", creator=self._open_writer, poolclass=NullPool).connect()

    def lock_schema(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE is enough."""

    @contextmanager
    def exclusive(self, doing: str) -> Iterator[None]:
        with self._rebuilding:
            yield

    def insert_events(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        self.execute(connection, _INSERT_EVENT, rows)

    def roll_back(self, connection: Connection) -> None:
        # Some errors (disk full) roll back by themselves, and then ROLLBACK is an error of its own.
        if connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
            connection.exec_driver_sql("ROLLBACK")

    def scrub(self, connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

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
            "connect_timeout": 10, "application_name": "theme-monitor", "client_encoding": "utf8",
            "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 30_000,
        }  # fmt: skip
        options: dict[str, Any] = {
            "connect_args": arguments, "isolation_level": "AUTOCOMMIT", "use_native_hstore": False,
        }  # fmt: skip
        try:
            self.reader = create_engine(url, pool_pre_ping=True, max_overflow=-1, **options)
            self._writer = create_engine(url, poolclass=NullPool, **options)
        except ModuleNotFoundError:
            raise ConfigurationError(
                "database_url: PostgreSQL needs the driver psycopg; pip install 'theme-monitor[postgres]'"
            ) from None

    def sql(self, statement: str) -> str:
        return statement.replace("?", "%s")

    def connect(self) -> Connection:
        connection = self._writer.connect()
        try:
            # A writer that stops in mid-transaction (paused machine, dead network) must not hold the log for ever.
            for name, loose, strict in (
                ("idle_in_transaction_session_timeout", "0", "60s"),
                ("lock_timeout", "0", "30s"),
                ("synchronous_commit", "off", "on"),
            ):
                connection.exec_driver_sql(
                    "SELECT set_config(%s, %s, false) WHERE current_setting(%s) = %s", (name, strict, name, loose)
                )
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
            if encoding != "UTF8":
                raise ConfigurationError(f"{self.place}: its encoding is {encoding}; make it with ENCODING 'UTF8'")
        except BaseException:
            connection.close()
            raise
        return connection

    def lock_schema(self, connection: Connection) -> None:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('theme-monitor ' || current_schema()))")

    @contextmanager
    def exclusive(self, doing: str) -> Iterator[None]:
        key = "hashtext('theme-monitor views ' || current_schema())"
        with self.reading(doing) as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({key})")
            try:
                yield
            finally:
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({key})")

    def insert_events(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        self.execute(connection, _INSERT_EVENT, rows)

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
