"""Rules that cannot be meant: one that asks for nothing, one that can never match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.matching.book import Concept, Rule
from monitor.matching.expression import And, Count, Literal, Near, Node, Not, Or, Ref, Within, children, leaves
from monitor.matching.syntax_faults import Fault

_MOST_STEPS = 300


def senseless(rule: Rule, scope: Mapping[str, str], concepts: Mapping[str, Concept]) -> Fault | None:
    """Why a rule is refused although every word of it is understood; names are known to be in scope."""
    if _possible(rule.condition, dict.fromkeys(map(_atom, leaves(rule.condition)), False))[0]:
        return Fault(rule.condition.start, "the rule only excludes, so it would match every entry; ask for something")
    starved = _starved(rule.condition, scope, concepts)
    if starved is not None:
        return starved
    if not _can_be([(rule.condition, True)]):
        return Fault(rule.condition.start, "the rule can never match: it asks for something and excludes the same")
    if rule.exception is not None and not _can_be([(rule.condition, True), (rule.exception, False)]):
        return Fault(rule.condition.start, "the rule can never match: whatever meets 'when' meets 'unless' too")
    return None


def _can_be(goals: Sequence[tuple[Node, bool]]) -> bool:
    """Whether concepts and literals can occur so that each node comes out as wanted; true where that is hard to say."""
    wishes: dict[str, set[bool]] = {}
    for node, wanted in goals:
        _wish(node, wanted, wishes)
    settled = {atom: next(iter(wished)) for atom, wished in wishes.items() if len(wished) == 1}
    contested = [atom for atom in wishes if atom not in settled]
    waiting = [(settled, 0)]
    for _ in range(_MOST_STEPS):
        if not waiting:
            return False
        known, at = waiting.pop()
        if not all(_possible(node, known)[0 if wanted else 1] for node, wanted in goals):
            continue
        if at == len(contested):
            return True
        waiting += [(known | {contested[at]: value}, at + 1) for value in (False, True)]
    return True


def _atom(leaf: Ref | Literal) -> str:
    return leaf.name if isinstance(leaf, Ref) else f'"{leaf.term}'


def _wish(node: Node, wanted: bool, wishes: dict[str, set[bool]]) -> None:
    """For each concept and literal, whether it should occur (or not, or both, in different places) for the node to come
    out as wanted. What is wished for in one way only can be taken to be so.
    """
    match node:
        case Ref() | Literal():
            wishes.setdefault(_atom(node), set()).add(wanted)
        case Not():
            _wish(node.operand, not wanted, wishes)
        case Near() if node.negated:
            first, *others = node.operands
            _wish(first, wanted, wishes)
            for other in others:
                _wish(other, not wanted, wishes)
        case _:
            for child in children(node):
                _wish(child, wanted, wishes)


def _possible(node: Node, known: Mapping[str, bool]) -> tuple[bool, bool]:
    """(may be true, may be false), given which concepts and literals occur; of others it is open."""
    match node:
        case Ref() | Literal():
            there = known.get(_atom(node))
            return there is not False, there is not True
        case Not():
            true, false = _possible(node.operand, known)
            return false, true
        case And():
            found = [_possible(operand, known) for operand in node.operands]
            return all(true for true, _ in found), any(false for _, false in found)
        case Or():
            found = [_possible(operand, known) for operand in node.operands]
            return any(true for true, _ in found), all(false for _, false in found)
        case Near():
            found = [_possible(operand, known) for operand in node.operands]
            if node.negated:  # where none of the others occurs, the first stands alone
                alone = not any(true for true, _ in found[1:])
                return found[0][0], found[0][1] or not alone
            return all(true for true, _ in found), True
        case Within() | Count():
            return _possible(node.operand, known)[0], True


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
    return {term.text for one in reached(key, concepts) for term in concepts[one].terms}


def reached(key: str, concepts: Mapping[str, Concept]) -> set[str]:
    """The key of a concept and of all that it includes."""
    keys, waiting = {key}, [key]
    while waiting:
        new = set(concepts[waiting.pop()].include) - keys
        keys |= new
        waiting += new
    return keys
