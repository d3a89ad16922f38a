"""Instants and spans as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from monitor.errors import UsageError

_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_span(text: str) -> timedelta:
    """`30m`, `8h`, `7d`, `2w`."""
    span = re.fullmatch(r"([0-9]{1,4})([mhdw])", text)
    if not span:
        raise UsageError(f"'{text[:40]}' is no span of time; write 30m, 8h, 7d or 2w")
    return timedelta(seconds=int(span[1]) * _SECONDS[span[2]])


def parse_instant(text: str, now: datetime) -> datetime:
    """`2026-11-24`, `2026-11-24T07:00Z`, `7d`, `12h`, `30m` (ago); a time without a zone is UTC."""
    ago = re.fullmatch(r"([0-9]{1,9})([mhdw])", text)
    try:
        if ago:
            return now - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"'{text[:40]}' is no instant; write 2026-11-24, 2026-11-24T07:00Z, or 7d, 12h, 30m for ago"
        ) from None
