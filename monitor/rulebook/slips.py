"""The common YAML slips: what a person wrote, what YAML makes of it, and the cure, in one line each."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import yaml

from monitor.errors import Fault
from monitor.rulebook.nodes import File, Node

LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
QUOTE = "put the whole in quotes"
TAB = "a tab; YAML indents by spaces only: replace it by spaces"
ALIAS = "an unquoted '*' at the start means an alias in YAML; " + QUOTE + ', as in "*halbleiter"'
ANCHOR = "an unquoted '&' at the start means an anchor in YAML; " + QUOTE
TAG = "an unquoted '!' at the start means a tag in YAML; " + QUOTE
AFTER_QUOTE = (
    "the value begins with a quote, so YAML ends it at the closing quote, but it goes on; "
    "put the whole in the other kind of quotes, or use the block form '|'"
)
APOSTROPHE = "the apostrophe ends the quoted value; write it twice ('') or use double quotes"
AFTER_BRACKET = "the value begins with '{}', so YAML reads a list or map, but it goes on; " + QUOTE
COLON = "a colon and a space inside a value; " + QUOTE
INDENTATION = "does not fit the indentation of the lines above; keys of one block begin in the same column"
UNCLOSED_QUOTE = "the quote that begins here is never closed"
UNCLOSED_BRACKET = "'{}' begins here and is not closed, or a comma is missing; " + QUOTE + " if it is part of a term"
ESCAPE = "a backslash in double quotes begins an escape in YAML; use single quotes or none"
NO_KEY = "a line without 'key: value'; is a colon, a dash or the indentation missing?"
START = "a value cannot begin with an unquoted '{}'; " + QUOTE
BLOCK = "an unquoted '{}' at the start begins a block of text in YAML; " + QUOTE
EMPTY_ITEM = "an empty item; an unquoted '#' begins a comment: put quotes round it"
DOCUMENTS = "a second document ('---'); a file holds one"


def fault_of(file: File, error: yaml.MarkedYAMLError) -> Fault:
    """The fault a person can act on, for what the YAML parser stumbled over."""
    problem = _offset(file, error.problem_mark)
    context = _offset(file, error.context_mark)
    at = problem if problem is not None else context if context is not None else 0
    message, where = _diagnose(file, error, at, at if context is None else context)
    line, column = file.place(min(where, len(file.text)))
    return file.fault(line, column, message)


def _offset(file: File, mark: yaml.Mark | None) -> int | None:
    return None if mark is None else file.offset(mark.line + 1, mark.column + 1)


def _diagnose(file: File, error: yaml.MarkedYAMLError, at: int, context: int) -> tuple[str, int]:
    text, problem, scanning = file.text, (error.problem or ""), (error.context or "")
    line_start = file.offset(file.place(min(at, len(text)))[0], 1)
    indent = re.compile(r"[ \t]*").match(text, line_start)
    tab = indent.group().find("\t") if indent else -1
    if text[at : at + 1] == "\t" or tab >= 0:
        return TAB, at if text[at : at + 1] == "\t" else line_start + tab
    if "escape" in problem or "hexdecimal" in problem or "hexadecimal" in problem:
        return ESCAPE, text.rfind("\\", line_start, at + 1)
    if "alias" in scanning:
        return ALIAS, context
    if "anchor" in scanning:
        return ANCHOR, context
    if "tag" in scanning or "tag" in problem:
        return TAG, context
    if "block scalar" in scanning:
        return BLOCK.format(text[context : context + 1]), context
    if "quoted scalar" in scanning:
        return UNCLOSED_QUOTE, context
    if "document start" in problem and text.startswith(("---", "..."), at):
        return DOCUMENTS, at
    if text[at : at + 1] in ("@", "`", "%") and "token" in problem:
        return START.format(text[at]), at
    return _structure(text, problem, scanning, at, context, line_start)


def _structure(text: str, problem: str, scanning: str, at: int, context: int, line_start: int) -> tuple[str, int]:
    before = text[line_start:at].rstrip(" ")
    if text[at : at + 1] == ":" and "mapping values" in problem:
        return (COLON if ": " in before or before.lstrip(" ").startswith("- ") else INDENTATION), at
    last = before[-1:]
    if last in ("'", '"'):
        long, end = (_quoted(text[:at]) or [(0, 0)])[-1], len(text[:at].rstrip())
        if "\n" in text[slice(*long)] and long[1] == end:  # it ends by the quote that was to open another
            return UNCLOSED_QUOTE, long[0]
        glued = not text[at - 1 : at].isspace()
        return (APOSTROPHE if last == "'" and glued else AFTER_QUOTE), at
    if last in ("]", "}") and "flow" not in scanning:
        return AFTER_BRACKET.format("[" if last == "]" else "{"), at
    if "flow" in scanning or text[context : context + 1] in ("[", "{"):
        for start, end in _quoted(text[:at]):
            if start > context and "\n" in text[start:end]:
                return UNCLOSED_QUOTE, start
        return UNCLOSED_BRACKET.format(text[context : context + 1]), context
    if "simple key" in scanning:
        return NO_KEY, context
    return INDENTATION, at


def _quoted(text: str) -> list[tuple[int, int]]:
    """Where the quoted texts of a piece of YAML begin and end."""
    found: list[tuple[int, int]] = []
    with suppress(yaml.YAMLError):
        for token in yaml.scan(text, Loader=LOADER):
            if isinstance(token, yaml.ScalarToken) and token.style in ("'", '"'):
                found.append((token.start_mark.index, token.end_mark.index))
    return found


def not_text(node: Node) -> str:
    """Why a map or list stands where text is wanted, and the cure."""
    if node.kind == "map" and len(node.pairs) == 1:
        key, value = node.pairs[0]
        if not key.style and value.kind == "text":
            return COLON
    if node.kind == "list":
        return f"a list where text is wanted; if '[' is part of it, {QUOTE}"
    return f"a map where text is wanted; if a colon or '{{' is part of it, {QUOTE}"
