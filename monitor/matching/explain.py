"""Why a document meets a rule or does not: every clause true or false, with the words and their places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from monitor.errors import Fault
from monitor.matching import evaluate as run
from monitor.matching import expression as ex
from monitor.matching.book import Example, Theme
from monitor.matching.engine import CompiledRule, Engine, evidence, where_failed
from monitor.matching.evaluate import Leaf
from monitor.matching.model import Document, Evidence, Mode, Severity
from monitor.matching.scan import Scan


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """One node of an expression. `kind`: concept | literal | and | or | not | near | field | count.

    `places`: the hits that make it true; of a false one, what there is of its parts is in `clauses`.
    """

    text: str
    kind: str
    true: bool
    places: tuple[Evidence, ...] = ()
    clauses: tuple[Clause, ...] = ()


class RuleExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """One rule over one document. `where`: the condition beside the words that failed. `near_miss`: what one thing
    failed, where all else held.
    """

    rule: str
    severity: Severity
    matched: bool
    when: Clause
    unless: Clause | None = None
    where: str | None = None
    near_miss: str | None = None


class ThemeExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """Every rule of one theme over one document."""

    theme: str
    title: str
    matched: bool
    rules: tuple[RuleExplanation, ...]


def explain(
    engine: Engine, document: Document, theme: str | None = None, *, strict: bool = True
) -> tuple[ThemeExplanation, ...]:
    """The clause trees of all rules, or of one theme's; matches and non-matches alike."""
    scan = engine.scan(document)
    by_theme: dict[str, list[CompiledRule]] = {}
    for rule in engine.rules:
        if theme is None or rule.theme.id == theme:
            by_theme.setdefault(rule.theme.id, []).append(rule)
    found = []
    for theme_id, rules in by_theme.items():
        explained = tuple(_rule(rule, scan, strict) for rule in rules)
        matched = any(rule.matched for rule in explained)
        found.append(ThemeExplanation(theme=theme_id, title=rules[0].theme.title, matched=matched, rules=explained))
    return tuple(found)


def _rule(compiled: CompiledRule, scan: Scan, strict: bool) -> RuleExplanation:
    rule = compiled.rule
    when = _clause(rule.condition, compiled.condition, rule.when, scan, None)
    unless = None
    if rule.exception is not None and compiled.exception is not None:
        unless = _clause(rule.exception, compiled.exception, rule.unless or "", scan, None)
    where = where_failed(rule.where, scan, strict)
    stopped = unless is not None and unless.true
    matched = when.true and not stopped and where is None
    return RuleExplanation(
        rule=rule.id, severity=compiled.theme.severity_of(rule), matched=matched, when=when, unless=unless, where=where,
        near_miss=None if matched else _near_miss(rule.condition, when, unless, where),
    )  # fmt: skip


_KINDS = {
    Leaf: "concept", run.Not: "not", run.And: "and", run.Or: "or", run.Near: "near", run.NotNear: "near",
    run.Within: "field", run.Count: "count",
}  # fmt: skip


def _clause(node: ex.Node, compiled: run.Node, source: str, scan: Scan, field: ex.Field | None) -> Clause:
    kind = "literal" if isinstance(node, ex.Literal) else _KINDS[type(compiled)]
    inner = compiled.field if isinstance(compiled, run.Within) else field
    true = compiled.true(scan, field)
    return Clause(
        text=" ".join(source[node.start : node.end].split()),
        kind=kind,
        true=true,
        places=evidence(compiled.places(scan, field), scan) if true else (),
        clauses=tuple(
            _clause(child, part, source, scan, inner)
            for child, part in zip(ex.children(node), _children(compiled), strict=True)
        ),
    )


def _children(node: run.Node) -> tuple[run.Node, ...]:
    match node:
        case run.And() | run.Or() | run.Near():
            return node.operands
        case run.NotNear():
            return (node.first, *(near.operands[1] for near in node.nears))
        case run.Not() | run.Within() | run.Count():
            return (node.operand,)
        case Leaf():
            return ()


# --- near misses


def _near_miss(condition: ex.Node, when: Clause, unless: Clause | None, where: str | None) -> str | None:
    """The one thing that failed: a clause, `unless` or `where`; None where more did, or a rule too short to judge."""
    stopped = unless is not None and unless.true
    if when.true:
        if stopped and where is None:
            assert unless is not None
            words = dict.fromkeys(place.text for place in unless.places)
            return f"stopped by unless: {', '.join(words) or unless.text}"
        return f"where: {where}" if where is not None and not stopped else None
    if stopped or where is not None:
        return None
    clauses = when.clauses if isinstance(condition, ex.And) else (when,)
    failed = [(node, clause) for node, clause in zip(ex.clauses(condition), clauses, strict=True) if not clause.true]
    if len(failed) != 1:
        return None
    node, clause = failed[0]
    if len(clauses) >= 3 or (isinstance(node, ex.Near) and all(part.true for part in clause.clauses)):
        return f"only {clause.text} failed"
    return None


def near_misses(engine: Engine, document: Document, theme: Theme, *, strict: bool = False) -> dict[str, str]:
    """Rule id -> the one thing that failed, of the rules of a theme that a document nearly meets."""
    explained = explain(engine, document, theme.id, strict=strict)
    return {rule.rule: rule.near_miss for found in explained for rule in found.rules if rule.near_miss is not None}


