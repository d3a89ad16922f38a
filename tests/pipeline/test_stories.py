"""Copies join stories and their alerts, quietly; merges and splits hold for what comes later."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from itertools import count

import pytest

from monitor.core import events as ev
from monitor.core import views
from monitor.core.entries import Arrival
from monitor.errors import NotFound, StoreError, TryAgain, UsageError
from monitor.pipeline.adopt import adopt_rules
from monitor.pipeline.detect import Detector
from monitor.pipeline.stories import merge_stories, split_story
from monitor.ports import Appended, Commit
from monitor.store.memory import MemoryStore
from tests.builders import observed, parsed_entry
from tests.core.wire import Article
from tests.core.wire import Desk as Newsroom
from tests.fakes import ManualClock
from tests.pipeline.edits import EditedDesk, compile_files

NEWS = Newsroom(3)
FLAGGED = "The cranes of the harbour stand still since the storm of last week."


def article() -> Article:
    """One that meets the theme."""
    plain = NEWS.article("en")
    return plain.with_sentences(FLAGGED, *plain.sentences)


class StoriesDesk(EditedDesk):
    """`comes`: an article is published by a source, under a headline of its own."""

    numbers = count(1)

    def put(self, article: Article, source_id: str, *, title: str = "", arrival: Arrival = Arrival.NEW) -> str:
        title = title or f"{article.title} {next(self.numbers)}"
        entry = observed(
            parsed_entry(title, article.text), source_id=source_id, first_seen=self.clock(), arrival=arrival
        )
        self.append(f"entry/{entry.entry_id}", entry)
        return entry.entry_id

    def comes(self, article: Article, source_id: str, *, title: str = "", arrival: Arrival = Arrival.NEW) -> str:
        entry_id = self.put(article, source_id, title=title, arrival=arrival)
        self.detector.catch_up()
        return entry_id

    def story_of(self, entry_id: str) -> views.StoryRow:
        row = self.store.get(views.ENTRIES, entry_id)
        assert row is not None and row.story_id is not None
        story = self.store.get(views.STORIES, row.story_id)
        assert story is not None
        return story

    def alerts(self) -> list[views.AlertRow]:
        return list(self.store.rows(views.ALERTS))

    def told_of(self) -> list[str]:
        """What windows gather."""
        return [row.reason for row in self.store.rows(views.ALERT_EVENTS)]


@pytest.fixture
def desk() -> StoriesDesk:
    return StoriesDesk()


def test_a_copy_joins_the_story_and_its_alert_and_is_not_told_again(desk: StoriesDesk) -> None:
    wire = article()
    first = desk.comes(wire, "agency")
    copy = desk.comes(NEWS.agency_prefix(wire), "morning-post")
    summary = desk.comes(wire.with_sentences(*wire.sentences[:3]), "radio")
    story = desk.story_of(first)
    assert story.entry_ids == (first, copy, summary)
    assert (story.sources, story.independent) == (("agency", "morning-post", "radio"), ("agency",))
    [alert] = desk.alerts()
    assert (alert.entry_ids, alert.sources, alert.reason) == (story.entry_ids, story.sources, "first_match")
    assert desk.told_of() == ["first_match"]
    joined = [one.event for one in desk.store.read(types=("StoryJoined",))]
    assert all(isinstance(one, ev.StoryJoined) and one.like == first and one.score > 0.9 for one in joined)
    assert [one.reason for one in joined if isinstance(one, ev.StoryJoined)] == ["copy", "extract"]


def test_copies_that_come_together_are_one_alert(desk: StoriesDesk) -> None:
    wires = [article() for _ in range(5)]
    ids = [[desk.put(NEWS.agency_prefix(wire), f"outlet-{number}") for wire in wires] for number in range(8)]
    assert desk.detector.catch_up() == 40
    assert [len(alert.entry_ids) for alert in desk.alerts()] == [8] * 5
    assert [desk.story_of(first).entry_ids for first in ids[0]] == [tuple(each) for each in zip(*ids, strict=True)]


def test_other_news_of_the_same_theme_is_another_alert(desk: StoriesDesk) -> None:
    for number in range(20):
        desk.comes(article(), f"outlet-{number % 3}")
    assert len(desk.alerts()) == 20


def test_an_acknowledged_alert_stays_quiet_through_ten_more_copies(desk: StoriesDesk) -> None:
    wire = article()
    desk.comes(wire, "agency")
    [alert] = desk.alerts()
    desk.append(f"alert/{alert.alert_id}", ev.AlertAcknowledged(alert_id=alert.alert_id))
    for number in range(10):
        desk.comes(NEWS.other_headline(wire), f"outlet-{number}")
    [alert] = desk.alerts()
    assert (alert.state, len(alert.entry_ids)) == ("acknowledged", 11)
    assert desk.told_of() == ["first_match"]


def test_an_old_copy_at_a_new_source_joins_and_raises_nothing(desk: StoriesDesk) -> None:
    wire = article()
    desk.comes(wire, "agency", arrival=Arrival.BASELINE)
    assert desk.alerts() == []
    desk.comes(wire, "radio")
    desk.comes(wire, "archive", arrival=Arrival.BASELINE)
    [alert] = desk.alerts()
    assert (alert.sources, desk.told_of()) == (("radio", "archive"), ["first_match"])


def test_a_revision_stays_in_its_story(desk: StoriesDesk) -> None:
    one, two = article(), article()
    first, second = desk.comes(one, "agency"), desk.comes(two, "radio")
    desk.revise(second, one.text)
    assert desk.story_of(first).entry_ids == (first,)
    assert desk.story_of(second).entry_ids == (second,)


@pytest.mark.parametrize(("headlines", "stories"), [(("Notice 4", "Notice 5"), 2), (("The cranes", "The  Cranes!"), 1)])
def test_notices_from_one_mould_are_each_their_own(desk: StoriesDesk, headlines: tuple[str, str], stories: int) -> None:
    wire = article()
    for headline in headlines:
        desk.comes(wire, "ministry", title=headline)
    assert len(list(desk.store.rows(views.STORIES))) == stories


def test_what_is_left_of_an_erased_entry_is_joined_by_nothing(desk: StoriesDesk) -> None:
    wire = article()
    first = desk.comes(wire, "agency")
    row = desk.store.get(views.ENTRIES, first)
    assert row is not None
    assert isinstance(desk.store, MemoryStore)
    desk.store.erase([row.position], "asked for by its author")
    second = desk.comes(wire, "radio")
    assert desk.story_of(second).entry_ids == (second,)


def test_a_restart_between_any_two_entries_changes_nothing() -> None:
    wires = [article() for _ in range(6)]
    chance = random.Random(5)
    made = [NEWS.agency_prefix, NEWS.truncated, NEWS.other_lead, NEWS.shared_background]
    pieces = [chance.choice(made)(chance.choice(wires)) for _ in range(60)]

    def log(restarts: bool) -> list[tuple[str, ev.Event | None]]:
        desk = StoriesDesk()
        desk.numbers = count(1)
        for number, piece in enumerate([*wires, *pieces]):
            desk.comes(piece, f"outlet-{number % 7}")
            if restarts:
                desk.restart()
        return [(one.stream, one.event) for one in desk.store.read()]

    unbroken = log(False)
    assert unbroken == log(True)
    assert sum(isinstance(event, ev.StoryJoined) for _, event in unbroken) > 20


def test_a_log_of_before_there_were_stories_is_read_and_gone_on_with(desk: StoriesDesk) -> None:
    wire = article()
    old = desk.put(wire, "agency")
    desk.append("story/sto-old", ev.StoryStarted(
        story_id="sto-old", entry_id=old, source_id="agency", title="t", seen=desk.clock()))  # fmt: skip
    head = desk.store.head().position
    desk.store.append(Commit(checkpoint=("detect", desk.store.checkpoint("detect"), head)))
    desk.restart()
    second, third = desk.comes(wire, "radio"), desk.comes(wire, "post")
    assert desk.story_of(second).entry_ids == (second, third)


def test_a_story_whose_beginning_was_erased_is_joined_by_nothing(desk: StoriesDesk) -> None:
    wire = article()
    first = desk.comes(wire, "agency")
    [started] = [one.position for one in desk.store.read(types=("StoryStarted",))]
    assert isinstance(desk.store, MemoryStore)
    desk.store.erase([started], "its title says too much")
    desk.restart()
    second = desk.comes(wire, "radio")
    assert desk.story_of(second).entry_ids == (second,)
    assert first not in desk.alerts()[-1].entry_ids


class Fails(MemoryStore):
    """The next append fails; `before` runs once before the next append."""

    failing = False
    before: Callable[[], object] | None = None

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        if self.failing:
            self.failing = False
            raise StoreError("the disk is full")
        if self.before is not None:
            before, self.before = self.before, None
            before()
        return super().append(commit)


def failing_desk() -> tuple[StoriesDesk, Fails]:
    desk = StoriesDesk()
    assert isinstance(desk.store, MemoryStore)
    store = Fails(views=views.ALL, clock=ManualClock(), entropy=random.Random(1).randbytes)
    desk.store = store
    adopt_rules(store, desk.files, [])
    desk.detector = Detector(store, compile_files)
    return desk, store


def test_what_was_not_stored_is_not_remembered() -> None:
    desk, store = failing_desk()
    wire = article()
    first = desk.put(wire, "agency")
    store.failing = True
    with pytest.raises(StoreError):
        desk.detector.catch_up()
    second = desk.comes(wire, "radio")
    assert desk.story_of(first).entry_ids == (first, second)
    assert desk.story_of(first).title == desk.story_of(second).title


# --- merge and split


def titles(rows: Iterable[views.StoryRow]) -> list[int]:
    return [len(row.entry_ids) for row in rows]


def test_merged_stories_stay_one_for_copies_of_either(desk: StoriesDesk) -> None:
    one, two = article(), article()
    first, second = desk.comes(one, "agency"), desk.comes(two, "rival-agency")
    kept, gone = desk.story_of(first), desk.story_of(second)
    merge_stories(desk.store, kept.story_id, gone.story_id, "user:ann")
    late = [desk.comes(one, "radio"), desk.comes(NEWS.agency_prefix(two), "post")]
    [story] = desk.store.rows(views.STORIES)
    assert (story.story_id, story.entry_ids) == (kept.story_id, (first, second, *late))
    assert story.independent == ("agency", "rival-agency")
    assert [(alert.state, len(alert.entry_ids)) for alert in desk.alerts()] == [("open", 3), ("closed", 1)]
    assert desk.store.at(desk.store.head().position).actor == "monitor"
    assert {one.actor for one in desk.store.read(types=("StoryMerged", "AlertClosed"))} == {"user:ann"}


def test_split_stories_stay_two_for_copies_of_either(desk: StoriesDesk) -> None:
    wire = article()
    other = wire.with_sentences(*wire.sentences[: len(wire.sentences) * 3 // 4], *NEWS.article("en", 300).sentences)
    first, second = desk.comes(wire, "agency"), desk.comes(other, "radio")
    whole = desk.story_of(first)
    assert whole.entry_ids == (first, second)
    _, new_id = split_story(desk.store, whole.story_id, [second], "user:ann")
    desk.restart()
    third, fourth = desk.comes(wire, "post"), desk.comes(other, "herald")
    assert desk.story_of(first).entry_ids == (first, third)
    assert (desk.story_of(second).story_id, desk.story_of(second).entry_ids) == (new_id, (second, fourth))
    assert [len(alert.entry_ids) for alert in desk.alerts()] == [3, 1]


def test_acts_that_make_no_sense_do_nothing(desk: StoriesDesk) -> None:
    first = desk.comes(article(), "agency")
    story = desk.story_of(first).story_id
    head = desk.store.head()
    with pytest.raises(UsageError, match="one story already"):
        merge_stories(desk.store, story, story, "user:ann")
    with pytest.raises(NotFound, match="no story has the id 'sto-nope'"):
        merge_stories(desk.store, story, "sto-nope", "user:ann")
    with pytest.raises(UsageError, match="'ent-x' is not of story"):
        split_story(desk.store, story, ["ent-x"], "user:ann")
    with pytest.raises(UsageError, match="at least one has to leave and one to stay"):
        split_story(desk.store, story, [first], "user:ann")
    with pytest.raises(UsageError, match="at least one has to leave and one to stay"):
        split_story(desk.store, story, [], "user:ann")
    assert desk.store.head() == head


def test_an_entry_that_joins_at_the_moment_of_a_split_is_not_lost() -> None:
    desk, store = failing_desk()
    wire = article()
    first, second = desk.comes(wire, "agency"), desk.comes(wire, "radio")
    story = desk.story_of(first).story_id
    third = desk.put(wire, "post")
    store.before = desk.detector.catch_up
    with pytest.raises(TryAgain):
        split_story(store, story, [second], "user:ann")
    split_story(store, story, [second], "user:ann")
    assert desk.story_of(first).entry_ids == (first, third)


def test_a_merge_at_the_moment_of_a_join_is_seen_by_the_next_look() -> None:
    desk, store = failing_desk()
    one, two = article(), article()
    first, second = desk.comes(one, "agency"), desk.comes(two, "rival")
    kept, gone = desk.story_of(first).story_id, desk.story_of(second).story_id
    third = desk.put(two, "post")
    store.before = lambda: merge_stories(store, kept, gone, "user:ann")
    assert desk.detector.catch_up() == 1
    assert desk.story_of(third).entry_ids == (first, second, third)
