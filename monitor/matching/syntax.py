"""Expressions from text to tree; what is wrong in them, where, and how to write it instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from monitor.matching.expression import Count, Field, Literal, Node, Not, Or, Ref, Unit, Within, children
from monitor.matching.precedence import Operand, Operator, Weaver
from monitor.matching.syntax_faults import Fault, syntax_fault

__all__ = ["MAX_DISTANCE", "RESERVED", "Fault", "is_reserved", "parse"]

MAX_LENGTH = 20_000
MAX_DEPTH = 40
MAX_DISTANCE = 1000
_DIGITS = 6

RESERVED = frozenset(("and", "or", "not", "w", "near", "pre", *Field))
"""Words that are no concept's name; so are `atleastN` and `distinctN`."""

_CLOSED_PROXIMITY = "write w/N (words), w/s (sentence), w/p (paragraph) or pre/N (words, in this order)"


def is_reserved(name: str) -> bool:
    """Whether a name cannot be a concept's."""
    return name.lower() in RESERVED or re.fullmatch(r"(atleast|distinct)\d+", name, re.IGNORECASE) is not None


def parse(text: str) -> tuple[Node | None, list[Fault]]:
    """The tree of an expression, or None and every fault found. Whether concepts exist is not asked here."""
    if len(text) > MAX_LENGTH:
        return None, [Fault(0, f"the expression has {len(text):,} characters; at most {MAX_LENGTH:,} are read")]
    deep = _too_deep(text)
    if deep is not None:
        return None, [Fault(deep, f"nested too deep; at most {MAX_DEPTH} parentheses are read")]
    import lark

    builder = _Builder(text)
    try:
        tree = _grammar().parse(text)
    except lark.UnexpectedInput as error:
        return None, [syntax_fault(text, error)]
    operand = builder.row(tree.children[0])
    if builder.faults:
        return None, sorted(builder.faults)
    return operand.node, []


@cache
def _grammar() -> Any:
    import lark

    source = files("monitor.matching").joinpath("language.lark").read_text("utf-8")
    return lark.Lark(source, parser="lalr", lexer="contextual", maybe_placeholders=False)


def _too_deep(text: str) -> int | None:
    """Where nesting passes what is read, so that no expression can exhaust the stack."""
    depth = 0
    for found in re.finditer(r"\"[^\"]*\"|'[^']*'|[()]", text):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            return found.start()
    row = re.search(r"(?:\b(?:not|title|lead|body|url|author)\b[\s:]*){8}", text, re.IGNORECASE)
    return row.start() if row else None


