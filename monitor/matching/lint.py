"""Legal but poor: what a careful colleague would point out in a rule book."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from monitor.errors import Fault
from monitor.matching.book import Concept, RuleBook, Term, Theme
from monitor.matching.everyday import BUSINESS_WORDS, COMMON_WORDS
from monitor.matching.expression import Literal, Near, Node, Ref, children, leaves
from monitor.matching.languages import speaks
from monitor.matching.model import Mode
from monitor.matching.scripts import (
    ARABIC,
    CJK,
    CYRILLIC,
    GREEK,
    HANGUL,
    HEBREW,
    LATIN,
    NEUTRAL,
    OTHER,
    SOUTH_EAST,
    class_of,
)
from monitor.matching.terms import Exact, Form, Plain, Regex, TermFault, form_of, name

_SHOWN = 5


def lint(
    book: RuleBook,
    languages: Collection[str] = (),
    sources: Collection[str] | None = None,
    tags: Collection[str] | None = None,
) -> list[Fault]:
    """Remarks, each at its place. `languages`: those the watched sources use, for the coverage of concepts.

    `sources` and `tags`: the ids and tags of the watched sources, for what rules ask for; None: not known.
    """
    return sorted([*_concepts(book), *_themes(book), *_uncovered(book, languages), *_unknown(book, sources, tags)])


def _at(concept: Concept, term: Term, message: str) -> Fault:
    return Fault(concept.path, term.line, term.column, f"{message} (concept '{concept.name}')")


def _form(term: Term) -> Form | TermFault:
    return name(term.text) if term.name else form_of(term.text)


# --- concepts


def _concepts(book: RuleBook) -> Iterator[Fault]:
    used = _used(book)
    alive = {book.concepts[key].path for key in used}
    forms = {key: [(term, _form(term)) for term in concept.terms] for key, concept in book.concepts.items()}
    said = frozenset(_said(forms.values()))
    for key, concept in book.concepts.items():
        shared = "." in concept.key and concept.path in alive  # a vocabulary may hold more than one book needs
        if concept.key not in used and not shared:
            yield Fault(concept.path, concept.line, concept.column, f"concept '{concept.name}' is used by no rule")
        written = forms[key]
        yield from _short_names(concept, written)
        yield from _everyday_names(concept, written, said)
        yield from _poor_terms(concept, [(term, form) for term, form in written if not term.name])


def _used(book: RuleBook) -> set[str]:
    used: set[str] = set()
    for theme in book.themes:
        for rule in theme.rules:
            for tree in (rule.condition, rule.exception):
                used |= {theme.scope[leaf.name] for leaf in leaves(tree) if isinstance(leaf, Ref)} if tree else set()
        used |= {theme.scope[item.of] for item in theme.correlations if item.of in theme.scope}
    waiting = list(used)
    while waiting:
        for key in book.concepts[waiting.pop()].include:
            if key not in used:
                used.add(key)
                waiting.append(key)
    return used


def _short_names(concept: Concept, written: list[tuple[Term, Form | TermFault]]) -> Iterator[Fault]:
    exact = (term.text for term, form in written if term.name and isinstance(form, Exact))
    short = [text for text in exact if text.upper() != text.lower()]  # else the script knows no case
    if short:
        more = f" and {len(short) - _SHOWN} more" if len(short) > _SHOWN else ""
        listed = ", ".join(short[:_SHOWN])
        message = f"short names of {concept.watchlist} are found in their exact case only: {listed}{more}"
        yield Fault(concept.path, concept.line, concept.column, message)


def _said(forms: Iterable[list[tuple[Term, Form | TermFault]]]) -> Iterator[str]:
    """Single words that concepts look for as words, not as names of a list."""
    for written in forms:
        for term, form in written:
            if isinstance(form, Plain) and not term.name:
                yield from (needle for needle in form.needles if needle.isalpha())


def _everyday_names(
    concept: Concept, written: list[tuple[Term, Form | TermFault]], said: Collection[str]
) -> Iterator[Fault]:
    """Names of which, without the legal form, a word is left that is met everywhere: `China Limited`, `Global Ltd`."""
    names = [(term.text, form.needles) for term, form in written if term.name and isinstance(form, Plain)]
    poor = [text for text, needles in names if any(needle in BUSINESS_WORDS or needle in said for needle in needles)]
    if poor:
        more = f" and {len(poor) - _SHOWN} more" if len(poor) > _SHOWN else ""
        listed = ", ".join(poor[:_SHOWN])
        message = f"names of {concept.watchlist} are found wherever an everyday word stands: {listed}{more}"
        yield Fault(concept.path, concept.line, concept.column, message)


def _poor_terms(concept: Concept, written: list[tuple[Term, Form | TermFault]]) -> Iterator[Fault]:
    """What is said of single terms. That a language repeats another's word is none: each list is whole by itself."""
    seen: dict[tuple[str | None, Form], str] = {}
    stems: dict[str | None, dict[str, str]] = {}
    for term, form in written:
        if isinstance(form, Plain) and form.grows_right and not form.grows_left:
            stems.setdefault(term.language, {})[form.needles[0]] = term.text
    for term, form in written:
        if isinstance(form, TermFault):
            continue
        first = term.text if term.only_in else seen.setdefault((term.language, form), term.text)
        if first != term.text:
            yield _at(concept, term, f"'{term.text}' finds the same as '{first}'")
        elif cover := _cover(term, form, stems.get(term.language, {})):
            yield _at(concept, term, f"'{term.text}' is found by '{cover}' already")
        yield from (_at(concept, term, message) for message in _poor(term, form))


