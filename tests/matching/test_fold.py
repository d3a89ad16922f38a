"""Folding: what is alike, what is not, and the way back to the text as given."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.matching.fold import Visible, fold, fold_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CHINA", "china"),
        ("Ｃｈｉｎａ", "china"),
        ("café", "cafe"),
        ("cafe\u0301", "café"),
        ("Łódź", "lodz"),
        ("Sørensen", "sorensen"),
        ("Straße", "STRASSE"),
        ("ﬁrm", "firm"),
        ("cœur", "coeur"),
        ("Κίνα", "κινα"),
        ("ΣΑΣ", "σας"),
        ("ещё", "еще"),
        ("Кита\u0301й", "китай"),
        ("и\u0306", "й"),
        ("ｶﾞ", "ガ"),
        ("か\u3099", "が"),
        ("İstanbul", "istanbul"),
        ("dual\u2011use", "dual use"),
        ("a\u3000b", "a b"),
        ("China’s", "China's"),
        ("semi\u00adconductor", "semiconductor"),
        ("semi\u200bcon\u2060ductor", "semiconductor"),
        (unicodedata.normalize("NFD", "한국"), "한국"),
        ("ﻻ", "لا"),
    ],
)
def test_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("войны", "воины"),
        ("їжак", "іжак"),
        ("ґанок", "ганок"),
        ("ўсё", "усё"),
        ("ısı", "isi"),
        ("が", "か"),
        ("中国", "中國"),
        ("मा", "म"),
        ("ﬀ", "f"),
    ],
)
def test_not_alike(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def collapsed(text: str) -> str:
    """Two or three gaps as one."""
    return re.sub(" {2,}", lambda run: " " if len(run[0]) <= 3 else run[0], text)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_tables_fold_every_character_as_the_definition_does(form: str) -> None:
    for code in [*range(1, 0xD800), *range(0xE000, 0x10400), *range(0x1F300, 0x1F600), *range(0x20000, 0x20100)]:
        text = f"x{unicodedata.normalize(form, chr(code))}a"
        assert fold_text(text).text == collapsed(fold(text)), hex(code)


MIXED = st.text(
    st.sampled_from(
        "aZé \n-–’ßﬁœ\u00ad\u200b\u0301\u0306\u0308йиеёЕ中国かｶﾞﾟ\u3099한\u1112\u1161\u11abا ﻻğı😀𠮷１Ａ\ud83d"
    ),
    max_size=40,
)


@given(MIXED)
def test_tables_fold_any_text_as_the_definition_does(text: str) -> None:
    assert fold_text(text).text == collapsed(fold(text.replace("\ud83d", "\ufffd")))


@given(MIXED, st.data())
def test_every_folded_stretch_leads_back_to_what_it_was_made_of(text: str, data: st.DataObject) -> None:
    folded = fold_text(text)
    if not folded.text:
        return
    left = data.draw(st.integers(0, len(folded.text) - 1))
    right = data.draw(st.integers(left + 1, len(folded.text)))
    start, end = folded.start(left), folded.end(right)
    assert 0 <= start < end <= len(text)
    assert folded.text[left:right].strip() in collapsed(fold(text[start:end].replace("\ud83d", "\ufffd")))


@given(MIXED)
def test_offsets_never_run_backwards(text: str) -> None:
    folded = fold_text(text)
    starts = [folded.start(at) for at in range(len(folded.text))]
    assert starts == sorted(starts)
    assert all(folded.position(offset) <= len(folded.text) for offset in range(len(text) + 1))


def test_hit_spans_the_marks_of_its_last_letter_but_no_hidden_sign_after_it() -> None:
    folded = fold_text("cafe\u0301\u00ad!")
    assert folded.text == "cafe!"
    assert (folded.start(0), folded.end(4)) == (0, 5)


def test_runs_of_four_gaps_stay() -> None:
    assert fold_text("a \n b    c").text == "a b    c"


def test_visible_text_leads_back() -> None:
    seen = Visible("se\u00admi\u200bx и\u0306\u200b!")
    assert seen.text == "semix й!"
    assert [(seen.start(at), seen.end(at + 1)) for at in range(8)] == [
        (0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (8, 10), (11, 12),
    ]  # fmt: skip


def test_a_million_marks_cost_about_a_second() -> None:
    assert len(fold_text("e\u0301" * 500_000).text) == 500_000
