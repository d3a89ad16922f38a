"""A web page saved as a file: its title, text, and what its head says of it."""

from __future__ import annotations

import re

from monitor.core.entries import ParsedEntry
from monitor.sources.dates import parse_date
from monitor.sources.jsonfeed import web_address
from monitor.sources.text import LenientParser, html_to_text, one_line
from monitor.sources.unreadable import Unreadable

_DATES = ("article:published_time", "date", "dc.date", "dcterms.date", "dcterms.created", "datepublished", "pubdate")
_HEADING_OPENS = re.compile(r"<h1(?:\s[^<>]{0,1000})?>", re.IGNORECASE)
_HEADING_CLOSES = re.compile(r"</h1\s{0,10}>", re.IGNORECASE)


def parse_html(markup: str, name: str) -> ParsedEntry:
    """The page as an entry. Raises `Unreadable` where it holds no text."""
    head = _Head()
    head.feed(markup[:500_000])
    head.close()
    title = head.meta.get("og:title") or "".join(head.title) or html_to_text(_first_heading(markup))
    text = html_to_text(markup)
    if not text:
        raise Unreadable("is a page without text")
    return ParsedEntry(
        raw_id=None,
        url=web_address(head.canonical or head.meta.get("og:url"), ""),
        title=one_line(title)[:300],
        text=text,
        author=one_line(head.meta.get("author", "")) or None,
        published=next((date for key in _DATES if (date := parse_date(head.meta.get(key)))), None),
        updated=parse_date(head.meta.get("article:modified_time")),
        language=head.language,
        path=name,
    )


def _first_heading(markup: str) -> str:
    opens = _HEADING_OPENS.search(markup)
    closes = _HEADING_CLOSES.search(markup, opens.end()) if opens else None
    return markup[opens.end() : closes.start()] if opens and closes else ""


class _Head(LenientParser):
    def __init__(self) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.title: list[str] = []
        self.canonical: str | None = None
        self.language: str | None = None
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {key: value or "" for key, value in attrs}
        if tag == "meta":
            self.meta.setdefault((named.get("property") or named.get("name") or "").lower(), named.get("content", ""))
        elif tag == "link" and named.get("rel", "").lower() == "canonical":
            self.canonical = named.get("href")
        elif tag == "html":
            self.language = named.get("lang") or None
        elif tag == "title":
            self._in_title = not self.title

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
