"""When a receiver is told: `schedule:` and `quiet_hours:` of one receiver."""

from __future__ import annotations

import re
from datetime import time, timedelta
from zoneinfo import available_timezones

from monitor.core.routing import QuietHours
from monitor.core.schedule import EVERY_DAY, IMMEDIATE, At, Daily, Every, Schedule
from monitor.errors import Fault
from monitor.matching.model import Severity
from monitor.rulebook.document import Fields, Node, did_you_mean

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_SLOTS = 48
SHORTEST_EVERY, LONGEST_EVERY = 60, 31 * 86_400


def read_schedule(outer: Fields, faults: list[Fault], time_zone: str) -> Schedule:
    """The schedule, immediate where none is written; `time_zone` holds where it names none."""
    node = outer.node("schedule")
    if node is None:
        return IMMEDIATE
    if node.kind == "text" and node.text == "immediate":
        return IMMEDIATE
    if node.kind != "map":
        wanted = 'immediate, {at: ["07:00"], days: mon-fri, time_zone: Europe/Vienna} or {every: 4h}'
        outer.fault(node, f"wanted: {wanted}")
        return IMMEDIATE
    fields = Fields(node, outer.path, faults, "schedule")
    if fields.has("every"):
        for key in ("at", "days", "time_zone"):
            only(fields, key, False, "does not go with 'every', which counts from midnight UTC")
        seconds = bounded(fields, "every", 3600, SHORTEST_EVERY, LONGEST_EVERY)
        fields.finish()
        return Every(timedelta(seconds=seconds))
    times = _times(fields)
    schedule = At(times, _time_zone(fields, time_zone), _days(fields))
    fields.finish()
    return schedule


def read_quiet_hours(outer: Fields, faults: list[Fault], time_zone: str, schedule: Schedule) -> QuietHours | None:
    """The quiet hours, if there are any; the schedule's zone, else `time_zone`, holds where they name none."""
    node = outer.node("quiet_hours")
    if node is None:
        return None
    if node.kind != "map":
        outer.fault(node, 'wanted: {from: "22:00", to: "06:30", then: defer, pierce: critical}')
        return None
    fields = Fields(node, outer.path, faults, "quiet hours")
    start, end = (_time(fields, key) for key in ("from", "to"))
    zone = _time_zone(fields, schedule.time_zone if isinstance(schedule, At) else time_zone)
    then = fields.choice("then", ("defer", "drop"), "defer")
    pierce = fields.choice("pierce", tuple(Severity)) if fields.has("pierce") else None
    fields.finish()
    if start is None or end is None:
        return None
    if start == end:
        fields.fault(fields.key("to"), "quiet hours end when they begin; there would be none")
        return None
    hours = Daily(start, end, zone)
    if isinstance(schedule, At) and schedule.time_zone == zone and all(map(hours.covers, schedule.times)):
        fields.fault(fields.key("from"), "every time of the schedule lies in the quiet hours; nothing would be sent")
    return QuietHours(hours, drop=then == "drop", pierce=Severity(pierce) if pierce else None)


def _time(fields: Fields, key: str) -> time | None:
    if not fields.has(key):
        fields.fault(fields.where, f'quiet hours have no \'{key}\', as in {{from: "22:00", to: "06:30"}}')
        return None
    text = fields.text(key)
    found = _clock(text) if text is not None else None
    if found is None and text is not None:
        fields.fault(fields.node(key) or fields.where, _no_time(text))
    return found


def _clock(text: str) -> time | None:
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text)
    return time(int(found[1]), int(found[2])) if found else None


def _no_time(text: str) -> str:
    return f"'{short(text)}' is no time of day; wanted: 00:00 to 23:59"


def _times(fields: Fields) -> tuple[time, ...]:
    found = set()
    for node in listed(fields, "at", "a schedule says 'at' which local times, or 'every' how long"):
        clock = _clock(node.text)
        if clock is not None:
            found.add(clock)
        else:
            fields.fault(node, _no_time(node.text))
    if len(found) > MOST_SLOTS:
        fields.fault(fields.key("at"), f"{len(found)} times a day; at most {MOST_SLOTS} are taken")
    return tuple(sorted(found))


def _time_zone(fields: Fields, usual: str) -> str:
    zone = fields.text("time_zone")
    if zone is None:
        return usual
    if zone not in available_timezones():
        node = fields.node("time_zone")
        assert node is not None, "it was just read"
        hint = did_you_mean(zone, available_timezones())
        fields.fault(node, f"'{short(zone)}' is not a time zone of the IANA database{hint}")
        return usual
    return zone


def _days(fields: Fields) -> frozenset[int]:
    if not fields.has("days"):
        return EVERY_DAY
    found: set[int] = set()
    for node in listed(fields, "days"):
        for part in re.split(r"\s*,\s*", node.text.strip().lower()):
            first, dash, last = (word.strip() for word in part.partition("-"))
            if first in DAYS and (last in DAYS if dash else not last):
                start = DAYS.index(first)
                count = (DAYS.index(last) - start) % 7 if dash else 0
                found |= {(start + step) % 7 for step in range(count + 1)}
            else:
                fields.fault(node, f"'{short(part)}' is no day; wanted: {', '.join(DAYS)} or a span as mon-fri")
    return frozenset(found) or EVERY_DAY


def listed(fields: Fields, key: str, missing: str = "") -> tuple[Node, ...]:
    """The nodes of a list of texts, or of a single one. An empty list is a fault: it would mean "all" or "none"."""
    if not fields.has(key):
        if missing and fields.where.kind == "map":
            fields.fault(fields.where, missing)
        return ()
    node = fields.node(key)
    if node is None:
        return ()
    if node.kind == "list" and not node.items:
        fields.fault(node, f"'{key}' is empty; name at least one, or leave the line out")
    return fields.text_nodes(key)


def only(fields: Fields, key: str, fits: bool, words: str) -> bool:
    """Whether a key fits the rest; written all the same, it is a fault."""
    if fits:
        return True
    if fields.has(key):
        fields.fault(fields.key(key), f"'{key}' {words}")
        fields.node(key)
    return False


def bounded(fields: Fields, key: str, usual: int, least: int, most: int) -> int:
    """Seconds within bounds."""
    seconds = fields.duration(key, usual)
    if seconds is None or not least <= seconds <= most:
        node = fields.node(key) or fields.where
        fields.fault(node, f"'{key}' is from {_words(least)} to {_words(most)}")
        return usual
    return seconds


def _words(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def short(text: str) -> str:
    """What somebody wrote, fit for a message."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"
