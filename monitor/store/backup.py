"""A consistent copy of the SQLite file while the daemon runs, and such a copy put back without sending it all again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import msgspec

from monitor.core.events import NewEvent, OutboxHeld
from monitor.core.views import ALL
from monitor.errors import MonitorError, StoreError, UsageError
from monitor.ports import Clock, Commit, Head
from monitor.store import schema
from monitor.store.chain import Entropy
from monitor.store.dialects import database
from monitor.store.erasure import SYSTEM
from monitor.store.reads import SqlReader
from monitor.store.sql import SqlStore
from monitor.store.sqlite import Sqlite
from monitor.store.verify import verify


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore did. `aside`: where the database that stood there is now, None where there was none.

    `lost`: how many of its events the backup does not have; None where that could not be read, or where its history
    is another one than the backup's.
    """

    head: Head
    aside: Path | None
    lost: int | None


def backup(url: str, file: Path) -> Head:
    """Copy the database to a new file, as of one moment, while others read and write; return the head in it.

    Raises `UsageError` for PostgreSQL, `StoreError` where the file exists, `Unavailable` where there is no database.
    """
    source = _sqlite(url, "backup", "pg_dump, or `monitor export`")
    if file.exists():
        raise StoreError(f"'{file}': exists already; nothing was written, choose another name")
    with _made_beside(file, ".partial") as partial:
        _copy(source, partial)
        head = _head(Sqlite(partial))
        _put(partial, file)
    return head


def restore(file: Path, url: str, *, clock: Clock, entropy: Entropy, replace: bool = False) -> Restored:
    """Put a backup in the place of the database, with the outbox held and the epoch raised.

    The copy is checked (file and chain) before anything is replaced. A database that stands there is refused unless
    `replace`, and then kept beside as `….before-restore-N`. The caller holds the daemon's lock.
    Raises `UsageError` for PostgreSQL, `Unavailable`, `TryAgain`, `StoreError`: nothing was replaced.
    """
    target = _sqlite(url, "restore", "pg_restore, or `monitor import`")
    there = target.path.exists() and target.path.stat().st_size > 0
    if there and not replace:
        raise StoreError(f"{target.place}: is there already; nothing was restored, replacing it must be asked for")
    with _made_beside(target.path, ".restoring") as copy:
        _check_file(Sqlite(file), file)
        _copy(Sqlite(file), copy)
        old = _old_head(target) if there else None
        with closing(SqlStore(f"sqlite:///{copy}", views=ALL, clock=clock, entropy=entropy)) as store:
            seen = verify(store, chain_only=True)
            if not seen.ok:
                raise StoreError(f"'{file}': position {seen.position}: {seen.reason}; nothing was restored")
            lost = _lost(target, old, seen.head) if old else None
            epoch = max(seen.head.epoch, old.epoch if old else 0) + 1
            store.write(lambda c: store.database.execute(c, "UPDATE log_head SET epoch = ?", [(epoch,)]), "restoring")
            reason = f"restored from backup '{file.name}'; what it holds may have been sent long ago"
            store.append(Commit(events=(NewEvent(stream=SYSTEM, event=OutboxHeld(reason=reason)),)))
            head = store.head()
        aside = _keep_beside(target) if there else None
        _put(copy, target.path)
    return Restored(head=head, aside=aside, lost=lost)


def _sqlite(url: str, verb: str, instead: str) -> Sqlite:
    found = database(url)
    if not isinstance(found, Sqlite):
        raise UsageError(f"{verb}: copies SQLite files; for PostgreSQL use {instead}")
    return found


@contextmanager
def _made_beside(file: Path, suffix: str) -> Iterator[Path]:
    """A new empty file in the same folder, gone afterwards unless it was moved into place."""
    path = file.with_name(file.name + suffix)
    try:
        for leftover in _trio(path):
            leftover.unlink(missing_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(f"'{path}': cannot be written: {error.strerror}; nothing was done") from error
    try:
        yield path
    finally:
        for leftover in _trio(path):
            leftover.unlink(missing_ok=True)


def _trio(path: Path) -> tuple[Path, Path, Path]:
    return path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _copy(source: Sqlite, file: Path) -> None:
    """One step, so one moment: in WAL mode it holds up nobody."""
    try:
        with (
            source.reading("copying") as connection,
            closing(sqlite3.connect(file, isolation_level=None)) as target,
        ):
            schema.check(source, connection, older=True)
            connection.backup(target)  # type: ignore[attr-defined]
            target.execute("PRAGMA journal_mode = DELETE")  # all in one file
    except sqlite3.Error as error:
        raise source.explain(error, "copying") from error
    finally:
        source.close()


def _check_file(source: Sqlite, file: Path) -> None:
    try:
        with source.reading("checking") as connection:
            found = source.fetch(connection, "PRAGMA integrity_check(1)")
    finally:
        source.close()
    if found != [("ok",)]:
        raise StoreError(f"'{file}': damaged ({found[0][0]}); nothing was restored")


def _head(source: Sqlite) -> Head:
    with closing(SqlReader(source)) as reader:
        return reader.head()


def _old_head(target: Sqlite) -> Head | None:
    """The head of what is to be replaced; None where it cannot be read, which may be why it is replaced."""
    try:
        return _head(target)
    except MonitorError:
        return None


def _lost(target: Sqlite, old: Head, restored: Head) -> int | None:
    if restored.position == 0:
        return old.position
    try:
        with closing(SqlReader(target)) as reader:
            same = reader.at(restored.position).hash == restored.hash
    except MonitorError:
        return None
    return old.position - restored.position if same else None


def _keep_beside(target: Sqlite) -> Path:
    """Give the old database a second name. Its WAL must not be there when the new one takes the first: SQLite would
    play it into the new file.
    """
    for number in count(1):
        aside = target.path.with_name(f"{target.path.name}.before-restore-{number}")
        if not aside.exists():
            break
    try:
        with closing(target.connect()) as connection:  # TryAgain where another process writes
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")  # fails while others have it open
    except sqlite3.Error as error:
        explained = target.explain(error, "restoring")
        if not isinstance(explained, StoreError):
            raise explained from error
        _, wal, _ = _trio(target.path)  # damaged: what its WAL holds is kept with it
        if wal.exists():
            wal.replace(aside.with_name(aside.name + "-wal"))
    os.link(target.path, aside)
    return aside


def _put(file: Path, place: Path) -> None:
    with file.open("rb+") as written:
        os.fsync(written.fileno())
    file.replace(place)
    if os.name == "posix":
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