class NearMiss(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that a document nearly meets. `failed`: the one thing; `evidence`: the places of all that held."""

    theme: str
    rule: str
    failed: str
    evidence: tuple[Evidence, ...]


def look_for_near_misses(
    engine: Engine, document: Document, theme: str | None = None, *, strict: bool = True
) -> tuple[NearMiss, ...]:
    """The near misses of all themes, or of one, that the document does not meet by another rule.

    Only rules are looked at whose anchor the document holds: the concept named by `anchor:`, else the rarest one.
    """
    scan = engine.scan(document)
    met = {rule.theme.id for rule in engine.met(scan, strict=strict)}
    found: list[NearMiss] = []
    for rule in engine.rules:
        wanted = theme in (None, rule.theme.id) and rule.theme.id not in met
        if wanted and _anchored(rule, scan) and _one_fails_at_most(rule.condition, scan):
            failed = _rule(rule, scan, strict).near_miss
            if failed is not None:
                hits = evidence(rule.condition.places(scan, None), scan)
                found.append(NearMiss(theme=rule.theme.id, rule=rule.rule.id, failed=failed, evidence=hits))
    return tuple(found)


def _anchored(rule: CompiledRule, scan: Scan) -> bool:
    if rule.rule.anchor is not None:
        for leaf, _ in run.leaves(rule.condition):
            if leaf.name == rule.rule.anchor:
                return leaf.true(scan, None)
    if rule.anchor.isdisjoint(scan.present):
        return False
    return any(scan.hits(number) for number in rule.anchor & scan.present)


def _one_fails_at_most(condition: run.Node, scan: Scan) -> bool:
    """What a near miss must be whatever the rule; most rules fail here, before their clauses are written out."""
    if not isinstance(condition, run.And):
        return condition.true(scan, None) or isinstance(condition, run.Near | run.NotNear)
    failed = [operand for operand in condition.operands if not operand.true(scan, None)]
    return len(failed) < 2 and (
        len(condition.operands) > 2 or all(isinstance(one, run.Near | run.NotNear) for one in failed)
    )


def summary(engine: Engine, document: Document, theme: Theme, rule: str | None = None) -> str:
    """Why no rule (or not this one) was met, in one line: the rule that came nearest and what it lacked."""
    rules = [
        found
        for themes in explain(engine, document, theme.id, strict=False)
        for found in themes.rules
        if rule is None or found.rule == rule
    ]
    if not rules:
        return "the theme has no rule that is looked at"
    best = min(rules, key=_missing)
    if best.when.true:
        return f"rule '{best.rule}' is {best.near_miss or f'stopped by where: {best.where}'}"
    failed = list(dict.fromkeys(_failed(best.when)))
    return f"rule '{best.rule}' lacks {'; '.join(failed[:4])}"


def _missing(rule: RuleExplanation) -> int:
    return 0 if rule.when.true else 1 + sum(1 for _ in _failed(rule.when))


def _failed(clause: Clause) -> Iterator[str]:
    """The smallest parts of a false expression that make it false."""
    if clause.true:
        return
    if clause.kind == "and":
        for part in clause.clauses:
            yield from _failed(part)
    else:
        yield clause.text


# --- a theme's own examples


class Failure(NamedTuple):
    """One example that did not turn out as its theme says."""

    theme: Theme
    example: Example
    message: str


def document_of(example: Example) -> Document:
    """The document an example stands for; what it does not say passes every condition."""
    return Document(
        title=example.title, text=example.text, url=example.url, author=example.author, language=example.language,
        source=example.source, tags=example.tags,
    )  # fmt: skip


def failures(engine: Engine) -> Iterator[Failure]:
    """Every example of every theme that fails."""
    for theme in engine.book.themes:
        if theme.mode == Mode.OFF:
            continue
        for example in theme.examples:
            message = _judge(engine, theme, example)
            if message is not None:
                yield Failure(theme, example, message)


def run_examples(engine: Engine) -> list[Fault]:
    """The failing examples as faults at their places."""
    return [
        Fault(
            failure.theme.path, failure.example.line, failure.example.column, failure.message, _shown(failure.example)
        )
        for failure in failures(engine)
    ]


def _shown(example: Example) -> str:
    text = " ".join(f"{example.title} {example.text}".split())
    return text if len(text) <= 160 else f"{text[:159]}…"


def _judge(engine: Engine, theme: Theme, example: Example) -> str | None:
    document = document_of(example)
    matches = [match for match in engine.match(document, strict=False) if match.theme == theme.id]
    rules = {rule.rule: rule for match in matches for rule in match.rules}
    if example.expected:
        wanted = rules if example.rule is None else {name for name in rules if name == example.rule}
        if wanted:
            return None
        by = f" by rule '{example.rule}'" if example.rule else ""
        return f"example should match{by}, but {summary(engine, document, theme, example.rule)}"
    hit = next((rule for name, rule in rules.items() if example.rule in (None, name)), None)
    if hit is not None:
        words = ", ".join(dict.fromkeys(f'"{found.text}"' for found in hit.evidence[:6]))
        return f"example should not match, but rule '{hit.rule}' finds {words}"
    if example.near_miss and not near_misses(engine, document, theme):
        return f"example should be a near miss, but {summary(engine, document, theme, example.rule)}"
    return None
