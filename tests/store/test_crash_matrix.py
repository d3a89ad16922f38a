"""The store's rows of the crash matrix: killed there, after restart this holds."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path
from random import Random

import msgspec
import pytest

from monitor.core import events as ev
from monitor.core import views
from monitor.core.views import ALL
from monitor.errors import StoreError, WrongVersion
from monitor.ports import Commit, PollState
from monitor.store.backup import backup, restore
from monitor.store.verify import verify
from tests.contracts import children
from tests.contracts.children import child, counting, entropy, entry, source_added
from tests.contracts.conftest import Place
from tests.fakes import START, ManualClock
from tests.store.samples import sample

VIEWS = [*ALL, counting()]


def stopping(event: ev.NewEvent) -> ev.NewEvent:
    """The event at which the child's fold stops."""
    return msgspec.structs.replace(event, actor="stop")


def filled(place: Place, *events: ev.NewEvent) -> ev.NewEvent:
    """Put a source and an entry (and more) into the store and close it again; returns the entry."""
    store = place.open(views=VIEWS)
    store.append(Commit(events=(source_added(), entry("first"), *events), checkpoint=("detect", 0, 2)))
    store.close()
    return entry("first")


def test_crash_matrix_04_killed_inside_the_append_transaction_the_whole_batch_is_absent(place: Place) -> None:
    filled(place)
    poll = PollState(source_id="port-news", location="https://feeds.example.org", next_due=START)
    commit = Commit(
        events=(*(entry(n) for n in range(99)), stopping(entry(99))), checkpoint=("detect", 2, 102), polls=(poll,)
    )
    with child(children.append_and_stop, place.url, commit) as (_, pipe):
        assert pipe.recv() == "in the fold"
    store = place.open(views=VIEWS)
    assert (store.head().position, store.checkpoint("detect"), store.polls()) == (2, 2, [])
    assert verify(store, views=VIEWS).ok
    assert [one.duplicate for one in store.append(msgspec.structs.replace(commit, events=(entry(0),)))] == [False]


def test_crash_matrix_05_committed_but_the_caller_never_heard_a_retry_returns_the_old_places(place: Place) -> None:
    filled(place)
    commit = Commit(events=(entry(1), entry(2)), expected={entry(1).stream: 0}, checkpoint=("detect", 2, 4))
    with child(children.append_and_keep_silent, place.url, commit) as (_, pipe):
        assert pipe.recv() == "committed"
    store = place.open(views=ALL)
    assert [(one.position, one.duplicate) for one in store.append(commit)] == [(3, True), (4, True)]
    assert (store.head().position, store.checkpoint("detect")) == (4, 4)


def test_crash_matrix_07_killed_while_the_wal_is_checkpointed_the_file_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "monitor.db"
    place = Place("sqlite", f"sqlite:///{file}")
    draw = Random(7)
    told = 0
    for _ in range(8):
        with child(children.append_large_for_ever, place.url) as (_, pipe):
            for _ in range(draw.randint(1, 20)):
                told = pipe.recv()
            pipe.poll(draw.uniform(0, 0.02))
        store = place.open()
        assert store.head().position >= told
        assert verify(store, chain_only=True).ok
        store.close()
        connection = sqlite3.connect(file)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_crash_matrix_08_disk_full_at_append_acknowledges_nothing_and_later_appends_go_on(tmp_path: Path) -> None:
    place = Place("sqlite", f"sqlite:///{tmp_path / 'monitor.db'}")
    store = place.open()
    store.append(Commit(events=(source_added(),)))
    pages = store.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0], "counting")
    store.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 20}"), "limiting")
    acknowledged, refused = 1, 0
    for number in range(50):
        try:
            acknowledged = store.append(Commit(events=(entry(number, text="x" * 20_000),)))[0].position
        except StoreError as error:
            assert "disk full while appending; nothing was done" in str(error) and "monitor.db" in str(error)
            refused += 1
    assert refused and store.head().position == acknowledged
    assert verify(store).ok
    store.write(lambda c: c.execute("PRAGMA max_page_count = 1000000"), "lifting")
    assert store.append(Commit(events=(entry("later"),)))[0].position == acknowledged + 1
    assert verify(store).ok
    place.close()


def test_crash_matrix_09_killed_while_a_view_folds_it_equals_the_fold_of_the_log(place: Place) -> None:
    filled(place)
    with child(children.append_and_stop, place.url, Commit(events=(entry(1), stopping(entry(2)), entry(3)))) as (
        _,
        pipe,
    ):
        pipe.recv()
    store = place.open(views=VIEWS)
    assert store.count(views.ENTRIES) == 1
    assert verify(store, views=VIEWS).ok


def test_crash_matrix_10_killed_in_the_middle_of_a_rebuild_the_old_generation_serves(place: Place) -> None:
    rebuild_killed(place, before=900)  # within the first batch, which is folded outside the swap


def test_crash_matrix_11_killed_at_the_swap_of_generations_exactly_one_serves(place: Place) -> None:
    rebuild_killed(place, before=1100)  # within the last, which is folded in the transaction that swaps


