"""Rules that cannot be meant: one that asks for nothing, one that can never match."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from monitor.matching.book import Concept, Rule
from monitor.matching.expression import And, Count, Literal, Near, Node, Not, Or, Ref, Within, leaves
from monitor.matching.syntax_faults import Fault

_MOST_ATOMS = 12


def senseless(rule: Rule, scope: Mapping[str, str], concepts: Mapping[str, Concept]) -> Fault | None:
    """Why a rule is refused although every word of it is understood; names are known to be in scope."""
    if _possible(rule.condition, {}, True)[0]:
        return Fault(rule.condition.start, "the rule only excludes, so it would match every entry; ask for something")
    starved = _starved(rule.condition, scope, concepts)
    if starved is not None:
        return starved
    atoms = sorted({_atom(leaf) for tree in (rule.condition, rule.exception) if tree for leaf in leaves(tree)})
    if len(atoms) > _MOST_ATOMS:
        return None
    blocked = False
    for values in product((True, False), repeat=len(atoms)):
        known = dict(zip(atoms, values, strict=True))
        if not _possible(rule.condition, known, False)[0]:
            continue
        if rule.exception is None or _possible(rule.exception, known, False)[1]:
            return None
        blocked = True
    if blocked:
        return Fault(rule.condition.start, "the rule can never match: whatever meets 'when' meets 'unless' too")
    return Fault(rule.condition.start, "the rule can never match: it asks for something and excludes the same")


def _atom(leaf: Ref | Literal) -> str:
    return leaf.name if isinstance(leaf, Ref) else f'"{leaf.term}'


def _possible(node: Node, known: Mapping[str, bool], nothing: bool) -> tuple[bool, bool]:
    """(may be true, may be false), given which concepts and literals occur; `nothing`: none occurs anywhere."""
    match node:
        case Ref() | Literal():
            there = not nothing and known[_atom(node)]
            return there, not there
        case Not():
            true, false = _possible(node.operand, known, nothing)
            return false, true
        case And():
            found = [_possible(operand, known, nothing) for operand in node.operands]
            return all(true for true, _ in found), any(false for _, false in found)
        case Or():
            found = [_possible(operand, known, nothing) for operand in node.operands]
            return any(true for true, _ in found), all(false for _, false in found)
        case Near():
            found = [_possible(operand, known, nothing) for operand in node.operands]
            if node.negated:  # where none of the others occurs, the first stands alone
                alone = not any(true for true, _ in found[1:])
                return found[0][0], found[0][1] or not alone
            return all(true for true, _ in found), True
        case Within() | Count():
            return _possible(node.operand, known, nothing)[0], True


def _starved(node: Node, scope: Mapping[str, str], concepts: Mapping[str, Concept]) -> Fault | None:
    """A `distinctN` over fewer than N terms, where it is asked for."""
    if isinstance(node, Count) and node.distinct:
        terms: set[str] = set()
        for leaf in leaves(node):
            terms |= _written(scope[leaf.name], concepts) if isinstance(leaf, Ref) else {leaf.term}
        if len(terms) < node.number:
            return Fault(
                node.start, f"can never be met: distinct{node.number} of {len(terms)} term{'s' * (len(terms) != 1)}"
            )
    if isinstance(node, And | Within):
        operands = node.operands if isinstance(node, And) else (node.operand,)
        return next((found for operand in operands if (found := _starved(operand, scope, concepts))), None)
    return None


def _written(key: str, concepts: Mapping[str, Concept]) -> set[str]:
    concept = concepts[key]
    terms = {term.text for term in concept.terms}
    for other in concept.include:
        terms |= _written(other, concepts)
    return terms
