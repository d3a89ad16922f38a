"""Edited rules over the entries of the last days: what they find now and nothing found before raises an alert."""

from __future__ import annotations

from datetime import timedelta

import structlog

from monitor.core import events as ev
from monitor.core import views
from monitor.core.alerts import Candidate, alert_id, decide
from monitor.core.entries import Arrival
from monitor.core.receipts import is_live
from monitor.errors import WrongVersion
from monitor.matching.model import ThemeMatch
from monitor.pipeline.changes import Change
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

    Entries that come meanwhile are not looked at: `detect` holds them against the same rules.
    """

    def __init__(self, store: EventStore, change: Change) -> None:
        self._store = store
        self._change = change
        self._after = {
            theme.id: self._start(theme.rematch)
            for theme in change.new.themes
            if theme.id in change.themes and is_live(theme)
        }
        self._subscription = f"rematch/{change.position}"
        self._checkpoint = store.checkpoint(self._subscription)
        first = min(self._after.values(), default=change.position)
        self._cursor = max(first, self._checkpoint)
        self.found = 0

    def step(self) -> bool:
        """Look at some more; False where all were looked at."""
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
            matches = self._change.new_engine.match(document_of(event, row))
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
            entry_id=row.entry_id, revision=row.revision, theme=match.theme, book=self._change.revision,
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
