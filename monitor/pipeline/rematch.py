"""Edited rules over the entries of the last days: what they find now and nothing found before raises an alert."""

from __future__ import annotations

from datetime import timedelta

import structlog

from monitor.core import events as ev
from monitor.core import views
from monitor.core.alerts import Candidate, alert_id, decide
from monitor.core.entries import Arrival
from monitor.errors import WrongVersion
from monitor.matching.engine import compile_book
from monitor.matching.model import ThemeMatch
from monitor.pipeline.adopt import RULES_STREAM
from monitor.pipeline.changes import Change, Load, only
from monitor.pipeline.detect import document_of
from monitor.pipeline.replay import position_at
from monitor.pipeline.silencing import silence_of
from monitor.ports import Commit, EventStore

log = structlog.get_logger()

BATCH = 50
FAR = 5_000
"""After so many positions without a find, how far it got is put on record."""

ENTRIES = ("EntryObserved", "EntryRevised")


class Rematch:
    """The run that follows one adoption, a few entries at a time; a restarted one goes on where it was.

    Entries are held against the rules in force now, not those of then: what a later edit took back raises nothing.
    Entries that come meanwhile are not looked at: `detect` holds them against the same rules.
    """

    def __init__(self, store: EventStore, change: Change, load: Load) -> None:
        self._store = store
        self._change = change
        self._load = load
        self._subscription = f"rematch/{change.position}"
        self._checkpoint = self._cursor = store.checkpoint(self._subscription)
        self._edits = 0  # how often rules were saved when they were last looked at
        self._revision, self._engine = change.revision, change.new_engine
        self._after: dict[str, int] = {}
        self.found = 0

    def step(self) -> bool:
        """Look at some more; False where all were looked at. Raises `ConfigurationError`."""
        self._take_rules()
        batch = list(self._store.read(self._cursor, upto=self._change.position, types=ENTRIES, limit=BATCH))
        if not batch:
            return False
        work = _Work()
        for recorded in batch:
            if isinstance(recorded.event, ev.EntryObserved | ev.EntryRevised) and not self._look_at(
                recorded, recorded.event, work
            ):
                break  # it touches an alert that this batch already changed: commit that first
            work.upto = recorded.position
        if work.events or work.upto - self._checkpoint >= FAR:
            checkpoint = (self._subscription, self._checkpoint, work.upto)
            try:
                self._store.append(Commit(events=tuple(work.events), expected=work.versions, checkpoint=checkpoint))
            except (
                WrongVersion
            ):  # `detect` was at one of these alerts, or another process at this very work: look again
                self._checkpoint = self._store.checkpoint(self._subscription)
                self._cursor = max(self._cursor, self._checkpoint)
                return True
            self._checkpoint = work.upto
        self._cursor = work.upto
        self.found += work.found
        return True

    def _take_rules(self) -> None:
        """The changed themes as they are in force now, and from where on entries are looked at."""
        edits = self._store.version(RULES_STREAM)
        if edits == self._edits:
            return
        row = self._store.get(views.RULE_BOOK, views.CURRENT)
        assert row is not None, "rules were adopted"
        book = only(self._load(row), self._change.themes)
        if row.revision != self._revision:
            self._revision, self._engine = row.revision, compile_book(book)
        self._after = {theme.id: self._start(theme.rematch) for theme in book.themes}
        self._cursor = max(self._cursor, min(self._after.values(), default=self._change.position))
        self._edits = edits

    def _start(self, seconds: int) -> int:
        """The position behind which a theme's entries are looked at; those that came while files were faulty always."""
        change = self._change
        since = position_at(self._store, change.at - timedelta(seconds=seconds), change.position)
        return since if change.faulty_since is None else min(since, change.faulty_since)

    def _look_at(self, recorded: ev.Recorded, event: ev.EntryObserved | ev.EntryRevised, work: _Work) -> bool:
        row = self._store.get(views.ENTRIES, event.entry_id)
        if row is None or row.text_position != recorded.position or row.withdrawn or row.story_id is None:
            return True  # revised since, and looked at as such
        try:
            matches = self._engine.match(document_of(event, row))
        except Exception:
            log.exception("matching failed; the entry stays as it was", entry=event.entry_id)
            return True
        matches = tuple(match for match in matches if recorded.position > self._after[match.theme])
        keys = {alert_id(match.theme, row.story_id) for match in matches}
        if keys & work.versions.keys():
            return False
        for match in matches:
            self._conclude(match, row, work)
        return True

    def _conclude(self, match: ThemeMatch, row: views.EntryRow, work: _Work) -> None:
        assert row.story_id is not None
        alert_key = alert_id(match.theme, row.story_id)
        stream = f"alert/{alert_key}"
        version = self._store.version(stream)
        alert = self._store.get(views.ALERTS, alert_key)
        known = match.theme in row.themes
        if known and (alert is not None or (row.arrival == Arrival.BASELINE and row.revision == 1)):
            return
        candidate = Candidate(
            entry_id=row.entry_id, source_id=row.source_id, title=row.title, revision=row.revision,
            arrival=Arrival(row.arrival), story_id=row.story_id,
        )  # fmt: skip
        silence = silence_of(self._store, match, candidate, self._change.at)
        verdict = decide(match, candidate, alert, rule_changed=True, silence=silence)
        matched = ev.EntryMatched(
            entry_id=row.entry_id, revision=row.revision, theme=match.theme, book=self._revision,
            mode=match.mode.value, rules=match.rules,
        )  # fmt: skip
        entry = f"entry/{row.entry_id}"
        suppressed = isinstance(verdict, ev.AlertSuppressed)
        for place, event in ((entry, matched), (entry if suppressed else stream, verdict)):
            work.events.append(ev.NewEvent(stream=place, event=event, causation=self._change.position))
        work.versions[stream] = version
        work.found += not suppressed


class _Work:
    """What one batch leads to, before it is committed. `versions`: of the alerts' streams, as they were looked at."""

    def __init__(self) -> None:
        self.events: list[ev.NewEvent] = []
        self.versions: dict[str, int] = {}
        self.found = 0
        self.upto = 0
