"""Reading the log, the views and the poll states from a database, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection

from monitor.core.events import Recorded
from monitor.core.views import View
from monitor.errors import NotFound, StoreError
from monitor.ports import Head, PollState
from monitor.store.chain import StoredEvent, microseconds
from monitor.store.dialects import COLUMNS, Database
from monitor.store.fold import AnyView, read_row, recorded

Row = TypeVar("Row", bound=msgspec.Struct)

PAGE = 1000
"""Events or rows fetched at a time, so that no reader holds a transaction open between them."""

_SERVING = "JOIN generations g ON g.generation = r.generation AND g.state = 'serving' AND g.view = ?"
_read_poll = msgspec.json.Decoder(PollState).decode


class SqlReader:
    """What `SqlStore` can do without writing."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.notes = database.notes

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
        return map(recorded, self.stored(after, upto=upto, stream=stream, types=types, limit=limit))

    def stored(
        self,
        after: int = 0,
        *,
        upto: int | None = None,
        stream: str | None = None,
        types: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[StoredEvent]:
        """As `read`, but rows as they are stored. What is appended after the first is not waited for."""
        last = self.head().position if upto is None else upto
        fixed: list[Any] = []
        where, order = "position > ? AND position <= ?", "position"
        if stream is not None:
            where, order, fixed = f"{where} AND stream = ?", "version", [stream]
        if types is not None:
            where, fixed = f"{where} AND type IN ({', '.join('?' * len(types)) or 'NULL'})", [*fixed, *types]
        statement = f"SELECT {COLUMNS} FROM events WHERE {where} ORDER BY {order} LIMIT ?"
        wanted = limit
        while wanted is None or wanted > 0:
            page = PAGE if wanted is None else min(PAGE, wanted)
            with self.database.reading() as connection:
                rows = self.database.fetch(connection, statement, (after, last, *fixed, page))
            yield from map(StoredEvent._make, rows)
            if len(rows) < page:
                return
            after = rows[-1][0]
            wanted = None if wanted is None else wanted - page

    def stored_within(self, connection: Connection, after: int, upto: int) -> list[StoredEvent]:
        """Rows with position in (after, upto], read in the caller's transaction."""
        statement = f"SELECT {COLUMNS} FROM events WHERE position > ? AND position <= ? ORDER BY position"
        return [StoredEvent._make(row) for row in self.database.fetch(connection, statement, (after, upto))]

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
        with self.database.reading() as connection:
            statement = f"SELECT g.version, r.body FROM view_rows r {_SERVING} WHERE r.key = ?"
            found = self.database.fetch(connection, statement, (view.name, key))
            self._check_serving(connection, view, found)
        return read_row(view, found[0][1]) if found else None

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
        for _, body in self.row_bodies(view, facet=facet, after=after, upto=upto, descending=descending, limit=limit):
            yield read_row(view, body)

    def row_bodies(
        self,
        view: AnyView,
        *,
        facet: str | None = None,
        after: int | None = None,
        upto: int | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[str, bytes]]:
        """As `rows`, but (key, JSON bytes)."""
        where, fixed = "", list[Any]()
        if facet is not None:
            where, fixed = (" AND r.facet = ? AND r.facet <> ''" if facet else " AND r.facet = ?"), [facet]
        if after is not None:
            where, fixed = f"{where} AND r.sort > ?", [*fixed, after]
        if upto is not None:
            where, fixed = f"{where} AND r.sort <= ?", [*fixed, upto]
        order, beyond = ("DESC", "<") if descending else ("ASC", ">")
        place: tuple[Any, ...] = ()
        while limit is None or limit > 0:
            page = PAGE if limit is None else min(PAGE, limit)
            statement = (
                f"SELECT r.sort, r.key, r.body, g.version FROM view_rows r {_SERVING} WHERE 1 = 1{where}"
                f"{f' AND (r.sort, r.key) {beyond} (?, ?)' if place else ''}"
                f" ORDER BY r.sort {order}, r.key {order} LIMIT ?"
            )
            with self.database.reading() as connection:
                rows = self.database.fetch(connection, statement, (view.name, *fixed, *place, page))
                self._check_serving(connection, view, [(row[3],) for row in rows[:1]])
            yield from ((key, body) for _, key, body, _ in rows)
            if len(rows) < page:
                return
            place = rows[-1][:2]
            limit = None if limit is None else limit - page

    def count(self, view: View[Row], *, facet: str | None = None) -> int:
        statement = f"SELECT count(*), max(g.version) FROM view_rows r {_SERVING}"
        fixed = [view.name]
        if facet is not None:
            statement, fixed = f"{statement} WHERE r.facet = ?", [view.name, facet]
            statement += " AND r.facet <> ''" if facet else ""
        with self.database.reading() as connection:
            found = self.database.fetch(connection, statement, fixed)
            self._check_serving(connection, view, [(version,) for _, version in found if version is not None])
        return int(found[0][0])

    def _check_serving(self, connection: Connection, view: AnyView, found: Sequence[Sequence[Any]]) -> None:
        """Refuse rows of another version; where there are none, make sure that it is because there are none."""
        versions = (
            [found[0][0]]
            if found
            else [
                version
                for (version,) in self.database.fetch(
                    connection, "SELECT version FROM generations WHERE view = ? AND state = 'serving'", (view.name,)
                )
            ]
        )
        if versions != [view.version]:
            raise StoreError(
                f"view '{view.name}' is not kept in version {view.version} yet; `monitor run` or"
                f" `monitor rebuild {view.name}` folds it anew"
            )

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