def _cover(term: Term, form: Form, stems: dict[str, str]) -> str | None:
    """The term with a star that finds all that this one does."""
    if not stems or not isinstance(form, Plain) or form.grows_left:
        return None
    for needle in form.needles:
        covers = (stems.get(needle[:end]) for end in range(1, len(needle) + 1))
        cover = next((found for found in covers if found not in (None, term.text)), None)
        if cover is None or not needle.isalnum():
            return None
    return cover


def _poor(term: Term, form: Form) -> Iterator[str]:
    if isinstance(form, Regex):
        if not form.needles:
            yield f"'{term.text}' has no part of three letters or digits, so it is tried on every text"
        if not term.text.isascii() and re.search(r"\\[wWbB]", term.text):
            yield f"\\w and \\b know a-z alone (RE2 syntax): in '{term.text}' write \\pL for a letter of any alphabet"
        return
    if term.text.lower() in COMMON_WORDS:
        yield f"'{term.text}' is met in almost every text of its language"
    longest = max(form.needles, key=len)
    classes = list(map(class_of, longest))
    kinds, letters = set(classes), len(classes) - classes.count(OTHER)
    spaced = not kinds & {CJK, SOUTH_EAST}
    if not isinstance(form, Exact) and letters <= (1 if HANGUL in kinds else 2) and spaced:
        exactly = term.text.strip("*")
        yield f"'{term.text}' is short and is found often; write \"={exactly}\" for exactly this, or a longer form"
    if isinstance(form, Plain) and (form.grows_left or form.grows_right) and not spaced:
        yield f"the * of '{term.text}' stands for nothing: this script has no word ends"
    if term.text.endswith("!"):
        yield f"the ! of '{term.text}' is looked for literally; any ending is written *"


def _uncovered(book: RuleBook, languages: Collection[str]) -> Iterator[Fault]:
    """Concepts without terms in a language of the sources: by the keys or, where there are none, by the script."""
    wanted = sorted({code.lower().partition("-")[0] for code in languages})
    for key in sorted(_used(book)):
        concept = book.concepts[key]
        own = {term.language or "en" for term in concept.terms}
        if any(term.language for term in concept.terms):
            missing = [language for language in wanted if not any(speaks(code, [language]) for code in own)]
        elif concept.include or concept.watchlist or not any(map(_is_prose, concept.terms)):
            continue
        else:
            scripts = {class_of(char) for term in concept.terms for char in term.text}
            missing = [language for language in wanted if _SCRIPTS.get(language, LATIN) not in scripts]
        if missing:
            message = f"concept '{concept.name}' has no terms in {', '.join(missing)}, which sources are written in"
            yield Fault(concept.path, concept.line, concept.column, message)


def _is_prose(term: Term) -> bool:
    """Whether a term is words of some language, not a number, an acronym or what must stand exactly so."""
    letters = any(class_of(char) not in (OTHER, NEUTRAL) for char in term.text)
    return letters and not term.text.isupper() and not term.text.startswith(("=", "/"))


_SCRIPTS: Final = (
    dict.fromkeys(("zh", "ja"), CJK)
    | dict.fromkeys(("be", "bg", "kk", "ky", "mk", "mn", "ru", "sr", "tg", "uk"), CYRILLIC)
    | dict.fromkeys(("ar", "fa", "ps", "ug", "ur"), ARABIC)
    | {"el": GREEK, "he": HEBREW, "ko": HANGUL}
    | dict.fromkeys(("km", "lo", "my", "th"), SOUTH_EAST)
)


# --- themes


def _themes(book: RuleBook) -> Iterator[Fault]:
    for theme in book.themes:
        if not theme.examples and theme.mode != Mode.OFF:
            yield Fault(theme.path, theme.line, theme.column, f"theme '{theme.id}' has no examples")
        for rule in theme.rules:
            for tree in (rule.condition, rule.exception):
                if tree is None:
                    continue
                for message in _poor_expression(tree, theme, book):
                    yield Fault(theme.path, rule.line, rule.column, f"rule '{rule.id}': {message}")


def _unknown(book: RuleBook, sources: Collection[str] | None, tags: Collection[str] | None) -> Iterator[Fault]:
    """Sources and tags that rules ask for and no watched source has."""
    for theme in book.themes:
        for rule in theme.rules:
            for kind, asked, known in (("id", rule.where.sources, sources), ("tag", rule.where.tags, tags)):
                for word in () if known is None else (word for word in asked if word not in known):
                    message = f"rule '{rule.id}': no watched source has the {kind} '{word}' that 'where' asks for"
                    yield Fault(theme.path, rule.line, rule.column, message)


def _poor_expression(node: Node, theme: Theme, book: RuleBook) -> Iterator[str]:
    if isinstance(node, Literal):
        form = form_of(node.term)
        if not isinstance(form, TermFault):
            yield from _poor(Term(text=node.term), form)
    if isinstance(node, Near) and node.negated:
        near = {needle for operand in node.operands[1:] for needle in _needles(operand, theme, book)}
        for needle in sorted(_needles(node.operands[0], theme, book)):
            longer = next((other for other in sorted(near) if needle in other), None)
            if longer is not None:
                yield f"'{longer}' holds '{needle}': overlapping hits are not near each other; 'except' leaves such out"
                break
    for child in children(node):
        yield from _poor_expression(child, theme, book)


def _needles(node: Node, theme: Theme, book: RuleBook) -> set[str]:
    found: set[str] = set()
    for leaf in leaves(node):
        terms = book.concepts[theme.scope[leaf.name]].terms if isinstance(leaf, Ref) else (Term(text=leaf.term),)
        for term in terms:
            form = _form(term)
            found |= set() if isinstance(form, TermFault | Regex) else set(form.needles)
    return found
