"""Edited files against the ones in force."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.core import views
from monitor.core.adoption import (
    MAX_FAULTS,
    adopt_configuration,
    adopt_rules,
    receiver_changes,
    refuse_configuration,
    revision_of,
)
from monitor.core.views import BookRow
from monitor.errors import Fault
from tests.fakes import START

A, B = {"themes/a.yaml": "theme: a\n"}, {"themes/a.yaml": "theme: a\ntitle: A\n", "themes/b.yaml": "theme: b\n"}
FAULT = Fault("rules/themes/a.yaml", 3, 7, "unknown concept 'rusia'; did you mean 'russia'?")


def fold(view: views.View[BookRow], *events: ev.Event | None) -> BookRow | None:
    row: BookRow | None = None
    for position, event in enumerate((event for event in events if event), 1):
        recorded = ev.Recorded(
            position=position, stream="rulebook", version=position, type=type(event).__name__, schema=1, event_id="",
            recorded_at=START, causation=None, actor="monitor", event=event, hash="",
        )  # fmt: skip
        row = view.fold(row, recorded, views.CURRENT)
    return row


def test_the_first_book_is_adopted_whole() -> None:
    event = adopt_rules(None, A, [])
    assert event == ev.RuleBookAdopted(revision=revision_of(A), changed=A, removed=())


def test_only_what_changed_is_recorded_and_folds_to_the_whole() -> None:
    row = fold(views.RULE_BOOK, adopt_rules(None, A, []))
    event = adopt_rules(row, B, [])
    assert isinstance(event, ev.RuleBookAdopted)
    assert event.changed == B
    back = adopt_rules(fold(views.RULE_BOOK, adopt_rules(None, A, []), event), A, [])
    assert isinstance(back, ev.RuleBookAdopted)
    assert (back.changed, back.removed) == (A, ("themes/b.yaml",))
    row = fold(views.RULE_BOOK, adopt_rules(None, A, []), event, back)
    assert row is not None
    assert (row.files, row.revision) == (A, revision_of(A))


def test_unchanged_files_say_nothing() -> None:
    assert adopt_rules(fold(views.RULE_BOOK, adopt_rules(None, A, [])), A, []) is None


def test_a_faulty_book_is_refused_once_and_the_old_one_stays() -> None:
    good = adopt_rules(None, A, [])
    refused = adopt_rules(fold(views.RULE_BOOK, good), B, [FAULT])
    assert refused == ev.RuleBookRefused(revision=revision_of(B), faults=(str(FAULT),))
    row = fold(views.RULE_BOOK, good, refused)
    assert row is not None
    assert (row.files, row.faults) == (A, (str(FAULT),))
    assert adopt_rules(row, B, [FAULT]) is None


def test_undoing_the_fault_is_recorded_although_the_book_is_the_one_in_force() -> None:
    good = adopt_rules(None, A, [])
    refused = adopt_rules(fold(views.RULE_BOOK, good), B, [FAULT])
    mended = adopt_rules(fold(views.RULE_BOOK, good, refused), A, [])
    assert mended == ev.RuleBookAdopted(revision=revision_of(A), changed={}, removed=())
    row = fold(views.RULE_BOOK, good, refused, mended)
    assert row is not None
    assert (row.refused, row.faults, row.files) == (None, (), A)


def test_a_flood_of_faults_is_cut_and_counted() -> None:
    refused = adopt_rules(None, B, [FAULT] * (MAX_FAULTS + 5))
    assert isinstance(refused, ev.RuleBookRefused)
    assert len(refused.faults) == MAX_FAULTS + 1
    assert refused.faults[-1] == "+5 more"


def test_a_faulty_file_does_not_readopt_what_is_in_force() -> None:
    good = adopt_configuration(None, A, {"time_zone": "UTC"}, {"monitor": "1"}, faulty=False)
    refused = refuse_configuration(fold(views.CONFIGURATION, good), B, [FAULT])
    row = fold(views.CONFIGURATION, good, refused)
    assert adopt_configuration(row, A, {"time_zone": "UTC"}, {"monitor": "1"}, faulty=True) is None
    assert refuse_configuration(row, B, [FAULT]) is None


def test_another_version_or_setting_is_another_configuration() -> None:
    row = fold(views.CONFIGURATION, adopt_configuration(None, A, {"time_zone": "UTC"}, {"monitor": "1"}, faulty=False))
    event = adopt_configuration(row, A, {"time_zone": "UTC"}, {"monitor": "2"}, faulty=False)
    assert event is not None
    assert (event.changed, event.versions) == ({}, {"monitor": "2"})


def test_receivers_that_came_and_went() -> None:
    assert receiver_changes(["desk", "file"], ["duty", "file"]) == (
        ev.ReceiverAdded(receiver="duty"),
        ev.ReceiverRemoved(receiver="desk"),
    )


texts = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3)


@given(texts, texts)
def test_revisions_are_equal_where_texts_are_and_only_there(one: dict[str, str], other: dict[str, str]) -> None:
    assert (revision_of(one) == revision_of(other)) == (one == other)


@given(texts, texts)
def test_a_revision_knows_which_part_a_text_stands_in(one: dict[str, str], other: dict[str, str]) -> None:
    assert (revision_of(one, other) == revision_of(other, one)) == (one == other)


@given(st.lists(texts, min_size=1, max_size=5))
def test_folding_all_adoptions_gives_the_last_book(books: list[dict[str, str]]) -> None:
    events: list[ev.Event | None] = []
    for book in books:
        events.append(adopt_rules(fold(views.RULE_BOOK, *events), book, []))
    row = fold(views.RULE_BOOK, *events)
    assert row is not None
    assert row.files == books[-1]
