"""`run`: the daemon."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Annotated

import structlog
from cyclopts import Parameter

from monitor import control, daemon
from monitor.app import opened
from monitor.cli import context
from monitor.errors import TryAgain, UsageError
from monitor.settings import Settings

log = structlog.get_logger()


def run(
    *,
    once: Annotated[
        bool, Parameter(negative="", help="One cycle (poll what is due, match, send), then exit; at most a minute.")
    ] = False,
    until_idle: Annotated[
        bool,
        Parameter(negative="", help="Cycles until nothing is due, unmatched or unsent, nor within 60 s; then exit."),
    ] = False,
) -> int:
    """Ingest, match, alert and send, until stopped by SIGTERM or Ctrl-C; SIGHUP reads all files again."""
    if once and until_idle:
        raise UsageError("--once and --until-idle exclude each other")
    settings = context.settings()
    # What is made while starting stays: the collector finds no garbage in it, and stops all threads to look.
    gc.disable()
    try:
        with control.writer_lock(settings.state):
            return asyncio.run(_run(settings, once=once, until_idle=until_idle))
    finally:
        gc.enable()


async def _run(settings: Settings, *, once: bool, until_idle: bool) -> int:
    async with opened(settings) as monitor:
        for note in monitor.store.notes:
            log.warning(note)
        gc.freeze()
        gc.enable()
        if once:
            await daemon.run_once(monitor)
        elif until_idle:
            if not await daemon.run_until_idle(monitor):
                raise TryAgain("still not idle after 10 minutes; nothing is lost, run it again")
        else:
            await daemon.Daemon(monitor).run()
        if once or until_idle:
            print(monitor.summary(), file=sys.stderr)
    return 0
