"""View generations: a fold of the log is built beside the serving one, catches up, and takes its place at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from monitor.errors import MonitorError, StoreError
from monitor.store.chain import LogHead
from monitor.store.dialects import Connection
from monitor.store.fold import AnyView, envelopes
from monitor.store.log_end import serving_generations
from monitor.store.reads import fetch_events

if TYPE_CHECKING:
    from monitor.store.sql import SqlStore

BATCH = 1000
"""Events folded, or stale rows swept, in one transaction: appends wait no longer than that."""


def settle(store: SqlStore) -> None:
    """At open: drop what an interrupted rebuild or an older program left, and fold what is not served as needed."""
    with store.database.exclusive("opening"):
        missing, dropped = store.write(lambda connection: _sort_out(store, connection), "opening")
        if missing:
            _rebuild(store, missing)
    if missing or dropped:
        _sweep_later(store)


def rebuild(
    store: SqlStore,
    views: Sequence[AnyView],
    *,
    without: Collection[int] = (),
    finish: Callable[[Connection], None] | None = None,
) -> None:
    """Fold views anew, passing over the positions `without`; `finish` runs in the transaction that swaps them in."""
    with store.database.exclusive("rebuilding"):
        _rebuild(store, views, without, finish)
    _sweep_later(store)


def _sort_out(store: SqlStore, connection: Connection) -> tuple[list[AnyView], bool]:
    """Which views have to be folded, and whether there are rows to sweep."""
    head = store.end.lock(connection)
    execute = store.database.execute
    connection.execute("UPDATE generations SET state = 'dropped' WHERE state = 'building'")
    serving = serving_generations(store.database, connection)
    wanted = {view.name: view for view in store.views}
    gone = [(serving[name][1],) for name in serving.keys() - wanted.keys()]
    execute(connection, "UPDATE generations SET state = 'dropped' WHERE generation = ?", gone)
    missing = [view for view in store.views if serving.get(view.name, (None,))[0] != view.version]
    if missing and not head.position:
        _switch(store, connection, _begin(store, connection, missing))
        return [], False
    if gone:
        _bump(store, connection, head)
    dropped = store.database.fetch(connection, "SELECT count(*) FROM generations WHERE state = 'dropped'")
    return missing, bool(dropped[0][0])


def _rebuild(
    store: SqlStore,
    views: Sequence[AnyView],
    without: Collection[int] = (),
    finish: Callable[[Connection], None] | None = None,
) -> None:
    building = store.write(lambda connection: _begin(store, connection, views), "rebuilding")
    try:
        done = _catch_up(store, building, without) if building else store.head().position

        def swap(connection: Connection) -> None:
            head = store.end.lock(connection)
            _check_ours(store, connection, building)
            rows = fetch_events(store.database, connection, done, head.position, head.position)
            _fold(store, connection, building, rows, without)
            _switch(store, connection, building)
            if finish is not None:
                finish(connection)

        store.write(swap, "rebuilding")
    except BaseException:
        with suppress(MonitorError):  # else the next open drops it
            store.write(lambda connection: _drop(store, connection, building), "rebuilding")
        raise


def _catch_up(store: SqlStore, building: Mapping[AnyView, int], without: Collection[int]) -> int:
    """Fold until less than a batch is left. Only writing takes the turn to write; appends go on between."""
    done = 0
    while True:
        rows = list(store.stored(done, limit=BATCH))
        if len(rows) < BATCH:
            return done
        events = list(envelopes(row for row in rows if row.position not in without))
        with store.database.reading("rebuilding") as connection:
            changed = store.end.changes(connection, building, events)
        step = partial(store.end.write_changes, generations=building, changed_views=changed)
        store.write(step, "rebuilding")
        done = rows[-1].position


def _fold(
    store: SqlStore,
    connection: Connection,
    building: Mapping[AnyView, int],
    rows: Iterable[Sequence[Any]],
    without: Collection[int],
) -> None:
    events = list(envelopes(row for row in rows if row[0] not in without))
    store.end.write_changes(connection, building, store.end.changes(connection, building, events))


def _begin(store: SqlStore, connection: Connection, views: Sequence[AnyView]) -> dict[AnyView, int]:
    store.end.lock(connection)  # numbers are handed out by one process at a time
    last = store.database.fetch(connection, "SELECT coalesce(max(generation), 0) FROM generations")[0][0]
    building = {view: last + number for number, view in enumerate(views, start=1)}
    store.database.execute(
        connection,
        "INSERT INTO generations (generation, view, version, state) VALUES (?, ?, ?, 'building')",
        [(generation, view.name, view.version) for view, generation in building.items()],
    )
    return building


def _switch(store: SqlStore, connection: Connection, building: Mapping[AnyView, int]) -> None:
    execute = store.database.execute
    names = [(view.name,) for view in building]
    execute(connection, "UPDATE generations SET state = 'dropped' WHERE view = ? AND state = 'serving'", names)
    numbers = [(generation,) for generation in building.values()]
    execute(connection, "UPDATE generations SET state = 'serving' WHERE generation = ?", numbers)
    _bump(store, connection, store.end.lock(connection))


def _bump(store: SqlStore, connection: Connection, head: LogHead) -> None:
    """Tell every writer, in other processes too, to look again which generations serve."""
    store.database.execute(connection, "UPDATE log_head SET views_revision = ?", [(head.views_revision + 1,)])


def _drop(store: SqlStore, connection: Connection, building: Mapping[AnyView, int]) -> None:
    numbers = [(generation,) for generation in building.values()]
    store.database.execute(
        connection, "UPDATE generations SET state = 'dropped' WHERE generation = ? AND state = 'building'", numbers
    )


def _check_ours(store: SqlStore, connection: Connection, building: Mapping[AnyView, int]) -> None:
    rows = store.database.fetch(connection, "SELECT generation FROM generations WHERE state = 'building'")
    if not set(building.values()) <= {generation for (generation,) in rows}:
        raise StoreError(
            f"{store.database.place}: another process dropped this rebuild; the old views serve, try again"
        )


def sweep(store: SqlStore) -> None:
    """Delete the rows of dropped generations now."""
    while store.write(lambda connection: _sweep_some(store, connection), "sweeping"):
        pass


def _sweep_later(store: SqlStore) -> None:
    """Delete them in the background, a piece at a time between the appends."""

    def run() -> None:
        with suppress(MonitorError):  # closed, or out of order: the next open goes on with it
            sweep(store)

    Thread(target=run, name="monitor-store-sweep", daemon=True).start()


def _sweep_some(store: SqlStore, connection: Connection) -> bool:
    fetched = store.database.fetch(connection, "SELECT min(generation) FROM generations WHERE state = 'dropped'")
    generation = fetched[0][0]
    if generation is None:
        return False
    statement = store.database.sql(
        "DELETE FROM view_rows WHERE generation = ? AND key IN"
        " (SELECT key FROM view_rows WHERE generation = ? ORDER BY key LIMIT ?)"
    )
    if connection.execute(statement, (generation, generation, BATCH)).rowcount < BATCH:
        store.database.execute(connection, "DELETE FROM generations WHERE generation = ?", [(generation,)])
    return True
