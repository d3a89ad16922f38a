"""Silences: which of them hides an alert. What is hidden is kept, and counted in each digest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from monitor.core.views import SilenceRow
from monitor.matching.model import Severity

LONGEST_DAYS = 366


def fits(row: SilenceRow, theme: str, source: str, rules: Collection[str], severity: Severity) -> bool:
    """Whether all that a silence names is so. One of a rule hides what met that rule alone."""
    return (
        row.theme in (None, theme)
        and row.source in (None, source)
        and (row.rule is None or set(rules) == {row.rule})
        and (row.at_most is None or severity.rank <= row.at_most.rank)
    )


def hiding(
    rows: Iterable[SilenceRow], theme: str, source: str, rules: Collection[str], severity: Severity, at: datetime
) -> str | None:
    """The id of the silence that hides an alert which an entry seen `at` raises; the one that lasts longest."""
    found = [
        row for row in rows if row.state == "active" and at < row.until and fits(row, theme, source, rules, severity)
    ]
    return max(found, key=lambda row: (row.until, row.silence_id)).silence_id if found else None


def overdue(rows: Iterable[SilenceRow], now: datetime) -> list[SilenceRow]:
    """Active silences whose time is up."""
    return [row for row in rows if row.state == "active" and row.until <= now]
