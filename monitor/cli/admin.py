"""`status`, `init`: how it is, and how to begin."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from monitor import control
from monitor.cli import context, output
from monitor.cli.lists import Json
from monitor.cli.reading import Reading
from monitor.core import views
from monitor.errors import UsageError


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The contract's status object, whether a daemon runs, and the faults of files that are not in force."""

    daemon: bool
    position: int
    entries: int
    open_alerts: int
    unrouted_alerts: int
    silences: int
    pending_deliveries: int
    held_deliveries: int
    failed_deliveries: int
    sources: int
    failing_sources: int
    rules_revision: str
    last_cycle_at: datetime | None
    outbox_held: str | None
    faults: tuple[str, ...]


def status(*, json: Json = False) -> None:
    """Whether the daemon runs; position, entries, open alerts, what waits to be sent, failing sources, faulty files."""
    with Reading(context.settings()) as reading:
        found = _status(reading)
        failing = [row for row in reading.rows(views.SOURCES) if row.state == "failing"]
    if json:
        output.json_lines([found])
        return
    output.facts(
        {
            "daemon": "running" if found.daemon else "not running; nothing is read or sent until `monitor run`",
            "log position": str(found.position),
            "entries": str(found.entries),
            "open alerts": _alerts(found),
            "deliveries": f"{found.pending_deliveries} pending, {found.held_deliveries} held, "
            f"{found.failed_deliveries} failed",
            "sources": f"{found.sources}, of which {found.failing_sources} failing",
            "rules": f"revision {found.rules_revision or '-'}",
            "last poll": output.moment(found.last_cycle_at),
        }
    )
    if found.outbox_held is not None:
        output.wrapped(f"nothing is sent: {found.outbox_held}; `monitor deliveries release --all` lets it go on")
    for row in failing:
        output.wrapped(f"source '{row.id}' fails since {output.moment(row.since)}: {row.last_error or ''}")
    for fault in found.faults:
        output.wrapped(f"not in force: {fault}")


def _status(reading: Reading) -> Status:
    from monitor.books import unrouted

    store = reading.store
    sources = [row for row in store.rows(views.SOURCES) if row.state != "removed"]
    book = store.get(views.RULE_BOOK, views.CURRENT)
    configuration = store.get(views.CONFIGURATION, views.CURRENT)
    outbox = store.get(views.OUTBOX, views.CURRENT)
    polled = [poll.last_ok for poll in store.polls() if poll.last_ok]
    return Status(
        daemon=control.listens(reading.settings.state),
        position=store.head().position,
        entries=store.count(views.ENTRIES),
        open_alerts=store.count(views.OPEN_ALERTS, facet="open"),
        unrouted_alerts=unrouted(store),
        silences=store.count(views.SILENCES, facet="active"),
        pending_deliveries=store.count(views.DELIVERIES, facet="pending"),
        held_deliveries=store.count(views.DELIVERIES, facet="held"),
        failed_deliveries=store.count(views.DELIVERIES, facet="failed"),
        sources=len(sources),
        failing_sources=sum(row.state == "failing" for row in sources),
        rules_revision=book.revision if book else "",
        last_cycle_at=max(polled, default=None),
        outbox_held=outbox.reason if outbox and outbox.held else None,
        faults=(book.faults if book else ()) + (configuration.faults if configuration else ()),
    )


def _alerts(found: Status) -> str:
    unrouted = f", {found.unrouted_alerts} of them without a route" if found.unrouted_alerts else ""
    return f"{found.open_alerts}{unrouted}" + (f"; silences: {found.silences}" if found.silences else "")


def init(folder: Annotated[Path, Parameter(name="DIR")], /) -> None:
    """Make a working directory with a commented example of every file; what is there already stays."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"'{folder}' is a file; nothing was made")
    made = list(_copy(files("monitor") / "skeleton", folder))
    for path in made:
        print(path)
    print(f"\nnext: cd {folder} && monitor check && monitor run" if made else "everything was there already")


def _copy(source: Traversable, target: Path) -> list[Path]:
    made: list[Path] = []
    target.mkdir(parents=True, exist_ok=True)
    for item in sorted(source.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            made += _copy(item, target / item.name)
        elif not (target / item.name).exists():
            (target / item.name).write_bytes(item.read_bytes())
            made.append(target / item.name)
    return made
