"""Receipts: what an edit of the rules would have gained and lost, from the log alone, for the owner of each theme."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from monitor.core import digests, views
from monitor.core import events as ev
from monitor.core import receipts as core
from monitor.core.digests import Digest
from monitor.core.entries import Arrival, derived_id
from monitor.core.excerpts import Passage, marked_line, one_line, passages
from monitor.core.receipts import Item, Receipt, Tally, ThemeReceipt, Verdict
from monitor.matching.book import RuleBook, Theme
from monitor.matching.compare import RuleChange, compare
from monitor.matching.edits import files_of
from monitor.matching.model import Document, Evidence
from monitor.pipeline.changes import Change
from monitor.pipeline.detect import document_of
from monitor.pipeline.gather import Gatherer, Timeline, zone_of
from monitor.pipeline.replay import position_at
from monitor.ports import EventStore

log = structlog.get_logger()

BATCH = 50
ENTRIES = ("EntryObserved", "EntryRevised")


class Survey:
    """Holds the entries of the last 30 days against the rules before and after a change, a few at a time."""

    def __init__(self, store: EventStore, change: Change) -> None:
        self._store = store
        self._change = change
        self._themes = _wanted(change)
        self._tallies = {theme_id: Tally() for theme_id in self._themes}
        self._met: dict[str, frozenset[str]] = {}
        first = store.at(1).recorded_at
        self.start = position_at(store, change.at - timedelta(days=core.DAYS), change.position)
        self.days = core.DAYS if self.start else core.days_on_record(first, change.at)
        self.entries = 0
        self._cursor = self.start

    def step(self) -> bool:
        """Look at some more; False where all were looked at."""
        if not self._themes:
            return False
        batch = list(self._store.read(self._cursor, upto=self._change.position, types=ENTRIES, limit=BATCH))
        for recorded in batch:
            self._cursor = recorded.position
            if isinstance(recorded.event, ev.EntryObserved | ev.EntryRevised):
                self._look_at(recorded.event)
        return len(batch) == BATCH

    def distinct(self, themes: Sequence[str]) -> tuple[int, int]:
        """How many entries any of these themes gained, and how many any of them lost."""
        tallies = [self._tallies[theme_id] for theme_id in themes]
        gained, lost = ({entry for tally in tallies for entry in getattr(tally, way)} for way in ("gained", "lost"))
        return len(gained), len(lost)

    def receipts(self, themes: Iterable[str]) -> tuple[ThemeReceipt, ...]:
        """What became of the most changed of these themes, when all was looked at."""
        ranked = sorted(themes, key=lambda theme_id: (-self._tallies[theme_id].changed, theme_id))
        return tuple(self._receipt(self._themes[theme_id]) for theme_id in ranked[: core.THEMES])

    def _look_at(self, event: ev.EntryObserved | ev.EntryRevised) -> None:
        row = self._store.get(views.ENTRIES, event.entry_id)
        if row is None or (isinstance(event, ev.EntryObserved) and event.arrival is Arrival.BASELINE):
            return  # nobody is told of what was old when its source was added
        self.entries += isinstance(event, ev.EntryObserved)
        document = document_of(event, row)
        try:
            before, after, terms = self._judge(document)
        except Exception:
            log.exception("comparing failed; the entry is left out of the receipt", entry=event.entry_id)
            return
        for theme_id in self._met.pop(event.entry_id, ()):
            self._tallies[theme_id].forget(event.entry_id)
        met = (before | after) & self._tallies.keys()
        for theme_id in met:
            decided = tuple(sorted(terms.get(theme_id, ())))
            verdict = Verdict(before=theme_id in before, after=theme_id in after, terms=decided)
            self._tallies[theme_id].take(event.entry_id, verdict)
        if met:
            self._met[event.entry_id] = frozenset(met)

    def _judge(self, document: Document) -> tuple[set[str], set[str], dict[str, set[str]]]:
        old, new = self._change.old_engine, self._change.new_engine
        before = {rule.theme.id for rule in old.met(old.scan(document))}
        after = {rule.theme.id for rule in new.met(new.scan(document))}
        terms: dict[str, set[str]] = {}
        if before != after:
            found = compare(old, new, document)
            for change in (*found.gained, *found.lost):
                terms.setdefault(change.theme, set()).update(change.terms)
        return before, after, terms

    def _receipt(self, theme: Theme) -> ThemeReceipt:
        was, now = _both(self._change, theme.id)
        tally = self._tallies[theme.id]
        gained, lost = tally.gained, tally.lost
        edits = self._change.themes[theme.id]
        shown = partial(self._item, theme.id)
        return ThemeReceipt(
            theme=theme.id,
            title=one_line(theme.title, 120),
            turn=core.turn_of(was, now) or "",
            changes=core.changes_of(edits),
            more_changes=max(0, len(edits) - core.EDITS),
            before=tally.before,
            after=tally.after,
            gained=len(gained),
            lost=len(lost),
            gained_items=tuple(map(shown, core.telling(gained))),
            lost_items=tuple(map(shown, core.telling(lost))),
            gained_terms=core.weights(gained.values()),
            lost_terms=core.weights(lost.values()),
            examples=len(now.examples) if now is not None and core.is_live(now) else 0,
            rematch_days=now.rematch / 86_400 if now is not None and core.is_live(now) else 0,
        )

    def _item(self, theme_id: str, entry_id: str) -> Item:
        row = self._store.get(views.ENTRIES, entry_id)
        stream = self._store.read(stream=f"entry/{entry_id}", upto=self._change.position)
        *_, event = (one.event for one in stream if isinstance(one.event, ev.EntryObserved | ev.EntryRevised))
        assert row is not None, "an observed entry has a row"
        found = _changes_of(self._change, document_of(event, row), theme_id)
        # What decides is marked, and where that is no word of the entry, what was found.
        hits = found[0].deciding or found[0].evidence
        in_text = _in_text(hits) or _in_text(found[0].evidence)
        return Item(
            entry_id=entry_id,
            source=event.source_id,
            title=marked_line(event.title, [(hit.start, hit.end) for hit in hits if hit.field == "title"])
            if event.title.strip()
            else Passage(one_line(event.text, 100)),
            url=digests.web_link(event.url),
            published=event.published,
            first_seen=row.first_seen,
            language=event.language,
            rules=tuple(dict.fromkeys(change.rule for change in found)),
            reason=one_line(found[0].reason, core.MAX_REASON),
            passages=passages(event.text, [(hit.start, hit.end, hit.concept) for hit in in_text])[: core.PASSAGES],
        )  # fmt: skip


class Writer:
    """Puts receipts into digests, one for each receiver that is to hear of an edit."""

    def __init__(self, store: EventStore, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self._gather = Gatherer(store, timeline)

    def addressees(self, change: Change) -> dict[str, list[str]]:
        """Receiver -> the changed themes that it is told of."""
        book = self._timeline.at(change.position).book
        told: dict[str, list[str]] = {}
        for theme in _wanted(change).values():
            for name in core.told(book, theme.owner):
                told.setdefault(name, []).append(theme.id)
        return told

    def digest_id(self, receiver: str, position: int) -> str:
        """The id of what a receiver is told of the edit at a position."""
        return self._gather.digest_id(_window_id(receiver, position))

    def of_change(self, change: Change, survey: Survey) -> list[Digest]:
        """What the owners of changed themes are told."""
        start = change.at - timedelta(days=survey.days)
        found = []
        for name, themes in sorted(self.addressees(change).items()):
            gained, lost = survey.distinct(themes)
            receipt = Receipt(
                revision=change.revision, undo=change.undo, at=change.at, in_force_since=change.at,
                files=_named(_paths(change, themes)), days=survey.days, entries=survey.entries,
                gained=gained, lost=lost, themes=survey.receipts(themes), more_themes=max(0, len(themes) - core.THEMES),
            )  # fmt: skip
            found.append(self._digest(name, change.position, survey.start, start, change.at, receipt))
        return found

    def of_refusal(self, refused: ev.Recorded, row: views.BookRow, book: RuleBook) -> list[Digest]:
        """What the owners of themes in force are told of faults in their files; operators who hear of it at once
        anyway are left out.
        """
        assert isinstance(refused.event, ev.RuleBookRefused)
        receivers = self._timeline.at(refused.position).book
        told: dict[str, list[str]] = {}
        for theme in book.themes:
            files = files_of(book, theme)
            faults = [fault for fault in refused.event.faults if _path_of(fault) in files]
            for name in core.told(receivers, theme.owner) if faults and core.is_live(theme) else ():
                if not core.hears_by_itself(receivers, name):
                    known = told.setdefault(name, [])
                    known += [fault for fault in faults if fault not in known]
        at = refused.recorded_at
        return [
            self._digest(
                name, refused.position, refused.position, at, at,
                Receipt(
                    revision=row.revision, undo=row.revision, at=at, in_force_since=row.adopted_at,
                    files=_named(dict.fromkeys(map(_path_of, faults))), faults=tuple(faults[: core.FAULTS]),
                    more_faults=max(0, len(faults) - core.FAULTS),
                ),
            )
            for name, faults in sorted(told.items())
        ]  # fmt: skip

    def _digest(
        self, receiver: str, position: int, after: int, start: datetime, end: datetime, receipt: Receipt
    ) -> Digest:
        configuration = self._timeline.at(position)
        window_id = _window_id(receiver, position)
        return Digest(
            digest_id=self._gather.digest_id(window_id),
            window_id=window_id,
            receiver=receiver,
            window=digests.period(start, end),
            after=after,
            position=position,
            head=self._store.at(position).hash,
            rules_revision=receipt.revision,
            configuration_revision=configuration.revision,
            time_zone=zone_of(configuration.book.receiver(receiver), configuration),
            coverage=self._gather.coverage(position, 0),
            receipt=receipt,
        )


def _window_id(receiver: str, position: int) -> str:
    return derived_id("rct", receiver, str(position))


def _changes_of(change: Change, document: Document, theme_id: str) -> tuple[RuleChange, ...]:
    found = compare(change.old_engine, change.new_engine, document)
    return tuple(one for one in (*found.gained, *found.lost) if one.theme == theme_id)


def _in_text(hits: Iterable[Evidence]) -> list[Evidence]:
    return [hit for hit in hits if hit.field == "text"]


def _both(change: Change, theme_id: str) -> tuple[Theme | None, Theme | None]:
    return change.old.theme(theme_id), change.new.theme(theme_id)


def _wanted(change: Change) -> dict[str, Theme]:
    """The themes to tell of, each as it is now, or as it was where it is gone."""
    pairs = {theme_id: _both(change, theme_id) for theme_id in change.themes}
    themes = {theme_id: now or was for theme_id, (was, now) in pairs.items() if core.turn_of(was, now)}
    return {theme_id: theme for theme_id, theme in themes.items() if theme is not None and theme.receipt}


_PLACE = re.compile(r"rules/(?P<path>[^:]+)")


def _path_of(fault: str) -> str:
    """The file of a fault in a line, relative to `rules/`; empty where it names none."""
    found = _PLACE.match(fault)
    return found["path"] if found else ""


def _named(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"rules/{path}" for path in paths)


def _paths(change: Change, themes: Iterable[str]) -> list[str]:
    """The saved files on which these themes depend, before or now."""
    files: set[str] = set()
    for theme_id in themes:
        for book, theme in zip((change.old, change.new), _both(change, theme_id), strict=True):
            files |= files_of(book, theme) if theme is not None else set()
    return [path for path in change.paths if path in files]
