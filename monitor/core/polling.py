"""When a source is asked again: the owner's wish, politeness, the server's word, back-off. Seconds throughout."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

HOUR, DAY = 3600, 86_400
FLOOR_CONDITIONAL = 300  # the server lets us ask cheaply, or says itself how long an answer holds
FLOOR = HOUR
FLOOR_LARGE = DAY  # every poll would carry a large body
LARGE_BODY = 1_000_000  # bytes
CEILING = DAY  # the most a server's word, or our own back-off, holds us off
CONFIRMED_MOVES = 3  # polls in a row that were redirected for good to the same place: no captive portal lasts so long
FAILING_AFTER = 3  # passing failures in a row of a source that used to answer


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What the last good answer said about asking again.

    `validated`: it carried a validator, or was itself a 304. `wait`: its max-age or Expires. `ttl` and `skip_…` are
    the document's own words.
    """

    every: int
    validated: bool
    wait: int | None = None
    ttl: int | None = None
    body_size: int = 0
    skip_hours: int = 0
    skip_days: int = 0


def shortest(pace: Pace) -> int:
    """The least seconds between two polls that politeness allows."""
    told = max(min(pace.wait or 0, CEILING), min(pace.ttl or 0, CEILING))
    if pace.validated or (pace.wait is not None and pace.wait <= pace.every):
        floor = FLOOR_CONDITIONAL
    else:
        floor = FLOOR_LARGE if pace.body_size > LARGE_BODY else FLOOR
    return max(floor, told)


def next_poll(now: datetime, pace: Pace, draw: float, *, spread: bool = False) -> datetime:
    """When to ask next after a good answer.

    `spread`: the source is new or long overdue, so many may have answered at this very moment: they are scattered over
    what politeness leaves of the interval. Else up to 30 s of chance keep them apart.
    """
    least = shortest(pace)
    usual = max(pace.every, least)
    seconds = least + (usual - least) * draw if spread else usual + min(usual / 20, 30) * draw
    return _outside(now + timedelta(seconds=seconds), pace.skip_hours, pace.skip_days)


def next_try(
    now: datetime,
    *,
    every: int,
    failures: int,
    draw: float,
    status: int | None = None,
    retry_after: int | None = None,
) -> datetime:
    """When to ask next after the `failures`th failure in a row.

    A server that answered with a refusal is left alone for longer each time, up to a day. One that could not be reached
    at all loses nothing by being tried each hour, and is found again soon after our own network returns.
    """
    first = max(every, FLOOR_CONDITIONAL)
    limit = max(first, CEILING if status is not None else HOUR)
    seconds = min(first * 2 ** min(failures - 1, 20), limit) * (0.9 + 0.2 * draw)
    return now + timedelta(seconds=max(seconds, min(retry_after or 0, CEILING)))


def not_before(now: datetime, wait: int | None) -> datetime | None:
    """Until when the server's word (Retry-After, max-age, Expires) forbids even a poll asked for by hand."""
    return now + timedelta(seconds=min(wait, CEILING)) if wait else None


def is_failing(*, failures: int, lasting: bool, ever_answered: bool) -> bool:
    """Whether a source counts as failing: at once where trying again cannot help or it never answered, else after a
    few failures in a row.
    """
    return lasting or not ever_answered or failures >= FAILING_AFTER


def _outside(when: datetime, skip_hours: int, skip_days: int) -> datetime:
    """`when`, or the first full hour (GMT) after it that the publisher does not ask us to leave out."""
    if not (skip_hours or skip_days):
        return when
    for step in range(8 * 24):
        hour = when if step == 0 else when.replace(minute=0, second=0, microsecond=0) + timedelta(hours=step)
        if not (skip_hours >> hour.hour & 1 or skip_days >> hour.weekday() & 1):
            return hour
    return when  # every hour is left out: no word at all
