"""The one place that knows which library finds many strings in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

Found = tuple[int, int, int]
"""(start, end, needle number), in code points."""


class Automaton(Protocol):
    """Finds every occurrence of every needle, overlapping ones too."""

    def find(self, text: str, /) -> list[Found]: ...


def build(needles: Sequence[str]) -> Automaton:
    """An automaton over distinct, non-empty needles; numbers are positions in `needles`."""
    if not needles:
        return _Nothing()
    try:
        import daachorse  # noqa: F401
    except ImportError:
        return AhoCorasick(needles)
    return DoubleArray(needles)


class _Nothing:
    def find(self, text: str, /) -> list[Found]:
        return []


class DoubleArray:
    """daachorse: up to 1.8 times as fast, and builds without holding up other threads; no wheel for Linux on ARM."""

    __slots__ = ("find",)

    def __init__(self, needles: Sequence[str]) -> None:
        import daachorse

        self.find: Callable[[str], list[Found]] = daachorse.CharwiseDoubleArrayAhoCorasick(
            list(needles)
        ).find_overlapping


class AhoCorasick:
    """ahocorasick_rs: wheels everywhere; a DFA for small sets, where its memory does not matter."""

    __slots__ = ("_automaton",)
    _SMALL = 500

    def __init__(self, needles: Sequence[str]) -> None:
        import ahocorasick_rs as library

        kind = library.Implementation.DFA if len(needles) <= self._SMALL else library.Implementation.ContiguousNFA
        self._automaton = library.AhoCorasick(needles, store_patterns=False, implementation=kind)

    def find(self, text: str, /) -> list[Found]:
        """Every occurrence of every needle."""
        return [(start, end, needle) for needle, start, end in self._automaton.find_matches_as_indexes(text, True)]
