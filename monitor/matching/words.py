"""Words and the distance between hits, counted in folded text.

A run of letters, marks and digits of one alphabetic script is a word; of Han and Kana each two characters, of Thai,
Lao, Khmer and Burmese each four, an incomplete one counts as one. Characters that a hit covers are no words between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from monitor.matching.scripts import CJK, NEUTRAL, OTHER, SOUTH_EAST, class_of, class_table, joined

Classes = npt.NDArray[np.uint8]

_PER_WORD = {CJK: 2, SOUTH_EAST: 4}


@cache
def _class_array() -> Classes:
    return np.frombuffer(class_table(), np.uint8)


def classes_of(text: str) -> Classes:
    """The class of every character."""
    raw = text.encode("utf-16-le", "surrogatepass")
    if len(raw) == 2 * len(text):
        return _class_array().take(np.frombuffer(raw, np.uint16))
    wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    classes = _class_array().take(np.minimum(wide, 0xFFFF))
    for at in np.flatnonzero(wide > 0xFFFF).tolist():
        classes[at] = class_of(text[at])
    return classes


class Words:
    """The words of one text, for counting those between two offsets."""

    __slots__ = ("_ends", "_runs", "_starts")

    def __init__(self, text: str) -> None:
        classes = classes_of(text)
        self._runs = [_Runs(classes, kind) for kind in (CJK, SOUTH_EAST) if (classes == kind).any()]
        self._starts, self._ends = _alphabetic(text, classes)

    def between(self, left: int, right: int) -> int:
        """How many words lie wholly in left…right."""
        if left >= right:
            return 0
        count = bisect_right(self._ends, right) - bisect_left(self._starts, left)
        count = max(count, 0)
        for runs in self._runs:
            count += runs.between(left, right)
        return count


def _alphabetic(text: str, classes: Classes) -> tuple[list[int], list[int]]:
    """Starts and ends of words in scripts that write spaces."""
    wordy = (classes != OTHER) & (classes != CJK) & (classes != SOUTH_EAST)
    left, right = classes[:-1], classes[1:]
    linked = wordy[:-1] & wordy[1:] & ((left == right) | (right == NEUTRAL) | (left == NEUTRAL))
    for at in np.flatnonzero(linked & (left == NEUTRAL) & (right != NEUTRAL)).tolist():
        linked[at] = joined(text, at + 1)
    starts, ends = wordy.copy(), wordy.copy()
    starts[1:] &= ~linked
    ends[:-1] &= ~linked
    return np.flatnonzero(starts).tolist(), (np.flatnonzero(ends) + 1).tolist()


class _Runs:
    """Runs of a script without spaces."""

    __slots__ = ("_ends", "_per_word", "_starts", "_sums")

    def __init__(self, classes: Classes, kind: int) -> None:
        self._per_word = _PER_WORD[kind]
        padded = np.concatenate(([False], classes == kind, [False]))
        edges = np.flatnonzero(padded[1:] != padded[:-1])
        self._starts, self._ends = edges[::2].tolist(), edges[1::2].tolist()
        words = (self._words(end - start) for start, end in zip(self._starts, self._ends, strict=True))
        self._sums = [0, *accumulate(words)]

    def _words(self, characters: int) -> int:
        return -(-characters // self._per_word)

    def between(self, left: int, right: int) -> int:
        first = bisect_right(self._ends, left)  # the first run that reaches beyond left
        last = bisect_left(self._starts, right) - 1  # the last run that begins before right
        if first > last:
            return 0
        if first == last:
            return self._words(min(self._ends[first], right) - max(self._starts[first], left))
        edges = self._words(self._ends[first] - max(self._starts[first], left))
        edges += self._words(min(self._ends[last], right) - self._starts[last])
        return edges + self._sums[last] - self._sums[first + 1]
