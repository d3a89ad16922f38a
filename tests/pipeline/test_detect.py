"""New entries to matches, stories and alerts, through a store in memory and rules that look for words."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core import views
from monitor.core.entries import Arrival
from monitor.errors import ConfigurationError, WrongVersion
from monitor.matching.model import Document, Evidence, Mode, RuleMatch, Severity, ThemeMatch
from monitor.pipeline.adopt import adopt_rules
from monitor.pipeline.detect import BATCH, SUBSCRIPTION, Detector
from monitor.pipeline.replay import position_at, rows_at
from monitor.ports import Commit
from monitor.store.memory import MemoryStore
from tests.builders import observed, parsed_entry
from tests.fakes import ManualClock


class Words:
    """A matcher whose book maps a file name to a word; a text with the word meets the theme of that name."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def match(self, document: Document, *, strict: bool = True) -> tuple[ThemeMatch, ...]:
        if "poison" in document.text:
            raise RuntimeError("the engine stumbles")
        return tuple(self._theme(name, word) for name, word in sorted(self.files.items()) if word in document.text)

    def _theme(self, name: str, word: str) -> ThemeMatch:
        hit = Evidence(concept=word, term=word, field="text", start=0, end=len(word), text=word)
        rule = RuleMatch(rule=word, severity=Severity.HIGH, when=word, evidence=(hit,))
        return ThemeMatch(theme=name, title=name, mode=Mode.LIVE, severity=Severity.HIGH, rules=(rule,))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(views=views.ALL, clock=clock, entropy=random.Random(7).randbytes)


def put(store: MemoryStore, *events: ev.Event) -> None:
    wrapped = []
    for event in events:
        assert isinstance(event, ev.EntryObserved | ev.EntryRevised)
        wrapped.append(ev.NewEvent(stream=f"entry/{event.entry_id}", event=event))
    store.append(Commit(events=tuple(wrapped)))


def types(store: MemoryStore, after: int = 0) -> list[str]:
    return [recorded.type for recorded in store.read(after)]


def revised(of: ev.EntryObserved, text: str, revision: int = 2) -> ev.EntryRevised:
    return ev.EntryRevised(
        entry_id=of.entry_id, source_id=of.source_id, revision=revision, url=of.url, title=of.title,
        author=of.author, text=text, published=of.published, updated=of.updated, seen=of.first_seen,
        language=of.language, tags=of.tags, fingerprint=f"f{revision}", changed=("text",), diff="",
    )  # fmt: skip


