"""What is legal but poor: each remark by name, and what draws none."""

from __future__ import annotations

import json

from monitor.matching.lint import lint
from monitor.rulebook.themes import load_rules


def remarks(
    when: str = "china",
    concepts: dict[str, object] | None = None,
    *,
    files: dict[str, str] | None = None,
    where: dict[str, object] | None = None,
    languages: tuple[str, ...] = (),
    sources: tuple[str, ...] | None = None,
    tags: tuple[str, ...] | None = None,
    examples: bool = True,
    **theme: object,
) -> list[str]:
    """The messages about a book of one theme with one rule, `r`."""
    written = {
        "theme": "t", "title": "T", "concepts": {"china": ["China"]} if concepts is None else concepts,
        "rules": [{"id": "r", "when": when, "where": where or {"min_words": 0}}], **theme,
    }  # fmt: skip
    if examples:
        written["examples"] = {"match": ["China"]}
    book, faults = load_rules({"themes/t.yaml": json.dumps(written, ensure_ascii=False), **(files or {})})
    assert book is not None, [str(fault) for fault in faults]
    found = lint(book, languages, sources, tags)
    assert all(remark.path and remark.line for remark in found)
    return [remark.message for remark in found]


def test_a_sound_rule_draws_no_remark() -> None:
    assert remarks(languages=("en",), sources=("wire",), tags=("official",)) == []


def test_sources_and_tags_that_no_watched_source_has() -> None:
    where = {"sources": ["wire", "wrie"], "tags": ["official", "offical"]}
    assert remarks(where=where, sources=("wire",), tags=("official",)) == [
        "rule 'r': no watched source has the id 'wrie' that 'where' asks for",
        "rule 'r': no watched source has the tag 'offical' that 'where' asks for",
    ]
    assert remarks(where=where) == []


# --- concepts


def test_concept_that_no_rule_uses() -> None:
    concepts = {"china": ["China"], "spare": ["Peru"], "wider": {"include": ["inner"]}, "inner": ["Asia"]}
    unused = [f"concept '{name}' is used by no rule" for name in ("spare", "wider", "inner")]
    assert remarks(concepts=concepts) == unused
    assert remarks("china and wider", concepts) == ["concept 'spare' is used by no rule"]
    watched = {"china": ["China"], "firms": {"list": "watchlists/firms.txt"}}
    seen = [{"id": "new", "first_seen": "firms"}]
    assert remarks(concepts=watched, files={"watchlists/firms.txt": "Acme Optics"}, correlate=seen) == []


def test_unused_concepts_of_a_vocabulary_are_no_waste_where_others_are_used() -> None:
    files = {"concepts/places.yaml": "concepts: {peru: [Peru], chile: [Chile]}"}
    assert remarks("china and places.peru", files=files) == []
    assert remarks(files=files) == ["concept 'peru' is used by no rule", "concept 'chile' is used by no rule"]


def test_short_names_of_a_list_are_listed_for_their_exact_case() -> None:
    files = {"watchlists/firms.txt": "Zala\nAcme Optics\nBMZ GmbH\n富士\n" + "".join(f"F{n}\n" for n in range(10, 15))}
    concepts = {"china": {"list": "watchlists/firms.txt"}}
    assert remarks(concepts=concepts, files=files) == [
        "short names of watchlists/firms.txt are found in their exact case only: "
        "Zala, BMZ GmbH, F10, F11, F12 and 2 more"
    ]


def test_names_that_are_everyday_words_but_for_the_legal_form() -> None:
    files = {"watchlists/firms.txt": "China Limited\nGlobal Ltd\nHuawei Ltd\nGlobal Trading Ltd\nChinalco\n"}
    concepts = {"china": ["China"], "firms": {"list": "watchlists/firms.txt"}}
    assert remarks("china and firms", concepts, files=files) == [
        "names of watchlists/firms.txt are found wherever an everyday word stands: China Limited, Global Ltd"
    ]


