"""Many short lists of numbers in two arrays: what is asked for per hit lies close together and costs no object each."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import accumulate, chain

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.signedinteger]


class Lists:
    """Lists of numbers below 2³¹, known by their place: 0, 1, …"""

    __slots__ = ("_first", "_items")

    def __init__(self, lists: Iterable[Collection[int]]) -> None:
        kept = list(lists)
        self._first = np.fromiter(accumulate(map(len, kept), initial=0), np.intp, len(kept) + 1)
        self._items = np.fromiter(chain.from_iterable(kept), np.int32, int(self._first[-1]))

    def of(self, places: Numbers) -> tuple[Numbers, Numbers]:
        """The numbers in the lists at these places, one list after the other; and for each the place of its list."""
        first = self._first.take(places)
        counts = self._first.take(places + 1) - first
        ends = counts.cumsum()
        within = np.repeat(first + counts - ends, counts)
        return self._items.take(within + np.arange(within.size)), np.repeat(places, counts)
