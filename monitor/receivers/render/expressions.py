"""A rule's expression for a reader: whole where it is short, else the clauses that its words can have met."""

from __future__ import annotations

from functools import lru_cache

from monitor.core.excerpts import one_line
from monitor.matching import expression as ex
from monitor.matching.syntax import parse

SHORT = 160
_MORE = "…"


@lru_cache(1024)
def shortened(when: str, found: frozenset[str]) -> str:
    """The expression in at most 160 signs or so, cut between clauses, never within one; what is left out is `…`.

    `found`: the concepts and literals that words were found for. An `or` loses the operands that would have needed
    others; then it and an `and` lose the last operands that there is no room for, but never the first.
    """
    if len(when) <= SHORT:
        return when
    tree, _ = parse(when)
    if tree is None:  # it was cut, or is of an older version
        return one_line(when, SHORT)
    known = found if _possible(tree, found) else None
    return one_line(_Writer(when, known).write(tree, SHORT), 3 * SHORT)


def _possible(node: ex.Node, found: frozenset[str]) -> bool:
    """Whether it can be true where nothing but `found` was seen."""
    match node:
        case ex.Ref():
            return node.name in found
        case ex.Literal():
            return node.term in found
        case ex.Not():
            return True
        case ex.Or():
            return any(_possible(operand, found) for operand in node.operands)
        case ex.Near(negated=True):
            return _possible(node.operands[0], found)
        case _:
            return all(_possible(child, found) for child in ex.children(node))


class _Writer:
    def __init__(self, source: str, found: frozenset[str] | None) -> None:
        self._source, self._found = source, found

    def write(self, node: ex.Node, room: int) -> str:
        written = " ".join(self._source[node.start : node.end].split())
        if len(written) <= room:
            return written
        match node:
            case ex.Or():
                return self._some(node, "or", room)
            case ex.And():
                return self._some(node, "and", room)
            case ex.Within():
                return f"{node.field.value}:({self.write(node.operand, room)})"
            case _:
                return written

    def _some(self, node: ex.And | ex.Or, word: str, room: int) -> str:
        operands = [one for one in node.operands if word == "and" or self._found is None or _possible(one, self._found)]
        shown: list[str] = []
        for operand in operands:
            left = room - sum(len(text) + len(word) + 2 for text in shown)
            text = self.write(operand, max(left, SHORT // 2))
            if shown and len(text) > left:
                break
            shown.append(
                f"({text})" if isinstance(operand, ex.And | ex.Or | ex.Near) and len(node.operands) > 1 else text
            )
        return f" {word} ".join(shown if len(shown) == len(node.operands) else [*shown, _MORE])
