"""The store on SQLite and PostgreSQL: appends in one transaction with everything that follows from them, and reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from monitor.core.events import Recorded
from monitor.errors import MonitorError, StoreError
from monitor.ports import Appended, Clock, Commit, PollState
from monitor.store import generations, schema
from monitor.store.chain import Entropy, LogHead, StoredEvent, commit_to, microseconds
from monitor.store.dialects import database
from monitor.store.erasure import SYSTEM, erasable, erasure, touched
from monitor.store.fold import AnyView, Change, KeptRow, changes, named
from monitor.store.plan import Batch, Known, Used, draft_all
from monitor.store.reads import SqlReader, fetch_events
from monitor.store.writer import Work, Writer

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class _Tried(NamedTuple):
    """What a transaction wrote, and what it is to each of its works."""

    batch: Batch
    outcomes: list[tuple[tuple[Appended, ...] | None, MonitorError | None]]


class SqlStore(SqlReader):
    """A `ports.EventStore` in a database. Open it with `monitor.store.open_store`."""

    def __init__(
        self, url: str, *, views: Collection[AnyView], clock: Clock, entropy: Entropy, read_only: bool = False
    ) -> None:
        super().__init__(database(url))
        self.views, self.read_only = tuple(views), read_only
        self._clock, self._entropy = clock, entropy
        self._connection: Connection | None = None
        self._live = generations.UNKNOWN
        self._writer: Writer | None = None
        try:
            if read_only:
                with self.database.reading("opening") as connection:
                    schema.check(self.database, connection)
                return
            schema.prepare(self.database, self._connected())
            self._writer = Writer(self._commit_group)
            generations.settle(self)
        except BaseException as error:
            self.close()
            if isinstance(error, SQLAlchemyError):
                raise self.database.explain(error, "opening") from error
            raise

    def close(self) -> None:
        """Finish what is being written and let go of the database."""
        self.database.close()  # before the writer: on SQLite the last connection to close checkpoints, if it can write
        if self._writer is None:
            self._disconnect()
        else:
            self._writer.close(self._disconnect)

    # --- the writing connection; once the store is open, only who has the writer's turn touches it

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self.database.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # it is gone, which is what was wanted
                connection.close()

    def write(self, job: Callable[[Connection], T], doing: str) -> T:
        """Run `job` in a transaction of its own, when nobody else writes."""

        def run() -> T:
            try:
                return self._transact(job)
            except SQLAlchemyError as error:
                raise self.database.explain(error, doing) from error

        return self._to_write().do(run)

    def _to_write(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self.database.place}: opened for reading only; nothing was done")
        return self._writer

    def _transact(self, job: Callable[[Connection], T]) -> T:
        connection = self._begun()
        try:
            result = job(connection)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            self._give_up(connection)
            raise
        return result

    def _begun(self) -> Connection:
        for again in (False, True):
            connection = self._connected()
            try:
                connection.exec_driver_sql(self.database.begin)
                return connection
            except DBAPIError as error:
                self._give_up(connection)
                if again or not error.connection_invalidated:
                    raise
        raise AssertionError("not reached")

    def _give_up(self, connection: Connection) -> None:
        self._live = generations.UNKNOWN  # it may have been read from what is now rolled back
        try:
            if connection.invalidated:
                self._disconnect()
            else:
                self.database.roll_back(connection)
        except SQLAlchemyError:
            self._disconnect()

    # --- appending

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        return self._to_write().append(commit, draft_all(commit.events, self._entropy))

    def _commit_group(self, works: Sequence[Work]) -> None:
        tried: list[_Tried] = []

        def run(connection: Connection) -> _Tried:
            tried.append(self._append(connection, works, tried[-1] if tried else None))
            return tried[-1]

        try:
            try:
                done = self._transact(run)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                done = self._transact(run)  # the line went dead; COMMIT may have gone through unheard
        except SQLAlchemyError as error:
            self._refuse(works, self.database.explain(error, "appending"), error)
        except Exception as error:
            self._refuse(works, error, None)
        else:
            for work, (placed, refusal) in zip(works, done.outcomes, strict=True):
                work.placed, work.error = placed, refusal

    def _refuse(self, works: Sequence[Work], error: Exception, cause: Exception | None) -> None:
        error.__cause__ = cause or error.__cause__
        alone = len(works) == 1
        for work in works:
            if alone or not isinstance(error, StoreError):
                work.error = error
            else:
                self._commit_group([work])  # one commit's fault must not fail the others

    def _append(self, connection: Connection, works: Sequence[Work], before: _Tried | None) -> _Tried:
        head = self._head_to_extend(connection)
        if before is not None and self._landed(connection, before.batch):
            return before
        batch = Batch(head, self._known(connection, works), microseconds(self._clock()), fold=bool(self.views))
        outcomes: list[tuple[tuple[Appended, ...] | None, MonitorError | None]] = []
        for work in works:
            try:
                outcomes.append((batch.place(work.commit, work.drafts), None))
            except MonitorError as error:
                outcomes.append((None, error))
        self._write(connection, batch)
        return _Tried(batch, outcomes)

    def _landed(self, connection: Connection, batch: Batch) -> bool:
        """Whether a batch is stored: its first hash covers our own salt, so nobody else can have written it."""
        first = batch.rows[0] if batch.rows else None
        statement = "SELECT hash FROM events WHERE position = ?"
        return first is not None and self.database.fetch(connection, statement, first[:1]) == [first[-1:]]

    def locked_head(self, connection: Connection) -> LogHead:
        """The log's end, held until the transaction ends."""
        found = self.database.fetch(connection, self.database.lock_head)
        if not found:
            raise StoreError(f"{self.database.place}: the row of the log's head is gone; restore a backup")
        return LogHead(*found[0])

    def _head_to_extend(self, connection: Connection) -> LogHead:
        """The log's end, and `_live` in step with it."""
        head = self.locked_head(connection)
        if head.views_revision != self._live.revision:
            self._live = generations.live(self, connection, head.views_revision)
        return head

    def _write(self, connection: Connection, batch: Batch) -> None:
        if batch.rows:
            self.database.insert_events(connection, batch.rows)
            serving = self._live.serving
            self.write_changes(connection, serving, self.changes(connection, serving, batch.recorded))
            self.database.execute(
                connection, "UPDATE log_head SET position = ?, hash = ?", [(batch.head.position, batch.head.hash)]
            )
        self.database.execute(
            connection,
            "INSERT INTO checkpoints (subscription, position) VALUES (?, ?)"
            " ON CONFLICT (subscription) DO UPDATE SET position = excluded.position",
            list(batch.checkpoints.items()),
        )
        self._write_polls(connection, batch.polls)

    def _known(self, connection: Connection, works: Sequence[Work]) -> Known:
        fetch_in = self.database.fetch_in
        drafts = [draft for work in works for draft in work.drafts]
        dedupes = list({draft.dedupe for draft in drafts if draft.dedupe is not None})
        ids = list({draft.event_id for draft in drafts if draft.event_id is not None})
        streams = list({draft.stream for draft in drafts}.union(*(work.commit.expected for work in works)))
        names = list({work.commit.checkpoint[0] for work in works if work.commit.checkpoint})
        return Known(
            dict(fetch_in(connection, "SELECT dedupe, position FROM events WHERE dedupe IN ({})", dedupes)),
            {
                row[0]: Used(*row[1:])
                for row in fetch_in(
                    connection, "SELECT event_id, position, stream, type FROM events WHERE event_id IN ({})", ids
                )
            },
            self._versions(connection, streams),
            self._checkpoints(connection, names),
        )

    def _checkpoints(self, connection: Connection, names: Sequence[str]) -> dict[str, int]:
        statement = "SELECT subscription, position FROM checkpoints WHERE subscription IN ({})"
        return dict(self.database.fetch_in(connection, statement, names))

    def _versions(self, connection: Connection, streams: Sequence[str]) -> dict[str, int]:
        # A seek to the end of each stream; GROUP BY would walk every version of it.
        statement = (
            "SELECT s.column1, (SELECT max(version) FROM events e WHERE e.stream = s.column1) FROM (VALUES ({})) AS s"
        )
        found: dict[str, int] = {}
        for start in range(0, len(streams), 256):
            some = streams[start : start + 256]
            width = 1 << (len(some) - 1).bit_length()
            places = statement.format("), (".join("?" * width))
            rows = self.database.fetch(connection, places, (*some, *[some[-1]] * (width - len(some))))
            found.update((stream, version) for stream, version in rows if version is not None)
        return found

    def _write_polls(self, connection: Connection, polls: Mapping[str, PollState | None]) -> None:
        kept = [
            (source_id, poll.next_due and microseconds(poll.next_due), _encode(poll))
            for source_id, poll in polls.items()
            if poll is not None
        ]
        self.database.execute(
            connection,
            "INSERT INTO polls (source_id, next_due, body) VALUES (?, ?, ?)"
            " ON CONFLICT (source_id) DO UPDATE SET next_due = excluded.next_due, body = excluded.body",
            kept,
        )
        gone = [(source_id,) for source_id, poll in polls.items() if poll is None]
        self.database.execute(connection, "DELETE FROM polls WHERE source_id = ?", gone)

    # --- views, written

    def changes(
        self, connection: Connection, serving: Mapping[AnyView, int], events: Sequence[Recorded]
    ) -> list[tuple[AnyView, list[Change]]]:
        """What events make of the rows of these generations; nothing is written."""

        def load(view: AnyView, keys: Sequence[str]) -> dict[str, KeptRow]:
            statement = "SELECT key, sort, facet, body FROM view_rows WHERE generation = ? AND key IN ({})"
            rows = self.database.fetch_in(connection, statement, keys, serving[view])
            return {key: KeptRow(*kept) for key, *kept in rows}

        return list(changes(serving, events, load))

    def write_changes(
        self,
        connection: Connection,
        serving: Mapping[AnyView, int],
        changed_views: Iterable[tuple[AnyView, list[Change]]],
    ) -> None:
        """Write rows into these generations, in the caller's transaction."""
        added: list[tuple[Any, ...]] = []
        edited: list[tuple[Any, ...]] = []
        moved: list[tuple[Any, ...]] = []
        gone: list[tuple[Any, ...]] = []
        for view, changed in changed_views:
            generation = serving[view]
            for key, before, after in changed:
                if after is None:
                    gone.append((generation, key))
                elif before is None:
                    added.append((generation, key, *after))
                elif before[:2] == after[:2]:  # leaves the indices alone
                    edited.append((after.body, generation, key))
                else:
                    moved.append((*after, generation, key))
        execute = self.database.execute
        execute(connection, "INSERT INTO view_rows (generation, key, sort, facet, body) VALUES (?, ?, ?, ?, ?)", added)
        execute(connection, "UPDATE view_rows SET body = ? WHERE generation = ? AND key = ?", edited)
        execute(
            connection, "UPDATE view_rows SET sort = ?, facet = ?, body = ? WHERE generation = ? AND key = ?", moved
        )
        execute(connection, "DELETE FROM view_rows WHERE generation = ? AND key = ?", gone)

    # --- what the commands need

    def extend(self, rows: Sequence[StoredEvent], checkpoints: Mapping[str, int]) -> None:
        """See `kept.KeptLog`."""

        def run(connection: Connection) -> None:
            head = self._head_to_extend(connection)
            known = Known(
                versions=self._versions(connection, list({row.stream for row in rows})),
                checkpoints=self._checkpoints(connection, list(checkpoints)),
            )
            batch = Batch(head, known, 0)
            batch.adopt(rows, checkpoints)
            self._write(connection, batch)

        self.write(run, "importing")

    def _row(self, connection: Connection, position: int) -> StoredEvent:
        return fetch_events(self.database, connection, position - 1, position, 1)[0]

    def rebuild(self, names: Collection[str] | None = None) -> None:
        """Fold the named views (None: all) anew from the log while appends go on, then swap. Raises `NotFound`."""
        generations.rebuild(self, named(self.views, names))

    def erase(self, positions: Collection[int], reason: str, *, actor: str = "monitor") -> tuple[int, ...]:
        """Erase bodies for good, append `PayloadErased` for each, and take what they brought out of the views, all in
        one transaction. Returns the positions erased now (an erased one stays erased). Copies in backups stay.

        Raises `NotFound`, and `StoreError` for the log's own `PayloadErased`.
        """
        found = erasable(self.at(position) for position in sorted(set(positions)))
        targets = tuple(event.position for event in found)

        def finish(connection: Connection) -> None:
            head = self._head_to_extend(connection)
            rows = [self._row(connection, position) for position in targets]
            self.database.execute(
                connection,
                "UPDATE events SET commitment = ?, salt = NULL, body = NULL WHERE position = ?",
                [(commit_to(row.salt, row.body), row.position) for row in rows if row.salt and row.body],
            )
            events = [erasure(row.position, reason, actor) for row in rows if row.body is not None]
            drafts = draft_all(events, self._entropy)
            batch = Batch(head, Known(versions=self._versions(connection, [SYSTEM])), microseconds(self._clock()))
            batch.place(Commit(), drafts)
            self._write(connection, batch)

        if targets:
            generations.rebuild(self, touched(self.views, found), without=targets, finish=finish)
            generations.sweep(self)
            self._to_write().do(lambda: self.database.scrub(self._connected()))
        return targets
