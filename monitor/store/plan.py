"""What a commit would write, decided before anything is written. Pure: the same for memory, SQLite and PostgreSQL.

An event is drafted in the caller's thread (encoded, checked, committed to), then placed in a `Batch` by whoever holds
the log's end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from monitor.core import codec
from monitor.core.events import Event, NewEvent, Recorded
from monitor.errors import ChainBroken, IdempotencyConflict, StoreError, WrongVersion
from monitor.ports import Appended, Commit, PollState
from monitor.store.chain import (
    SALT_BYTES,
    Entropy,
    LogHead,
    StoredEvent,
    commit_to,
    dedupe_key,
    event_id_of,
    instant,
    link,
    relink,
)
from monitor.store.fold import recorded


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event ready to be stored, still without a place. `event` is what its bytes say, not what the caller held."""

    stream: str
    type: str
    schema: int
    event_id: str | None
    dedupe: bytes | None
    causation: int | None
    actor: str
    salt: bytes
    body: bytes
    commitment: bytes
    event: Event


def draft_all(events: Sequence[NewEvent], entropy: Entropy) -> tuple[Draft, ...]:
    """Encode and check. Raises `StoreError` for what could be written but never read back."""
    if not events:
        return ()
    _check_names(events)
    chance = entropy(SALT_BYTES * len(events))
    return tuple([_draft(new, chance[at * SALT_BYTES : at * SALT_BYTES + SALT_BYTES]) for at, new in enumerate(events)])


def _check_names(events: Sequence[NewEvent]) -> None:
    """PostgreSQL keeps no NUL in a text, and nothing keeps half a surrogate pair."""
    names = "".join([f"{new.stream}{new.event_id}{new.actor}" for new in events])
    sound = "\0" not in names and all(new.stream and new.actor and new.event_id != "" for new in events)
    try:
        names.encode()
    except UnicodeEncodeError:
        sound = False
    if sound:
        return
    if len(events) > 1:
        for new in events:
            _check_names([new])
    raise StoreError(f"stream {events[0].stream!a}: stream, event id and actor must be whole text without NUL")


def _draft(new: NewEvent, salt: bytes) -> Draft:
    type_name, schema, dedupe = type(new.event).__name__, new.event.schema, new.dedupe
    try:
        body = codec.encode(new.event)
        # Folding what was decoded, never what the caller holds, makes a live view equal to a later replay; and an
        # event that cannot be read back would stop every reader for ever.
        event = codec.decode(type_name, schema, body)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise StoreError(f"stream '{new.stream}': {type_name} cannot be stored: {error}") from error
    return Draft(
        new.stream, type_name, schema, new.event_id, None if dedupe is None else dedupe_key(dedupe), new.causation,
        new.actor, salt, body, commit_to(salt, body), event,
    )  # fmt: skip


class Used(msgspec.Struct, frozen=True, gc=False):
    """Where an event id stands already."""

    position: int
    stream: str
    type: str


