"""`entries`, `alerts`, `stories`, `show`: what the views hold, now or as of a position or instant of the past."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import PurePath
from textwrap import indent
from typing import Annotated, Any, TypeVar

import msgspec
from cyclopts import Parameter, validators

from monitor.cli import context, output
from monitor.cli.instants import parse_instant
from monitor.cli.reading import Reading
from monitor.core import events as ev
from monitor.core import views
from monitor.errors import NotFound

Row = TypeVar("Row", bound=msgspec.Struct)

DEFAULT_LIMIT = 50

Json = Annotated[bool, Parameter(name="--json", negative="", help="One JSON object a line.")]
INSTANT = "2026-11-24, 2026-11-24T07:00Z, or 7d, 12h ago"
Limit = Annotated[
    int | None,
    Parameter(
        help=f"At most so many, the newest ({DEFAULT_LIMIT}; no limit with --json).", validator=validators.Number(gte=0)
    ),
]
AsOf = Annotated[str | None, Parameter(help="As it stood then: a log position or an instant.")]
Theme = Annotated[str | None, Parameter(help="Only this theme.")]


def entries(
    *,
    theme: Theme = None,
    since: Annotated[str | None, Parameter(help=f"Only those first seen since: {INSTANT}.")] = None,
    until: Annotated[str | None, Parameter(help="Only those first seen until then.")] = None,
    limit: Limit = None,
    full: Annotated[bool, Parameter(negative="", help="With the text.")] = False,
    json: Json = False,
    as_of: AsOf = None,
) -> None:
    """List entries, the newest last."""
    with Reading(context.settings()) as reading:

        def wanted(row: views.EntryRow) -> bool:
            return (theme is None or theme in row.themes) and within(row.first_seen)

        within = _between(since, until, reading.now())
        _refuse_unknown(reading, theme)
        rows = pick(reading.rows(views.ENTRIES, as_of), wanted, limit, json)
        if json:
            urls = {row.id: row.location for row in reading.rows(views.SOURCES, as_of)}
            output.json_lines(entry_json(row, urls, reading if full else None) for row in rows)
            return
        shown = [((row.entry_id, output.moment(row.first_seen), row.source_id), row.title) for row in rows]
        if not full or not rows:
            output.listing(shown, empty="no entries")
            return
        for row, line in zip(rows, shown, strict=True):
            output.listing([line], empty="")
            print(indent(f"\n{output.paragraphs(reading.text(row)).strip()}\n", "    "))


def alerts(
    *,
    theme: Theme = None,
    since: Annotated[str | None, Parameter(help=f"Only those raised since: {INSTANT}.")] = None,
    until: Annotated[str | None, Parameter(help="Only those raised until then.")] = None,
    limit: Limit = None,
    json: Json = False,
    as_of: AsOf = None,
) -> None:
    """List alerts, the newest last."""
    with Reading(context.settings()) as reading:
        within = _between(since, until, reading.now())
        _refuse_unknown(reading, theme)
        rows = pick(reading.rows(views.ALERTS, as_of, facet=theme), lambda row: within(row.raised_at), limit, json)
        if json:
            output.json_lines(alert_json(row) for row in rows)
            return
        output.listing(
            [
                ((row.alert_id, output.moment(row.raised_at), row.severity.value, row.state, row.theme), row.title)
                for row in rows
            ],
            empty="no alerts",
        )


def stories(
    *,
    since: Annotated[str | None, Parameter(help=f"Only those with an entry first seen since: {INSTANT}.")] = None,
    until: Annotated[str | None, Parameter(help="Only those whose last entry was first seen until then.")] = None,
    limit: Limit = None,
    json: Json = False,
    as_of: AsOf = None,
) -> None:
    """List stories, the newest last."""
    with Reading(context.settings()) as reading:
        within = _between(since, until, reading.now())
        rows = pick(reading.rows(views.STORIES, as_of), lambda row: within(row.last_seen), limit, json)
        if json:
            output.json_lines(story_json(row) for row in rows)
            return
        output.listing(
            [
                (
                    (row.story_id, output.moment(row.last_seen), output.many(len(row.entry_ids), "entry", "entries")),
                    row.title,
                )
                for row in rows
            ],
            empty="no stories",
        )


def show(thing: Annotated[str, Parameter(name="ID")], /, *, json: Json = False) -> None:
    """Show one entry, story, alert, digest, delivery or silence, whole, with the events that made it."""
    with Reading(context.settings()) as reading:
        row, stream = _find(reading, thing)
        history = list(reading.store.read(0, stream=f"{stream}/{thing}"))
        if isinstance(row, views.DigestRow):
            history = [reading.store.at(row.position)]
        if json:
            output.json_lines([{"row": row, "events": [log_json(recorded) for recorded in history]}])
            return
        facts = {name: _plain(value) for name, value in msgspec.structs.asdict(row).items()}
        given = [one.event for one in history if isinstance(one.event, ev.VerdictGiven)]
        if given and given[-1].note:
            facts["verdict"] += f": {given[-1].note}"
        output.facts(facts)
        if isinstance(row, views.EntryRow):
            print()
            print(output.paragraphs(reading.text(row)))
        print()
        output.listing(
            [((str(one.position), output.moment(one.recorded_at), one.type, one.actor), "") for one in history],
            empty="no events",
        )


_THINGS: tuple[tuple[str, views.View[Any], str], ...] = (
    ("ent-", views.ENTRIES, "entry"),
    ("sto-", views.STORIES, "story"),
    ("alr-", views.ALERTS, "alert"),
    ("dig-", views.DIGESTS, "digest"),
    ("sil-", views.SILENCES, "silence"),
    ("", views.DELIVERIES, "delivery"),
)


def _find(reading: Reading, thing: str) -> tuple[Any, str]:
    for prefix, view, stream in _THINGS:
        row = reading.store.get(view, thing) if thing.startswith(prefix) else None
        if row is not None:
            return row, stream
    raise NotFound(f"nothing has the id '{thing}'; ids are shown by entries, alerts, stories and deliveries")


def _refuse_unknown(reading: Reading, theme: str | None) -> None:
    """Raises `NotFound` where a theme is given that is not in force and has no alerts from days when it was."""
    book = reading.store.get(views.RULE_BOOK, views.CURRENT)
    themes = sorted(PurePath(path).stem for path in (book.files if book else ()) if path.startswith("themes/"))
    if theme is not None and theme not in themes and not reading.store.count(views.ALERTS, facet=theme):
        raise NotFound(
            f"there is no theme '{theme}'; there are {', '.join(themes) or 'none: `monitor run` adopts them'}"
        )


def pick(rows: Iterator[Row], wanted: Callable[[Row], bool], limit: int | None, everything: bool) -> list[Row]:
    """The wanted rows, oldest first; without `--json` or a limit the newest 50. `rows` come newest first."""
    most = limit if limit is not None else None if everything else DEFAULT_LIMIT
    return list(islice(filter(wanted, rows), most))[::-1]


def _between(since: str | None, until: str | None, now: datetime) -> Callable[[datetime], bool]:
    low = parse_instant(since, now) if since else None
    high = parse_instant(until, now) if until else None
    return lambda instant: (low is None or instant >= low) and (high is None or instant <= high)


def entry_json(row: views.EntryRow, source_urls: dict[str, str], reading: Reading | None) -> dict[str, Any]:
    """The contract's entry object; with `reading`, its text too."""
    shown: dict[str, Any] = {
        "entry_id": row.entry_id,
        "raw_id": row.raw_id,
        "source": row.source_id,
        "source_url": source_urls.get(row.source_id),
        "title": row.title,
        "author": row.author,
        "url": row.url,
        "published": row.published,
        "updated": row.updated,
        "first_seen": row.first_seen,
        "language": row.language,
        "revision": row.revision,
        "story_id": row.story_id,
        "state": "withdrawn" if row.withdrawn else "matched" if row.themes else "observed",
        "themes": row.themes,
    }
    return shown | {"text": reading.text(row)} if reading else shown


