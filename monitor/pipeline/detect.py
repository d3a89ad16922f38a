"""New entries → matches, stories, alerts. A subscription of the log: what it finds commits with how far it got."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from monitor.core import events as ev
from monitor.core import views
from monitor.core.alerts import Candidate, alert_id, decide
from monitor.core.entries import Arrival
from monitor.core.likeness import REMEMBERED, Memory, Neighbour, marks_of
from monitor.core.stories import Kin, tell
from monitor.errors import ConfigurationError, WrongVersion
from monitor.matching.model import Document, ThemeMatch
from monitor.pipeline.silencing import silence_of
from monitor.ports import Commit, EventStore, Matcher

log = structlog.get_logger()

SUBSCRIPTION = "detect"
RELEVANT = ("EntryObserved", "EntryRevised", "RuleBookAdopted")
BATCH = 200

Compile = Callable[[Mapping[str, str]], Matcher]
"""Rule files as adopted (path -> text) to a matcher. They were sound when adopted."""


class Detector:
    """Reads the log behind its checkpoint and appends what the rules in force *at each position* say.

    Which book was in force is read from the log, so a replay matches as the live run did. Methods block; one caller
    at a time.
    """

    def __init__(self, store: EventStore, compile_files: Compile) -> None:
        self._store = store
        self._compile = compile_files
        self._checkpoint = store.checkpoint(SUBSCRIPTION)
        self._cursor = self._checkpoint
        self._book: _Book | None = None
        self._ready: _Book | None = None
        self._remembered: Memory | None = None

    @property
    def position(self) -> int:
        """Every entry at or below this position is matched."""
        return self._cursor

    def prepare(self, revision: str, matcher: Matcher) -> None:
        """Hand in a book compiled beforehand, so that its adoption costs nothing here."""
        self._ready = _Book(revision, matcher)

    def catch_up(self) -> int:
        """Work up to the head of this instant; returns how many entries were matched against the rules."""
        total, whole = 0, False
        try:
            while (done := self._step()) is not None:
                total += done
            whole = True
        except WrongVersion:
            # Another process went on from the same checkpoint, or changed an alert: what it did is in the log.
            self._checkpoint = self._cursor = self._store.checkpoint(SUBSCRIPTION)
            self._book = None
            raise
        finally:
            if not whole:  # it may hold entries whose stories were never stored
                self._remembered = None
        return total

    def _step(self) -> int | None:
        head = self._store.head().position
        if self._cursor >= head:
            return None
        batch = list(self._store.read(self._cursor, upto=head, types=RELEVANT, limit=BATCH))
        if not batch:
            # Nothing to say: the checkpoint is not written, so an idle daemon does not touch the disk.
            self._cursor = head
            return None
        work = _Work()
        seen = 0
        for recorded in batch:
            if isinstance(recorded.event, ev.RuleBookAdopted):
                self._book = self._compiled(recorded.event.revision, recorded.position)
            elif isinstance(recorded.event, ev.EntryObserved | ev.EntryRevised):
                outcome = self._look_at(recorded, recorded.event, work)
                if outcome is None:  # it touches an alert this batch already changed: commit that first
                    break
                seen += 1
            work.upto = recorded.position
        upto = work.upto if work.upto < batch[-1].position or len(batch) == BATCH else head
        checkpoint = (SUBSCRIPTION, self._checkpoint, upto)
        commit = Commit(events=tuple(work.events), expected=work.versions, checkpoint=checkpoint)
        try:
            self._store.append(commit)
        except WrongVersion as wrong:
            if wrong.stream not in work.versions:
                raise
            self._book = self._remembered = None  # a story was merged or split before it was joined: look again
            return 0
        self._checkpoint = self._cursor = upto
        return seen

    def _look_at(self, recorded: ev.Recorded, event: ev.EntryObserved | ev.EntryRevised, work: _Work) -> bool | None:
        row = self._store.get(views.ENTRIES, event.entry_id)
        if row is None:  # its first text was erased: what is left of it says nothing
            return True
        story = self._told(event, work) if isinstance(event, ev.EntryObserved) else None
        story_id = story.story_id if story else row.story_id or work.stories[event.entry_id]
        matches = self._match(document_of(event, row), event.entry_id, recorded.position)
        alert_ids = {alert_id(match.theme, story_id) for match in matches}
        if alert_ids & work.alerts:
            return None
        if story:
            self._memory().add(event.entry_id, story.marks)
            work.stories[event.entry_id] = story_id
            work.add(f"story/{story_id}", story, recorded.position)
        revision = 1 if isinstance(event, ev.EntryObserved) else event.revision
        candidate = Candidate(
            entry_id=event.entry_id,
            source_id=event.source_id,
            title=event.title,
            revision=revision,
            arrival=Arrival(row.arrival),
            story_id=story_id,
            diff=event.diff if isinstance(event, ev.EntryRevised) else "",
        )
        seen = event.first_seen if isinstance(event, ev.EntryObserved) else event.seen
        for match in matches:
            work.alerts.add(alert_id(match.theme, story_id))
            self._conclude(match, candidate, recorded.position, work, seen)
        return True

    def _told(self, entry: ev.EntryObserved, work: _Work) -> ev.StoryStarted | ev.StoryJoined:
        marks = marks_of(entry.title, entry.text)
        return tell(entry, marks, self._kin(self._memory().nearest(marks), work))

    def _kin(self, neighbours: list[Neighbour], work: _Work) -> Iterator[Kin]:
        for near in neighbours:
            row = self._store.get(views.ENTRIES, near.entry_id)
            story_id = row and (row.story_id or work.stories.get(near.entry_id))
            if row and story_id and self._stands(story_id, work):
                yield Kin(near.entry_id, row.source_id, row.title, story_id, near.likeness)

    def _stands(self, story_id: str, work: _Work) -> bool:
        """Whether a story is there to be joined. An analyst may merge or split it before the join is stored; then the
        commit is refused.
        """
        if story_id in work.stories.values():
            return True
        stream = f"story/{story_id}"
        work.versions.setdefault(stream, self._store.version(stream))
        return self._store.get(views.STORIES, story_id) is not None

    def _memory(self) -> Memory:
        if self._remembered is None:  # not at the start: nobody waits for it then
            rows = list(self._store.rows(views.MARKS, descending=True, limit=REMEMBERED))
            self._remembered = Memory((row.entry_id, row.marks) for row in reversed(rows))
        return self._remembered

    def _conclude(self, match: ThemeMatch, candidate: Candidate, position: int, work: _Work, seen: datetime) -> None:
        matched = ev.EntryMatched(
            entry_id=candidate.entry_id,
            revision=candidate.revision,
            theme=match.theme,
            book=self._in_force(position).revision,
            mode=match.mode.value,
            rules=match.rules,
        )
        work.add(f"entry/{candidate.entry_id}", matched, position)
        alert = self._store.get(views.ALERTS, alert_id(match.theme, candidate.story_id))
        verdict = decide(match, candidate, alert, silence=silence_of(self._store, match, candidate, seen))
        if isinstance(verdict, ev.AlertSuppressed):
            work.add(f"entry/{candidate.entry_id}", verdict, position)
        else:
            work.add(f"alert/{alert_id(match.theme, candidate.story_id)}", verdict, position)

    def _match(self, document: Document, entry_id: str, position: int) -> tuple[ThemeMatch, ...]:
        book = self._in_force(position)
        try:
            return book.matcher.match(document)
        except Exception:
            # One entry that the engine cannot digest must not stop the entries behind it.
            log.exception("matching failed; the entry is stored, unmatched", entry=entry_id, book=book.revision)
            return ()

    def _in_force(self, position: int) -> _Book:
        if self._book is None:
            self._book = self._from_log(position)
        return self._book

    def _from_log(self, position: int) -> _Book:
        """The book in force at a position. The view knows it, unless rules changed since."""
        current = self._store.get(views.RULE_BOOK, views.CURRENT)
        if current is not None and current.position <= position:
            return self._compiled(current.revision, current.position)
        adopted = list(self._store.read(0, upto=position, stream="rulebook"))
        for recorded in reversed(adopted):
            if isinstance(recorded.event, ev.RuleBookAdopted):
                return self._compiled(recorded.event.revision, recorded.position)
        return _Book("", self._compile({}))

    def _compiled(self, revision: str, position: int) -> _Book:
        if self._ready is None or self._ready.revision != revision:
            try:
                self._ready = _Book(revision, self._compile(book_files(self._store, position)))
            except ConfigurationError:
                current = self._store.get(views.RULE_BOOK, views.CURRENT)
                if current is None or current.revision == revision:
                    raise
                log.warning(
                    f"rules of revision {revision} cannot be read by this version of the program; what came under "
                    f"them and was not matched yet is matched by revision {current.revision}"
                )
                return self._compiled(current.revision, current.position)
        return self._ready


@dataclass(frozen=True, slots=True)
class _Book:
    revision: str
    matcher: Matcher


class _Work:
    """What one batch leads to, before it is committed."""

    def __init__(self) -> None:
        self.events: list[ev.NewEvent] = []
        self.stories: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.alerts: set[str] = set()
        self.upto = 0

    def add(self, stream: str, event: ev.Event, causation: int) -> None:
        self.events.append(ev.NewEvent(stream=stream, event=event, causation=causation))


def book_files(store: EventStore, position: int) -> dict[str, str]:
    """The rule files in force at a position (path -> text), folded from the log."""
    current = store.get(views.RULE_BOOK, views.CURRENT)
    if current is not None and 0 < current.position <= position:
        return current.files
    row: views.BookRow | None = None
    for recorded in store.read(0, upto=position, stream="rulebook"):
        row = views.RULE_BOOK.fold(row, recorded, views.CURRENT)
    return row.files if row else {}


def document_of(event: ev.EntryObserved | ev.EntryRevised, entry: views.EntryRow | ev.EntryObserved) -> Document:
    """What rules look at, of one revision of an entry; `entry` knows when it was first seen."""
    return Document(
        title=event.title,
        text=event.text,
        url=event.url,
        author=event.author,
        language=event.language,
        published=event.published,
        first_seen=entry.first_seen,
        source=event.source_id,
        tags=event.tags,
    )
