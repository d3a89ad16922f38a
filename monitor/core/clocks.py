"""Whether to believe the wall clock: it is held against the monotonic one, and a leap ahead must last a minute."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core.events import ClockAnomaly

LEAP = timedelta(minutes=5)
PROBATION = 60.0  # seconds a leap ahead must last before it is believed
NOTABLE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class ClockGuard:
    """What is believed: at monotonic second `monotonic` it was `wall`. `leap`: a distrusted clock's lead over that,
    and since which monotonic second it has been seen. Immutable: `read` returns the next guard.
    """

    wall: datetime
    monotonic: float
    leap: timedelta | None = None
    since: float = 0.0

    def read(self, wall: datetime, monotonic: float) -> Reading:
        """Take one reading of both clocks; call it every few seconds.

        Forward by more than five minutes: time goes on by the monotonic clock until the lead has stood for a minute
        (a machine that slept is believed after that minute). Everything else, back steps too, is believed at once.
        """
        expected = self.wall + timedelta(seconds=monotonic - self.monotonic)
        lead = wall - expected
        if lead <= LEAP:
            # also the way back from a leap: the clock that was expected is here again
            step = lead if self.leap is None else lead - self.leap
            return Reading(ClockGuard(wall, monotonic), wall, _anomaly(wall, step), max(-lead, timedelta(0)))
        if self.leap is None or abs(lead - self.leap) > NOTABLE:
            step = lead - (self.leap or timedelta(0))
            guard = replace(self, wall=expected, monotonic=monotonic, leap=lead, since=monotonic)
            return Reading(guard, expected, _anomaly(wall, step))
        if monotonic - self.since >= PROBATION:
            return Reading(ClockGuard(wall, monotonic), wall, None)
        return Reading(replace(self, wall=expected, monotonic=monotonic), expected, None)


@dataclass(frozen=True, slots=True)
class Reading:
    """The guard to ask next time, the instant to act by, and what to append where the clock was moved.

    `set_back`: by how much the instants to act by went back. Returning from a leap that was never believed is none.
    """

    guard: ClockGuard
    now: datetime
    anomaly: ClockAnomaly | None
    set_back: timedelta = timedelta(0)


def _anomaly(wall: datetime, step: timedelta) -> ClockAnomaly | None:
    if abs(step) <= NOTABLE:
        return None
    return ClockAnomaly(before=wall - step, after=wall, step_seconds=round(step.total_seconds(), 3))
