"""Edited rules over the entries of the last days: what is found anew, what is left alone, and what a crash costs."""

from datetime import time
from typing import Any

import pytest

from monitor.core import digests, views
from monitor.core import events as ev
from monitor.core.entries import Arrival
from monitor.core.schedule import At
from monitor.pipeline.rematch import BATCH
from monitor.receivers.render.page import page_of
from tests.pipeline.desk import book, outbox
from tests.pipeline.edits import PATH, EditedDesk, theme

DAILY = At(times=(time(7, 0),), time_zone="Europe/Vienna")
GANTRY = {PATH: theme(cranes=("crane*", "gantry"))}


def newsroom(**files: str) -> EditedDesk:
    configured = book(outbox("owner", schedule=DAILY), outbox("now"), outbox("file"), operator=["file"])
    return EditedDesk(configured, **files)


def titles(desk: EditedDesk, receiver: str, section: str) -> list[str]:
    """Headlines in a section of the receiver's last digest that is no receipt."""
    found = [digests.decode(composed.content) for composed in desk.digests(receiver)]
    last = [digest for digest in found if not digest.receipt][-1]
    return sorted(story.headline.text for story in getattr(last, section))


def test_what_an_edited_rule_finds_comes_in_the_next_scheduled_digest_and_by_no_immediate_receiver():
    desk = newsroom()
    desk.entry("A gantry fell")
    desk.edit(**GANTRY)
    desk.follow()
    [alert] = [row for row in desk.store.rows(views.ALERTS) if row.title == "A gantry fell"]
    assert alert.reason == "rule_changed"
    desk.close()
    desk.entry("A crane fell")
    desk.close()
    assert titles(desk, "now", "new") == ["A crane fell"]
    desk.clock.advance(days=1)
    desk.close()
    assert titles(desk, "owner", "rule_changed") == ["A gantry fell"]
    assert titles(desk, "owner", "new") == ["A crane fell"]
    assert titles(desk, "now", "new") == ["A crane fell"]


def test_the_match_names_the_new_rules_and_the_edit_that_led_to_it():
    desk = newsroom()
    desk.entry("A gantry fell")
    desk.edit(**GANTRY)
    desk.follow()
    [matched] = [one for one in desk.store.read(types=("EntryMatched",)) if isinstance(one.event, ev.EntryMatched)]
    [_, adopted] = list(desk.store.read(types=("RuleBookAdopted",)))
    assert isinstance(matched.event, ev.EntryMatched)
    assert isinstance(adopted.event, ev.RuleBookAdopted)
    assert (matched.event.book, matched.causation) == (adopted.event.revision, adopted.position)
    assert [hit.text for hit in matched.event.rules[0].evidence] == ["gantry"]


@pytest.mark.parametrize(
    ("rematch", "found"), [("14d", ["Ten days ago"]), ("0", []), ("30d", ["Ten days ago", "Twenty days ago"])]
)
def test_how_far_back_it_looks(rematch: str, found: list[str]):
    desk = newsroom(**{PATH: theme(rematch=rematch)})
    desk.entry("Twenty days ago", "A gantry fell.")
    desk.clock.advance(days=10)
    desk.entry("Ten days ago", "A gantry fell.")
    desk.clock.advance(days=10)
    desk.edit(**{PATH: theme(rematch=rematch, cranes=("gantry",))})
    desk.follow()
    assert sorted(desk.found_again()) == found


def test_what_came_while_a_file_was_faulty_is_always_looked_at():
    desk = newsroom(**{PATH: theme(rematch="0")})
    desk.entry("Before", "A gantry fell.")
    desk.edit(f"{PATH}: a fault")
    desk.clock.advance(days=20)
    desk.entry("Meanwhile", "A gantry fell. A derrick fell too.")
    desk.edit(f"{PATH}: another fault", **{"themes/other.yaml": theme("other")})
    desk.entry("Meanwhile, of a derrick", "A derrick fell.")
    desk.edit(**{PATH: theme(rematch="0", cranes=("gantry",))})
    desk.follow()
    assert desk.found_again() == ["Meanwhile"]
    # that is done with: the next edit does not look there again
    desk.edit(**{PATH: theme(rematch="0", cranes=("derrick",))})
    desk.follow()
    assert desk.found_again() == ["Meanwhile"]


