"""Matches as the log holds them, with what each rested on under the rules of then: what a scorecard is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import structlog

from monitor.core import events as ev
from monitor.core import views
from monitor.core.scorecard import Fired, Verdict
from monitor.errors import ConfigurationError
from monitor.matching.compare import rests_on
from monitor.matching.engine import CompiledRule, Engine
from monitor.matching.model import RuleMatch
from monitor.pipeline.backtest import ENTRIES
from monitor.pipeline.detect import document_of
from monitor.ports import EventStore

log = structlog.get_logger()

Compile = Callable[[Mapping[str, str]], Engine]
"""Rule files as adopted (path -> text) to an engine. Raises `ConfigurationError` where this version refuses them."""


def verdicts(store: EventStore) -> dict[tuple[str, str], Verdict]:
    """(theme, entry) -> what was last said of the alert that holds the entry; alerts without a verdict are left out."""
    return {
        (alert.theme, entry_id): Verdict(alert.alert_id, alert.verdict)
        for alert in store.rows(views.ALERTS)
        if alert.verdict is not None
        for entry_id in alert.entry_ids
    }


def fired(store: EventStore, compile_files: Compile, theme: str | None = None) -> Iterator[Fired]:
    """Every rule (of one theme, where it is given) that an entry met, in the order of the log."""
    books = _Books(compile_files)
    row: views.BookRow | None = None
    for recorded in store.read(types=("RuleBookAdopted", "EntryMatched")):
        event = recorded.event
        if isinstance(event, ev.RuleBookAdopted):
            row = views.RULE_BOOK.fold(row, recorded, views.CURRENT)
            assert row is not None, "an adopted book is a row"
            books.files[row.revision] = row.files
        elif isinstance(event, ev.EntryMatched) and theme in (None, event.theme):
            yield from _of_match(store, recorded, event, books)


def _of_match(store: EventStore, recorded: ev.Recorded, event: ev.EntryMatched, books: _Books) -> Iterator[Fired]:
    # Only a revision, or an edited rule that found an older entry, can be the second match of an entry.
    origin = store.at(recorded.causation) if recorded.causation else None
    first = origin is not None and isinstance(origin.event, ev.EntryObserved)
    before = {} if first else _before(store, event, recorded.position)
    resting = _resting(store, event, origin if first else _origin(store, event), books)
    for rule in event.rules:
        known = before.get(rule.rule)
        terms = _terms(rule)
        fresh = known is None
        yield Fired(
            theme=event.theme, rule=rule.rule, entry_id=event.entry_id, at=recorded.recorded_at, fresh=fresh,
            terms=tuple(term for term in terms if known is None or term not in known),
            again=() if known is None else tuple(term for term in terms if term in known),
            resting=resting(rule.rule) if fresh else (),
        )  # fmt: skip


def _terms(rule: RuleMatch) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hit.term for hit in rule.evidence))


def _before(store: EventStore, event: ev.EntryMatched, position: int) -> dict[str, set[str]]:
    """Rule -> terms by which the entry met it before."""
    found: dict[str, set[str]] = {}
    for recorded in store.read(upto=position - 1, stream=f"entry/{event.entry_id}", types=("EntryMatched",)):
        if isinstance(recorded.event, ev.EntryMatched) and recorded.event.theme == event.theme:
            for rule in recorded.event.rules:
                found.setdefault(rule.rule, set()).update(_terms(rule))
    return found


def _origin(store: EventStore, event: ev.EntryMatched) -> ev.Recorded | None:
    """The event that holds the text of the revision that matched."""
    for recorded in store.read(stream=f"entry/{event.entry_id}", types=ENTRIES):
        if event.revision == (recorded.event.revision if isinstance(recorded.event, ev.EntryRevised) else 1):
            return recorded
    return None


def _resting(
    store: EventStore, event: ev.EntryMatched, origin: ev.Recorded | None, books: _Books
) -> Callable[[str], tuple[str, ...]]:
    """What a rule of the match rested on; nothing where the text was erased or the book is not understood any more."""
    book, row = books.book(event.book), store.get(views.ENTRIES, event.entry_id)
    seen = origin.event if origin else None
    if book is None or row is None or not isinstance(seen, ev.EntryObserved | ev.EntryRevised):
        return lambda rule: ()
    scan = book.engine.scan(document_of(seen, row))
    rules = book.rules
    return lambda rule: rests_on(rules[event.theme, rule], scan) if (event.theme, rule) in rules else ()


class _Book(NamedTuple):
    engine: Engine
    rules: dict[tuple[str, str], CompiledRule]


class _Books:
    """Rule books of the log by revision; the last one asked for is kept compiled."""

    def __init__(self, compile_files: Compile) -> None:
        self.files: dict[str, Mapping[str, str]] = {}
        self._compile = compile_files
        self._last: tuple[str, _Book | None] = ("", None)

    def book(self, revision: str) -> _Book | None:
        if self._last[0] != revision:
            self._last = (revision, self._compiled(revision))
        return self._last[1]

    def _compiled(self, revision: str) -> _Book | None:
        if revision not in self.files:
            return None
        try:
            engine = self._compile(self.files[revision])
        except ConfigurationError as error:
            log.warning(f"rule book '{revision}': {error}; what its matches rested on is not counted")
            return None
        return _Book(engine, {(rule.theme.id, rule.rule.id): rule for rule in engine.rules})
