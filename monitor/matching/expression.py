"""The tree of an expression: plain data. Offsets are into the expression as written."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TypeAlias

import msgspec


class Unit(StrEnum):
    """What proximity is measured in."""

    WORDS = "words"
    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"


class Field(StrEnum):
    """Where in a document. LEAD is the title and the first paragraph."""

    TITLE = "title"
    LEAD = "lead"
    BODY = "body"
    URL = "url"
    AUTHOR = "author"


class Spot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Where a node stands in the expression."""

    start: int
    end: int


class Ref(Spot, frozen=True, kw_only=True):
    """A concept by the name its rule knows it by."""

    name: str


class Literal(Spot, frozen=True, kw_only=True):
    """A term written in place."""

    term: str


class Not(Spot, frozen=True, kw_only=True):
    operand: Node


class And(Spot, frozen=True, kw_only=True):
    operands: tuple[Node, ...]


class Or(Spot, frozen=True, kw_only=True):
    operands: tuple[Node, ...]


class Near(Spot, frozen=True, kw_only=True):
    """A chain of one proximity operator. `distance` counts words, for Unit.WORDS. `negated`: places of the first
    operand that have none of the others so near. `ordered`: each before the next.
    """

    unit: Unit
    distance: int
    ordered: bool
    negated: bool
    operands: tuple[Node, ...]


class Within(Spot, frozen=True, kw_only=True):
    field: Field
    operand: Node


class Count(Spot, frozen=True, kw_only=True):
    """At least `number` hits that do not overlap; `distinct`: of that many different terms."""

    number: int
    distinct: bool
    operand: Node


Node: TypeAlias = Ref | Literal | Not | And | Or | Near | Within | Count


def children(node: Node) -> tuple[Node, ...]:
    """The operands of a node, in order."""
    match node:
        case And() | Or() | Near():
            return node.operands
        case Not() | Within() | Count():
            return (node.operand,)
        case _:
            return ()


def leaves(node: Node) -> Iterator[Ref | Literal]:
    """Every concept and literal of an expression, in order of writing."""
    if isinstance(node, Ref | Literal):
        yield node
    for child in children(node):
        yield from leaves(child)


def clauses(node: Node) -> tuple[Node, ...]:
    """The operands of the outermost `and`; the whole where there is none."""
    return node.operands if isinstance(node, And) else (node,)
