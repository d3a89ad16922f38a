"""RSS, Atom and RDF by feedparser, JSON Feed by our own reader: bytes to a `ParsedFeed`. Runs in a worker process."""

from __future__ import annotations

import contextlib
import html
import io
import re
from datetime import datetime
from typing import Any

import feedparser
import feedparser.api
from feedparser.mixin import _FeedParserMixin
from msgspec.structs import replace

from monitor.core.entries import ParsedEntry, ParsedFeed
from monitor.core.observe import MAX_ENTRIES
from monitor.sources.dates import parse_date
from monitor.sources.encodings import to_utf8
from monitor.sources.jsonfeed import parse_json_feed, web_address
from monitor.sources.text import html_to_text, one_line, plain_text
from monitor.sources.unreadable import Unreadable

MAX_FAULTS = 20
_HEAD = 65_536
_HTML = re.compile(rb"<!doctype\s+html|<html[\s>]", re.IGNORECASE)
_FEED_ROOT = re.compile(rb"<(?:\w+:)?(?:rss|feed|rdf|channel)[\s>]", re.IGNORECASE)
_PROLOG = re.compile(rb"\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[[^\]]*\])?[^>]*>", re.IGNORECASE | re.DOTALL)
_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*(?::[\w.-]+)?)")
_ENTITY = re.compile(rb"<!ENTITY([^>]*)")
_PLAIN_ENTITY = re.compile(rb"""\s+[\w.-]+\s+(?:"[^"%&<]{0,64}"|'[^'%&<]{0,64}')\s*""")
_ALTERNATE = re.compile(rb"<link\b[^>]{0,1000}>", re.IGNORECASE)
_FEED_TYPE = re.compile(rb"""type\s*=\s*["']?application/(?:rss\+xml|atom\+xml|feed\+json|json)""", re.IGNORECASE)
_HREF = re.compile(rb"""href\s*=\s*(?:"([^"]{1,1000})"|'([^']{1,1000})')""", re.IGNORECASE)
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,12})|([0-9]{1,12}));?")
_DAYS = (b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday")


def parse_feed(body: bytes, url: str, content_type: str | None) -> ParsedFeed:
    """All that can be read of a feed; `url` is the base of relative links. Raises `Unreadable`."""
    if not body.strip():
        raise Unreadable("is empty")
    utf8, odd = to_utf8(body, content_type)
    start = utf8.lstrip()[:1]
    if start in (b"{", b"["):
        return _with_fault(parse_json_feed(utf8, url), odd)
    _refuse_html(utf8, url)
    _refuse_entities(utf8)
    parsed = feedparser.parse(
        # feedparser opens what it is given as text or bytes as a *file* of that name: a body that is a path would be
        # read from our disk.
        io.BytesIO(_REFERENCE.sub(_possible, utf8)),
        # An empty header would be taken for "no content type" and the encoding guessed anew.
        response_headers={"content-type": "application/xml; charset=utf-8", "content-location": url},
        # We keep text alone, which needs neither; both together take nine tenths of the time.
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not parsed.version and not parsed.entries:
        raise Unreadable(_what_else(utf8))
    return _with_fault(_feed(parsed, utf8, url), odd)


def _with_fault(feed: ParsedFeed, odd: str | None) -> ParsedFeed:
    faults = (*((odd,) if odd else ()), *feed.faults)
    if not feed.entries and not faults:
        faults = ("it holds no entries",)
    return replace(feed, faults=faults)


# --- what feedparser does and we cannot use -----------------------------------------------------------


class _Ours:
    """Both of feedparser's parsers, with raw ids, and without giving up a whole feed for one odd element."""

    # feedparser resolves relative ids against the feed's address: when a feed moves, every entry would be new.
    can_be_relative_uri = _FeedParserMixin.can_be_relative_uri - {"id"}

    def _end_guid(self: Any) -> None:
        value = self.pop("id")
        self._save("guidislink", self.guidislink and "link" not in self._get_context())
        # "Is a permalink" is the default, and many a `<guid>17</guid>` is none.
        if self.guidislink and value.lower().startswith(("http://", "https://")):
            self._save("link", value)

    _end_id = _end_guid

    def unknown_starttag(self, tag: str, attrs: Any) -> None:
        with contextlib.suppress(*_STUMBLES):
            super().unknown_starttag(tag, attrs)  # type: ignore[misc]

    def unknown_endtag(self, tag: str) -> None:
        with contextlib.suppress(*_STUMBLES):
            super().unknown_endtag(tag)  # type: ignore[misc]


_STUMBLES = (LookupError, AttributeError, TypeError, ValueError)


class _Strict(_Ours, feedparser.api.StrictFeedParser):  # type: ignore[misc]
    def startElementNS(self, *element: Any) -> None:  # noqa: N802  (a space in a namespace)
        with contextlib.suppress(*_STUMBLES):
            super().startElementNS(*element)

    def endElementNS(self, *element: Any) -> None:  # noqa: N802
        with contextlib.suppress(*_STUMBLES):
            super().endElementNS(*element)


class _Loose(_Ours, feedparser.api.LooseFeedParser):  # type: ignore[misc]
    pass


feedparser.api.StrictFeedParser, feedparser.api.LooseFeedParser = _Strict, _Loose


# --- before parsing -------------------------------------------------------------------------------


def _refuse_html(body: bytes, url: str) -> None:
    head = body[:_HEAD]
    page = _HTML.search(head)
    root = _FEED_ROOT.search(head)
    if page is None or (root is not None and root.start() < page.start()):
        return
    feeds = []
    for link in _ALTERNATE.findall(body[:1_000_000]):
        href = _HREF.search(link)
        if href and _FEED_TYPE.search(link):
            address = web_address(html.unescape((href[1] or href[2]).decode("utf-8", "replace")), url)
            feeds += [address] if address else []
    named = f"; it names {', '.join(dict.fromkeys(feeds[:3]))}" if feeds else ""
    raise Unreadable(f"is an HTML page, not a feed{named}")


def _refuse_entities(body: bytes) -> None:
    """Entity declarations that could grow or reach out. Short literal ones, as in old RSS, are harmless."""
    start = _prolog_end(body)
    declared = _ENTITY.findall(body[:start] if _ROOT.match(body, start) else body)
    if len(declared) > 300 or not all(_PLAIN_ENTITY.fullmatch(entity) for entity in declared):
        raise Unreadable("declares XML entities, which feeds do not need and attacks do; it was not parsed")


def _possible(reference: re.Match[bytes]) -> bytes:
    # feedparser fails on references to half a UTF-16 pair, and to what is no character at all.
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return b"\xef\xbf\xbd" if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF else reference[0]


def _what_else(body: bytes) -> str:
    root = _root_name(body)
    if root is None:
        return "is neither XML nor JSON, so no feed"
    return f"is XML with the root '{root.decode('ascii', 'replace')[:40]}', which is no feed known here"


def _root_name(body: bytes) -> bytes | None:
    root = _ROOT.match(body, _prolog_end(body))
    return root[1] if root else None


def _prolog_end(body: bytes) -> int:
    at = 0
    while prolog := _PROLOG.match(body, at):
        at = prolog.end()
    return at


# --- after parsing --------------------------------------------------------------------------------


def _feed(parsed: Any, body: bytes, url: str) -> ParsedFeed:
    entries, faults = list(parsed.entries), []
    complete = _is_complete(body)
    if not complete:
        faults.append("it breaks off before its end")
        if entries and _last_is_open(body):
            entries.pop()  # its text may be half of what it will be
    elif parsed.bozo and not isinstance(parsed.bozo_exception, feedparser.NonXMLContentType):
        faults.append(_ill_formed(parsed.bozo_exception))
    if len(entries) > MAX_ENTRIES:
        faults.append(f"{len(entries):,} entries; the first {MAX_ENTRIES:,} are kept")
    kept: list[ParsedEntry] = []
    for entry in entries[:MAX_ENTRIES]:
        try:
            kept.append(_entry(entry, url, _word(parsed.feed, "language")))
        except Exception as error:  # whatever is odd about one entry, the others are read
            faults.append(f"an entry cannot be read ({type(error).__name__})")
    feed = parsed.feed
    ttl = _word(feed, "ttl") or ""
    hours, days = _skips(body)
    return ParsedFeed(
        format=parsed.version or "unknown",
        title=_markup(feed, "title", single=True),
        entries=tuple(kept),
        faults=tuple(faults[:MAX_FAULTS]),
        ttl_seconds=int(ttl) * 60 if ttl.isascii() and ttl.isdigit() and len(ttl) < 9 else None,
        complete=complete,
        skip_hours=hours,
        skip_days=days,
    )


def _entry(entry: Any, url: str, language: str | None) -> ParsedEntry:
    return ParsedEntry(
        raw_id=_word(entry, "id"),
        url=web_address(_word(entry, "link"), url),
        title=_markup(entry, "title", single=True),
        text=_body(entry),
        author=_author(entry),
        published=_date(entry, "published") or _date(entry, "created"),
        updated=_date(entry, "updated"),
        language=_language(entry) or language,
    )


def _ill_formed(error: Exception) -> str:
    line = getattr(error, "getLineNumber", lambda: None)()
    message = one_line(getattr(error, "getMessage", lambda: str(error))())[:200]
    return f"not well-formed{f' in line {line}' if line else ''}: {message}"


def _word(part: Any, key: str) -> str | None:
    # `in` and `dict.get`: feedparser's own `get` answers "updated" with "published".
    value = dict.get(part, key)
    return value.strip() or None if isinstance(value, str) else None


def _date(entry: Any, key: str) -> datetime | None:
    # Never `published_parsed`: it fills what is missing from today's date.
    return parse_date(_word(entry, key))


def _markup(part: Any, key: str, *, single: bool) -> str:
    value = dict.get(part, key)
    if not isinstance(value, str):
        return ""
    kind = (dict.get(part, f"{key}_detail") or {}).get("type", "text/html")
    text = plain_text(value) if kind == "text/plain" else html_to_text(value)
    return one_line(text) if single else text


def _body(entry: Any) -> str:
    """The longest of what the entry offers: its contents, else its summary."""
    offers = [
        plain_text(part["value"]) if part.get("type") == "text/plain" else html_to_text(part["value"])
        for part in dict.get(entry, "content") or ()
        if isinstance(part.get("value"), str)
        and (part.get("type") or "text/html").startswith(("text/", "application/xh"))
    ]
    return max([_markup(entry, "summary", single=False), *offers], key=len)


def _author(entry: Any) -> str | None:
    names = [person.get("name") for person in dict.get(entry, "authors") or ()]
    joined = ", ".join(dict.fromkeys(name.strip() for name in names if name and name.strip()))
    return one_line(joined or _word(entry, "author") or "") or None


def _language(entry: Any) -> str | None:
    parts = [*(dict.get(entry, "content") or ()), dict.get(entry, "summary_detail"), dict.get(entry, "title_detail")]
    words = (part.get("language") for part in parts if part)
    return next((word for word in words if isinstance(word, str) and word), None)


def _is_complete(body: bytes) -> bool:
    root = _root_name(body)
    return root is None or b"</" + root.lower() in body[-_HEAD:].lower()


def _last_is_open(body: bytes) -> bool:
    starts = [body.rfind(b"<" + name) for name in (b"item>", b"item ", b"entry>", b"entry ")]
    last = max(starts)
    return last >= 0 and not re.search(rb"</(?:item|entry)>", body[last:])


def _skips(body: bytes) -> tuple[int, int]:
    head = body[:_HEAD].partition(b"<item")[0]
    hours = days = 0
    found = re.search(rb"<skipHours>(.{0,2000}?)</skipHours>", head, re.IGNORECASE | re.DOTALL)
    for hour in re.findall(rb"<hour>\s*(\d{1,2})\s*</hour>", found[1], re.IGNORECASE) if found else ():
        if int(hour) <= 24:
            hours |= 1 << int(hour) % 24
    found = re.search(rb"<skipDays>(.{0,2000}?)</skipDays>", head, re.IGNORECASE | re.DOTALL)
    for day in re.findall(rb"<day>\s*(\w+)\s*</day>", found[1], re.IGNORECASE) if found else ():
        if day.lower() in _DAYS:
            days |= 1 << _DAYS.index(day.lower())
    return hours, days
