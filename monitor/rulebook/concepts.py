"""Concepts as YAML states them: terms, per language too, includes, exceptions; shared vocabularies."""

from __future__ import annotations

import re
from typing import NamedTuple

from monitor.errors import Fault
from monitor.matching.book import Concept, Term
from monitor.matching.syntax import is_reserved
from monitor.matching.terms import TermFault, form_of
from monitor.rulebook.document import Fields, Node, did_you_mean
from monitor.rulebook.fields import short
from monitor.rulebook.languages import is_language, may_be_language
from monitor.rulebook.slips import EMPTY_ITEM, not_text

NAME = r"[a-z0-9][a-z0-9-]*"
_FILL = "give it terms, a list or an include"
_KEYS = ("terms", "include", "except", "list")


class DraftConcept(NamedTuple):
    """A concept whose includes and watch-list are not looked up yet, with the places they are named at."""

    concept: Concept
    where: Node
    include: tuple[Node, ...] = ()
    watchlist: Node | None = None


def read_vocabulary(node: Node, path: str, stem: str, faults: list[Fault]) -> dict[str, DraftConcept]:
    """The concepts of `rules/concepts/<stem>.yaml`, by name; their keys are `<stem>.<name>`."""
    fields = Fields(node, path, faults, "vocabulary")
    if not re.fullmatch(NAME, stem):
        fields.fault(node, f"the file name '{stem}' is no name; wanted: lower-case letters, digits and '-'")
    found = read_concepts(fields, path, f"{stem}.", faults)
    if fields.has("use"):
        fields.fault(fields.key("use"), "a vocabulary holds 'concepts' alone; include another file's as places.china")
        fields.node("use")
    fields.finish()
    return found


def read_concepts(fields: Fields, path: str, prefix: str, faults: list[Fault]) -> dict[str, DraftConcept]:
    """The concepts under the key `concepts`, by name."""
    node = fields.node("concepts")
    concepts: dict[str, DraftConcept] = {}
    if node is None:
        return concepts
    if node.kind != "map":
        fields.fault(node, "'concepts' is a block of 'name:' lines, each with its terms below")
        return concepts
    for key, value in node.pairs:
        name = key.text
        if not re.fullmatch(NAME, name):
            faults.append(key.fault(f"'{short(name)}' is no name; wanted: lower-case letters, digits and '-'"))
        elif is_reserved(name):
            faults.append(key.fault(f"'{name}' is a word of the expression language; give the concept another name"))
        else:
            concepts[name] = _concept(key, value, path, prefix, faults)
    return concepts


def _concept(key: Node, value: Node, path: str, prefix: str, faults: list[Fault]) -> DraftConcept:
    name = key.text
    if value.kind == "list":  # `russia: [Russia, Moscow]`
        terms = _terms(value, None, faults)
        concept = Concept(key=prefix + name, name=name, terms=terms, path=path, line=key.line, column=key.column)
        return DraftConcept(concept, key)
    if value.empty:
        faults.append(key.fault(f"concept '{name}' is empty; {_FILL}"))
        return DraftConcept(Concept(key=prefix + name, name=name, terms=(), path=path), key)
    fields = Fields(value, path, faults, f"concept '{name}'")
    terms = ()
    if not fields.has("terms"):
        fields.node("terms")  # so that a misspelt key is told of it
    for found, written in value.pairs if value.kind == "map" else ():
        word = found.text
        if word == "terms" or is_language(word):
            fields.node(word)
            terms += _terms(written, None if word == "terms" else word, faults)
        elif word not in _KEYS and may_be_language(word):
            fields.node(word)
            hint = did_you_mean(word, _KEYS)
            faults.append(found.fault(f"'{word}' is no language, nor one of {', '.join(_KEYS)}{hint}"))
    node = fields.node("except")
    exceptions = _terms(node, None, faults) if node is not None else ()
    include = fields.text_nodes("include")
    watchlist = fields.node("list")
    if watchlist is not None and not fields.is_text(watchlist):
        watchlist = None
    if value.kind == "map" and not (terms or include or fields.has("list")):
        faults.append(key.fault(f"concept '{name}' is empty; {_FILL}"))
    fields.finish()
    concept = Concept(
        key=prefix + name, name=name, terms=terms, exceptions=exceptions, path=path, line=key.line, column=key.column,
        watchlist=watchlist.text if watchlist else None,
    )  # fmt: skip
    return DraftConcept(concept, key, include, watchlist)


def _terms(node: Node, language: str | None, faults: list[Fault]) -> tuple[Term, ...]:
    items = node.items if node.kind == "list" else (node,)
    terms: list[Term] = []
    for item in items:
        if item.kind == "text" and not item.empty:
            form = form_of(item.text)
            if type(form) is TermFault:
                faults.append(item.fault(form.message, form.offset))
            else:
                terms.append(Term(text=item.text, language=language, line=item.line, column=item.column))
            continue
        term = _written_out(item, language, faults)
        if term is not None:
            terms.append(term)
    return tuple(terms)


def _written_out(item: Node, language: str | None, faults: list[Fault]) -> Term | None:
    """`{term: Gift, only_in: [de]}`, or the fault of something that is no term."""
    fields = Fields(item, item.file.path, faults, "term") if item.kind == "map" else None
    if fields is None or not (fields.has("term") or fields.has("only_in")):
        faults.append(item.fault(EMPTY_ITEM if item.empty else not_text(item)))
        return None
    text, node, only_in = fields.text("term", required=True), fields.node("term"), fields.text_nodes("only_in")
    for wrong in (word for word in only_in if not is_language(word.text)):
        fields.fault(wrong, f"'{short(wrong.text)}' is no language; wanted: a code such as de or zh")
    fields.finish()
    if text is None or node is None:
        return None
    form = form_of(text)
    if isinstance(form, TermFault):
        faults.append(node.fault(form.message, form.offset))
        return None
    languages = tuple(word.text for word in only_in)
    return Term(text=text, language=language, only_in=languages, line=node.line, column=node.column)
