"""Names to what they name: `use`, `include`, watch-lists, concepts in rules; clashes and cycles are faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from monitor.errors import Fault
from monitor.matching.book import Concept, Rule, Theme
from monitor.matching.expression import Literal, Ref, leaves
from monitor.matching.expression import Node as Tree
from monitor.matching.sense import reached, senseless
from monitor.matching.terms import TermFault, form_of
from monitor.rulebook.concepts import DraftConcept
from monitor.rulebook.document import Node, did_you_mean
from monitor.rulebook.fields import short
from monitor.rulebook.theme_file import DraftRule, DraftTheme
from monitor.rulebook.watchlists import Watchlist

MAX_DEPTH = 50
MAX_WAYS = 10_000
_SHOWN = 10
_TOO_DEEP = f"includes go on for more than {MAX_DEPTH} concepts one below the other; include them here directly"
_TOO_MANY = f"what is included here includes others in more than {MAX_WAYS:,} ways; include each in one place"

Drafts = Mapping[str, DraftConcept]


class Resolver:
    """One pass over all files of a book; faults go to the list handed in."""

    def __init__(self, vocabularies: Mapping[str, Drafts], lists: Mapping[str, Watchlist], faults: list[Fault]) -> None:
        self._vocabularies, self._lists, self._faults = vocabularies, lists, faults
        self._drafts: dict[str, DraftConcept] = {}
        self._scopes: dict[str, Mapping[str, str]] = {}  # prefix of a concept's key -> names known there

    def resolve(self, drafts: Iterable[DraftTheme]) -> tuple[tuple[Theme, ...], dict[str, Concept]]:
        """The themes with their scopes, and all concepts by key."""
        for stem, vocabulary in self._vocabularies.items():
            self._drafts |= {draft.concept.key: draft for draft in vocabulary.values()}
            self._scopes[f"{stem}."] = {name: draft.concept.key for name, draft in vocabulary.items()}
        known: dict[str, DraftTheme] = {}
        for draft in drafts:
            first = known.setdefault(draft.theme.id, draft)
            if first is not draft:
                self._fault(draft.where, f"theme '{draft.theme.id}' stands in {first.theme.path} too")
        for draft in known.values():
            self._drafts |= {concept.concept.key: concept for concept in draft.concepts.values()}
            self._scopes[f"{draft.theme.id}:"] = self._scope(draft)
        concepts = self._concepts()
        return tuple(self._theme(draft, concepts) for draft in known.values()), concepts

    def _fault(self, node: Node, message: str, offset: int | None = None) -> None:
        self._faults.append(node.fault(message, offset))

    # --- what a theme knows by which name

    def _scope(self, draft: DraftTheme) -> Mapping[str, str]:
        scope = {name: concept.concept.key for name, concept in draft.concepts.items()}
        for node in draft.use:
            vocabulary = self._vocabularies.get(node.text)
            if vocabulary is None:
                hint = did_you_mean(node.text, self._vocabularies)
                self._fault(node, f"there is no vocabulary rules/concepts/{node.text}.yaml{hint}")
                continue
            for name, shared in vocabulary.items():
                other = scope.get(name)
                if other is None:
                    scope[name] = shared.concept.key
                elif other != shared.concept.key:
                    path = self._drafts[other].concept.path
                    where = draft.concepts[name].where if name in draft.concepts else node
                    self._fault(
                        where, f"'{name}' stands in {path} and in {shared.concept.path}; write {shared.concept.key} "
                        f"or give one another name",
                    )  # fmt: skip
        return scope

    def _key(self, name: str, scope: Mapping[str, str]) -> str | None:
        if name in scope:
            return scope[name]
        return name if "." in name and name in self._drafts else None

    def _unknown(self, name: str, scope: Mapping[str, str]) -> str:
        shared = [key for key in self._drafts if "." in key]
        qualified = [key for key in shared if key.partition(".")[2] == name]
        if qualified:
            return f"unknown concept '{name}'; did you mean '{qualified[0]}'?"
        return f"unknown concept '{name}'{did_you_mean(name, [*scope, *shared])}"

    # --- concepts

    def _concepts(self) -> dict[str, Concept]:
        includes: dict[str, tuple[str, ...]] = {}
        for key, draft in self._drafts.items():
            scope = self._scopes[key[: -len(draft.concept.name)]]
            found: list[str] = []
            for node in draft.include:
                target = self._key(node.text, scope)
                if target is None:
                    self._fault(node, self._unknown(node.text, scope))
                else:
                    found.append(target)
            includes[key] = tuple(found)
        self._refuse_cycles(includes)
        return {key: self._concept(draft, includes[key]) for key, draft in self._drafts.items()}

    def _concept(self, draft: DraftConcept, include: tuple[str, ...]) -> Concept:
        concept, node = draft.concept, draft.watchlist
        terms = concept.terms
        if node is not None:
            watchlist = self._lists.get(node.text)
            if watchlist is None:
                hint = did_you_mean(node.text, self._lists)
                self._fault(node, f"there is no watch-list rules/{node.text}{hint}")
            else:
                terms += watchlist.terms
                if not terms and not include:
                    self._fault(node, f"concept '{concept.name}' is empty: rules/{node.text} holds no name")
        return replace(concept, terms=terms, include=include)

    def _refuse_cycles(self, includes: dict[str, tuple[str, ...]]) -> None:
        """Cut every circle, and what is included too deep or in too many ways, and report it."""
        deep: dict[str, int] = {}  # how many concepts one below the other
        ways: dict[str, int] = {}  # how many concepts, each as often as it is included
        for start in includes:
            if start in deep:
                continue
            path: dict[str, None] = {start: None}
            stack = [(start, iter(includes[start]))]
            while stack:
                key, rest = stack[-1]
                target = next(rest, None)
                if target is None:
                    below = includes[key]
                    deep[key] = 1 + max((deep[other] for other in below), default=0)
                    ways[key] = 1 + sum(ways[other] for other in below)
                    if deep[key] > MAX_DEPTH or ways[key] > MAX_WAYS:
                        self._fault(self._drafts[key].include[0], _TOO_DEEP if deep[key] > MAX_DEPTH else _TOO_MANY)
                        includes[key], deep[key], ways[key] = (), 1, 1
                    del path[key]
                    stack.pop()
                elif target in path:
                    circle = list(path)
                    circle = circle[circle.index(target) :]
                    shown = [*circle[:_SHOWN], *(["…"] if len(circle) > _SHOWN else []), target]
                    self._fault(self._drafts[key].include[0], f"a circle of includes: {' → '.join(shown)}")
                    includes[key] = tuple(other for other in includes[key] if other != target)
                elif target not in deep:
                    path[target] = None
                    stack.append((target, iter(includes[target])))

    # --- rules

    def _theme(self, draft: DraftTheme, concepts: Mapping[str, Concept]) -> Theme:
        scope = dict(self._scopes[f"{draft.theme.id}:"])
        rules = tuple(self._rule(rule, scope, concepts) for rule in draft.rules)
        for node in (correlation.concept for correlation in draft.correlations):
            if node is not None:
                self._seen(node, scope, concepts)
        known = {rule.id for rule in rules}
        for example in draft.theme.examples:
            if example.rule is not None and example.rule not in known and len(rules) == len(draft.rules):
                message = f"example of an unknown rule '{example.rule}'{did_you_mean(example.rule, known)}"
                self._faults.append(draft.where.file.fault(example.line, example.column, message))
        correlations = tuple(correlation.correlation for correlation in draft.correlations)
        return replace(draft.theme, rules=rules, scope=scope, correlations=correlations)

    def _seen(self, node: Node, scope: dict[str, str], concepts: Mapping[str, Concept]) -> None:
        key = self._key(node.text, scope)
        if key is None:
            self._fault(node, self._unknown(node.text, scope))
        elif not any(concepts[one].watchlist for one in reached(key, concepts)):
            self._fault(node, f"concept '{node.text}' has no watch-list, whose names 'first_seen' is about")
        else:
            scope[node.text] = key

    def _rule(self, draft: DraftRule, scope: dict[str, str], concepts: Mapping[str, Concept]) -> Rule:
        rule = draft.rule
        sound = self._names(rule.condition, draft.when, scope)
        if rule.exception is not None and draft.unless is not None:
            sound &= self._names(rule.exception, draft.unless, scope)
        if rule.anchor is not None and draft.anchor is not None:
            names = [leaf.name for leaf in leaves(rule.condition) if isinstance(leaf, Ref)]
            if rule.anchor not in names:
                message = f"'{short(rule.anchor)}' is no concept in the rule's 'when', so no near miss is found by it"
                self._fault(draft.anchor, message + did_you_mean(rule.anchor, names))
        if sound and (wrong := senseless(rule, scope, concepts)):
            self._fault(draft.when, wrong.message, wrong.offset)
        return rule

    def _names(self, tree: Tree, node: Node, scope: dict[str, str]) -> bool:
        sound = True
        for leaf in leaves(tree):
            if isinstance(leaf, Ref):
                key = self._key(leaf.name, scope)
                if key is None:
                    self._fault(node, self._unknown(leaf.name, scope), leaf.start)
                    sound = False
                else:
                    scope[leaf.name] = key
            elif isinstance(leaf, Literal):
                form = form_of(leaf.term)
                if isinstance(form, TermFault):
                    self._fault(node, form.message, leaf.start + 1 + form.offset)
                    sound = False
        return sound