def test_what_was_found_before_is_not_found_again():
    desk = newsroom()
    desk.entry("A crane fell")
    desk.edit(**{PATH: theme(cranes=("crane*", "gantry"), severity="critical", title="Renamed")})
    desk.follow()
    assert desk.found_again() == []
    assert len(desk.events(ev.EntryMatched)) == 1


def test_an_edit_to_and_fro_raises_nothing_twice():
    desk = newsroom()
    desk.entry("A gantry fell")
    for cranes in (("crane*", "gantry"), ("crane*",), ("crane*", "gantry"), ("crane*",), ("crane*", "gantry")):
        desk.edit(**{PATH: theme(cranes=cranes)})
        desk.follow()
    assert len(desk.events(ev.AlertRaised)) == 1
    assert len(desk.events(ev.EntryMatched)) == 1


def test_a_draft_that_turns_live_raises_what_it_found_in_the_shadow():
    desk = newsroom(**{PATH: theme(mode="shadow")})
    desk.entry("A crane fell")
    assert not desk.events(ev.AlertRaised)
    desk.edit(**{PATH: theme()})
    desk.follow()
    assert desk.found_again() == ["A crane fell"]


def test_themes_that_did_not_change_and_drafts_are_not_run():
    desk = newsroom(**{PATH: theme(), "themes/draft.yaml": theme("draft", mode="shadow")})
    desk.entry("A gantry fell")
    desk.edit(**{"themes/draft.yaml": theme("draft", mode="shadow", cranes=("gantry",))})
    desk.follow()
    assert not desk.events(ev.EntryMatched)


def test_what_was_old_when_its_source_was_added_is_matched_and_raises_nothing():
    desk = newsroom()
    desk.entry("A gantry fell", arrival=Arrival.BASELINE)
    for cranes in (("gantry",), ("gantry", "crane*")):
        desk.edit(**{PATH: theme(cranes=cranes)})
        desk.follow()
    assert desk.found_again() == []
    assert [event.reason for event in desk.events(ev.AlertSuppressed)] == ["baseline"]


def test_only_the_latest_text_of_an_entry_is_looked_at():
    desk = newsroom()
    withdrawn = desk.entry("Withdrawn", "A gantry fell.")
    desk.append(f"entry/{withdrawn}", ev.EntryWithdrawn(entry_id=withdrawn, reason="410"))
    revised = desk.entry("Now of something else", "A gantry fell.")
    desk.revise(revised, "Nothing fell.")
    desk.revise(desk.entry("Now of a gantry", "Nothing fell."), "A gantry fell.")
    desk.edit(**GANTRY)
    desk.follow()
    assert desk.found_again() == ["Now of a gantry"]


def test_entries_that_come_meanwhile_are_not_looked_at_twice():
    desk = newsroom()
    desk.entry("Before", "A gantry fell.")
    desk.edit(**GANTRY)
    desk.detector.catch_up()
    desk.rule_changes.step(desk.clock())
    desk.entry("Meanwhile", "A gantry fell.")
    desk.follow()
    reasons = {row.title: row.reason for row in desk.store.rows(views.ALERTS)}
    assert reasons == {"Before": "rule_changed", "Meanwhile": "first_match"}


def test_entries_not_matched_yet_come_first_under_the_rules_of_then():
    desk = newsroom()
    desk.entry("Before", "A gantry fell.")
    desk.edit(**GANTRY)
    assert not desk.rule_changes.step(desk.clock())
    desk.follow()
    assert desk.found_again() == ["Before"]


def test_more_entries_than_a_step_takes_leave_room_between_steps():
    desk = newsroom()
    for number in range(2 * BATCH + 10):
        desk.entry(f"Gantry {number}")
    desk.edit(**GANTRY)
    assert desk.follow() >= 6
    assert len(desk.found_again()) == 2 * BATCH + 10
    desk.clock.advance(days=1)
    desk.close()
    [composed] = [one for one in desk.digests("owner") if not digests.decode(one.content).receipt]
    digest = digests.decode(composed.content)
    [section] = page_of(digest, desk.clock()).sections
    assert (len(section.items) + len(section.briefs), section.more) == (20, 2 * BATCH - 10)
    assert section.title == "Found by your rule change"


