"""Two rule books over one document: gained, lost, by which terms; and what a match rests on."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from monitor.matching.compare import Change, Comparison, RuleChange, compare, rests_on
from monitor.matching.engine import Engine, compile_book
from monitor.matching.model import Document, Severity
from monitor.rulebook.themes import load_rules

CONCEPTS = {
    "ship": ["ship*", "deliver*"],
    "goods": ["machine tools", "chips", "chip*"],
    "place": ["Russia", "Moscow"],
}
TEXT = "A Chinese firm shipped machine tools to Moscow.\n\nThe harbour was closed."


def book(when: str = "ship and goods and place", concepts: dict[str, object] | None = None, **rule: object) -> Engine:
    rules = [{"id": "r", "when": when, **rule}]
    theme = {"theme": "t", "title": "T", "concepts": concepts or CONCEPTS, "rules": rules}
    loaded, faults = load_rules({"themes/t.yaml": json.dumps(theme, ensure_ascii=False)})
    assert loaded is not None, [str(fault) for fault in faults]
    return compile_book(loaded)


def document(text: str = TEXT, **fields: object) -> Document:
    return Document(**{"title": "", "text": text, **fields})  # type: ignore[arg-type]


def without(concept: str, *terms: str) -> dict[str, object]:
    return {**CONCEPTS, concept: [term for term in CONCEPTS[concept] if term not in terms]}


def lost(old: Engine, new: Engine, text: str = TEXT, **fields: object) -> RuleChange:
    """The one rule that is lost; and gained where the change is made the other way round, by the same terms."""
    there, back = (compare(*pair, document(text, **fields)) for pair in ((old, new), (new, old)))
    [found], [again] = there.lost, back.gained
    assert (there.gained, back.lost, there.unchanged) == ((), (), ())
    assert (found.change, again.change) == (Change.LOST, Change.GAINED)
    assert (again.terms, again.evidence, again.deciding) == (found.terms, found.evidence, found.deciding)
    return found


def test_the_same_rules_change_nothing() -> None:
    assert compare(book(), book(), document()) == Comparison(gained=(), lost=(), unchanged=(("t", "r"),))
    assert compare(book(), book(), document("Nothing.")) == Comparison(gained=(), lost=(), unchanged=())


def test_a_term_that_is_struck_from_a_list() -> None:
    found = lost(book(), book(concepts=without("goods", "machine tools")))
    assert (found.theme, found.rule, found.severity) == ("t", "r", Severity.MEDIUM)
    assert (found.terms, found.reason) == (("machine tools",), "no longer found: 'machine tools'")
    assert [hit.text for hit in found.deciding] == ["machine tools"]
    assert [hit.text for hit in found.evidence] == ["shipped", "machine tools", "Moscow"]


def test_of_two_terms_struck_each_is_named_where_either_would_do() -> None:
    text = "Shipped to Moscow: machine tools and chips."
    gone = {**CONCEPTS, "goods": ["lathes"]}
    assert lost(book(), book(concepts=gone), text).terms == ("machine tools", "chips", "chip*")


def test_of_two_terms_struck_only_the_one_is_named_that_decides() -> None:
    when = 'ship and place and (goods w/2 "to")'
    text = "Chips. Shipped machine tools to Moscow."
    gone = {**CONCEPTS, "goods": ["lathes"]}
    assert lost(book(when), book(when, gone), text).terms == ("machine tools",)


def test_a_term_struck_whose_place_another_finds_is_not_lost() -> None:
    text = "Shipped chips to Moscow."
    kept = compare(book(), book(concepts=without("goods", "chips")), document(text))
    assert kept == Comparison(gained=(), lost=(), unchanged=(("t", "r"),))


def test_a_term_struck_counts_where_terms_are_counted_though_another_finds_its_place() -> None:
    when = "ship and distinct2(goods)"
    text = "Shipped chips, machine tools."
    assert lost(book(when), book(when, without("goods", "machine tools")), text).terms == ("machine tools",)


def test_a_concept_taken_out_of_a_rule() -> None:
    text = "A delegation of 100 in Moscow."
    found = lost(book("place or goods"), book("goods"), text)
    assert (found.terms, found.reason) == (("Moscow",), "no longer found: 'Moscow'")


def test_a_renamed_concept_changes_nothing_and_is_not_blamed() -> None:
    renamed: dict[str, object] = {"wares": CONCEPTS["goods"], "ship": CONCEPTS["ship"], "place": CONCEPTS["place"]}
    same = compare(book(), book("ship and wares and place", renamed), document())
    assert same.unchanged == (("t", "r"),)
    found = lost(book(), book("ship and wares and place", renamed, unless='"harbour"'))
    assert (found.terms, found.reason) == (("harbour",), "stopped by unless: 'harbour'")
    assert [hit.text for hit in found.deciding] == ["harbour"]


def test_an_exception_that_covers_a_hit_is_blamed_on_the_hit() -> None:
    covered = {**CONCEPTS, "place": {"terms": ["Moscow", "Russia"], "except": ["Moscow Times"]}}
    found = lost(book(), book(concepts=covered), "Shipped machine tools, the Moscow Times says.")
    assert found.terms == ("Moscow",)


def test_where_names_no_term() -> None:
    found = lost(book(), book(where={"languages": ["ru"]}), language="en")
    assert (found.terms, found.reason) == ((), "stopped by where: language en is none of ru")


def test_a_clause_that_shuts_out_names_its_term() -> None:
    found = lost(book("goods"), book('goods and not "harbour"'))
    assert (found.terms, found.reason) == (("harbour",), "shut out by: 'harbour'")


def test_a_narrower_operator_names_the_clause() -> None:
    found = lost(book('goods and "harbour"'), book('goods w/s "harbour"'))
    assert (found.terms, found.reason) == ((), 'no longer holds: goods w/s "harbour"')


def test_a_rule_that_is_new_or_gone() -> None:
    old, new = book(), book(id="another")
    found = compare(old, new, document())
    assert [(one.rule, one.terms, one.reason) for one in found.lost] == [("r", (), "the rule is gone")]
    assert [(one.rule, one.terms, one.reason) for one in found.gained] == [("another", (), "the rule is new")]


def test_the_title_the_author_and_the_address_are_told_apart() -> None:
    old = book('goods and author:("Smith")', {"goods": ["tools"]})
    new = book('goods and url:("x") and author:("Jones")', {"goods": ["tools"]})
    found = lost(old, new, "tools", author="Smith", url="https://x.example/")
    assert found.terms == ("Smith",)
    assert [(hit.field, hit.start, hit.text) for hit in found.deciding] == [("author", 0, "Smith")]


def test_strict_is_what_the_caller_says() -> None:
    old, new = book(), book(where={"tags": ["official"]})
    assert compare(old, new, document()).lost
    assert not compare(old, new, document(), strict=False).lost


@pytest.mark.parametrize(
    ("when", "text", "terms"),
    [
        ("ship and place", "Shipped to Moscow.", ("ship*", "Moscow")),
        ("ship and place", "Shipped to Moscow, Russia.", ("ship*",)),
        ("ship and place", "Shipped to Moscow; Moscow confirmed. Delivered.", ("Moscow",)),
        ("ship w/s place", "Shipped to Moscow. Russia denied.", ("ship*", "Moscow")),
        ("atleast2(place)", "Moscow, Moscow.", ("Moscow",)),
        ("atleast2(place)", "Moscow, Moscow, Russia, Russia.", ()),
        ("distinct2(place)", "Moscow, Russia, Moscow.", ("Moscow", "Russia")),
        ("title:(ship) or body:(place)", "Moscow", ("Moscow",)),
        ("place and not ship", "Moscow", ("Moscow",)),
        ("place not w/3 ship", "Moscow ships. It rained there all day, all night in Russia.", ("Russia",)),
    ],
)
def test_what_a_match_rests_on(when: str, text: str, terms: tuple[str, ...]) -> None:
    engine = book(when)
    scan = engine.scan(document(text))
    [rule] = engine.met(scan)
    assert rests_on(rule, scan) == terms


def test_resting_is_told_by_striking_the_term_from_the_file() -> None:
    """The definition itself: the rule is compiled again without the term."""
    text = "Shipped to Moscow and Russia: machine tools. Delivered, too. The chips stayed."
    whens = [
        "ship and goods and place", "ship w/s goods and place", "distinct2(place) and goods", "goods pre/9 ship",
        "(ship or goods) w/3 place", "atleast4(goods or place)",
    ]  # fmt: skip
    every = {term for terms in CONCEPTS.values() for term in terms}
    for when in whens:
        engine = book(when)
        scan = engine.scan(document(text))
        [rule] = engine.met(scan)
        struck = {term for term in every if not _still(when, term)(text)}
        assert set(rests_on(rule, scan)) == struck, when


def _still(when: str, term: str) -> Callable[[str], bool]:
    kept = {name: ["nowhere" if one == term else one for one in terms] for name, terms in CONCEPTS.items()}
    engine = book(when, kept)  # type: ignore[arg-type]
    return lambda text: bool(engine.match(document(text)))
