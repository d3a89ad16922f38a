"""Entries that tell the same thing. For now each entry is its own story; ids stay when copies come to join."""

from __future__ import annotations

from monitor.core.entries import derived_id
from monitor.core.events import EntryObserved, StoryStarted


def start_story(entry: EntryObserved) -> StoryStarted:
    """The story that this entry begins."""
    return StoryStarted(
        story_id=derived_id("sto", entry.entry_id),
        entry_id=entry.entry_id,
        source_id=entry.source_id,
        title=entry.title,
        seen=entry.first_seen,
    )
