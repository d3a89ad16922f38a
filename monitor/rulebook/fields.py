"""Reads one YAML map field by field: types, choices, ranges, unknown keys; every fault at its place."""

from __future__ import annotations

import re
from collections.abc import Iterable

from monitor.errors import Fault
from monitor.rulebook.nodes import Node
from monitor.rulebook.slips import EMPTY_ITEM, not_text

_DURATION = re.compile(r"(\d{1,9})\s?([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MAX_DURATION = 3650 * 86400
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known word, else nothing."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


class Fields:
    """One map of a file. Each reader returns the default where it reports a fault, so that all faults are found.

    `what` names the thing in messages ("source", "theme"). A node that is no map is a fault and reads as empty.
    """

    def __init__(self, node: Node, path: str, faults: list[Fault], what: str) -> None:
        self.where, self.path, self.what = node, path, what
        self._faults = faults
        self._asked: list[str] = []
        self._nodes: dict[str, tuple[Node, Node]] = {}
        if node.kind == "map":
            self._nodes = {key.text: (key, value) for key, value in node.pairs}
        else:
            self.fault(node, f"a {what} is a block of 'key: value' lines")

    def fault(self, node: Node, message: str, offset: int | None = None) -> None:
        """Report at a node, or at a character of its text."""
        self._faults.append(node.fault(message, offset))

    def node(self, key: str) -> Node | None:
        """The value of a key, whatever its kind; None where the key is absent or nothing is written after it."""
        self._asked.append(key)
        found = self._nodes.get(key)
        if found is None:
            return None
        if found[1].empty:
            self.fault(found[0], f"'{key}' has no value; give it one or remove the line")
            return None
        return found[1]

    def key(self, key: str) -> Node:
        """The node of a key itself, for faults about it; the whole map's where it is absent."""
        return self._nodes[key][0] if key in self._nodes else self.where

    def has(self, key: str) -> bool:
        """Whether the key is written, with or without a value."""
        return key in self._nodes

    def items(self, key: str) -> tuple[Node, ...]:
        """The nodes of a list; empty where absent."""
        node = self.node(key)
        if node is None:
            return ()
        if node.kind == "list":
            return node.items
        self.fault(node, f"'{key}' is a list: one '- …' a line, or [a, b]")
        return ()

    def text(
        self, key: str, default: str | None = None, *, required: bool = False, pattern: str | None = None
    ) -> str | None:
        """The text of a key. `pattern`: a regular expression the whole of it must meet."""
        node = self._text_node(key, required)
        if node is None:
            return default
        if pattern is not None and not re.fullmatch(pattern, node.text):
            self.fault(node, f"'{key}' is '{short(node.text)}'; wanted: {pattern}")
            return default
        return node.text

    def choice(self, key: str, allowed: Iterable[str], default: str | None = None) -> str | None:
        """One of the allowed words."""
        node = self._text_node(key)
        if node is None:
            return default
        words = list(allowed)
        if node.text in words:
            return node.text
        hint = did_you_mean(node.text, words)
        self.fault(node, f"'{key}' is '{short(node.text)}'; wanted: {', '.join(words)}{hint}")
        return default

    def integer(
        self, key: str, default: int | None = None, minimum: int | None = None, maximum: int | None = None
    ) -> int | None:
        """A whole number within bounds."""
        node = self._text_node(key)
        if node is None:
            return default
        if re.fullmatch(r"-?[0-9]{1,15}", node.text):
            number = int(node.text)
            if (minimum is None or number >= minimum) and (maximum is None or number <= maximum):
                return number
        low, high = ("" if minimum is None else f" from {minimum}"), ("" if maximum is None else f" up to {maximum}")
        self.fault(node, f"'{key}' is '{short(node.text)}'; wanted: a whole number{low}{high}")
        return default

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false (yes, no, on, off)."""
        node = self._text_node(key)
        if node is None:
            return default
        word = node.text.lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        self.fault(node, f"'{key}' is '{short(node.text)}'; wanted: true or false")
        return default

    def duration(self, key: str, default: int | None = None) -> int | None:
        """Seconds, of `30s`, `5m`, `1h`, `7d`, `2w` or `0`; at most 3650 days."""
        node = self._text_node(key)
        if node is None:
            return default
        if node.text == "0":
            return 0
        found = _DURATION.fullmatch(node.text)
        if found:
            seconds = int(found[1]) * _SECONDS[found[2]]
            if seconds <= MAX_DURATION:
                return seconds
            self.fault(node, f"'{key}' is '{node.text}'; at most {MAX_DURATION // 86400}d")
            return default
        self.fault(node, f"'{key}' is '{short(node.text)}'; wanted: a number and s, m, h, d or w, as in 90s or 7d")
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, or a single one."""
        return tuple(node.text for node in self.text_nodes(key))

    def text_nodes(self, key: str) -> tuple[Node, ...]:
        """The nodes of a list of texts, or of a single one; others are faults and left out."""
        node = self.node(key)
        if node is None:
            return ()
        return tuple(item for item in (node.items if node.kind == "list" else (node,)) if self.is_text(item))

    def is_text(self, node: Node) -> bool:
        """Whether a node is text with something in it; else a fault with the cure."""
        if node.kind != "text":
            self.fault(node, not_text(node))
        elif node.empty:
            self.fault(node, EMPTY_ITEM)
        return node.kind == "text" and not node.empty

    def finish(self) -> None:
        """Report keys that nobody asked for."""
        for key, (node, _) in self._nodes.items():
            if key not in self._asked:
                self.fault(node, f"unknown key '{short(key)}' in {self.what}{did_you_mean(key, self._asked)}")

    def _text_node(self, key: str, required: bool = False) -> Node | None:
        node = self.node(key)
        if node is None:
            if required and self.where.kind == "map" and key not in self._nodes:
                self.fault(self.where, f"this {self.what} has no '{key}'")
            return None
        return node if self.is_text(node) else None


def short(text: str) -> str:
    """A text as messages quote it: on one line, at most 60 characters."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"
