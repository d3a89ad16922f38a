"""Runs the real command and kills it (SIGKILL, to itself) at one point of the log's life.

`python -m tests.acceptance.dying before|after EVENT_TYPE NTH -- ARGS…`: at the nth transaction that appends an event
of this type, just before its COMMIT or just after it. What the SQLite driver is told is watched, so that no line of the
program knows of this.
"""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import sys
from typing import Any

from monitor import cli


class Death:
    """Counts the transactions that append events of the type, and strikes."""

    def __init__(self, moment: str, event_type: str, nth: int) -> None:
        self._moment, self._type, self._left = moment, event_type, nth
        self._appends = False

    def before(self, statement: str, rows: Any) -> None:
        word = statement.split(None, 3)
        if word[0] == "BEGIN":
            self._appends = False
        elif word[:3] == ["INSERT", "INTO", "events"] and any(self._type in row for row in rows):
            self._appends = True
        elif word[0] == "COMMIT" and self._appends:
            self._left -= 1
            self._strike("before")

    def after(self, statement: str) -> None:
        if statement == "COMMIT" and self._appends:
            self._strike("after")
            self._appends = False

    def _strike(self, moment: str) -> None:
        if self._left == 0 and moment == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


def watched(death: Death) -> type[sqlite3.Connection]:
    """A connection that lets `death` see each statement before and after it is run."""

    class Cursor(sqlite3.Cursor):
        def executemany(self, statement: str, rows: Any, /) -> sqlite3.Cursor:
            rows = list(rows)
            death.before(statement, rows)
            return super().executemany(statement, rows)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
            death.before(statement, [parameters])
            done = super().execute(statement, parameters)
            death.after(statement)
            return done

    return Connection


def main() -> None:
    moment, event_type, nth, _, *args = sys.argv[1:]
    sqlite3.connect = functools.partial(sqlite3.connect, factory=watched(Death(moment, event_type, int(nth))))
    cli.main(args)


if __name__ == "__main__":
    main()
