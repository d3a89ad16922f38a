"""When a receiver's windows are due: local dates and slots, across time zones and their clock changes.

A slot is named by its local date and time, so the repeated hour of autumn is one slot, and a time that spring skips
is due at the first instant after the gap. All instants in and out are aware and in UTC.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from monitor.core.entries import derived_id

EVERY_DAY = frozenset(range(7))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_HORIZON = 15  # days: more than any week of `days` can leave out


@dataclass(frozen=True, slots=True)
class Immediate:
    """As alerts come, gathered for the receiver's `group_wait`."""


@dataclass(frozen=True, slots=True)
class At:
    """At these local times on these days (0 is Monday) of an IANA time zone."""

    times: tuple[time, ...]
    time_zone: str = "UTC"
    days: frozenset[int] = EVERY_DAY


@dataclass(frozen=True, slots=True)
class Every:
    """At every multiple of a period, counted from midnight UTC (of 1970-01-01)."""

    period: timedelta


Schedule = Immediate | At | Every

IMMEDIATE = Immediate()


@dataclass(frozen=True, slots=True)
class Slot:
    """One appointed time: `name` within local `date`, and the instant it is due."""

    date: date
    name: str
    due: datetime


def window_id(receiver: str, slot: Slot) -> str:
    """`win-…`: the same for the same slot of the same receiver, however often it comes round."""
    return derived_id("win", receiver, slot.date.isoformat(), slot.name)


def immediate_window_id(receiver: str, first_position: int) -> str:
    """`win-…` of the window whose oldest alert event stands at this position."""
    return derived_id("win", receiver, "immediate", str(first_position))


def last_slot(schedule: Schedule, now: datetime) -> Slot | None:
    """The latest slot due at or before `now`; None where there is no such thing."""
    if isinstance(schedule, Immediate):
        return None
    if isinstance(schedule, Every):
        return _every(schedule, (now - _EPOCH) // schedule.period)
    start = now.astimezone(ZoneInfo(schedule.time_zone)).date() + _DAY
    for back in range(_HORIZON):
        due = [slot for slot in _slots_of(schedule, start - back * _DAY) if slot.due <= now]
        if due:
            return due[-1]
    return None


def next_slot(schedule: Schedule, now: datetime) -> Slot | None:
    """The earliest slot due after `now`; None where there is no such thing."""
    if isinstance(schedule, Immediate):
        return None
    if isinstance(schedule, Every):
        return _every(schedule, (now - _EPOCH) // schedule.period + 1)
    start = now.astimezone(ZoneInfo(schedule.time_zone)).date() - _DAY
    for ahead in range(_HORIZON):
        for slot in _slots_of(schedule, start + ahead * _DAY):
            if slot.due > now:
                return slot
    return None


def slots(schedule: Schedule, after: datetime, upto: datetime) -> Iterator[Slot]:
    """All slots due in (after, upto], in order; those of one instant in order of their names."""
    if isinstance(schedule, Immediate):
        return
    if isinstance(schedule, Every):
        for number in range((after - _EPOCH) // schedule.period + 1, (upto - _EPOCH) // schedule.period + 1):
            yield _every(schedule, number)
        return
    zone = ZoneInfo(schedule.time_zone)
    day, end = after.astimezone(zone).date() - _DAY, upto.astimezone(zone).date() + _DAY
    while day <= end:
        yield from (slot for slot in _slots_of(schedule, day) if after < slot.due <= upto)
        day += _DAY


def missed(schedule: Schedule, after: datetime, last: Slot, most: int) -> list[Slot]:
    """The slots due behind `after` and before `last`, in order; of more than `most` the latest."""
    found = deque(slots(schedule, after, last.due), maxlen=most + 1)
    return [slot for slot in found if slot != last]


@dataclass(frozen=True, slots=True)
class Daily:
    """A span of each local day, from `start` to before `end`; over midnight where `end` is earlier."""

    start: time
    end: time
    time_zone: str = "UTC"

    def covers(self, at: time) -> bool:
        """Whether a local time lies in it, on a day without a change of the clock."""
        return self.start <= at < self.end if self.start < self.end else at >= self.start or at < self.end

    def around(self, at: datetime) -> tuple[datetime, datetime] | None:
        """The span that `at` lies in, as two instants; None where it lies in none."""
        today = at.astimezone(ZoneInfo(self.time_zone)).date()
        for day in (today - _DAY, today):
            start, end = self._of(day)
            if start <= at < end:
                return start, end
        return None

    def _of(self, day: date) -> tuple[datetime, datetime]:
        last = day if self.start < self.end else day + _DAY
        return instant_of(day, self.start, self.time_zone), instant_of(last, self.end, self.time_zone)


def instant_of(day: date, at: time, time_zone: str) -> datetime:
    """The instant of a local time: the first of two where the clock is set back, the end of the gap where it is set
    forward.
    """
    return _instant_of(day, at, ZoneInfo(time_zone))


def _instant_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    wanted = datetime.combine(day, at.replace(fold=0, tzinfo=None))
    first = wanted.replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None, fold=0) == wanted:
        return first
    # In a gap. The offset after it puts the wanted time before the change, the one before it puts it after.
    before, after = wanted.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _slots_of(schedule: At, day: date) -> tuple[Slot, ...]:
    return _slots_on(schedule, day) if day.weekday() in schedule.days else ()


@lru_cache(maxsize=1024)
def _slots_on(schedule: At, day: date) -> tuple[Slot, ...]:
    zone = ZoneInfo(schedule.time_zone)
    return tuple(
        sorted(
            (Slot(day, f"{at:%H:%M}", _instant_of(day, at, zone)) for at in schedule.times),
            key=lambda slot: (slot.due, slot.name),
        )
    )


def _every(schedule: Every, number: int) -> Slot:
    due = _EPOCH + number * schedule.period
    return Slot(due.date(), f"{due:%H:%M:%S}Z/{int(schedule.period.total_seconds())}", due)
