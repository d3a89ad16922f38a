"""What rules find in documents, case by case."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from monitor.matching.engine import MAX_EVIDENCE, Engine, compile_book
from monitor.matching.model import Document, Mode, Severity
from monitor.rulebook.themes import load_rules


def engine(when: str, concepts: dict[str, object] | None = None, **rule: object) -> Engine:
    """An engine of one theme with one rule, `r`."""
    theme = {
        "theme": "t", "title": "T", "concepts": concepts or {}, "rules": [{"id": "r", "when": when, **rule}],
    }  # fmt: skip
    book, faults = load_rules({"themes/t.yaml": json.dumps(theme, ensure_ascii=False)})
    assert book is not None, [str(fault) for fault in faults]
    return compile_book(book)


def words(
    when: str, text: str, title: str = "", concepts: dict[str, object] | None = None, **document: object
) -> list[str]:
    """The words a rule finds, in order; empty where it is not met."""
    found = engine(when, concepts).match(Document(title=title, text=text, **document))  # type: ignore[arg-type]
    return [evidence.text for theme in found for rule in theme.rules for evidence in rule.evidence]


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        # words and boundaries
        ("mac", "a machine, a mac", ["mac"]),
        ("China", "China's China—China_ Chinatown", ["China", "China", "China"]),
        ("芯片", "中国芯片出口", ["芯片"]),
        ("CNC", "用CNC机床", ["CNC"]),
        ("M14", "3M14 and M14 and M14s", ["M14"]),
        ("Chinese", "Chinese-made", ["Chinese"]),
        ("Китаю", "Помощь Китаю.", ["Китаю"]),
        ("중국", "중국은 한중국 중국3", ["중국", "중국"]),
        ("F-35", "F-35를 도입", ["F-35"]),
        ("صين", "والصين وبالصين للصين صينية", ["صين", "صين", "صين"]),
        ("סין", "בסין וסין מסינו", ["סין", "סין"]),
        ("จีน", "รัฐบาลจีนส่งออก", ["จีน"]),
        ("ドローン", "中国製ドローンを", ["ドローン"]),
        ("а", "а1b", []),
        ("b", "а1b", ["b"]),
        # hyphens, spaces, apostrophes
        (
            "dual-use",
            "dual use dual‑use dualuse dual – use dual, use",
            ["dual use", "dual‑use", "dualuse", "dual – use"],
        ),
        ("machine tools", "machine\ntools machinetools machine    tools", ["machine\ntools"]),
        ("Xi'an", "Xi’an Xian Xi an", ["Xi’an", "Xian"]),
        ("/\\Qwa.c\\E?d/", "a wa.d", ["wa.d"]),
        ("/\\Qwa.c\\E{0,2}d/", "a wa.d", ["wa.d"]),
        ("U.S.", "the U.S. and U.S.A. and us", ["U.S.", "U.S."]),
        ("AT&T", "at&t ATT", ["at&t"]),
        ("C++", "C++ and C+", ["C++"]),
        # signs
        ("semiconductor*", "Semiconductors, semiconductor-grade", ["Semiconductors", "semiconductor"]),
        ("*halbleiter", "Leistungshalbleiter Halbleiterwerk", ["Leistungshalbleiter"]),
        ("wom?n", "woman women womn wom3n", ["woman", "women"]),
        ("export* control*", "exporting controls, export is controlled", ["exporting controls"]),
        ("re-export*", "re-exporting reexports", ["re-exporting", "reexports"]),
        ("tech*y", "technology techy tech y", ["technology", "techy"]),
        # exact
        ("=US", "US us Us U.S.", ["US"]),
        ("=café", "café cafe Café", ["café"]),
        ("=Port Said", "Port\nSaid port said Port-Said", ["Port\nSaid"]),
        # folding
        ("semiconductor", "semi\u00adconductor", ["semi\u00adconductor"]),
        ("войны", "воины войны", ["войны"]),
        ("café", "cafe\u0301!", ["cafe\u0301"]),
        ("Strasse", "Straße STRASSE", ["Straße", "STRASSE"]),
        ("chip", "ＣＨＩＰ", ["ＣＨＩＰ"]),
        # regular expressions
        (r"/HS ?8[45]\d\d/", "HS 8542.31, hs8471x, HS8471, XHS 8542", ["HS 8542", "HS8471"]),
        (r"/HS 85\d\d/=", "hs 8542 HS 8543", ["HS 8543"]),
        (r"/Shahed-?1\d\d/", "Shahed136 shahed-131 Shahed-1360", ["Shahed136", "shahed-131"]),
        (r"/чип\pL*/", "Чипы и микрочипы", ["Чипы"]),
        (r"/芯片.{0,2}/", "中国芯片出口", ["芯片出口"]),
    ],
)
def test_term_finds(term: str, text: str, found: list[str]) -> None:
    assert words("c", text, concepts={"c": [term]}) == found


@pytest.mark.parametrize(
    ("when", "text", "met"),
    [
        ('"china" and "russia"', "China. Russia.", True),
        ('"china" and not "russia"', "China. Russia.", False),
        ('"china" w/1 "russia"', "China–Russia", True),
        ('"china" w/1 "russia"', "China and Russia", False),
        ('"china" w/2 "russia"', "Russia and China", True),
        ('"china" pre/2 "russia"', "Russia and China", False),
        ('"china" pre/2 "russia"', "China, and Russia", True),
        ('"中国" w/2 "芯片"', "中国的芯片", True),
        ('"中国" w/1 "芯片"', "中国的芯片", False),
        ('"中国" w/2 "芯片"', "中国向俄的芯片", False),
        ('"จีน" w/2 "อาวุธ"', "จีนส่งออกอาวุธ", False),
        ('"จีน" w/3 "อาวุธ"', "จีนส่งออกอาวุธ", True),
        ('"중국" w/1 "무기"', "중국은 무기를", True),
        ('"china" w/s "russia"', "China sells. Russia buys.", False),
        ('"china" w/s "russia"', "Mr. Li of China met U.S. and Russia men for 3.5 hours.", True),
        ('"china" w/p "russia"', "China sells. Russia buys.", True),
        ('"china" w/p "russia"', "China sells.\n \nRussia buys.", False),
        ('"中国" w/s "俄罗斯"', "中国出口芯片。俄罗斯购买。", False),
        ('"china" not w/2 "daily"', "China Daily says", False),
        ('"china" not w/2 "daily"', "China Daily says that China sells", True),
        ('("cnc" or "boa") not near/3 "boa"', "CNC boá", True),
        ('"china" w/s "chips" w/s "russia"', "Chips from China reach Russia.", True),
        ('"china" w/s "chips" w/s "russia"', "Chips from China. They reach Russia.", False),
        ('"a1" w/2 "b2" w/2 "c3"', "a1 b2 c3", True),
        ('"a1" w/2 "b2" w/2 "c3"', "b2 a1 x x c3", False),
        ('("a1" w/1 "b2") w/s "c3"', "a1 c3. a1 b2 then c3.", True),
        ('"china telecom" w/3 "china"', "China Telecom", False),
        ('"china telecom" and "china"', "China Telecom", True),
        ('atleast2("china")', "China China", True),
        ('atleast3("china")', "China China", False),
        ('atleast2("china" or "china telecom")', "China Telecom", False),
        ('distinct2("chip" or "lens")', "chip chip", False),
        ('distinct2("chip" or "lens")', "chip lens", True),
        ('not not "china"', "China sells", True),
        ('not not "china"', "Russia sells", False),
        ('not (not "china" and not "russia")', "Russia sells", True),
        ('not (not "china" and not "russia")', "India sells", False),
        ('not ((not "china") or "russia")', "China sells", True),
        ('not ((not "china") or "russia")', "China and Russia", False),
        ('title:(not not "china") or not not "chip"', "a chip", True),
    ],
)
def test_expression_holds(when: str, text: str, met: bool) -> None:
    assert bool(engine(when).match(Document(title="", text=text))) == met


def test_no_window_crosses_from_title_to_text() -> None:
    for operator in ("w/1", "w/s", "w/p", "pre/1"):
        assert not words(f'"china" {operator} "russia"', "Russia buys.", title="China")
    assert words('"china" and "russia"', "Russia buys.", title="China") == ["China", "Russia"]


@pytest.mark.parametrize(
    ("field", "found"),
    [("title", ["one"]), ("lead", ["one", "one"]), ("body", ["one", "one"]), ("url", ["one"]), ("author", ["one"])],
)
def test_fields_look_only_there(field: str, found: list[str]) -> None:
    text = "First one.\n\nLater one."
    assert words(f'{field}:("one")', text, "The one", url="https://example.org/one", author="One") in (
        found, [word.title() for word in found],
    )  # fmt: skip
    assert words('"one"', text, "The one", url="https://example.org/one", author="One") == ["one", "one", "one"]


def test_the_lead_is_title_and_first_paragraph_and_holds_the_whole_hit() -> None:
    for blank in ("\n\n", " \n\n", "\n \n\n  ", " \r\n\r\n"):
        assert words('lead:("china")', f"{blank}China sells.\n\nChina buys.") == ["China"]
        assert words('"china" w/s "chips"', f"{blank}China sells chips.") == ["China", "chips"]
    assert words('lead:("machine tools")', "machine\n\ntools") == []
    assert words('body:("machine tools")', "machine\n\ntools") == ["machine\n\ntools"]


def test_a_title_is_one_paragraph_whatever_empty_lines_it_holds() -> None:
    assert words('"china" w/s "russia"', "", "China\n\nRussia") == ["China", "Russia"]
    assert words('"china" w/s "russia"', "", "China sells.\n\nRussia buys.") == []
    assert words('"china" w/p "russia"', "", "China sells.\n\nRussia buys.") == ["China", "Russia"]


def test_hits_inside_exceptions_do_not_count() -> None:
    concepts = {"c": {"terms": ["China"], "except": ["South China Morning Post", "China Daily"]}}
    assert words("c", "South China Morning Post", concepts=concepts) == []
    assert words("c", "The South China Morning Post on China", concepts=concepts) == ["China"]


def test_exceptions_of_an_including_concept_touch_included_hits_and_not_the_other_way_round() -> None:
    concepts = {
        "china": {"terms": ["China"], "except": ["China Daily"]},
        "wide": {"include": ["china"], "terms": ["Beijing"], "except": ["Beijing Opera", "South China Sea"]},
    }
    assert words("wide", "China Daily, South China Sea, Beijing Opera, Beijing", concepts=concepts) == ["Beijing"]
    assert words("china", "China Daily, South China Sea", concepts=concepts) == ["China"]


def test_terms_for_one_language_only() -> None:
    concepts = {"c": {"terms": [{"term": "Gift", "only_in": ["de"]}]}}
    assert words("c", "Gift", concepts=concepts, language="de") == ["Gift"]
    assert words("c", "Gift", concepts=concepts, language="de-AT") == ["Gift"]
    assert words("c", "Gift", concepts=concepts, language="en") == []
    assert words("c", "Gift", concepts=concepts) == []


def test_overlapping_terms_are_all_found_under_the_name_the_rule_knows() -> None:
    found = engine("c", {"c": ["China", "China Telecom", "Chin*"]}).match(Document(title="", text="China Telecom"))
    assert [(one.concept, one.term, one.field, one.start, one.end) for one in found[0].rules[0].evidence] == [
        ("c", "Chin*", "text", 0, 5), ("c", "China", "text", 0, 5), ("c", "China Telecom", "text", 0, 13),
    ]  # fmt: skip


def test_evidence_of_proximity_is_what_stands_near_enough() -> None:
    text = "China and Russia. China sells rice. Russia buys rice."
    assert words('"china" w/s "russia"', text) == ["China", "Russia"]
    assert words('"rice" not w/s "china"', text) == ["rice"]


def test_unless_stops_one_rule_anywhere_in_the_entry() -> None:
    stopped = engine('"china"', unless='"football"')
    assert stopped.match(Document(title="Football", text="China wins")) == ()
    assert stopped.match(Document(title="", text="China wins")) != ()


def test_severity_is_the_highest_of_the_rules_met_and_modes_are_told() -> None:
    rules = [{"id": "a", "when": '"x"', "severity": "low"}, {"id": "b", "when": '"x"', "severity": "critical"}]
    theme = {"theme": "t", "title": "T", "mode": "shadow", "rules": rules}
    book, _ = load_rules({"themes/t.yaml": json.dumps(theme)})
    assert book is not None
    found = compile_book(book).match(Document(title="", text="x"))
    assert [rule.rule for rule in found[0].rules] == ["a", "b"]
    assert (found[0].severity, found[0].mode) == (Severity.CRITICAL, Mode.SHADOW)


def test_theme_that_is_off_is_not_looked_at() -> None:
    theme = {"theme": "t", "title": "T", "mode": "off", "rules": [{"id": "a", "when": '"x"'}]}
    book, _ = load_rules({"themes/t.yaml": json.dumps(theme)})
    assert book is not None
    assert compile_book(book).match(Document(title="", text="x")) == ()


# --- where

DAY = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("where", "document", "strict", "met"),
    [
        ({"languages": ["zh"]}, {"language": "zh-Hant"}, True, True),
        ({"languages": ["zh"]}, {"language": "en"}, True, False),
        ({"languages": ["zh"]}, {}, True, True),
        ({"sources": ["a"]}, {"source": "a"}, True, True),
        ({"sources": ["a"]}, {"source": "b"}, False, False),
        ({"sources": ["a"]}, {}, True, False),
        ({"sources": ["a"]}, {}, False, True),
        ({"tags": ["x", "y"]}, {"tags": ("y",)}, True, True),
        ({"tags": ["x"]}, {"tags": ()}, False, False),
        ({"tags": ["x"]}, {}, False, True),
        ({"domains": ["example.org"]}, {"url": "https://news.example.org/a"}, True, True),
        ({"domains": ["example.org"]}, {"url": "https://badexample.org/a"}, True, False),
        ({"domains": ["правительство.рф"]}, {"url": "https://www.xn--80aealotwbjpid2k.xn--p1ai/a"}, True, True),
        ({"domains": ["xn--80aealotwbjpid2k.xn--p1ai"]}, {"url": "https://Правительство.рф/a"}, True, True),
        ({"not_domains": [".Example.org"]}, {"url": "https://EXAMPLE.org./a"}, True, False),
        ({"domains": ["example.org"]}, {"url": "http://[bad"}, True, False),
        ({"domains": ["example.org"]}, {}, True, False),
        ({"not_domains": ["example.org"]}, {"url": "https://example.org"}, True, False),
        ({"not_domains": ["example.org"]}, {}, True, True),
        ({"max_age": "14d"}, {"published": DAY - timedelta(days=14), "first_seen": DAY}, True, True),
        ({"max_age": "14d"}, {"published": DAY - timedelta(days=15), "first_seen": DAY}, True, False),
        ({"max_age": "14d"}, {"first_seen": DAY}, True, True),
        ({"min_words": 3}, {"title": "a word"}, True, True),
        ({"min_words": 4}, {"title": "a word"}, True, False),
    ],
)
def test_where(where: dict[str, object], document: dict[str, object], strict: bool, met: bool) -> None:
    made = engine('"china"', where=where)
    assert bool(made.match(Document(**{"title": "", "text": "China", **document}), strict=strict)) == met  # type: ignore[arg-type]


# --- watch-lists


def test_names_of_a_list_are_literal_and_need_no_legal_form() -> None:
    theme = {
        "theme": "t", "title": "T", "concepts": {"firms": {"list": "watchlists/f.txt"}},
        "rules": [{"id": "r", "when": "firms"}],
    }  # fmt: skip
    names = "Foo Trading Co., Ltd.\nООО Ромашка\n深圳光学有限公司\nZTE Corp\nA*B Chips Inc\nBar & Co\n=Quux Optics\n"
    book, _ = load_rules({"themes/t.yaml": json.dumps(theme), "watchlists/f.txt": names})
    assert book is not None
    made = compile_book(book)

    def found(text: str) -> list[str]:
        return [one.text for match in made.match(Document(title="", text=text)) for one in match.rules[0].evidence]

    assert found("FOO TRADING and Foo Trading Company") == ["FOO TRADING", "Foo Trading"]
    assert found("向深圳光学采购") == ["深圳光学"]
    assert found("ZTE but not zte") == ["ZTE"]
    assert found("A*B Chips, AxB Chips, Bar, Bar & Co") == ["A*B Chips", "Bar & Co"]
    assert found("=Quux Optics") == ["=Quux Optics"]


# --- hostile and huge


@pytest.mark.parametrize(
    "text",
    [
        "China Russia " * 20_000,
        "China " * 20_000 + "Russia " * 20_000,
        "a" * 300_000 + "China",
        "1" * 200_000 + "a1" * 50_000,
        "China. Russia. " * 10_000,
        "e\u0301\u00ad" * 50_000 + "China Russia",
        "\n\n" * 50_000 + "China Russia",
        "." * 200_000 + "China w Russia",
    ],
    ids=["both", "apart", "one word", "digits", "sentences", "marks", "empty lines", "points"],
)
@pytest.mark.parametrize(
    "when",
    [
        '"china" w/s "russia"',
        '"china" w/5 "russia" w/5 "china"',
        '"*a*" and "china" not w/3 "russia"',
        "atleast9(both)",
    ],
)
@pytest.mark.timeout(60)
def test_hostile_text_costs_seconds_at_most(when: str, text: str) -> None:
    engine(when, {"both": ["china", "russia", "/chi[a-z]+ russia/"]}).match(Document(title="", text=text))


@pytest.mark.parametrize(
    ("when", "title", "text"),
    [
        ('"aa" w/300 "bb" w/300 "cc" w/300 "dd"', "dd " * 300, "aa bb cc " * 1500),
        ('"aa" w/50 "bb" w/50 "cc" w/50 "dd"', "dd", "aa bb cc " * 1500),
        ('"aa" w/300 "bb" w/300 "cc" w/300 "aa"', "", "aa " + "bb cc " * 2000),
        ('"aa" w/p "bb" w/p "cc" w/p "aa"', "", "aa " + "bb cc " * 2000),
        ('("bb" w/300 "cc") w/5 "aa"', "", "bb " * 200 + "x " * 6 + "aa " * 200 + "x " * 6 + "cc " * 200),
        ('("aa" w/5 "bb") not w/300 ("cc" w/5 "dd")', "", "aa bb " * 1500 + "x " * 300 + "cc dd " * 1500),
    ],
)
@pytest.mark.timeout(60)
def test_a_chain_that_leads_nowhere_is_not_tried_in_every_way(when: str, title: str, text: str) -> None:
    assert len(words(when, text, title)) in (0, MAX_EVIDENCE)


def test_a_chain_is_found_behind_many_that_lead_nowhere() -> None:
    text = "aa bb cc " * 1000 + "x " * 300 + "aa bb cc dd"
    assert words('"aa" w/9 "bb" w/9 "cc" w/9 "dd"', text) == ["aa", "bb", "cc", "dd"]


def test_evidence_is_capped_with_some_of_each_concept() -> None:
    found = engine('"china" and "russia"').match(Document(title="", text="China " * 500 + "Russia"))
    evidence = found[0].rules[0].evidence
    assert len(evidence) == MAX_EVIDENCE
    assert evidence[-1].text == "Russia"


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "\uffff", "\u200b", "é", "\0China\0"])
def test_odd_texts_are_no_trouble(text: str) -> None:
    made = engine('("china" w/s "russia") and title:("x") and "y*"')
    assert made.match(Document(title=text, text=text, url=text, author=text)) == ()


def test_offsets_are_into_each_field_as_given() -> None:
    document = Document(title="На — «Кита\u0301й»", text="\u200b\n\n  dual –\u00a0use 😀 chip", url=None)
    found = engine('"китай" and "dual use" and "chip"').match(document)
    for one in found[0].rules[0].evidence:
        given = document.title if one.field == "title" else document.text
        assert given[one.start : one.end] == one.text
    assert [one.text for one in found[0].rules[0].evidence] == ["Кита\u0301й", "dual –\u00a0use", "chip"]


@pytest.mark.timeout(30)
def test_a_term_of_many_stars_stops_nobody() -> None:
    """Tried one way after the other, these stars have more ways than can be tried in a lifetime."""
    term = '"q' + "*a" * 20 + '*z"'
    assert words(term, "q" + "a" * 60) == []
    assert words(term, "q" + "a" * 60 + "z") == ["q" + "a" * 60 + "z"]
