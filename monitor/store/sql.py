"""The store on SQLite and PostgreSQL: appends in one transaction with everything that follows from them, and reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from monitor.errors import MonitorError, StoreError
from monitor.ports import Appended, Clock, Commit
from monitor.store import generations, schema
from monitor.store.chain import Entropy, LogHead, StoredEvent, commit_to, microseconds
from monitor.store.dialects import Connection, database
from monitor.store.erasure import SYSTEM, erasable, erasure, touched
from monitor.store.fold import AnyView, named
from monitor.store.log_end import Folded, LogEnd
from monitor.store.plan import Batch, Known, draft_all
from monitor.store.reads import SqlReader, fetch_events
from monitor.store.writer import Work, Writer

T = TypeVar("T")

CAREFUL_FOR = 16
"""How many transactions look before they write, after one that met a duplicate."""


class _Tried(NamedTuple):
    """What a transaction is to write, and what comes of each of its works."""

    batch: Batch
    folded: Folded
    outcomes: list[tuple[tuple[Appended, ...] | None, MonitorError | None]]


class _Doubt(Exception):
    """A commit would be refused on what was only taken to be so."""


class SqlStore(SqlReader):
    """A `ports.EventStore` in a database. Open it with `monitor.store.open_store`."""

    def __init__(
        self, url: str, *, views: Collection[AnyView], clock: Clock, entropy: Entropy, read_only: bool = False
    ) -> None:
        super().__init__(database(url))
        self.views, self.read_only = tuple(views), read_only
        self._clock, self._entropy = clock, entropy
        self._connection: Connection | None = None
        self.end = LogEnd(self.database, self.views)
        self._care = 0
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
            if isinstance(error, (SQLAlchemyError, self.database.errors)):
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
            with suppress(self.database.errors):  # it is gone, which is what was wanted
                connection.close()

    def write(self, job: Callable[[Connection], T], doing: str) -> T:
        """Run `job` in a transaction of its own, when nobody else writes."""

        def run() -> T:
            with self.database.explained(doing):
                return self._transact(job)

        return self._to_write().do(run)

    def _to_write(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self.database.place}: opened for reading only; nothing was done")
        return self._writer

    def _transact(self, job: Callable[[Connection], T]) -> T:
        connection = self._begun()
        try:
            result = job(connection)
            connection.execute("COMMIT")
        except BaseException:
            self._give_up(connection)
            raise
        return result

    def _begun(self) -> Connection:
        connection = self._connected()
        try:
            connection.execute(self.database.begin)
        except self.database.errors:
            lost = self.database.is_lost(connection)
            self._give_up(connection)
            if not lost:
                raise
            connection = self._connected()  # it died while nothing was asked of it
            connection.execute(self.database.begin)
        return connection

    def _give_up(self, connection: Connection) -> None:
        self.end.forget()
        try:
            if self.database.is_lost(connection):
                self._disconnect()
            else:
                self.database.roll_back(connection)
        except self.database.errors:
            self._disconnect()

    # --- appending

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        return self._to_write().append(commit, draft_all(commit.events, self._entropy))

    def _commit_group(self, works: Sequence[Work]) -> None:
        try:
            with self.database.explained("appending"):
                done = self._try(works)
        except Exception as error:
            self._refuse(works, error)
        else:
            for work, (placed, refusal) in zip(works, done.outcomes, strict=True):
                work.placed, work.error = placed, refusal

    def _try(self, works: Sequence[Work]) -> _Tried:
        """Once in good faith; again with care where something taken to be new is not; again where the line went dead
        and COMMIT may have gone through unheard.
        """
        tried: list[_Tried] = []
        lost = False
        while True:
            try:
                return self._append(works, tried)
            except (self.database.conflict, _Doubt):
                if self._care:
                    raise
                self._care = CAREFUL_FOR
            except self.database.errors:
                if lost or self._connection is not None:  # given up for another reason than a dead line
                    raise
                lost = True

    def _refuse(self, works: Sequence[Work], error: Exception) -> None:
        alone = len(works) == 1
        for work in works:
            if alone or not isinstance(error, StoreError):
                work.error = error
            else:
                self._commit_group([work])  # one commit's fault must not fail the others

    def _append(self, works: Sequence[Work], tried: list[_Tried]) -> _Tried:
        connection = self._connected()
        try:
            connection.execute(self.database.begin)
            head = self.end.to_extend(connection)
            landed = bool(tried) and self._landed(connection, tried[-1].batch)
            if not landed:
                tried.append(self._planned(connection, head, works))
            # Nothing is asked or computed within the pipeline: PostgreSQL takes a writer that is paused in there for a
            # busy one, and its time limit for idle transactions would not free the log.
            with self.database.pipeline(connection):
                if not landed:
                    self.end.put(connection, tried[-1].batch, tried[-1].folded)
                connection.execute("COMMIT")
        except BaseException:
            self._give_up(connection)
            raise
        self._care -= self._care > 0
        return tried[-1]

    def _planned(self, connection: Connection, head: LogHead, works: Sequence[Work]) -> _Tried:
        known = self.end.known(connection, works, careful=self._care > 0)
        batch = Batch(head, known, microseconds(self._clock()), fold=bool(self.views))
        outcomes: list[tuple[tuple[Appended, ...] | None, MonitorError | None]] = []
        for work in works:
            try:
                outcomes.append((batch.place(work.commit, work.drafts), None))
            except MonitorError as error:
                if not self._care:  # it may be a retry, which is not refused
                    raise _Doubt from error
                outcomes.append((None, error))
        return _Tried(batch, self.end.fold(connection, batch), outcomes)

    def _landed(self, connection: Connection, batch: Batch) -> bool:
        """Whether a batch is stored: its first hash covers our own salt, so nobody else can have written it."""
        first = batch.rows[0] if batch.rows else None
        statement = "SELECT hash FROM events WHERE position = ?"
        return first is not None and self.database.fetch(connection, statement, first[:1]) == [first[-1:]]

    # --- what the commands need

    def extend(self, rows: Sequence[StoredEvent], checkpoints: Mapping[str, int]) -> None:
        """See `kept.KeptLog`."""

        def run(connection: Connection) -> None:
            head = self.end.to_extend(connection)
            known = Known(
                versions=self.end.versions(connection, list({row.stream for row in rows})),
                checkpoints=self.end.checkpoints(connection, list(checkpoints)),
            )
            batch = Batch(head, known, 0)
            batch.adopt(rows, checkpoints)
            self.end.write(connection, batch)
            self.end.forget()

        self.write(run, "importing")

    def _row(self, connection: Connection, position: int) -> StoredEvent:
        return StoredEvent._make(fetch_events(self.database, connection, position - 1, position, 1)[0])

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
            head = self.end.to_extend(connection)
            rows = [self._row(connection, position) for position in targets]
            self.database.execute(
                connection,
                "UPDATE events SET commitment = ?, salt = NULL, body = NULL WHERE position = ?",
                [(commit_to(row.salt, row.body), row.position) for row in rows if row.salt and row.body],
            )
            events = [erasure(row.position, reason, actor) for row in rows if row.body is not None]
            drafts = draft_all(events, self._entropy)
            batch = Batch(head, Known(versions=self.end.versions(connection, [SYSTEM])), microseconds(self._clock()))
            batch.place(Commit(), drafts)
            self.end.write(connection, batch)
            self.end.forget()

        if targets:
            generations.rebuild(self, touched(self.views, found), without=targets, finish=finish)
            generations.sweep(self)
            self._to_write().do(lambda: self.database.scrub(self._connected()))
        return targets
