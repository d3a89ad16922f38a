"""What may stand beside what without parentheses: a row of operands and operators to a tree, or a question.

Proximity binds before `and`. Where two search systems would read a row differently, the fault shows both readings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from monitor.matching.expression import And, Count, Literal, Near, Node, Not, Or, Ref, Unit, Within

Report = Callable[[int, str], None]

_LITERAL_OR_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|[“„][^”“]*[”“]|\w+(?:[.\-*?]\w+)*[!*?]*")
_NOT = re.compile(r"not\s*", re.IGNORECASE)


class Operator(NamedTuple):
    kind: str  # and | or | but-not | near
    start: int
    end: int
    unit: Unit = Unit.WORDS
    distance: int = 0
    ordered: bool = False
    negated: bool = False

    def same(self, other: Operator) -> bool:
        return self[0:1] + self[3:] == other[0:1] + other[3:]


class Operand(NamedTuple):
    """A node and the stretch of text it was written in, its parentheses included; None: at fault."""

    node: Node | None
    start: int
    end: int


class Weaver:
    """One row of operands and operators to a tree, or a fault that shows the readings to choose from."""

    def __init__(self, text: str, report: Report, operands: list[Operand], operators: list[Operator]) -> None:
        self._source, self._report, self._operands, self._operators = text, report, operands, operators

    def node(self) -> Node | None:
        kinds = {operator.kind for operator in self._operators}
        if "or" in kinds and len(kinds) > 1:
            first, second = self._or_readings()
            return self._ask(
                self._first_mixed(), f"{first} [as Lexis and Westlaw read it]", f"{second} [as Factiva does]"
            )
        if "or" in kinds:
            return self._alternatives()
        return self._conjunction()

    def _alternatives(self) -> Node | None:
        for index, operand in enumerate(self._operands[:-1]):
            if self._is_bare_not(operand):
                after = self._text(index + 1, len(self._operands))
                inner = self._written(operand.node.operand)  # type: ignore[union-attr]
                return self._ask(self._operators[index], f"(not {inner}) or {after}", f"not ({inner} or {after})")
        nodes = self._nodes(self._operands)
        return Or(operands=nodes, start=self._operands[0].start, end=self._operands[-1].end) if nodes else None

    def _is_bare_not(self, operand: Operand) -> bool:
        return isinstance(operand.node, Not) and self._source[operand.start] != "("

    def _conjunction(self) -> Node | None:
        if not self._operators:
            return self._operands[0].node
        chains: list[tuple[int, int]] = []
        first = 0
        for index, operator in enumerate(self._operators):
            if operator.kind != "near":
                chains.append((first, index + 1))
                first = index + 1
        chains.append((first, len(self._operands)))
        nodes: list[Node | None] = []
        for number, (begin, end) in enumerate(chains):
            node = self._chain(begin, end)
            if node and number and self._operators[begin - 1].kind == "but-not":
                node = Not(operand=node, start=node.start, end=node.end)
            nodes.append(node)
        if None in nodes:
            return None
        if len(nodes) == 1:
            return nodes[0]
        flat = tuple(part for node in nodes for part in self._flat(node))
        return And(operands=flat, start=self._operands[0].start, end=self._operands[-1].end)

    @staticmethod
    def _flat(node: Node | None) -> tuple[Node, ...]:
        assert node is not None
        return node.operands if isinstance(node, And) else (node,)

    def _chain(self, begin: int, end: int) -> Node | None:
        """Operands begin…end-1, joined by proximity alone."""
        operands, operators = self._operands[begin:end], self._operators[begin : end - 1]
        if not operators:
            return operands[0].node
        negations: list[int] = []  # where they begin
        while self._is_bare_not(operands[0]):  # `not a w/5 b` has one legal reading: not (a w/5 b)
            negations.append(operands[0].start)
            sign = _NOT.match(self._source, operands[0].start)
            inner = Operand(operands[0].node.operand, sign.end(), operands[0].end)  # type: ignore[union-attr]
            operands = [inner, *operands[1:]]
        for index, operator in enumerate(operators[1:], 1):
            if not operator.same(operators[0]):
                left = self._text(begin, begin + index + 1)
                right = self._text(begin + index, end)
                return self._ask(
                    operator,
                    f"({left}) {self._text_after(begin + index, end)}",
                    f"{self._text_before(begin, begin + index)} ({right})",
                )
        negated = len(negations) % 2 == 1
        fit = [self._may_be_near(operands, index, operators[0], negated) for index in range(len(operands))]
        if not all(fit):
            return None
        nodes = self._nodes(operands)
        if nodes is None:
            return None
        first, start, stop = operators[0], self._operands[begin].start, self._operands[end - 1].end
        node: Node = Near(
            unit=first.unit, distance=first.distance, ordered=first.ordered, negated=first.negated,
            operands=nodes, start=start, end=stop,
        )  # fmt: skip
        for start in reversed(negations):
            node = Not(operand=node, start=start, end=stop)
        return node

    def _may_be_near(self, operands: list[Operand], index: int, operator: Operator, negated: bool) -> bool:
        whole = operands[index].node
        wrong = whole and _not_near(whole)
        if not wrong:
            return True
        sign = self._source[operator.start : operator.end]
        other = operands[index - 1 if index else 1]
        mate = self._shown(other.start, other.end)
        what, cure = _rewriting(self._written, wrong, whole, sign, mate, mate_first=index > 0)
        self._report(wrong.start, f"{what}; write {f'not ({cure})' if negated else cure}")
        return False

    def _written(self, node: Node | None) -> str:
        assert node is not None
        return self._shown(node.start, node.end)

    def _nodes(self, operands: list[Operand]) -> tuple[Node, ...] | None:
        nodes = tuple(operand.node for operand in operands if operand.node is not None)
        return nodes if len(nodes) == len(operands) else None

    # --- readings

    def _ask(self, at: Operator, first: str, second: str) -> Node | None:
        self._report(at.start, f"can be read in two ways; write {first} or {second}")
        return None

    def _first_mixed(self) -> Operator:
        first = self._operators[0].kind == "or"
        return next(operator for operator in self._operators if (operator.kind == "or") != first)

    def _or_readings(self) -> tuple[str, str]:
        """Both ways to put the parentheses: `or` binds first, or `or` binds last."""
        return self._grouped(lambda kind: kind == "or"), self._grouped(lambda kind: kind != "or")

    def _grouped(self, binds: Callable[[str], bool]) -> str:
        out: list[str] = []
        begin = 0
        for index in range(len(self._operands)):
            last = index == len(self._operands) - 1
            if last or not binds(self._operators[index].kind):
                part = self._text(begin, index + 1)
                out.append(f"({part})" if index > begin else part)
                if not last:
                    out.append(self._sign(index))
                begin = index + 1
        return " ".join(out)

    def _shown(self, start: int, end: int) -> str:
        """A stretch of the source as it is to be written: terms with signs in quotes."""
        text = " ".join(self._source[start:end].split())
        return _LITERAL_OR_WORD.sub(lambda found: quoted(found[0]), text)

    def _sign(self, index: int) -> str:
        operator = self._operators[index]
        return " ".join(self._source[operator.start : operator.end].split())

    def _text(self, begin: int, end: int) -> str:
        return self._shown(self._operands[begin].start, self._operands[end - 1].end)

    def _text_after(self, index: int, end: int) -> str:
        """From the operator after operand `index` on."""
        return self._shown(self._operators[index].start, self._operands[end - 1].end)

    def _text_before(self, begin: int, index: int) -> str:
        """Up to the operator before operand `index`."""
        return self._shown(self._operands[begin].start, self._operators[index - 1].end)


def quoted(word: str) -> str:
    """A term that holds a sign and no quotes, with them; other words and literals as they are."""
    if word[0] in "\"'“„" or not re.search(r"[!*?]", word):
        return word
    return f'"{word.rstrip("!")}{"*" if word[-1] == "!" else ""}"'


def _not_near(node: Node) -> Node | None:
    """The part that may not stand inside proximity."""
    if isinstance(node, Ref | Literal):
        return None
    if isinstance(node, Or | Near):
        return next((wrong for operand in node.operands if (wrong := _not_near(operand))), None)
    return node


def _rewriting(
    written: Callable[[Node | None], str], wrong: Node, whole: Node | None, sign: str, mate: str, *, mate_first: bool
) -> tuple[str, str]:
    """What an operand of proximity cannot be, and how to say it."""

    def near(part: str) -> str:
        return f"{mate} {sign} {part}" if mate_first else f"{part} {sign} {mate}"

    match wrong:
        case And():
            parts = " and ".join(near(written(part)) for part in wrong.operands)
            return "'and' cannot stand inside proximity", parts
        case Not():
            return "'not' cannot stand inside proximity", f"{mate} not {sign} {written(wrong.operand)}"
        case Within():
            inner = written(wrong.operand)
            inner = inner if inner.startswith("(") else f"({inner})" if " " in inner else inner
            return "a field is written round the whole proximity", f"{wrong.field}:({near(inner)})"
        case _:
            inner = written(wrong.operand) if isinstance(wrong, Count) else written(whole)
            return "a count cannot stand inside proximity", f"{near(inner)} and {written(wrong)}"
