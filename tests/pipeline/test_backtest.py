"""Rules over stored entries: what live matching found, event for event, and what edited rules would have found."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise

import pytest

from monitor.books import compile_files
from monitor.core import events as ev
from monitor.core import views
from monitor.core.scorecard import Fired, Verdict
from monitor.matching.engine import Engine
from monitor.matching.model import Document, ThemeMatch
from monitor.pipeline import backtest
from monitor.pipeline.adopt import adopt_rules
from monitor.pipeline.backtest import Stretch, differences, matches, near_misses, run, span, stretches
from monitor.pipeline.detect import Detector
from monitor.pipeline.scorecard import fired, verdicts
from monitor.ports import Commit
from monitor.store.memory import MemoryStore
from tests.builders import observed, parsed_entry
from tests.fakes import ManualClock

PORT = {"id": "port", "when": "port and strike"}
CONCEPTS = {"port": ["port*", "dock*"], "strike": ["strike*", "walkout"]}


def files(*rules: dict[str, object], concepts: dict[str, list[str]] | None = None, **theme: object) -> dict[str, str]:
    whole = {
        "theme": "harbours", "title": "Harbours", "concepts": concepts or CONCEPTS, "rules": rules or [PORT], **theme,
    }  # fmt: skip
    return {"themes/harbours.yaml": json.dumps(whole)}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(views=views.ALL, clock=clock, entropy=random.Random(3).randbytes)


def entry(title: str, text: str) -> ev.EntryObserved:
    return observed(parsed_entry(title, text))


def revised(of: ev.EntryObserved, text: str, revision: int = 2) -> ev.EntryRevised:
    return ev.EntryRevised(
        entry_id=of.entry_id, source_id=of.source_id, revision=revision, url=of.url, title=of.title,
        author=of.author, text=text, published=of.published, updated=of.updated, seen=of.first_seen,
        language=of.language, tags=of.tags, fingerprint=f"f{revision}", changed=("text",), diff="",
    )  # fmt: skip


def put(store: MemoryStore, *events: ev.EntryObserved | ev.EntryRevised) -> None:
    store.append(Commit(events=tuple(ev.NewEvent(stream=f"entry/{one.entry_id}", event=one) for one in events)))


def everything(store: MemoryStore) -> Stretch:
    return span(store, None, None)


STRIKE = entry("A", "A strike closed the port.")
REVISED = entry("B", "Nothing here.")
QUIET = entry("C", "A walkout in the mines.")
WITHDRAWN = entry("D", "Docks: a strike.")


def fill(store: MemoryStore) -> None:
    put(store, STRIKE, REVISED, QUIET, WITHDRAWN)
    put(store, revised(REVISED, "Now the port has a strike."), revised(STRIKE, "All is well."))
    put(store, revised(REVISED, "The docks have a strike, the port too.", 3))


# --- matches


Found = list[tuple[str, int, str, tuple[object, ...]]]


def live(store: MemoryStore) -> Found:
    found = (recorded.event for recorded in store.read(types=("EntryMatched",)))
    return [(one.entry_id, one.revision, one.theme, one.rules) for one in found if isinstance(one, ev.EntryMatched)]


def replayed(store: MemoryStore, engine: Engine, part: Stretch) -> Found:
    return [
        (one.entry_id, one.revision, theme.theme, theme.rules)
        for one, themes in matches(store, engine, *part)
        for theme in themes
    ]


def test_the_same_answer_as_live_matching_event_for_event(store: MemoryStore) -> None:
    rules = files(PORT, {"id": "any", "when": "strike", "where": {"max_age": "2h"}})
    adopt_rules(store, rules, [])
    fill(store)
    Detector(store, compile_files).catch_up()
    found = replayed(store, compile_files(rules), everything(store))
    assert found == live(store)
    assert [(entry_id, revision) for entry_id, revision, *_ in found] == [
        (STRIKE.entry_id, 1), (QUIET.entry_id, 1), (WITHDRAWN.entry_id, 1), (REVISED.entry_id, 2),
        (REVISED.entry_id, 3),
    ]  # fmt: skip


def test_every_revision_is_answered_and_says_what_it_is(store: MemoryStore) -> None:
    fill(store)
    seen = [one for one, _ in matches(store, compile_files(files()), *everything(store))]
    assert [(one.position, one.revision) for one in seen] == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2), (7, 3)]
    assert {one.raw_id for one in seen if one.entry_id == STRIKE.entry_id} == {STRIKE.raw_id}
    assert {one.document.first_seen for one in seen} == {STRIKE.first_seen}


def test_a_revision_is_judged_by_when_its_entry_was_first_seen(store: MemoryStore) -> None:
    old = entry("Old", "port")
    put(store, old)
    put(store, revised(old, "A strike in the port."))
    rule = {**PORT, "where": {"max_age": "30m"}}  # the entry was an hour old when it was first seen
    assert replayed(store, compile_files(files(rule)), everything(store)) == []
    assert len(replayed(store, compile_files(files({**PORT, "where": {"max_age": "90m"}})), everything(store))) == 1


def test_any_parts_together_say_the_same(store: MemoryStore) -> None:
    fill(store)
    engine = compile_files(files())
    whole = replayed(store, engine, everything(store))
    for jobs in (1, 2, 7):
        parts = stretches(everything(store), jobs)
        assert [found for part in parts for found in replayed(store, engine, part)] == whole


def test_nothing_is_written(store: MemoryStore) -> None:
    fill(store)
    before = store.head()
    engine = compile_files(files())
    list(matches(store, engine, *everything(store)))
    list(differences(store, engine, engine, everything(store), *everything(store)))
    list(near_misses(store, engine, None, *everything(store)))
    assert store.head() == before


class _Stumbling(Engine):
    def __init__(self, engine: Engine) -> None:
        self.__dict__.update(engine.__dict__)

    def match(self, document: Document, *, strict: bool = True) -> tuple[ThemeMatch, ...]:
        if document.title == "A":
            raise RuntimeError("the engine stumbles")
        return super().match(document, strict=strict)


def test_an_entry_the_engine_stumbles_over_counts_as_unmatched(store: MemoryStore) -> None:
    put(store, STRIKE, WITHDRAWN)
    engine = _Stumbling(compile_files(files()))
    assert [bool(themes) for _, themes in matches(store, engine, *everything(store))] == [False, True]


def test_since_and_until_are_both_included(store: MemoryStore, clock: ManualClock) -> None:
    first = clock.now
    put(store, STRIKE)
    second = clock.advance(hours=1)
    put(store, QUIET)
    clock.advance(hours=1)
    put(store, WITHDRAWN)
    assert span(store, None, None) == (0, 3)
    assert span(store, second, None) == (1, 3)
    assert span(store, first, second) == (0, 2)
    assert span(store, second + timedelta(seconds=1), second + timedelta(seconds=2)) == (2, 2)


# --- parts and processes


@pytest.mark.parametrize("whole", [(0, 0), (3, 3), (5, 4), (0, 1), (7, 50_123)])
@pytest.mark.parametrize("jobs", [1, 2, 16])
def test_parts_make_up_the_whole(whole: Stretch, jobs: int) -> None:
    parts = list(stretches(whole, jobs))
    edges = [whole[0], *(upto for _, upto in parts)]
    assert parts == list(pairwise(edges))
    assert edges[-1] == max(whole) if whole[0] < whole[1] else parts == []
    assert all(upto - after <= backtest.MOST for after, upto in parts)


class Summing:
    """A task that knows how often it was asked, for processes."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, after: int, upto: int) -> tuple[int, int]:
        self.asked += 1
        if upto == 13:
            raise ValueError("unlucky")
        return upto - after, self.asked

    def close(self) -> None:
        self.asked = -1


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_from_tasks_that_stay(jobs: int) -> None:
    parts = [(number, 2 * number) for number in range(20, 40)]
    results = list(run(Summing, parts, jobs))
    assert [length for length, _ in results] == list(range(20, 40))
    assert max(asked for _, asked in results) >= 20 / jobs


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_part_that_fails_fails_the_whole(jobs: int) -> None:
    with pytest.raises(ValueError, match="unlucky"):
        list(run(Summing, [(0, number) for number in range(10, 40)], jobs))


