"""Makes docs/events.md from the docstrings of monitor/core/events.py: `python -m tests.events_page`."""

from __future__ import annotations

import inspect
import re
import typing
from enum import Enum
from pathlib import Path

import msgspec

from monitor.core import codec, events
from monitor.matching.model import Evidence

PAGE = Path(__file__).parents[1] / "docs" / "events.md"

HEAD = """\
# Events

Everything this program knows, it knows from these facts: `monitor log --json` prints them, every list is folded from
them, and `monitor rebuild` folds all lists anew. An event is never changed and never removed; only its body can be
erased, and then `PayloadErased` says so. A new shape gets a new schema number, and old ones are brought up to it when
they are read. In JSON an instant is RFC 3339 in UTC with `Z`.

Each event stands in one *stream* (all facts about one thing, counted from version 1) and has one *position* (its place
in the whole log, counted from 1 without gaps).

| stream | holds |
|---|---|
| `source/<id>` | a source's health and moves |
| `entry/<id>` | an entry, its revisions and what they matched |
| `story/<id>` | a story and the entries that tell it |
| `alert/<id>` | an alert from raised to closed |
| `silence/<id>` | a silence and its end |
| `receiver/<name>` | a receiver's windows and digests |
| `delivery/<id>` | the attempts to send one digest to one address |
| `rulebook`, `configuration` | what was in force when |
| `system` | the log itself: clock, held outbox, erased bodies |

What surrounds each event in the log:

"""

FOOT = "\n*This page is made from the program's own docstrings: `python -m tests.events_page`.*\n"

PLAIN = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "true or false",
    "datetime": "instant",
    "Event": "object",
}


def _type_name(hint: object) -> str:
    """A type as a reader of the JSON would call it."""
    if hint is type(None):
        return "null"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " | ".join(f"`{member.value}`" for member in hint)
    if typing.get_origin(hint) is tuple:
        return f"list of {_type_name(typing.get_args(hint)[0])}"
    if typing.get_origin(hint) is dict:
        key, value = typing.get_args(hint)
        return f"object of {_type_name(key)} to {_type_name(value)}"
    if arguments := typing.get_args(hint):
        return " or ".join(_type_name(argument) for argument in arguments)
    name = getattr(hint, "__name__", str(hint))
    return PLAIN.get(name, name)


def _prose(cls: type) -> str:
    return " ".join(inspect.cleandoc(cls.__doc__ or "").split())


def _fields(cls: type[msgspec.Struct]) -> str:
    hints = typing.get_type_hints(cls)
    return "".join(f"- `{name}`: {_type_name(hints[name])}\n" for name in cls.__struct_fields__) or "No fields.\n"


def _sections() -> list[tuple[int, str]]:
    lines = inspect.getsource(events).splitlines()
    return [(n, found[1]) for n, line in enumerate(lines, 1) if (found := re.match(r"# --- (.+?) -+$", line))]


def render() -> str:
    """The whole page, in the order of the source file."""
    parts = [HEAD, _fields(events.Recorded).replace("- `event`:", "- `data` (the event itself):")]
    sections = _sections()
    for cls in sorted(codec.EVENT_TYPES.values(), key=lambda cls: inspect.getsourcelines(cls)[1]):
        line = inspect.getsourcelines(cls)[1]
        while sections and sections[0][0] < line:
            parts.append(f"\n## {sections.pop(0)[1].capitalize()}\n")
        schema = f" (schema {cls.schema})" if cls.schema > 1 else ""
        parts.append(f"\n### {cls.__name__}{schema}\n\n{_prose(cls)}\n\n{_fields(cls)}")
    parts.append("\n## Parts of events\n")
    for part in (events.RuleMatch, Evidence, events.PlannedDelivery):
        parts.append(f"\n### {part.__name__}\n\n{_prose(part)}\n\n{_fields(part)}")
    return "".join(parts) + FOOT


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
