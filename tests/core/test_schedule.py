"""When windows are due: local dates and slots over every kind of clock change, and laws over years and zones."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.schedule import (
    At,
    Every,
    Immediate,
    Schedule,
    instant_of,
    last_slot,
    next_slot,
    slots,
    window_id,
)

ZONES = (
    "UTC",
    "Europe/Vienna",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",  # +05:45
    "America/Santiago",  # the clock changes at midnight
    "Africa/Casablanca",  # back for Ramadan
    "Asia/Beirut",
    "Pacific/Apia",
    "Antarctica/Troll",  # two hours
)
TIMES = st.times(max_value=time(23, 59)).map(lambda at: at.replace(second=0, microsecond=0))
SCHEDULES = st.one_of(
    st.builds(
        At,
        times=st.lists(TIMES, min_size=1, max_size=3, unique=True).map(lambda times: tuple(sorted(times))),
        time_zone=st.sampled_from(ZONES),
        days=st.frozensets(st.integers(0, 6), min_size=1),
    ),
    st.builds(
        Every, st.sampled_from([timedelta(minutes=7), timedelta(hours=1), timedelta(hours=5), timedelta(days=3)])
    ),
)
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "at", "instant"),
    [
        ("Europe/Vienna", date(2026, 3, 28), time(2, 30), utc(2026, 3, 28, 1, 30)),
        ("Europe/Vienna", date(2026, 3, 29), time(2, 30), utc(2026, 3, 29, 1, 0)),  # skipped: the end of the gap
        ("Europe/Vienna", date(2026, 3, 29), time(3, 0), utc(2026, 3, 29, 1, 0)),
        ("Europe/Vienna", date(2026, 10, 25), time(2, 30), utc(2026, 10, 25, 0, 30)),  # twice: the first
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 10), utc(2026, 10, 3, 15, 30)),
        ("America/Santiago", date(2026, 9, 6), time(0, 15), utc(2026, 9, 6, 4, 0)),
        ("Pacific/Apia", date(2011, 12, 30), time(7, 0), utc(2011, 12, 30, 10, 0)),  # the day that never was
        ("Antarctica/Troll", date(2026, 3, 29), time(2, 0), utc(2026, 3, 29, 1, 0)),
    ],
)
def test_local_times_that_are_skipped_or_come_twice(zone: str, day: date, at: time, instant: datetime):
    assert instant_of(day, at, zone) == instant


def test_the_repeated_hour_of_autumn_is_one_slot():
    schedule = At((time(2, 30),), "Europe/Vienna")
    night = slots(schedule, utc(2026, 10, 24, 12), utc(2026, 10, 25, 12))
    assert [slot.due for slot in night] == [utc(2026, 10, 25, 0, 30)]
    assert last_slot(schedule, utc(2026, 10, 25, 1, 30)) == last_slot(schedule, utc(2026, 10, 25, 0, 30))


def test_weekends_are_left_out():
    schedule = At((time(7, 0),), "Europe/Vienna", frozenset(range(5)))
    due = [slot.date for slot in slots(schedule, utc(2026, 3, 5), utc(2026, 3, 10))]
    assert due == [date(2026, 3, 5), date(2026, 3, 6), date(2026, 3, 9)]


def test_an_immediate_schedule_has_no_slots():
    now = utc(2026, 3, 1)
    assert last_slot(Immediate(), now) is next_slot(Immediate(), now) is None
    assert list(slots(Immediate(), now, now + timedelta(days=9))) == []


def test_every_four_hours_is_counted_from_midnight_utc():
    due = [slot.due.hour for slot in slots(Every(timedelta(hours=4)), utc(2026, 3, 1), utc(2026, 3, 2))]
    assert due == [4, 8, 12, 16, 20, 0]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("year", [2024, 2026, 2027])
def test_a_year_has_each_local_date_once(zone: str, year: int):
    schedule = At((time(2, 30),), zone)
    zone_info = ZoneInfo(zone)
    begin = datetime(year, 1, 1, tzinfo=zone_info).astimezone(UTC)
    end = datetime(year + 1, 1, 1, tzinfo=zone_info).astimezone(UTC)
    dates = [slot.date for slot in slots(schedule, begin, end)]
    assert dates == [date(year, 1, 1) + timedelta(days=number) for number in range((end - begin).days)]


@given(SCHEDULES, INSTANTS)
def test_the_last_slot_is_due_and_the_next_is_not(schedule: Schedule, now: datetime):
    last, following = last_slot(schedule, now), next_slot(schedule, now)
    assert last is not None
    assert following is not None
    assert last.due <= now < following.due
    assert not list(slots(schedule, now, following.due - timedelta(microseconds=1)))


@given(SCHEDULES, INSTANTS, st.lists(st.integers(1, 200_000), min_size=1, max_size=30))
def test_a_looker_sees_every_slot_as_last_or_merged_and_none_twice(
    schedule: Schedule, start: datetime, naps: list[int]
):
    """Wake at any pace: the windows closed are slots, in order, each once; none is skipped but by a longer sleep."""
    now, seen = start, []
    for nap in naps:
        before, now = now, now + timedelta(seconds=nap)
        slot = last_slot(schedule, now)
        assert slot is not None
        between = list(slots(schedule, before, now))
        if between:
            assert slot == between[-1]
            seen.append(slot)
        else:
            assert slot.due <= before
    ids = [window_id("desk", slot) for slot in seen]
    assert len(set(ids)) == len(ids)
    assert all(one.due <= other.due for one, other in pairwise(seen))


@given(SCHEDULES, INSTANTS)
def test_slots_are_the_chain_of_next_slots(schedule: Schedule, now: datetime):
    horizon = now + timedelta(days=20)
    chain = []
    at = now
    while (slot := next_slot(schedule, at)) is not None and slot.due <= horizon and len(chain) < 5000:
        chain.append(slot.due)
        at = slot.due
    assert sorted({slot.due for slot in slots(schedule, now, horizon)}) == chain


@given(st.dates(date(2024, 1, 1), date(2029, 12, 31)), TIMES, st.sampled_from(ZONES))
def test_a_due_instant_reads_as_its_local_time_or_lies_at_the_end_of_a_gap(day: date, at: time, zone: str):
    instant = instant_of(day, at, zone)
    local = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    wanted = datetime.combine(day, at)
    if local != wanted:
        assert local > wanted
        just_before = (instant - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert just_before < wanted


def test_window_ids_tell_receivers_dates_and_slots_apart():
    schedule = At((time(7, 0), time(19, 0)), "Europe/Vienna")
    day = list(slots(schedule, utc(2026, 3, 1), utc(2026, 3, 3)))
    ids = {window_id(receiver, slot) for receiver in ("a", "b") for slot in day}
    assert len(ids) == 2 * len(day) == 8
