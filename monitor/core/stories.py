"""Entries that tell the same thing: the story that an entry joins or starts, and what an analyst makes of stories.

An entry joins the story of the remembered entry whose text is most like its own (`core/likeness.py` says what that is).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.core.entries import derived_id
from monitor.core.events import EntryObserved, StoryJoined, StoryMerged, StoryPart, StorySplit, StoryStarted
from monitor.core.likeness import Likeness, tokens_of
from monitor.core.views import EntryRow, StoryRow

COPY: Final = "copy"
EXTRACT: Final = "extract"
COPIES: Final = frozenset({COPY, EXTRACT})
"""Reasons for a join that make no source independent: the text is the same."""


@dataclass(frozen=True, slots=True)
class Kin:
    """A remembered entry of much the same text, and the story it stands in."""

    entry_id: str
    source_id: str
    title: str
    story_id: str
    likeness: Likeness


def start_story(entry: EntryObserved, marks: bytes = b"") -> StoryStarted:
    """The story that this entry begins."""
    return StoryStarted(
        story_id=derived_id("sto", entry.entry_id),
        entry_id=entry.entry_id,
        source_id=entry.source_id,
        title=entry.title,
        seen=entry.first_seen,
        marks=marks,
    )


def tell(entry: EntryObserved, marks: bytes, kin: Iterable[Kin]) -> StoryStarted | StoryJoined:
    """The story that an entry joins, or starts. `kin`: the most alike first; the first that may be joined decides."""
    for one in kin:
        if one.source_id == entry.source_id and not _same_headline(entry.title, one.title):
            continue
        return StoryJoined(
            story_id=one.story_id,
            entry_id=entry.entry_id,
            source_id=entry.source_id,
            seen=entry.first_seen,
            reason=EXTRACT if one.likeness.extract else COPY,
            score=round(one.likeness.containment, 4),
            like=one.entry_id,
            marks=marks,
        )
    return start_story(entry, marks)


def _same_headline(ours: str, theirs: str) -> bool:
    """Within one source a like text under another headline, or another number in it, is the next notice from the same
    mould, not a copy.
    """
    mine, other = set(tokens_of(ours)), set(tokens_of(theirs))
    if {token for token in mine if token.isdigit()} != {token for token in other if token.isdigit()}:
        return False
    return 2 * len(mine & other) >= len(mine | other)


def merge(into: StoryRow, other: StoryRow) -> StoryMerged:
    """Two stories are one, says an analyst: `other` goes up in `into`."""
    return StoryMerged(
        story=StoryPart(
            story_id=into.story_id,
            title=into.title,
            entry_ids=_once(*into.entry_ids, *other.entry_ids),
            sources=_once(*into.sources, *other.sources),
            independent=_once(*into.independent, *other.independent),
            first_seen=min(into.first_seen, other.first_seen),
            last_seen=max(into.last_seen, other.last_seen),
        ),
        merged=other.story_id,
    )


def split(story: StoryRow, entries: Sequence[EntryRow], leaving: Collection[str]) -> StorySplit:
    """Entries of a story tell another one, says an analyst. `entries`: all of the story that are known.

    At least one of `entries` leaves and one stays. Of sources that have entries on both sides, both parts keep them.
    """
    stays = [entry for entry in entries if entry.entry_id not in leaving]
    leaves = [entry for entry in entries if entry.entry_id in leaving]
    assert stays and leaves
    new_id = derived_id("sto", story.story_id, *sorted(entry.entry_id for entry in leaves))
    return StorySplit(
        story=_part(story.story_id, stays, lambda source: source in story.independent),
        parted=_part(new_id, leaves, lambda source: source in story.independent),
    )


def _part(story_id: str, entries: Sequence[EntryRow], independent: Callable[[str], bool]) -> StoryPart:
    sources = _once(*(entry.source_id for entry in entries))
    return StoryPart(
        story_id=story_id,
        title=entries[0].title,
        entry_ids=tuple(entry.entry_id for entry in entries),
        sources=sources,
        independent=tuple(filter(independent, sources)) or sources[:1],
        first_seen=min(entry.first_seen for entry in entries),
        last_seen=max(entry.first_seen for entry in entries),
    )


def _once(*items: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
