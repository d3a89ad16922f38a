"""Documents from JSON Lines: one object a line, as `monitor match` and `monitor ingest` take them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from monitor.errors import UsageError
from monitor.matching.model import Document

MAX_LINE = 32_000_000


class Line(NamedTuple):
    """One line read: its number, the `id` it gives, and the document, or what is wrong with it."""

    number: int
    id: Any
    document: Document | None
    wrong: str = ""


def refuse_options(word: str) -> None:
    """Raise `UsageError` where the word for a file, which may be `-`, is an option that no command has."""
    if word.startswith("-") and word != "-":
        raise UsageError(f"unknown option '{word}'; a file of that name is written ./{word}")


def read_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """The numbered, non-empty lines of a file, or of stdin for `-`; what is too long is cut, and still too long."""
    with ExitStack() as stack:
        if path == "-":
            stream = sys.stdin.buffer
        else:
            try:
                stream = stack.enter_context(Path(path).open("rb"))
            except OSError as error:
                raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        number = 0
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            if line.strip():
                yield number, line
            while len(line) > MAX_LINE and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE + 1)


def document_of(number: int, line: bytes) -> Line:
    """The document one line describes."""
    if len(line) > MAX_LINE:
        return Line(number, None, None, f"more than {MAX_LINE:,} bytes, so it is not read")
    try:
        data = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Line(number, None, None, f"not a JSON object: {error}")
    if not isinstance(data, dict):
        return Line(number, None, None, "not a JSON object")
    wrong = _wrong(data)
    if wrong:
        return Line(number, data.get("id"), None, wrong)
    tags = data.get("tags")
    document = Document(
        title=data.get("title") or "", text=data.get("text") or "", url=data.get("url"), author=data.get("author"),
        language=data.get("lang"), published=_instant(data.get("published")), source=data.get("source"),
        tags=None if tags is None else tuple(tags),
    )  # fmt: skip
    return Line(number, data.get("id"), document)


def _wrong(data: dict[str, Any]) -> str:
    for key in ("title", "text", "url", "author", "lang", "published", "source"):
        if not isinstance(data.get(key), str | None):
            return f"'{key}' is no text"
    tags = data.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        return "'tags' is no list of texts"
    if "title" not in data and "text" not in data:
        return "neither 'title' nor 'text'"
    return ""


def _instant(text: str | None) -> datetime | None:
    """An RFC 3339 instant or a date; what names no day is not known."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
