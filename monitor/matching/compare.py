"""Two rule books over one document: which rules it meets under one alone, and by which terms. What a match rests on.

A match *rests on* a term where the rule's condition would not hold without that term's hits in the document. A match
that two terms of a concept make true, either of which would do, rests on neither.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from copy import copy
from enum import StrEnum
from typing import NamedTuple

import msgspec

from monitor.matching import evaluate as run
from monitor.matching import expression as ex
from monitor.matching.engine import CompiledRule, Engine, evidence, where_failed
from monitor.matching.evaluate import Place
from monitor.matching.model import Document, Evidence, Severity
from monitor.matching.scan import Scan


class Change(StrEnum):
    """GAINED: only the new rules find it; LOST: only the old ones."""

    GAINED = "gained"
    LOST = "lost"


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that a document meets under one of two books alone. `severity`, `evidence`: under that book.

    `terms`: those that decide, each as written in the file; empty where something else than a term does. `reason` says
    in a line what decides, terms or not. `deciding`: the places of `terms`; a part of `evidence`, but for words that
    stop the rule under the other book (of an `unless` or a `not`).
    """

    theme: str
    rule: str
    change: Change
    severity: Severity
    terms: tuple[str, ...]
    reason: str
    evidence: tuple[Evidence, ...]
    deciding: tuple[Evidence, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What a document meets under two books. `unchanged`: (theme, rule) met under both. All in the order of a book."""

    gained: tuple[RuleChange, ...]
    lost: tuple[RuleChange, ...]
    unchanged: tuple[tuple[str, str], ...]


def compare(old: Engine, new: Engine, document: Document, *, strict: bool = True) -> Comparison:
    """Which rules a document meets under one of two books alone, and why. `strict` as for `Engine.match`."""
    before, after = _Side(old, document, strict), _Side(new, document, strict)
    return Comparison(
        gained=tuple(_change(Change.GAINED, after, before, key) for key in after.met if key not in before.met),
        lost=tuple(_change(Change.LOST, before, after, key) for key in before.met if key not in after.met),
        unchanged=tuple(key for key in after.met if key in before.met),
    )


def rests_on(rule: CompiledRule, scan: Scan) -> tuple[str, ...]:
    """The terms without whose hits the condition of a rule would not hold, in the order of the text; none where it
    does not hold anyway.
    """
    true = rule.condition.true(scan, None)
    return _resting(rule.condition, scan, rule.condition.places(scan, None)) if true else ()


class _Side:
    """One book over the document. `met`: (theme, rule) -> the rule, of those that are met."""

    def __init__(self, engine: Engine, document: Document, strict: bool) -> None:
        self.scan, self.strict = engine.scan(document), strict
        self.met = {_key(rule): rule for rule in engine.met(self.scan, strict=strict)}
        self._engine = engine

    def rule(self, key: tuple[str, str]) -> CompiledRule | None:
        return next((rule for rule in self._engine.rules if _key(rule) == key), None)


def _key(rule: CompiledRule) -> tuple[str, str]:
    return rule.theme.id, rule.rule.id


class _Cause(NamedTuple):
    """Why a rule holds on one side alone. `places` of the terms that decide, with the scan that they are of."""

    reason: str
    places: list[Place]
    scan: Scan


def _change(change: Change, holding: _Side, failing: _Side, key: tuple[str, str]) -> RuleChange:
    rule = holding.met[key]
    other = failing.rule(key)
    cause = _cause(change, rule, holding.scan, other, failing)
    return RuleChange(
        theme=rule.theme.id, rule=rule.rule.id, change=change, severity=rule.theme.severity_of(rule.rule),
        terms=_terms(cause.places), reason=cause.reason, deciding=evidence(cause.places, cause.scan),
        evidence=evidence(rule.condition.places(holding.scan, None), holding.scan),
    )  # fmt: skip


def _cause(change: Change, rule: CompiledRule, scan: Scan, other: CompiledRule | None, failing: _Side) -> _Cause:
    lost = change is Change.LOST
    if other is None:
        return _Cause("the rule is gone" if lost else "the rule is new", [], scan)
    against = failing.scan
    if other.condition.true(against, None):
        again = "" if lost else "no longer "
        if other.exception is not None and other.exception.true(against, None):
            places = other.exception.places(against, None)
            wanted = _resting(other.exception, against, places)
            stopping = [place for place in places if place.hit.term in wanted] if wanted else places
            return _Cause(f"{again}stopped by unless: {_shown(stopping) or other.rule.unless}", stopping, against)
        return _Cause(f"{again}stopped by where: {where_failed(other.rule.where, against, failing.strict)}", [], scan)
    places = _deciding(rule.condition, scan, other.condition, against)
    if places:
        return _Cause(f"{'no longer' if lost else 'newly'} found: {_shown(places)}", places, scan)
    places = _deciding(other.condition, against, rule.condition, scan)
    if places:
        return _Cause(f"{'' if lost else 'no longer '}shut out by: {_shown(places)}", places, against)
    failed = [
        " ".join(other.rule.when[clause.start : clause.end].split())
        for clause, part in zip(ex.clauses(other.rule.condition), _operands(other.condition), strict=True)
        if not part.true(against, None)
    ]
    return _Cause(f"{'no longer holds' if lost else 'did not hold'}: {'; '.join(failed)}", [], scan)


def _operands(node: run.Node) -> tuple[run.Node, ...]:
    return node.operands if isinstance(node, run.And) else (node,)


def _deciding(node: run.Node, scan: Scan, other: run.Node, against: Scan) -> list[Place]:
    """The hits of an expression that the other book's does not have and that make it true, or false.

    Those of terms each of which decides by itself; else of all that do together. What is compared is the words found,
    then also the concept they are found by, then also the term: what a term finds is not gone where another one finds
    it, unless that is what makes the difference.
    """
    true = node.true(scan, None)
    for part in (_words, _words_and_concept, _words_and_term):
        there = {part(place, against) for place in _hits(other, against)}
        missing = {place for place in _hits(node, scan) if part(place, scan) not in there}
        if missing and _holds_without(node, scan, missing.__contains__) != true:
            gone = sorted(missing.intersection(node.places(scan, None)) if true else missing)
            alone = [term for term in _terms(gone) if _holds_without(node, scan, _of(term, missing)) != true]
            return [place for place in gone if place.hit.term in alone] if alone else gone
    return []


def _words(place: Place, scan: Scan) -> tuple[Hashable, ...]:
    number = scan.field_at(place.hit.start)
    return scan.fields[number], place.hit.start - scan.starts[number], place.hit.end - scan.starts[number]


def _words_and_concept(place: Place, scan: Scan) -> tuple[Hashable, ...]:
    return (*_words(place, scan), place.name)


def _words_and_term(place: Place, scan: Scan) -> tuple[Hashable, ...]:
    return (*_words(place, scan), place.hit.term)


def _terms(places: list[Place]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(place.hit.term for place in sorted(places)))


def _shown(places: list[Place]) -> str:
    return ", ".join(f"'{term}'" for term in _terms(places))


# --- what if these hits were not there


def _resting(node: run.Node, scan: Scan, places: list[Place]) -> tuple[str, ...]:
    """The terms of `places` without whose hits a true expression does not hold."""
    every = set(_hits(node, scan))
    return tuple(term for term in _terms(places) if not _holds_without(node, scan, _of(term, every)))


def _of(term: str, places: set[Place]) -> Callable[[Place], bool]:
    return lambda place: place.hit.term == term and place in places


def _holds_without(node: run.Node, scan: Scan, struck: Callable[[Place], bool]) -> bool:
    """Whether an expression holds where the concepts and literals in it lack the hits that are struck."""
    reduced = copy(scan)
    reduced.memo = {
        (leaf, field): [place for place in leaf.places(scan, field) if not struck(place)]
        for leaf, field in run.leaves(node)
    }
    return node.true(reduced, None)


def _hits(node: run.Node, scan: Scan) -> Iterator[Place]:
    for leaf, field in run.leaves(node):
        yield from leaf.places(scan, field)
