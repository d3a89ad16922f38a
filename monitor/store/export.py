"""The log out as JSON Lines and in again with the same head, and out as CloudEvents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from monitor.errors import ChainBroken, MonitorError, StoreError
from monitor.ports import Head
from monitor.store.chain import GENESIS, StoredEvent, event_id_of, instant, relink
from monitor.store.fold import recorded
from monitor.store.kept import KeptLog

FORMAT = "theme-monitor-log/1"
BATCH = 500


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of an export: how far it goes, so that a cut one is noticed, and where subscriptions stood."""

    format: str
    position: int
    hash: str
    checkpoints: dict[str, int]


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of an export. Bytes are in hex; `body` is the stored JSON as a string, letter for letter, so that no
    tool on the way can change what the hash covers; `recorded_at` in microseconds since 1970.
    """

    position: int
    stream: str
    version: int
    type: str
    schema: int
    recorded_at: int
    actor: str
    hash: str
    event_id: str | None = None
    dedupe: str | None = None
    causation: int | None = None
    salt: str | None = None
    body: str | None = None
    commitment: str | None = None


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CloudEvents 1.0 in JSON; `position`, `streamversion`, `schemaversion`, `actor`, `causation` and `chainhash` are
    extensions. `data` is left out where the body was erased.
    """

    specversion: str = msgspec.field(default_factory=lambda: "1.0")
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str = msgspec.field(default_factory=lambda: "application/json")
    position: int
    streamversion: int
    schemaversion: int
    actor: str
    chainhash: str
    causation: int | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_encode = msgspec.json.Encoder().encode
_opening = msgspec.json.Decoder(Opening).decode
_line = msgspec.json.Decoder(Line).decode


def export_jsonl(store: KeptLog) -> Iterator[bytes]:
    """The whole log, a line an event (without line ends), as of the moment the first line is taken."""
    with store.snapshot() as now:
        head, checkpoints = now.head, now.checkpoints()
    yield _encode(Opening(format=FORMAT, position=head.position, hash=head.hash.hex(), checkpoints=checkpoints))
    for row in store.stored(0, upto=head.position):
        yield _encode(_to_line(row))


def export_cloudevents(store: KeptLog, *, source: str = "/theme-monitor") -> Iterator[bytes]:
    """The whole log as CloudEvents 1.0, a line an event; for other tools, not for importing."""
    for row in store.stored():
        yield _encode(
            CloudEvent(
                id=row.event_id or event_id_of(row.hash.hex()), source=source,
                type=f"theme-monitor.{row.type}.v{row.schema_version}",
                subject=row.stream, time=instant(row.recorded_at).isoformat().replace("+00:00", "Z"),
                position=row.position, streamversion=row.version, schemaversion=row.schema_version, actor=row.actor,
                chainhash=row.hash.hex(), causation=row.causation,
                data=msgspec.UNSET if row.body is None else msgspec.Raw(row.body),
            )
        )  # fmt: skip


def import_jsonl(lines: Iterable[bytes | str], store: KeptLog) -> Head:
    """Append an exported log to an empty store, verifying as it goes, and return the new head.

    A store that already holds the beginning of the same log gets the rest, so an import that broke off is run again.
    Raises `StoreError` with the line's number for a line that is broken, out of place or missing; the lines before it
    are imported.
    """
    numbered = enumerate(lines, start=1)
    _, first = next(numbered, (0, b""))
    opening = _read_opening(first)
    known = store.head().position
    held = store.stored(0, upto=known)
    previous, position = GENESIS, 0
    batch: list[StoredEvent] = []
    for number, line in numbered:
        try:
            row = _checked(line, position, previous)
            if row.position > known:
                batch.append(row)
            elif next(held).hash != row.hash:
                raise ChainBroken(row.position, "another event stands here; import into an empty store")
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, MonitorError) as error:
            _extend(store, batch)
            raise StoreError(f"line {number}: {error}; events up to position {position} are imported") from error
        position, previous = row.position, row.hash
        if len(batch) == BATCH:
            _extend(store, batch)
    _extend(store, batch)
    if (position, previous.hex()) != (opening.position, opening.hash):
        raise StoreError(
            f"the export breaks off after position {position} of {opening.position}; what is there was imported,"
            " import the whole file to go on"
        )
    store.extend([], opening.checkpoints)
    return store.head()


def _extend(store: KeptLog, batch: list[StoredEvent]) -> None:
    try:
        store.extend(batch, {})
    except ChainBroken as error:
        raise StoreError(f"line {error.position + 1}: {error}; nothing from there on was imported") from error
    batch.clear()


def _read_opening(line: bytes | str) -> Opening:
    try:
        opening = _opening(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise StoreError(f"line 1: not the first line of an export ({error}); nothing was imported") from error
    if opening.format != FORMAT:
        raise StoreError(f"line 1: format '{opening.format}', this program reads '{FORMAT}'; nothing was imported")
    return opening


def _checked(line: bytes | str, position: int, previous: bytes) -> StoredEvent:
    row = _from_line(_line(line))
    if row.position != position + 1:
        raise ChainBroken(row.position, f"follows position {position}")
    if relink(previous, row) != row.hash:
        raise ChainBroken(row.position, "what it says does not fit its hash")
    recorded(row)  # a type that this program does not know would stop every reader
    return row


def _to_line(row: StoredEvent) -> Line:
    try:
        body = None if row.body is None else row.body.decode()
    except UnicodeDecodeError as error:
        raise ChainBroken(row.position, "the body is not text; run `monitor verify`") from error
    return Line(
        position=row.position, stream=row.stream, version=row.version, type=row.type, schema=row.schema_version,
        event_id=row.event_id, recorded_at=row.recorded_at, actor=row.actor, hash=row.hash.hex(),
        dedupe=_hex(row.dedupe), causation=row.causation, salt=_hex(row.salt), body=body,
        commitment=_hex(row.commitment),
    )  # fmt: skip


def _from_line(line: Line) -> StoredEvent:
    return StoredEvent(
        line.position, line.stream, line.version, line.type, line.schema, line.event_id, _unhex(line.dedupe),
        line.recorded_at, line.causation, line.actor, _unhex(line.salt),
        None if line.body is None else line.body.encode(), _unhex(line.commitment), bytes.fromhex(line.hash),
    )  # fmt: skip


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _unhex(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)
