"""A YAML file as read: its text, its nodes with their places, and faults that show the line and a caret."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import cached_property
from typing import Literal

import msgspec

from monitor.errors import Fault

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# control characters and signs that reorder a line on the reader's screen
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no rule file may hold: control characters, halves of surrogate pairs."""

MAX_FAULTS = 100
"""Of one file that are listed."""

_ESCAPE_DIGITS = {"x": 2, "u": 4, "U": 8}
_EXCERPT_WIDTH = 110

Kind = Literal["map", "list", "text"]


class File:
    """One file's text; turns character offsets into lines, columns (both from 1) and excerpts."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in _BREAK.finditer(self.text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of a character offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The character offset of a line and column that count from 1."""
        return self._starts[min(line, len(self._starts)) - 1] + column - 1

    @property
    def lines(self) -> list[str]:
        """The text of every line, without line ends; `line` counts them from 1."""
        return _BREAK.split(self.text)

    def line(self, number: int) -> str:
        """The text of a line, from 1, without its line end."""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return _BREAK.sub("", self.text[start:end])

    def fault(self, line: int, column: int, message: str) -> Fault:
        """A fault at a place, with the line and a caret; line 0: the whole file."""
        excerpt = excerpt_of(self.line(line), column) if line else ""
        return Fault(self.path, line, column, message, excerpt)


class Node(msgspec.Struct, frozen=True, gc=False):
    """One YAML value. All scalars are text as written; `quoted` tells `""` from nothing at all.

    `value`: the text, a tuple of nodes, or a tuple of (key node, value node). Lines and columns count from 1.
    """

    kind: Kind
    line: int
    column: int
    value: str | tuple[Node, ...] | tuple[tuple[Node, Node], ...]
    file: File
    style: str = ""  # of text: "" plain, ' or " quoted, | literal, > folded

    @property
    def text(self) -> str:
        """The value of a text node."""
        assert isinstance(self.value, str)
        return self.value

    @property
    def items(self) -> tuple[Node, ...]:
        """The nodes of a list."""
        assert self.kind == "list"
        return self.value  # type: ignore[return-value]

    @property
    def pairs(self) -> tuple[tuple[Node, Node], ...]:
        """The (key, value) nodes of a map, in order; keys are text nodes and differ."""
        assert self.kind == "map"
        return self.value  # type: ignore[return-value]

    @property
    def empty(self) -> bool:
        """Nothing was written: `key:` with no value."""
        return self.value == "" and not self.style

    def place(self, offset: int = 0) -> tuple[int, int]:
        """Line and column in the file of a character of a text node's value, whatever its style."""
        if self.kind != "text" or not offset:
            return (self.line, self.column) if self.kind != "text" or not self.style else self._first()
        return self.file.place(_source_offset(self, offset))

    def _first(self) -> tuple[int, int]:
        return self.file.place(_source_offset(self, 0))

    def fault(self, message: str, offset: int | None = None) -> Fault:
        """A fault at this node, or at a character of its text."""
        line, column = (self.line, self.column) if offset is None else self.place(offset)
        return self.file.fault(line, column, message)


def too_many(path: str, count: int) -> Fault:
    """Says how many faults a file has of which `MAX_FAULTS` are listed."""
    return Fault(path, 0, 0, f"{count:,} faults; {MAX_FAULTS} are listed")


def _source_offset(node: Node, offset: int) -> int:
    """Where in the file's text the character `offset` of a scalar's value was written."""
    source, value, at = node.file.text, node.text, node.file.offset(node.line, node.column)
    at = _content_start(source, at, node.style)
    for index, char in enumerate(value):
        width = 1
        if char.isspace():
            if index == offset:
                return at
            # folding turned a line end and indentation into one sign: resynchronise at the next visible one
            at += 1 if at < len(source) and source[at].isspace() else 0
            continue
        if node.style == '"' and source[at : at + 1] == "\\" and source[at + 1 : at + 2].strip():
            width = 2 + _ESCAPE_DIGITS.get(source[at + 1], 0)
        else:
            while at < len(source) and source[at] != char and (source[at].isspace() or source[at] == "\\"):
                at += 1
            if node.style == '"' and source[at - 1 : at] == "\\":
                at -= 1
                width = 2 + _ESCAPE_DIGITS.get(source[at + 1 : at + 2], 0)
            elif node.style == "'" and char == "'":
                width = 2
        if index == offset:
            return at
        at += width
    return min(at, len(source))


def _content_start(source: str, at: int, style: str) -> int:
    if style in ("'", '"'):
        return at + 1
    if style in ("|", ">"):
        end = _BREAK.search(source, at)
        return end.end() if end else len(source)
    return at


def excerpt_of(line: str, column: int) -> str:
    """A source line and, below it, a caret under its `column` (from 1); a long line is cut round the caret."""
    shown, at = _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", line.replace("\t", " ")), min(column - 1, len(line))
    if len(shown) > _EXCERPT_WIDTH:
        start = max(0, min(at - _EXCERPT_WIDTH // 2, len(shown) - _EXCERPT_WIDTH))
        end = start + _EXCERPT_WIDTH
        cut_left, cut_right = ("…" if start else ""), ("…" if end < len(shown) else "")
        shown, at = cut_left + shown[start:end] + cut_right, at - start + len(cut_left)
    return f"{shown}\n{' ' * _columns(shown[:at])}^"


def _columns(text: str) -> int:
    """Terminal columns: Han and Kana take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Mn")
        else 2 if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )  # fmt: skip
