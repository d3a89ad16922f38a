"""Engine and oracle say the same of every generated rule book and document: which rules, by which hits, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import NoSuchExample, UnsatisfiedAssumption

from monitor.matching import engine, evaluate, fold, scan, scripts, terms
from monitor.matching.engine import MAX_EVIDENCE, compile_book
from monitor.matching.expression import Field
from monitor.matching.model import Document, Evidence
from monitor.matching.packed import Lists
from monitor.rulebook.themes import load_rules
from tests.matching.generate import Case, cases, smaller
from tests.matching.oracle import AtLeast, Expression, Hit, Near, Not, Only, TooManyChainsError, matches
from tests.matching.oracle_files import files_of
from tests.matching.oracle_letters import read

NEVER = ("the rule can never match: ", "can never be met: ")
EASY = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much]


def differences(case: Case) -> list[str]:
    """What engine and oracle say otherwise of a case, one line each rule and document."""
    book, faults = load_rules(files_of(case.book))
    if book is None:
        assert all(fault.message.startswith(NEVER) for fault in faults), [str(fault) for fault in faults]
        hypothesis.reject()
    compiled = compile_book(book)
    lines = []
    for document in case.documents:
        expected = answer(case, document)
        found = {(theme.theme, rule.rule): rule.evidence for theme in compiled.match(document) for rule in theme.rules}
        for key in sorted({*expected, *found}):
            engine_hits, oracle_hits = hits(found.get(key, ()), document), expected.get(key, frozenset())
            if not same(engine_hits, oracle_hits) or (key in found) != (key in expected):
                says = (
                    f"{who} {sorted(these) if key in met else 'no match'}"
                    for who, these, met in (("engine:", engine_hits, found), ("oracle:", oracle_hits, expected))
                )
                lines.append(f"{'/'.join(key)} in {document.title!r}, {document.text!r}: {'; '.join(says)}")
    return lines


def answer(case: Case, document: Document) -> dict[tuple[str, str], frozenset[Hit]]:
    try:
        return matches(case.book, document)
    except TooManyChainsError:
        hypothesis.reject()


def same(engine: frozenset[Hit], oracle: frozenset[Hit]) -> bool:
    """Equal; or, beyond the most that is told of one match, some hits of every concept and literal."""
    if len(oracle) <= MAX_EVIDENCE:
        return engine == oracle
    told, all_told = ({hit.concept or hit.term for hit in hits} for hits in (engine, oracle))
    return len(engine) == MAX_EVIDENCE and engine <= oracle and told == all_told


def hits(evidence: tuple[Evidence, ...], document: Document) -> frozenset[Hit]:
    for one in evidence:
        assert one.text == getattr(document, one.field)[one.start : one.end]
    found = [Hit(one.field, one.start, one.end, one.concept, one.term) for one in evidence]
    assert len(found) == len(set(found)), "a hit is told twice"
    return frozenset(found)


def agree(case: Case) -> None:
    """Fails with the smallest case that still shows a difference: hypothesis' own shrinking takes minutes here."""
    if not differences(case):
        return
    while (less := next(filter(differ, smaller(case)), None)) is not None:
        case = less
    raise AssertionError("\n".join((repr(case), *differences(case))))


def differ(case: Case) -> bool:
    try:
        return bool(differences(case))
    except (AssertionError, UnsatisfiedAssumption):  # no valid rule book any more
        return False


UNSHRUNK = settings(phases=[Phase.generate], suppress_health_check=EASY, report_multiple_bugs=False)


@settings(UNSHRUNK, max_examples=500)
@given(cases())
def test_engine_and_oracle_agree(case: Case) -> None:
    agree(case)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(20))
def test_engine_and_oracle_agree_on_twenty_thousand(seed: int) -> None:
    hypothesis.seed(seed)(settings(UNSHRUNK, max_examples=1000)(given(cases())(agree)))()


def test_generated_cases_are_rich() -> None:
    """Every operator holds and fails often, and hits are in ten scripts: agreement over nothing would prove nothing."""
    seen: Counter[str] = Counter()

    @settings(UNSHRUNK, max_examples=600, derandomize=True, database=None)
    @given(cases())
    def look(case: Case) -> None:
        for document in case.documents:
            met = answer(case, document)
            seen["match"] += bool(met)
            for theme in case.book.themes:
                for rule in theme.rules:
                    truth = "holds" if (theme.id, rule.id) in met else "fails"
                    seen.update(f"{kind} {truth}" for kind in kinds_of(rule.when))
                    seen[f"unless {truth}"] += rule.unless is not None
            for hit in {hit for these in met.values() for hit in these}:
                text = {"title": document.title, "text": document.text, "url": document.url, "author": document.author}
                signs = read((text[hit.field] or "")[hit.start : hit.end])
                seen.update({sign.script for sign in signs if sign.script})
                seen[hit.field] += 1
                seen["written otherwise"] += (text[hit.field] or "")[hit.start : hit.end] != hit.term

    look()
    kinds = ["and", "or", "not", "w", "near", "pre", "s", "p", "not w", "not s", "nested", "chain", "lead", "title"]
    kinds += ["body", "url", "author", "atleast", "distinct", "unless"]
    wanted = [f"{kind} {truth}" for kind in kinds for truth in ("holds", "fails")]
    wanted += ["LATIN", "CYRILLIC", "GREEK", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "ARABIC", "HEBREW", "THAI"]
    wanted += ["DEVANAGARI", "title", "text", "url", "author", "match", "written otherwise"]
    assert {kind: seen[kind] for kind in wanted if seen[kind] < 5} == {}


