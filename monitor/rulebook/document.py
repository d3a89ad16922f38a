"""One YAML file to nodes with places: every scalar is text as written, every fault is at its line and column.

Composed from the parser's events rather than loaded: `no`, `12:30` and `0123` stay as written, duplicate keys are
seen, aliases cannot multiply, and nothing is ever constructed.
"""

from __future__ import annotations

from typing import Any

import yaml

from monitor.errors import Fault
from monitor.rulebook import slips
from monitor.rulebook.fields import Fields, did_you_mean
from monitor.rulebook.nodes import UNPRINTABLE, File, Node

__all__ = ["MAX_CHARACTERS", "Fields", "File", "Node", "did_you_mean", "parse"]

MAX_CHARACTERS = 8_000_000
MAX_DEPTH = 24


class _Stop(Exception):
    """The file cannot be read further; the fault is already reported."""


def parse(path: str, text: str, faults: list[Fault]) -> Node | None:
    """The root node of a YAML text, or None where it cannot be read; all faults found go to `faults`.

    Refused: more than one document, tags, anchors, aliases, keys that are no text, a key twice in one map (the first
    is kept), nesting beyond 24, more than 8 million characters, control characters.
    """
    file = File(path, text.removeprefix("\ufeff"))
    if len(text) > MAX_CHARACTERS:
        faults.append(file.fault(0, 0, f"{len(text):,} characters; at most {MAX_CHARACTERS:,} are read"))
        return None
    bad = UNPRINTABLE.search(file.text)
    if bad:
        line, column = file.place(bad.start())
        faults.append(file.fault(line, column, f"control character U+{ord(bad.group()):04X}; remove it"))
        return None
    loader = slips.LOADER(file.text)
    try:
        return _Composer(file, loader, faults).document()
    except yaml.MarkedYAMLError as error:
        faults.append(slips.fault_of(file, error))
    except yaml.YAMLError as error:
        faults.append(file.fault(0, 0, f"not YAML: {' '.join(str(error).split())}"))
    except _Stop:
        pass
    finally:
        loader.dispose()
    return None


class _Composer:
    def __init__(self, file: File, loader: Any, faults: list[Fault]) -> None:
        self._file, self._faults = file, faults
        self._next = loader.get_event

    def document(self) -> Node | None:
        self._next()  # stream start
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            self._faults.append(self._file.fault(0, 0, "the file is empty"))
            return None
        root = self._node(self._next(), 0)
        self._next()  # document end
        end = self._next()
        if not isinstance(end, yaml.StreamEndEvent):
            self._stop(end, slips.DOCUMENTS)
        if root.empty:
            self._faults.append(self._file.fault(0, 0, "the file is empty"))
            return None
        return root

    def _node(self, event: Any, depth: int) -> Node:
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None or event.tag is not None:
                self._refuse(event)
            style = event.style
            return Node("text", line, column, event.value, self._file, style if style and style in "'\"|>" else "")
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event)
        if event.anchor is not None or event.tag is not None:
            self._refuse(event)
        if depth >= MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.SequenceStartEvent):
            return Node("list", line, column, self._list(depth + 1), self._file)
        return Node("map", line, column, self._map(depth + 1), self._file)

    def _list(self, depth: int) -> tuple[Node, ...]:
        items = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, depth))
        return tuple(items)

    def _map(self, depth: int) -> tuple[tuple[Node, Node], ...]:
        pairs: dict[str, tuple[Node, Node]] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, depth)
            if key.kind != "text":
                self._stop(event, "a key is a word, not a list or map")
            value = self._node(self._next(), depth)
            if key.text in pairs:
                first = pairs[key.text][0].line
                self._faults.append(key.fault(f"'{key.text}' stands here a second time (first in line {first})"))
            else:
                pairs[key.text] = (key, value)
        return tuple(pairs.values())

    def _refuse(self, event: Any) -> None:
        offset = self._file.offset(event.start_mark.line + 1, event.start_mark.column + 1)
        sign = self._file.text[offset : offset + 1]
        self._stop(event, {"*": slips.ALIAS, "&": slips.ANCHOR}.get(sign, slips.TAG))

    def _stop(self, event: Any, message: str) -> None:
        mark = event.start_mark
        self._faults.append(self._file.fault(mark.line + 1, mark.column + 1, message))
        raise _Stop