@dataclass(slots=True)
class Known:
    """What the log says about the keys, streams and subscriptions that a batch names. Absent: never seen."""

    dedupes: dict[bytes, int] = field(default_factory=dict)
    event_ids: dict[str, Used] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    checkpoints: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """Commits gathered into one transaction, one after the other; a refused one leaves no trace.

    `rows` (each as `StoredEvent`, but a plain tuple, which sqlite3 binds in half the time), `recorded`, `checkpoints`,
    `polls` (None: forget) and `head` are what the transaction has to write.
    """

    head: LogHead
    known: Known
    recorded_at: int
    fold: bool = True
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    checkpoints: dict[str, int] = field(default_factory=dict)
    polls: dict[str, PollState | None] = field(default_factory=dict)

    def place(self, commit: Commit, drafts: Sequence[Draft]) -> tuple[Appended, ...]:
        """Give every event its place. Raises `WrongVersion` and `IdempotencyConflict` before anything is changed."""
        fates, fresh, ids, dedupes = self._fates(drafts)
        retry = bool(fates) and not fresh
        if not retry:
            self._check_versions(commit.expected)
        moved = self._check_checkpoint(commit.checkpoint, lenient=not fresh)
        if fresh:
            self._extend(fresh)
            self.known.event_ids.update(ids)
            self.known.dedupes.update(dedupes)
        if moved:
            self.known.checkpoints[moved[0]] = self.checkpoints[moved[0]] = moved[1]
        self.polls.update((poll.source_id, poll) for poll in commit.polls)
        self.polls.update((source_id, None) for source_id in commit.forget_polls)
        return tuple(fates)

    def adopt(self, rows: Sequence[StoredEvent], checkpoints: Mapping[str, int]) -> None:
        """Take over rows exactly as they stood in another log. Raises `ChainBroken` where one does not follow."""
        for row in rows:
            if row.position != self.head.position + 1:
                raise ChainBroken(row.position, f"follows position {self.head.position}")
            version = self.known.versions.get(row.stream, 0) + 1
            if row.version != version:
                raise ChainBroken(row.position, f"version {row.version} of '{row.stream}', expected {version}")
            if relink(self.head.hash, row) != row.hash:
                raise ChainBroken(row.position, "hash does not fit what it covers")
            self.rows.append(tuple(row))
            if self.fold:
                self.recorded.append(recorded(row))
            self.known.versions[row.stream] = version
            self.head = self.head._replace(position=row.position, hash=row.hash)
        self.checkpoints.update(
            (name, position) for name, position in checkpoints.items() if position > self.known.checkpoints.get(name, 0)
        )

    def _fates(self, drafts: Sequence[Draft]) -> tuple[list[Appended], list[Draft], dict[str, Used], dict[bytes, int]]:
        fates: list[Appended] = []
        fresh: list[Draft] = []
        ids: dict[str, Used] = {}
        dedupes: dict[bytes, int] = {}
        position = self.head.position
        for draft in drafts:
            if draft.event_id is not None:
                used = self.known.event_ids.get(draft.event_id) or ids.get(draft.event_id)
                if used is not None:
                    if (used.stream, used.type) != (draft.stream, draft.type):
                        raise IdempotencyConflict(draft.event_id, used.position)
                    fates.append(Appended(used.position, True))
                    continue
            if draft.dedupe is not None:
                place = self.known.dedupes.get(draft.dedupe) or dedupes.get(draft.dedupe)
                if place is not None:
                    fates.append(Appended(place, True))
                    continue
            position += 1
            fresh.append(draft)
            fates.append(Appended(position, False))
            if draft.event_id is not None:
                ids[draft.event_id] = Used(position, draft.stream, draft.type)
            if draft.dedupe is not None:
                dedupes[draft.dedupe] = position
        return fates, fresh, ids, dedupes

    def _check_versions(self, expected: Mapping[str, int]) -> None:
        for stream, version in expected.items():
            actual = self.known.versions.get(stream, 0)
            if actual != version:
                raise WrongVersion(stream, version, actual)

    def _check_checkpoint(self, wanted: tuple[str, int, int] | None, *, lenient: bool) -> tuple[str, int] | None:
        if wanted is None:
            return None
        name, before, after = wanted
        actual = self.known.checkpoints.get(name, 0)
        if actual == before:
            return name, after
        if lenient and actual == after:
            return None
        raise WrongVersion(f"subscription/{name}", before, actual)

    def _extend(self, fresh: Iterable[Draft]) -> None:
        position, previous = self.head.position, self.head.hash
        versions, recorded_at, at = self.known.versions, self.recorded_at, instant(self.recorded_at)
        for draft in fresh:
            position += 1
            version = versions[draft.stream] = versions.get(draft.stream, 0) + 1
            previous = link(
                previous, position, draft.stream, version, draft.type, draft.schema, draft.event_id, draft.dedupe,
                recorded_at, draft.causation, draft.actor, draft.commitment,
            )  # fmt: skip
            self.rows.append(
                (
                    position, draft.stream, version, draft.type, draft.schema, draft.event_id, draft.dedupe,
                    recorded_at, draft.causation, draft.actor, draft.salt, draft.body, None, previous,
                )
            )  # fmt: skip
            if self.fold:
                row_hash = previous.hex()
                self.recorded.append(
                    Recorded(
                        position=position, stream=draft.stream, version=version, type=draft.type, schema=draft.schema,
                        event_id=draft.event_id or event_id_of(row_hash), recorded_at=at, causation=draft.causation,
                        actor=draft.actor, event=draft.event, hash=row_hash,
                    )
                )  # fmt: skip
        self.head = self.head._replace(position=position, hash=previous)
