"""The oracle against every example of rules.md, so that agreement with it means something."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.matching.model import Document
from tests.matching.oracle import (
    And,
    AtLeast,
    Book,
    Concept,
    Expression,
    Name,
    Near,
    Not,
    Only,
    Or,
    Quote,
    Rule,
    Term,
    Theme,
    Where,
    fits,
    matches,
    text_of,
)
from tests.matching.oracle_letters import find, find_name, paragraphs, sentences, word_count

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FOUND = [
    ("mac", "a machine", []),
    ("芯片", "中国芯片出口", ["芯片"]),
    ("CNC", "用CNC机床", ["CNC"]),
    ("China", "China's", ["China"]),
    ("Chinese", "Chinese-made", ["Chinese"]),
    ("Кита?", "Китаю", ["Китаю"]),
    ("dual-use", "dual use, dual\u2011use, dualuse, DUAL—USE", ["dual use", "dual\u2011use", "dualuse", "DUAL—USE"]),
    ("dual-use", "dual\n use, dual    use", ["dual\n use"]),
    ("machine tools", "machinetools machine tools machine-tools", ["machine tools", "machine-tools"]),
    ("people's", "people’s peoples people s", ["people’s", "peoples"]),
    ("U.S.", "the U.S. and the US", ["U.S."]),
    ("AT&T", "AT&T's", ["AT&T"]),
    ("C++", "C++ and C", ["C++"]),
    ("semiconductor*", "Semiconductors", ["Semiconductors"]),
    ("semiconductor", "semi\u00adconductor", ["semi\u00adconductor"]),
    ("*halbleiter", "Leistungshalbleiter", ["Leistungshalbleiter"]),
    ("wom?n", "woman women womn", ["woman", "women"]),
    ("=US", "us US USA ＵＳ", ["US"]),
    ("=café", "café cafe Café cafe\u0301", ["café", "cafe\u0301"]),
    ("/HS ?8[45]\\d\\d/", "hs 8542, HS8499, HS 85421, XHS 8542", ["hs 8542", "HS8499"]),
    ("/Mk[12]/=", "Mk1 mk1", ["Mk1"]),
    ("M14", "3M14 M14", ["M14"]),
    ("중국", "중국은 한중국", ["중국"]),
    ("F-35", "F-35를", ["F-35"]),
    ("5G", "ב5G", []),
    ("ёлка", "ё\u0308лка", []),
    ("ё*", "ё\u0308лка", ["ё\u0308лка"]),
    ("الصين", "والصين", ["الصين"]),
    ("صين", "الصين وبالصين للصين مصين", ["صين", "صين", "صين"]),
    ("סין", "מסין והסין קסין", ["סין", "סין"]),
    ("จีน", "ประเทศจีนส่งออก", ["จีน"]),
    ("Cafe", "ＣＡＦÉ", ["ＣＡＦÉ"]),
    ("Κίνα", "ΚΙΝΑ κινα", ["ΚΙΝΑ", "κινα"]),
    ("елка", "ёлка", ["ёлка"]),
    ("замок", "замо\u0301к", ["замо\u0301к"]),
    ("воины", "войны вои\u0306ны", []),
    ("ї", "і", []),
    ("ў", "у", []),
    ("ґ", "г", []),
    ("चीन", "चीनी", []),
    ("が", "か\u3099 か", ["か\u3099"]),
    ("Straße", "STRASSE", ["STRASSE"]),
    ("Strasse", "Straße", ["Straße"]),
    ("office", "oﬃce", ["oﬃce"]),
    ("it", "ıt IT", ["IT"]),
    ("国", "國", []),
    ("China", "China Telecom", ["China"]),
]


@pytest.mark.parametrize(("term", "text", "hits"), FOUND, ids=[f"{term} in {text}" for term, text, _ in FOUND])
def test_a_term_is_found_where_rules_md_says(term: str, text: str, hits: list[str]) -> None:
    assert [text[start:end] for start, end in sorted(find(term, text))] == hits


@pytest.mark.parametrize(
    ("name", "text", "hits"),
    [
        ("Vegatron Ltd", "vegatron, Vegatron Ltd", ["vegatron", "Vegatron"]),
        ("星光科技有限公司", "星光科技", ["星光科技"]),
        ("Mir", "Mir mir", ["Mir"]),
        ("=US", "US =US", ["=US"]),
        ("Nova*", "Nova* Novas", ["Nova*"]),
    ],
)
def test_an_entry_of_a_list_is_literal(name: str, text: str, hits: list[str]) -> None:
    assert [text[start:end] for start, end in sorted(find_name(name, text))] == hits


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("China's M14", 3),
        ("用CNC机床", 3),
        ("中国芯片出口", 3),
        ("中国的芯片", 3),
        ("ความมั่นคง", 3),
        ("한국 기업", 2),
        ("", 0),
    ],
)
def test_words_are_counted_by_script(text: str, words: int) -> None:
    assert word_count(text) == words


def test_sentences_and_paragraphs() -> None:
    text = "One two. Three?\n\n四。五！ Six."
    assert [text[start:end] for start, end in sentences(text)] == ["One two.", "Three?", "四。", "五！", "Six."]
    assert [text[start:end] for start, end in paragraphs(text)] == ["One two. Three?", "四。五！ Six."]


def evidence(expression: Expression, document: Document, unless: Expression | None = None) -> list[str] | None:
    """The words a rule over concepts a…d (terms aa…dd) brings as evidence, by field and place; None: no match."""
    concepts = tuple(Concept(name, (Term(name * 2),)) for name in "abcd")
    met = matches(Book((Theme("theme", concepts, (Rule("rule", expression, unless),)),)), document)
    if not met:
        return None
    return [text_of(document, hit.field)[hit.start : hit.end] for hit in sorted(met["theme", "rule"])]


A, B, C, D = (Name(name) for name in "abcd")


def near(operator: str, words: int, *operands: Expression, negated: bool = False) -> Near:
    return Near(operator, words, negated, operands)


@pytest.mark.parametrize(
    ("expression", "text", "expected"),
    [
        (And((A, B)), "aa bb", ["aa", "bb"]),
        (And((A, B)), "aa", None),
        (Or((A, B)), "bb", ["bb"]),
        (And((A, Not(B))), "aa bb", None),
        (And((A, Not(B))), "aa cc", ["aa"]),
        (Quote("b?"), "bb", ["bb"]),
        (near("w", 1, A, B), "bb, aa", ["bb", "aa"]),
        (near("w", 1, A, B), "aa x bb", None),
        (near("near", 2, A, B), "aa x bb aa", ["aa", "bb", "aa"]),
        (near("pre", 2, A, B), "bb aa", None),
        (near("pre", 2, A, B), "aa x bb", ["aa", "bb"]),
        (near("w", 5, A, B), "中aa中国bb", ["aa", "bb"]),
        (near("w", 1, A, Quote("aa bb")), "aa bb", None),
        (near("s", 0, A, B), "Then aa. Then bb.", None),
        (near("p", 0, A, B), "Then aa. Then bb.", ["aa", "bb"]),
        (near("p", 0, A, B), "aa\n\nbb", None),
        (near("s", 0, A, B, C), "aa bb cc", ["aa", "bb", "cc"]),
        (near("w", 2, A, B, C), "aa x bb x cc", ["aa", "bb", "cc"]),
        (near("w", 2, A, B, C), "bb aa x x cc", None),
        (near("w", 2, A, B, negated=True), "aa bb x x x aa", ["aa"]),
        (near("s", 0, A, B, negated=True), "Then aa bb. Then aa.", ["aa"]),
        (near("w", 1, Or((A, B)), C), "bb cc x aa", ["bb", "cc"]),
        (near("s", 0, near("w", 1, A, B), C), "aa bb x cc", ["aa", "bb", "cc"]),
        (AtLeast(2, False, A), "aa x aa", ["aa", "aa"]),
        (AtLeast(2, False, Or((A, Quote("aa bb")))), "aa bb", None),
        (AtLeast(2, True, Or((A, B))), "aa aa", None),
        (AtLeast(2, True, Or((A, B))), "aa bb", ["aa", "bb"]),
    ],
)
def test_an_expression_means_what_rules_md_says(expression: Expression, text: str, expected: list[str] | None) -> None:
    assert evidence(expression, Document(title="", text=text)) == expected


def test_fields_are_separate_texts() -> None:
    document = Document(title="aa", text="bb\n\ncc", url="https://example.org/dd")
    assert evidence(And((A, B)), document) == ["bb", "aa"]  # fields stand in alphabetical order: text, title
    assert evidence(near("p", 0, A, B), document) is None
    assert evidence(Only("title", B), document) is None
    assert evidence(Only("lead", And((A, B))), document) == ["bb", "aa"]
    assert evidence(Only("lead", C), document) is None
    assert evidence(Only("body", C), document) == ["cc"]
    assert evidence(D, document) is None
    assert evidence(Only("url", D), document) == ["dd"]


def test_the_lead_holds_the_whole_of_a_hit() -> None:
    assert evidence(Only("lead", A), Document(title="", text=" \n\naa\n\naa")) == ["aa"]
    assert evidence(Only("lead", Quote("aa bb")), Document(title="", text="aa\n\nbb")) is None


def test_a_title_is_one_paragraph() -> None:
    assert evidence(near("s", 0, A, B), Document(title="aa\n\nbb", text="")) == ["aa", "bb"]
    assert evidence(near("p", 0, A, B), Document(title="Then aa.\n\nThen bb.", text="")) == ["aa", "bb"]
    assert evidence(near("s", 0, A, B), Document(title="Then aa.\n\nThen bb.", text="")) is None
    assert evidence(near("s", 0, A, B), Document(title="", text="aa\n\nbb")) is None


def test_unless_is_judged_over_the_whole_entry() -> None:
    assert evidence(Only("title", A), Document(title="aa", text="bb"), unless=B) is None


def test_a_name_inside_an_exception_does_not_count() -> None:
    concept = Concept("china", (Term("China"),), exceptions=(Term("South China Morning Post"),))
    book = Book((Theme("theme", (concept,), (Rule("rule", Name("china")),)),))
    assert not matches(book, Document(title="", text="as the South China Morning Post wrote"))
    assert matches(book, Document(title="", text="China, as the South China Morning Post wrote"))


def test_only_in_looks_at_the_language() -> None:
    book = Book((Theme("theme", (Concept("a", (Term("Gift", None, ("de",)),)),), (Rule("rule", Name("a")),)),))
    assert matches(book, Document(title="Gift", text="", language="de"))
    assert not matches(book, Document(title="Gift", text="", language="en"))
    assert not matches(book, Document(title="Gift", text=""))


@pytest.mark.parametrize(
    ("where", "document", "passes"),
    [
        (Where(languages=("zh",)), Document(title="", text="", language="zh-Hant"), True),
        (Where(languages=("zh",)), Document(title="", text=""), True),
        (Where(languages=("zh",)), Document(title="", text="", language="en"), False),
        (Where(sources=("wire",)), Document(title="", text=""), False),
        (Where(sources=("wire",)), Document(title="", text="", source="wire"), True),
        (Where(tags=("official",)), Document(title="", text="", tags=("eu",)), False),
        (Where(domains=("example.org",)), Document(title="", text="", url="https://www.example.org/"), True),
        (Where(domains=("example.org",)), Document(title="", text="", url="https://notexample.org/"), False),
        (Where(not_domains=("example.org",)), Document(title="", text=""), True),
        (Where(max_age_days=1), Document(title="", text="", published=NOON, first_seen=NOON + DAY), True),
        (Where(max_age_days=1), Document(title="", text="", published=NOON, first_seen=NOON + 2 * DAY), False),
        (Where(max_age_days=1), Document(title="", text="", first_seen=NOON), True),
        (Where(min_words=3), Document(title="one", text="two"), False),
        (Where(min_words=3), Document(title="one", text="two three"), True),
    ],
)
def test_where_is_what_an_entry_must_be(where: Where, document: Document, passes: bool) -> None:
    assert fits(where, document) is passes
