"""Each library that can find many strings finds all of them: which one is installed decides nothing but the speed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.matching.automaton import AhoCorasick, DoubleArray, Found, build

LETTERS = st.text("ab中国и\u0301😀 \0", max_size=12)
NEEDLES = st.lists(LETTERS.filter(len), unique=True, min_size=1, max_size=20)


def found_one_by_one(needles: list[str], text: str) -> list[Found]:
    return [
        (start, start + len(needle), number)
        for number, needle in enumerate(needles)
        for start in range(len(text))
        if text.startswith(needle, start)
    ]


@pytest.mark.parametrize(("library", "adapter"), [("daachorse", DoubleArray), ("ahocorasick_rs", AhoCorasick)])
def test_every_occurrence_of_every_needle_is_found(library: str, adapter: type[DoubleArray | AhoCorasick]) -> None:
    if find_spec(library) is None:
        pytest.skip(f"{library} has no wheel for this machine")

    @given(NEEDLES, st.lists(LETTERS).map("".join))
    def look(needles: list[str], text: str) -> None:
        found = adapter(needles).find(text)
        assert sorted(found) == sorted(found_one_by_one(needles, text))
        assert [end for _, end, _ in found] == sorted(end for _, end, _ in found)

    look()


def test_many_needles_are_found_as_few_are() -> None:
    needles = [f"needle {number}," for number in range(3000)]
    for adapter in (DoubleArray, AhoCorasick):
        try:
            automaton = adapter(needles)
        except ImportError:
            continue
        assert automaton.find("needle 12, needle 2999, needle 3000,") == [(0, 10, 12), (11, 23, 2999)]


def test_nothing_is_found_by_no_needles() -> None:
    assert build([]).find("text") == []


def test_what_was_packed_finds_the_same_without_the_needles() -> None:
    pytest.importorskip("daachorse")
    needles = ["drone", "on", "дрон", "無人機"]
    fresh = DoubleArray(needles)
    text = "a drone, дрон, 無人機"
    again = build((), fresh.pack())
    assert again.find(text) == fresh.find(text) != []
    assert again.pack() == fresh.pack()


@pytest.mark.parametrize("packed", [b"\0", b"no automaton at all", bytes(2000)])
def test_what_was_never_packed_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"automaton|library"):
        build((), packed)
