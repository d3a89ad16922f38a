"""The small decisions of a receipt: whom it is told, which items show best what changed, over how many days."""

from datetime import timedelta

import pytest

from monitor.core.receipts import (
    DAYS,
    EDITS,
    SHOWN,
    WORDS,
    Tally,
    Verdict,
    changes_of,
    days_on_record,
    hears_by_itself,
    telling,
    told,
    turn_of,
    weights,
)
from monitor.core.routing import DEFAULT_RECEIVERS, ReceiverBook
from monitor.core.schedule import Every
from monitor.matching.book import Theme
from monitor.matching.edits import Edit
from monitor.matching.model import Mode
from tests.fakes import START
from tests.pipeline.desk import outbox


def gained(*terms: str) -> Verdict:
    return Verdict(before=False, after=True, terms=terms)


def test_items_by_which_a_term_is_seen_first_come_first_then_the_latest():
    verdicts = {"old-a": gained("a"), "b": gained("b"), "a": gained("a"), "ab": gained("a", "b"), "none": gained()}
    assert telling(verdicts) == ("ab", "none", "a", "b", "old-a")
    assert telling({"b": gained("b"), **{f"a{n}": gained("a") for n in range(9)}}) == ("a8", "b", "a7", "a6", "a5")
    assert len(telling({f"a{n}": gained("a") for n in range(9)})) == SHOWN


def test_terms_are_ranked_by_the_items_that_rest_on_them():
    ranked = weights([gained("b", "a"), gained("a"), gained("c"), gained("c\nd" * 100)])
    assert [(weight.term, weight.items) for weight in ranked][:3] == [("a", 2), ("b", 1), ("c", 1)]
    assert "\n" not in ranked[3].term
    assert len(ranked[3].term) <= 60


def test_a_tally_counts_an_entry_once_and_forgets_a_text_that_was_revised():
    tally = Tally()
    tally.take("both", Verdict(before=True, after=True))
    tally.take("lost", Verdict(before=True, after=False))
    tally.take("gained", gained("a"))
    tally.take("revised", gained("a"))
    assert (tally.before, tally.after, tally.changed) == (2, 3, 3)
    tally.forget("revised")
    tally.forget("never seen")
    assert (tally.before, tally.after, tally.changed) == (2, 2, 2)
    assert (list(tally.gained), list(tally.lost)) == (["gained"], ["lost"])


@pytest.mark.parametrize(
    ("age", "days"),
    [(timedelta(0), 1), (timedelta(hours=3), 1), (timedelta(days=2, hours=1), 3), (timedelta(days=400), DAYS),
     (timedelta(days=-2), 1)],
)  # fmt: skip
def test_a_rate_is_over_the_days_that_the_log_can_tell_of(age: timedelta, days: int):
    assert days_on_record(START, START + age) == days


def theme(mode: Mode = Mode.LIVE) -> Theme:
    return Theme(id="ports", title="Ports", rules=(), scope={}, mode=mode)


@pytest.mark.parametrize(
    ("was", "now", "turn"),
    [
        (theme(), theme(), "changed"), (None, theme(), "added"), (theme(Mode.SHADOW), theme(), "on"),
        (theme(), None, "removed"), (theme(), theme(Mode.OFF), "off"), (theme(Mode.OFF), theme(Mode.SHADOW), None),
        (None, theme(Mode.SHADOW), None),
    ],
)  # fmt: skip
def test_what_became_of_a_theme(was: Theme | None, now: Theme | None, turn: str | None):
    assert turn_of(was, now) == turn


def test_the_owner_is_told_and_where_there_is_none_the_operator():
    daily = outbox("daily", schedule=Every(timedelta(days=1)))
    book = ReceiverBook(operator=("boss", "daily"), receivers=(outbox("boss"), outbox("owner"), daily), routes=())
    assert told(book, "owner") == ("owner",)
    assert told(book, "somebody") == told(book, None) == ("boss", "daily")
    assert told(DEFAULT_RECEIVERS, "owner") == ("file",)
    assert [name for name in ("boss", "owner", "daily", "nobody") if hears_by_itself(book, name)] == ["boss"]


def test_long_edits_are_cut_and_the_rest_is_counted():
    edits = [Edit(about=f"concept c{n}", added=tuple(f"term\n{m}" for m in range(WORDS + 5))) for n in range(EDITS + 2)]
    found = changes_of(edits)
    assert len(found) == EDITS
    assert (len(found[0].added), found[0].more_added, found[0].removed) == (WORDS, 5, ())
    assert found[0].added[0] == "term 0"
