"""Rule books and documents for the oracle, as a hypothesis strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from hypothesis.vendor.pretty import RepresentationPrinter

from monitor.matching.model import Document
from tests.matching.generate_scripts import SCRIPTS, WATCHED, Script
from tests.matching.generate_texts import Dice, draw_document
from tests.matching.oracle import (
    And,
    AtLeast,
    Book,
    Concept,
    Expression,
    Name,
    Near,
    Not,
    Only,
    Or,
    Quote,
    Rule,
    Term,
    Theme,
    Where,
)
from tests.matching.oracle_files import files_of
from tests.matching.oracle_letters import is_mark

NAMES = ("alpha", "beta", "gamma")


def chance(draw: DrawFn, percent: int) -> bool:
    return draw(st.integers(0, 99)) >= 100 - percent  # the smallest draw says no: shrinking leaves things out


@dataclass(frozen=True, repr=False)
class Case:
    book: Book
    documents: tuple[Document, ...]

    def __repr__(self) -> str:
        files = (f"# {path}\n{text}" for path, text in files_of(self.book).items())
        return "\n".join(("", *files, *map(repr, self.documents)))

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """How hypothesis prints it: as a person would write it, not as a hundred nested data classes."""
        printer.text(repr(self))


def smaller(case: Case) -> Iterator[Case]:
    """The case with one thing less, the greatest first: for a failure that a person can read."""
    for document in case.documents if len(case.documents) > 1 else ():
        yield replace(case, documents=(document,))
    for at, theme in enumerate(case.book.themes):
        others = case.book.themes[:at] + case.book.themes[at + 1 :]
        if others:
            yield replace(case, book=replace(case.book, themes=others))
        for rule in theme.rules if len(theme.rules) > 1 else ():
            yield replace(case, book=replace(case.book, themes=(*others, replace(theme, rules=(rule,)))))
        for number, concept in enumerate(theme.concepts):
            for less in smaller_concepts(concept):
                concepts = theme.concepts[:number] + less + theme.concepts[number + 1 :]
                yield replace(case, book=replace(case.book, themes=(*others, replace(theme, concepts=concepts))))
    for document in case.documents[:1]:
        for field in ("title", "text"):
            text = getattr(document, field)
            words = text.split(" ")
            fewer_words = (" ".join(words[:at] + words[at + 1 :]) for at in range(len(words)))
            fewer_letters = (text[:at] + text[at + 1 :] for at in range(len(text)))
            for less_text in (*fewer_words, *fewer_letters) if text else ():
                yield replace(case, documents=(msgspec.structs.replace(document, **{field: less_text}),))


def smaller_concepts(concept: Concept) -> Iterator[tuple[Concept, ...]]:
    yield ()
    for field in ("terms", "include", "exceptions", "names"):
        items = getattr(concept, field)
        for at in range(len(items)):
            yield (replace(concept, **{field: items[:at] + items[at + 1 :]}),)


@st.composite
def cases(draw: DrawFn) -> Case:
    """A rule book and two documents made for it."""
    scripts = draw(st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=3, unique_by=lambda script: script.name))
    book = draw_book(draw, scripts)
    planted = planted_terms(book)
    return Case(book, tuple(draw_document(draw, scripts, planted) for _ in range(2)))


def draw_term(draw: DrawFn, scripts: Sequence[Script]) -> str:
    dice = Dice(draw)
    script = dice.pick(scripts)
    if dice.chance(40):
        word, other = dice.word(script.alphabet), dice.word(script.alphabet[:3])
        word = script.alphabet[0] + word if is_mark(word[0]) else word
        forms = (
            word,
            word,
            f"{word}*",
            f"*{word}",
            f"{word} {other}",
            f"{word}-{other}",
            f"={word}",
            f"{word}?{other}",
        )
        return dice.pick(forms) if script.spaced else word
    return dice.pick(script.terms)


def draw_terms(draw: DrawFn, scripts: Sequence[Script], most: int) -> tuple[Term, ...]:
    """Different terms, those under one language key side by side, as they stand in a file."""
    dice = Dice(draw)
    terms = []
    for text in dict.fromkeys(draw_term(draw, scripts) for _ in range(1 + dice.below(most))):
        language = dice.pick((None, None, *(script.language for script in scripts)))
        terms.append(Term(text, language, (dice.pick(("de", "en", "zh")),) if dice.chance(8) else ()))
    order = list(dict.fromkeys(term.language for term in terms))
    return tuple(sorted(terms, key=lambda term: order.index(term.language)))


def draw_book(draw: DrawFn, scripts: Sequence[Script]) -> Book:
    shared = [Concept("one", draw_terms(draw, scripts, 3))]
    if chance(draw, 50):
        shared.append(Concept("two", draw_terms(draw, scripts, 2), ("one",), draw_exceptions(draw, scripts)))
    themes = [draw_theme(draw, "theme", scripts, shared)]
    if chance(draw, 15):  # whose concepts have the same names and other terms
        themes.append(draw_theme(draw, "other", scripts, shared))
    return Book(tuple(themes), (("voc", tuple(shared)),))


def draw_theme(draw: DrawFn, id: str, scripts: Sequence[Script], shared: list[Concept]) -> Theme:
    concepts: list[Concept] = []
    for name in NAMES:
        dice = Dice(draw)
        include: tuple[str, ...] = (f"voc.{dice.pick(shared).name}",) if dice.chance(30) else ()
        if concepts and dice.chance(10):
            include += (concepts[-1].name,)
        names = dict.fromkeys(dice.pick(WATCHED) for _ in range(3 if dice.chance(15) else 0))
        exceptions = draw_exceptions(draw, scripts) if dice.chance(60) else ()
        concepts.append(Concept(name, draw_terms(draw, scripts, 4), include, exceptions, tuple(names)))
    leaves: Leaves = {Name(concept.name): terms_of(concept, (*concepts, *shared)) for concept in concepts}
    leaves |= {Name(name): terms_of(shared[0], shared) for name in ("one", "voc.one")}
    leaves |= {Quote(term): frozenset([term]) for term in (draw_term(draw, scripts), draw_term(draw, scripts))}
    rules = tuple(draw_rule(draw, f"rule-{number}", leaves) for number in range(3))
    return Theme(id, tuple(concepts), rules, ("voc",))


def draw_exceptions(draw: DrawFn, scripts: Sequence[Script]) -> tuple[Term, ...]:
    terms = draw_terms(draw, scripts, 2) if chance(draw, 50) else ()
    return tuple(Term(term.text) for term in terms)


Leaves: TypeAlias = "dict[Name | Quote, frozenset[str]]"
"""What stands in a theme's expressions, each with the terms that may be hit there."""


