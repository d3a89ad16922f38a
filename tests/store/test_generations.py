"""Tables and view generations across restarts, upgrades and interrupted rebuilds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from monitor.core import views
from monitor.core.views import ALL
from monitor.errors import StoreError
from monitor.ports import Commit
from monitor.store import migrations, schema
from monitor.store.sql import SqlStore
from monitor.store.tables import METADATA
from monitor.store.verify import verify
from tests.contracts.children import counting, entry, source_added
from tests.contracts.conftest import Place


def generations(store: SqlStore) -> list[tuple[str, int, str]]:
    rows = store.write(
        lambda c: c.execute("SELECT view, version, state FROM generations ORDER BY view, generation").fetchall(),
        "looking",
    )
    return [tuple(row) for row in rows]  # type: ignore[misc]


def orphans(store: SqlStore) -> int:
    """Rows that belong to no generation."""
    statement = "SELECT count(*) FROM view_rows WHERE generation NOT IN (SELECT generation FROM generations)"
    return store.write(lambda c: c.execute(statement).fetchone()[0], "looking")  # type: ignore[no-any-return]


def fill(place: Place, number: int = 3, *, kept: Sequence[Any] = ALL) -> None:
    with closing(place.open(views=kept)) as store:
        store.append(Commit(events=(source_added(), *(entry(n) for n in range(number)))))


def test_the_migrations_end_at_the_declared_tables(place: Place) -> None:
    store = place.open()
    with store.database.migrating() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert difference == []


def test_the_known_revisions_are_the_migrations_that_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == schema.REVISIONS


def test_everything_is_there_after_a_restart(place: Place) -> None:
    fill(place)
    store = place.open()
    assert store.head().position == 4 and store.count(views.ENTRIES) == 3
    assert store.append(Commit(events=(entry(1), entry("new"))))[1].position == 5
    assert verify(store).ok


def test_a_view_of_a_new_version_is_folded_anew_at_open(place: Place) -> None:
    calls: list[int] = []
    fill(place, kept=[*ALL, counting()])
    with closing(place.open(views=[*ALL, counting(version=2, at=lambda event: calls.append(event.position))])) as store:
        assert calls == [1, 2, 3, 4]
        assert ("tally", 2, "serving") in generations(store)
    with closing(place.open(views=[*ALL, counting(version=2, at=lambda event: calls.append(event.position))])):
        assert calls == [1, 2, 3, 4]


def test_new_views_are_folded_and_dropped_ones_swept_at_open(place: Place) -> None:
    fill(place, kept=[counting("old")])
    with closing(place.open(views=[counting("old"), counting("new")])) as store:
        assert [(row.seen, row.position) for row in store.rows(counting("new"))] == [(4, 1)]
        store.append(Commit(events=(entry("more"),)))
        assert verify(store, views=store.views).ok
    with closing(place.open(views=[counting("new")])) as store:
        store.append(Commit(events=(entry("after"),)))  # queued after the sweeping
        assert generations(store) == [("new", 1, "serving")] and orphans(store) == 0


def test_a_reader_of_another_version_is_refused_its_view_and_nothing_else(place: Place) -> None:
    fill(place, kept=[*ALL, counting()])
    newer = counting(version=2)
    with closing(place.open(views=[*ALL, newer], read_only=True)) as reader:
        assert reader.head().position == 4 and reader.count(views.ENTRIES) == 3
        for ask in (
            lambda: reader.get(newer, "all"), lambda: list(reader.rows(newer)), lambda: reader.count(newer),
            lambda: reader.get(newer, "none"), lambda: verify(reader, views=[newer]),
        ):  # fmt: skip
            with pytest.raises(StoreError, match="view 'tally' is not kept in version 2 yet; `monitor run` or"):
                ask()


def test_a_view_whose_fold_breaks_at_open_leaves_the_old_one_serving(place: Place) -> None:
    fill(place, kept=[counting()])

    def choke(event: Any) -> None:
        raise ValueError("no")

    with pytest.raises(StoreError, match="view 'tally' cannot fold SourceAdded at position 1"):
        place.open(views=[counting(version=2, at=choke)])
    with closing(place.open(views=[counting()])) as store:
        assert [row.seen for row in store.rows(counting())] == [4]
        store.append(Commit(events=(entry("after"),)))
        assert generations(store) == [("tally", 1, "serving")]


def test_rows_with_the_same_bytes_are_not_written_again(place: Place) -> None:
    still = replace(
        views.SOURCES, name="still", fold=lambda row, event, key: row or views.SOURCES.fold(row, event, key)
    )
    fill(place, kept=[still])
    store = place.open(views=[still])
    store.append(Commit(events=(entry("more"),)))
    assert [row.entries for row in store.rows(still)] == [0]


def test_while_a_rebuild_runs_the_old_view_serves_and_appends_go_on(place: Place) -> None:
    fill(place, 1500)
    rebuilding, reached, go_on = Event(), Event(), Event()

    def at(event: Any) -> None:
        if event.position == 500 and rebuilding.is_set():
            reached.set()
            assert go_on.wait(60)

    store = place.open(views=[*ALL, counting(at=at)])
    rebuilding.set()
    thread = Thread(target=store.rebuild)
    thread.start()
    assert reached.wait(60)
    store.append(Commit(events=(entry("meanwhile"),)))
    assert store.count(views.ENTRIES) == 1501
    assert [row.seen for row in store.rows(counting())] == [1502]
    go_on.set()
    thread.join()
    assert store.count(views.ENTRIES) == 1501
    assert verify(store, views=store.views).ok


def test_a_writer_notices_views_that_another_program_switched(postgres_url: str) -> None:
    place = Place("postgres", postgres_url)
    fill(place, kept=[counting()])
    older = place.open(views=[counting()])
    newer = place.open(views=[counting(version=2)])
    newer.append(Commit(events=(entry("newer"),)))
    with pytest.raises(StoreError, match="its views are kept by another version of this program; nothing was appended"):
        older.append(Commit(events=(entry("older"),)))
    assert verify(newer, views=newer.views).ok
    place.close()


def test_a_rebuild_in_one_process_is_followed_by_the_writers_of_others(postgres_url: str) -> None:
    place = Place("postgres", postgres_url)
    fill(place)
    one, other = place.open(), place.open()
    other.append(Commit(events=(entry("before"),)))
    one.rebuild(["entries"])
    other.append(Commit(events=(entry("after"),)))
    other.rebuild()
    one.append(Commit(events=(entry("last"),)))
    assert one.count(views.ENTRIES) == 6
    assert verify(one).ok
    place.close()


def test_processes_that_open_an_empty_database_together_make_it_once(postgres_url: str) -> None:
    place = Place("postgres", postgres_url)
    failed: list[BaseException] = []

    def work(name: int) -> None:
        try:
            place.open().append(Commit(events=(entry(name),)))
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    store = place.open(read_only=True)
    assert store.head().position == 4 and verify(store).ok
    place.close()
