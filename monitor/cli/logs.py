"""How the program logs: to stderr, as console lines or JSON, with nothing that could drive a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from monitor.cli.output import clean, paragraphs


def set_up_logging(log_format: str) -> None:
    """`console` for people, `json` for collectors."""
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            # the richer formatters print local variables, and so secrets
            colors=colours,
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _harmless,
            renderer,
        ],
        # `sys.stderr` as it is when something is logged: several commands may run in one process
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")


def _harmless(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Words from feeds and servers may stand in a log line; their control characters may not."""
    return {
        key: (paragraphs if key == "exception" else clean)(value) if isinstance(value, str) else value
        for key, value in event.items()
    }
