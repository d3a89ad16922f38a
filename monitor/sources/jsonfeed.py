"""JSON Feed 1.0 and 1.1, read leniently: wrong types are as if absent, a truncated document gives what it holds."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urljoin

import msgspec

from monitor.core.entries import ParsedEntry, ParsedFeed
from monitor.sources.dates import parse_date
from monitor.sources.text import html_to_text, one_line, plain_text
from monitor.sources.unreadable import Unreadable

_VERSION = re.compile(r"https?://(?:www\.)?jsonfeed\.org/version/([\d.]+)")
_ITEMS = re.compile(r'"items"\s*:\s*\[\s*')
_DECODER = msgspec.json.Decoder(float_hook=str)  # an id of 1.50 stays one


def parse_json_feed(body: bytes, url: str) -> ParsedFeed:
    """The feed in a JSON document. Raises `Unreadable` where it is another kind of document."""
    faults: tuple[str, ...] = ()
    try:
        document = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        document = {"items": _salvage(body.decode("utf-8", "replace"))}
        if not document["items"]:
            raise Unreadable(f"is JSON that cannot be read: {error}") from None
        faults = (f"not sound JSON ({error}); what could be read was",)
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise Unreadable("is JSON, but no JSON Feed: it has no list of items")
    version = _VERSION.match(_text(document, "version") or "")
    base = web_address(_text(document, "feed_url") or _text(document, "home_page_url"), url) or url
    language, author = _text(document, "language"), _author(document)
    entries = tuple(_entry(item, base, language, author) for item in document["items"] if isinstance(item, dict))
    return ParsedFeed(
        format=f"json{version[1]}" if version else "json",
        title=one_line(_text(document, "title") or ""),
        entries=entries,
        faults=faults,
        complete=not faults,
    )


def _entry(item: dict[str, Any], base: str, language: str | None, author: str | None) -> ParsedEntry:
    raw_id = item.get("id")
    link = _text(item, "url") or _text(item, "external_url")
    markup, plain = _text(item, "content_html"), _text(item, "content_text")
    text = html_to_text(markup) if markup else plain_text(plain or _text(item, "summary") or "")
    return ParsedEntry(
        # Numbers are ids in many feeds; the text is how they are written.
        raw_id=str(raw_id) if isinstance(raw_id, str | int) and not isinstance(raw_id, bool) and raw_id != "" else None,
        url=web_address(link, base),
        title=one_line(_text(item, "title") or ""),
        text=text,
        author=_author(item) or author,
        published=parse_date(_text(item, "date_published")),
        updated=parse_date(_text(item, "date_modified")),
        language=_text(item, "language") or language,
    )


def _author(part: dict[str, Any]) -> str | None:
    authors = part.get("authors")
    people = authors if isinstance(authors, list) else [part.get("author")]
    names = [_text(person, "name") for person in people if isinstance(person, dict)]
    return one_line(", ".join(name for name in names if name)) or None


def _text(part: dict[str, Any], key: str) -> str | None:
    value = part.get(key)
    return value.strip() or None if isinstance(value, str) else None


def web_address(link: str | None, base: str) -> str | None:
    """A link as a whole http or https address; None where it is none."""
    if not link:
        return None
    try:
        joined = urljoin(base, link.strip())
    except ValueError:
        return None
    return joined if joined.lower().startswith(("http://", "https://")) else None


def _salvage(text: str) -> list[Any]:
    """The whole items at the head of a document that breaks off."""
    start = _ITEMS.search(text)
    items: list[Any] = []
    if start is None:
        return items
    at, decoder = start.end(), json.JSONDecoder(parse_float=str)
    while True:
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return items
        items.append(item)
        at = _past_comma(text, at)


def _past_comma(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at
