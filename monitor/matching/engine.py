"""Compiles a rule book and matches documents against all of it: candidates by their rarest clause, then exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from monitor.matching import evaluate as run
from monitor.matching import expression as ex
from monitor.matching.book import Rule, RuleBook, Term, Theme, Where
from monitor.matching.evaluate import Leaf, Part, Place
from monitor.matching.hosts import host_name
from monitor.matching.languages import speaks
from monitor.matching.model import Document, Evidence, Mode, RuleMatch, ThemeMatch
from monitor.matching.packed import Lists
from monitor.matching.scan import Needles, Scan, Scanner, collect

MAX_EVIDENCE: Final = 100
"""Of one rule in one document; five of each concept and literal are among them."""


class CompiledRule(NamedTuple):
    """A rule made ready. A document that meets it has a hit in one set of `anchor`, and of each of `needs`.

    The anchor is what is rarest, then come the needs. `when`: the expression as written, on one line.
    """

    theme: Theme
    rule: Rule
    number: int
    when: str
    condition: run.Node
    exception: run.Node | None
    anchor: frozenset[int]
    needs: tuple[frozenset[int], ...]


class Engine:
    """A compiled rule book. Immutable; any number of threads may match with it."""

    def __init__(self, book: RuleBook, rules: tuple[CompiledRule, ...], scanner: Scanner) -> None:
        self.book, self.rules, self.scanner = book, rules, scanner
        by_set: dict[int, list[int]] = {}
        for rule in rules:
            for number in rule.anchor:
                by_set.setdefault(number, []).append(rule.number)
        # of the thousands of rules that a document might meet most are thrown out at once, by arithmetic
        self._anchored = Lists(by_set.get(number, ()) for number in range(scanner.no_set))
        self._asked = np.array([_asked(rule, scanner.no_set) for rule in rules], np.intp).reshape(-1, 2)

    @property
    def term_count(self) -> int:
        """How many terms are looked for, literals in expressions included."""
        return self.scanner.term_count

    @property
    def revision(self) -> str:
        """The revision of the book it was compiled from."""
        return self.book.revision

    def match(self, document: Document, *, strict: bool = True) -> tuple[ThemeMatch, ...]:
        """Every theme with a rule that the document meets, in the order of the book.

        `strict`: a condition on sources, tags or domains fails where the document does not say; else it passes.
        """
        scan = self.scanner.scan(document)
        by_theme: dict[str, list[CompiledRule]] = {}
        for rule in self.met(scan, strict=strict):
            by_theme.setdefault(rule.theme.id, []).append(rule)
        return tuple(_theme_match(rules, scan) for rules in by_theme.values())

    def met(self, scan: Scan, *, strict: bool = True) -> list[CompiledRule]:
        """The rules that a scanned document meets, in the order of the book."""
        return [rule for rule in self._candidates(scan) if self._meets(rule, scan, strict)]

    def scan(self, document: Document) -> Scan:
        """One pass over a document, for explaining."""
        return self.scanner.scan(document)

    def _candidates(self, scan: Scan) -> list[CompiledRule]:
        """Rules all of whose needs have a needle in the document, in the order of the book."""
        anchored, _ = self._anchored.of(np.flatnonzero(scan.holds[:-1]))
        asked = scan.holds.take(self._asked.take(anchored, axis=0))
        numbers = sorted(set(anchored[asked.all(axis=1)].tolist()))
        rules = (self.rules[number] for number in numbers)
        return [rule for rule in rules if all(any(map(scan.has, need)) for need in rule.needs)]

    def _meets(self, rule: CompiledRule, scan: Scan, strict: bool) -> bool:
        return (
            rule.condition.true(scan, None)
            and where_failed(rule.rule.where, scan, strict) is None
            and not (rule.exception is not None and rule.exception.true(scan, None))
        )


def _asked(rule: CompiledRule, no_set: int) -> tuple[int, int]:
    """Two sets that a rule needs besides its anchor, the rarest."""
    first, second, *_ = *(min(need) for need in rule.needs if len(need) == 1), no_set, no_set
    return first, second


def _theme_match(rules: list[CompiledRule], scan: Scan) -> ThemeMatch:
    theme = rules[0].theme
    matches = tuple(
        RuleMatch(
            rule=rule.rule.id,
            severity=theme.severity_of(rule.rule),
            when=rule.when,
            evidence=evidence(rule.condition.places(scan, None), scan),
        )
        for rule in rules
    )
    severity = max((match.severity for match in matches), key=lambda severity: severity.rank)
    return ThemeMatch(theme=theme.id, title=theme.title, mode=theme.mode, severity=severity, rules=matches)


def evidence(places: Iterable[Place], scan: Scan) -> tuple[Evidence, ...]:
    """Places as they are reported: in order of the text, each once, at most `MAX_EVIDENCE`."""
    distinct = sorted({(place.hit.start, place.hit.end, place.name, place.hit.term) for place in places})
    if len(distinct) > MAX_EVIDENCE:
        distinct = _some_of_each(distinct)
    found = []
    for start, end, concept, term in distinct:
        number = scan.field_at(start)
        field, offset = scan.fields[number], scan.starts[number]
        found.append(
            Evidence(
                concept=concept, term=term, field="text" if field == ex.Field.BODY else field.value,
                start=start - offset, end=end - offset, text=scan.given[start:end],
            )
        )  # fmt: skip
    return tuple(found)


def _some_of_each(places: list[tuple[int, int, str, str]]) -> list[tuple[int, int, str, str]]:
    counts: dict[str, int] = {}
    first: list[tuple[int, int, str, str]] = []
    rest: list[tuple[int, int, str, str]] = []
    for place in places:
        _, _, concept, term = place
        known = concept or f'"{term}"'
        counts[known] = counts.get(known, 0) + 1
        (first if counts[known] <= 5 else rest).append(place)
    return sorted((first + rest)[:MAX_EVIDENCE])


def where_failed(where: Where, scan: Scan, strict: bool) -> str | None:
    """The first condition of `where` that a document does not meet; None where it meets all."""
    document = scan.document
    if where.languages and document.language is not None and not speaks(document.language, where.languages):
        return f"language {document.language} is none of {', '.join(where.languages)}"
    if where.sources and (document.source not in where.sources if document.source is not None else strict):
        return f"source {document.source or 'unknown'} is none of {', '.join(where.sources)}"
    if where.tags and (not set(where.tags) & set(document.tags) if document.tags is not None else strict):
        return f"none of the tags {', '.join(where.tags)}"
    if where.domains or where.not_domains:
        host = _host(document.url)
        if where.domains and (not _under(host, where.domains) if host else strict):
            return f"domain {host or 'unknown'} is none of {', '.join(where.domains)}"
        if host and _under(host, where.not_domains):
            return f"domain {host} is shut out"
    if where.max_age is not None and document.published is not None and document.first_seen is not None:
        age = (document.first_seen.astimezone(UTC) - document.published.astimezone(UTC)).total_seconds()
        if age > where.max_age:
            return f"{age / 86400:.1f} days old when first seen; at most {where.max_age / 86400:g}"
    if where.min_words is not None and (count := _word_count(scan)) < where.min_words:
        return f"{count} words; at least {where.min_words}"
    return None


def _host(url: str | None) -> str | None:
    try:
        host = urlsplit(url).hostname if url else None
    except ValueError:
        return None
    return host_name(host) if host else None


def _under(host: str, domains: Iterable[str]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _word_count(scan: Scan) -> int:
    return scan.words.between(0, scan.folded.position(scan.words_end))


# --- compiling


def compile_book(book: RuleBook) -> Engine:
    """The engine of a sound book. Themes that are off are left out. Takes about a second per 100,000 terms."""
    return compile_with_needles(book)[0]


def compile_with_needles(book: RuleBook, needles: Needles | None = None) -> tuple[Engine, Needles]:
    """As `compile_book`, in a fifth of the time where the needles that it once came to for this very book are kept."""
    compiler = _Compiler(book)
    rules = tuple(compiler.rules())
    needles = collect(compiler.sets) if needles is None else needles
    return Engine(book, rules, Scanner(compiler.sets, needles, fields=frozenset(compiler.fields))), needles


class _Compiler:
    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self.sets: list[tuple[Term, ...]] = []
        self.fields: set[ex.Field] = set()
        self._set_of: dict[object, int] = {}
        self._parts_of: dict[str, tuple[Part, ...]] = {}
        self._leaves: dict[tuple[str, str], Leaf] = {}
        self._costs: list[float] = []

    def rules(self) -> Iterable[CompiledRule]:
        number = 0
        for theme in self._book.themes:
            if theme.mode == Mode.OFF:
                continue
            for rule in theme.rules:
                condition = self._node(rule.condition, theme)
                exception = self._node(rule.exception, theme) if rule.exception is not None else None
                anchor, *needs = self._needs(condition)
                yield CompiledRule(
                    theme, rule, number, " ".join(rule.when.split()), condition, exception, anchor, tuple(needs)
                )  # fmt: skip
                number += 1

    # --- what is looked for

    def _node(self, node: ex.Node, theme: Theme) -> run.Node:
        match node:
            case ex.Ref():
                return self._leaf(theme.scope[node.name], node.name)
            case ex.Literal():
                key = ("literal", node.term)
                if key not in self._leaves:
                    self._leaves[key] = Leaf("", (Part(self._set(key, (Term(text=node.term),)), ()),))
                return self._leaves[key]
            case ex.Not():
                return run.Not(self._node(node.operand, theme))
            case ex.And():
                return run.And([self._node(operand, theme) for operand in node.operands])
            case ex.Or():
                return run.Or([self._node(operand, theme) for operand in node.operands])
            case ex.Within():
                self.fields.add(node.field)
                return run.Within(node.field, self._node(node.operand, theme))
            case ex.Count():
                return run.Count(node.number, node.distinct, self._node(node.operand, theme))
            case ex.Near():
                operands = [self._node(operand, theme) for operand in node.operands]
                if not node.negated:
                    return run.Near(node.unit, node.distance, node.ordered, operands)
                first = operands[0]
                nears = [run.Near(node.unit, node.distance, False, (first, other)) for other in operands[1:]]
                return run.NotNear(first, nears)

    def _leaf(self, key: str, shown: str) -> Leaf:
        if (key, shown) not in self._leaves:
            self._leaves[key, shown] = Leaf(shown, self._parts(key))
        return self._leaves[key, shown]

    def _parts(self, key: str) -> tuple[Part, ...]:
        parts = self._parts_of.get(key)
        if parts is None:
            concept = self._book.concepts[key]
            exceptions: tuple[int, ...] = ()
            if concept.exceptions:
                exceptions = (self._set((key, "except"), concept.exceptions),)
            own = (Part(self._set(key, concept.terms), exceptions),) if concept.terms else ()
            inherited = (
                Part(part.set, tuple(dict.fromkeys(part.exceptions + exceptions)))
                for other in concept.include
                for part in self._parts(other)
            )
            parts = self._parts_of[key] = tuple(dict.fromkeys((*own, *inherited)))
        return parts

    def _set(self, key: object, terms: tuple[Term, ...]) -> int:
        if key not in self._set_of:
            self._set_of[key] = len(self.sets)
            self.sets.append(terms)
            self._costs.append(sum(map(_frequency, terms)))
        return self._set_of[key]

    # --- which rules to look at

    def _needs(self, condition: run.Node) -> tuple[frozenset[int], ...]:
        """Sets of sets: the condition is false unless each has one with a hit. The rarest comes first."""
        needs = list(dict.fromkeys(self._all_needs(condition)))
        needs.sort(key=self._cost)
        return tuple(needs)

    def _cost(self, need: frozenset[int]) -> float:
        return sum(self._costs[number] for number in need)

    def _all_needs(self, node: run.Node, negated: bool = False) -> list[frozenset[int]]:
        """What the node needs to be true; `negated`: to be false."""
        match node:
            case run.Not():
                return self._all_needs(node.operand, not negated)
            case run.And() | run.Or() if isinstance(node, run.Or) != negated:  # one of them is enough
                each = [self._all_needs(operand, negated) for operand in node.operands]
                if not all(each):
                    return []
                return [frozenset().union(*(min(needs, key=self._cost) for needs in each))]
            case run.And() | run.Or():
                return [need for operand in node.operands for need in self._all_needs(operand, negated)]
            case _ if negated:
                return []
            case Leaf():
                return [frozenset(part.set for part in node.parts)]
            case run.Near():
                return [need for operand in node.operands for need in self._all_needs(operand)]
            case run.NotNear():
                return self._all_needs(node.first)
            case run.Within() | run.Count():
                return self._all_needs(node.operand)


def _frequency(term: Term) -> float:
    """A guess how often a term is met: the shorter the oftener; a Han character says as much as three letters."""
    text = term.text
    if text.startswith("/"):
        return 1.0
    letters = len(text.strip("*=")) * (3 if text[0] >= "\u2e80" else 1)
    return math.exp(-0.6 * letters)
