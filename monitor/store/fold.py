"""Views kept by any store: which rows a run of events touches and what becomes of them, as bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from monitor.core import codec
from monitor.core.events import Recorded
from monitor.core.views import View
from monitor.errors import ChainBroken, NotFound, StoreError
from monitor.store.chain import event_id_of, instant

AnyView = View[Any]


class KeptRow(NamedTuple):
    """A view's row as it is kept: what lists order and filter by, and the row's JSON bytes."""

    sort: int
    facet: str
    body: bytes


class Change(NamedTuple):
    """What becomes of one row; `before` None: new, `after` None: it goes."""

    key: str
    before: KeptRow | None
    after: KeptRow | None


Load = Callable[[AnyView, Sequence[str]], Mapping[str, KeptRow]]
"""The kept rows of a view for some keys; keys without a row are left out."""

_encode = msgspec.json.Encoder().encode
_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def _decoder(row: type[Any]) -> msgspec.json.Decoder[Any]:
    if row not in _decoders:
        _decoders[row] = msgspec.json.Decoder(row)
    return _decoders[row]


def read_row(view: AnyView, body: bytes) -> Any:
    """The row that was kept as `body`."""
    try:
        return _decoder(view.row).decode(body)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"view '{view.name}': a row cannot be read ({error}); run `monitor rebuild {view.name}`"
        ) from error


def keep_row(view: AnyView, row: Any) -> KeptRow:
    """How `row` is kept."""
    return KeptRow(view.sort(row), view.facet(row), _encode(row))


def recorded(row: Sequence[Any]) -> Recorded:
    """The envelope of one stored row. Raises as `envelopes`."""
    return next(envelopes((row,)))


def envelopes(rows: Iterable[Sequence[Any]]) -> Iterator[Recorded]:
    """The envelopes of stored rows. Raises `UnknownEvent`, and `ChainBroken` where a body makes no sense."""
    before, at = 0, instant(0)
    for (
        position, stream, version, type_name, schema, event_id, _, recorded_at, causation, actor, _, body, _, digest
    ) in rows:  # fmt: skip
        event = None
        if body is not None:
            try:
                event = codec.decode(type_name, schema, body)
            except msgspec.MsgspecError as error:
                reason = f"the body of {type_name} cannot be read: {error}; run `monitor verify`"
                raise ChainBroken(position, reason) from error
        if recorded_at != before:  # a transaction's events share it
            before, at = recorded_at, instant(recorded_at)
        row_hash = digest.hex()
        yield Recorded(
            position=position, stream=stream, version=version, type=type_name, schema=schema,
            event_id=event_id or event_id_of(row_hash), recorded_at=at, causation=causation, actor=actor,
            event=event, hash=row_hash,
        )  # fmt: skip


def changes(views: Iterable[AnyView], events: Sequence[Recorded], load: Load) -> Iterator[tuple[AnyView, list[Change]]]:
    """For each view that the events touch, its rows before and after. Erased events are passed over."""
    for view in views:
        touched = [
            (key, event)
            for event in events
            if event.event is not None
            for key in view.keys(event.event, event.position)
        ]
        if touched:
            changed = _fold(view, touched, load)
            if changed:
                yield view, changed


def _fold(view: AnyView, touched: list[tuple[str, Recorded]], load: Load) -> list[Change]:
    before = load(view, list(dict.fromkeys(key for key, _ in touched)))
    rows: dict[str, Any] = {key: read_row(view, kept.body) for key, kept in before.items()}
    after: dict[str, Any] = {}
    for key, event in touched:
        try:
            after[key] = rows[key] = view.fold(rows.get(key), event, key)
        except Exception as error:
            raise StoreError(
                f"view '{view.name}' cannot fold {event.type} at position {event.position}: {error!r}"
            ) from error
    changed = []
    for key, row in after.items():
        if "\0" in key:
            raise StoreError(f"view '{view.name}': key {key!a} holds NUL, which PostgreSQL cannot keep")
        change = Change(key, before.get(key), None if row is None else keep_row(view, row))
        if change.before != change.after:
            changed.append(change)
    return changed


def named(views: Iterable[AnyView], names: Collection[str] | None) -> list[AnyView]:
    """The views of these names (None: all). Raises `NotFound`."""
    known = {view.name: view for view in views}
    for name in names or ():
        if name not in known:
            raise NotFound(f"view '{name}': there is none; views are {', '.join(sorted(known))}")
    return [view for name, view in known.items() if names is None or name in names]
