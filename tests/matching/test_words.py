"""What a word is in each script, and how many lie between two places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.matching.scripts import joined, word_end, word_start
from monitor.matching.words import Words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("china and russia", 3),
        ("china's up-to-date", 5),
        ("3m14 5g 2024", 3),
        ("т90 т90b", 3),
        ("中国的芯片", 3),
        ("中国 的 芯片", 3),
        ("中国cnc机床", 3),
        ("ドローンを", 3),
        ("중국은 무기를", 2),
        ("จีนส่งออก", 3),
        ("यह चीनी है", 3),
        ("والصين و", 2),
        ("a😀b", 2),
        ("e\u20dd", 1),
    ],
)
def test_words_of_a_text(text: str, count: int) -> None:
    assert Words(text).between(0, len(text)) == count


def test_part_of_a_word_is_no_word_but_part_of_a_run_of_han_counts_from_the_hit() -> None:
    assert Words("중국은 무기").between(2, 4) == 0
    assert Words("中国向俄罗斯出口").between(1, 6) == 3
    assert Words("中国向 俄罗斯").between(2, 5) == 2


TEXT = st.text(st.sampled_from("ab 1-中芯ア한글चนพو\u0301б.😀𠮷"), max_size=30)


@given(TEXT, st.data())
def test_counting_by_index_equals_counting_the_stretch(text: str, data: st.DataObject) -> None:
    left = data.draw(st.integers(0, len(text)))
    right = data.draw(st.integers(left, len(text)))
    starts = [at for at in range(len(text)) if not joined(text, at)]
    whole = sum(
        1
        for at in starts
        if text[at].strip()
        and Words(text[at : word_end(text, at + 1)])._starts
        and left <= at
        and word_end(text, at + 1) <= right
    )
    runs = Words(text[left:right])
    others = sum(run.between(0, right - left) for run in runs._runs)
    assert Words(text).between(left, right) == whole + others


@given(TEXT, st.integers(0, 30))
def test_word_edges_are_where_nothing_is_joined(text: str, at: int) -> None:
    at = min(at, len(text))
    assert not joined(text, word_end(text, at))
    assert not joined(text, word_start(text, at))