def kinds_of(expression: Expression) -> set[str]:
    """The operators in an expression, by name."""
    kinds = {type(expression).__name__.lower()}
    if isinstance(expression, Near):
        kinds = {f"not {expression.operator}" if expression.negated else expression.operator}
        if any(isinstance(operand, Near) for operand in expression.operands):
            kinds.add("nested")
        if len(expression.operands) > 2:
            kinds.add("chain")
    if isinstance(expression, Only):
        kinds = {expression.field}
    if isinstance(expression, AtLeast):
        kinds = {"distinct" if expression.distinct else "atleast"}
    if isinstance(expression, Not | Only | AtLeast):
        return kinds | kinds_of(expression.operand)
    return kinds.union(*(kinds_of(operand) for operand in getattr(expression, "operands", ())))


# --- the comparison catches a fault put into the engine

Spoil = Callable[[pytest.MonkeyPatch], None]


def no_boundary_on_the_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scan, "_left_table", lambda needle, uses: bytes(256))
    patch.setattr(terms, "begins", lambda text, at: True)


def no_boundary_on_the_right(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scan, "_right_table", lambda needle, uses: bytes(256))
    patch.setattr(terms, "ends", lambda text, at: True)


def hangul_asks_for_a_boundary_on_the_right(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(terms, "ends", lambda text, at: not scripts.joined(text, at))


def a_paragraph_is_one_sentence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scan, "sentence_starts", lambda text, one_paragraph: [0])


def one_word_too_far(patch: pytest.MonkeyPatch) -> None:
    between = scan.Scan.between
    patch.setattr(scan.Scan, "between", lambda self, left, right: between(self, left, right) - 1)


def exceptions_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate, "_kept", lambda scan, part: scan.hits(part.set))


def counted_hits_may_overlap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate, "apart", list)


def near_hits_may_overlap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scan.Hit, "overlaps", lambda self, other: False)


def rules_go_unlooked_at(patch: pytest.MonkeyPatch) -> None:
    of = Lists.of
    patch.setattr(Lists, "of", lambda self, places: tuple(found[1:] for found in of(self, places)))


def unless_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine.Engine, "_meets", lambda self, rule, scan, strict: rule.condition.true(scan, None))


def the_lead_is_the_title(patch: pytest.MonkeyPatch) -> None:
    range_of = scan.Scan.range_of
    patch.setattr(
        scan.Scan, "range_of", lambda self, field: range_of(self, Field.TITLE if field == Field.LEAD else field)
    )


def a_field_is_looked_for_anywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate.Within, "true", lambda self, scan, field: self.operand.true(scan, None))


def marks_at_the_end_are_left_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fold.Folded, "end", lambda self, at: self.start(at - 1) + 1)


def arabic_and_hebrew_words_stand_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(terms, "begins", lambda text, at: not scripts.joined(text, at))


def accents_of_terms_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(terms, "fold", str.lower)


@pytest.mark.parametrize(
    "spoil",
    [
        no_boundary_on_the_left,
        no_boundary_on_the_right,
        hangul_asks_for_a_boundary_on_the_right,
        a_paragraph_is_one_sentence,
        one_word_too_far,
        exceptions_are_forgotten,
        counted_hits_may_overlap,
        near_hits_may_overlap,
        rules_go_unlooked_at,
        unless_is_forgotten,
        the_lead_is_the_title,
        a_field_is_looked_for_anywhere,
        marks_at_the_end_are_left_out,
        arabic_and_hebrew_words_stand_alone,
        accents_of_terms_count,
    ],
)
def test_a_fault_put_into_the_engine_is_caught(spoil: Spoil, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch)
    few = settings(UNSHRUNK, max_examples=500, derandomize=True, database=None)
    try:
        hypothesis.find(cases(), lambda case: bool(differences(case)), settings=few)
    except NoSuchExample:
        pytest.fail("engine and oracle agree all the same", pytrace=False)
