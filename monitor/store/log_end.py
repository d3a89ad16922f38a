"""The end of the log as a writer meets it: what it has to know before it appends, and a batch written in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from monitor.core.events import Recorded
from monitor.errors import StoreError
from monitor.ports import PollState
from monitor.store.chain import LogHead, microseconds
from monitor.store.dialects import Connection, Database
from monitor.store.fold import AnyView, Change, KeptRow, changes
from monitor.store.plan import Batch, Known, Used
from monitor.store.writer import Work

Folded = Sequence[tuple[AnyView, list[Change]]]

REMEMBERED = 50_000
"""The most streams whose version is kept in mind."""

EVENT_KINDS = {
    "position": "int8", "stream": "text", "version": "int8", "type": "text", "schema_version": "int4",
    "event_id": "text", "dedupe": "bytea", "recorded_at": "int8", "causation": "int8", "actor": "text",
    "salt": "bytea", "body": "bytea", "commitment": "bytea", "hash": "bytea",
}  # fmt: skip
CHECKPOINT_KINDS = {"subscription": "text", "position": "int8"}
POLL_KINDS = {"source_id": "text", "next_due": "int8", "body": "bytea"}
ROW_KINDS = {"generation": "int8", "key": "text", "sort": "int8", "facet": "text", "body": "bytea"}
_encode = msgspec.json.Encoder().encode
_NOWHERE = -1


class LogEnd:
    """Used by one thread at a time, inside a transaction. `forget` when the transaction was rolled back."""

    def __init__(self, database: Database, views: Sequence[AnyView]) -> None:
        self._database, self._views = database, views
        self._serving: Mapping[AnyView, int] = {}
        self._revision = _NOWHERE
        self._versions: dict[str, int] = {}
        self._position = _NOWHERE

    def forget(self) -> None:
        """Forget what may have been read from what is now rolled back."""
        self._revision = self._position = _NOWHERE

    def lock(self, connection: Connection) -> LogHead:
        """The log's head, held until the transaction ends."""
        found = self._database.fetch(connection, self._database.lock_head)
        if not found:
            raise StoreError(f"{self._database.place}: the row of the log's head is gone; restore a backup")
        return LogHead(*found[0])

    def to_extend(self, connection: Connection) -> LogHead:
        """As `lock`, with what is kept in mind brought in step with it."""
        head = self.lock(connection)
        if head.views_revision != self._revision:
            self._serving = self._look_up_serving(connection)
            self._revision = head.views_revision
        if head.position != self._position or len(self._versions) > REMEMBERED:  # another process appended
            self._versions, self._position = {}, head.position
        return head

    def _look_up_serving(self, connection: Connection) -> dict[AnyView, int]:
        """Raises `StoreError` unless exactly the views that this program folds are served: a writer that left one out
        would let it fall behind unseen.
        """
        found = serving_generations(self._database, connection)
        versions = {name: version for name, (version, _) in found.items()}
        if versions != {view.name: view.version for view in self._views}:
            raise StoreError(
                f"{self._database.place}: its views are kept by another version of this program; nothing was appended,"
                " stop one of the two"
            )
        return {view: found[view.name][1] for view in self._views}

    # --- what is known

    def known(self, connection: Connection, works: Sequence[Work], *, careful: bool) -> Known:
        """What the log says about everything that these commits name.

        Unless `careful`, dedupe keys and streams not seen lately are taken to be new without a look: the unique
        indices will say so if they are not, and then the whole is done again with care.
        """
        streams = {stream for work in works for stream in work.commit.expected}
        event_ids = {draft.event_id for work in works for draft in work.drafts if draft.event_id is not None}
        dedupes: set[bytes] = set()
        if careful:
            streams |= {draft.stream for work in works for draft in work.drafts}
            dedupes = {draft.dedupe for work in works for draft in work.drafts if draft.dedupe is not None}
        unseen = [stream for stream in streams if stream not in self._versions]
        self._versions.update(self.versions(connection, unseen))
        return Known(
            self._dedupes(connection, list(dedupes)),
            self._event_ids(connection, list(event_ids)),
            self._versions,
            self.checkpoints(connection, [work.commit.checkpoint[0] for work in works if work.commit.checkpoint]),
        )

    def versions(self, connection: Connection, streams: Sequence[str]) -> dict[str, int]:
        """The versions of those streams that have events."""
        # A seek to the end of each stream; GROUP BY would walk every version of it.
        statement = (
            "SELECT s.column1, (SELECT max(version) FROM events e WHERE e.stream = s.column1) FROM (VALUES ({})) AS s"
        )
        rows = self._database.fetch_in(connection, statement, streams, between="), (")
        return {stream: version for stream, version in rows if version is not None}

    def checkpoints(self, connection: Connection, names: Sequence[str]) -> dict[str, int]:
        """The checkpoints of those subscriptions that have one."""
        statement = "SELECT subscription, position FROM checkpoints WHERE subscription IN ({})"
        return dict(self._database.fetch_in(connection, statement, names))

    def _dedupes(self, connection: Connection, keys: Sequence[bytes]) -> dict[bytes, int]:
        return dict(
            self._database.fetch_in(connection, "SELECT dedupe, position FROM events WHERE dedupe IN ({})", keys)
        )

    def _event_ids(self, connection: Connection, ids: Sequence[str]) -> dict[str, Used]:
        statement = "SELECT event_id, position, stream, type FROM events WHERE event_id IN ({})"
        return {row[0]: Used(*row[1:]) for row in self._database.fetch_in(connection, statement, ids)}

    # --- what is written

    def write(self, connection: Connection, batch: Batch) -> None:
        """Fold a batch into every serving view and write all."""
        self.put(connection, batch, self.fold(connection, batch))

    def fold(self, connection: Connection, batch: Batch) -> Folded:
        """What a batch makes of the rows of every serving view; nothing is written."""
        return self.changes(connection, self._serving, batch.recorded)

    def put(self, connection: Connection, batch: Batch, folded: Folded) -> None:
        """Write a batch, and asks nothing. Raises the driver's `conflict` where `known` was taken wrongly."""
        execute = self._database.execute
        if batch.rows:
            self._database.insert(connection, "events", EVENT_KINDS, batch.rows)
            self.write_changes(connection, self._serving, folded)
            execute(connection, "UPDATE log_head SET position = ?, hash = ?", [(batch.head.position, batch.head.hash)])
            self._position = batch.head.position
        self._database.insert(
            connection, "checkpoints", CHECKPOINT_KINDS, list(batch.checkpoints.items()),
            "ON CONFLICT (subscription) DO UPDATE SET position = excluded.position",
        )  # fmt: skip
        self._write_polls(connection, batch.polls)

    def _write_polls(self, connection: Connection, polls: Mapping[str, PollState | None]) -> None:
        kept = [
            (source_id, poll.next_due and microseconds(poll.next_due), _encode(poll))
            for source_id, poll in polls.items()
            if poll is not None
        ]
        self._database.insert(
            connection, "polls", POLL_KINDS, kept,
            "ON CONFLICT (source_id) DO UPDATE SET next_due = excluded.next_due, body = excluded.body",
        )  # fmt: skip
        gone = [(source_id,) for source_id, poll in polls.items() if poll is None]
        self._database.execute(connection, "DELETE FROM polls WHERE source_id = ?", gone)

    def changes(self, connection: Connection, generations: Mapping[AnyView, int], events: Sequence[Recorded]) -> Folded:
        """What events make of the rows of these generations; nothing is written."""

        def load(view: AnyView, keys: Sequence[str]) -> dict[str, KeptRow]:
            rows = self._database.kept_rows(connection, generations[view], keys)
            return {key: KeptRow(*kept) for key, *kept in rows}

        return list(changes(generations, events, load))

    def write_changes(
        self,
        connection: Connection,
        generations: Mapping[AnyView, int],
        changed_views: Folded,
    ) -> None:
        """Write rows into these generations."""
        added: list[tuple[Any, ...]] = []
        edited: list[tuple[Any, ...]] = []
        moved: list[tuple[Any, ...]] = []
        gone: list[tuple[Any, ...]] = []
        for view, changed in changed_views:
            generation = generations[view]
            for key, before, after in changed:
                if after is None:
                    gone.append((generation, key))
                elif before is None:
                    added.append((generation, key, *after))
                elif before[:2] == after[:2]:  # leaves the indices alone
                    edited.append((after.body, generation, key))
                else:
                    moved.append((*after, generation, key))
        execute = self._database.execute
        self._database.insert(connection, "view_rows", ROW_KINDS, added)
        execute(connection, "UPDATE view_rows SET body = ? WHERE generation = ? AND key = ?", edited)
        execute(
            connection, "UPDATE view_rows SET sort = ?, facet = ?, body = ? WHERE generation = ? AND key = ?", moved
        )
        execute(connection, "DELETE FROM view_rows WHERE generation = ? AND key = ?", gone)


def serving_generations(database: Database, connection: Connection) -> dict[str, tuple[int, int]]:
    """Version and generation of each view that is served, by name."""
    rows = database.fetch(connection, "SELECT view, version, generation FROM generations WHERE state = 'serving'")
    return {view: (version, generation) for view, version, generation in rows}
