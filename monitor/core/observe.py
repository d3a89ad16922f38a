"""What a poll brought against what is known: new entries, revisions, and nothing where nothing a reader would notice
changed.

Three steps, so that the shell reads only what is needed: `candidates` names the entries that may be known, `identify`
says which entry is which, `observe` decides.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from monitor.core.diffs import text_diff
from monitor.core.entries import (
    Arrival,
    Kind,
    ParsedEntry,
    ParsedFeed,
    Source,
    derived_id,
    entry_id,
    entry_keys,
    fingerprint,
)
from monitor.core.events import EntryObserved, EntryRevised, NewEvent
from monitor.core.urls import canonical_url, redact_url
from monitor.core.views import EntryRow

RECENT = timedelta(days=14)  # on the first poll of a source, what is younger may alert
NEWEST_UNDATED = 20  # … and so many entries without a date
DATE_MOVED = timedelta(days=1)

MAX_ENTRIES = 50_000
MAX_TEXT = 1_000_000  # characters
MAX_LINE = 2_000
_LINES = ("title", "author", "language")

_NOISE = re.compile(
    r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\s?(?:[ap]\.?m|uhr|h)\b)?(?!\w)"  # times of day
    r"|\b\d[\d.,]*\s?[km]?\s(?:comments?|replies|views|shares|likes|kommentare?|commentaires?|comentarios?)\b"
    r"|\b(?:share|tweet|pin|e-?mail|print)(?: (?:this|on|via) \w+)?\s*(?=[|·•\n]|$)",
    re.IGNORECASE,
)


class Sighting(msgspec.Struct, frozen=True):
    """One entry of a document, whose it is, and what is known of it (None: never seen)."""

    entry: ParsedEntry
    source_id: str
    entry_id: str
    key: str
    mark: str  # fingerprint
    row: EntryRow | None


class Observation(msgspec.Struct, frozen=True):
    """The events to append. `fresh`: streams that must not exist yet; `revised`: streams that must not have moved
    since they were read.
    """

    events: tuple[NewEvent, ...]
    fresh: tuple[str, ...]
    revised: tuple[str, ...]


def candidates(source: Source, feed: ParsedFeed) -> frozenset[str]:
    """Ids under which the entries of a document may be known."""
    return frozenset(
        entry_id(entry.source or source.id, key) for entry in _bounded(feed.entries) for key in entry_keys(entry)
    )


def identify(source: Source, feed: ParsedFeed, known: Mapping[str, EntryRow]) -> tuple[Sighting, ...]:
    """Each entry of a document once, in the document's order, with its id and what is known of it.

    The same entry twice in one document is one: the one updated last. A key that clearly different entries share (a
    feed that gives all of them one guid) identifies none of them; their next key does.
    """
    entries = _bounded(feed.entries)
    keys = [entry_keys(entry) for entry in entries]
    shared = _shared_keys(source, entries, keys)
    chosen: dict[str, Sighting] = {}
    for entry, entry_keys_ in zip(entries, keys, strict=True):
        source_id = entry.source or source.id
        usable = [key for key in entry_keys_ if (source_id, key) not in shared]
        sighting = _sighting(entry, source_id, usable, known)
        other = chosen.get(sighting.entry_id)
        if other is None or _later(sighting) > _later(other):
            chosen[sighting.entry_id] = sighting
    return tuple(chosen.values())


def unsure(sightings: Iterable[Sighting]) -> tuple[EntryRow, ...]:
    """Known entries whose content is not letter for letter what it was: to decide, their stored text is needed."""
    return tuple(
        sighting.row for sighting in sightings if sighting.row is not None and sighting.row.fingerprint != sighting.mark
    )


def observe(
    source: Source,
    sightings: Iterable[Sighting],
    texts: Mapping[str, str],
    *,
    first_poll: bool,
    now: datetime,
    undated: int = 0,
) -> Observation:
    """The events for what is new or changed.

    `texts`: entry id -> stored text, for the `unsure` ones. `first_poll`: this source was never read before, so most of
    it is not news. `undated`: how many without a date stood in the document before these. Documents of folders and
    those given by hand are new whatever their date, once per content.
    """
    events: list[NewEvent] = []
    fresh: list[str] = []
    revised: list[str] = []
    # Feeds begin with the newest; the log tells things in the order in which they were published.
    for sighting in sorted(sightings, key=lambda one: dated(one.entry) or now):
        stream = f"entry/{sighting.entry_id}"
        undated += dated(sighting.entry) is None
        if sighting.row is None:
            first = first_poll and source.kind is not Kind.FOLDER
            arrival = _arrival(sighting.entry, undated, now) if first else Arrival.NEW
            fresh.append(stream)
            events.append(_observed(stream, source, sighting, arrival, now))
        else:
            event = _revised(stream, source, sighting, sighting.row, texts, now)
            if event is not None:
                revised.append(stream)
                events.append(event)
    return Observation(tuple(events), tuple(fresh), tuple(revised))


def dated(entry: ParsedEntry) -> datetime | None:
    """When the entry was published, or at least updated, by its own word."""
    return entry.published or entry.updated


# --- which entry is which -------------------------------------------------------------------------


def _shared_keys(
    source: Source, entries: tuple[ParsedEntry, ...], keys: list[tuple[str, ...]]
) -> frozenset[tuple[str, str]]:
    users: defaultdict[tuple[str, str], list[ParsedEntry]] = defaultdict(list)
    for entry, entry_keys_ in zip(entries, keys, strict=True):
        for key in entry_keys_[:-1]:  # the last is the content itself
            users[entry.source or source.id, key].append(entry)
    return frozenset(used for used, group in users.items() if len(group) > 1 and _differ(used[1], group))


def _differ(key: str, group: list[ParsedEntry]) -> bool:
    if len({_folded(entry.title) for entry in group}) == 1:
        return False
    # One id, one address, two titles: an edit that the feed shows beside the original.
    return not key.startswith("id:") or len({canonical_url(entry.url or "", fragment=True) for entry in group}) > 1


def _sighting(entry: ParsedEntry, source_id: str, keys: list[str], known: Mapping[str, EntryRow]) -> Sighting:
    mark = fingerprint(entry.title, entry.text, entry.author)
    for key in keys:
        row = known.get(entry_id(source_id, key))
        if row is not None:
            return Sighting(entry, source_id, row.entry_id, key, mark, row)
    return Sighting(entry, source_id, entry_id(source_id, keys[0]), keys[0], mark, None)


def _later(sighting: Sighting) -> tuple[datetime, str]:
    entry = sighting.entry
    return entry.updated or entry.published or datetime.min.replace(tzinfo=UTC), sighting.mark


# --- what to say of it ----------------------------------------------------------------------------


def _arrival(entry: ParsedEntry, undated: int, now: datetime) -> Arrival:
    when = dated(entry)
    recent = undated <= NEWEST_UNDATED if when is None else now - when <= RECENT
    return Arrival.ALREADY_THERE if recent else Arrival.BASELINE


def _observed(stream: str, source: Source, sighting: Sighting, arrival: Arrival, now: datetime) -> NewEvent:
    entry, mark = sighting.entry, sighting.mark
    event = EntryObserved(
        entry_id=sighting.entry_id, source_id=sighting.source_id, raw_id=entry.raw_id, url=_stored(entry.url),
        title=entry.title, author=entry.author, text=entry.text, published=entry.published, updated=entry.updated,
        first_seen=now, language=source.language or entry.language, tags=_tags(source, entry), fingerprint=mark,
        arrival=arrival,
    )  # fmt: skip
    by_content = entry.path is not None and entry.raw_id is None
    identity = ("content", sighting.source_id) if by_content else ("entry", sighting.source_id, sighting.key)
    return NewEvent(stream=stream, event=event, dedupe=derived_id("seen", *identity, mark))


def _revised(
    stream: str, source: Source, sighting: Sighting, row: EntryRow, texts: Mapping[str, str], now: datetime
) -> NewEvent | None:
    entry, mark = sighting.entry, sighting.mark
    before = texts.get(row.entry_id)
    changed = _changed(entry, row, before)
    if not changed:
        return None
    event = EntryRevised(
        entry_id=row.entry_id, source_id=row.source_id, revision=row.revision + 1, url=_stored(entry.url) or row.url,
        title=entry.title, author=entry.author, text=entry.text, published=entry.published or row.published,
        updated=entry.updated, seen=now, language=source.language or entry.language, tags=_tags(source, entry),
        fingerprint=mark, changed=changed, diff=_diff(entry, row, before, changed),
    )  # fmt: skip
    # The revision's number belongs to its identity: a text that goes back to what it was is a third revision.
    dedupe = derived_id("seen", "revision", row.entry_id, str(event.revision), mark)
    return NewEvent(stream=stream, event=event, dedupe=dedupe)


def _changed(entry: ParsedEntry, row: EntryRow, before: str | None) -> tuple[str, ...]:
    changed = []
    if _folded(entry.title) != _folded(row.title):
        changed.append("title")
    if _folded(entry.author or "") != _folded(row.author or ""):
        changed.append("author")
    if before is not None and _material(entry.text) != _material(before):
        changed.append("text")
    if entry.published and row.published and abs(entry.published - row.published) > DATE_MOVED:
        changed.append("published")
    return tuple(changed)


def _diff(entry: ParsedEntry, row: EntryRow, before: str | None, changed: tuple[str, ...]) -> str:
    old = [row.title, f"by {row.author or 'unknown'}", f"published {row.published or 'unknown'}"]
    new = [entry.title, f"by {entry.author or 'unknown'}", f"published {entry.published or 'unknown'}"]
    kept = [index for index, name in enumerate(("title", "author", "published")) if name in changed or name == "title"]
    head = ["\n".join(lines[index] for index in kept) for lines in (old, new)]
    if "text" not in changed or before is None:
        return text_diff(*head)
    return text_diff(f"{head[0]}\n\n{before}", f"{head[1]}\n\n{entry.text}")


def _tags(source: Source, entry: ParsedEntry) -> tuple[str, ...]:
    # A feed's own categories stay out: `where: {tags: …}` asks for the owner's words, and a stranger must not say them.
    own = entry.tags if source.kind is Kind.FOLDER else ()
    return tuple(dict.fromkeys((*source.tags, *own)))


def _stored(url: str | None) -> str | None:
    return None if url is None else redact_url(url)


def _folded(text: str) -> str:
    return " ".join(text.split())


def _material(text: str) -> str:
    return " ".join(_NOISE.sub(" ", text).split())


# --- caps -----------------------------------------------------------------------------------------


def _bounded(entries: tuple[ParsedEntry, ...]) -> tuple[ParsedEntry, ...]:
    return tuple(cut(entry) for entry in entries[:MAX_ENTRIES])


def cut(entry: ParsedEntry) -> ParsedEntry:
    """The entry within its caps: a longer text is cut with a mark, a longer address is none."""
    long = {name: value[:MAX_LINE] for name in _LINES if len(value := getattr(entry, name) or "") > MAX_LINE}
    if entry.raw_id and len(entry.raw_id) > MAX_LINE:
        long["raw_id"] = entry.raw_id[:MAX_LINE] + derived_id("…", entry.raw_id)
    if entry.url and len(entry.url) > MAX_LINE:
        long["url"] = None
    if len(entry.text) > MAX_TEXT:
        long["text"] = f"{entry.text[:MAX_TEXT]}\n\n[cut here: {len(entry.text):,} characters]"
    return replace(entry, **long) if long else entry
