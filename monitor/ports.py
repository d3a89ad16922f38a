"""What the pipeline asks of the outside, as Protocols. Promises live here: who calls, what is raised, what is
atomic.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from monitor.core.deliveries import Outcome as Outcome
from monitor.core.entries import ParsedFeed, Source
from monitor.core.events import NewEvent, Recorded
from monitor.core.views import View
from monitor.matching.model import Document, ThemeMatch

Row = TypeVar("Row", bound=msgspec.Struct)

Clock = Callable[[], datetime]
"""The wall clock: an aware instant in UTC. It may step back."""

Draw = Callable[[], float]
"""Chance: a float in [0, 1)."""


class Head(msgspec.Struct, frozen=True):
    """The end of the log: last position (0 when empty), its chain hash in hex, the epoch (raised by a restore)."""

    position: int
    hash: str
    epoch: int


class Appended(msgspec.Struct, frozen=True):
    """Where an event stands. `duplicate`: it stood there before and nothing was written for it now."""

    position: int
    duplicate: bool


class PollState(msgspec.Struct, frozen=True, kw_only=True):
    """Operational state of one source, no history: may be lost at the cost of a refetch.

    Validators are opaque and echoed byte for byte. `next_due` None: never by itself (gone). `polled` is the number of
    polls that ended well; 0 means that the next one is the first. `ttl` to `skip_days` are what the last body said of
    itself, kept because a 304 brings no body (`skip_hours`, `skip_days`: bit 0 is 00:00 GMT, Monday). `seen`: the marks
    of a folder's files that were looked at, one after the other.
    """

    source_id: str
    location: str
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    next_due: datetime | None
    not_before: datetime | None = None  # the server's word (Retry-After, max-age): holds even for `monitor ingest`
    polled: int = 0
    failures: int = 0
    last_ok: datetime | None = None
    last_error: str | None = None
    moved_to: str | None = None
    moved_times: int = 0
    ttl: int | None = None
    body_size: int = 0
    skip_hours: int = 0
    skip_days: int = 0
    seen: str = ""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes true together or not at all: events, a subscription's checkpoint, poll states.

    `expected`: stream -> the version it must be at now (0: must not exist yet). Streams not named may be at any
    version.
    `checkpoint`: (subscription, position it was at, position it is at now); `WrongVersion` where it was not there.
    `forget_polls`: source ids whose poll state goes.
    """

    events: tuple[NewEvent, ...] = ()
    expected: Mapping[str, int] = {}
    checkpoint: tuple[str, int, int] | None = None
    polls: tuple[PollState, ...] = ()
    forget_polls: tuple[str, ...] = ()


