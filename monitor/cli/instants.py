"""Instants and spans as people write them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.errors import UsageError


def parse_instant(text: str, now: datetime) -> datetime:
    """`2026-11-24`, `2026-11-24T07:00Z`, `7d`, `12h`, `30m` (ago); a time without a zone is UTC."""
    units = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
    if text[:-1].isdigit() and text[-1:] in units:
        return datetime.fromtimestamp(now.timestamp() - int(text[:-1]) * units[text[-1]], UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"'{text}' is no instant; write 2026-11-24, 2026-11-24T07:00Z, or 7d, 12h, 30m for ago"
        ) from None
    return instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
