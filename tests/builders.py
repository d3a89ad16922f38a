"""Whole objects from the few fields a test is about; everything else is filled with something plausible."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from monitor.core.entries import Arrival, Kind, ParsedEntry, Source, entry_id, entry_key, fingerprint
from monitor.core.events import EntryObserved
from tests.fakes import START


def source(id: str = "port-news", **fields: Any) -> Source:
    """A feed of example.org, unless said otherwise."""
    return Source(**{"id": id, "kind": Kind.FEED, "location": f"https://feeds.example.org/{id}.xml", **fields})


def parsed_entry(
    title: str = "Port of Example reopens", text: str = "The port reopened.", **fields: Any
) -> ParsedEntry:
    """An entry an hour old, with a raw id made from its title."""
    raw_id = "tag:example.org," + "-".join(title.lower().split())
    defaults = {"raw_id": raw_id, "url": "https://news.example.org/1", "published": START - timedelta(hours=1)}
    return ParsedEntry(title=title, text=text, **{**defaults, **fields})


def observed(
    parsed: ParsedEntry | None = None,
    *,
    source_id: str = "port-news",
    first_seen: datetime = START,
    arrival: Arrival = Arrival.NEW,
) -> EntryObserved:
    """The event for a parsed entry, with its true id and fingerprint."""
    parsed = parsed or parsed_entry()
    return EntryObserved(
        entry_id=entry_id(source_id, entry_key(parsed)), source_id=source_id, raw_id=parsed.raw_id, url=parsed.url,
        title=parsed.title, author=parsed.author, text=parsed.text, published=parsed.published,
        updated=parsed.updated, first_seen=first_seen, language=parsed.language, tags=parsed.tags,
        fingerprint=fingerprint(parsed.title, parsed.text, parsed.author), arrival=arrival,
    )  # fmt: skip
