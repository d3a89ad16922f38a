"""JSON documents with the fields of `monitor match`: one object, a list, or one a line; or a JSON Feed in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from monitor.core.entries import ParsedEntry, ParsedFeed
from monitor.sources.dates import parse_date
from monitor.sources.jsonfeed import parse_json_feed, web_address
from monitor.sources.text import html_to_text, one_line, plain_text
from monitor.sources.unreadable import Unreadable

MAX_FAULTS = 20
MAX_NAME = 100


def parse_json_documents(body: bytes, name: str, *, lines: bool) -> ParsedFeed:
    """The documents in a file; broken ones are faults with their line or number. Raises `Unreadable` where all are."""
    entries: list[ParsedEntry] = []
    faults: list[str] = []
    broken = 0
    if not lines:
        try:
            whole = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            # `{…}\n{…}` under the name .json is common enough.
            if body.strip().count(b"\n") == 0 or not body.lstrip().startswith(b"{"):
                raise Unreadable(f"is not sound JSON: {error}") from None
            lines = True
        else:
            if isinstance(whole, dict) and isinstance(whole.get("items"), list):
                return parse_json_feed(body, "")
            found = _listed(whole)
    if lines:
        found = _lines(body)
    for where, item in found:
        entry = str(item) if isinstance(item, ValueError) else _entry(item)
        if isinstance(entry, ParsedEntry):
            entries.append(entry)
        else:
            broken += 1
            if broken <= MAX_FAULTS:
                faults.append(f"{where}: {entry}")
    if not entries:
        raise Unreadable(faults[0] if faults else "holds no document")
    if broken > MAX_FAULTS:
        faults.append(f"… and {broken - MAX_FAULTS:,} more")
    return ParsedFeed(format="jsonl" if lines else "json", title=name, entries=tuple(entries), faults=tuple(faults))


def _lines(body: bytes) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                yield f"line {number}", ValueError(f"not sound JSON: {error}")


def _listed(whole: Any) -> Iterator[tuple[str, Any]]:
    items = whole if isinstance(whole, list) else [whole]
    return ((f"document {number}", item) for number, item in enumerate(items, 1))


def _entry(item: Any) -> ParsedEntry | str:
    """The entry, or what is wrong in words."""
    if not isinstance(item, dict):
        return "not an object with title and text"
    wrong = [
        key for key in ("title", "text", "url", "lang", "published", "source", "author") if not _is_text(item, key)
    ]
    if wrong:
        return f"'{wrong[0]}' is not text"
    title, text = one_line(item.get("title") or ""), item.get("text") or ""
    if not title and not text.strip():
        return "neither title nor text"
    raw_id = item.get("id")
    tags = item.get("tags")
    return ParsedEntry(
        raw_id=str(raw_id) if isinstance(raw_id, str | int) and not isinstance(raw_id, bool) and raw_id != "" else None,
        url=web_address(item.get("url"), ""),
        title=title,
        text=html_to_text(text) if item.get("html") is True else plain_text(text),
        author=one_line(item.get("author") or "") or None,
        published=parse_date(item.get("published")),
        language=(item.get("lang") or item.get("language") or None),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        source=one_line(item.get("source") or "")[:MAX_NAME] or None,
    )


def _is_text(item: dict[str, Any], key: str) -> bool:
    return item.get(key) is None or isinstance(item[key], str)
