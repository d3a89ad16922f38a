"""Which remembered entry holds the same text: sampled shingles, compared by containment.

Containment (the part of the shorter text that the longer one holds) finds a summary or a cut copy in its full text,
where a likeness of whole texts (MinHash, SimHash) finds nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from math import sqrt
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from monitor.matching.scripts import CJK, SOUTH_EAST, class_table

REMEMBERED: Final = 120_000
"""Entries with marks that are remembered, the latest."""

MAX_CHARACTERS: Final = 6000
MAX_TOKENS: Final = 600  # news tells its story first; what stands behind is background
SHORT: Final = 16  # tokens; of shorter texts the title is a part
WORDS: Final = 4  # that make a shingle
CHARACTERS: Final = 6  # that do in scripts without spaces
FEW: Final = 120  # shingles of words, or twice as many of characters: so short a text keeps twice the marks
LEAST_SHARED: Final = 8  # marks; below, it may be a phrase that everybody uses
LEAST_SAMPLED: Final = 5  # the same where every second mark is left out

EARLY: Final = 5  # what is in the first fifth of a text is early in it

_NEWEST: Final = 64  # entries looked up for one mark: what is in more of them is boilerplate
_WEIGHED: Final = 8  # entries that are compared mark by mark
_FEW_ANCHORS: Final = 16  # of so few one in common is worth a comparison
_FRESH: Final = 512  # entries kept in a dictionary before they are sorted in
_MANY: Final = 1 << 17  # keys that are sorted in once more with every few hundred entries, at most
_SURPLUS: Final = 1 << 14  # entries that may be remembered beyond the capacity until they are swept

Keys = npt.NDArray[np.uint64]


@cache
def _unspaced() -> str:
    """The characters of scripts without spaces, as the inside of a character class."""
    table, ranges = class_table(), list[str]()
    start = None
    for code in range(len(table) + 1):
        inside = code < len(table) and table[code] in (CJK, SOUTH_EAST)
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            ranges.append(f"{chr(start)}-{chr(code - 1)}")
            start = None
    return "".join(ranges) + "\U00020000-\U0003ffff"


@cache
def _token() -> re.Pattern[str]:
    return re.compile(f"[{_unspaced()}]|[^\\W_{_unspaced()}]+")


def tokens_of(text: str) -> list[str]:
    """Words in lower case without signs; in scripts without spaces each character is one. At most 600."""
    folded = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold().replace("ё", "е")
    return [match.group() for match in islice(_token().finditer(folded), MAX_TOKENS)]


def marks_of(title: str, text: str) -> bytes:
    """The sampled shingles of an entry in the order of its text, each once: numbers of 32 bits, little-endian; the same
    on every machine.
    """
    tokens = tokens_of(text)
    if len(tokens) < SHORT:
        tokens = tokens_of(title) + tokens
    if len(tokens) < WORDS:
        return b""
    hashes = np.array([crc32(token.encode("utf-8", "surrogatepass")) for token in tokens], np.uint64)
    unspaced = np.array([_alone(token) for token in tokens], bool)
    words, characters = _shingles(hashes, WORDS), _shingles(hashes, CHARACTERS)
    at_words = np.flatnonzero(~unspaced[: len(words)])
    at_characters = np.flatnonzero(unspaced[: len(characters)] & (characters & 2 == 0))
    marks = np.concatenate((words[at_words], characters[at_characters]))
    if len(at_characters):  # words of another script may stand between them
        marks = marks[np.argsort(np.concatenate((at_words, at_characters)))]
    if len(marks) > FEW:
        marks = marks[marks & 1 == 0]
    _, first = np.unique(marks, return_index=True)
    return marks[np.sort(first)].astype("<u4").tobytes()


def _alone(token: str) -> bool:
    if len(token) > 1:
        return False
    code = ord(token)
    return code >= 0x20000 or (code < 0x10000 and class_table()[code] in (CJK, SOUTH_EAST))


def _shingles(hashes: Keys, length: int) -> Keys:
    count = len(hashes) - length + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    sums = hashes[:count].copy()
    for at in range(1, length):
        sums *= np.uint64(0x9E3779B97F4A7C15)
        sums += hashes[at : count + at]
    sums ^= sums >> np.uint64(29)
    sums *= np.uint64(0xBF58476D1CE4E5B9)
    return sums >> np.uint64(32)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How two texts are alike: marks of each, and those in both. `sampled`: of one of them every second is left out.
    `early`: what they share begins early in the longer one.
    """

    shared: int
    ours: int
    theirs: int
    sampled: bool = False
    early: bool = True

    @property
    def containment(self) -> float:
        """The part of the shorter text that the longer one holds, 0 to 1."""
        return self.shared / max(1, min(self.ours, self.theirs))

    @property
    def extract(self) -> bool:
        """Whether one of them is less than half of the other."""
        return 2 * min(self.ours, self.theirs) < max(self.ours, self.theirs)

    @property
    def same(self) -> bool:
        """Whether one text is the other, or its beginning or summary. The fewer marks, the more of them have to agree:
        they are a sample. What stands deep in a much longer text is an item of a roundup, which is no story.
        """
        least = 0.44 + 0.65 / sqrt(max(1, min(self.ours, self.theirs)))
        whole = self.shared == self.ours == self.theirs
        enough = LEAST_SAMPLED if self.sampled or whole else LEAST_SHARED
        return self.shared >= enough and self.containment >= least and (self.early or not self.extract)


