"""What of a window is told, what is left out, and what comes later: by the fate of each alert event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.core.events import WindowMode
from monitor.core.routing import Fate, QuietHours
from monitor.core.views import AlertEventRow


class Routed(NamedTuple):
    """An alert event that routes lead to a receiver, and what becomes of it there."""

    row: AlertEventRow
    fate: Fate


@dataclass(slots=True)
class Contents:
    """A window's alert events, in order. `left_out` is never told, `deferred` by the next whole window."""

    told: list[AlertEventRow] = field(default_factory=list)
    left_out: list[Routed] = field(default_factory=list)
    deferred: list[AlertEventRow] = field(default_factory=list)


def divide(routed: Iterable[Routed], mode: WindowMode, quiet: QuietHours | None) -> Contents:
    """The contents of a window that closes in this mode. `quiet`: the receiver's quiet hours."""
    contents = Contents()
    for one in routed:
        if one.fate is not Fate.TELL:
            contents.left_out.append(one)
        elif mode is WindowMode.SKIPPED:
            contents.left_out.append(Routed(one.row, Fate.SKIPPED))
        elif mode is WindowMode.PIERCED and not (quiet and quiet.pierced_by(one.row.severity)):
            contents.deferred.append(one.row)
        else:
            contents.told.append(one.row)
    return contents