def test_what_was_taken_back_meanwhile_raises_nothing():
    desk = newsroom()
    desk.entry("A gantry fell")
    desk.edit(**GANTRY)
    desk.edit(**{PATH: theme()})
    desk.follow()
    assert desk.found_again() == []


def test_what_is_taken_back_while_entries_are_looked_at_raises_no_more():
    desk = many()
    while not desk.found_again():
        desk.rule_changes.step(desk.clock())
    found = desk.found_again()
    desk.edit(**{PATH: theme()})
    desk.follow()
    assert desk.found_again() == found


def test_of_two_edits_at_once_both_find_what_they_are_about():
    desk = newsroom()
    desk.entry("A gantry fell")
    desk.entry("A derrick fell")
    desk.edit(**GANTRY)
    desk.edit(**{"themes/more.yaml": theme("more", cranes=("derrick",))})
    desk.follow()
    assert sorted(desk.found_again()) == ["A derrick fell", "A gantry fell"]
    matched = desk.events(ev.EntryMatched)
    [_, _, last] = desk.events(ev.RuleBookAdopted)
    assert {one.book for one in matched} == {last.revision}


class Killed(BaseException):
    """The process is no more."""


class Mortal:
    """A store whose process dies at its n-th append, before or after it."""

    def __init__(self, store: Any, moment: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, moment, after

    def append(self, commit: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Killed
        appended = self._store.append(commit)
        if self._left == 0:
            raise Killed
        return appended

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def history(desk: EditedDesk) -> list[tuple[str, Any]]:
    """What the log says, but for when things came in between."""
    return [(one.stream, one.event) for one in desk.store.read()]


def many() -> EditedDesk:
    desk = newsroom()
    for number in range(BATCH + 20):
        desk.entry(f"{'Gantry' if number % 3 else 'Crane'} {number}")
    desk.edit(**GANTRY)
    desk.detector.catch_up()
    return desk


def test_a_death_at_any_append_costs_nothing_and_repeats_nothing():
    undisturbed = many()
    undisturbed.follow()
    whole = history(undisturbed)
    moments = 0
    for after in (False, True):
        for moment in range(1, 100):
            desk = many()
            store = desk.store
            desk.store = Mortal(store, moment, after=after)  # type: ignore[assignment]
            desk.restart()
            try:
                desk.follow()
                break
            except Killed:
                moments += 1
            desk.store = store
            desk.restart()
            desk.follow()
            assert history(desk) == whole
    assert moments == 8  # the receipt, two batches, the end; each before and after


def test_a_restarted_run_goes_on_where_it_was():
    whole = many().follow()
    desk = many()
    done = 0
    while not desk.found_again():
        desk.rule_changes.step(desk.clock())
        done += 1
    assert desk.rule_changes.busy
    desk.restart()
    assert desk.follow() == whole - done
    assert not desk.rule_changes.busy


def test_an_alert_that_detect_raises_at_the_same_moment_is_raised_once():
    desk = newsroom()
    entry = desk.entry("A gantry fell")
    desk.edit(**GANTRY)
    desk.detector.catch_up()
    detector, store = desk.detector, desk.store

    class Overtaken(Mortal):
        """The entry is revised, and matched, between our look and our append."""

        def append(self, commit: Any) -> Any:
            if any(isinstance(new.event, ev.AlertRaised) for new in commit.events) and self._left:
                self._left = 0
                desk.revise(entry, "A gantry fell, it is said.")
            return self._store.append(commit)

    desk.store = Overtaken(store, 1, after=False)  # type: ignore[assignment]
    desk.restart()
    desk.store, desk.detector = store, detector
    desk.follow()
    [raised] = desk.events(ev.AlertRaised)
    assert raised.reason == "revised"
