"""Events to JSON bytes and back: type names, schema versions, upcasters.

The stored bytes are what is hashed; nothing is ever re-encoded to verify. An upcaster is a pure function from the
JSON object of
one schema version to that of the next; each has a golden file under `tests/data/events/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from monitor.core import events
from monitor.core.events import Event
from monitor.errors import UnknownEvent

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

EVENT_TYPES: Mapping[str, type[Event]] = {
    name: cls
    for name, cls in vars(events).items()
    if isinstance(cls, type) and issubclass(cls, Event) and cls is not Event
}


def _not_silenced(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "silence": None}


def _whole_window(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "mode": "whole", "left_out": 0, "deferred": 0}


def _started_unmarked(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "marks": ""}


def _joined_unmarked(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "like": None, "marks": ""}


UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    ("AlertRaised", 1): _not_silenced,
    ("AlertGrouped", 1): _not_silenced,
    ("AlertReopened", 1): _not_silenced,
    ("StoryStarted", 1): _started_unmarked,
    ("StoryJoined", 1): _joined_unmarked,
    ("WindowClosed", 1): _whole_window,
}

_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(cls) for name, cls in EVENT_TYPES.items()}
_decode_current = {(name, cls.schema): _decoders[name].decode for name, cls in EVENT_TYPES.items()}


def encode(event: Event) -> bytes:
    """The JSON bytes to store: fields in order of declaration, instants in RFC 3339 with Z."""
    return _encoder.encode(event)


def decode(type_name: str, schema: int, body: bytes) -> Event:
    """The event, in today's shape. Raises `UnknownEvent` for a type or version that this program does not know."""
    decode_current = _decode_current.get((type_name, schema))
    if decode_current is not None:  # nearly always, and a log is read by the million
        return decode_current(body)
    decoder = _decoders.get(type_name)
    if decoder is None:
        raise UnknownEvent(f"event type '{type_name}' is not known; was this log written by a newer version?")
    current = EVENT_TYPES[type_name].schema
    if schema == current:
        return decoder.decode(body)
    if schema > current:
        raise UnknownEvent(f"event type '{type_name}' has schema {schema}, this program knows {current}; update it")
    return msgspec.convert(upcast(type_name, schema, msgspec.json.decode(body)), EVENT_TYPES[type_name])


def upcast(type_name: str, schema: int, data: dict[str, Any]) -> dict[str, Any]:
    """`data` of an old schema version brought to the current one, a version at a time."""
    for version in range(schema, EVENT_TYPES[type_name].schema):
        step = UPCASTERS.get((type_name, version))
        if step is None:
            raise UnknownEvent(f"event type '{type_name}' has no upcaster from schema {version}")
        data = step(data)
    return data
