"""Quiet hours across the changes of the clock: when they begin and end, what pierces them, what becomes of an alert."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from monitor.core.routing import Fate, Outbox, QuietHours, Receiver
from monitor.core.schedule import Daily, Every, missed, slots
from monitor.matching.model import Severity

NIGHT = (time(22), time(6, 30))
ZONES = ("Europe/Vienna", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "UTC")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("hours", "at", "start", "end"),
    [
        (Daily(*NIGHT), utc(2026, 3, 2, 23), utc(2026, 3, 2, 22), utc(2026, 3, 3, 6, 30)),
        (Daily(*NIGHT), utc(2026, 3, 2, 22), utc(2026, 3, 2, 22), utc(2026, 3, 3, 6, 30)),
        (Daily(time(12), time(13)), utc(2026, 3, 2, 12, 59), utc(2026, 3, 2, 12), utc(2026, 3, 2, 13)),
        (Daily(*NIGHT, "Asia/Kolkata"), utc(2026, 3, 2, 16, 30), utc(2026, 3, 2, 16, 30), utc(2026, 3, 3, 1)),
        # spring in Vienna: an hour shorter; in autumn an hour longer
        (Daily(*NIGHT, "Europe/Vienna"), utc(2026, 3, 29, 1), utc(2026, 3, 28, 21), utc(2026, 3, 29, 4, 30)),
        (Daily(*NIGHT, "Europe/Vienna"), utc(2026, 10, 25, 1), utc(2026, 10, 24, 20), utc(2026, 10, 25, 5, 30)),
        (Daily(*NIGHT, "America/St_Johns"), utc(2026, 3, 8, 6), utc(2026, 3, 8, 1, 30), utc(2026, 3, 8, 9)),
        (Daily(*NIGHT, "Australia/Lord_Howe"), utc(2026, 10, 3, 15), utc(2026, 10, 3, 11, 30),
         utc(2026, 10, 3, 19, 30)),
        # 02:30 does not exist in Vienna that day: the first instant after the gap
        (Daily(time(1), time(2, 30), "Europe/Vienna"), utc(2026, 3, 29, 0, 59), utc(2026, 3, 29), utc(2026, 3, 29, 1)),
        # 02:30 comes twice: the first ends them
        (Daily(time(1), time(2, 30), "Europe/Vienna"), utc(2026, 10, 25, 0, 29), utc(2026, 10, 24, 23),
         utc(2026, 10, 25, 0, 30)),
    ],
)  # fmt: skip
def test_the_span_that_an_instant_lies_in(hours: Daily, at: datetime, start: datetime, end: datetime) -> None:
    assert hours.around(at) == (start, end)
    assert hours.around(end) is None
    assert hours.around(start - timedelta(microseconds=1)) is None


def test_once_over_they_do_not_begin_again_in_the_repeated_hour() -> None:
    hours = Daily(time(1), time(2, 30), "Europe/Vienna")
    assert hours.around(utc(2026, 10, 25, 1, 15)) is None  # 02:15 for the second time


def test_a_span_that_spring_swallows_is_none() -> None:
    hours = Daily(time(2, 10), time(2, 50), "Europe/Vienna")
    day = [utc(2026, 3, 29) + timedelta(minutes=minute) for minute in range(24 * 60)]
    assert not any(hours.around(at) for at in day)
    assert hours.around(utc(2026, 3, 30, 0, 20)) is not None


@pytest.mark.parametrize("zone", ZONES)
def test_every_night_of_a_year_has_one_span_and_local_times_agree(zone: str) -> None:
    hours = Daily(*NIGHT, zone)
    at, spans = utc(2026, 1, 1, 12), set()
    while at < utc(2027, 1, 1, 12):
        span = hours.around(at)
        local = at.astimezone(ZoneInfo(zone)).time()
        assert (span is not None) == hours.covers(local), f"{at} is {local} there"
        if span:
            spans.add(span)
        at += timedelta(minutes=30)
    ordered = sorted(spans)
    assert 364 <= len(ordered) <= 366
    assert all(end <= start for (_, end), (start, _) in pairwise(ordered))


@pytest.mark.parametrize(
    ("drop", "severity", "silence", "expected"),
    [
        (False, Severity.LOW, None, Fate.TELL),
        (True, Severity.LOW, None, Fate.DROPPED),
        (True, Severity.CRITICAL, None, Fate.TELL),
        (True, Severity.CRITICAL, "sil-1", Fate.SILENCED),
    ],
)
def test_what_becomes_of_an_alert_of_the_night(
    drop: bool, severity: Severity, silence: str | None, expected: Fate
) -> None:
    quiet = QuietHours(Daily(*NIGHT), drop=drop, pierce=Severity.CRITICAL)
    receiver = Receiver(name="duty", target=Outbox(), quiet=quiet)
    assert receiver.fate(severity, utc(2026, 3, 2, 23), silence) is expected
    assert receiver.fate(severity, utc(2026, 3, 2, 12), None) is Fate.TELL


def test_without_pierce_nothing_pierces() -> None:
    assert not QuietHours(Daily(*NIGHT)).pierced_by(Severity.CRITICAL)


def test_missed_slots_are_the_latest_before_the_last() -> None:
    hourly = Every(timedelta(hours=1))
    *_, last = slots(hourly, utc(2026, 3, 2), utc(2026, 3, 2, 9))
    assert [slot.due.hour for slot in missed(hourly, utc(2026, 3, 2, 5), last, 100)] == [6, 7, 8]
    assert [slot.due.hour for slot in missed(hourly, utc(2026, 3, 2, 5), last, 2)] == [7, 8]
    assert missed(hourly, utc(2026, 3, 2, 8, 30), last, 100) == []