# --- differences


def changed(store: MemoryStore, old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {"gained": [], "lost": [], "unchanged": []}
    whole = everything(store)
    for part in stretches(whole, 4):
        for seen, compared in differences(store, compile_files(old), compile_files(new), whole, *part):
            for kind in found:
                found[kind] += [(seen.document.title, seen.revision)] * len(getattr(compared, kind))
    return found


def test_an_entry_counts_once_whatever_its_revisions(store: MemoryStore) -> None:
    fill(store)
    narrow = files(concepts={**CONCEPTS, "port": ["dock*"]})
    # B has three revisions: two that the old rules meet, the last of which the new ones meet as well
    assert changed(store, files(), narrow) == {"gained": [], "lost": [("A", 1)], "unchanged": [("D", 1), ("B", 2)]}
    assert changed(store, narrow, files()) == {"gained": [("A", 1)], "lost": [], "unchanged": [("D", 1), ("B", 2)]}


def test_nothing_is_gained_by_a_later_revision_of_what_was_found_before(store: MemoryStore) -> None:
    one = entry("E", "walkout at the docks")
    put(store, one)
    put(store, revised(one, "strike in the port"))
    first = files(concepts={"port": ["dock*"], "strike": ["walkout"]})
    second = files(concepts={"port": ["port"], "strike": ["strike"]})
    assert changed(store, first, second) == {"gained": [], "lost": [], "unchanged": [("E", 1)]}


# --- near misses


def test_near_misses_are_told_of_the_latest_revision_alone(store: MemoryStore) -> None:
    rule = {"id": "near", "when": "port w/3 strike"}
    engine = compile_files(files(rule))
    far = entry("F", "A strike, they say, was foreseen by the whole port.")
    mended = entry("G", "A strike, they say, was foreseen by the whole port.")
    put(store, far, mended)
    put(store, revised(mended, "A port strike."), revised(far, "The strike, they now say, was foreseen by the port."))
    found = near_misses(store, engine, None, *everything(store))
    assert [(seen.document.title, seen.revision, miss.rule) for seen, miss in found] == [("F", 2, "near")]


# --- what a scorecard is made of


def scored(store: MemoryStore, theme: str | None = None) -> Iterator[Fired]:
    return fired(store, compile_files, theme)


def test_what_fired_with_what_it_rested_on(store: MemoryStore) -> None:
    adopt_rules(store, files(), [])
    put(store, entry("A", "A strike closed the port and the docks."))
    Detector(store, compile_files).catch_up()
    [one] = scored(store)
    assert (one.theme, one.rule, one.fresh, one.terms) == ("harbours", "port", True, ("strike*", "port*", "dock*"))
    assert one.resting == ("strike*",)
    assert list(scored(store, "other")) == []


def test_a_later_revision_fires_again_by_its_new_terms_alone(store: MemoryStore) -> None:
    adopt_rules(store, files(), [])
    one = entry("A", "A strike closed the port.")
    put(store, one)
    put(store, revised(one, "A strike and walkout closed the port."))
    Detector(store, compile_files).catch_up()
    first, second = scored(store)
    assert (first.fresh, first.terms, first.again) == (True, ("strike*", "port*"), ())
    assert (second.fresh, second.terms, second.again) == (False, ("walkout",), ("strike*", "port*"))
    assert second.resting == ()


def test_what_it_rested_on_is_judged_by_the_rules_of_then(store: MemoryStore) -> None:
    adopt_rules(store, files(), [])
    put(store, entry("A", "A strike closed the port."))
    Detector(store, compile_files).catch_up()
    adopt_rules(store, files({"id": "port", "when": "strike"}), [])
    put(store, entry("B", "A strike closed the port again."))
    Detector(store, compile_files).catch_up()
    assert [one.resting for one in scored(store)] == [("strike*", "port*"), ("strike*",)]


def test_a_shadow_theme_is_matched_and_counted_and_raises_no_alert(store: MemoryStore) -> None:
    adopt_rules(store, files(mode="shadow"), [])
    put(store, STRIKE)
    Detector(store, compile_files).catch_up()
    assert [one.rule for one in scored(store)] == ["port"]
    assert store.count(views.ALERTS) == 0
    suppressed = [one.event for one in store.read(types=("AlertSuppressed",))]
    assert [one.reason for one in suppressed if isinstance(one, ev.AlertSuppressed)] == ["shadow"]


def test_a_verdict_is_known_by_theme_and_entry(store: MemoryStore) -> None:
    adopt_rules(store, files(), [])
    put(store, STRIKE, WITHDRAWN)
    Detector(store, compile_files).catch_up()
    alert = next(store.rows(views.ALERTS))
    given = ev.VerdictGiven(alert_id=alert.alert_id, verdict="noise", note="")
    store.append(Commit(events=(ev.NewEvent(stream=f"alert/{alert.alert_id}", event=given),)))
    assert verdicts(store) == {("harbours", STRIKE.entry_id): Verdict(alert.alert_id, "noise")}
