"""`sources`: how each is, and `sources test`: all about a feed before it is added; nothing is stored."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from monitor.app import wall_clock
from monitor.cli import context, output
from monitor.cli.lists import AsOf, Json
from monitor.cli.reading import Reading
from monitor.core import views
from monitor.core.entries import Kind, ParsedEntry, ParsedFeed, Source
from monitor.core.polling import Pace, shortest
from monitor.core.urls import redact_url
from monitor.errors import ConfigurationError, Fault, UsageError
from monitor.ports import Fetched, FetchFailed, PollState
from monitor.settings import Secrets, Settings, load_settings

app = App(name="sources", help="List sources; test one before it is added.", help_format="plaintext")

MAX_FEED_BYTES = 16_000_000
AHEAD = 8  # documents read while the first of them is still being parsed
SHOWN = 5  # titles, for people
_DOCUMENTS = (".pdf", ".eml", ".md", ".markdown", ".txt", ".text", ".jsonl", ".ndjson")


# --- the list -------------------------------------------------------------------------------------


@app.default
def sources(*, json: Json = False, as_of: AsOf = None) -> None:
    """List sources: how they are, when they answered last, when they are asked next."""
    with Reading(context.settings()) as reading:
        rows = [row for row in reading.rows(views.SOURCES, as_of) if row.state != "removed"][::-1]
        polls = {} if as_of else {poll.source_id: poll for poll in reading.store.polls()}
        found = [source_json(row, polls.get(row.id)) for row in rows]
    if json:
        output.json_lines(found)
        return
    output.listing(
        [
            (
                (
                    one["id"],
                    one["state"],
                    output.many(one["entries"], "entry", "entries"),
                    f"answered {output.moment(one['last_ok'])}",
                    f"next {output.moment(one['next_due'])}",
                ),
                one["last_error"] or "",
            )
            for one in found
        ],
        empty="no sources yet; `monitor run` or `monitor ingest` reads seeds/sources.yaml",
    )


def source_json(row: views.SourceRow, poll: PollState | None) -> dict[str, Any]:
    """A source as scripts read it."""
    return {
        "id": row.id,
        "url": row.location,
        "state": row.state,
        "last_ok": poll.last_ok if poll else None,
        "last_error": (poll.last_error if poll else None) or row.last_error,
        "next_due": poll.next_due if poll else None,
        "failures": poll.failures if poll else 0,
        "entries": row.entries,
    }


# --- the test -------------------------------------------------------------------------------------


class Target(msgspec.Struct, frozen=True):
    """One document to look at: a path or an address."""

    file: str
    base_url: str = ""
    content_type: str | None = None


class Examined(msgspec.Struct, kw_only=True):
    """All about one document. `error` is None unless it could not be read at all."""

    file: str
    format: str | None = None
    title: str | None = None
    entries: list[dict[str, Any]] = []
    faults: tuple[str, ...] = ()
    error: str | None = None
    seconds: float = 0.0
    answer: dict[str, Any] | None = None


@app.command
def test(
    *targets: Annotated[str, Parameter(name="FILE|URL", help="Feeds, as files or addresses.")],
    from_: Annotated[
        Path | None, Parameter(name="--from", help='JSON Lines: {"file", "base_url"?, "content_type"?} each.')
    ] = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="One JSON object a document.")] = False,
) -> int:
    """Tell all about feeds before they are added: entries, dates, ids, faults. Nothing is stored.

    Where the output is no terminal, it is JSON.
    """
    if not targets and from_ is None:
        raise UsageError("what is to be tested? give a FILE or URL, or --from LIST.jsonl")
    as_json = json or from_ is not None or not sys.stdout.isatty()
    listed, broken = _listed(from_) if from_ is not None else ([], False)
    wanted = [*(Target(target) for target in targets), *listed]

    async def run() -> bool:
        failed = False
        async for found in _examine_all(wanted, _settings()):
            failed = failed or found.error is not None
            if as_json:
                output.json_lines([found])
            else:
                _show(found)
            sys.stdout.flush()
        return failed

    return 1 if asyncio.run(run()) or broken else 0


def _listed(path: Path) -> tuple[list[Target], bool]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"--from: '{path}' cannot be read ({error.strerror})") from None
    found, broken = [], False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            target = msgspec.json.decode(line, type=Target)
        except (msgspec.DecodeError, RecursionError) as error:
            print(f"monitor: {path}:{number}: {error}", file=sys.stderr)
            broken = True
            continue
        found.append(target)
    return [_beside(target, path.parent) for target in found], broken


def _beside(target: Target, folder: Path) -> Target:
    """A file named in a list lies where the command is run, or else beside the list."""
    if not _is_address(target.file) and not Path(target.file).exists() and (folder / target.file).exists():
        return Target(str(folder / target.file), target.base_url, target.content_type)
    return target


def _settings() -> Settings:
    try:
        return context.settings()
    except ConfigurationError:
        if context.given_home is not None:
            raise
        return load_settings(Path.cwd())  # a feed may be looked at from anywhere


async def _examine_all(targets: Iterable[Target], settings: Settings) -> AsyncIterator[Examined]:
    from monitor.sources.addresses import parse_networks
    from monitor.sources.client import Client
    from monitor.sources.workers import Workers

    networks, wrong = parse_networks(settings.allow_networks)
    if wrong:
        faults = tuple(Fault(settings.origin("allow_networks"), 0, 0, error) for error in wrong)
        raise ConfigurationError("settings are at fault; nothing was tested", faults)
    workers = Workers()
    secrets = Secrets(os.environ)
    client = Client(
        clock=wall_clock, contact=settings.contact, networks=networks, proxy=settings.proxy, secrets=secrets
    )
    examiner = _Examiner(workers, client)
    waiting: deque[asyncio.Task[Examined]] = deque()
    try:
        for target in targets:
            waiting.append(asyncio.create_task(examiner.examine(target)))
            if len(waiting) >= AHEAD:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await client.aclose()
        await workers.aclose()


class _Examiner:
    def __init__(self, workers: Any, client: Any) -> None:
        self._workers, self._client = workers, client

    async def examine(self, target: Target) -> Examined:
        """Never raises: what goes wrong is the document's `error`."""
        began = monotonic()
        named = redact_url(target.file) if _is_address(target.file) else target.file
        found = Examined(file=named)
        try:
            feed = await (self._fetched(target, found) if _is_address(target.file) else self._read(target))
            found.format, found.title, found.faults = feed.format, feed.title, feed.faults
            found.entries = [entry_json(entry) for entry in feed.entries]
        except FetchFailed as failed:
            found.error = failed.reason
        found.seconds = round(monotonic() - began, 4)
        return found

    async def _fetched(self, target: Target, found: Examined) -> ParsedFeed:
        source = Source(id="test", kind=Kind.FEED, location=target.file)
        fetched = await self._client.fetch(source, PollState(source_id="test", location=target.file, next_due=None))
        found.answer = answer_json(fetched)
        feed: ParsedFeed = await self._workers.parse(
            fetched.body, url=fetched.url, content_type=target.content_type or fetched.content_type
        )
        found.answer["least_interval"] = shortest(_pace(fetched, feed))
        return feed

    async def _read(self, target: Target) -> ParsedFeed:
        path = Path(target.file)
        body = await asyncio.to_thread(_bytes_of, path)
        is_markup = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
        if path.suffix.lower() in _DOCUMENTS and not (is_markup and path.suffix.lower() in (".txt", ".text")):
            return await self._document(path, len(body))
        try:
            feed: ParsedFeed = await self._workers.parse(body, url=target.base_url, content_type=target.content_type)
        except FetchFailed:
            if path.suffix.lower() != ".json":
                raise
            return await self._document(path, len(body))
        return feed

    async def _document(self, path: Path, size: int) -> ParsedFeed:
        feed: ParsedFeed = await self._workers.parse_file(path, path.name, size)
        return feed


