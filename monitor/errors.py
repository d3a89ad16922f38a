"""The exception tree, and faults: what is wrong in a file, where, and how to mend it.

Foreseen failures of the outside world (a feed down, a mail refused) are events, not exceptions. What is raised here
is a
caller's mistake or a broken promise; `exit_code` is what the command line makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong in one file. `line` and `column` count from 1; 0 means the whole file."""

    path: str
    line: int
    column: int
    message: str
    excerpt: str = ""

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return f"{where}: {self.message}"


class MonitorError(Exception):
    """Anything this program raises on purpose. The message says who, what, and what happens next."""

    exit_code = 1


class UsageError(MonitorError):
    """The command's words do not fit together."""

    exit_code = 2


class NotFound(MonitorError):
    """No entry, alert, digest or other thing has this id."""

    exit_code = 1


class Unavailable(MonitorError):
    """The database or another needed service cannot be reached."""

    exit_code = 69


class TryAgain(MonitorError):
    """Another process holds what is needed; nothing was done."""

    exit_code = 75


class ConfigurationError(MonitorError):
    """Settings or files are at fault; all faults are listed."""

    exit_code = 78

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class StoreError(MonitorError):
    """The event store broke a promise or cannot keep one."""


class WrongVersion(StoreError):
    """A stream is not at the version the writer expected; nothing was appended."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream '{stream}' is at version {actual}, expected {expected}; nothing was appended")
        self.stream, self.expected, self.actual = stream, expected, actual


class IdempotencyConflict(StoreError):
    """An event id was used before for another stream or another type."""

    def __init__(self, event_id: str, position: int) -> None:
        super().__init__(f"event id '{event_id}' was used at position {position} for another stream or type")
        self.event_id, self.position = event_id, position


class ChainBroken(StoreError):
    """The stored log does not verify; `position` is the first bad one."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"position {position}: {reason}")
        self.position, self.reason = position, reason


class UnknownEvent(StoreError):
    """A stored event has a type or schema version this program does not know (made by a newer one?)."""
