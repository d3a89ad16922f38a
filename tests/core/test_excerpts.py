"""Excerpts: cleaned, cut at sentences, marks on the very words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.excerpts import MAX_PASSAGE, MAX_PASSAGES, Passage, marked_line, one_line, opening, passages

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=600)


def hits(text: str, *words: str) -> list[tuple[int, int, str]]:
    return [(text.index(word), text.index(word) + len(word), word) for word in words]


def marked(passage: Passage) -> list[str]:
    return [passage.text[start:end] for start, end in passage.marks]


def test_the_sentence_with_the_hit_is_shown_and_the_word_marked():
    text = "The port is open. A crane fell into the water at dawn. Nobody was hurt."
    (passage,) = passages(text, hits(text, "crane"))
    assert passage.text == "A crane fell into the water at dawn."
    assert marked(passage) == ["crane"]


def test_neighbouring_sentences_are_one_passage_and_distant_ones_two():
    text = "A crane fell. The ship sank. " + "Nothing else happened. " * 30 + "The captain swam."
    near, far = passages(text, hits(text, "crane", "ship", "captain"))
    assert near.text == "A crane fell. The ship sank."
    assert marked(near) == ["crane", "ship"]
    assert far.text == "The captain swam."


def test_sentences_that_show_another_concept_come_first_and_three_are_enough():
    text = " ".join(f"Filler {n}. A crane number {n} stands. Filler again." for n in range(9)) + " A ship and a crane."
    found = [(place, place + 5, "crane") for place in range(len(text)) if text.startswith("crane", place)]
    shown = passages(text, found + hits(text, "ship"))
    assert len(shown) <= MAX_PASSAGES
    assert shown[-1].text == "A ship and a crane."
    assert marked(shown[-1]) == ["ship", "crane"]


def test_a_sentence_with_two_words_not_shown_yet_is_worth_a_passage():
    text = "A crane and a ship. " + "Nothing. " * 9 + "Two cranes and ships. " + "Nothing. " * 9 + "One more crane."
    words = [
        (text.index(word), text.index(word) + len(word), word[:4]) for word in ("crane", "ship", "cranes", "ships")
    ]
    words.append((text.rindex("crane"), text.rindex("crane") + 5, "cran"))
    assert [passage.text for passage in passages(text, words)] == ["A crane and a ship.", "Two cranes and ships."]


@pytest.mark.parametrize(
    ("text", "word", "sentence"),
    [
        ("他说。中国供应机床。没有别的。", "机床", "中国供应机床。"),
        ("Он сказал. Станки из Китая, 5 млн руб. каждый. Это всё.", "Китая", "Станки из Китая, 5 млн руб. каждый."),
        ("قال ذلك. الصين تصدر الآلات. انتهى.", "الصين", "الصين تصدر الآلات."),
        ("One. U.S. Secretary Blinken spoke of China. Two.", "China", "U.S. Secretary Blinken spoke of China."),
    ],
)  # fmt: skip
def test_sentences_of_other_scripts(text: str, word: str, sentence: str):
    assert [passage.text for passage in passages(text, hits(text, word))] == [sentence]


def test_an_endless_sentence_is_cut_round_the_hit():
    text = "word " * 400 + "crane " + "word " * 400
    (passage,) = passages(text, hits(text, "crane"))
    assert passage.text.startswith("… word")
    assert passage.text.endswith(" …")
    assert len(passage.text) <= MAX_PASSAGE + 4
    assert marked(passage) == ["crane"]


def test_a_hit_far_inside_running_han_is_found():
    text = "机" * 5000 + "半导体" + "床" * 5000
    (passage,) = passages(text, hits(text, "半导体"))
    assert marked(passage) == ["半导体"]


def test_marks_stay_on_their_words_when_signs_are_removed():
    text = "A\u202e \x00cra\u00adne \r\n fell"
    passage = marked_line(text, [(text.index("cra"), text.index("ne ") + 2)])
    assert passage.text == "A crane fell"
    assert marked(passage) == ["crane"]


def test_a_long_line_is_cut_with_an_ellipsis_and_loses_marks_beyond():
    passage = marked_line("crane " * 100, [(0, 5), (594, 599)], 50)
    assert len(passage.text) <= 50
    assert passage.text.endswith("…")
    assert marked(passage) == ["crane"]


def test_signs_that_scripts_need_stay():
    assert one_line("می\u200cخواهم 👩\u200d🔬") == "می\u200cخواهم 👩\u200d🔬"


def test_lone_surrogates_become_encodable():
    assert one_line("a\ud800b").encode() == "a\ufffdb".encode()


def test_hits_out_of_place_are_left_out():
    assert passages("short", [(3, 99, "x"), (4, 2, "y"), (-1, 2, "z")]) == ()


def test_the_opening_is_one_clean_line():
    assert opening("One.\n\nTwo.\x00 ").text == "One. Two."


@given(TEXTS, st.integers(1, 80))
def test_a_line_is_one_line_within_its_limit_and_cleaning_again_changes_nothing(text: str, limit: int):
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line == " ".join(line.split())
    assert one_line(line, limit) == line


@given(TEXTS, st.lists(st.tuples(st.integers(0, 600), st.integers(1, 40), st.sampled_from("abc")), max_size=12))
def test_marks_lie_within_their_passage_in_order_and_hold_what_was_hit(text: str, drawn: list[tuple[int, int, str]]):
    found = [(start, start + length, concept) for start, length, concept in drawn if start + length <= len(text)]
    words = {one_line(text[start:end]) for start, end, _ in found}
    for passage in passages(text, found):
        at = 0
        for start, end in passage.marks:
            assert at <= start < end <= len(passage.text)
            at = end
            if len(found) == 1:
                assert passage.text[start:end] in words