def _bytes_of(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise FetchFailed("is not a file" if path.exists() else "is not there")
        with path.open("rb") as file:
            body = file.read(MAX_FEED_BYTES + 1)
    except OSError as error:
        raise FetchFailed(f"cannot be opened ({error.strerror})") from None
    if len(body) > MAX_FEED_BYTES:
        raise FetchFailed(f"has more than {MAX_FEED_BYTES:,} bytes")
    return body


def entry_json(entry: ParsedEntry) -> dict[str, Any]:
    """An entry as `sources test` prints it."""
    return {
        "raw_id": entry.raw_id,
        "url": entry.url,
        "title": entry.title,
        "author": entry.author,
        "published": entry.published,
        "updated": entry.updated,
        "language": entry.language,
        "text": entry.text,
    }


def answer_json(fetched: Fetched) -> dict[str, Any]:
    """What the server said."""
    return {
        "url": fetched.url,
        "status": fetched.status,
        "content_type": fetched.content_type,
        "bytes": len(fetched.body or b""),
        "etag": fetched.etag,
        "last_modified": fetched.last_modified,
        "wait": fetched.wait,
        "moved_to": fetched.moved_to,
    }


def _pace(fetched: Fetched, feed: ParsedFeed) -> Pace:
    return Pace(
        every=0,
        validated=bool(fetched.etag or fetched.last_modified),
        wait=fetched.wait,
        ttl=feed.ttl_seconds,
        body_size=len(fetched.body or b""),
    )


def _is_address(target: str) -> bool:
    return target.lower().startswith(("http://", "https://"))


def _show(found: Examined) -> None:
    print(output.clean(found.file))
    for line in _lines(found):
        print(f"  {output.clean(line)}")


def _lines(found: Examined) -> Iterator[str]:
    if found.error is not None:
        yield f"cannot be used: {found.error}"
        return
    dates = [date for entry in found.entries for date in (entry["published"] or entry["updated"],) if date]
    newest = f", the newest of {output.moment(max(dates))}" if dates else ", none with a date" if found.entries else ""
    yield f"{found.title or 'no title'} ({found.format}): {len(found.entries)} entries{newest}"
    without = sum(entry["raw_id"] is None for entry in found.entries)
    if without:
        yield f"{without} entries without an id of their own: recognised by address or content"
    if found.answer is not None:
        yield from _about(found.answer)
    for fault in found.faults:
        yield f"fault: {fault}"
    for entry in found.entries[:SHOWN]:
        when: datetime | None = entry["published"] or entry["updated"]
        yield f"- {output.moment(when)}  {entry['title'] or entry['text'][:80]}"


def _about(answer: dict[str, Any]) -> Iterator[str]:
    minutes = answer.get("least_interval", 0) // 60
    validated = "with" if answer["etag"] or answer["last_modified"] else "without"
    yield f"{answer['bytes']:,} bytes, {validated} validators: asked every {minutes} min at most"
    if answer["moved_to"]:
        yield f"moved for good to {answer['moved_to']}: write that address"