def test_what_is_left_of_an_erased_entry_stops_no_matching(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    entry = observed(parsed_entry("One", raw_id="1"))
    put(store, entry, revised(entry, "The port closed."), observed(parsed_entry("Two", raw_id="2")))
    store.erase([2], "asked for by its author")
    assert Detector(store, Words).catch_up() == 2
    assert [row.title for row in store.rows(views.ALERTS)] == ["Two"]


def test_a_match_starts_a_story_and_raises_an_alert_in_one_commit(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    entry = observed(parsed_entry(text="The port reopened."))
    put(store, entry)
    detector = Detector(store, Words)
    assert detector.catch_up() == 1
    assert types(store, 2) == ["StoryStarted", "EntryMatched", "AlertRaised"]
    assert store.checkpoint(SUBSCRIPTION) == 2
    alert = next(store.rows(views.ALERTS))
    row = store.get(views.ENTRIES, entry.entry_id)
    assert row is not None
    assert (alert.entry_ids, alert.story_id, row.themes) == ((entry.entry_id,), row.story_id, ("ports",))


def test_matches_name_the_book_and_the_event_that_caused_them(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    put(store, observed(parsed_entry(text="The port reopened.")))
    Detector(store, Words).catch_up()
    recorded = store.at(4)
    current = store.get(views.RULE_BOOK, views.CURRENT)
    assert isinstance(recorded.event, ev.EntryMatched)
    assert current is not None
    assert (recorded.event.book, recorded.causation) == (current.revision, 2)


def test_an_entry_without_a_match_has_a_story_and_no_alert(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    put(store, observed(parsed_entry(text="Nothing here.")))
    Detector(store, Words).catch_up()
    assert types(store, 2) == ["StoryStarted"]


def test_nothing_new_writes_nothing(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    put(store, observed(parsed_entry(text="The port reopened.")))
    detector = Detector(store, Words)
    detector.catch_up()
    before = store.head()
    assert detector.catch_up() == 0
    assert Detector(store, Words).catch_up() == 0
    assert store.head() == before


def test_each_entry_meets_the_book_in_force_at_its_position(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    put(store, observed(parsed_entry("A", "port and rail")))
    adopt_rules(store, {"rails": "rail"}, [])
    put(store, observed(parsed_entry("B", "port and rail")))
    detector = Detector(store, Words)
    detector.catch_up()
    assert [(alert.title, alert.theme) for alert in store.rows(views.ALERTS)] == [("A", "ports"), ("B", "rails")]


def test_a_detector_that_starts_late_still_uses_the_book_of_then(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    put(store, observed(parsed_entry("A", "port and rail")))
    Detector(store, Words).catch_up()
    put(store, observed(parsed_entry("B", "port and rail")))
    adopt_rules(store, {"rails": "rail"}, [])
    Detector(store, Words).catch_up()
    assert [(alert.title, alert.theme) for alert in store.rows(views.ALERTS)] == [("A", "ports"), ("B", "ports")]


def test_a_book_compiled_beforehand_is_not_compiled_again(store: MemoryStore) -> None:
    compiled: list[Mapping[str, str]] = []

    def compile_files(files: Mapping[str, str]) -> Words:
        compiled.append(files)
        return Words(files)

    event = adopt_rules(store, {"ports": "port"}, [])
    assert isinstance(event, ev.RuleBookAdopted)
    detector = Detector(store, compile_files)
    detector.prepare(event.revision, Words({"ports": "port"}))
    put(store, observed(parsed_entry(text="The port reopened.")))
    detector.catch_up()
    assert compiled == []
    assert store.count(views.ALERTS) == 1


def test_a_baseline_entry_is_matched_and_raises_nothing(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    put(store, observed(parsed_entry(text="The port reopened."), arrival=Arrival.BASELINE))
    Detector(store, Words).catch_up()
    assert types(store, 2) == ["StoryStarted", "EntryMatched", "AlertSuppressed"]


def test_a_revision_that_newly_matches_alerts_within_its_story(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    entry = observed(parsed_entry(text="Nothing here."))
    put(store, entry, revised(entry, "The port reopened."))
    Detector(store, Words).catch_up()
    alert = next(store.rows(views.ALERTS))
    story = next(store.rows(views.STORIES))
    assert (alert.reason, alert.story_id) == ("revised", story.story_id)


def test_two_revisions_in_one_batch_see_each_others_alert(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    entry = observed(parsed_entry(text="The port reopened."))
    put(store, entry, revised(entry, "The port reopened again."), revised(entry, "The port is open.", 3))
    Detector(store, Words).catch_up()
    assert types(store).count("AlertRaised") == 1
    assert types(store).count("AlertSuppressed") == 2
    assert store.checkpoint(SUBSCRIPTION) >= 4


def test_an_entry_the_engine_stumbles_over_does_not_stop_those_behind_it(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    put(store, observed(parsed_entry("A", "poison")), observed(parsed_entry("B", "port")))
    Detector(store, Words).catch_up()
    assert [alert.title for alert in store.rows(views.ALERTS)] == ["B"]


def test_more_entries_than_a_batch(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    entries = [observed(parsed_entry(f"Port {number}", "port")) for number in range(BATCH * 2 + 3)]
    put(store, *entries)
    detector = Detector(store, Words)
    assert detector.catch_up() == len(entries)
    assert store.count(views.ALERTS) == len(entries)


def test_crash_matrix_13_killed_before_the_commit_the_alert_is_raised_once_on_resume(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    put(store, observed(parsed_entry(text="The port reopened.")))
    dying = Detector(_Refusing(store), Words)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="killed"):
        dying.catch_up()
    assert types(store, 2) == []
    Detector(store, Words).catch_up()
    Detector(store, Words).catch_up()
    assert types(store, 2) == ["StoryStarted", "EntryMatched", "AlertRaised"]


class _Refusing:
    """A store whose process dies at append."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def append(self, commit: Commit) -> None:
        raise OSError("killed")

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_a_view_as_it_stood_at_a_position(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    entry = observed(parsed_entry(text="The port reopened."))
    put(store, entry)
    Detector(store, Words).catch_up()
    before = store.head().position
    alert = next(store.rows(views.ALERTS))
    acknowledged = ev.AlertAcknowledged(alert_id=alert.alert_id)
    store.append(Commit(events=(ev.NewEvent(stream=f"alert/{alert.alert_id}", event=acknowledged),)))
    assert [row.state for row in rows_at(store, views.ALERTS, before)] == ["open"]
    assert [row.state for row in rows_at(store, views.ALERTS, before + 1)] == ["acknowledged"]
    assert rows_at(store, views.ALERTS, before + 1) == list(store.rows(views.ALERTS))
    assert rows_at(store, views.ALERTS, 2) == []


def test_the_position_reached_at_an_instant(store: MemoryStore, clock: ManualClock) -> None:
    put(store, observed(parsed_entry("A")))
    first = clock.now
    clock.advance(hours=1)
    put(store, replace(observed(parsed_entry("B")), first_seen=clock.now))
    assert position_at(store, first) == 1
    assert position_at(store, clock.now) == 2
    clock.advance(hours=-9)
    assert position_at(store, clock.now) == 0


def test_a_detector_that_was_overtaken_goes_on_behind_the_other(store: MemoryStore) -> None:
    adopt_rules(store, {"ports": "port"}, [])
    put(store, observed(parsed_entry(text="The port reopened.")))
    slow, quick = Detector(store, Words), Detector(store, Words)
    quick.catch_up()
    with pytest.raises(WrongVersion):
        slow.catch_up()
    slow.catch_up()
    assert types(store).count("AlertRaised") == 1
    put(store, observed(parsed_entry(title="Another", text="The port closed.")))
    assert slow.catch_up() == 1


def test_entries_under_rules_that_this_version_cannot_read_are_matched_by_the_present_ones(store: MemoryStore) -> None:
    def compiled(files: Mapping[str, str]) -> Words:
        if "old" in files.values():
            raise ConfigurationError("faulty to this version")
        return Words(files)

    adopt_rules(store, {"ports": "old"}, [])
    put(store, observed(parsed_entry(text="The port reopened.")))
    with pytest.raises(ConfigurationError):
        Detector(store, compiled).catch_up()
    adopt_rules(store, {"ports": "port"}, [])
    Detector(store, compiled).catch_up()
    assert types(store).count("AlertRaised") == 1
