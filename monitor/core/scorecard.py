"""What each rule and each of its terms has brought: a fold of matches and verdicts over a rule book."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from monitor.matching.book import Rule, RuleBook, Theme
from monitor.matching.expression import Literal, Near, Node, Not, Ref, children
from monitor.matching.model import Mode

LEAST_JUDGED: Final = 3
"""So many alerts must have a verdict before a rule or term is called noisy."""


class Fired(NamedTuple):
    """One rule that one revision of an entry met. `fresh`: no earlier revision of the entry met it.

    `terms`: those in its evidence that no earlier revision had there, and `again` those that one had; `resting`: those
    without whose hits it would not have been met.
    """

    theme: str
    rule: str
    entry_id: str
    at: datetime
    fresh: bool
    terms: tuple[str, ...]
    again: tuple[str, ...] = ()
    resting: tuple[str, ...] = ()


class Verdict(NamedTuple):
    """What an analyst said of an alert: `relevant` or `noise`."""

    alert_id: str
    word: str


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A rule (`term` None) or one of its terms. `hits`: entries, whatever the number of their revisions.

    `relevant`, `noise`: alerts with that verdict among whose entries is one of the hits. `rests`: hits that rest on
    this term; of a rule, on any one term. `share`: of the rule's hits. `terms`: how many a rule looks for, and how many
    of these `never_fired`. `finding`: `dead` (never fired), `noisy` (of `LEAST_JUDGED` judged alerts or more, most are
    noise; of a term, more of them than of its rule) or None.
    """

    theme: str
    rule: str
    term: str | None
    concept: str | None
    mode: Mode
    hits: int
    relevant: int
    noise: int
    precision: float | None
    last_fired: datetime | None
    rests: int
    share: float | None
    terms: int | None = None
    never_fired: int | None = None
    finding: str | None = None


def scorecard(
    book: RuleBook,
    fired: Iterable[Fired],
    verdicts: Mapping[tuple[str, str], Verdict],
    theme: str | None = None,
) -> Iterator[Score]:
    """Every rule of the book (or of one theme), each followed by its terms, the most frequent first.

    `verdicts`: (theme, entry) -> what was said of the alert that holds the entry. Names of a watch-list that never
    fired are counted in `never_fired`, not listed.
    """
    tallies: dict[tuple[str, str], _RuleTally] = {}
    for one in fired:
        tallies.setdefault((one.theme, one.rule), _RuleTally()).take_match(one, verdicts.get((one.theme, one.entry_id)))
    for found in book.themes:
        if theme in (None, found.id) and found.mode is not Mode.OFF:
            for rule in found.rules:
                yield from _scores(book, found, rule, tallies.get((found.id, rule.id), _RuleTally()))


class _Tally:
    """Counts of a rule or a term."""

    def __init__(self) -> None:
        self.hits = self.rests = 0
        self.last: datetime | None = None
        self.relevant: set[str] = set()
        self.noise: set[str] = set()

    def take(self, at: datetime, fresh: bool, rests: bool, verdict: Verdict | None) -> None:
        self.hits += fresh
        self.rests += rests
        self.last = at if self.last is None else max(at, self.last)
        if verdict is not None:
            (self.noise if verdict.word == "noise" else self.relevant).add(verdict.alert_id)

    @property
    def judged(self) -> int:
        return len(self.relevant) + len(self.noise)

    @property
    def noise_share(self) -> float:
        return len(self.noise) / self.judged if self.judged else 0.0


class _RuleTally(_Tally):
    def __init__(self) -> None:
        super().__init__()
        self.terms: dict[str, _Tally] = {}

    def take_match(self, one: Fired, verdict: Verdict | None) -> None:
        self.take(one.at, one.fresh, one.fresh and bool(one.resting), verdict)
        for terms, fresh in ((one.terms, True), (one.again, False)):
            for term in terms:
                rests = one.fresh and term in one.resting
                self.terms.setdefault(term, _Tally()).take(one.at, fresh, rests, verdict)


def _scores(book: RuleBook, theme: Theme, rule: Rule, tally: _RuleTally) -> Iterator[Score]:
    asked = dict(_asked(book, theme, rule.condition))
    silent = [term for term in asked if term not in tally.terms]
    yield _score(
        theme, rule, None, None, tally, tally, len(asked), len(silent),
        "dead" if tally.last is None else "noisy" if _noisy(tally) else None,
    )  # fmt: skip
    known = ((term, tally.terms[term]) for term in asked if term in tally.terms)
    for term, one in sorted(known, key=lambda pair: (-pair[1].hits, -pair[1].rests, pair[0])):
        noisy = _noisy(one) and one.noise_share > tally.noise_share
        yield _score(theme, rule, term, asked[term].concept, one, tally, None, None, "noisy" if noisy else None)
    for term in silent:
        if not asked[term].name:
            yield _score(theme, rule, term, asked[term].concept, _Tally(), tally, None, None, "dead")


def _noisy(tally: _Tally) -> bool:
    return tally.judged >= LEAST_JUDGED and tally.noise_share > 0.5


def _score(
    theme: Theme,
    rule: Rule,
    term: str | None,
    concept: str | None,
    tally: _Tally,
    of_rule: _Tally,
    terms: int | None,
    never_fired: int | None,
    finding: str | None,
) -> Score:
    return Score(
        theme=theme.id, rule=rule.id, term=term, concept=concept, mode=theme.mode, hits=tally.hits,
        relevant=len(tally.relevant), noise=len(tally.noise),
        precision=round(1 - tally.noise_share, 4) if tally.judged else None, last_fired=tally.last, rests=tally.rests,
        share=round(tally.rests / of_rule.hits, 4) if of_rule.hits else None,
        terms=terms, never_fired=never_fired, finding=finding,
    )  # fmt: skip


# --- what a rule looks for


class _Asked(NamedTuple):
    """A term that can make a rule true: the concept its rule knows it by, and whether it is a watch-list's name."""

    concept: str | None
    name: bool


def _asked(book: RuleBook, theme: Theme, node: Node) -> Iterator[tuple[str, _Asked]]:
    """The terms that may stand in the evidence of a rule; not those that shut out."""
    match node:
        case Ref():
            for key in _reached(book, theme.scope[node.name]):
                for term in book.concepts[key].terms:
                    yield term.text, _Asked(node.name, term.name)
        case Literal():
            yield node.term, _Asked(None, False)
        case Not():
            return
        case Near(negated=True):
            yield from _asked(book, theme, node.operands[0])
        case _:
            for child in children(node):
                yield from _asked(book, theme, child)


def _reached(book: RuleBook, key: str) -> list[str]:
    """A concept and those that it includes, also at second hand."""
    reached = [key]
    for one in reached:  # grows while it is walked
        reached += [other for other in book.concepts[one].include if other not in reached]
    return reached
