"""Reading the log, the views and the poll states from a database, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from monitor.core.events import Recorded
from monitor.core.views import View
from monitor.errors import NotFound, StoreError
from monitor.ports import Head, PollState
from monitor.store.chain import LogHead, StoredEvent, microseconds
from monitor.store.dialects import COLUMNS, Connection, Database
from monitor.store.fold import AnyView, KeptRow, envelopes, read_row, recorded

Row = TypeVar("Row", bound=msgspec.Struct)

PAGE = 250
"""Events or rows fetched at a time: no reader holds a transaction open between, and a page fits the CPU's cache."""

_SERVED = "generation = (SELECT generation FROM generations WHERE view = ? AND version = ? AND state = 'serving')"
# All walk the index of (stream, version) and gather nothing; the last, which knows the place, takes three times as long
# as the other two together.
_NOT_COUNTED = "SELECT 1 FROM events GROUP BY stream HAVING min(version) <> 1 OR max(version) <> count(*) LIMIT 1"
_NOT_RISING = (
    "SELECT 1 FROM events b JOIN events a ON a.stream = b.stream AND a.version = b.version - 1"
    " WHERE b.version > 1 AND a.position > b.position LIMIT 1"
)
_FIRST_MISNUMBERED = (
    "SELECT min(position) FROM (SELECT position, version, lag(version, 1, 0) OVER w AS version_before,"
    " lag(position, 1, 0) OVER w AS position_before FROM events"
    " WINDOW w AS (PARTITION BY stream ORDER BY version)) AS s"
    " WHERE version <> version_before + 1 OR position <= position_before"
)
_read_poll = msgspec.json.Decoder(PollState).decode


def fetch_events(
    database: Database,
    connection: Connection,
    after: int,
    upto: int,
    limit: int,
    *,
    stream: str | None = None,
    types: Sequence[str] | None = None,
) -> list[Any]:
    """At most `limit` rows of the log with position in (after, upto], in order: as `StoredEvent`, but plain tuples."""
    where = "position > ? AND position <= ?"
    parameters = [after, upto, *(() if stream is None else (stream,)), *(types or ())]
    if stream is not None:
        where += " AND stream = ?"
    if types is not None:
        where += f" AND type IN ({', '.join('?' * len(types)) or 'NULL'})"
    # Within a stream versions and positions rise together, and (stream, version) has the index.
    order = "position" if stream is None else "version"
    statement = f"SELECT {COLUMNS} FROM events WHERE {where} ORDER BY {order} LIMIT ?"
    return database.fetch(connection, statement, (*parameters, limit))