def test_term_that_finds_what_another_finds() -> None:
    concepts = {"china": ["China", "CHINA", "Chin*", "dual-use", "dual–use"]}
    assert remarks(concepts=concepts) == [
        "'China' is found by 'Chin*' already (concept 'china')",
        "'CHINA' finds the same as 'China' (concept 'china')",
        "'dual–use' finds the same as 'dual-use' (concept 'china')",
    ]


def test_each_language_is_whole_by_itself() -> None:
    assert remarks(concepts={"china": {"de": ["China", "Kino"], "it": ["China"], "terms": ["Chin*"]}}) == []


def test_short_terms() -> None:
    assert remarks(concepts={"china": ["Ga", "Al*", "=US", "中国", "в"]}) == [
        f"'{term}' is short and is found often; write \"={term.strip('*')}\" for exactly this, or a longer form "
        f"(concept 'china')"
        for term in ("Ga", "Al*", "в")
    ]


def test_terms_of_almost_every_text() -> None:
    assert remarks('china and "für"', {"china": ["The", "the*", "China"]}) == [
        "'The' is found by 'the*' already (concept 'china')",
        "'The' is met in almost every text of its language (concept 'china')",
        "rule 'r': 'für' is met in almost every text of its language",
    ]


def test_signs_that_mean_nothing_where_they_stand() -> None:
    assert remarks(concepts={"china": ["中国*", "export!"]}) == [
        "the * of '中国*' stands for nothing: this script has no word ends (concept 'china')",
        "the ! of 'export!' is looked for literally; any ending is written * (concept 'china')",
    ]


def test_regular_expressions_that_cost_or_mislead() -> None:
    assert remarks(concepts={"china": [r"/[a-z]\d/", r"/кит\w+/", r"/chi\w+/"]}) == [
        "'/[a-z]\\d/' has no part of three letters or digits, so it is tried on every text (concept 'china')",
        "\\w and \\b know a-z alone (RE2 syntax): in '/кит\\w+/' "
        "write \\pL for a letter of any alphabet (concept 'china')",
    ]


# --- languages


def test_languages_of_the_sources_without_terms() -> None:
    spoken = ("en", "zh-CN", "ru")
    keyed = {"china": {"zh-Hans": ["中国"], "ru": ["Китай"]}}
    assert remarks(concepts=keyed, languages=spoken) == [
        "concept 'china' has no terms in en, which sources are written in"
    ]
    assert remarks(concepts={"china": {"zh": ["中国"], "terms": ["China"]}}, languages=spoken) == [
        "concept 'china' has no terms in ru, which sources are written in"
    ]


def test_concept_without_languages_is_judged_by_its_scripts() -> None:
    def missing(*terms: str) -> list[str]:
        return remarks(concepts={"china": list(terms)}, languages=("en", "de", "zh", "ru", "ar"))

    assert missing("China", "Китай") == ["concept 'china' has no terms in ar, zh, which sources are written in"]
    assert missing("China", "中国", "Китай", "الصين") == []
    assert missing("CNC", "8471.50", "=Huawei") == []
    assert missing("中国", "Китай", "الصين") == ["concept 'china' has no terms in de, en, which sources are written in"]


# --- themes and expressions


def test_theme_without_examples() -> None:
    assert remarks(examples=False) == ["theme 't' has no examples"]
    assert remarks(examples=False, mode="off") == []


def test_overlapping_hits_are_not_near_each_other() -> None:
    assert remarks('china not w/2 "China Telecom"') == [
        "rule 'r': 'china telecom' holds 'china': overlapping hits are not near each other; 'except' leaves such out"
    ]


def test_literals_are_judged_as_terms_are() -> None:
    assert remarks('china and "Ga"') == [
        "rule 'r': 'Ga' is short and is found often; write \"=Ga\" for exactly this, or a longer form"
    ]
