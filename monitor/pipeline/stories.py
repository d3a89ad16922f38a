"""What an analyst does about stories: merge two that are one, split one that is two."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from monitor.core import events as ev
from monitor.core import views
from monitor.core.alerts import alert_id
from monitor.core.stories import merge, split
from monitor.errors import NotFound, TryAgain, UsageError, WrongVersion
from monitor.ports import Commit, EventStore


def merge_stories(store: EventStore, into: str, other: str, actor: str) -> int:
    """Let the story `other` go up in `into`, and close its alerts of which `into` has one for the same theme; returns
    the position. Raises `NotFound`, `UsageError`, and `TryAgain` where an entry joined either meanwhile.
    """
    if into == other:
        raise UsageError(f"'{into}' is one story already; name two")
    versions = {f"story/{story_id}": store.version(f"story/{story_id}") for story_id in (into, other)}
    kept, gone = _story(store, into), _story(store, other)
    # In the stream that ends, so that whoever is about to add to it finds it changed.
    merged = ev.NewEvent(stream=f"story/{other}", event=merge(kept, gone), actor=actor)
    closed = [
        ev.NewEvent(stream=f"alert/{alert}", event=ev.AlertClosed(alert_id=alert, reason="merged"), actor=actor)
        for alert in _alerts_of_both(store, kept, gone)
    ]
    return _append(store, [merged, *closed], versions)


def split_story(store: EventStore, story_id: str, leaving: Collection[str], actor: str) -> tuple[int, str]:
    """Let entries leave a story for one of their own; returns the position and the new story's id. Raises as
    `merge_stories`.
    """
    stream = f"story/{story_id}"
    version = store.version(stream)
    story = _story(store, story_id)
    for entry_id in leaving:
        if entry_id not in story.entry_ids:
            raise UsageError(f"entry '{entry_id}' is not of story '{story_id}'; `monitor show {story_id}` lists them")
    entries = [row for row in (store.get(views.ENTRIES, one) for one in story.entry_ids) if row is not None]
    if not 0 < sum(entry.entry_id in leaving for entry in entries) < len(entries):
        raise UsageError(f"of the {len(entries)} entries of '{story_id}' at least one has to leave and one to stay")
    parted = split(story, entries, leaving)
    new_id = parted.parted.story_id
    position = _append(store, [ev.NewEvent(stream=stream, event=parted, actor=actor)], {stream: version})
    return position, new_id


def _story(store: EventStore, story_id: str) -> views.StoryRow:
    row = store.get(views.STORIES, story_id)
    if row is None:
        raise NotFound(f"no story has the id '{story_id}'; `monitor stories` lists them")
    return row


def _alerts_of_both(store: EventStore, kept: views.StoryRow, gone: views.StoryRow) -> list[str]:
    """The alerts of `gone` that are not closed, where `kept` has one of the same theme."""
    rows = (store.get(views.ENTRIES, entry_id) for entry_id in gone.entry_ids)
    themes = dict.fromkeys(theme for row in rows if row for theme in row.themes)
    found = []
    for theme in themes:
        alert = store.get(views.ALERTS, alert_id(theme, gone.story_id))
        if alert and alert.state != "closed" and store.get(views.ALERTS, alert_id(theme, kept.story_id)):
            found.append(alert.alert_id)
    return found


def _append(store: EventStore, events: Iterable[ev.NewEvent], versions: dict[str, int]) -> int:
    try:
        return store.append(Commit(events=tuple(events), expected=versions))[-1].position
    except WrongVersion:
        raise TryAgain("an entry joined the story at this moment; nothing was done, look again") from None
