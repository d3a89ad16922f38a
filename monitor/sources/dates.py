"""Dates as publishers write them. A wrong date is worse than none: what is ambiguous or incomplete is None."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

MAX_LENGTH = 120

_MONTH_NAMES = (
    "jan january januar jänner janvier janv enero ene gennaio gen janeiro januari január ocak ledna sty stycznia"
    " января январь янв січня січ ιαν ιανουαρίου",
    "feb february februar feber février fevrier févr fév fevr febrero febbraio fevereiro fev februari február şubat"
    " února lut lutego февраля февраль фев февр лютого лют φεβ φεβρουαρίου",
    "mar march märz maerz mrz mär mars marzo março marco maart mrt március mart března marca"
    " марта март мар березня бер μάρ μαρ μαρτίου",
    "apr april avril avr abril abr aprile április nisan dubna kwi kwietnia апреля апрель апр квітня кві απρ απριλίου",
    "may mai mayo maggio mag maio mei május maj maja mayıs května мая май травня тра μάι μαϊ μαΐ μαΐου",
    "jun june juni juin junio giugno giu junho június haziran června cze czerwca июня июнь июн червня чер"
    " ιούν ιουν ιον ιουνίου",
    "jul july juli juillet juil julio luglio lug julho július temmuz července lip lipca июля июль июл липня лип"
    " ιούλ ιουλ ιολ ιουλίου",
    "aug august août aout agosto ago augustus augusztus ağustos srpna sie sierpnia августа август авг серпня сер"
    " αύγ αυγ αυγούστου",
    "sep sept september septembre septiembre setiembre settembre set setembro szeptember eylül září wrz września"
    " wrzesnia сентября сентябрь сен сент вересня вер σεπ σεπτεμβρίου",
    "oct october oktober okt octobre octubre ottobre ott outubro out október ekim října paź paz października"
    " октября октябрь окт жовтня жов οκτ οκτωβρίου",
    "nov november novembre noviembre novembro kasım listopadu lis listopada ноября ноябрь ноя нояб листопада лис"
    " νοέ νοε νοεμβρίου",
    "dec december dezember dez décembre decembre déc diciembre dic dicembre dezembro desember des aralık prosince gru"
    " grudnia декабря декабрь дек грудня гру δεκ δεκεμβρίου",
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}

_ZONES: dict[str, float | None] = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "met": 1, "mez": 1, "cest": 2,
    "mest": 2, "mesz": 2, "eet": 2, "eest": 3, "msk": 3, "мск": 3, "hkt": 8, "sgt": 8, "awst": 8,
    "jst": 9, "kst": 9, "acst": 9.5, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "adt": -3, "ast": -4, "edt": -4,
    "est": -5, "cdt": -5, "mdt": -6, "mst": -7, "pdt": -7, "pst": -8, "akdt": -8, "akst": -9, "hst": -10,
    "et": -5, "ct": -6, "mt": -7, "pt": -8,
    "cst": None, "ist": None,  # the middle of America or China; India, Israel or Ireland
}  # fmt: skip

_OFFSET = r"[+-]\d{2}(?::?\d{2})?"
_ISO = re.compile(
    r"(?P<y>\d{4})(?:-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?|(?P<m2>\d{2})(?P<d2>\d{2})|-?(?P<o>\d{3}))?"
    r"(?:(?:[Tt]|\s+|(?<=\d)-(?=\d\d:))(?P<H>\d{1,2}):?(?P<M>\d{2})(?::?(?P<S>\d{2})(?:[.,]\d+)?)?)?"
    rf"\s*(?P<z>[A-Za-z]{{1,5}}|{_OFFSET})?"
)
_HAN = re.compile(r"(\d{4})\s*[年년][\s/]*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]?")
_HAN_TIME = re.compile(
    r"(?P<half>上午|下午|午前|午後|오전|오후)?\s*"
    r"(?P<H>\d{1,2})\s*[:：時时点點시]\s*(?:(?P<M>\d{1,2})\s*(?:[:：分분]\s*(?P<S>\d{1,2})?)?)?"
)
_NUMERIC = re.compile(r"(?P<a>\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4})(?!\d)")
_YEAR_FIRST = re.compile(r"(?P<y>\d{4})(?P<sep>[./])\s?(?P<m>\d{1,2})(?P=sep)\s?(?P<d>\d{1,2})(?!\d)")
_TIME = re.compile(
    r"(?<!\d)(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\b\.?)?"
    r"\s*\(?(?:etc/)?(?P<name>[^\W\d_]{1,5}(?![^\W\d_]))?\)?\s*"
    r"(?P<offset>[+-]\d{1,2}(?::?\d{2})?(?!\d))?",
    re.IGNORECASE,
)
_WORD_OR_NUMBER = re.compile(r"[^\W\d_]+|\d+")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th|er|re|\.º|º|ª)\b")


def parse_date(text: str | None) -> datetime | None:
    """The instant in UTC, in whole seconds, or None. No zone counts as UTC, a year and month as the month's first day.

    Known: RFC 822 and its misspellings, ISO 8601, dates with month names of the languages above, Chinese, Japanese and
    Korean dates, and numbers alone where only one reading is possible (`23.11.2026`; not `03/04/2026`).
    """
    if not text or len(text) > MAX_LENGTH:
        return None
    text = " ".join(text.split())
    for read in (_iso, _han, _with_month_name, _numbers):
        found = read(text)
        if found is not None:
            return found
    return None


def _iso(text: str) -> datetime | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    year = int(found["y"])
    if found["o"]:
        if not 1 <= int(found["o"]) <= 366:
            return None
        day = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=int(found["o"]) - 1) if year else None
        if day is None or day.year != year:
            return None
        return _instant(year, day.month, day.day, found["H"], found["M"], found["S"], found["z"])
    month, day_of = found["m"] or found["m2"] or "1", found["d"] or found["d2"] or "1"
    return _instant(year, int(month), int(day_of), found["H"], found["M"], found["S"], found["z"])


def _han(text: str) -> datetime | None:
    found = _HAN.search(text)
    if found is None:
        return None
    year, month, day = (int(number) for number in found.groups())
    time = _HAN_TIME.search(text, found.end())
    if time is None:
        return _instant(year, month, day, None, None, None, None)
    later = time["half"] in ("下午", "午後", "오후") and int(time["H"]) < 12
    return _instant(year, month, day, str(int(time["H"]) + 12 * later), time["M"], time["S"], None)


def _with_month_name(text: str) -> datetime | None:
    time, rest = _cut_time(_ORDINAL.sub("", text.lower()))
    words = _WORD_OR_NUMBER.findall(rest)
    named = [index for index, word in enumerate(words) if word in _MONTHS]
    numbers = [(index, word) for index, word in enumerate(words) if word.isdecimal()]
    if len(named) != 1 or len(numbers) != 2:
        return None
    (first_at, first), (_, second) = numbers
    if len(first) == 4 and len(second) <= 2:
        year, day = first, second
    elif len(second) == 4 and len(first) <= 2:
        year, day = second, first
    elif len(second) == 2 and len(first) <= 2 and abs(first_at - named[0]) == 1:
        day, year = first, str(int(second) + (2000 if int(second) < 90 else 1900))
    else:
        return None
    return _instant(int(year), _MONTHS[words[named[0]]], int(day), *time)


def _numbers(text: str) -> datetime | None:
    time, rest = _cut_time(text)
    year_first = _YEAR_FIRST.search(rest)
    if year_first:
        return _instant(int(year_first["y"]), int(year_first["m"]), int(year_first["d"]), *time)
    found = _NUMERIC.search(rest)
    if found is None:
        return None
    a, b = int(found["a"]), int(found["b"])
    if found["sep"] != "." and a <= 12 and b <= 12 and a != b:
        return None  # the third of April, or the fourth of March?
    day, month = (b, a) if b > 12 else (a, b)
    return _instant(int(found["y"]), month, day, *time)


Time = tuple[str | None, str | None, str | None, str | None]


def _cut_time(text: str) -> tuple[Time, str]:
    found = _TIME.search(text)
    if found is None:
        return (None, None, None, None), text
    hour, half = found["H"], (found["half"] or "").lower()
    if half and 1 <= int(hour) <= 12:
        hour = str(int(hour) % 12 + (12 if half.startswith("p") else 0))
    name = (found["name"] or "").lower()
    # A word after the time that is no zone belongs to the date (`10:00 Mar 3 2026`).
    end = found.end() if name in _ZONES or not name else found.start("name")
    zone = found["offset"] if end == found.end() else None
    return (hour, found["M"], found["S"], zone or (name if name in _ZONES else None)), (
        text[: found.start()] + " " + text[end:]
    )


def _instant(
    year: int, month: int, day: int, hour: str | None, minute: str | None, second: str | None, zone: str | None
) -> datetime | None:
    hours, late = int(hour or 0), timedelta()
    if hours == 24 and not int(minute or 0):
        hours, late = 0, timedelta(days=1)
    try:
        local = datetime(year, month, day, hours, int(minute or 0), min(int(second or 0), 59), tzinfo=_zone(zone))
        instant = (local + late).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # Zero dates of programs that had none to give.
    return instant if 1900 <= instant.year <= 2200 and instant != datetime(1970, 1, 1, tzinfo=UTC) else None


def _zone(text: str | None) -> timezone:
    if not text:
        return UTC
    if text[0] in "+-":
        digits = text[1:].replace(":", "")
        hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if text[0] == "-" else offset)
    hours_east = _ZONES.get(text.lower(), 0)
    if hours_east is None:
        raise ValueError("a name of several zones")
    return timezone(timedelta(hours=hours_east))
