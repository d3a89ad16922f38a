"""The one place that knows which library finds many strings in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Found = tuple[int, int, int]
"""(start, end, needle number), in code points."""


class Automaton(Protocol):
    """Finds every occurrence of every needle, overlapping ones too, in the order of their ends."""

    def find(self, text: str, /) -> list[Found]: ...

    def pack(self) -> bytes:
        """What `build` unpacks instead of building anew; nothing where the library has no such thing."""
        ...


def build(needles: Sequence[str], packed: bytes = b"") -> Automaton:
    """An automaton over distinct, non-empty needles; numbers are positions in `needles`.

    `packed`: what needles came to before, by this version of the library; with it, `needles` may be left empty.
    ValueError where it is no such thing, or the library is not there.
    """
    if not needles and not packed:
        return _Nothing()
    try:
        return DoubleArray(needles, packed)
    except ImportError:
        if packed:
            raise ValueError("packed by a library that is not there") from None
        return AhoCorasick(needles)


class _Nothing:
    def find(self, text: str, /) -> list[Found]:
        return []

    def pack(self) -> bytes:
        return b""


class DoubleArray:
    """daachorse: faster under many needles, and builds without holding up other threads; no wheel for Linux on ARM."""

    __slots__ = ("_automaton", "find")

    def __init__(self, needles: Sequence[str], packed: bytes = b"") -> None:
        from daachorse import CharwiseDoubleArrayAhoCorasick as Library

        self._automaton: Any = Library.deserialize(packed) if packed else Library(list(needles))
        self.find: Callable[[str], list[Found]] = self._automaton.find_overlapping

    def pack(self) -> bytes:
        """The automaton as the library writes it."""
        packed: bytes = self._automaton.serialize()
        return packed


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

    def pack(self) -> bytes:
        """Nothing: the library cannot."""
        return b""
