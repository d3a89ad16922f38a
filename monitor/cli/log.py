"""`log`, `verify`, `export`, `import`, `backup`, `restore`: the event log itself."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from monitor import control
from monitor.app import open_store_to_write, wall_clock
from monitor.cli import context, output
from monitor.cli.documents import refuse_options
from monitor.cli.lists import DEFAULT_LIMIT, Json, log_json
from monitor.cli.reading import Reading
from monitor.core import events as ev
from monitor.core.codec import EVENT_TYPES
from monitor.errors import UsageError
from monitor.store.backup import backup as copy_database
from monitor.store.backup import restore as put_back
from monitor.store.export import export_cloudevents, export_jsonl, import_jsonl
from monitor.store.verify import verify as check

FOLLOW_SECONDS = 0.5


def log(
    *,
    from_: Annotated[
        int | None, Parameter(name="--from", help="From this position on; without it, the newest.")
    ] = None,
    stream: Annotated[str | None, Parameter(help="Only this stream, as alert/alr-….")] = None,
    type_: Annotated[str | None, Parameter(name="--type", help="Only this type, as AlertRaised.")] = None,
    follow: Annotated[bool, Parameter(negative="", help="Go on printing what is appended.")] = False,
    limit: Annotated[
        int | None,
        Parameter(
            help=f"At most so many: the newest ({DEFAULT_LIMIT}; no limit with --json), or with --from the first.",
            validator=validators.Number(gte=0),
        ),
    ] = None,
    json: Json = False,
) -> None:
    """The event log, in order of position."""
    if type_ is not None and type_ not in EVENT_TYPES:
        raise UsageError(f"no event has the type '{type_}'; known: {', '.join(EVENT_TYPES)}")
    types = [type_] if type_ else None
    waiting = threading.Event()
    with Reading(context.settings()) as reading:
        store = reading.store
        upto = store.head().position
        if from_ is None and not json and limit is None:
            limit = DEFAULT_LIMIT
        after = from_ - 1 if from_ is not None else 0
        if from_ is None and limit is not None and stream is None and types is None:
            after = max(upto - limit, 0)  # positions are gapless
        shown = store.read(after, upto=upto, stream=stream, types=types, limit=limit if from_ is not None else None)
        for recorded in shown if from_ is not None or limit is None else deque(shown, limit):
            _print(recorded, json)
        while follow:
            sys.stdout.flush()
            waiting.wait(FOLLOW_SECONDS)
            after, upto = max(upto, after), store.head().position
            for recorded in store.read(after, upto=upto, stream=stream, types=types):
                _print(recorded, json)


def _print(recorded: ev.Recorded, json: bool) -> None:
    if json:
        output.json_lines([log_json(recorded)])
    else:
        head = f"{recorded.position:>7}  {output.moment(recorded.recorded_at)}  {recorded.type:<20}"
        print(f"{head} {output.clean(recorded.stream)}")


def verify(
    *,
    chain: Annotated[
        bool, Parameter(negative="", help="Only the chain, positions and versions, not the views.")
    ] = False,
    head: Annotated[
        str | None, Parameter(help="A head hash seen earlier (in a digest, say): is it in the chain?")
    ] = None,
) -> int:
    """Check the hash chain, gapless positions, stream versions, and that every view equals its fold."""
    with Reading(context.settings()) as reading:
        seen = check(reading.store, chain_only=chain, head=head)
    if seen.ok:
        looked = f"{output.many(seen.head.position, 'event')}, {output.many(seen.views, 'view')}"
        print(f"verified: {looked}, head {seen.head.hash}")
        if head is not None:
            print(f"the head seen earlier is that of position {seen.wanted_at}")
        return 0
    print(f"monitor: position {seen.position}: {seen.reason}", file=sys.stderr)
    return 1


def export(
    *, format: Annotated[str, Parameter(help="jsonl (complete, can be imported) or cloudevents.")] = "jsonl"
) -> None:
    """The log out, to stdout."""
    if format not in ("jsonl", "cloudevents"):
        raise UsageError(f"'{format}' is not a format; known: jsonl, cloudevents")
    with Reading(context.settings()) as reading:
        lines = export_jsonl(reading.store) if format == "jsonl" else export_cloudevents(reading.store)
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")


def import_(
    file: Annotated[
        Path | None, Parameter(name="FILE", help="JSON Lines; default standard input.", allow_leading_hyphen=True)
    ] = None,
    /,
) -> None:
    """A log in, into an empty database; every line is checked against the chain."""
    refuse_options(str(file or "-"))
    if file is None or str(file) == "-":
        _import(sys.stdin.buffer)
        return
    try:
        lines = file.open("rb")
    except OSError as error:
        raise UsageError(f"'{file}' cannot be read ({error.strerror}); nothing was imported") from None
    with lines:
        _import(lines)


def _import(lines: Iterable[bytes]) -> None:
    settings = context.settings()
    with control.writer_lock(settings.state), closing(open_store_to_write(settings)) as store:
        head = import_jsonl(lines, store)
    print(f"imported: {output.many(head.position, 'event')}, head {head.hash}")


def backup(file: Annotated[Path, Parameter(name="FILE")], /) -> None:
    """A consistent copy of the database, while the daemon runs."""
    head = copy_database(context.settings().database_url, file)
    print(f"backup of {output.many(head.position, 'event')} in '{file}', head {head.hash}")


def restore(file: Annotated[Path, Parameter(name="FILE")], /) -> None:
    """A backup back in place of the database, which is kept beside it; nothing is sent until `deliveries release`."""
    settings = context.settings()
    with control.writer_lock(settings.state):
        done = put_back(file, settings.database_url, clock=wall_clock, entropy=os.urandom, replace=True)
    print(f"restored: {output.many(done.head.position, 'event')}, head {done.head.hash}")
    if done.aside is not None:
        lost = "nobody knows how many" if done.lost is None else str(done.lost)
        print(f"the database that was there is now '{done.aside}'; of its events not in the backup: {lost}")
    print("sending is held until `monitor deliveries release --all`")
