"""`ingest`, `ack`, `verdict`, `rebuild`: acts that write, handed to the daemon where one runs."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

from cyclopts import Parameter

from monitor import acts, control
from monitor.app import opened
from monitor.cli import context, output
from monitor.errors import TryAgain

LOCK_SECONDS = 10.0


def hand_over(act: str, args: dict[str, Any]) -> dict[str, Any]:
    """Have the act done: by the daemon that holds `state/`, else here, under the same lock."""
    settings, actor = context.settings(), context.actor()
    try:
        return control.ask(settings.state, act, args, actor=actor)
    except control.NoDaemon:
        pass

    async def do() -> dict[str, Any]:
        async with opened(settings) as monitor:
            return await acts.perform(monitor, act, args, actor)

    try:
        with control.writer_lock(settings.state, seconds=LOCK_SECONDS):
            return asyncio.run(do())
    except TryAgain:
        # A daemon that was just starting when we asked may listen by now.
        return control.ask(settings.state, act, args, actor=actor)


def ingest(
    *items: Annotated[str, Parameter(name="PATH|URL", help="Documents or feeds; without any, all sources.")],
) -> int:
    """Read documents or feeds once, and match what came; without arguments all sources, due or not."""
    answer = hand_over("ingest", {"items": [acts.absolute(item) for item in items]})
    for line in answer["faults"]:
        print(f"monitor: {output.clean(line)}", file=sys.stderr)
    revised = output.many(answer["revised"], "revised entry", "revised entries")
    alerts = output.many(answer["alerts"], "new alert")
    print(f"{answer['observed']:,} new and {revised}, {alerts}, position {answer['position']}")
    return 1 if items and answer["faults"] else 0


def ack(
    alert: Annotated[str, Parameter(name="ALERT")],
    /,
    *,
    close: Annotated[bool, Parameter(negative="", help="And close it.")] = False,
) -> None:
    """Acknowledge an alert: it stays quiet until something material changes."""
    answer = hand_over("ack", {"alert": alert, "close": close})
    print(f"{'acknowledged' if answer['changed'] else 'nothing to do'}, position {answer['position']}")


def verdict(
    alert: Annotated[str, Parameter(name="ALERT")],
    word: Annotated[str, Parameter(name="VERDICT", help="relevant or noise")],
    /,
    *,
    note: Annotated[str, Parameter(help="Why, for the record.")] = "",
) -> None:
    """Give an analyst's word on an alert."""
    answer = hand_over("verdict", {"alert": alert, "verdict": word, "note": note})
    print(f"noted, position {answer['position']}")


def rebuild(*views: Annotated[str, Parameter(name="VIEW", help="Without any, all views.")]) -> None:
    """Fold views anew from the log and swap them in; the old ones serve until then."""
    answer = hand_over("rebuild", {"views": list(views)})
    print(f"rebuilt {', '.join(answer['views'])} at position {answer['position']}")