class _Builder:
    """Builds nodes from lark's tree; goes on after a fault, so that all are found."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.faults: list[Fault] = []

    def fault(self, offset: int, message: str) -> None:
        self.faults.append(Fault(offset, message))

    def row(self, tree: Any) -> Operand:
        parts = tree.children
        operands = [self.operand(part) for part in parts[::2]]
        operators = [self.operator(part) for part in parts[1::2]]
        whole = Operand(None, operands[0].start, operands[-1].end)
        if None in operators:
            return whole
        return whole._replace(node=Weaver(self.text, self.fault, operands, operators).node())  # type: ignore[arg-type]

    def operand(self, tree: Any) -> Operand:
        build: Callable[[Any], Operand] = getattr(self, f"_{tree.data}")
        return build(tree.children)

    def _name(self, parts: Any) -> Operand:
        token = parts[0]
        start, end, name = token.start_pos, token.end_pos, str(token)
        if re.search(r"[!*?]", name):
            self.fault(start, f'a term stands in quotes: "{name.rstrip("!")}{"*" if name[-1] == "!" else ""}"')
        elif is_reserved(name):
            self.fault(start, f"'{name}' stands where a concept, a literal in quotes or '(' is wanted")
        return Operand(Ref(name=name, start=start, end=end), start, end)

    def _literal(self, parts: Any) -> Operand:
        token = parts[0]
        start, end, term = token.start_pos, token.end_pos, str(token)[1:-1]
        return Operand(Literal(term=" ".join(term.split()), start=start, end=end), start, end)

    def _group(self, parts: Any) -> Operand:
        inner = self.row(parts[1])
        return Operand(inner.node, parts[0].start_pos, parts[2].end_pos)

    def _negation(self, parts: Any) -> Operand:
        token, inner = parts[0], self.operand(parts[1])
        node = inner.node and Not(operand=inner.node, start=token.start_pos, end=inner.end)
        return Operand(node, token.start_pos, inner.end)

    def _within(self, parts: Any) -> Operand:
        token, inner = parts[0], self.operand(parts[1])
        field = Field(str(token)[:-1].strip().lower())
        if inner.node and (nested := _find(inner.node, Within)):
            self.fault(nested.start, f"a field inside {field}:(…); a field is not put into another")
        node = inner.node and Within(field=field, operand=inner.node, start=token.start_pos, end=inner.end)
        return Operand(node, token.start_pos, inner.end)

    def _count(self, parts: Any) -> Operand:
        token, inner = parts[0], self.row(parts[2])
        found = re.fullmatch(r"(atleast|distinct)\s*(\d+)", str(token), re.IGNORECASE)
        assert found
        number, distinct = _number(found[2]), found[1].lower() == "distinct"
        if not 1 <= number <= 1000:
            self.fault(token.start_pos, f"{found[1]}{found[2][:_DIGITS]}: the number is 1 to 1000")
        wrong = inner.node and _not_countable(inner.node)
        if wrong:
            self.fault(wrong.start, f"{found[1]}{number}(…) counts a concept, a literal, or several joined by 'or'")
        end = parts[3].end_pos
        node = inner.node and Count(
            number=number, distinct=distinct, operand=inner.node, start=token.start_pos, end=end
        )
        return Operand(node, token.start_pos, end)

    # --- operators

    def operator(self, token: Any) -> Operator | None:
        start, end, word = token.start_pos, token.end_pos, str(token).lower()
        match token.type:
            case "AND":
                return Operator("and", start, end)
            case "OR":
                return Operator("or", start, end)
            case "BUT_NOT":
                return Operator("but-not", start, end)
            case "STRAY_NEAR":
                self.fault(start, f"'{token}' lacks how near; {_CLOSED_PROXIMITY}")
                return None
            case "FOREIGN":
                return self._foreign(word, start, end)
            case _:
                return self._near(word, start, end)

    def _near(self, word: str, start: int, end: int) -> Operator | None:
        negated = word.startswith("not")
        name, _, how = word.removeprefix("not").partition("/")
        name, how = name.strip(), how.strip()
        if negated and name == "pre":
            self.fault(start, "'not pre/N' is not known; write 'not w/N'")
            return None
        if how in ("s", "p") and name == "pre":
            self.fault(start, f"'pre/{how}' is not known; write 'pre/N' (words) or 'w/{how}' (either order)")
            return None
        if how in ("s", "p"):
            unit = Unit.SENTENCE if how == "s" else Unit.PARAGRAPH
            return Operator("near", start, end, unit, 0, False, negated)
        return self._words(start, end, how, name == "pre", negated)

    def _words(self, start: int, end: int, number: str, ordered: bool, negated: bool) -> Operator | None:
        if not number.isascii() or not number.isdigit():
            self.fault(start, f"'{self.text[start:end]}': {_CLOSED_PROXIMITY}")
            return None
        distance = _number(number)
        if not 1 <= distance <= MAX_DISTANCE:
            shown = self.text[start : min(end, start + 8 + _DIGITS)]
            self.fault(start, f"'{shown}': the number of words is 1 to {MAX_DISTANCE}; w/1 means neighbours")
            distance = 1  # go on, so that the rest is judged too
        return Operator("near", start, end, Unit.WORDS, distance, ordered, negated)

    def _foreign(self, word: str, start: int, end: int) -> Operator | None:
        """Other systems' operators, where they can mean one thing only."""
        if word == "same":
            return Operator("near", start, end, Unit.PARAGRAPH)
        if word.startswith("adj"):
            return self._words(start, end, word[3:] or "1", True, False)
        if word[0] == "/":
            return self._near(f"w{word}", start, end)
        if word[0] == "+":
            if word[1:] in ("s", "p"):
                self.fault(start, f"'{word}' is not known; write 'pre/N' (words) or 'w/{word[1:]}' (either order)")
                return None
            return self._words(start, end, word[1:], True, False)
        return self._words(start, end, word.removeprefix("near").removeprefix("w"), False, False)


def _number(digits: str) -> int:
    """Digits as a number; where they are more than any number here has, one too great."""
    return int(digits) if len(digits) <= _DIGITS else 10**_DIGITS


def _find(node: Node, kind: type[Within]) -> Within | None:
    if isinstance(node, kind):
        return node
    return next((found for child in children(node) if (found := _find(child, kind))), None)


def _not_countable(node: Node) -> Node | None:
    if isinstance(node, Ref | Literal):
        return None
    if isinstance(node, Or):
        return next((wrong for operand in node.operands if (wrong := _not_countable(operand))), None)
    return node
