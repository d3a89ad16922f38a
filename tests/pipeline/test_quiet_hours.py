"""Quiet hours, reminders and missed windows over the memory store: what is told when, and what is only listed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from monitor.core import digests, views
from monitor.core import events as ev
from monitor.core.routing import CatchUp, QuietHours, Receiver, Route
from monitor.core.schedule import At, Daily, Every
from monitor.matching.model import Severity
from monitor.pipeline.notify import MOST_MISSED
from monitor.pipeline.silencing import Matchers, add_silence
from tests.pipeline.desk import DELIVERED, THEME, Desk, book, failed, outbox

ZONES = ("Europe/Vienna", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "UTC")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHT = Daily(time(22), time(6, 30))
CRITICAL = Severity.CRITICAL


def at(hour: float, day: int = 2) -> datetime:
    """An hour of a day of March 2026, in UTC; the desk opens on the 2nd at 9."""
    return datetime(2026, 3, day, tzinfo=UTC) + timedelta(hours=hour)


def night_desk(
    *, drop: bool = False, pierce: Severity | None = CRITICAL, hours: Daily = NIGHT, **fields: object
) -> Desk:
    return Desk(book(outbox("duty", quiet=QuietHours(hours, drop=drop, pierce=pierce), **fields)))


def titles(desk: Desk, receiver: str | None = None) -> list[list[str]]:
    """What each digest told, in order."""
    contents = [digests.decode(composed.content) for composed in desk.digests(receiver)]
    return [sorted(story.headline.text for story in digest.stories) for digest in contents]


def listed(desk: Desk) -> list[tuple[str, str]]:
    """Fate and title of what the last digest says was not sent."""
    omitted = digests.decode(desk.digests()[-1].content).omitted
    return [(line.fate, line.title) for line in omitted.listed] if omitted else []


def assert_rebuilt(desk: Desk) -> None:
    """Every digest is composed anew with the same bytes, by a new process."""
    desk.restart()
    for composed in desk.digests():
        again = desk.composer.rebuild(composed.digest_id)[1]
        assert digests.encode(again)[0] == composed.content


# --- quiet hours


def test_deferred_alerts_come_when_the_quiet_hours_end() -> None:
    desk = night_desk()
    desk.clock.now = at(23)
    desk.alert("At night")
    assert desk.close(settle=True) == 0
    assert desk.notifier.next_wakeup(desk.clock()) == at(6.5, 3)
    desk.clock.now = at(6.49, 3)
    desk.alert("Shortly before")
    assert desk.close() == 0
    desk.clock.now = at(6.5, 3)
    assert desk.close() == 1
    assert titles(desk) == [["At night", "Shortly before"]]
    assert desk.close() == 0
    assert_rebuilt(desk)


@pytest.mark.anyio
async def test_a_critical_alert_pierces_and_leaves_the_others_asleep() -> None:
    desk = night_desk()
    desk.clock.now = at(23)
    desk.alert("Mild")
    desk.close()
    desk.alert("Grave", severity=CRITICAL)
    desk.alert("Mild, too")
    assert desk.close() == 1
    assert titles(desk) == [["Grave"]]
    desk.clock.now = at(2, 3)
    desk.restart()
    assert desk.close() == 0
    desk.alert("Graver", severity=CRITICAL)
    assert desk.close() == 1
    desk.alert("Last mild one")
    assert desk.close() == 0
    desk.restart()
    await desk.deliver()
    assert desk.notifier.next_wakeup(desk.clock()) == at(6.5, 3)
    desk.clock.now = at(6.5, 3)
    assert desk.close() == 1
    assert titles(desk) == [["Grave"], ["Graver"], ["Last mild one", "Mild", "Mild, too"]]
    desk.clock.now = at(9, 3)
    desk.alert("In the morning")
    desk.close()
    assert titles(desk)[-1] == ["In the morning"]
    assert_rebuilt(desk)


def test_what_was_deferred_comes_once_also_where_the_program_dies_in_between() -> None:
    desk = night_desk()
    desk.clock.now = at(23)
    desk.alert("Mild")
    desk.alert("Grave", severity=CRITICAL)
    desk.close()
    desk.clock.now = at(8, 3)
    desk.restart()
    assert desk.close() == 1
    desk.restart()
    assert desk.close() == 0
    assert titles(desk) == [["Grave"], ["Mild"]]


def test_without_pierce_nothing_comes_at_night() -> None:
    desk = night_desk(pierce=None)
    desk.clock.now = at(23)
    desk.alert("Grave", severity=CRITICAL)
    assert desk.close() == 0
    desk.clock.now = at(6.5, 3)
    assert desk.close() == 1


def test_what_drop_leaves_out_is_listed_by_title_in_the_next_digest() -> None:
    desk = night_desk(drop=True)
    desk.clock.now = at(23)
    desk.alert("Mild")
    desk.alert("Mild, too")
    assert desk.close() == 0
    desk.clock.now = at(7, 3)
    assert desk.close() == 0
    desk.alert("In the morning")
    assert desk.close() == 1
    assert titles(desk) == [["In the morning"]]
    assert listed(desk) == [("dropped", "Mild"), ("dropped", "Mild, too")]
    omitted = digests.decode(desk.digests()[0].content).omitted
    assert omitted
    assert (omitted.dropped, omitted.silenced, omitted.skipped) == (2, 0, 0)
    desk.alert("Later")
    desk.close()
    assert listed(desk) == []
    assert_rebuilt(desk)


def test_a_critical_alert_pierces_drop_and_lists_what_it_found_dropped() -> None:
    desk = night_desk(drop=True)
    desk.clock.now = at(23)
    desk.alert("Mild")
    desk.alert("Grave", severity=CRITICAL)
    assert desk.close() == 1
    assert titles(desk) == [["Grave"]]
    assert listed(desk) == [("dropped", "Mild")]
    desk.clock.now = at(7, 3)
    assert desk.close() == 0
    desk.alert("In the morning")
    desk.close()
    assert listed(desk) == []
    assert_rebuilt(desk)


def test_an_alert_raised_before_the_quiet_hours_is_never_dropped() -> None:
    desk = night_desk(drop=True, group_wait=timedelta(minutes=10))
    desk.clock.now = at(21.9)
    desk.alert("In the evening")
    desk.clock.now = at(22.2)
    assert desk.close() == 0
    desk.clock.now = at(6.5, 3)
    assert desk.close() == 1
    assert titles(desk) == [["In the evening"]]


def test_quiet_hours_that_were_taken_away_let_go_what_they_kept() -> None:
    desk = night_desk()
    desk.clock.now = at(23)
    desk.alert("Mild")
    desk.alert("Grave", severity=CRITICAL)
    desk.close()
    desk.adopt(book(outbox("duty")))
    assert desk.close() == 1
    assert titles(desk) == [["Grave"], ["Mild"]]
    assert_rebuilt(desk)


def test_a_digest_sent_by_hand_holds_what_was_deferred() -> None:
    desk = night_desk()
    desk.clock.now = at(23)
    desk.alert("Mild")
    desk.alert("Grave", severity=CRITICAL)
    desk.close()
    desk.notifier.send_now("duty", actor="ann")
    assert titles(desk) == [["Grave"], ["Mild"]]
    desk.clock.now = at(7, 3)
    assert desk.close() == 0


def test_the_slots_of_the_night_are_told_in_the_first_after_it() -> None:
    quiet = QuietHours(NIGHT, pierce=CRITICAL)
    desk = Desk(book(outbox("desk", schedule=Every(HOUR), quiet=quiet, always=True)))
    told: dict[int, list[str]] = {}
    for hour in range(22, 33):
        desk.clock.now = at(hour - 0.5)
        desk.alert(f"Of {hour}", severity=CRITICAL if hour == 26 else Severity.LOW)
        desk.clock.now = at(hour)
        before = len(desk.digests())
        desk.close()
        for digest in titles(desk)[before:]:
            told[hour] = digest
    assert told == {
        26: ["Of 26"],
        31: sorted(f"Of {hour}" for hour in range(22, 32) if hour != 26),
        32: ["Of 32"],
    }
    assert_rebuilt(desk)


def test_a_daily_digest_drops_what_was_raised_at_night() -> None:
    quiet = QuietHours(NIGHT, drop=True)
    desk = Desk(book(outbox("desk", schedule=At((time(8),)), quiet=quiet)))
    for hour in (20, 23, 30.25, 31):
        desk.clock.now = at(hour)
        desk.alert(f"Of {hour}")
    desk.clock.now = at(32)
    desk.close()
    assert titles(desk) == [["Of 20", "Of 31"]]
    assert listed(desk) == [("dropped", "Of 23"), ("dropped", "Of 30.25")]
    assert_rebuilt(desk)


def test_what_an_operator_must_mend_is_told_after_the_night() -> None:
    desk = Desk(book(outbox("desk", schedule=Every(HOUR), quiet=QuietHours(NIGHT)), outbox("other")))
    desk.clock.now = at(23)
    desk.append("source/port-news", ev.SourceFailed(source_id="port-news", reason="HTTP 503"))
    desk.clock.now = at(24)
    desk.close()
    desk.clock.now = at(26)
    desk.close()
    assert not desk.digests("desk")
    desk.clock.now = at(31)
    assert desk.close() == 1
    assert [notice.subject for notice in digests.decode(desk.digests()[0].content).notices] == ["port-news"]
    desk.clock.now = at(32)
    desk.close()
    assert len(desk.digests("desk")) == 1
    assert_rebuilt(desk)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("month", "day"), [(3, 8), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1)])
def test_over_a_change_of_the_clock_each_alert_comes_once_and_never_at_night(zone: str, month: int, day: int) -> None:
    hours = Daily(time(22), time(2, 30), zone)
    desk = night_desk(hours=hours)
    desk.clock.now = datetime(2026, month, day, 12, tzinfo=UTC) - DAY
    count = 0
    for tick in range(2 * 48):
        if tick % 3 == 0:
            desk.alert(f"Number {count}")
            count += 1
        if desk.close():
            local = desk.clock().astimezone(ZoneInfo(zone))
            assert not hours.covers(local.time()) or hours.around(desk.clock()) is None
        desk.clock.advance(minutes=30)
    desk.close()
    told = [title for digest in titles(desk) for title in digest]
    assert sorted(told) == sorted(f"Number {number}" for number in range(count))


# --- reminders


def reminding(**fields: object) -> Receiver:
    return outbox("duty", **{"repeat": DAY, **fields})


def reminders(desk: Desk) -> list[tuple[str, int]]:
    return [(event.receiver, event.number) for event in desk.events(ev.AlertReminded)]


def test_what_stays_open_is_told_again_three_times_at_most() -> None:
    desk = Desk(book(reminding()))
    desk.alert("Unheeded")
    for _ in range(24 * 6):
        desk.close()
        desk.clock.advance(hours=1)
    assert titles(desk) == [["Unheeded"]] * 4
    assert reminders(desk) == [("duty", 1), ("duty", 2), ("duty", 3)]
    news = [digests.decode(composed.content).stories[0].alerts[0].news for composed in desk.digests()]
    assert news == [("first_match",), ("reminder",), ("reminder",), ("reminder",)]
    ends = [digests.decode(composed.content).window.end for composed in desk.digests()]
    assert [later - earlier for earlier, later in pairwise(ends)] == [DAY] * 3
    assert_rebuilt(desk)


def test_an_acknowledged_alert_reminds_nobody() -> None:
    desk = Desk(book(reminding(repeat_max=1)))
    alert = desk.alert("Heeded")
    desk.close()
    desk.append(f"alert/{alert}", ev.AlertAcknowledged(alert_id=alert))
    desk.clock.advance(days=3)
    assert desk.close() == 0
    assert reminders(desk) == []


def test_only_the_receiver_that_repeats_is_reminded_and_only_of_what_routes_lead_to_it() -> None:
    desk = Desk(book(reminding(), outbox("other"), outbox("third", repeat=DAY), routes=[Route(to=("duty", "other"))]))
    desk.alert("Unheeded")
    desk.close()
    desk.clock.advance(days=1)
    desk.close()
    assert titles(desk, "duty") == [["Unheeded"]] * 2
    assert titles(desk, "other") == [["Unheeded"]]
    assert reminders(desk) == [("duty", 1)]


def test_something_material_counts_anew() -> None:
    desk = Desk(book(reminding(repeat_max=1)))
    alert = desk.alert("Unheeded")
    desk.clock.advance(days=1)
    desk.close()
    more = ev.AlertGrouped(
        alert_id=alert, entry_id="ent-x", source_id="port-news", severity=Severity.HIGH, rules=("stop",),
        reason=ev.AlertReason.HIGHER_SEVERITY,
    )  # fmt: skip
    desk.clock.advance(hours=12)
    desk.append(f"alert/{alert}", more)
    desk.clock.advance(hours=23)
    desk.close()
    assert reminders(desk) == [("duty", 1)]
    desk.clock.advance(hours=1)
    desk.close()
    assert reminders(desk) == [("duty", 1), ("duty", 1)]


def test_after_downtime_one_reminder_comes_not_three() -> None:
    desk = Desk(book(reminding()))
    desk.alert("Unheeded")
    desk.close()
    desk.clock.advance(days=5)
    desk.restart()
    desk.close()
    desk.close()
    assert reminders(desk) == [("duty", 1)]


def test_reminders_keep_the_quiet_hours_and_silences() -> None:
    desk = Desk(book(reminding(repeat=timedelta(hours=12), quiet=QuietHours(NIGHT))))
    desk.clock.now = at(12)
    desk.alert("Unheeded")
    desk.close()
    desk.clock.now = at(24.1)
    assert desk.close() == 0
    assert reminders(desk) == []
    desk.clock.now = at(6.5, 3)
    desk.close()
    assert reminders(desk) == [("duty", 1)]
    until = at(21, 3)
    add_silence(desk.store, Matchers(theme=THEME), until, "known", now=desk.clock(), actor="ann")
    desk.clock.now = at(20, 3)
    desk.close()
    assert reminders(desk) == [("duty", 1)]
    desk.clock.now = until
    desk.close()
    assert reminders(desk) == [("duty", 1), ("duty", 2)]


def test_a_receiver_is_not_reminded_of_what_was_raised_before_it_was_added() -> None:
    desk = Desk(book(outbox("old")))
    desk.alert("Old")
    desk.adopt(book(outbox("old"), reminding()))
    desk.clock.advance(days=2)
    desk.close()
    assert reminders(desk) == []


# --- missed windows

DAILY = At((time(7),), "Europe/Vienna")


def missing(catch_up: CatchUp, schedule: At | Every = DAILY, **fields: object) -> Desk:
    """A receiver that heard of the 3rd of March at seven, and then nothing ran until the 6th at noon."""
    desk = Desk(book(outbox("desk", schedule=schedule, catch_up=catch_up, **fields)))
    desk.alert("Of the 2nd")
    desk.clock.now = at(6, 3)
    desk.close()
    for day in (3, 4, 5, 6):
        desk.clock.now = at(5, day) if day > 3 else at(12, day)
        desk.alert(f"Of the {day}th")  # stored by commands, say, while no window could close
    desk.clock.now = at(12, 6)
    desk.restart()
    return desk


def test_one_merged_digest_is_the_custom() -> None:
    desk = missing(CatchUp.ONE)
    assert desk.close() == 1
    assert titles(desk)[1:] == [["Of the 3th", "Of the 4th", "Of the 5th", "Of the 6th"]]


def test_each_missed_window_has_its_own_digest() -> None:
    desk = missing(CatchUp.EACH)
    assert desk.close() == 3
    assert titles(desk)[1:] == [["Of the 3th", "Of the 4th"], ["Of the 5th"], ["Of the 6th"]]
    ends = [digests.decode(composed.content).window.end for composed in desk.digests()]
    assert ends == [at(6, day) for day in (3, 4, 5, 6)]
    assert desk.close() == 0
    assert_rebuilt(desk)


def test_each_missed_window_without_news_is_told_where_wanted() -> None:
    desk = Desk(book(outbox("desk", schedule=DAILY, catch_up=CatchUp.EACH, always=True)))
    desk.clock.now = at(12, 6)
    assert desk.close() == 4
    assert titles(desk) == [[]] * 4


def test_a_year_of_missed_hours_is_cut_to_a_hundred_digests() -> None:
    desk = Desk(book(outbox("desk", schedule=Every(HOUR), catch_up=CatchUp.EACH, always=True)))
    desk.clock.advance(days=366)
    assert desk.close() == MOST_MISSED + 1
    assert desk.close() == 0


def test_skipped_windows_are_listed_by_title_in_the_next_digest() -> None:
    desk = missing(CatchUp.SKIP)
    assert desk.close() == 1
    assert len(titles(desk)) == 1
    assert desk.close() == 0
    desk.restart()
    assert desk.close() == 0
    desk.alert("Of the afternoon")
    desk.clock.now = at(6, 7)
    assert desk.close() == 1
    assert titles(desk)[1:] == [["Of the afternoon"]]
    assert listed(desk) == [("skipped", f"Of the {day}th") for day in (3, 4, 5, 6)]
    assert_rebuilt(desk)


def test_what_an_operator_must_mend_is_told_with_the_next_digest() -> None:
    desk = missing(CatchUp.SKIP)
    desk.clock.now = at(12, 5)
    desk.append("source/port-news", ev.SourceFailed(source_id="port-news", reason="HTTP 503"))
    desk.clock.now = at(12, 6)
    desk.close()
    assert len(titles(desk)) == 1
    desk.clock.now = at(6, 7)
    desk.close()
    assert [notice.subject for notice in digests.decode(desk.digests()[1].content).notices] == ["port-news"]
    assert_rebuilt(desk)


def test_a_slot_that_is_hardly_late_is_not_missed() -> None:
    desk = missing(CatchUp.SKIP)
    desk.clock.now = at(6.5, 6)
    assert desk.close() == 2
    assert titles(desk)[1:] == [["Of the 6th"]]
    assert listed(desk) == [("skipped", f"Of the {day}th") for day in (3, 4, 5)]
    assert_rebuilt(desk)


def _summer(receiver: Receiver, hours: float) -> Desk:
    """What windows close from March to November, looked at again and again."""
    desk = Desk(book(receiver))
    desk.clock.now = datetime(2026, 3, 6, 12, tzinfo=UTC)
    while desk.clock.now < datetime(2026, 11, 3, tzinfo=UTC):
        desk.close()
        desk.clock.advance(hours=hours)
    return desk


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("catch_up", [CatchUp.EACH, CatchUp.SKIP])
def test_over_every_change_of_the_clock_each_local_day_has_its_window_once(zone: str, catch_up: CatchUp) -> None:
    schedule = At((time(2, 15), time(1, 45)), zone)
    desk = _summer(outbox("desk", schedule=schedule, catch_up=catch_up, always=True), 0.25)
    closed = [row for row in desk.store.rows(views.WINDOWS) if row.mode is ev.WindowMode.WHOLE]
    dues = [row.due for row in closed]
    days = (dues[-1].astimezone(ZoneInfo(zone)).date() - dues[0].astimezone(ZoneInfo(zone)).date()).days
    # A start after noon and an end after midnight: every slot between them, once; two of one instant are two.
    assert 2 * days <= len(closed) <= 2 * days + 2
    assert dues == sorted(dues)
    assert len({row.window_id for row in closed}) == len(closed)


# --- receivers that cannot be reached


@pytest.mark.anyio
async def test_a_receiver_that_fails_for_an_hour_is_told_of_by_another_one_once() -> None:
    desk = Desk(book(outbox("boss"), outbox("hook"), routes=[Route(to=("hook",))], operator=["boss", "hook"]))
    desk.receiver("hook").outcomes = [failed("HTTP 503")]
    desk.alert("A crane fell")
    for _ in range(90):
        desk.close()
        await desk.deliver()
        desk.clock.advance(minutes=2)
    assert [event.receiver for event in desk.events(ev.ReceiverFailing)] == ["hook"]
    notices = [digests.decode(composed.content).notices for composed in desk.digests("boss")]
    assert [[(one.kind, one.subject) for one in each] for each in notices] == [[("ReceiverFailing", "hook")]]
    assert len(desk.digests("hook")) == 1  # not of its own deaf ear

    desk.receiver("hook").outcomes = [DELIVERED]
    desk.restart()
    for _ in range(60):
        desk.close()
        await desk.deliver()
        desk.clock.advance(minutes=2)
    assert desk.events(ev.ReceiverRecovered) == [ev.ReceiverRecovered(receiver="hook")]
    assert len(desk.events(ev.ReceiverFailing)) == 1
    assert_rebuilt(desk)


@pytest.mark.anyio
async def test_a_receiver_that_is_back_within_the_hour_is_not_told_of() -> None:
    desk = Desk(book(outbox("boss"), outbox("hook"), routes=[Route(to=("hook",))], operator=["boss"]))
    desk.receiver("hook").outcomes = [failed("HTTP 503")] * 3 + [DELIVERED]
    desk.alert("A crane fell")
    for _ in range(90):
        desk.close()
        await desk.deliver()
        desk.clock.advance(minutes=2)
    assert desk.deliveries()[0].state == "delivered"
    assert not desk.events(ev.ReceiverFailing)


@pytest.mark.anyio
async def test_where_nothing_is_sent_at_all_no_receiver_is_told_of() -> None:
    desk = Desk(book(outbox("boss"), outbox("hook"), routes=[Route(to=("hook",))], operator=["boss"]))
    desk.receiver("hook").outcomes = [failed("HTTP 503")]
    desk.alert("A crane fell")
    desk.close()
    await desk.deliver()
    desk.append("system", ev.OutboxHeld(reason="restored from a backup"))
    desk.clock.advance(hours=3)
    desk.close()
    assert not desk.events(ev.ReceiverFailing)
    desk.append("system", ev.OutboxReleased())
    desk.clock.advance(minutes=1)
    desk.close()
    assert [event.receiver for event in desk.events(ev.ReceiverFailing)] == ["hook"]
