"""An expression over one scanned document: is it true, and which places make it so.

`places` of a true node are all hits that take part: for proximity those that stand near enough to one of each other
operand, for counts those counted, for `and` and `or` those of the operands that are true, for `not` none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple, TypeAlias

from monitor.matching.expression import Field, Unit
from monitor.matching.scan import Hit, Scan

MAX_TRIES: Final = 50_000
"""Of a chain of three or more, or a nested proximity, in one document; what is not found by then is not told.

A search of so many tries that finds nothing is one where all that is near overlaps something chosen before.
"""


class Place(NamedTuple):
    """A hit under the name its rule knows the concept by; of a literal, the empty name."""

    hit: Hit
    name: str


Group: TypeAlias = "tuple[Place, ...]"
"""Hits that together meet an operand of proximity: one, or those of a nested proximity."""


class Part(NamedTuple):
    """Hits of `set` that lie in no hit of the sets in `exceptions` count."""

    set: int
    exceptions: tuple[int, ...]


class Leaf:
    """A concept or a literal."""

    __slots__ = ("name", "parts")

    def __init__(self, name: str, parts: tuple[Part, ...]) -> None:
        self.name, self.parts = name, parts

    def true(self, scan: Scan, field: Field | None) -> bool:
        return bool(self.places(scan, field))

    def places(self, scan: Scan, field: Field | None) -> list[Place]:
        known = scan.memo.get((self, field))
        if known is None:
            known = scan.memo[self, field] = self._places(scan, field)
        return known

    def _places(self, scan: Scan, field: Field | None) -> list[Place]:
        parts = [part for part in self.parts if scan.has(part.set)]
        if not parts:
            return []
        hits = _kept(scan, parts[0])
        if len(parts) > 1:  # own terms first, then those of each include
            places: dict[Hit, int] = {}
            for number, part in enumerate(parts):
                for hit in _kept(scan, part):
                    places.setdefault(hit, number)
            hits = sorted(places, key=lambda hit: (hit.left, hit.right, places[hit], hit.order))
        first, last = (0, scan.words_end) if field is None else scan.range_of(field)
        return [Place(hit, self.name) for hit in hits if first <= hit.start and hit.end <= last]

    def groups(self, scan: Scan, field: Field | None) -> list[Group]:
        return [(place,) for place in self.places(scan, field)]


def _kept(scan: Scan, part: Part) -> list[Hit]:
    """The hits of a set that no hit of an exception covers."""
    hits = scan.hits(part.set)
    if not part.exceptions:
        return hits
    covers = sorted(cover for number in part.exceptions if scan.has(number) for cover in scan.hits(number))
    if not covers:
        return hits
    lefts = [cover.left for cover in covers]
    reach = list(accumulate((cover.right for cover in covers), max))
    return [hit for hit in hits if reach[bisect_right(lefts, hit.left) - 1] < hit.right or hit.left < lefts[0]]


class Not:
    __slots__ = ("operand",)

    def __init__(self, operand: Node) -> None:
        self.operand = operand

    def true(self, scan: Scan, field: Field | None) -> bool:
        return not self.operand.true(scan, field)

    def places(self, scan: Scan, field: Field | None) -> list[Place]:
        return []


class And:
    __slots__ = ("operands",)

    def __init__(self, operands: Sequence[Node]) -> None:
        self.operands = tuple(operands)

    def true(self, scan: Scan, field: Field | None) -> bool:
        return all(operand.true(scan, field) for operand in self.operands)

    def places(self, scan: Scan, field: Field | None) -> list[Place]:
        return [place for operand in self.operands for place in operand.places(scan, field)]


class Or:
    __slots__ = ("operands",)

    def __init__(self, operands: Sequence[Node]) -> None:
        self.operands = tuple(operands)

    def true(self, scan: Scan, field: Field | None) -> bool:
        return any(operand.true(scan, field) for operand in self.operands)

    def places(self, scan: Scan, field: Field | None) -> list[Place]:
        return [
            place for operand in self.operands if operand.true(scan, field) for place in operand.places(scan, field)
        ]

    def groups(self, scan: Scan, field: Field | None) -> list[Group]:
        found = {group for operand in self.operands for group in _groups(operand, scan, field)}
        return sorted(found)


class Within:
    __slots__ = ("field", "operand")

    def __init__(self, field: Field, operand: Node) -> None:
        self.field, self.operand = field, operand

    def true(self, scan: Scan, field: Field | None) -> bool:
        return self.operand.true(scan, self.field)

    def places(self, scan: Scan, field: Field | None) -> list[Place]:
        return self.operand.places(scan, self.field)


class Count:
    """So many hits that do not overlap: the longest first, then the leftmost, then the term written first."""

    __slots__ = ("distinct", "number", "operand")

    def __init__(self, number: int, distinct: bool, operand: Node) -> None:
        self.number, self.distinct, self.operand = number, distinct, operand

    def true(self, scan: Scan, field: Field | None) -> bool:
        return bool(self.places(scan, field))

    def places(self, scan: Scan, field: Field | None) -> list[Place]:
        chosen = apart(self.operand.places(scan, field))
        reached = len({place.hit.term for place in chosen}) if self.distinct else len(chosen)
        return chosen if reached >= self.number else []


def apart(places: Iterable[Place]) -> list[Place]:
    """Those that do not overlap: the longest first, then the leftmost, then the one that comes first."""
    chosen: list[Place] = []
    lefts: list[int] = []
    ordered = sorted(places, key=lambda place: (place.hit.left - place.hit.right, place.hit.left))
    for place in ordered:
        at = bisect_left(lefts, place.hit.left)
        clear_left = at == 0 or chosen[at - 1].hit.right <= place.hit.left
        clear_right = at == len(lefts) or place.hit.right <= lefts[at]
        if clear_left and clear_right:
            lefts.insert(at, place.hit.left)
            chosen.insert(at, place)
    return chosen


class Near:
    """A chain of one proximity operator."""

    __slots__ = ("distance", "operands", "ordered", "unit")

    def __init__(self, unit: Unit, distance: int, ordered: bool, operands: Sequence[Node]) -> None:
        self.unit, self.distance, self.ordered = unit, distance, ordered
        self.operands = tuple(operands)

    def true(self, scan: Scan, field: Field | None) -> bool:
        lists = self._lists(scan, field)
        if lists is None:
            return False
        if _are_pairs(lists):
            return bool(self._pair_places(scan, *_singles(lists)))
        return next(self._combinations(scan, lists), None) is not None

    def places(self, scan: Scan, field: Field | None) -> list[Place]:
        lists = self._lists(scan, field)
        if lists is None:
            return []
        if _are_pairs(lists):
            return self._pair_places(scan, *_singles(lists))
        return sorted({place for group in self._combinations(scan, lists) for place in group})

    def groups(self, scan: Scan, field: Field | None) -> list[Group]:
        lists = self._lists(scan, field)
        return [] if lists is None else sorted(set(self._combinations(scan, lists)))

    def without(self, scan: Scan, groups: list[Group], others: list[Group]) -> list[Group]:
        """Of `groups`, those with none of `others` so near."""
        lists = [groups, others]
        if _are_pairs(lists):
            near = self._mated(scan, *_singles(lists), forward=True)
            return [group for group in groups if group[0] not in near]
        if self.unit == Unit.WORDS:
            row = _Row(others)
            return [group for group in groups if next(self._reachable(scan, group, row, _tries()), None) is None]
        mates = _by_unit(others, self._unit_of(scan))
        mated = {
            group
            for unit, these in _by_unit(groups, self._unit_of(scan)).items()
            for group in these
            if any(not _overlap(group, mate) for mate in mates.get(unit, ()))
        }
        return [group for group in groups if group not in mated]

    def _lists(self, scan: Scan, field: Field | None) -> list[list[Group]] | None:
        lists: list[list[Group]] = []
        for operand in self.operands:
            groups = _groups(operand, scan, field)
            if not groups:
                return None
            lists.append(groups)
        return lists

    # --- two operands of one hit each: by neighbours, so that a text of a hundred thousand hits costs no more

    def _pair_places(self, scan: Scan, one: list[Place], other: list[Place]) -> list[Place]:
        return sorted({*self._mated(scan, one, other, forward=True), *self._mated(scan, other, one, forward=False)})

    def _mated(self, scan: Scan, these: list[Place], those: list[Place], *, forward: bool) -> set[Place]:
        """Of `these`, the hits with one of `those` near enough; `forward`: these are the first operand."""
        if self.unit != Unit.WORDS:
            return set(self._together(scan, these, those))
        if not self.ordered:
            return {*_followed(scan, these, those, self.distance), *_preceded(scan, these, those, self.distance)}
        return set((_followed if forward else _preceded)(scan, these, those, self.distance))

    def _together(self, scan: Scan, these: list[Place], those: list[Place]) -> Iterator[Place]:
        """Of `these`, the hits with one of `those` in the same sentence or paragraph that does not overlap."""
        mates: dict[Hashable, list[Place]] = {}
        unit_of = self._unit_of(scan)
        for place in _in_shared_paragraphs(scan, those, these):
            mates.setdefault(unit_of(place.hit), []).append(place)
        mates.pop(None, None)
        for place in _in_shared_paragraphs(scan, these, those):
            near = mates.get(unit_of(place.hit), ())
            if any(not place.hit.overlaps(mate.hit) for mate in near):
                yield place

    def _unit_of(self, scan: Scan) -> Callable[[Hit], Any]:
        return scan.sentence_of if self.unit == Unit.SENTENCE else scan.paragraph_of

    # --- any chain: one group of each operand, no two hits overlapping

    def _combinations(self, scan: Scan, lists: list[list[Group]]) -> Iterator[Group]:
        tries = _tries()
        if self.unit == Unit.WORDS:
            yield from self._chains(scan, self._linked(scan, lists), (), None, tries)
            return
        by_unit = [_by_unit(groups, self._unit_of(scan)) for groups in lists]
        for unit in sorted(set(by_unit[0]).intersection(*by_unit[1:])):
            yield from _rows([groups[unit] for groups in by_unit], (), tries)

    def _linked(self, scan: Scan, lists: list[list[Group]]) -> list[_Row]:
        """Rows without the groups from which no chain leads to the last row, lest each way to them be tried."""
        rows, tries = [_Row(lists[-1])], _tries()
        for groups in reversed(lists[:-1]):
            row = rows[-1]
            rows.append(_Row([group for group in groups if next(self._reachable(scan, group, row, tries), None)]))
        return rows[::-1]

    def _chains(self, scan: Scan, rows: list[_Row], chosen: Group, last: Group | None, tries: Tries) -> Iterator[Group]:
        if not rows:
            yield tuple(sorted(chosen))
            return
        candidates = rows[0].groups if last is None else self._reachable(scan, last, rows[0], tries)
        for group in candidates:
            if next(tries, None) is None:
                return
            if not _overlap(chosen, group):
                yield from self._chains(scan, rows[1:], chosen + group, group, tries)

    def _reachable(self, scan: Scan, last: Group, row: _Row, tries: Tries) -> Iterator[Group]:
        """The groups near enough to the one before."""
        begin, end = last[0].hit.left, max(place.hit.right for place in last)
        first = bisect_left(row.lefts, begin)
        before = () if self.ordered else range(first - 1, -1, -1)
        for at in before:
            if scan.words.between(row.reach[at], begin) >= self.distance:
                break
            if self._near(scan, last, row.groups[at], end):
                yield row.groups[at]
            elif next(tries, None) is None:
                return
        for at in range(first, len(row.groups)):
            if row.lefts[at] >= end and scan.words.between(end, row.lefts[at]) >= self.distance:
                break
            if self._near(scan, last, row.groups[at], end):
                yield row.groups[at]
            elif next(tries, None) is None:
                return

    def _near(self, scan: Scan, one: Group, other: Group, end: int) -> bool:
        if self.ordered:
            first = other[0].hit
            same = scan.field_at(one[-1].hit.start) == scan.field_at(first.start)
            return same and end <= first.left and scan.words.between(end, first.left) < self.distance
        near = any(_words_apart(scan, a.hit, b.hit, self.distance) for a in one for b in other)
        return near and not _overlap(one, other)


class NotNear:
    """The places of the first operand that have none of the others so near."""

    __slots__ = ("first", "nears")

    def __init__(self, first: Node, nears: Sequence[Near]) -> None:
        self.first, self.nears = first, tuple(nears)

    def true(self, scan: Scan, field: Field | None) -> bool:
        return bool(self.groups(scan, field))

    def places(self, scan: Scan, field: Field | None) -> list[Place]:
        return sorted({place for group in self.groups(scan, field) for place in group})

    def groups(self, scan: Scan, field: Field | None) -> list[Group]:
        groups = _groups(self.first, scan, field)
        for near in self.nears:
            if not groups:
                break
            others = _groups(near.operands[1], scan, field)
            if others:
                groups = near.without(scan, groups, others)
        return groups


Node: TypeAlias = Leaf | Not | And | Or | Within | Count | Near | NotNear


def leaves(node: Node, field: Field | None = None) -> Iterator[tuple[Leaf, Field | None]]:
    """Every concept and literal of an expression, with the field that it is looked for in."""
    match node:
        case Leaf():
            yield node, field
        case Not() | Count():
            yield from leaves(node.operand, field)
        case Within():
            yield from leaves(node.operand, node.field)
        case And() | Or() | Near():
            for operand in node.operands:
                yield from leaves(operand, field)
        case NotNear():
            yield from leaves(node.first, field)
            for near in node.nears:
                yield from leaves(near.operands[1], field)


class _Row:
    """Groups of one operand in the order of their first hits."""

    __slots__ = ("groups", "lefts", "reach")

    def __init__(self, groups: list[Group]) -> None:
        self.groups = groups
        self.lefts = [group[0].hit.left for group in groups]
        rights = (max(place.hit.right for place in group) for group in groups)
        self.reach = list(accumulate(rights, max))  # how far any of the groups up to this one goes


Tries: TypeAlias = Iterator[int]
"""As many as are left."""


def _tries() -> Tries:
    return iter(range(MAX_TRIES))


def _are_pairs(lists: list[list[Group]]) -> bool:
    return len(lists) == 2 and all(len(group) == 1 for groups in lists for group in groups)


def _singles(lists: list[list[Group]]) -> tuple[list[Place], list[Place]]:
    return [group[0] for group in lists[0]], [group[0] for group in lists[1]]


def _groups(node: Node, scan: Scan, field: Field | None) -> list[Group]:
    assert isinstance(node, Leaf | Or | Near | NotNear), "the grammar lets nothing else stand in proximity"
    return node.groups(scan, field)


def _overlap(one: Group, other: Group) -> bool:
    return any(a.hit.overlaps(b.hit) for a in one for b in other)


def _words_apart(scan: Scan, one: Hit, other: Hit, distance: int) -> bool:
    if one.overlaps(other) or scan.field_at(one.start) != scan.field_at(other.start):
        return False
    first, second = (one, other) if one.left < other.left else (other, one)
    return scan.between(first, second) < distance


def _in_shared_paragraphs(scan: Scan, these: list[Place], those: list[Place]) -> list[Place]:
    """Of `these`, the hits in paragraphs that hold one of `those` too; only such paragraphs need be read."""
    shared = {scan.paragraph_of(place.hit) for place in those} - {None}
    return [place for place in these if scan.paragraph_of(place.hit) in shared]


def _by_unit(groups: list[Group], unit_of: Callable[[Hit], Hashable]) -> dict[Any, list[Group]]:
    """Groups by the sentence or paragraph that holds all their hits; a group that crosses one is in none."""
    found: dict[Any, list[Group]] = {}
    for group in groups:
        units = {unit_of(place.hit) for place in group}
        unit = units.pop()
        if not units and unit is not None:
            found.setdefault(unit, []).append(group)
    return found


def _rows(lists: list[list[Group]], chosen: Group, tries: Tries) -> Iterator[Group]:
    if not lists:
        yield tuple(sorted(chosen))
        return
    for group in lists[0]:
        if next(tries, None) is None:
            return
        if not _overlap(chosen, group):
            yield from _rows(lists[1:], chosen + group, tries)


def _followed(scan: Scan, these: list[Place], those: list[Place], distance: int) -> Iterator[Place]:
    """Of `these`, the hits that one of `those` follows within the distance."""
    lefts = [place.hit.left for place in those]
    for place in these:
        at = bisect_left(lefts, place.hit.right)
        if at < len(those) and _words_apart(scan, place.hit, those[at].hit, distance):
            yield place


def _preceded(scan: Scan, these: list[Place], those: list[Place], distance: int) -> Iterator[Place]:
    """Of `these`, the hits that one of `those` precedes within the distance."""
    by_end = sorted(those, key=lambda place: place.hit.right)
    rights = [place.hit.right for place in by_end]
    for place in these:
        at = bisect_right(rights, place.hit.left) - 1
        if at >= 0 and _words_apart(scan, by_end[at].hit, place.hit, distance):
            yield place