def rebuild_killed(place: Place, before: int) -> None:
    filled(
        place, *(entry(n) for n in range(before - 1)), stopping(entry("stop")), *(entry(f"{n}b") for n in range(500))
    )
    with child(children.rebuild_and_stop, place.url) as (_, pipe):
        assert pipe.recv() == "in the fold"
        reader = place.open(views=VIEWS, read_only=True)
        assert reader.count(views.ENTRIES) == before + 501
    store = place.open(views=VIEWS)
    assert store.count(views.ENTRIES) == before + 501
    assert verify(store, views=VIEWS).ok
    store.append(Commit(events=(entry("after"),)))
    store.rebuild()
    assert verify(store, views=VIEWS).ok
    states = store.write(lambda c: c.execute("SELECT view, state FROM generations").fetchall(), "looking")
    assert sorted(view for view, state in states if state == "serving") == sorted(view.name for view in VIEWS)
    assert "building" not in {state for _, state in states}


def test_crash_matrix_15_an_acknowledgement_that_races_a_kill_is_recorded_or_refused_never_half(place: Place) -> None:
    raised = sample(ev.AlertRaised, alert_id="al-1", silence=None)
    filled(place, ev.NewEvent(stream="alert/al-1", event=raised))
    acknowledged = ev.NewEvent(stream="alert/al-1", event=ev.AlertAcknowledged(alert_id="al-1"), event_id="act-1")
    for commit, work, state in (
        (Commit(events=(stopping(acknowledged),)), children.append_and_stop, "open"),
        (Commit(events=(acknowledged,)), children.append_and_keep_silent, "acknowledged"),
    ):
        with child(work, place.url, commit) as (_, pipe):
            pipe.recv()
        store = place.open(views=VIEWS if state == "open" else ALL, read_only=True)
        row = store.get(views.ALERTS, "al-1")
        assert row is not None and row.state == state
        assert store.version("alert/al-1") == (1 if state == "open" else 2)
        assert verify(store).ok
        store.close()


def test_crash_matrix_22_who_was_paused_past_its_turn_cannot_append_with_its_old_checkpoint(place: Place) -> None:
    paused, other = place.open(), place.open()
    other.append(Commit(events=(entry(1),), checkpoint=("detect", 0, 5)))
    with pytest.raises(WrongVersion, match="subscription/detect"):
        paused.append(Commit(events=(entry(2),), checkpoint=("detect", 0, 4)))
    assert paused.head().position == 1


def test_crash_matrix_22_a_writer_paused_inside_its_transaction_neither_blocks_nor_appends_late(
    postgres_url: str,
) -> None:
    place = Place("postgres", postgres_url)
    filled(place)
    impatient = postgres_url + "%20-cidle_in_transaction_session_timeout%3D300"
    commit = Commit(events=(stopping(entry(1)),), checkpoint=("detect", 2, 3))
    with child(children.append_after_a_pause, impatient, commit) as (process, pipe):
        assert pipe.recv() == "in the fold"
        os.kill(process.pid, signal.SIGSTOP)
        other = place.open(views=VIEWS)
        other.append(Commit(events=(entry(2),), checkpoint=("detect", 2, 4)))  # once the server drops the other
        os.kill(process.pid, signal.SIGCONT)
        pipe.send("go on")
        assert "subscription/detect' is at version 4, expected 2" in pipe.recv()
        assert other.head().position == 3
        assert verify(other, views=VIEWS).ok
    place.close()


def test_crash_matrix_25_a_restored_older_backup_holds_the_outbox_and_reports_the_lost_head(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path / 'monitor.db'}", tmp_path / "old.db"
    place = Place("sqlite", url)
    store = place.open()
    store.append(Commit(events=(source_added(), entry(1))))
    backup(url, file)
    store.append(Commit(events=(entry(2), entry(3))))
    seen = store.head()
    store.close()
    restored = restore(file, url, clock=ManualClock(), entropy=entropy(), replace=True)
    assert restored.lost == 2 and restored.head.epoch == seen.epoch + 1
    store = place.open()
    held = store.get(views.OUTBOX, "current")
    assert held is not None and held.held and "old.db" in held.reason
    assert store.head() == restored.head and restored.head.position == 3
    found = verify(store, head=seen.hash)
    assert not found.ok and "seen earlier" in (found.reason or "")
    assert verify(store).ok
    place.close()


def test_crash_matrix_26_killed_while_erasing_the_body_is_there_or_gone_and_the_chain_verifies(place: Place) -> None:
    first = filled(place, stopping(entry("stop")))
    with child(children.erase_and_stop, place.url, 2) as (_, pipe):
        assert pipe.recv() == "in the fold"
    store = place.open(views=VIEWS)
    assert store.at(2).event == first.event and store.head().position == 3
    assert verify(store, views=VIEWS).ok
    store.erase([2], "asked for by its author")
    store.close()
    store = place.open(views=VIEWS)
    assert store.at(2).event is None
    assert verify(store, views=VIEWS).ok
