"""Where sentences and paragraphs begin, in many scripts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.matching.sentences import paragraph_starts, sentence_starts


def parts(text: str, starts: list[int]) -> list[str]:
    return [text[start:end].strip() for start, end in pairwise([*starts, len(text)])]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. Smith of the U.S. said so.", "The price rose 3.5 percent!", "“Really?” he asked.", "Yes."],
        ["He paid $5.3bn to Foo Inc. in Sept. 2024.", "And then?", "Nothing …", "No."],
        ["J. Q. Public met Gen. Lee at 10 a.m. on Monday.", "Prof. Roe did not."],
        ["Fig. 3 and No. 5 show it.", "I said no.", "Then he left."],
        ["See example.org/a.b for more.", "(It is short.)", "“Quoted.”", "End"],
        ["В 2022 г. Китай поставил 5 тыс. чипов.", "Это факт.", "Т. е. нет."],
        ["Am 3. Mai kam z.B. Dr. Roe.", "Dann ging er um 3.", "Schluss."],
        ["M. Roe, c.-à-d. lui, part.", "Mme Roe reste."],
        ["中国出口芯片。", "俄罗斯购买！", "真的吗？", "是"],
        ["これはペンです。", "「はい」"],
        ["قال المصدر ذلك.", "هل هذا صحيح؟", "نعم۔", "لا"],
        ["यह है।", "वह है॥", "ठीक"],
        ["China und Russland einigen sich"],
    ],
)
def test_sentences(sentences: list[str]) -> None:
    glue = "" if sentences[0][-1] in "。" else " "
    text = glue.join(sentences)
    assert parts(text, sentence_starts(text)) == sentences


def test_paragraphs_end_at_empty_lines_and_end_sentences() -> None:
    text = "A headline without a stop\n\nFirst\nstill first\n \n\nSecond\r\n\r\nThird\u2029Fourth\n"
    wanted = ["A headline without a stop", "First\nstill first", "Second", "Third", "Fourth"]
    assert parts(text, paragraph_starts(text)) == wanted
    assert parts(text, sentence_starts(text)) == wanted


def test_an_empty_line_in_front_of_everything_ends_no_paragraph() -> None:
    for blank in ("\n\n", " \n\n", "\n \n\n  ", " \r\n\r\n", " \u2029"):
        assert paragraph_starts(f"{blank}a\n\nb") == [0, len(blank) + 3]


def test_a_text_may_be_taken_for_one_paragraph() -> None:
    assert sentence_starts("Alpha\n\nbeta. Gamma\n\ndelta", one_paragraph=True) == [0, 13]


def test_one_line_end_is_no_paragraph() -> None:
    for end in ("\n", "\r\n", "\r", "\u2028"):
        assert paragraph_starts(f"a{end}b") == [0]


@given(st.text(st.sampled_from("ab .!?。…\n\r \u2028\u2029A“”)(г3中،؟") | st.characters(), max_size=80))
def test_starts_are_in_order_within_the_text_and_every_paragraph_begins_a_sentence(text: str) -> None:
    sentences, paragraphs = sentence_starts(text), paragraph_starts(text)
    for starts in (sentences, paragraphs):
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert all(start < len(text) for start in starts[1:])
    assert set(paragraphs) <= set(sentences)
