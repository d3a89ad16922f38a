"""Verify finds the first thing wrong; export, import, backup and restore carry a log whole."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from monitor.core import events as ev
from monitor.core import views
from monitor.core.views import ALL
from monitor.errors import StoreError, TryAgain, Unavailable, UsageError
from monitor.ports import Commit
from monitor.store import open_store
from monitor.store.backup import backup, restore
from monitor.store.export import export_cloudevents, export_jsonl, import_jsonl
from monitor.store.sql import SqlStore
from monitor.store.verify import Verified, verify
from tests.contracts.children import entropy, entry, source_added
from tests.contracts.conftest import AnyStore, Place
from tests.fakes import START, ManualClock


def fill(store: AnyStore, number: int = 5) -> None:
    store.append(Commit(events=(source_added(), *(entry(n) for n in range(number)))))
    store.append(Commit(checkpoint=("detect", 0, number)))


@pytest.fixture
def store(place: Place) -> SqlStore:
    """Position 1: a source; 2 to 6: entries."""
    found = place.open()
    fill(found)
    assert isinstance(found, SqlStore)
    return found


def tamper(store: SqlStore, statement: str, *parameters: Any) -> None:
    store.write(lambda c: c.execute(store.database.sql(statement), parameters), "tampering")


def broken(found: Verified) -> tuple[int | None, str]:
    assert not found.ok
    return found.position, found.reason or ""


# --- verify


def test_a_log_in_order_verifies(store: SqlStore) -> None:
    found = verify(store)
    assert found.ok and found.head == store.head() and found.views == len(ALL)
    assert verify(store, chain_only=True).views == 0


def test_a_flipped_byte_in_a_body_is_found(store: SqlStore) -> None:
    body = next(row.body for row in store.stored(3)) or b""
    tamper(store, "UPDATE events SET body = ? WHERE position = 4", bytes([body[0] ^ 1]) + body[1:])
    for chain_only in (False, True):
        assert broken(verify(store, chain_only=chain_only)) == (
            4,
            "what is stored does not fit its hash: changed",
        )


@pytest.mark.parametrize(
    "change",
    [
        "stream = 'entry/other'", "type = 'EntryRevised'", "actor = 'mallory'", "recorded_at = recorded_at + 1",
        "causation = 1", "event_id = 'x'", "dedupe = NULL", "schema_version = 2", "version = 7",
    ],
)  # fmt: skip
def test_a_change_to_any_column_is_found(store: SqlStore, change: str) -> None:
    tamper(store, f"UPDATE events SET {change} WHERE position = 3")
    assert broken(verify(store))[0] == 3


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ([("version = 9", 5)], 5),
        ([("version = 0", 1)], 1),
        ([("version = 9", 1), ("version = 1", 5), ("version = 2", 1)], 1),
        ([("stream = 'elsewhere'", 5)], 5),
    ],
    ids=["gap", "below one", "swapped", "begins at two"],
)
def test_versions_out_of_order_are_placed(place: Place, changes: list[tuple[str, int]], first: int) -> None:
    store = place.open()
    failed = ev.NewEvent(stream="source/port-news", event=ev.SourceFailed(source_id="port-news", reason="HTTP 503"))
    store.append(Commit(events=(source_added(), entry(1), entry(2), entry(3), failed)))
    with store.snapshot() as now:
        assert now.misnumbered() is None
    for change, position in changes:
        tamper(store, f"UPDATE events SET {change} WHERE position = {position}")
    with store.snapshot() as now:
        assert now.misnumbered() == first


def test_a_deleted_row_is_found(store: SqlStore) -> None:
    tamper(store, "DELETE FROM events WHERE position = 3")
    assert broken(verify(store)) == (3, "missing")


def test_a_cut_tail_is_found_by_the_head(store: SqlStore) -> None:
    tamper(store, "DELETE FROM events WHERE position > 4")
    assert broken(verify(store)) == (5, "missing: the tail is cut, the log's head is at 6")


def test_a_cut_tail_whose_head_was_moved_too_is_found_by_a_head_seen_earlier(store: SqlStore) -> None:
    seen = store.head().hash
    tamper(store, "DELETE FROM events WHERE position > 4")
    tamper(store, "UPDATE log_head SET position = 4, hash = ?", bytes.fromhex(store.at(4).hash))
    assert verify(store, chain_only=True).ok
    position, reason = broken(verify(store, chain_only=True, head=seen))
    assert position == 5 and seen in reason


def test_a_row_beyond_the_head_and_a_head_that_lies_are_found(store: SqlStore) -> None:
    tamper(store, "UPDATE log_head SET position = 5, hash = ?", bytes.fromhex(store.at(5).hash))
    assert broken(verify(store)) == (6, "beyond the log's head, which is at 5")
    tamper(store, "UPDATE log_head SET position = 6, hash = ?", bytes(32))
    assert broken(verify(store)) == (6, "the log's head has another hash than the last event")


def test_a_body_that_is_gone_and_a_lie_about_one_are_found(store: SqlStore) -> None:
    store.erase([3], "asked for by its author")
    assert verify(store).ok
    row = next(store.stored(3))
    tamper(store, "UPDATE events SET body = NULL, salt = NULL WHERE position = 4")
    assert broken(verify(store))[0] == 4
    from monitor.store.chain import commit_to

    commitment = commit_to(row.salt or b"", row.body or b"")
    tamper(store, "UPDATE events SET commitment = ? WHERE position = 4", commitment)
    assert broken(verify(store)) == (4, "erased, and no event says so")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE view_rows SET body = ? WHERE sort = 3", "is not what the log says"),
        ("UPDATE view_rows SET facet = 'elsewhere' WHERE sort = 3 AND ? <> ''", "is not what the log says"),
        ("DELETE FROM view_rows WHERE sort = 3 AND ? <> ''", "is missing"),
    ],
    ids=["body", "facet", "deleted"],
)
def test_a_view_that_is_not_its_fold_is_found(store: SqlStore, change: str, words: str) -> None:
    tamper(store, change, b"{}" if "body" in change else "x")
    assert verify(store, chain_only=True).ok
    position, reason = broken(verify(store))
    assert position == 3 and "view 'entries': row 'ent-" in reason and words in reason
    store.rebuild(["entries"])
    assert verify(store).ok


def test_a_row_that_should_not_be_there_is_found(store: SqlStore) -> None:
    tamper(
        store,
        "INSERT INTO view_rows (generation, key, sort, facet, body)"
        " SELECT generation, ?, 9, '', body FROM view_rows WHERE sort = 3",
        "zzz",
    )
    position, reason = broken(verify(store))
    assert position == 9 and "row 'zzz' should not be there" in reason


def test_a_head_that_is_no_hash_is_a_slip(store: SqlStore) -> None:
    for slip in ("abc", "ABCD" * 16, "../x", "é" * 64):
        with pytest.raises(UsageError, match="--head: not a chain hash"):
            verify(store, head=slip)


def test_verifying_goes_on_beside_appends_rebuilds_and_erasures(place: Place) -> None:
    store = place.open()
    fill(store, 3000)
    stop = Event()

    def disturb() -> None:
        number = 0
        while not stop.is_set():
            store.append(Commit(events=(entry(f"more-{number}"),)))
            if number % 20 == 0:
                store.erase([number + 2], "asked for by its author")
            number += 1

    thread = Thread(target=disturb)
    thread.start()
    try:
        found = [verify(store) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    assert [one.reason for one in found] == [None] * 3


# --- export and import


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyStore]:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    target = Place(request.param, request.getfixturevalue("postgres_url") if request.param == "postgres" else url)
    yield target.open()
    target.close()


@pytest.fixture
def exported(tmp_path: Path) -> Iterator[tuple[SqlStore, list[bytes]]]:
    with closing(
        open_store(f"sqlite:///{tmp_path / 'monitor.db'}", views=ALL, clock=ManualClock(), entropy=entropy())
    ) as store:
        fill(store, 1200)
        store.append(Commit(events=(source_added("анна"), entry("注意 \u2028 \u0000"))))
        store.erase([5], "asked for by its author")
        yield store, list(export_jsonl(store))


def test_an_export_imported_elsewhere_has_the_same_head_and_views(
    exported: tuple[SqlStore, list[bytes]], empty: AnyStore
) -> None:
    store, lines = exported
    assert len(lines) == store.head().position + 1 and all(b"\n" not in line for line in lines)
    assert import_jsonl(lines, empty).hash == store.head().hash
    assert verify(empty, head=store.at(7).hash).ok
    assert empty.checkpoint("detect") == 1200
    assert list(export_jsonl(empty)) == lines
    assert [one.duplicate for one in empty.append(Commit(events=(entry(3), entry("new"))))] == [True, False]


def test_any_json_tool_on_the_way_changes_nothing(exported: tuple[SqlStore, list[bytes]], empty: AnyStore) -> None:
    store, lines = exported
    passed = [json.dumps(dict(reversed(json.loads(line).items())), indent=None) for line in lines]
    assert import_jsonl(passed, empty).hash == store.head().hash


def test_a_broken_line_is_refused_by_its_number_and_a_second_run_goes_on(
    exported: tuple[SqlStore, list[bytes]], empty: AnyStore
) -> None:
    store, lines = exported
    for bad, words in (
        (
            lines[800].replace(b"Notice", b"Police", 1),
            "line 801: .*does not fit its hash; events up to position 799 are",
        ),
        (lines[800][:50], "line 801: .*truncated"),
        (lines[801], "line 801: position 801: follows position 799"),
        (b"", "line 801: "),
        (b'{"more":' + b"[" * 100_000, "line 801: .*recursion"),
        (lines[800].replace(b"EntryObserved", b"EntryObserver"), "line 801: "),
        (lines[800].replace(b'"hash":"', b'"hash":"zz'), "line 801: "),
    ):
        with pytest.raises(StoreError, match=words):
            import_jsonl([*lines[:800], bad, *lines[801:]], empty)
        assert (empty.head().position, empty.head().hash) == (799, store.at(799).hash)
    assert import_jsonl(lines, empty).hash == store.head().hash


def test_an_export_that_breaks_off_is_noticed(exported: tuple[SqlStore, list[bytes]], empty: AnyStore) -> None:
    store, lines = exported
    with pytest.raises(StoreError, match=f"breaks off after position 9 of {store.head().position}"):
        import_jsonl(lines[:10], empty)
    assert empty.checkpoint("detect") == 0
    assert import_jsonl(lines, empty).hash == store.head().hash


def test_what_is_no_export_is_refused(empty: AnyStore) -> None:
    for lines, words in (
        ([], "line 1: not the first line"),
        ([b"hello"], "line 1: not the first line"),
        ([b'{"position":1}'], "line 1: not the first line"),
        ([b'{"more":' + b"[" * 100_000], "line 1: not the first line"),
        ([b'{"format":"theme-monitor-log/9","position":0,"hash":"","checkpoints":{}}'], "format 'theme-monitor-log/9'"),
    ):
        with pytest.raises(StoreError, match=words):
            import_jsonl(lines, empty)


def test_a_store_that_holds_another_log_is_left_alone(exported: tuple[SqlStore, list[bytes]], empty: AnyStore) -> None:
    empty.append(Commit(events=(source_added("other"),)))
    with pytest.raises(StoreError, match="line 2: position 1: another event stands here; import into"):
        import_jsonl(exported[1], empty)
    assert empty.head().position == 1


def test_cloudevents_carry_every_event(store: SqlStore) -> None:
    store.erase([3], "asked for by its author")
    events = [json.loads(line) for line in export_cloudevents(store)]
    assert len(events) == 7
    first, erased = events[1], events[2]
    assert first["data"]["title"] == "Notice 0" and "data" not in erased
    assert first.items() >= {
        "specversion": "1.0", "source": "/theme-monitor", "type": "theme-monitor.EntryObserved.v1",
        "subject": entry(0).stream, "time": START.isoformat().replace("+00:00", "Z"), "position": 2,
        "chainhash": store.at(2).hash,
    }.items()  # fmt: skip
    assert all(key.isalnum() and key.islower() for event in events for key in event)


# --- backup and restore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


def opened(file: Path) -> SqlStore:
    return open_store(f"sqlite:///{file}?timeout=0.05", views=ALL, clock=ManualClock(), entropy=entropy())


def restored(backup_file: Path, file: Path, **options: bool) -> Any:
    url = f"sqlite:///{file}?timeout=0.05"
    return restore(backup_file, url, clock=ManualClock(), entropy=entropy(), **options)


def test_a_backup_is_one_whole_file_taken_while_the_daemon_writes(file: Path, tmp_path: Path) -> None:
    store = opened(file)
    fill(store, 500)
    stop = Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            store.append(Commit(events=(entry(f"more-{number}"),)))
            number += 1

    thread = Thread(target=write)
    thread.start()
    try:
        heads = [backup(f"sqlite:///{file}", tmp_path / f"copy-{number}.db") for number in range(3)]
    finally:
        stop.set()
        thread.join()
    for number, head in enumerate(heads):
        copy = tmp_path / f"copy-{number}.db"
        assert copy.stat().st_mode & 0o777 == 0o600
        with closing(opened(copy)) as found:
            assert found.head() == head and verify(found).ok
            assert store.at(head.position).hash == head.hash
    store.close()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".db"] * 4


def test_a_backup_overwrites_nothing_and_needs_a_database(file: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"monitor\.db': not there"):
        backup(f"sqlite:///{file}", tmp_path / "copy.db")
    opened(file).close()
    (tmp_path / "copy.db").write_text("something else")
    with pytest.raises(StoreError, match=r"copy\.db': exists already; nothing was written"):
        backup(f"sqlite:///{file}", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "something else"
    with pytest.raises(StoreError, match="cannot be written"):
        backup(f"sqlite:///{file}", tmp_path / "no" / "copy.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "monitor.db"]


def test_postgres_is_backed_up_by_its_own_tools() -> None:
    with pytest.raises(UsageError, match="for PostgreSQL use pg_dump, or `monitor export`"):
        backup("postgresql://localhost/log", Path("copy.db"))
    with pytest.raises(UsageError, match="for PostgreSQL use pg_restore, or `monitor import`"):
        restore(Path("copy.db"), "postgresql://localhost/log", clock=ManualClock(), entropy=entropy())


@pytest.fixture
def copy(file: Path, tmp_path: Path) -> Path:
    """A backup at position 6, of a store that went on to position 8."""
    with closing(opened(file)) as store:
        fill(store)
        backup(f"sqlite:///{file}", tmp_path / "copy.db")
        store.append(Commit(events=(entry("later"), entry("last"))))
    return tmp_path / "copy.db"


def test_a_restore_keeps_the_old_database_beside_and_holds_the_outbox(copy: Path, file: Path) -> None:
    with closing(opened(file)) as store:
        old = store.head()
    before = copy.read_bytes()
    done = restored(copy, file, replace=True)
    assert (done.lost, done.head.position, done.head.epoch) == (2, 7, 2)
    assert done.aside == file.with_name("monitor.db.before-restore-1")
    assert copy.read_bytes() == before
    with closing(opened(done.aside)) as aside:
        assert aside.head() == old
    with closing(opened(file)) as store:
        assert store.head() == done.head and verify(store).ok
        held = store.get(views.OUTBOX, views.CURRENT)
        assert held is not None and held.held and "'copy.db'" in held.reason
        store.append(Commit(events=(entry("new"),)))
    again = restored(copy, file, replace=True)
    assert (again.lost, again.head.epoch) == (2, 3) and again.aside.name == "monitor.db.before-restore-2"
    assert not [path.name for path in file.parent.iterdir() if "restoring" in path.name or path.name.endswith("-wal")]


def test_a_restore_replaces_nothing_unasked(copy: Path, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"monitor\.db': is there already; nothing was restored"):
        restored(copy, file)
    assert file.read_bytes() == before


def test_a_restore_where_there_is_none(copy: Path, tmp_path: Path) -> None:
    done = restored(copy, tmp_path / "fresh.db")
    assert (done.aside, done.lost, done.head.position, done.head.epoch) == (None, None, 7, 2)


def test_another_history_is_not_counted_as_lost(copy: Path, tmp_path: Path) -> None:
    with closing(opened(tmp_path / "other.db")) as other:
        other.append(Commit(events=tuple(entry(f"other-{n}") for n in range(9))))
    assert restored(copy, tmp_path / "other.db", replace=True).lost is None


def test_a_database_in_use_is_not_replaced(copy: Path, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryAgain, match="another process"):
            restored(copy, file, replace=True)
        other.execute("ROLLBACK")
    with closing(opened(file)) as store:
        assert store.head().position == 8
    assert not [path.name for path in file.parent.iterdir() if "restor" in path.name]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "not there"),
        (lambda path: path.write_bytes(b"no database " * 1000), "not an SQLite database"),
        (lambda path: path.write_bytes(path.read_bytes()[:30_000]), "damaged"),
        (
            lambda path: _change(path, "UPDATE events SET body = x'7b7d' WHERE position = 3"),
            "position 3: what is stored",
        ),
        (lambda path: _change(path, "DELETE FROM events WHERE position = 6"), "position 6: missing"),
        (lambda path: _change(path, "UPDATE alembic_version SET version_num = 'x'"), "newer version"),
    ],
    ids=["gone", "no database", "cut", "changed", "shortened", "newer"],
)
def test_a_backup_that_is_not_whole_replaces_nothing(copy: Path, file: Path, spoil: Any, words: str) -> None:
    spoil(copy)
    before = file.read_bytes()
    with pytest.raises((StoreError, Unavailable), match=words):
        restored(copy, file, replace=True)
    assert file.read_bytes() == before
    assert not [path.name for path in file.parent.iterdir() if "restor" in path.name]


def test_a_damaged_database_can_be_replaced(copy: Path, file: Path) -> None:
    file.write_bytes(b"nothing that can be read " * 1000)
    done = restored(copy, file, replace=True)
    assert done.lost is None and done.aside.read_bytes().startswith(b"nothing that can be read")
    with closing(opened(file)) as store:
        assert verify(store).ok


def _change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
