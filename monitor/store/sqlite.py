"""SQLite: a file in WAL mode, one connection that writes, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote

from sqlalchemy import NullPool, QueuePool, create_engine
from sqlalchemy.exc import DBAPIError

from monitor.errors import MonitorError, StoreError, TryAgain, Unavailable
from monitor.store.dialects import Connection, Database

WIDE = 20
"""How many rows one statement inserts. It keeps a copy of what it inserted last."""
_WAL_RESET_MENDED = (3, 51, 3)


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
                f"SQLite {sqlite3.sqlite_version} has the WAL-reset fault (mended in 3.51.3): let nothing else write to"
                " its file",
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
            connection.execute("PRAGMA cache_size = -8000")
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

    def sole(self) -> AbstractContextManager[None]:
        return nullcontext()  # the lock on `state/` does that (monitor.control)

    def insert(
        self, connection: Connection, table: str, kinds: Mapping[str, str], rows: Sequence[tuple[Any, ...]],
        then: str = "",
    ) -> None:  # fmt: skip
        whole = len(rows) - len(rows) % WIDE
        for start in range(0, whole, WIDE):
            self._insert_wide(connection, table, kinds, rows[start : start + WIDE], then)
        self.execute(
            connection, f"INSERT INTO {table} ({', '.join(kinds)}) VALUES {_places(len(kinds))} {then}", rows[whole:]
        )

    def _insert_wide(
        self, connection: Connection, table: str, kinds: Mapping[str, str], rows: Sequence[tuple[Any, ...]], then: str
    ) -> None:
        """Rows in one statement, a third cheaper than one by one, and other threads run meanwhile.

        For each None and each bytes the driver searches its adapters in vain, which costs as much as to bind a row: a
        column that is NULL throughout is left out, and a bytearray is bound as it is. OR ROLLBACK (who calls gives up
        the transaction anyway) spares SQLite the journal by which it could undo a single statement.
        """
        columns = {
            name: [value and bytearray(value) for value in column] if kinds[name] == "bytea" else column
            for name, column in zip(kinds, zip(*rows, strict=True), strict=True)
            if column.count(None) < len(column)
        }
        places = ", ".join([_places(len(columns))] * len(rows))
        connection.execute(
            f"INSERT OR ROLLBACK INTO {table} ({', '.join(columns)}) VALUES {places} {then}",
            list(chain.from_iterable(zip(*columns.values(), strict=True))),
        )

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
                return Unavailable(
                    f"{self.place}: read-only; nothing was done, give this user the right to write to it"
                )
            case sqlite3.SQLITE_FULL:
                return StoreError(f"{self.place}: disk full while {doing}; nothing was done, it works again with space")
            case sqlite3.SQLITE_NOTADB:
                return StoreError(f"{self.place}: not an SQLite database; it was not touched")
            case sqlite3.SQLITE_CORRUPT:
                return StoreError(f"{self.place}: damaged ({text}); run `monitor verify`, then restore a backup")
            case sqlite3.SQLITE_CANTOPEN:
                return Unavailable(f"{self.place}: cannot be opened ({text}); look at the folder and its permissions")
        return StoreError(f"{self.place}: {text} while {doing}; nothing was done")


def _places(number: int) -> str:
    return f"({', '.join('?' * number)})"
