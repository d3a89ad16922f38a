"""What follows an edit of the rules: its owner is told, and older entries are held against it. A subscription of the
log that works in small steps, so that new entries never wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import structlog

from monitor.core import deliveries, digests, views
from monitor.core import events as ev
from monitor.core.digests import Digest
from monitor.errors import ConfigurationError, MonitorError, NotFound
from monitor.matching.book import RuleBook
from monitor.pipeline import detect
from monitor.pipeline.adopt import RULES_STREAM
from monitor.pipeline.changes import Change, Load, read_change, row_at
from monitor.pipeline.gather import Configure, Timeline
from monitor.pipeline.receipts import Survey, Writer
from monitor.pipeline.rematch import Rematch
from monitor.ports import Commit, EventStore

log = structlog.get_logger()

SUBSCRIPTION = "rematch"


class RuleChanges:
    """Follows adoptions and refusals one by one: first receipts, then the re-match. All that it must remember is in the
    log. Methods block; one caller at a time.
    """

    def __init__(self, store: EventStore, configure: Configure, load: Load) -> None:
        self._store = store
        self._timeline = Timeline(store, configure)
        self._writer = Writer(store, self._timeline)
        self._books = _Books(load)
        self._checkpoint = store.checkpoint(SUBSCRIPTION)
        if not self._checkpoint and (matched := store.checkpoint(detect.SUBSCRIPTION)):
            # A log that nothing followed yet was written by an older version: what was edited then is told to nobody
            # now. On record at once: after a death, what is edited next would look the same.
            store.append(Commit(checkpoint=(SUBSCRIPTION, 0, matched)))
            self._checkpoint = matched
        self._cursor = self._checkpoint
        self._seen = 0
        self._work: Iterator[None] | None = None

    def prepare(self, revision: str, book: RuleBook) -> None:
        """Hand in a book that was read already."""
        self._books.keep(revision, book)

    @property
    def busy(self) -> bool:
        """Whether something was begun that the next steps end."""
        return self._work is not None

    def step(self, now: datetime) -> bool:
        """Do a little of what there is to do; False where that is nothing. `now`: when a receipt is composed."""
        if self._work is None:
            self._work = self._next(now)
        if self._work is None:
            return False
        work, self._work = self._work, None  # where it fails, it is begun anew, from its checkpoints
        for _ in work:
            self._work = work
            break
        return True

    def _next(self, now: datetime) -> Iterator[None] | None:
        version = self._store.version(RULES_STREAM)
        if version == self._seen:
            return None
        recorded = next(self._store.read(self._cursor, stream=RULES_STREAM, limit=1), None)
        if recorded is None:
            self._seen = version
            return None
        adopted = isinstance(recorded.event, ev.RuleBookAdopted)
        if adopted and self._store.checkpoint(detect.SUBSCRIPTION) < recorded.position:
            return None  # entries before it come first, under the rules of then
        return self._follow(recorded, now)

    def _follow(self, recorded: ev.Recorded, now: datetime) -> Iterator[None]:
        failed: list[ev.NewEvent] = []
        try:
            if isinstance(recorded.event, ev.RuleBookRefused):
                self._tell_of_faults(recorded, now)
            elif isinstance(recorded.event, ev.RuleBookAdopted):
                change = read_change(self._store, self._books, recorded.position)
                if change is not None:
                    yield from self._tell(change, now)
                    yield from self._rematch(change)
        except ConfigurationError as error:
            log.error(f"{error}; nobody is told of the edit of the rules at position {recorded.position}")
            failed.append(_failed(recorded, str(error)))
        except (MonitorError, OSError, MemoryError):
            raise  # of the moment, and tried again
        except Exception as error:
            log.exception(f"nobody is told of the edit of the rules at position {recorded.position}")
            failed.append(_failed(recorded, f"a fault of this program ({type(error).__name__}); please report it"))
        checkpoint = (SUBSCRIPTION, self._checkpoint, recorded.position)
        self._store.append(Commit(events=tuple(failed), checkpoint=checkpoint))
        self._checkpoint = self._cursor = recorded.position

    def _tell(self, change: Change, now: datetime) -> Iterator[None]:
        names = self._writer.addressees(change)
        if all(self._store.get(views.DIGESTS, self._writer.digest_id(name, change.position)) for name in names):
            return
        survey = Survey(self._store, change)
        while survey.step():
            yield
        self._append(self._writer.of_change(change, survey), now)
        yield

    def _tell_of_faults(self, refused: ev.Recorded, now: datetime) -> None:
        row = row_at(self._store, refused.position)
        # Where files were saved again since, that is told of.
        if refused.version == self._store.version(RULES_STREAM) and row is not None and row.position:
            self._append(self._writer.of_refusal(refused, row, self._books(row)), now)

    def _rematch(self, change: Change) -> Iterator[None]:
        rematch = Rematch(self._store, change, self._books)
        while rematch.step():
            yield
        log.info(f"rules of revision {change.revision}: older entries were held against them", alerts=rematch.found)

    def _append(self, told: Sequence[Digest], now: datetime) -> None:
        events = []
        for digest in told:
            receiver = self._timeline.at(digest.position).book.receiver(digest.receiver)
            assert receiver is not None, "it was looked up in this very book"
            content, content_hash = digests.encode(digest)
            composed = ev.DigestComposed(
                digest_id=digest.digest_id, window_id=digest.window_id, receiver=digest.receiver, upto=digest.position,
                composed_at=now, content=content, content_hash=content_hash,
                deliveries=deliveries.plan(digest.digest_id, receiver),
            )  # fmt: skip
            events.append(
                ev.NewEvent(
                    stream=f"receiver/{digest.receiver}", event=composed, dedupe=f"digest:{digest.digest_id}",
                    causation=digest.position,
                )
            )  # fmt: skip
        if events:
            self._store.append(Commit(events=tuple(events)))


def _failed(edit: ev.Recorded, reason: str) -> ev.NewEvent:
    assert isinstance(edit.event, ev.RuleBookAdopted | ev.RuleBookRefused)
    event = ev.RuleChangeFailed(revision=edit.event.revision, reason=reason)
    return ev.NewEvent(stream="rule-changes", event=event, causation=edit.position)


def recompose(store: EventStore, configure: Configure, load: Load, composed: ev.DigestComposed) -> Digest:
    """A digest that is a receipt, anew from the log; unless something is wrong it says the same, byte for byte.

    Raises `ConfigurationError` where this version cannot read the rules of then, `NotFound` where they were erased.
    """
    writer, told = Writer(store, Timeline(store, configure)), store.at(composed.upto)
    found: list[Digest] = []
    if isinstance(told.event, ev.RuleBookRefused):
        row = row_at(store, told.position)
        found = writer.of_refusal(told, row, load(row)) if row is not None else []
    elif isinstance(told.event, ev.RuleBookAdopted):
        change = read_change(store, load, told.position)
        if change is not None:
            survey = Survey(store, change)
            while survey.step():
                pass
            found = writer.of_change(change, survey)
    again = next((digest for digest in found if digest.digest_id == composed.digest_id), None)
    if again is None:
        raise NotFound(f"what receipt '{composed.digest_id}' tells of is no longer in the log")
    return again


class _Books:
    """Rule books by revision, the last two: the next edit needs one of them again."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._known: dict[str, RuleBook] = {}

    def keep(self, revision: str, book: RuleBook) -> None:
        self._known.pop(revision, None)
        self._known = dict([*self._known.items()][-1:]) | {revision: book}

    def __call__(self, row: views.BookRow) -> RuleBook:
        book = self._known.get(row.revision) or self._load(row)
        self.keep(row.revision, book)
        return book