def terms_of(concept: Concept, others: Sequence[Concept]) -> frozenset[str]:
    terms = {term.text for term in concept.terms} | set(concept.names)
    for included in concept.include:
        name = included.removeprefix("voc.")
        terms |= terms_of(next(other for other in others if other.name == name), others)
    return frozenset(terms)


def planted_terms(book: Book) -> tuple[str, ...]:
    concepts = [concept for theme in book.themes for concept in theme.concepts]
    concepts += [concept for _, vocabulary in book.vocabularies for concept in vocabulary]
    terms = [term.text for concept in concepts for term in (*concept.terms, *concept.exceptions)]
    terms += [name for concept in concepts for name in concept.names]
    for theme in book.themes:
        for rule in theme.rules:
            terms += [leaf.term for leaf in leaves_of(rule.when) if isinstance(leaf, Quote)]
    return tuple(dict.fromkeys(terms))


def leaves_of(expression: Expression) -> list[Name | Quote]:
    match expression:
        case Name() | Quote():
            return [expression]
        case And() | Or() | Near():
            return [leaf for operand in expression.operands for leaf in leaves_of(operand)]
        case Not() | Only() | AtLeast():
            return leaves_of(expression.operand)


def draw_rule(draw: DrawFn, id: str, leaves: Leaves) -> Rule:
    when = draw_condition(draw, leaves, 2)
    if not asks(when):
        when = And((draw(st.sampled_from(list(leaves))), when))
    unless = draw_condition(draw, leaves, 1) if chance(draw, 15) else None
    if unless is not None and (not asks(unless) or unless == when):
        unless = None
    return Rule(id, when, unless, draw_where(draw) if chance(draw, 15) else Where())


