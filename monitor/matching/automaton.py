"""The one place that knows which library finds many strings in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Found = tuple[int, int, int]
"""(needle number, start, end) in code points."""


class Automaton(Protocol):
    """Finds every occurrence of every needle, overlapping ones too."""

    def find(self, text: str, /) -> list[Found]: ...


def build(needles: Sequence[str]) -> Automaton:
    """An automaton over distinct, non-empty needles; numbers are positions in `needles`."""
    if not needles:
        return _Nothing()
    return _AhoCorasick(needles)


class _Nothing:
    def find(self, text: str, /) -> list[Found]:
        return []


class _AhoCorasick:
    """ahocorasick_rs: wheels everywhere; a DFA for small sets, where its memory does not matter."""

    __slots__ = ("_automaton",)
    _SMALL = 500

    def __init__(self, needles: Sequence[str]) -> None:
        import ahocorasick_rs as library

        kind = library.Implementation.DFA if len(needles) <= self._SMALL else library.Implementation.ContiguousNFA
        self._automaton = library.AhoCorasick(needles, store_patterns=False, implementation=kind)

    def find(self, text: str, /) -> list[Found]:
        found: list[Found] = self._automaton.find_matches_as_indexes(text, overlapping=True)
        return found
