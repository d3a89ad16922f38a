"""How an event is bound to all before it: the stored row, its header bytes, the commitment to its body, the hash.

    commitment = SHA-256(salt ‖ body)
    hash       = SHA-256(hash of the event before ‖ header ‖ commitment)

The body enters the chain only by a salted commitment, so it can be erased and the chain still verifies; without the
salt nobody can guess a short body from its commitment. What is hashed are the stored bytes; nothing is encoded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from struct import error as struct_error
from typing import Any, NamedTuple

SALT_BYTES = 16
GENESIS = bytes(32)
"""The hash "before" position 1, and that of an empty log."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_CAUSATION = -1
# position, version, schema, recorded_at, causation, then the byte lengths of stream, type, event id, dedupe, actor
_HEADER = Struct(">QQIqqIIIII")


class StoredEvent(NamedTuple):
    """One row of the log, column by column.

    `event_id` is None where the writer gave none: it then follows from the hash. `dedupe` is the first 16 bytes of the
    key's SHA-256, `recorded_at` in microseconds since 1970 (UTC). While the body is there `commitment` is None (it
    follows from salt and body); after erasure salt and body are.
    """

    position: int
    stream: str
    version: int
    type: str
    schema_version: int
    event_id: str | None
    dedupe: bytes | None
    recorded_at: int
    causation: int | None
    actor: str
    salt: bytes | None
    body: bytes | None
    commitment: bytes | None
    hash: bytes


class LogHead(NamedTuple):
    """The row that serialises all writers. `views_revision` rises whenever a view's serving generation changes."""

    position: int
    hash: bytes
    epoch: int
    views_revision: int


def microseconds(instant: datetime) -> int:
    """An aware instant as microseconds since 1970, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """The aware UTC instant of `microseconds` since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def dedupe_key(text: str) -> bytes:
    """What is stored and compared for a dedupe key: 128 bits of its SHA-256."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def commit_to(salt: bytes, body: bytes) -> bytes:
    """The 32-byte commitment to a body."""
    return sha256(salt + body).digest()


def link(
    previous: bytes,
    position: int,
    stream: str,
    version: int,
    type_name: str,
    schema: int,
    event_id: str | None,
    dedupe: bytes | None,
    recorded_at: int,
    causation: int | None,
    actor: str,
    commitment: bytes,
) -> bytes:
    """The 32-byte hash of an event that follows `previous`. All lengths stand first, so no two headers share bytes."""
    name, kind, who = stream.encode(), type_name.encode(), actor.encode()
    given, key = b"" if event_id is None else event_id.encode(), dedupe or b""
    fixed = _HEADER.pack(
        position, version, schema, recorded_at, _NO_CAUSATION if causation is None else causation,
        len(name), len(kind), len(given), len(key), len(who),
    )  # fmt: skip
    return sha256(b"".join((previous, fixed, name, kind, given, key, who, commitment))).digest()


def relink(previous: bytes, row: Sequence[Any]) -> bytes | None:
    """The hash that a row (as `StoredEvent`) ought to carry after `previous`; None where neither body nor commitment is
    whole, or a column holds what is never written to it (SQLite takes any kind of value).
    """
    try:
        return _relink(previous, row)
    except (TypeError, ValueError, AttributeError, struct_error):
        return None


def _relink(previous: bytes, row: Sequence[Any]) -> bytes | None:
    (
        position, stream, version, type_name, schema, event_id, dedupe, recorded_at, causation, actor, salt, body,
        commitment, _,
    ) = row  # fmt: skip
    if body is not None:
        if salt is None:
            return None
        commitment = commit_to(salt, body)
    elif commitment is None:
        return None
    return link(
        previous, position, stream, version, type_name, schema, event_id, dedupe, recorded_at, causation, actor,
        commitment,
    )  # fmt: skip


def event_id_of(row_hash: str) -> str:
    """The id of an event whose writer gave none: a UUID (version 8) of the first bytes of its hash, given in hex.

    The hash covers a random salt, so nobody else has it; and no index has to keep it.
    """
    return f"{row_hash[:8]}-{row_hash[8:12]}-8{row_hash[13:16]}-a{row_hash[17:20]}-{row_hash[20:32]}"


Entropy = Callable[[int], bytes]
"""Random bytes by number, such as `os.urandom`; handed in, so that tests and imports are repeatable."""