def asks(expression: Expression) -> bool:
    """Whether an expression asks for at least one thing to be there: it is false of an empty entry."""
    match expression:
        case Not():
            return not asks(expression.operand)
        case And():
            return any(map(asks, expression.operands))
        case Or():
            return all(map(asks, expression.operands))
        case Only():
            return asks(expression.operand)
        case _:
            return True


def draw_where(draw: DrawFn) -> Where:
    wheres = (
        Where(languages=("en", "zh")),
        Where(sources=("wire",)),
        Where(tags=("official", "eu")),
        Where(domains=("example.org",)),
        Where(not_domains=("example.org",)),
        Where(max_age_days=14),
        Where(min_words=draw(st.integers(5, 30))),
    )
    return draw(st.sampled_from(wheres))


def draw_condition(draw: DrawFn, leaves: Leaves, depth: int, field: bool = True) -> Expression:
    """`field`: whether `title:(…)` and its like may stand here; they do not nest."""
    kind = draw(st.integers(0, 99))
    if depth == 0 or kind < 8:
        return draw(st.sampled_from(list(leaves)))
    if kind < 25:
        return And(tuple(several(draw, lambda: draw_condition(draw, leaves, depth - 1, field))))
    if kind < 34:
        return Or(tuple(several(draw, lambda: draw_condition(draw, leaves, depth - 1, field))))
    if kind < 41:
        operand = draw_condition(draw, leaves, depth - 1, field)
        return Not(Not(operand)) if chance(draw, 30) else Not(operand)
    if kind < 62 and field:
        name = draw(st.sampled_from(("title", "title", "body", "body", "lead", "lead", "url", "author")))
        if name in ("url", "author"):
            return Only(name, Or(tuple(map(Name, NAMES))))
        return Only(name, draw_condition(draw, leaves, depth - 1, False))
    if kind < 75:
        counted = draw_choice(draw, leaves)
        number = draw(st.integers(2, 3))
        different = frozenset().union(*(leaves[leaf] for leaf in leaves_of(counted)))
        return AtLeast(number, chance(draw, 50) and len(different) >= number, counted)
    return draw_near(draw, leaves, 1)


def several(draw: DrawFn, make: Callable[[], Expression]) -> list[Expression]:
    return [make() for _ in range(draw(st.sampled_from((2, 2, 3))))]


def draw_choice(draw: DrawFn, leaves: Leaves) -> Expression:
    if chance(draw, 30):
        return Or(tuple(draw(st.lists(st.sampled_from(list(leaves)), min_size=2, max_size=2, unique=True))))
    return draw(st.sampled_from(list(leaves)))


def draw_near(draw: DrawFn, leaves: Leaves, depth: int) -> Near:
    operator = draw(st.sampled_from(("w", "near", "pre", "s", "p")))
    negated = operator != "pre" and chance(draw, 35)
    operands = []
    for _ in range(draw(st.sampled_from((2, 2, 2, 3)))):
        nested = depth > 0 and chance(draw, 12)
        operands.append(draw_near(draw, leaves, 0) if nested else draw_choice(draw, leaves))
    words = draw(st.sampled_from((10, 50, 300))) if chance(draw, 15) else draw(st.integers(1, 5))
    return Near(operator, words, negated, tuple(operands))
