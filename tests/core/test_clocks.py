"""Which wall clock is believed: leaps, steps back, sleep, and drift."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.clocks import ClockGuard, Reading
from tests.fakes import START

YEARS = timedelta(days=3650)


class Bench:
    """A guard read at chosen seconds, with the wall clock off by `error`."""

    def __init__(self) -> None:
        self.guard = ClockGuard(START, 100.0)

    def read(self, second: float, error: timedelta = timedelta(0)) -> Reading:
        reading = self.guard.read(START + timedelta(seconds=second) + error, 100.0 + second)
        self.guard = reading.guard
        return reading


def true(second: float) -> object:
    return START + timedelta(seconds=second)


def test_a_clock_that_goes_right_is_believed_without_a_word():
    bench = Bench()
    for second in (1, 2, 5, 3600, 90_000):
        reading = bench.read(second)
        assert (reading.now, reading.anomaly) == (true(second), None)


def test_ten_years_ahead_for_a_minute_moves_nothing():
    bench = Bench()
    anomalies = []
    for second in range(1, 58):
        reading = bench.read(second, YEARS)
        assert reading.now == true(second)
        anomalies.append(reading.anomaly)
    back = bench.read(60)
    assert back.now == true(60)
    assert back.set_back == timedelta(0)
    noted = [anomaly.step_seconds for anomaly in [*anomalies, back.anomaly] if anomaly]
    assert noted == [YEARS.total_seconds(), -YEARS.total_seconds()]


def test_a_leap_that_stands_for_a_minute_is_believed():
    bench = Bench()
    leap = timedelta(hours=8)  # a machine that slept: the monotonic clock slept too
    assert bench.read(1, leap).now == true(1)
    assert bench.read(60, leap).now == true(60)
    assert bench.read(61, leap).now == true(61) + leap
    assert bench.read(62, leap).anomaly is None


def test_two_readings_a_minute_apart_that_disagree_begin_anew():
    bench = Bench()
    assert bench.read(1, YEARS).now == true(1)
    assert bench.read(62, YEARS / 2).now == true(62)
    assert bench.read(100, YEARS / 2).now == true(100)
    assert bench.read(122, YEARS / 2).now == true(122) + YEARS / 2


def test_a_step_back_is_believed_at_once_and_told():
    reading = Bench().read(10, -timedelta(hours=1))
    assert reading.now == true(10) - timedelta(hours=1)
    assert reading.set_back == timedelta(hours=1)
    assert reading.anomaly is not None
    assert reading.anomaly.step_seconds == -3600
    assert reading.anomaly.before - reading.anomaly.after == timedelta(hours=1)


def test_small_corrections_are_believed_and_those_under_five_seconds_not_told():
    bench = Bench()
    assert bench.read(10, timedelta(seconds=4)).anomaly is None
    reading = bench.read(20, timedelta(seconds=100))
    assert reading.now == true(120)
    assert reading.anomaly is not None
    assert reading.anomaly.step_seconds == 96


@given(st.lists(st.tuples(st.floats(0.1, 30), st.sampled_from([0, 0, 0, 1, 200, 301, 90_000, 3e8])), max_size=60))
def test_time_never_leaps_before_a_minutes_proof(steps: list[tuple[float, float]]):
    """Between two readings the believed instant moves by what the monotonic clock says, or a leap was proved."""
    bench = Bench()
    second, before, since = 0.0, START, {}
    for nap, error in steps:
        second += nap
        reading = bench.read(second, timedelta(seconds=error))
        since = {error: since.get(error, second)}
        ahead = (reading.now - before).total_seconds() - nap
        if ahead > 300.001:
            assert second - since[error] >= 60
        before = reading.now
