"""Runs the real command and kills it (SIGKILL, to itself) at one point of the log's life.

`python -m tests.acceptance.dying before|after EVENT_TYPE NTH -- ARGS…`: at the nth transaction that appends an event
of this type, just before its COMMIT or just after it. What the database driver is told is watched, so that no line of
the program knows of this.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from sqlalchemy import Engine, event

from monitor import cli


class Death:
    """Counts the transactions that append events of the type, and strikes."""

    def __init__(self, moment: str, event_type: str, nth: int) -> None:
        self._moment, self._type, self._left = moment, event_type, nth
        self._appends = False

    def before(self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        word = statement.split(None, 2)
        if word[0] == "BEGIN":
            self._appends = False
        elif word[:2] == ["INSERT", "INTO"] and word[2].startswith("events") and self._type in _texts(parameters):
            self._appends = True
        elif word[0] == "COMMIT" and self._appends:
            self._left -= 1
            self._strike("before")

    def after(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("COMMIT") and self._appends:
            self._strike("after")
            self._appends = False

    def _strike(self, moment: str) -> None:
        if self._left == 0 and moment == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


def _texts(parameters: Any) -> set[str]:
    rows = parameters if isinstance(parameters, list) else [parameters]
    return {value for row in rows for value in row if isinstance(value, str)}


def main() -> None:
    moment, event_type, nth, _, *args = sys.argv[1:]
    death = Death(moment, event_type, int(nth))
    event.listen(Engine, "before_cursor_execute", death.before)
    event.listen(Engine, "after_cursor_execute", death.after)
    cli.main(args)


if __name__ == "__main__":
    main()
