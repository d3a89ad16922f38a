"""A rule book as written: themes, concepts, rules, examples. Frozen; compiled by `engine.compile_book`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from monitor.errors import Fault
from monitor.matching.expression import Node
from monitor.matching.model import Mode, Severity


class Term(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One form to look for. `language`: the key it was written under. `name`: a watch-list entry, signs are literal."""

    text: str
    language: str | None = None
    only_in: tuple[str, ...] = ()
    name: bool = False
    line: int = 0
    column: int = 0


class Concept(msgspec.Struct, frozen=True, kw_only=True):
    """A set of terms under a name. `include`: keys of the concepts whose hits count too. `exceptions`: hits inside
    hits of these do not count. `key` is the name within the book: `places.china`, or `theme:name` for a theme's own.
    """

    key: str
    name: str
    terms: tuple[Term, ...]
    include: tuple[str, ...] = ()
    exceptions: tuple[Term, ...] = ()
    watchlist: str | None = None
    path: str = ""
    line: int = 0
    column: int = 0


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry must be, beside its words. Empty and None: anything. `max_age` in seconds."""

    languages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    not_domains: tuple[str, ...] = ()
    max_age: int | None = None
    min_words: int | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One condition. `when`, `unless` as written; `condition`, `exception` their trees. `severity` None: the theme's.

    `anchor`: the concept near misses are looked for by.
    """

    id: str
    when: str
    condition: Node
    unless: str | None = None
    exception: Node | None = None
    severity: Severity | None = None
    where: Where = Where()
    anchor: str | None = None
    line: int = 0
    column: int = 0


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """A count over time. kind: count | spike | first_seen | absence; `of`: stories, entries or a concept's name."""

    id: str
    kind: str
    of: str
    at_least: int | None = None
    within: int | None = None
    factor: int | None = None
    over: int | None = None
    severity: Severity | None = None


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A text the theme must match, or must not; `near_miss`: must fail by one clause. `rule`: this one must match."""

    title: str = ""
    text: str = ""
    language: str | None = None
    url: str | None = None
    author: str | None = None
    source: str | None = None
    tags: tuple[str, ...] | None = None
    expected: bool = True
    near_miss: bool = False
    rule: str | None = None
    line: int = 0
    column: int = 0


class Theme(msgspec.Struct, frozen=True, kw_only=True):
    """What is tracked. `scope`: the name each concept is known by in this theme's rules -> its key in the book.

    Seconds: `close_after`, `rematch`. `near_misses`: at most so many in a digest; None: off.
    """

    id: str
    title: str
    rules: tuple[Rule, ...]
    scope: Mapping[str, str]
    description: str | None = None
    owner: str | None = None
    contact: str | None = None
    severity: Severity = Severity.MEDIUM
    mode: Mode = Mode.LIVE
    tags: tuple[str, ...] = ()
    close_after: int = 7 * 86400
    rematch: int = 14 * 86400
    receipt: bool = True
    near_misses: int | None = 5
    correlations: tuple[Correlation, ...] = ()
    examples: tuple[Example, ...] = ()
    path: str = ""
    line: int = 0
    column: int = 0

    def severity_of(self, rule: Rule) -> Severity:
        """The rule's own severity, else the theme's."""
        return rule.severity or self.severity


class RuleBook(msgspec.Struct, frozen=True, kw_only=True):
    """All themes and concepts. `revision`: hash of the files it was read from. `warnings`: what was left out of it (a
    broken row of a watch-list), which does not stand in the way of the rest.
    """

    revision: str
    themes: tuple[Theme, ...]
    concepts: Mapping[str, Concept]
    warnings: tuple[Fault, ...] = ()

    def theme(self, theme_id: str) -> Theme | None:
        return next((theme for theme in self.themes if theme.id == theme_id), None)

    def terms(self) -> Iterator[Term]:
        """Every term of every concept; literals in expressions are not among them."""
        for concept in self.concepts.values():
            yield from concept.terms
            yield from concept.exceptions