def compare(ours: bytes, theirs: bytes) -> Likeness:
    """How alike the texts are that these marks are of."""
    mine, other = np.frombuffer(ours, "<u4"), np.frombuffer(theirs, "<u4")
    sampled = not (_all_kept(mine) and _all_kept(other))
    if sampled:
        mine, other = mine[mine & 1 == 0], other[other & 1 == 0]
    shorter, longer = sorted((mine.tolist(), other.tolist()), key=len)
    shared = set(shorter).intersection(longer)
    early = not shared.isdisjoint(longer[: len(longer) // EARLY])
    return Likeness(len(shared), len(mine), len(other), sampled, early)


def _all_kept(marks: npt.NDArray[np.uint32]) -> bool:
    return bool((marks & 1).any())


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A remembered entry whose text holds, or is held by, the one asked about."""

    entry_id: str
    likeness: Likeness


class Memory:
    """The marks of the latest entries. Answers do not depend on how they came to be remembered, at once or by and by.

    About a kilobyte an entry of a kilobyte. Not thread-safe.
    """

    def __init__(self, entries: Iterable[tuple[str, bytes]] = (), *, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._entries: list[tuple[str, bytes]] = []
        self._first = 0  # number of the first of them
        self._settled = np.empty(0, np.uint64)  # anchor << 32 | number, ascending
        self._sorted = np.empty(0, np.uint64)
        self._fresh: dict[int, list[int]] = {}
        self._fresh_from = 0
        self._entries.extend((entry_id, marks) for entry_id, marks in entries if marks)
        self._fresh_from = len(self._entries)
        self._settled = _keys(self._entries, 0)
        self._forget()

    def __len__(self) -> int:
        return min(len(self._entries), self._capacity)

    def add(self, entry_id: str, marks: bytes) -> None:
        """Remember an entry, and forget the oldest where there are too many. Without marks there is nothing to."""
        if not marks:
            return
        number = self._first + len(self._entries)
        self._entries.append((entry_id, marks))
        for anchor in _anchors(marks).tolist():
            self._fresh.setdefault(anchor, []).append(number)
        if number + 1 - self._fresh_from >= _FRESH:
            self._sort_in()

    def nearest(self, marks: bytes) -> list[Neighbour]:
        """The remembered entries of the same text, the most alike first; of equals the one remembered first."""
        anchors = _anchors(marks)
        if len(marks) < 4 * LEAST_SAMPLED or not len(anchors):
            return []
        counts = Counter(self._holding(anchors))
        least = 1 if len(anchors) < _FEW_ANCHORS else 2
        weighed = sorted(((-count, number) for number, count in counts.items() if count >= least))[:_WEIGHED]
        found = []
        for _, number in weighed:
            entry_id, theirs = self._entries[number - self._first]
            likeness = compare(marks, theirs)
            if likeness.same:
                found.append((-likeness.containment, number, Neighbour(entry_id, likeness)))
        return [neighbour for _, _, neighbour in sorted(found, key=lambda item: item[:2])]

    def _holding(self, anchors: npt.NDArray[np.uint32]) -> list[int]:
        """The numbers of entries that have these anchors, once for each."""
        floor = self._first + len(self._entries) - len(self)
        low = anchors.astype(np.uint64) << np.uint64(32)
        high = low + np.uint64(1 << 32)
        segments = [
            (keys, np.searchsorted(keys, low).tolist(), np.searchsorted(keys, high).tolist())
            for keys in (self._sorted, self._settled)
        ]
        numbers: list[int] = []
        for at, anchor in enumerate(anchors.tolist()):
            newest = self._fresh.get(anchor, [])[-_NEWEST:]
            for keys, starts, ends in segments:
                room = _NEWEST - len(newest)
                if ends[at] > starts[at] and room:
                    found = keys[max(starts[at], ends[at] - room) : ends[at]] & np.uint64(0xFFFFFFFF)
                    newest = found.tolist() + newest
            numbers += [number for number in newest if number >= floor] if newest else ()
        return numbers

    def _sort_in(self) -> None:
        fresh = _keys(self._entries[self._fresh_from - self._first :], self._fresh_from)
        # Sorting what is mostly sorted is merging; only the stable sort makes use of that.
        self._sorted = np.sort(np.concatenate((self._sorted, fresh)), kind="stable")
        self._fresh, self._fresh_from = {}, self._first + len(self._entries)
        if len(self._sorted) > max(len(self._settled) // 8, _MANY):
            self._settled = np.sort(np.concatenate((self._settled, self._sorted)), kind="stable")
            self._sorted = np.empty(0, np.uint64)
        self._forget()

    def _forget(self) -> None:
        surplus = len(self._entries) - self._capacity
        if surplus < _SURPLUS:
            return
        del self._entries[:surplus]
        self._first += surplus
        self._settled = self._settled[(self._settled & np.uint64(0xFFFFFFFF)) >= self._first]
        self._sorted = self._sorted[(self._sorted & np.uint64(0xFFFFFFFF)) >= self._first]


def _anchors(marks: bytes) -> npt.NDArray[np.uint32]:
    """Half of the marks, by which entries are found; all of them then compare the entries."""
    numbers = np.frombuffer(marks, "<u4")
    anchors: npt.NDArray[np.uint32] = numbers[numbers & 4 == 0]
    return anchors


def _keys(entries: list[tuple[str, bytes]], first: int) -> Keys:
    marks = np.frombuffer(b"".join(marks for _, marks in entries), "<u4")
    lengths = [len(marks) // 4 for _, marks in entries]
    numbers = np.repeat(np.arange(first, first + len(entries), dtype=np.uint64), lengths)
    chosen = marks & 4 == 0
    return np.sort(marks[chosen].astype(np.uint64) << np.uint64(32) | numbers[chosen])