class SqlSnapshot:
    """A `kept.Snapshot`: the database at one moment, over one connection."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database, self._connection = database, connection
        self.head = LogHead(*self._fetch("SELECT position, hash, epoch, views_revision FROM log_head")[0])
        self.last: int = self._fetch("SELECT coalesce(max(position), 0) FROM events")[0][0]

    def _fetch(self, statement: str, *parameters: Any) -> list[Any]:
        return self._database.fetch(self._connection, statement, parameters)

    def checkpoints(self) -> dict[str, int]:
        return dict(self._fetch("SELECT subscription, position FROM checkpoints ORDER BY subscription"))

    def stored(self, after: int = 0) -> Iterator[StoredEvent]:
        while rows := fetch_events(self._database, self._connection, after, self.head.position, PAGE):
            yield from map(StoredEvent._make, rows)
            after = rows[-1][0]

    def misnumbered(self) -> int | None:
        if not self._fetch(_NOT_COUNTED) and not self._fetch(_NOT_RISING):
            return None
        return self._fetch(_FIRST_MISNUMBERED)[0][0]  # type: ignore[no-any-return]

    def kept(self, view: AnyView) -> Iterator[tuple[str, KeptRow]]:
        generation = serving_generation(self._database, self._connection, view)
        statement = "SELECT key, sort, facet, body FROM view_rows WHERE generation = ? AND key > ? ORDER BY key LIMIT ?"
        after = ""
        while rows := self._fetch(statement, generation, after, PAGE):
            yield from ((key, KeptRow(*kept)) for key, *kept in rows)
            after = rows[-1][0]


def serving_generation(database: Database, connection: Connection, view: AnyView) -> int:
    """The generation that serves a view. Raises `StoreError` where it is of another version."""
    statement = "SELECT generation, version FROM generations WHERE view = ? AND state = 'serving'"
    found = database.fetch(connection, statement, (view.name,))
    if not found or found[0][1] != view.version:
        raise StoreError(
            f"view '{view.name}' is not kept in version {view.version} yet; `monitor run` or"
            f" `monitor rebuild {view.name}` folds it anew"
        )
    return int(found[0][0])


def _facet(facet: str) -> str:
    return "facet = ? AND facet <> ''" if facet else "facet = ?"  # the index leaves out rows without a facet


class SqlReader:
    """What `SqlStore` can do without writing."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.notes = database.notes

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    # --- reading the log

    def read(
        self,
        after: int = 0,
        *,
        upto: int | None = None,
        stream: str | None = None,
        types: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Recorded]:
        for page in self._pages(after, upto, stream=stream, types=types, limit=limit):
            yield from envelopes(page)

    def stored(self, after: int = 0, *, upto: int | None = None, limit: int | None = None) -> Iterator[StoredEvent]:
        """As `read`, but rows as they are stored."""
        for page in self._pages(after, upto, limit=limit):
            yield from map(StoredEvent._make, page)

    def pages(self, after: int = 0, *, upto: int | None = None) -> Iterator[list[Any]]:
        """As `stored`, but plain tuples, some at a time."""
        return self._pages(after, upto)

    def _pages(
        self,
        after: int,
        upto: int | None,
        *,
        stream: str | None = None,
        types: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[list[Any]]:
        """What is appended after the first page is not waited for."""
        last = self.head().position if upto is None else upto
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            with self.database.reading() as connection:
                page = fetch_events(self.database, connection, after, last, size, stream=stream, types=types)
            yield page
            if len(page) < size:
                return
            after = page[-1][0]
            left = None if left is None else left - size

    def at(self, position: int) -> Recorded:
        found = next(self.stored(position - 1, upto=position), None)
        if found is None:
            raise NotFound(f"position {position}: the log ends at {self.head().position}")
        return recorded(found)

    def head(self) -> Head:
        position, digest, epoch = self._one("SELECT position, hash, epoch FROM log_head")
        return Head(position, digest.hex(), epoch)

    def version(self, stream: str) -> int:
        found = self._one("SELECT max(version) FROM events WHERE stream = ?", stream)
        return found[0] or 0

    def checkpoint(self, subscription: str) -> int:
        found = self._one("SELECT max(position) FROM checkpoints WHERE subscription = ?", subscription)
        return found[0] or 0

    def _one(self, statement: str, *parameters: Any) -> Any:
        with self.database.reading() as connection:
            rows = self.database.fetch(connection, statement, parameters)
        return rows[0]

    # --- reading views

    def get(self, view: View[Row], key: str) -> Row | None:
        found = self._of(view, "SELECT body FROM view_rows WHERE {} AND key = ?", key)
        return read_row(view, found[0][0]) if found else None

    def rows(
        self,
        view: View[Row],
        *,
        facet: str | None = None,
        after: int | None = None,
        upto: int | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> Iterator[Row]:
        where, parameters = "{}", list[Any]()
        if facet is not None:
            where, parameters = f"{where} AND {_facet(facet)}", [facet]
        if after is not None:
            where, parameters = f"{where} AND sort > ?", [*parameters, after]
        if upto is not None:
            where, parameters = f"{where} AND sort <= ?", [*parameters, upto]
        order, beyond = ("DESC", "<") if descending else ("ASC", ">")
        place: list[Any] = []
        while limit is None or limit > 0:
            page = PAGE if limit is None else min(PAGE, limit)
            statement = f"SELECT sort, key, body FROM view_rows WHERE {where}"
            if place:
                statement += f" AND (sort, key) {beyond} (?, ?)"
            statement += f" ORDER BY sort {order}, key {order} LIMIT ?"
            rows = self._of(view, statement, *parameters, *place, page)
            for _, _, body in rows:
                yield read_row(view, body)
            if len(rows) < page:
                return
            place = [*rows[-1][:2]]
            limit = None if limit is None else limit - page

    def count(self, view: View[Row], *, facet: str | None = None) -> int:
        statement = "SELECT count(*) FROM view_rows WHERE {}"
        if facet is None:
            found = self._of(view, statement)
        else:
            found = self._of(view, f"{statement} AND {_facet(facet)}", facet)
        return int(found[0][0])

    def _of(self, view: AnyView, statement: str, *parameters: Any) -> list[Any]:
        """What a statement finds where `{}` is the generation that serves; one statement, so no swap comes between.

        Raises `StoreError` where the view is served in another version.
        """
        with self.database.reading() as connection:
            found = self.database.fetch(connection, statement.format(_SERVED), (view.name, view.version, *parameters))
            if not found or found == [(0,)]:  # because there is nothing, or because nothing serves?
                serving_generation(self.database, connection, view)
        return found

    @contextmanager
    def snapshot(self) -> Iterator[SqlSnapshot]:
        """The database standing still. Keep it short on SQLite: the file cannot be checkpointed meanwhile."""
        with self.database.steady() as connection:
            yield SqlSnapshot(self.database, connection)

    # --- polls

    def poll(self, source_id: str) -> PollState | None:
        found = self._polls("WHERE source_id = ?", source_id)
        return found[0] if found else None

    def polls(self) -> list[PollState]:
        return self._polls("ORDER BY source_id")

    def due(self, now: datetime, limit: int) -> list[PollState]:
        return self._polls("WHERE next_due <= ? ORDER BY next_due, source_id LIMIT ?", microseconds(now), limit)

    def next_due(self) -> datetime | None:
        found = self._polls("WHERE next_due IS NOT NULL ORDER BY next_due LIMIT 1")
        return found[0].next_due if found else None

    def _polls(self, clause: str, *parameters: Any) -> list[PollState]:
        with self.database.reading() as connection:
            rows = self.database.fetch(connection, f"SELECT body FROM polls {clause}", parameters)
        return [_read_poll(body) for (body,) in rows]
