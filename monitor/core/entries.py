"""What sources bring: parsed feeds and entries, their keys and fingerprints.

All instants are aware `datetime`s in UTC; `None` means the publisher did not say (never "now").
"""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import datetime
from enum import StrEnum

import msgspec

from monitor.core.urls import canonical_url


class Kind(StrEnum):
    """How a source is read."""

    FEED = "feed"
    FOLDER = "folder"


class Tier(StrEnum):
    """How much a source's word weighs."""

    OFFICIAL = "official"
    PRESS = "press"
    BLOG = "blog"


class Arrival(StrEnum):
    """Under which circumstances an entry was first seen; decides whether and how it may alert."""

    NEW = "new"  # came while we watched, or was given by hand
    ALREADY_THERE = "already_there"  # first poll of the source, recent: alerts go as one section
    BASELINE = "baseline"  # first poll, old or undated: stored and matched, raises nothing


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One feed or folder we watch, as `seeds/sources.yaml` states it.

    `location` is the URL (may hold `${NAME}`; never a secret's value) or the folder's path relative to `seeds/`.
    `every` is the owner's wish in seconds.
    """

    id: str
    kind: Kind
    location: str
    every: int = 3600
    tags: tuple[str, ...] = ()
    tier: Tier = Tier.PRESS
    language: str | None = None
    headers: dict[str, str] = {}


class ParsedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as a parser found it: plain text (paragraphs separated by blank lines), raw id untouched.

    `source`: the document names where it came from (documents given by hand), else the source that brought it.
    `path`: the file it is, within its folder.
    """

    raw_id: str | None
    url: str | None
    title: str
    text: str
    author: str | None = None
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    source: str | None = None
    path: str | None = None


class ParsedFeed(msgspec.Struct, frozen=True, kw_only=True):
    """What one document held. `faults` are words for a person; entries that could be read are there all the same.

    `complete`: False where the document breaks off. `skip_hours`, `skip_days`: when its publisher does not want to be
    asked (bit 0 is 00:00 GMT, Monday).
    """

    format: str
    title: str
    entries: tuple[ParsedEntry, ...]
    faults: tuple[str, ...] = ()
    ttl_seconds: int | None = None
    complete: bool = True
    skip_hours: int = 0
    skip_days: int = 0


def derived_id(prefix: str, *parts: str) -> str:
    """A stable id: the prefix and 20 hex digits of SHA-256 over the length-prefixed parts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return f"{prefix}-{digest.hexdigest()[:20]}"


def entry_keys(entry: ParsedEntry) -> tuple[str, ...]:
    """What makes an entry the same one at the next poll, the strongest first: its raw id, its file, its address
    without and with fragment, its title and text.

    An address within a raw id counts as an address: neither trackers nor a move to https make another entry.
    """
    keys: list[str] = []
    if entry.raw_id:
        is_url = entry.raw_id.lower().startswith(("http://", "https://"))
        keys.append(f"id:{canonical_url(entry.raw_id, fragment=True) if is_url else entry.raw_id}")
    if entry.path:
        keys.append(f"path:{entry.path}")
    if entry.url:
        plain, full = canonical_url(entry.url), canonical_url(entry.url, fragment=True)
        keys += [f"url:{plain}"] if plain == full else [f"url:{plain}", f"url:{full}"]
    content = (entry.title + "\0" + entry.text).encode("utf-8", "surrogatepass")
    return (*keys, f"text:{hashlib.sha256(content).hexdigest()}")


def entry_key(entry: ParsedEntry) -> str:
    """The strongest of `entry_keys`."""
    return entry_keys(entry)[0]


def entry_id(source_id: str, key: str) -> str:
    """`ent-…`, the same for the same entry of the same source on every machine."""
    return derived_id("ent", source_id, key)


def fingerprint(title: str, text: str, author: str | None) -> str:
    """32 hex digits of what a reader would call the content: NFC, white space folded; no times, no URL."""
    parts = (" ".join(unicodedata.normalize("NFC", part).split()) for part in (title, text, author or ""))
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
