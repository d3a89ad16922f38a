"""Which texts are the same: laws, and how often the answer is right for texts as wires copy them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.likeness import LEAST_SAMPLED, Memory, compare, marks_of, tokens_of
from tests.core.wire import LANGUAGES, Article, Desk

DESK = Desk(1)
ARTICLES = DESK.articles(600)
texts = st.text(st.sampled_from("abcdeабвгд 中国出口海关数据.\n"), max_size=600) | st.text(max_size=400)


def marks(article: Article) -> bytes:
    return marks_of(article.title, article.text)


@pytest.fixture(scope="module")
def memory() -> Memory:
    return Memory((str(number), marks(article)) for number, article in enumerate(ARTICLES))


# --- laws


@given(texts, texts)
def test_likeness_has_no_direction(one: str, two: str) -> None:
    ours, theirs = marks_of("", one), marks_of("", two)
    there, back = compare(ours, theirs), compare(theirs, ours)
    assert (there.shared, there.ours, there.theirs) == (back.shared, back.theirs, back.ours)
    assert there.early == back.early or there.ours == there.theirs
    assert 0 <= there.containment <= 1
    assert there.same == back.same


@given(texts, texts)
def test_a_text_is_the_same_as_itself_wherever_it_has_enough_marks(title: str, text: str) -> None:
    of = marks_of(title, text)
    assert len(of) % 4 == 0
    itself = compare(of, of)
    assert itself.same == (len(of) // 4 >= LEAST_SAMPLED)
    found = Memory([("it", of)]).nearest(of)
    assert [near.entry_id for near in found] in ([], ["it"])
    if len(of) // 4 >= 60:  # half of the marks find it, so it could be missed once in 2^60 times
        assert found


@given(texts)
def test_case_signs_and_full_width_forms_make_no_difference(text: str) -> None:
    assert tokens_of(text.lower().replace(".", ";")) == tokens_of(text.lower())
    assert marks_of("", "ЁЛКА И ЕЩЁ ПЯТЬ СЛОВ ЗДЕСЬ") == marks_of("", "елка и еще – пять слов, здесь")
    assert marks_of("", "ＡＢＣ of full width in five words") == marks_of("", "abc of full width in five words")


@settings(max_examples=30)
@given(st.lists(st.integers(0, 59), max_size=80), st.integers(5, 40))
def test_it_does_not_matter_how_entries_came_to_be_remembered(numbers: list[int], capacity: int) -> None:
    entries = [(f"{at}-{number}", marks(ARTICLES[number])) for at, number in enumerate(numbers)]
    by_and_by = Memory(capacity=capacity)
    for entry_id, of in entries:
        by_and_by.add(entry_id, of)
    at_once = Memory(entries[-capacity:], capacity=capacity)
    assert len(at_once) == len(by_and_by) <= capacity
    for number in set(numbers):
        of = marks(ARTICLES[number])
        assert at_once.nearest(of) == by_and_by.nearest(of)
        kept = [entry_id for entry_id, of in entries[-capacity:] if entry_id.endswith(f"-{number}")]
        assert [near.entry_id for near in by_and_by.nearest(of)] == kept[-8:] or len(kept) > 8


def test_thousands_come_and_go_and_answers_stay_the_same() -> None:
    entries = [(str(number), marks(article)) for number, article in enumerate(DESK.articles(3000, 300))]
    by_and_by = Memory(entries[:100], capacity=1500)
    for entry_id, of in entries[100:]:
        by_and_by.add(entry_id, of)
    at_once = Memory(entries[1500:], capacity=1500)
    answers = [[near.entry_id for near in by_and_by.nearest(of)] for _, of in entries]
    assert answers == [[near.entry_id for near in at_once.nearest(of)] for _, of in entries]
    assert sum(map(bool, answers[:1500])) == 0
    assert all(entry_id in answer for (entry_id, _), answer in zip(entries[1500:], answers[1500:], strict=True))


def test_of_equals_the_one_that_came_first_is_named_first() -> None:
    of = marks(ARTICLES[0])
    memory = Memory([("first", of), ("second", of)])
    assert [near.entry_id for near in memory.nearest(of)] == ["first", "second"]


def test_boilerplate_of_thousands_hides_no_copy_and_joins_nothing() -> None:
    boilerplate = DESK.article("en", 500)
    pages = [DESK.article("en", 600) for _ in range(600)]
    with_it = [page.with_sentences(*page.sentences, *boilerplate.sentences) for page in pages]
    memory = Memory((str(number), marks(page)) for number, page in enumerate(with_it))
    for number in (0, 300, 599):
        assert [near.entry_id for near in memory.nearest(marks(DESK.other_lead(with_it[number])))][:1] == [str(number)]


@pytest.mark.parametrize("headline", ["Port reopens", "Prices of grain rise for the third week in a row"])
def test_a_teaser_that_everybody_uses_joins_nothing(headline: str) -> None:
    teaser = "Read the whole story on our website today."
    memory = Memory([("it", marks_of("A museum of trams opens its doors", teaser))])
    assert memory.nearest(marks_of(headline, teaser)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_roundup_makes_no_story_of_what_it_tells(language: str) -> None:
    news = [DESK.article(language, 600) for _ in range(8)]
    items = [article.with_sentences(*article.sentences[:3]) for article in news]
    roundup = DESK.article(language, 10).with_sentences(*(line for item in items for line in item.sentences))
    memory = Memory([("roundup", marks(roundup))])
    assert sum(bool(memory.nearest(marks(item))) for item in items) <= 2


def test_the_same_headline_alone_is_the_same_news() -> None:
    of = marks_of("Two ferries collide off the coast of Madeira, dozens hurt", "")
    assert [near.entry_id for near in Memory([("it", of)]).nearest(of)] == ["it"]
    assert Memory([("it", of)]).nearest(marks_of("Two ferries collide off the coast of Sweden, four hurt", "")) == []


@pytest.mark.parametrize("text", ["", "word", "a b c", "中国", "\ud800 lone", "a" * 100_000, "ﷺ" * 6000, "。" * 9000])
def test_short_and_hostile_texts_are_like_nothing(text: str) -> None:
    of = marks_of("", text)
    assert Memory([("it", of)]).nearest(of) == []


def test_marks_are_few_however_long_the_text() -> None:
    assert all(len(marks(DESK.article(language, 30_000))) <= 4 * 400 for language in LANGUAGES)


# --- as wires copy


@pytest.mark.parametrize(
    ("made_by", "least"),
    [
        (Desk.other_headline, 0.99),
        (Desk.other_lead, 0.99),
        (Desk.agency_prefix, 0.99),
        (Desk.truncated, 0.95),
        (Desk.summary, 0.95),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_copies_are_found(
    memory: Memory, made_by: Callable[[Desk, Article], Article], least: float, language: str
) -> None:
    tried = [(str(at), article) for at, article in enumerate(ARTICLES) if article.language == language]
    found = [[near.entry_id for near in memory.nearest(marks(made_by(DESK, article)))][:1] for _, article in tried]
    right = sum(answer == [entry_id] for (entry_id, _), answer in zip(tried, found, strict=True))
    assert right >= least * len(tried)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_full_text_is_found_by_its_summary_that_came_first(language: str) -> None:
    tried = [article for article in ARTICLES if article.language == language]
    memory = Memory((str(at), marks(DESK.summary(article))) for at, article in enumerate(tried))
    right = sum(any(near.entry_id == str(at) for near in memory.nearest(marks(of))) for at, of in enumerate(tried))
    assert right >= 0.95 * len(tried)


@pytest.mark.parametrize("language", LANGUAGES)
def test_thirty_percent_of_shared_background_joins_nothing(memory: Memory, language: str) -> None:
    tried = [article for article in ARTICLES if article.language == language]
    joined = sum(bool(memory.nearest(marks(DESK.shared_background(article)))) for article in tried)
    assert joined <= 0.01 * len(tried)
