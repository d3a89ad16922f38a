"""Expressions from text to tree: precedence, other systems' spellings, faults with what to write instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.matching.expression import (
    And,
    Count,
    Field,
    Literal,
    Near,
    Node,
    Not,
    Or,
    Ref,
    Unit,
    Within,
    clauses,
    leaves,
)
from monitor.matching.syntax import MAX_LENGTH, is_reserved, parse


def shape(node: Node) -> str:
    """A tree as a fully parenthesised line."""
    match node:
        case Ref():
            return node.name
        case Literal():
            return f'"{node.term}"'
        case Not():
            return f"not[{shape(node.operand)}]"
        case And():
            return f"and[{' '.join(map(shape, node.operands))}]"
        case Or():
            return f"or[{' '.join(map(shape, node.operands))}]"
        case Within():
            return f"{node.field}[{shape(node.operand)}]"
        case Count():
            return f"{'distinct' if node.distinct else 'atleast'}{node.number}[{shape(node.operand)}]"
        case Near():
            unit = node.distance if node.unit == Unit.WORDS else node.unit.value[0]
            name = f"{'not-' if node.negated else ''}{'pre' if node.ordered else 'w'}/{unit}"
            return f"{name}[{' '.join(map(shape, node.operands))}]"


def tree(text: str) -> Node:
    node, faults = parse(text)
    assert node is not None and not faults, faults
    return node


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a", "a"),
        ("places.china and a-b", "and[places.china a-b]"),
        ("a and b and not c", "and[a b not[c]]"),
        ("a w/5 b and c w/s d", "and[w/5[a b] w/s[c d]]"),
        ("a or b or not c", "or[a b not[c]]"),
        ("a and (b or c)", "and[a or[b c]]"),
        ("not a w/5 b", "not[w/5[a b]]"),
        ("not not a w/5 b", "not[not[w/5[a b]]]"),
        ("a w/5 b w/5 c", "w/5[a b c]"),
        ("(a w/5 b) w/s c", "w/s[w/5[a b] c]"),
        ("a pre/3 b", "pre/3[a b]"),
        ("a near/3 b", "w/3[a b]"),
        ("a not w/3 b", "not-w/3[a b]"),
        ("a NOT NEAR / 3 b", "not-w/3[a b]"),
        ("a not w/p b", "not-w/p[a b]"),
        ('title:("x y" or b)', 'title[or["x y" b]]'),
        ("Title: a and LEAD:b", "and[title[a] lead[b]]"),
        ("atleast3(a or b)", "atleast3[or[a b]]"),
        ("DISTINCT 2 (a)", "distinct2[a]"),
        ("“a  b” and 'c'", 'and["a b" "c"]'),
        ('"not and or (x)"', '"not and or (x)"'),
        ("((a))", "a"),
        # other systems' spellings
        ("a AND NOT b", "and[a not[b]]"),
        ("a & b", "and[a b]"),
        ("a % b", "and[a not[b]]"),
        ("a | b", "or[a b]"),
        ("a /s b", "w/s[a b]"),
        ("a /p b", "w/p[a b]"),
        ("a /5 b", "w/5[a b]"),
        ("a +5 b", "pre/5[a b]"),
        ("a adj b", "pre/1[a b]"),
        ("a adj4 b", "pre/4[a b]"),
        ("a near5 b", "w/5[a b]"),
        ("a w5 b", "w/5[a b]"),
        ("a same b", "w/p[a b]"),
        # words that are operators elsewhere may be names where a name is wanted
        ("adj and near5", "and[adj near5]"),
        ("and-so or android", "or[and-so android]"),
    ],
)
def test_reads(text: str, wanted: str) -> None:
    assert shape(tree(text)) == wanted


@pytest.mark.parametrize(
    ("text", "offset", "first", "second"),
    [
        ("a or b and c", 7, "(a or b) and c [as Lexis and Westlaw read it]", "a or (b and c) [as Factiva does]"),
        ("a and b or c", 8, "a and (b or c)", "(a and b) or c"),
        ("a or b w/5 c", 7, "(a or b) w/5 c", "a or (b w/5 c)"),
        ("a or b or c and d", 12, "(a or b or c) and d", "a or b or (c and d)"),
        ("a w/5 b w/s c", 8, "(a w/5 b) w/s c", "a w/5 (b w/s c)"),
        ("a w/5 b w/6 c", 8, "(a w/5 b) w/6 c", "a w/5 (b w/6 c)"),
        ("a w/5 b pre/5 c", 8, "(a w/5 b) pre/5 c", "a w/5 (b pre/5 c)"),
        ("not a or b", 6, "(not a) or b", "not (a or b)"),
    ],
)
def test_asks_which_reading_is_meant(text: str, offset: int, first: str, second: str) -> None:
    node, faults = parse(text)
    assert node is None
    assert faults[0].offset == offset
    assert "can be read in two ways" in faults[0].message
    assert first in faults[0].message and second in faults[0].message


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("a or smuggl* and b", ('(a or "smuggl*") and b', 'a or ("smuggl*" and b)')),
        ('a or "x*" and wom?n!', ('(a or "x*") and "wom?n*"', 'a or ("x*" and "wom?n*")')),
        ("a w/5 suppl! w/s b", ('(a w/5 "suppl*") w/s b', 'a w/5 ("suppl*" w/s b)')),
    ],
)
def test_what_is_offered_has_no_fault_of_its_own(text: str, readings: tuple[str, str]) -> None:
    [question] = [fault.message for fault in parse(text)[1] if "two ways" in fault.message]
    for reading in readings:
        assert reading in question
        tree(reading)


@pytest.mark.parametrize(
    "reading", ["(a or b) and c", "a or (b and c)", "(a w/5 b) w/s c", "a w/5 (b w/s c)", "(not a) or b"]
)
def test_each_reading_offered_is_understood(reading: str) -> None:
    tree(reading)


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "the expression is empty"),
        ("a and or b", 6, "'or' stands where"),
        ('a and and "b"', 6, "'and' stands where"),
        ('a w/5 or ("b")', 6, "'or' stands where"),
        ("and b", 0, "'and' stands where"),
        ("a and", 5, "the expression stops where"),
        ("(a or b", 0, "this '(' is never closed"),
        ("a and (b or (c)", 6, "this '(' is never closed"),
        ("a)", 1, "this ')' closes nothing"),
        ("()", 1, "')' stands where"),
        ('"abc', 0, "the quote that begins here is never closed"),
        ("a b", 2, 'write "a b" for the phrase, or a and b, or a or b'),
        ('a "b"', 2, "stands where 'and', 'or' or proximity"),
        ("a w/ b", 2, "'w/' lacks how near"),
        ("a w/x b", 2, "'w/x' lacks how near"),
        ("a w/0 b", 2, "the number of words is 1 to 1000; w/1 means neighbours"),
        ("a pre/s b", 2, "'pre/s' is not known"),
        ("a +s b", 2, "'+s' is not known"),
        ("a not pre/4 b", 2, "'not pre/N' is not known"),
        ("a not b", 2, "'not' after an operand"),
        ("suppl! and b", 0, 'a term stands in quotes: "suppl*"'),
        ("wom?n* and b", 0, "a term stands in quotes"),
        ("*foo", 0, "a term that begins with '*' stands in quotes"),
        ("a within 8 (b or c)", 2, "'within 8' is not known; within so many words is written w/8"),
        ("a within/5 b", 2, "'within/5' is not known; within so many words is written w/5"),
        ("a within 5 words of b", 2, "is written w/5"),
        ("a within b", 2, "is written w/N"),
        ("a near 5 b", 2, "'near 5' is not known; within so many words is written w/5"),
        ("a pre 5 b", 2, "is written pre/5"),
        ("within 5 b", 0, "is written w/5"),
        ("a @ b", 2, "'@' means nothing here"),
        ("atleast3 a", 0, "a count has parentheses and a number: atleast2(a)"),
        ("atleast0(a)", 0, "the number is 1 to 1000"),
        ("atleast2(a and b)", 9, "counts a concept, a literal, or several joined by 'or'"),
        ("title:(body:(a))", 7, "a field inside title:(…)"),
        ("(a and b) w/5 c", 1, "write a w/5 c and b w/5 c"),
        ("c w/s (a and b)", 7, "write c w/s a and c w/s b"),
        ("c pre/5 (a and b)", 9, "write c pre/5 a and c pre/5 b"),
        ("d and (a and b) w/5 c", 7, "write a w/5 c and b w/5 c"),
        ("not (a and b) w/5 c", 5, "write not (a w/5 c and b w/5 c)"),
        ("not not (a and b) w/5 c", 9, "write a w/5 c and b w/5 c"),
        ("not (not a) w/5 b", 5, "write not (b not w/5 a)"),
        ("not (a or b) w/5 title:(c)", 17, "write not (title:((a or b) w/5 c))"),
        ("(not a) w/5 b", 1, "write b not w/5 a"),
        ("title:(a) w/5 b", 0, "write title:(a w/5 b)"),
        ("atleast2(a) w/5 b", 0, "write a w/5 b and atleast2(a)"),
        ("a and " * 5000 + "a", 0, "at most 20,000 are read"),
        ("(" * 50 + "a" + ")" * 50, 40, "nested too deep"),
        ("not " * 50 + "a", 0, "nested too deep"),
    ],
)
def test_fault_is_at_its_place_with_our_spelling(text: str, offset: int, message: str) -> None:
    node, faults = parse(text)
    assert node is None
    assert [fault.offset for fault in faults] == [offset]
    assert message in faults[0].message


def test_every_fault_that_can_be_seen_is_reported() -> None:
    _, faults = parse("a w/0 b and (c and d) w/5 e and atleast0(f) and g! and (h or i and j)")
    assert len(faults) == 5
    assert [fault.offset for fault in faults] == sorted(fault.offset for fault in faults)


def test_nodes_know_where_they_stand() -> None:
    text = 'china w/s russia and title:("x" or y)'
    node = tree(text)
    assert [text[clause.start : clause.end] for clause in clauses(node)] == ["china w/s russia", 'title:("x" or y)']
    assert [text[leaf.start : leaf.end] for leaf in leaves(node)] == ["china", "russia", '"x"', "y"]
    second = clauses(node)[1]
    assert isinstance(second, Within) and second.field == Field.TITLE


@pytest.mark.parametrize("name", ["and", "OR", "w", "near", "pre", "title", "lead", "atleast3", "distinct12"])
def test_words_of_the_language_are_no_names(name: str) -> None:
    assert is_reserved(name)


@given(st.text(st.sampled_from("ab \"'()/:!*?&|%+-.w5sp“”中\n") | st.characters(), max_size=60))
def test_any_text_is_read_or_refused_at_a_place_within_it(text: str) -> None:
    node, faults = parse(text)
    assert (node is None) == bool(faults)
    assert all(0 <= fault.offset <= len(text) and fault.message for fault in faults)


words = st.sampled_from(
    ["a", "b", '"c d"', "and", "or", "not", "w/5", "w/s", "pre/2", "not w/3", "(", ")", "title:", "atleast2"]
)


@given(st.lists(words, max_size=14).map(" ".join))
def test_any_row_of_words_is_read_or_refused(text: str) -> None:
    node, faults = parse(text)
    assert (node is None) == bool(faults)
    assert len(text) <= MAX_LENGTH


@pytest.mark.parametrize("text", ["atleast{}(a)", "distinct{}(a)", "a w/{} b", "a pre/{} b", "a adj{} b", "a /{} b"])
@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000 + "2"])
def test_a_number_of_thousands_of_digits_is_a_fault_of_one_line(text: str, digits: str) -> None:
    node, faults = parse(text.format(digits))
    assert node is None and len(faults) == 1
    assert "is 1 to 1000" in faults[0].message and len(faults[0].message) < 100
