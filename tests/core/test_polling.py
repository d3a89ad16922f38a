"""The pace of asking: owner's wish, politeness, the server's word, back-off, spread."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.polling import CEILING, DAY, HOUR, Pace, is_failing, next_poll, next_try, not_before, shortest
from tests.fakes import START


def seconds(when: datetime) -> float:
    return (when - START).total_seconds()


@pytest.mark.parametrize(
    ("pace", "least"),
    [
        (Pace(every=HOUR, validated=True), 300),
        (Pace(every=HOUR, validated=False), HOUR),
        (Pace(every=HOUR, validated=False, wait=600), 600),  # max-age within the wish: the server's own pace
        (Pace(every=HOUR, validated=False, wait=0), 300),
        (Pace(every=HOUR, validated=False, wait=7200), 7200),
        (Pace(every=HOUR, validated=True, wait=7200), 7200),
        (Pace(every=HOUR, validated=True, wait=10 * DAY), DAY),
        (Pace(every=HOUR, validated=True, ttl=5400), 5400),
        (Pace(every=HOUR, validated=True, ttl=90 * DAY), DAY),
        (Pace(every=HOUR, validated=False, body_size=2_000_000), DAY),
        (Pace(every=HOUR, validated=True, body_size=2_000_000), 300),
    ],
)
def test_what_politeness_asks(pace: Pace, least: int) -> None:
    assert shortest(pace) == least


def test_the_owners_wish_holds_where_it_is_the_longer() -> None:
    assert seconds(next_poll(START, Pace(every=7 * DAY, validated=True, wait=60), 0.0)) == 7 * DAY


def test_a_wish_below_the_floor_is_raised() -> None:
    assert seconds(next_poll(START, Pace(every=60, validated=True), 0.0)) == 300


def test_after_the_usual_poll_chance_adds_at_most_half_a_minute() -> None:
    assert seconds(next_poll(START, Pace(every=HOUR, validated=True), 0.999)) < HOUR + 30


def test_a_first_poll_scatters_the_second_over_the_interval() -> None:
    pace = Pace(every=HOUR, validated=True)
    assert seconds(next_poll(START, pace, 0.0, spread=True)) == 300
    assert seconds(next_poll(START, pace, 0.5, spread=True)) == 1950
    assert seconds(next_poll(START, pace, 0.999, spread=True)) < HOUR


def test_hours_and_days_the_publisher_leaves_out_are_left_out() -> None:
    pace = Pace(every=HOUR, validated=True, skip_hours=0b111 << 10)  # 10, 11, 12 GMT; START is 09:00
    assert seconds(next_poll(START, pace, 0.0)) == 4 * HOUR
    pace = Pace(every=HOUR, validated=True, skip_days=0b1)  # Mondays; START is one
    assert next_poll(START, pace, 0.0) == START.replace(hour=0) + timedelta(days=1)


def test_leaving_out_everything_is_no_word_at_all() -> None:
    pace = Pace(every=HOUR, validated=True, skip_hours=(1 << 24) - 1)
    assert seconds(next_poll(START, pace, 0.0)) == HOUR


def test_a_refusing_server_is_left_alone_longer_each_time_up_to_a_day() -> None:
    tries = [seconds(next_try(START, every=HOUR, failures=n, status=503, draw=0.5)) for n in range(1, 8)]
    assert tries == [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY, DAY]


def test_an_unreachable_one_is_tried_each_hour() -> None:
    tries = [seconds(next_try(START, every=900, failures=n, draw=0.5)) for n in range(1, 6)]
    assert tries == [900, 1800, HOUR, HOUR, HOUR]


def test_retry_after_wins_and_is_capped() -> None:
    assert seconds(next_try(START, every=HOUR, failures=1, status=429, retry_after=7000, draw=0.5)) == 7000
    assert seconds(next_try(START, every=HOUR, failures=1, status=429, retry_after=9 * DAY, draw=0.5)) == CEILING


def test_the_servers_word_forbids_polls_by_hand_for_a_day_at_most() -> None:
    assert not_before(START, None) is None
    assert not_before(START, 0) is None
    assert not_before(START, 90) == START + timedelta(seconds=90)
    assert not_before(START, 9 * DAY) == START + timedelta(days=1)


def test_one_hiccup_is_no_failure_but_three_are() -> None:
    assert not is_failing(failures=1, lasting=False, ever_answered=True)
    assert is_failing(failures=3, lasting=False, ever_answered=True)
    assert is_failing(failures=1, lasting=True, ever_answered=True)
    assert is_failing(failures=1, lasting=False, ever_answered=False)


@given(
    every=st.integers(0, 30 * DAY),
    validated=st.booleans(),
    wait=st.none() | st.integers(0, 10**9),
    ttl=st.none() | st.integers(0, 10**9),
    size=st.integers(0, 16_000_000),
    draw=st.floats(0, 1, exclude_max=True),
    spread=st.booleans(),
)
def test_no_answer_ever_brings_the_next_poll_nearer_than_politeness_allows(
    every: int, validated: bool, wait: int | None, ttl: int | None, size: int, draw: float, spread: bool
) -> None:
    pace = Pace(every=every, validated=validated, wait=wait, ttl=ttl, body_size=size)
    due = seconds(next_poll(START, pace, draw, spread=spread))
    assert max(300, min(wait or 0, DAY), min(ttl or 0, DAY)) <= due <= max(every, DAY) + 30


@given(st.integers(0, 30 * DAY), st.integers(1, 10**6), st.none() | st.integers(100, 599), st.floats(0, 0.99))
def test_back_off_is_bounded(every: int, failures: int, status: int | None, draw: float) -> None:
    due = seconds(next_try(START, every=every, failures=failures, status=status, draw=draw))
    assert 270 <= due <= max(every, DAY) * 1.1