def alert_json(row: views.AlertRow) -> dict[str, Any]:
    """The contract's alert object."""
    return {
        "alert_id": row.alert_id,
        "theme": row.theme,
        "severity": row.severity,
        "state": row.state,
        "title": row.title,
        "reason": row.reason,
        "story_id": row.story_id,
        "entry_ids": row.entry_ids,
        "sources": row.sources,
        "rules": row.rules,
        "raised_at": row.raised_at,
        "verdict": row.verdict,
        "position": row.position,
    }


def story_json(row: views.StoryRow) -> dict[str, Any]:
    """The contract's story object."""
    return {
        "story_id": row.story_id,
        "title": row.title,
        "entry_ids": row.entry_ids,
        "sources": row.sources,
        "independent_sources": len(row.independent),
        "first_seen": row.first_seen,
        "last_seen": row.last_seen,
    }


def log_json(recorded: ev.Recorded) -> dict[str, Any]:
    """The contract's log object."""
    return {
        "position": recorded.position,
        "stream": recorded.stream,
        "version": recorded.version,
        "type": recorded.type,
        "schema": recorded.schema,
        "recorded_at": recorded.recorded_at,
        "actor": recorded.actor,
        "data": recorded.event,
        "hash": recorded.hash,
    }


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return output.moment(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
