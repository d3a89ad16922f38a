"""`rules`: the rule files of earlier days, out of the log; what undoes an edit."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from monitor.cli import context, output
from monitor.cli.lists import DEFAULT_LIMIT, Json, Limit
from monitor.cli.reading import Reading
from monitor.cli.rules import faults_of
from monitor.core import events as ev
from monitor.errors import NotFound, UsageError
from monitor.pipeline.adopt import RULES_STREAM
from monitor.pipeline.changes import row_at
from monitor.rulebook.themes import ROOT, is_rule_file

app = App(name="rules", help="List revisions of the rules; put a file back as it was.", help_format="plaintext")

SHORTEST = 4


@app.default
def revisions(*, limit: Limit = None, json: Json = False) -> None:
    """List the rule books that were adopted, the newest last, and which files each changed."""
    with Reading(context.settings()) as reading:
        adopted = _adopted(reading)
    most = limit if limit is not None else len(adopted) if json else DEFAULT_LIMIT
    shown = adopted[-most:] if most else []
    if json:
        output.json_lines(
            {
                "revision": event.revision,
                "position": recorded.position,
                "adopted_at": recorded.recorded_at,
                "changed": sorted(ROOT + path for path in event.changed),
                "removed": sorted(ROOT + path for path in event.removed),
            }
            for recorded, event in shown
        )
        return
    output.listing(
        [
            ((event.revision, output.moment(recorded.recorded_at)), ", ".join(sorted({*event.changed, *event.removed})))
            for recorded, event in shown
        ],
        empty="no rules were adopted yet",
    )


@app.command
def restore(
    revision: Annotated[str, Parameter(name="REVISION", help="One that `monitor rules` lists, or how it begins.")],
    /,
    *files: Annotated[str, Parameter(name="FILE", help="As rules/themes/NAME.yaml.")],
) -> None:
    """Put rule files back as they were under a revision; one that was not there then goes.

    A text that was never in force is kept beside it, as FILE~. A running daemon adopts what is put back at once.
    """
    if not files:
        raise UsageError("which files? name them, as rules/themes/NAME.yaml")
    settings = context.settings()
    with Reading(settings) as reading:
        adopted = [event for _, event in _adopted(reading)]
        then = row_at(reading.store, _position(reading, revision))
    assert then is not None, "a revision was adopted"
    known = {path for event in adopted for path in event.changed}
    for path in {_inside(file, settings.home, known): None for file in files}:
        in_force = {event.changed[path].encode() for event in adopted if path in event.changed}
        _put_back(settings.rules / path, then.files.get(path), in_force)
    for fault in faults_of(settings.home):
        print(f"monitor: now at fault: {output.clean(str(fault))}", file=sys.stderr)


def _adopted(reading: Reading) -> list[tuple[ev.Recorded, ev.RuleBookAdopted]]:
    stream = reading.store.read(stream=RULES_STREAM, types=["RuleBookAdopted"])
    return [(recorded, recorded.event) for recorded in stream if isinstance(recorded.event, ev.RuleBookAdopted)]


def _position(reading: Reading, revision: str) -> int:
    """Where the revision of this name, or whose name begins so, was last adopted."""
    adopted = {event.revision: recorded.position for recorded, event in _adopted(reading)}
    fitting = [name for name in adopted if name.startswith(revision)] if revision not in adopted else [revision]
    if len(fitting) != 1 or len(revision) < SHORTEST:
        why = "fits several" if len(fitting) > 1 else f"write at least {SHORTEST} signs of one" if fitting else "none"
        raise NotFound(f"no rules of revision '{revision}' were adopted ({why}); `monitor rules` lists them")
    return adopted[fitting[0]]


def _inside(file: str, home: Path, known: Collection[str]) -> str:
    """The file's path relative to `rules/`; what the log says of paths is not trusted to stay inside."""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(home):
        path = path.relative_to(home)
    name = path.as_posix().removeprefix(ROOT)
    if not is_rule_file(name) or name not in known:
        raise NotFound(f"'{file}' is no rule file that ever was in force; `monitor rules` lists them; nothing was done")
    return name


def _put_back(target: Path, text: str | None, in_force: Collection[bytes]) -> None:
    there = target.read_bytes() if target.exists() else None
    if there == (text.encode() if text is not None else None):
        print(f"{ROOT}{target.parent.name}/{target.name}: is as it was")
        return
    kept = ""
    if there is not None and there not in in_force:
        target.replace(target.with_name(f"{target.name}~"))
        kept = f"; what stood there, which was never in force, is {target.name}~"
    if text is None:
        target.unlink(missing_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        fresh.write_bytes(text.encode())
        fresh.replace(target)
    print(f"{ROOT}{target.parent.name}/{target.name}: {'gone' if text is None else 'put back'}{kept}")
