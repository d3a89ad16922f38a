"""Which story an entry joins, and what an analyst makes of stories."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.core import views
from monitor.core.likeness import Likeness
from monitor.core.stories import Kin, merge, split, start_story, tell
from tests.builders import observed, parsed_entry
from tests.fakes import START


def kin(story_id: str = "sto-1", source_id: str = "agency", title: str = "Port reopens", **likeness: int) -> Kin:
    return Kin("ent-1", source_id, title, story_id, Likeness(**{"shared": 40, "ours": 50, "theirs": 60, **likeness}))


def told(*near: Kin, title: str = "Port reopens") -> ev.StoryStarted | ev.StoryJoined:
    return tell(observed(parsed_entry(title)), b"1234", near)


def test_without_kin_an_entry_starts_its_own_story_under_the_id_that_it_always_had() -> None:
    assert told() == start_story(observed(parsed_entry("Port reopens")), b"1234")
    assert told().story_id == "sto-d2c4efd04b432ef46cb9"


def test_an_entry_joins_the_story_of_the_first_kin_with_reason_and_score() -> None:
    joined = told(kin("sto-7"), kin("sto-8"))
    assert isinstance(joined, ev.StoryJoined)
    assert (joined.story_id, joined.like, joined.reason, joined.score, joined.marks) == (
        "sto-7", "ent-1", "copy", 0.8, b"1234",
    )  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), [(10, 60), (200, 60)])
def test_a_summary_and_its_full_text_are_an_extract_either_way(ours: int, theirs: int) -> None:
    joined = told(kin(shared=10, ours=ours, theirs=theirs))
    assert isinstance(joined, ev.StoryJoined)
    assert joined.reason == "extract"


@pytest.mark.parametrize(
    ("headline", "joins"),
    [
        ("Port reopens", True),
        ("PORT REOPENS: update", True),
        ("Annual report of the licensing office", False),
        ("Port reopens, notice 2", False),
    ],
)
def test_one_source_repeats_a_mould_and_not_a_story(headline: str, joins: bool) -> None:
    joined = told(kin(source_id="port-news", title="Port reopens"), title=headline)
    assert isinstance(joined, ev.StoryJoined) == joins


def test_what_may_not_be_joined_gives_way_to_the_next() -> None:
    joined = told(kin("sto-7", source_id="port-news", title="Something else altogether"), kin("sto-8"))
    assert joined.story_id == "sto-8"


# --- acts, folded


def recorded(event: ev.Event, position: int) -> ev.Recorded:
    return ev.Recorded(
        position=position, stream="story/x", version=position, type=type(event).__name__, schema=event.schema,
        event_id="", recorded_at=START, causation=None, actor="monitor", event=event, hash="",
    )  # fmt: skip


def fold(*events: ev.Event) -> dict[str, views.StoryRow]:
    rows: dict[str, Any] = {}
    for position, event in enumerate(events, 1):
        for key in views.STORIES.keys(event, position):
            rows[key] = views.STORIES.fold(rows.get(key), recorded(event, position), key)
    return {key: row for key, row in rows.items() if row is not None}


def story(story_id: str, entries: list[tuple[str, str]]) -> views.StoryRow:
    first, *others = entries
    started = ev.StoryStarted(story_id=story_id, entry_id=first[0], source_id=first[1], title=first[0], seen=START)
    joined = [
        ev.StoryJoined(story_id=story_id, entry_id=entry, source_id=source, seen=START, reason="copy", score=1.0)
        for entry, source in others
    ]
    return fold(started, *joined)[story_id]


def entry_row(entry_id: str, source_id: str) -> views.EntryRow:
    return views.EntryRow(
        entry_id=entry_id, source_id=source_id, raw_id=None, url=None, title=entry_id, author=None, published=None,
        updated=None, first_seen=START + timedelta(minutes=int(entry_id[1:])), language=None, revision=1,
        fingerprint="", arrival="new", story_id=None, themes=(), withdrawn=False, position=1, text_position=1,
    )  # fmt: skip


def test_copies_in_five_outlets_are_one_independent_source() -> None:
    row = story("sto-a", [(f"e{number}", f"outlet-{number}") for number in range(5)])
    assert (len(row.entry_ids), len(row.sources), row.independent) == (5, 5, ("outlet-0",))


def test_merged_stories_are_one_with_the_independent_sources_of_both() -> None:
    one, two = story("sto-a", [("e1", "x"), ("e2", "y")]), story("sto-b", [("e3", "z")])
    rows = fold(merge(one, two))
    assert list(rows) == ["sto-a"]
    assert (rows["sto-a"].entry_ids, rows["sto-a"].sources) == (("e1", "e2", "e3"), ("x", "y", "z"))
    assert rows["sto-a"].independent == ("x", "z")


@given(st.lists(st.sampled_from("xyz"), min_size=2, max_size=8), st.data())
def test_what_is_split_and_merged_again_is_what_it_was(sources: list[str], data: st.DataObject) -> None:
    pairs = [(f"e{number}", source) for number, source in enumerate(sources)]
    whole = story("sto-a", pairs)
    leaving = data.draw(st.sets(st.sampled_from([entry for entry, _ in pairs]), min_size=1, max_size=len(pairs) - 1))
    rows = fold(split(whole, [entry_row(*pair) for pair in pairs], leaving))
    stays, parted = rows.pop("sto-a"), *rows.values()
    assert set(parted.entry_ids) == leaving
    assert set(stays.entry_ids) == {entry for entry, _ in pairs} - leaving
    assert parted.independent and stays.independent
    assert parted.story_id != whole.story_id
    again = fold(merge(stays, parted))["sto-a"]
    assert set(again.entry_ids) == set(whole.entry_ids)
    assert set(again.sources) == set(whole.sources)