class EventStore(Protocol):
    """The event log, its views and the poll states. Methods block; call them from a worker thread. All are thread-safe.

    Positions are gapless from 1, in commit order: whoever has read up to N has missed nothing at or below N.
    """

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        """Make a commit durable, fold it into every view in the same transaction, and say where its events stand.

        Returns after COMMIT, one `Appended` per event in order. An event whose `event_id` or `dedupe` is stored
        already is not
        written again. If *every* event is a duplicate, `expected` is not checked (it is a retry) and polls are
        still written; a checkpoint
        already at its new position is then fine.
        Raises `WrongVersion`, `IdempotencyConflict`, `StoreError` (disk full, read-only, made by a newer version…):
        nothing was written, and the
        next append works.
        """
        ...

    def read(
        self,
        after: int = 0,
        *,
        upto: int | None = None,
        stream: str | None = None,
        types: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Recorded]:
        """Events with position in (after, upto], in order; with `stream`, only that stream's."""
        ...

    def at(self, position: int) -> Recorded:
        """The event at a position. Raises `NotFound`."""
        ...

    def head(self) -> Head: ...

    def version(self, stream: str) -> int:
        """The stream's last version; 0 where it has no event."""
        ...

    def checkpoint(self, subscription: str) -> int:
        """How far a subscription got; 0 at first."""
        ...

    def get(self, view: View[Row], key: str) -> Row | None: ...

    def rows(
        self,
        view: View[Row],
        *,
        facet: str | None = None,
        after: int | None = None,
        upto: int | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> Iterator[Row]:
        """A view's rows ordered by (sort, key), with sort in (after, upto], where `facet` equals."""
        ...

    def count(self, view: View[Row], *, facet: str | None = None) -> int: ...

    def poll(self, source_id: str) -> PollState | None: ...

    def polls(self) -> list[PollState]: ...

    def due(self, now: datetime, limit: int) -> list[PollState]:
        """Poll states whose `next_due` is at or before `now`, the longest overdue first; an index serves it."""
        ...

    def next_due(self) -> datetime | None:
        """The earliest `next_due` of all."""
        ...

    def close(self) -> None: ...


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to one fetch. `body` None: 304, nothing new. `moved_to`: where the chain of *permanent* redirects
    ended, else None.

    `wait` seconds: the least the server asks us to wait before the next poll (Retry-After is in `FetchFailed`).
    """

    body: bytes | None
    url: str
    status: int
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    wait: int | None = None
    moved_to: str | None = None


class FetchFailed(Exception):
    """A fetch that brought nothing. `reason` is one line without secrets; `gone`: 410; `retry_after` seconds, if
    the server said. `lasting`: trying again soon cannot help (not a feed, a forbidden address). `sent`: the request
    may have reached the peer.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        gone: bool = False,
        retry_after: int | None = None,
        lasting: bool = False,
        sent: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason, self.status, self.gone, self.retry_after = reason, status, gone, retry_after
        self.lasting, self.sent = lasting, sent


class Fetcher(Protocol):
    """Gets one source's bytes over the network, politely and safely. Raises only `FetchFailed`."""

    async def fetch(self, source: Source, poll: PollState) -> Fetched: ...


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer answered to a POST, whatever the status. Header names in lower case, `location` without secrets;
    `body` is cut at 64 KiB.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Poster(Protocol):
    """Sends one POST to an address of the owner's, follows no redirect, vets the address as `Fetcher` does.

    Address and headers are handed over as written: `${NAME}` is put in by the poster, which so knows what not to show.
    Raises only `FetchFailed`; its `sent` says whether the peer may have it.
    """

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer: ...


class Parser(Protocol):
    """Turns bytes into a `ParsedFeed`, in a worker with a deadline. Raises `FetchFailed` where nothing at all could
    be read.
    """

    async def parse(self, body: bytes, *, url: str, content_type: str | None) -> ParsedFeed: ...


MARK_LENGTH = 12


class DocumentsRead(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the documents that a look at the disk brought.

    `location`: the watched folder they lie in, None for those outside all of them. `marks`: one for each file, of
    `MARK_LENGTH` characters, another one once the file has changed. `present`: the marks of all files of the folder; on
    the last part alone.
    """

    feed: ParsedFeed
    location: str | None = None
    marks: frozenset[str] = frozenset()
    present: frozenset[str] | None = None


class DocumentReader(Protocol):
    """Reads local documents, each in a worker with a deadline, in parts small enough to hold.

    Raises only `FetchFailed`, where a folder or file is not there; a document that cannot be read is one of a part's
    `faults`, and the others are read.
    """

    def read_folder(self, location: str, known: Collection[str]) -> AsyncIterator[DocumentsRead]:
        """What is new or changed in a watched folder against the marks `known`; at least one part, the last."""
        ...

    def read_path(self, path: str, folders: Sequence[str]) -> AsyncIterator[DocumentsRead]:
        """A file, or all files of a folder, given by hand; `folders`: the locations of the watched ones."""
        ...


class Matcher(Protocol):
    """A compiled rule book. Pure and thread-safe."""

    def match(self, document: Document, *, strict: bool = True) -> tuple[ThemeMatch, ...]:
        """Every theme (live or shadow) that the document meets, in order of theme id."""
        ...


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery, ready to send: ids, address, and the composed digest's content as JSON text."""

    delivery_id: str
    digest_id: str
    recipient: str
    composed_at: datetime
    content: str


class Receiver(Protocol):
    """Sends one message over one channel. Never raises: every failure is an `Outcome`; cancelled while the peer surely
    has nothing, it may answer with a failure too. Sending the same delivery id twice is recognisable by the peer (same
    Message-ID, same webhook-id, same file name).
    """

    async def send(self, message: Message) -> Outcome: ...
