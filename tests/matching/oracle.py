"""The oracle: what a rule book finds in a document, worked out slowly and plainly from the text of rules.md.

It shares nothing with the program but `Document`: books are these few dataclasses, rendered to YAML for the program by
generate.py and evaluated here as they are. Letters, words and terms are in oracle_letters.py.

Where rules.md leaves a choice:

* Evidence is every hit that takes part in making the rule true: all hits of a concept or literal that holds by itself
  or as an operand of `and`; all true operands of `or`; for proximity the hits of every combination that fulfils it;
  for `a not w/N b` the places of a that are left; for a count the hits that were counted. `not` and `unless` give none.
* A hit is known by the concept the rule names, also where the term came by `include`; a literal's by none ("").
* Proximity inside proximity: the place of the inner one is all its hits together. Two places overlap where hits of
  theirs do, and are as near as their nearest hits; a sentence or paragraph must hold all of both, and one stands
  before the other when all its hits do.
* `a not w/N b`: "near" is what `w/N` asks for, so a b that overlaps the hit of a is not near it.
* All places of a chain are apart from one another, not only each from the one before.
* A sentence or paragraph holds a place when the whole of it lies inside.
* A hit inside a hit of an exception of equal length is inside it. An including concept's exceptions touch included
  hits too; an included concept's own exceptions go with it.
* `only_in`: an entry of unknown language is not one of that language (in `where` it passes, as rules.md says there).
* The longest hit is that of most visible signs. Of counted hits that begin and end alike, the term written first
  counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from monitor.matching.model import Document
from tests.matching.oracle_letters import (
    find,
    find_name,
    length,
    paragraphs,
    sentences,
    word_count,
    words_between,
)

# ------------------------------------------------------------------------------------------------------ a rule book


@dataclass(frozen=True)
class Term:
    text: str
    language: str | None = None
    only_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class Concept:
    """`include`: concepts as they are written there (`vocabulary.concept` or a bare name). `names`: its watch-list."""

    name: str
    terms: tuple[Term, ...]
    include: tuple[str, ...] = ()
    exceptions: tuple[Term, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Name:
    concept: str


@dataclass(frozen=True)
class Quote:
    term: str


@dataclass(frozen=True)
class Not:
    operand: Expression


@dataclass(frozen=True)
class And:
    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Or:
    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Near:
    """A chain of one operator: `w`, `near` or `pre` with a number of words; `s` or `p` for `w/s`, `w/p`."""

    operator: str
    words: int
    negated: bool
    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Only:
    """`title:(…)` and its like."""

    field: str
    operand: Expression


@dataclass(frozen=True)
class AtLeast:
    number: int
    distinct: bool
    operand: Expression


MOST_CHAINS = 5_000


class TooManyChainsError(Exception):
    """A question too great for an oracle that tries every combination; the program has a bound of its own."""


Expression: TypeAlias = Name | Quote | Not | And | Or | Near | Only | AtLeast


@dataclass(frozen=True)
class Where:
    languages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    not_domains: tuple[str, ...] = ()
    max_age_days: int | None = None
    min_words: int | None = None


@dataclass(frozen=True)
class Rule:
    id: str
    when: Expression
    unless: Expression | None = None
    where: Where = field(default_factory=Where)


@dataclass(frozen=True)
class Theme:
    """`use`: vocabularies whose concepts are known by their bare names too."""

    id: str
    concepts: tuple[Concept, ...]
    rules: tuple[Rule, ...]
    use: tuple[str, ...] = ()


@dataclass(frozen=True)
class Book:
    themes: tuple[Theme, ...]
    vocabularies: tuple[tuple[str, tuple[Concept, ...]], ...] = ()


# ------------------------------------------------------------------------------------------------- hits and places


@dataclass(frozen=True, order=True)
class Hit:
    """Offsets into the field (title, text, url or author) as given."""

    field: str
    start: int
    end: int
    concept: str
    term: str


@dataclass(unsafe_hash=True)
class Place:
    """What an operand of proximity was found as: one hit, or the stretch of several."""

    hits: frozenset[Hit]

    def __post_init__(self) -> None:
        self.field = next(iter(self.hits)).field
        self.start = min(hit.start for hit in self.hits)
        self.end = max(hit.end for hit in self.hits)


@dataclass(frozen=True)
class Verdict:
    holds: bool
    evidence: frozenset[Hit] = frozenset()


def overlap(one: Hit, other: Hit) -> bool:
    return one.field == other.field and one.start < other.end and other.start < one.end


def apart(one: Place, other: Place) -> bool:
    return not any(overlap(a, b) for a in one.hits for b in other.hits)


def text_of(document: Document, field: str) -> str:
    texts = {"title": document.title, "text": document.text, "url": document.url, "author": document.author}
    return texts[field] or ""


def matches(book: Book, document: Document) -> dict[tuple[str, str], frozenset[Hit]]:
    """Every rule that a document meets, as (theme, rule), and its evidence."""
    met = {}
    for theme in book.themes:
        judge = Judge(book, theme, document)
        for rule in theme.rules:
            verdict = judge.judge(rule.when, "")
            stopped = rule.unless is not None and judge.judge(rule.unless, "").holds
            if verdict.holds and not stopped and fits(rule.where, document):
                met[theme.id, rule.id] = verdict.evidence
    return met


def fits(where: Where, document: Document) -> bool:
    """Whether the entry is what `where` asks for; unknown dates and languages pass, absent sources and tags fail."""
    host = (urlsplit(document.url).hostname or "") if document.url else ""
    fitting = True
    if where.languages and document.language is not None:
        fitting &= speaks(document.language, where.languages)
    if where.sources:
        fitting &= document.source in where.sources
    if where.tags:
        fitting &= any(tag in where.tags for tag in document.tags or ())
    if where.domains:
        fitting &= any(belongs_to(host, domain) for domain in where.domains)
    if where.not_domains:
        fitting &= not any(belongs_to(host, domain) for domain in where.not_domains)
    if where.max_age_days is not None and document.published and document.first_seen:
        fitting &= (document.first_seen - document.published).total_seconds() <= where.max_age_days * 86_400
    if where.min_words is not None:
        fitting &= word_count(document.title) + word_count(document.text) >= where.min_words
    return fitting


def belongs_to(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def speaks(language: str, wanted: tuple[str, ...]) -> bool:
    return any(language == one or language.startswith(one + "-") for one in wanted)


Find: TypeAlias = Callable[[str, str, bool], frozenset[tuple[int, int]]]
"""Where a term is found in a text; whether that text, as a title is, is one paragraph."""


class Judge:
    """Judges expressions of one theme over one document. A scope is a field of the language, or "" for none."""

    def __init__(self, book: Book, theme: Theme, document: Document) -> None:
        self.book, self.theme, self.document = book, theme, document

    # --- terms and concepts

    def concept(self, name: str, vocabulary: str | None = None) -> tuple[Concept, str | None]:
        """The concept a name stands for, and the vocabulary it is in; `vocabulary`: where the name is written."""
        vocabularies = dict(self.book.vocabularies)
        if "." in name:
            vocabulary, name = name.split(".")
        elif vocabulary is None:
            for concept in self.theme.concepts:
                if concept.name == name:
                    return concept, None
            for used in self.theme.use:
                if any(concept.name == name for concept in vocabularies[used]):
                    vocabulary = used
        assert vocabulary is not None, name
        return next(concept for concept in vocabularies[vocabulary] if concept.name == name), vocabulary

    def concept_hits(self, name: str, known_as: str, vocabulary: str | None = None) -> list[Hit]:
        """All hits of a concept, of what it includes, less those inside its exceptions; in the order of writing."""
        concept, home = self.concept(name, vocabulary)
        hits = [hit for term in concept.terms for hit in self.term_hits(term, known_as)]
        hits += [
            hit
            for name in concept.names
            for hit in self.hits(name, lambda name, text, _: find_name(name, text), known_as)
        ]
        for included in concept.include:
            hits += self.concept_hits(included, known_as, home)
        exceptions = [hit for term in concept.exceptions for hit in self.term_hits(term, "")]
        return [hit for hit in hits if not any(inside(hit, exception) for exception in exceptions)]

    def term_hits(self, term: Term, concept: str) -> list[Hit]:
        language = self.document.language
        if term.only_in and (language is None or not speaks(language, term.only_in)):
            return []
        return self.hits(term.text, find, concept)

    def hits(self, term: str, find: Find, concept: str) -> list[Hit]:
        return [
            Hit(field, start, end, concept, term)
            for field in ("title", "text", "url", "author")
            for start, end in sorted(find(term, text_of(self.document, field), field != "text"))
        ]

    def in_scope(self, hit: Hit, scope: str) -> bool:
        match scope:
            case "":
                return hit.field in ("title", "text")
            case "body":
                return hit.field == "text"
            case "lead":
                first = paragraphs(self.document.text)[:1]
                in_first = any(start <= hit.start and hit.end <= end for start, end in first)
                return hit.field == "title" or (hit.field == "text" and in_first)
            case _:
                return hit.field == scope

    def leaf_hits(self, leaf: Name | Quote, scope: str) -> list[Hit]:
        if isinstance(leaf, Name):
            hits = self.concept_hits(leaf.concept, leaf.concept)
        else:
            hits = self.term_hits(Term(leaf.term), "")
        return [hit for hit in hits if self.in_scope(hit, scope)]

    # --- truth and evidence

    def judge(self, expression: Expression, scope: str) -> Verdict:
        match expression:
            case Name() | Quote():
                hits = frozenset(self.leaf_hits(expression, scope))
                return Verdict(bool(hits), hits)
            case Not():
                return Verdict(not self.judge(expression.operand, scope).holds)
            case And():
                verdicts = [self.judge(operand, scope) for operand in expression.operands]
                if not all(verdict.holds for verdict in verdicts):
                    return Verdict(False)
                return Verdict(True, frozenset().union(*(verdict.evidence for verdict in verdicts)))
            case Or():
                verdicts = [self.judge(operand, scope) for operand in expression.operands]
                true = [verdict.evidence for verdict in verdicts if verdict.holds]
                return Verdict(bool(true), frozenset().union(*true))
            case Near():
                places = self.places(expression, scope)
                return Verdict(bool(places), frozenset().union(*(place.hits for place in places)))
            case Only():
                return self.judge(expression.operand, expression.field)
            case AtLeast():
                return self.count(expression, scope)

    def count(self, expression: AtLeast, scope: str) -> Verdict:
        places = self.places(expression.operand, scope)
        places.sort(key=lambda place: (-self.length(place), place.field != "title", place.start))
        counted: list[Place] = []
        for place in places:
            if all(apart(place, other) for other in counted):
                counted.append(place)
        terms = {hit.term for place in counted for hit in place.hits}
        reached = len(terms) if expression.distinct else len(counted)
        if reached < expression.number:
            return Verdict(False)
        return Verdict(True, frozenset().union(*(place.hits for place in counted)))

    def length(self, place: Place) -> int:
        return length(text_of(self.document, place.field), place.start, place.end)

    # --- proximity

    def places(self, expression: Expression, scope: str) -> list[Place]:
        """Where an operand of proximity or of a count stands."""
        match expression:
            case Name() | Quote():
                return [Place(frozenset([hit])) for hit in self.leaf_hits(expression, scope)]
            case Or():
                found = [place for operand in expression.operands for place in self.places(operand, scope)]
                return list(dict.fromkeys(found))
            case Near():
                operands = [self.places(operand, scope) for operand in expression.operands]
                if expression.negated:
                    others = [place for places in operands[1:] for place in places]
                    return [a for a in operands[0] if not any(self.near(expression, a, b) for b in others)]
                chains = self.chains(expression, operands)
                return list({Place(frozenset().union(*(place.hits for place in chain))) for chain in chains})
            case _:
                raise AssertionError(f"no operand of proximity: {expression}")

    def chains(self, near: Near, operands: list[list[Place]]) -> list[tuple[Place, ...]]:
        """Every choice of one place for each operand that fulfils the operator."""
        chains: list[tuple[Place, ...]] = [(place,) for place in operands[0]]
        for places in operands[1:]:
            chains = [
                (*chain, place)
                for chain in chains
                for place in places
                if all(apart(place, earlier) for earlier in chain) and self.near(near, chain[-1], place)
            ]
            if len(chains) > MOST_CHAINS:
                raise TooManyChainsError(f"{len(chains)} combinations of places")
        return chains

    def near(self, near: Near, one: Place, other: Place) -> bool:
        """Whether two places are as near as the operator asks."""
        if one.field != other.field or not apart(one, other):
            return False
        if near.operator in "sp":
            split = sentences if near.operator == "s" else paragraphs
            stretches = split(text_of(self.document, one.field), one.field != "text")
            return any(holds(stretch, one) and holds(stretch, other) for stretch in stretches)
        if near.operator == "pre" and other.start < one.end:
            return False
        text = text_of(self.document, one.field)
        pairs = [sorted((a, b), key=lambda hit: hit.start) for a in one.hits for b in other.hits]
        return min(words_between(text, first.end, second.start) for first, second in pairs) <= near.words - 1


def inside(hit: Hit, outer: Hit) -> bool:
    return hit.field == outer.field and outer.start <= hit.start and hit.end <= outer.end


def holds(stretch: tuple[int, int], place: Place) -> bool:
    start, end = stretch
    return start <= place.start and place.end <= end
