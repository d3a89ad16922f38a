"""The promises of `ports.EventStore`, kept by memory, SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from random import Random
from threading import Barrier, Thread
from typing import Any

import msgspec
import pytest

from monitor.core import codec, views
from monitor.core import events as ev
from monitor.errors import IdempotencyConflict, NotFound, StoreError, WrongVersion
from monitor.ports import Appended, Commit, PollState
from monitor.store.chain import GENESIS, dedupe_key, relink
from monitor.store.verify import verify
from tests.builders import observed, parsed_entry
from tests.contracts.children import append_many, child, counting, entry, source_added
from tests.contracts.conftest import AnyStore, Place
from tests.fakes import START, ManualClock


def append(store: AnyStore, *events: ev.NewEvent, **commit: Any) -> tuple[Appended, ...]:
    return store.append(Commit(events=events, **commit))


def places(appended: tuple[Appended, ...]) -> list[tuple[int, bool]]:
    return [(one.position, one.duplicate) for one in appended]


def poll(name: str, **fields: Any) -> PollState:
    return PollState(**{"source_id": name, "location": f"https://{name}.example.org", "next_due": START, **fields})


def everything(store: AnyStore) -> Any:
    """All that a store can be asked, to compare before and after."""
    with store.snapshot() as now:
        kept = {view.name: list(now.kept(view)) for view in store.views}
        return now.head, list(now.stored()), now.checkpoints(), kept, store.polls()


# --- the log


def test_an_empty_store_has_nothing(store: AnyStore) -> None:
    assert (store.head().position, store.head().hash, store.head().epoch) == (0, GENESIS.hex(), 1)
    assert list(store.read()) == []
    assert store.version("source/port-news") == 0
    assert store.checkpoint("detect") == 0
    assert store.get(views.SOURCES, "port-news") is None
    assert list(store.rows(views.ENTRIES)) == []
    assert store.count(views.ENTRIES) == 0
    assert store.polls() == [] and store.poll("port-news") is None and store.next_due() is None
    assert verify(store).ok


def test_positions_are_gapless_and_versions_count_within_a_stream(store: AnyStore) -> None:
    assert places(append(store, source_added(), entry(1))) == [(1, False), (2, False)]
    failed = ev.NewEvent(stream="source/port-news", event=ev.SourceFailed(source_id="port-news", reason="HTTP 503"))
    assert places(append(store, failed, entry(2))) == [(3, False), (4, False)]
    assert [(event.position, event.version) for event in store.read(stream="source/port-news")] == [(1, 1), (3, 2)]
    assert store.version("source/port-news") == 2
    assert store.head().position == 4


def test_an_event_comes_back_as_it_went_in(store: AnyStore, clock: ManualClock) -> None:
    clock.advance(microseconds=123_457)
    new = entry("注意 \u0000 📰")
    append(store, msgspec.structs.replace(new, causation=7, actor="anna", event_id="given-1"))
    found = store.at(1)
    assert found.event == new.event
    assert (found.stream, found.version, found.type, found.schema) == (new.stream, 1, "EntryObserved", 1)
    assert (found.event_id, found.causation, found.actor) == ("given-1", 7, "anna")
    assert found.recorded_at == START + timedelta(microseconds=123_457)
    assert list(store.read()) == [found]


def test_ids_are_drawn_where_none_is_given(store: AnyStore) -> None:
    append(store, entry(1), entry(2))
    first, second = (event.event_id for event in store.read())
    assert first != second and len(first) == 36 and first[14] == "8"
    assert store.at(1).event_id == first


def test_an_instant_in_another_zone_is_stored_and_folded_alike(store: AnyStore) -> None:
    far = START.astimezone(__import__("zoneinfo").ZoneInfo("Asia/Shanghai"))
    event = observed(parsed_entry(published=far))
    append(store, source_added(), ev.NewEvent(stream=f"entry/{event.entry_id}", event=event))
    row = store.get(views.ENTRIES, event.entry_id)
    assert row is not None and row.published == START
    assert verify(store).ok


def test_reading_takes_a_range_a_stream_types_and_a_limit(store: AnyStore) -> None:
    append(store, source_added("a"), entry(1), source_added("b"), entry(2), entry(3))
    assert [event.position for event in store.read(2)] == [3, 4, 5]
    assert [event.position for event in store.read(1, upto=3)] == [2, 3]
    assert [event.position for event in store.read(types=["SourceAdded"])] == [1, 3]
    assert [event.position for event in store.read(1, types=["EntryObserved"], limit=2)] == [2, 4]
    assert [event.position for event in store.read(types=[])] == []
    assert [event.position for event in store.read(stream="source/b", after=3)] == []
    assert [event.position for event in store.read(stream="source/b", after=2, types=["SourceAdded"])] == [3]
    assert [event.position for event in store.read(limit=0)] == []
    assert [event.position for event in store.read(99)] == []


def test_reading_goes_over_many_pages(store: AnyStore) -> None:
    append(store, source_added(), *(ev.NewEvent(stream="system", event=ev.OutboxReleased()) for _ in range(2500)))
    assert [event.position for event in store.read()] == list(range(1, 2502))
    assert [event.version for event in store.read(stream="system")] == list(range(1, 2501))
    assert [event.position for event in store.read(1000, upto=2100, limit=1050)] == list(range(1001, 2051))


def test_reading_ends_where_the_log_ended_when_it_began(store: AnyStore) -> None:
    append(store, entry(1), entry(2))
    read = []
    for event in store.read():
        read.append(event.position)
        append(store, entry(f"later-{event.position}"))
    assert read == [1, 2]


def test_there_is_nothing_at_an_unknown_position(store: AnyStore) -> None:
    append(store, entry(1))
    for position in (0, 2, -1):
        with pytest.raises(NotFound, match="the log ends at 1"):
            store.at(position)


def test_a_clock_that_steps_back_changes_no_order(store: AnyStore, clock: ManualClock) -> None:
    append(store, entry(1))
    clock.advance(hours=-1)
    append(store, entry(2))
    assert [event.recorded_at for event in store.read()] == [START, START - timedelta(hours=1)]
    assert verify(store).ok


# --- idempotence


def test_the_same_dedupe_key_returns_the_old_position_whatever_the_body_says(store: AnyStore) -> None:
    new = entry(1)
    append(store, source_added(), new)
    before = everything(store)
    other = ev.NewEvent(stream="elsewhere", event=ev.OutboxReleased(), dedupe=new.dedupe)
    assert places(append(store, new)) == [(2, True)]
    assert places(append(store, other)) == [(2, True)]
    assert everything(store) == before


def test_a_dedupe_key_holds_within_one_commit(store: AnyStore) -> None:
    assert places(append(store, entry(1), entry(2), entry(1))) == [(1, False), (2, False), (1, True)]
    assert store.head().position == 2


def test_what_is_new_beside_a_duplicate_is_written(store: AnyStore) -> None:
    append(store, entry(1))
    assert places(append(store, entry(2), entry(1), entry(3))) == [(2, False), (1, True), (3, False)]


def test_a_commit_of_many_events_is_written_as_one_of_few(store: AnyStore) -> None:
    plain = [msgspec.structs.replace(entry(n), dedupe=None) for n in range(25)]
    mixed = [
        msgspec.structs.replace(
            entry(n), dedupe=f"key-{n}" if n % 3 else None, event_id=f"act-{n}" if n % 5 else None,
            causation=n if n % 7 else None, actor=f"writer-{n}",
        )
        for n in range(25, 90)
    ]  # fmt: skip
    assert places(append(store, *plain, *mixed)) == [(n + 1, False) for n in range(90)]
    with store.snapshot() as now:
        stored = list(now.stored())
    given = [(e.stream, e.event_id, e.dedupe and dedupe_key(e.dedupe), e.causation, e.actor) for e in (*plain, *mixed)]
    assert [(row.stream, row.event_id, row.dedupe, row.causation, row.actor) for row in stored] == given
    assert [row.body for row in stored] == [codec.encode(new.event) for new in (*plain, *mixed)]
    assert [event.event for event in store.read()] == [new.event for new in (*plain, *mixed)]
    assert verify(store).ok


def test_what_is_new_beside_many_duplicates_is_written(store: AnyStore) -> None:
    append(store, *[entry(n) for n in range(0, 100, 2)])
    answered = places(append(store, *[entry(n) for n in range(100)]))
    assert answered == [(51 + n // 2, False) if n % 2 else (1 + n // 2, True) for n in range(100)]
    assert store.head().position == 100
    assert verify(store).ok


def test_the_same_event_id_returns_the_old_position(store: AnyStore) -> None:
    released = ev.NewEvent(stream="system", event=ev.OutboxReleased(), event_id="act-1")
    assert places(append(store, released, released)) == [(1, False), (1, True)]
    assert places(append(store, released)) == [(1, True)]


@pytest.mark.parametrize(
    "other",
    [
        ev.NewEvent(stream="elsewhere", event=ev.OutboxReleased(), event_id="act-1"),
        ev.NewEvent(stream="system", event=ev.OutboxHeld(reason="x"), event_id="act-1"),
    ],
    ids=["stream", "type"],
)
def test_an_event_id_used_for_another_stream_or_type_is_a_conflict(store: AnyStore, other: ev.NewEvent) -> None:
    append(store, ev.NewEvent(stream="system", event=ev.OutboxReleased(), event_id="act-1"))
    before = everything(store)
    with pytest.raises(IdempotencyConflict, match="'act-1' was used at position 1"):
        append(store, entry(1), other, checkpoint=("detect", 0, 5))
    assert everything(store) == before
    with pytest.raises(IdempotencyConflict):
        append(
            store, msgspec.structs.replace(other, event_id="act-2"), msgspec.structs.replace(entry(2), event_id="act-2")
        )
    assert everything(store) == before


# --- what a writer may expect


def test_an_expected_version_that_is_wrong_refuses_the_whole_commit(store: AnyStore) -> None:
    append(store, source_added())
    before = everything(store)
    refused = Commit(
        events=(entry(1),), expected={"source/port-news": 2}, checkpoint=("detect", 0, 1), polls=(poll("a"),)
    )
    with pytest.raises(
        WrongVersion, match="'source/port-news' is at version 1, expected 2; nothing was appended"
    ) as error:
        store.append(refused)
    assert (error.value.stream, error.value.expected, error.value.actual) == ("source/port-news", 2, 1)
    assert everything(store) == before
    store.append(msgspec.structs.replace(refused, expected={"source/port-news": 1}))
    assert store.head().position == 2


def test_expecting_zero_means_a_stream_that_is_not_there(store: AnyStore) -> None:
    append(store, source_added(), expected={"source/port-news": 0})
    with pytest.raises(WrongVersion):
        append(store, source_added(), expected={"source/port-news": 0})


def test_a_retry_is_not_asked_for_its_version(store: AnyStore) -> None:
    commit = Commit(events=(entry(1), entry(2)), expected={entry(1).stream: 0}, checkpoint=("ingest", 0, 2))
    first = store.append(commit)
    again = store.append(commit)
    assert [one.position for one in again] == [one.position for one in first]
    assert all(one.duplicate for one in again)


def test_a_retry_still_writes_its_polls(store: AnyStore) -> None:
    append(store, entry(1))
    append(store, entry(1), polls=(poll("port-news", etag='"2"'),))
    found = store.poll("port-news")
    assert found is not None and found.etag == '"2"'


def test_a_checkpoint_moves_with_the_events(store: AnyStore) -> None:
    append(store, entry(1), checkpoint=("detect", 0, 7))
    assert (store.checkpoint("detect"), store.checkpoint("notify")) == (7, 0)
    append(store, checkpoint=("detect", 7, 9))
    assert store.checkpoint("detect") == 9


def test_a_checkpoint_that_moved_on_refuses_who_comes_late(store: AnyStore) -> None:
    append(store, entry(1), checkpoint=("detect", 0, 7))
    before = everything(store)
    with pytest.raises(WrongVersion, match="subscription/detect"):
        append(store, entry(2), checkpoint=("detect", 0, 7))
    with pytest.raises(WrongVersion):
        append(store, entry(1), checkpoint=("detect", 3, 9))
    assert everything(store) == before


def test_a_retry_after_the_checkpoint_moved_is_fine(store: AnyStore) -> None:
    append(store, entry(1), checkpoint=("detect", 0, 7))
    assert places(append(store, entry(1), checkpoint=("detect", 0, 7))) == [(1, True)]
    append(store, checkpoint=("detect", 0, 7))
    assert store.checkpoint("detect") == 7


@pytest.mark.parametrize(
    "bad",
    [
        ev.NewEvent(stream="system", event=ev.OutboxHeld(reason="\ud800")),
        ev.NewEvent(stream="system", event=ev.OutboxHeld(reason=5)),  # type: ignore[arg-type]
        ev.NewEvent(stream="nul\0", event=ev.OutboxReleased()),
        ev.NewEvent(stream="half\ud800", event=ev.OutboxReleased()),
        ev.NewEvent(stream="", event=ev.OutboxReleased()),
        ev.NewEvent(stream="system", event=ev.OutboxReleased(), actor="\0"),
        ev.NewEvent(stream="system", event=ev.OutboxReleased(), event_id="\0"),
    ],
    ids=["surrogate", "wrong type", "NUL", "surrogate stream", "no stream", "actor", "event id"],
)
def test_what_could_never_be_read_back_is_refused(store: AnyStore, bad: ev.NewEvent) -> None:
    with pytest.raises(StoreError):
        append(store, entry(1), bad)
    assert store.head().position == 0
    assert places(append(store, entry(1))) == [(1, False)]


def test_a_view_that_cannot_fold_refuses_the_commit_and_only_that(place: Place) -> None:
    def choke(event: ev.Recorded) -> None:
        if event.actor == "choke":
            raise ValueError("no")

    store = place.open(views=[counting(at=choke)])
    with pytest.raises(StoreError, match="view 'tally' cannot fold EntryObserved at position 1"):
        append(store, msgspec.structs.replace(entry(1), actor="choke"))
    assert places(append(store, entry(2))) == [(1, False)]
    assert verify(store, views=store.views).ok


def test_nothing_is_appended_to_a_closed_store(sql_place: Place) -> None:
    store = sql_place.open()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        append(store, entry(1))


# --- views


def test_rows_come_by_position_then_key_and_can_be_cut(store: AnyStore) -> None:
    append(store, source_added("a"), source_added("b"), *(entry(n, source="ab"[n % 2]) for n in range(6)))

    def positions(**asked: Any) -> list[int]:
        return [row.position for row in store.rows(views.ENTRIES, **asked)]

    assert positions() == [3, 4, 5, 6, 7, 8]
    assert positions(descending=True, limit=2) == [8, 7]
    assert positions(facet="a") == [3, 5, 7]
    assert positions(facet="b", descending=True) == [8, 6, 4]
    assert positions(facet="b", after=4, upto=6) == [6]
    assert positions(after=4, upto=6) == [5, 6]
    assert positions(limit=0) == [] and positions(facet="") == [] and positions(facet="c") == []
    assert (
        store.count(views.ENTRIES),
        store.count(views.ENTRIES, facet="a"),
        store.count(views.ENTRIES, facet=""),
    ) == (6, 3, 0)
    found = store.get(views.SOURCES, "a")
    assert found is not None and found.entries == 3


def test_rows_of_one_position_come_by_key_in_the_order_of_bytes(store: AnyStore) -> None:
    names = ["b", "B", "a", "ä", "Z", "中", "a-1", "a1"]
    planned = tuple(ev.PlannedDelivery(delivery_id=name, channel="outbox", recipient=name) for name in names)
    digest = ev.DigestComposed(
        digest_id="d", window_id="w", receiver="desk", upto=0, composed_at=START, content="{}",
        content_hash="", deliveries=planned,
    )  # fmt: skip
    append(store, ev.NewEvent(stream="receiver/desk", event=digest))
    assert [row.delivery_id for row in store.rows(views.DELIVERIES)] == sorted(names)
    assert [row.delivery_id for row in store.rows(views.DELIVERIES, descending=True)] == sorted(names, reverse=True)


def test_rows_go_over_many_pages(store: AnyStore) -> None:
    append(store, source_added(), *(entry(n) for n in range(2300)))
    assert [row.position for row in store.rows(views.ENTRIES)] == list(range(2, 2302))
    assert [row.position for row in store.rows(views.ENTRIES, facet="port-news", descending=True, limit=1500)] == list(
        range(2301, 801, -1)
    )


def test_a_row_moves_between_facets_and_goes(store: AnyStore) -> None:
    planned = ev.PlannedDelivery(delivery_id="del-1", channel="outbox", recipient="desk")
    digest = ev.DigestComposed(
        digest_id="d", window_id="w", receiver="desk", upto=0, composed_at=START, content="{}",
        content_hash="", deliveries=(planned,),
    )  # fmt: skip
    append(
        store, ev.NewEvent(stream="receiver/desk", event=ev.ReceiverAdded(receiver="desk")),
        ev.NewEvent(stream="receiver/desk", event=digest),
    )  # fmt: skip
    assert [row.state for row in store.rows(views.DELIVERIES, facet="pending")] == ["pending"]
    done = ev.DigestDelivered(delivery_id="del-1", digest_id="d", attempt=1, response="250 ok")
    append(
        store, ev.NewEvent(stream="delivery/del-1", event=done),
        ev.NewEvent(stream="receiver/desk", event=ev.ReceiverRemoved(receiver="desk")),
    )  # fmt: skip
    assert list(store.rows(views.DELIVERIES, facet="pending")) == []
    assert [row.state for row in store.rows(views.DELIVERIES, facet="delivered")] == ["delivered"]
    assert store.get(views.RECEIVERS, "desk") is None and store.count(views.RECEIVERS) == 0
    assert verify(store).ok


def test_rebuilding_leaves_every_row_byte_for_byte(store: AnyStore) -> None:
    history(store, Random(3), commits=40)
    before = everything(store)
    store.rebuild()
    assert everything(store)[1:] == before[1:]
    store.rebuild(["entries"])
    assert everything(store)[1:] == before[1:]
    with pytest.raises(NotFound, match="'entry': there is none; views are"):
        store.rebuild(["entry"])


def history(store: AnyStore, draw: Random, commits: int) -> None:
    """A plausible past: entries, revisions, sources that fail and recover, alerts, duplicates and refusals."""
    for number in range(commits):
        source = f"source-{draw.randint(1, 3)}"
        new = entry(draw.randint(1, commits), source=source)
        events = [source_added(source), new] if store.version(f"source/{source}") == 0 else [new]
        if draw.random() < 0.3:
            failed = ev.SourceFailed(source_id=source, reason=f"HTTP {draw.randint(500, 504)}")
            events.append(ev.NewEvent(stream=f"source/{source}", event=failed))
        if draw.random() < 0.3:
            started = ev.StoryStarted(
                story_id=f"story-{number}", entry_id=new.event.entry_id, source_id=source, title="Notice", seen=START
            )  # fmt: skip
            events.append(ev.NewEvent(stream=f"story/story-{number}", event=started))
        at = store.checkpoint("detect")
        append(store, *events, checkpoint=("detect", at, at + len(events)), polls=(poll(source),))


def test_the_same_history_gives_the_same_bytes_in_every_store(place: Place) -> None:
    store = place.open()
    history(store, Random(11), commits=60)
    digest = sha256()
    with store.snapshot() as now:
        for view in store.views:
            for key, kept in now.kept(view):
                digest.update(f"{view.name} {key} {kept.sort} {kept.facet}\n".encode() + kept.body)
    reference = Place("memory", "").open()
    history(reference, Random(11), commits=60)
    expected = sha256()
    with reference.snapshot() as now:
        for view in reference.views:
            for key, kept in now.kept(view):
                expected.update(f"{view.name} {key} {kept.sort} {kept.facet}\n".encode() + kept.body)
    assert digest.hexdigest() == expected.hexdigest()
    assert verify(store).ok


# --- polls


def test_due_polls_come_longest_overdue_first(store: AnyStore) -> None:
    store.append(
        Commit(
            polls=(
                poll("late", next_due=START - timedelta(hours=1)), poll("now"), poll("also"),
                poll("soon", next_due=START + timedelta(microseconds=1)), poll("never", next_due=None),
            )
        )
    )  # fmt: skip
    assert [found.source_id for found in store.due(START, 10)] == ["late", "also", "now"]
    assert [found.source_id for found in store.due(START, 2)] == ["late", "also"]
    assert store.next_due() == START - timedelta(hours=1)
    assert [found.source_id for found in store.polls()] == ["also", "late", "never", "now", "soon"]


def test_a_poll_state_is_kept_to_the_letter_replaced_and_forgotten(store: AnyStore) -> None:
    whole = poll(
        "port-news", etag='W/"a\u00e4"', last_modified="Mon, 2 Mar 2026 09:00:00 GMT", body_hash="00", polled=3,
        not_before=START, failures=2, last_ok=START, last_error="HTTP 503", moved_to="https://x.example", moved_times=1,
    )  # fmt: skip
    store.append(Commit(polls=(whole,)))
    assert store.poll("port-news") == whole
    store.append(Commit(polls=(poll("port-news", next_due=None),)))
    assert store.poll("port-news") == poll("port-news", next_due=None)
    assert store.head().position == 0
    store.append(Commit(forget_polls=("port-news", "unheard-of")))
    assert store.polls() == []


# --- the chain


def test_each_hash_binds_the_event_to_all_before_it(store: AnyStore) -> None:
    append(store, source_added(), entry(1), msgspec.structs.replace(entry(2), causation=1, actor="anna", event_id="x"))
    previous = GENESIS
    for row in store.stored():
        assert row.salt is not None and row.body is not None and len(row.salt) == 16
        assert row.body == codec.encode(store.at(row.position).event)  # type: ignore[arg-type]
        texts = [
            row.stream.encode(),
            row.type.encode(),
            (row.event_id or "").encode(),
            row.dedupe or b"",
            row.actor.encode(),
        ]
        header = b"".join(
            (
                row.position.to_bytes(8, "big"), row.version.to_bytes(8, "big"), row.schema_version.to_bytes(4, "big"),
                row.recorded_at.to_bytes(8, "big", signed=True), (row.causation or -1).to_bytes(8, "big", signed=True),
                *(len(text).to_bytes(4, "big") for text in texts), *texts,
            )
        )  # fmt: skip
        expected = sha256(previous + header + sha256(row.salt + row.body).digest()).digest()
        assert row.hash == expected == relink(previous, row)
        previous = row.hash
    assert store.head().hash == previous.hex()


def test_equal_events_have_unequal_commitments(store: AnyStore) -> None:
    released = ev.NewEvent(stream="system", event=ev.OutboxReleased())
    append(store, released, released)
    first, second = store.stored()
    assert first.body == second.body and first.salt != second.salt


def test_an_erased_body_is_gone_from_log_and_views_and_the_chain_verifies(store: AnyStore) -> None:
    secret = entry(1, text="a name that must go")
    append(store, source_added(), secret, entry(2))
    head = store.head().hash
    assert store.erase([2, 2], "asked for by its author", actor="anna") == (2,)
    erased = store.at(2)
    assert erased.event is None and erased.type == "EntryObserved" and erased.stream == secret.stream
    last = store.at(4)
    assert last.event == ev.PayloadErased(position=2, reason="asked for by its author") and last.actor == "anna"
    assert store.get(views.ENTRIES, secret.event.entry_id) is None
    found = store.get(views.SOURCES, "port-news")
    assert found is not None and found.entries == 1
    assert verify(store, head=head).ok
    store.rebuild()
    assert verify(store).ok
    assert store.erase([2], "again") == ()
    assert places(append(store, secret)) == [(2, True)]  # a refetch does not bring it back
    with pytest.raises(StoreError, match="position 4: a PayloadErased"):
        store.erase([1, 4], "no")
    with pytest.raises(NotFound):
        store.erase([99], "no")
    assert store.at(1).event is not None


def test_verify_looks_for_a_head_seen_earlier(store: AnyStore) -> None:
    append(store, entry(1))
    earlier = store.head().hash
    append(store, entry(2), entry(3))
    assert verify(store, head=earlier).ok and verify(store, head=GENESIS.hex()).ok
    found = verify(store, head="ab" * 32)
    assert not found.ok and found.position == 4 and "seen earlier" in (found.reason or "")


# --- races


@pytest.mark.parametrize("writers", [2, 8])
def test_racing_writers_skip_no_position_and_a_reader_sees_them_in_order(place: Place, writers: int) -> None:
    store = place.open()
    each = 25
    start = Barrier(writers + 1)
    answered: dict[int, list[int]] = {}

    def write(name: int) -> None:
        start.wait()
        answered[name] = [
            one.position for at in range(each) for one in append(store, entry(f"{name}-{at}"), entry(f"{name}-{at}b"))
        ]

    threads = [Thread(target=write, args=(name,)) for name in range(writers)]
    for thread in threads:
        thread.start()
    start.wait()
    seen: list[int] = []
    total = writers * each * 2
    while len(seen) < total:
        seen += [event.position for event in store.read(seen[-1] if seen else 0)]
    for thread in threads:
        thread.join()
    assert seen == list(range(1, total + 1))
    assert sorted(position for mine in answered.values() for position in mine) == seen
    assert all(mine == sorted(mine) for mine in answered.values())
    assert verify(store).ok


def test_racing_processes_skip_no_position_on_postgres(postgres_url: str) -> None:
    place = Place("postgres", postgres_url)
    store = place.open()
    with (
        child(append_many, postgres_url, "a", 40) as (_, a), child(append_many, postgres_url, "b", 40) as (_, b),
        child(append_many, postgres_url, "c", 40) as (_, c),
    ):  # fmt: skip
        seen: list[int] = []
        own: list[int] = []
        while len(seen) < 361:
            seen += [event.position for event in store.read(seen[-1] if seen else 0)]
            if len(seen) > 100 and not own:
                own += [one.position for one in append(store, source_added())]
        answered = [pipe.recv() for pipe in (a, b, c)]
    assert seen == list(range(1, 362))
    assert sorted([*own, *(position for mine in answered for position in mine)]) == seen
    assert verify(store).ok
    place.close()


def test_of_racing_subscribers_one_moves_the_checkpoint(place: Place) -> None:
    store = place.open()
    won: list[int] = []
    lost: list[WrongVersion] = []
    start = Barrier(6)

    def advance(name: int) -> None:
        start.wait()
        try:
            append(store, entry(name), checkpoint=("detect", 0, 10 + name))
            won.append(name)
        except WrongVersion as error:
            lost.append(error)

    threads = [Thread(target=advance, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and len(lost) == 5
    assert store.checkpoint("detect") == 10 + won[0] and store.head().position == 1


def test_a_retry_racing_its_first_try_is_written_once(place: Place) -> None:
    store = place.open()
    answers: list[tuple[Appended, ...]] = []
    start = Barrier(4)

    def write() -> None:
        start.wait()
        answers.append(append(store, entry(1), entry(2)))

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[one.position for one in answer] for answer in answers] == [[1, 2]] * 4
    assert sum(not one.duplicate for answer in answers for one in answer) == 2
    assert store.head().position == 2


def test_rebuilding_goes_on_under_appends(place: Place) -> None:
    store = place.open()
    for start in range(0, 3000, 500):
        append(store, *(entry(n) for n in range(start, start + 500)))
    done: list[str] = []

    def rebuild() -> None:
        store.rebuild()
        done.append("rebuilt")

    thread = Thread(target=rebuild)
    thread.start()
    number = 0
    while not done:
        append(store, entry(f"meanwhile-{number}"))
        number += 1
    thread.join()
    append(store, entry("after"))
    assert store.count(views.ENTRIES) == 3000 + number + 1
    assert verify(store).ok


def test_refused_commits_do_not_disturb_those_that_share_their_transaction(place: Place) -> None:
    store = place.open()
    append(store, source_added())
    start = Barrier(8)
    refused: list[str] = []

    def run(work: Callable[[], Any]) -> None:
        start.wait()
        for _ in range(10):
            try:
                work()
            except (WrongVersion, IdempotencyConflict) as error:
                refused.append(type(error).__name__)

    counter = iter(range(1000))
    works: list[Callable[[], Any]] = [
        lambda: append(store, entry(f"good-{next(counter)}")),
        lambda: append(store, entry("never"), expected={"source/port-news": 99}),
        lambda: append(store, entry("neither"), checkpoint=("detect", 5, 6)),
        lambda: append(store, entry(f"fine-{next(counter)}")),
    ] * 2
    threads = [Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["WrongVersion"] * 40
    assert store.head().position == 41
    assert verify(store).ok
