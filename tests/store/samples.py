"""One plausible event of every type, filled from its annotations; and golden files, one per type and schema version.

`python -m tests.store.samples` writes the golden files that are missing. One that exists is never written again: it is
what an old log holds, and today's decoder has to read it.
"""

from __future__ import annotations

import types
import typing
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from monitor.core import codec
from monitor.core.events import Event

FOLDER = Path(__file__).parent.parent / "data" / "events"
INSTANT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
TEXT = "Экспорт 半导体 “dual-use” <b>"

E = TypeVar("E", bound=Event)


def sample(event: type[E], *, sparse: bool = False, **fields: Any) -> E:
    """An event with every field filled; `sparse`: None, empty or default wherever that is allowed."""
    filled = _struct(event, sparse)
    return msgspec.structs.replace(filled, **fields)  # type: ignore[no-any-return]


def golden(event: type[Event]) -> Path:
    return FOLDER / f"{event.__name__}.v{event.schema}.json"


def _struct(kind: Any, sparse: bool) -> Any:
    hints = typing.get_type_hints(kind)
    values = {}
    for field in msgspec.structs.fields(kind):
        if sparse and not field.required:
            continue
        values[field.name] = _value(hints[field.name], field.name, sparse)
    return kind(**values)


def _value(kind: Any, name: str, sparse: bool) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if sparse else _value(next(one for one in arguments if one is not type(None)), name, sparse)
    if origin is tuple:
        return () if sparse else (_value(arguments[0], name, sparse),)
    if origin is dict:
        return {} if sparse else {_value(arguments[0], name, sparse): _value(arguments[1], name, sparse)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)[-1]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, sparse)
    simple: dict[Any, Any] = {
        str: f"{name} {TEXT}", bytes: b"\x00\xff\x80", int: 42, float: 0.25, bool: True, datetime: INSTANT,
        Any: {"key": [1, "two", None]},
    }  # fmt: skip
    return simple[kind]


def write_missing() -> list[Path]:
    """Write golden files for types and versions that have none; returns their paths."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = []
    for event in codec.EVENT_TYPES.values():
        path = golden(event)
        if not path.exists():
            lines = (codec.encode(sample(event)), codec.encode(sample(event, sparse=True)))
            path.write_bytes(b"".join(line + b"\n" for line in lines))
            written.append(path)
    return written


if __name__ == "__main__":
    for new in write_missing():
        print(new.name)
