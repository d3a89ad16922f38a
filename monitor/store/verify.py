"""Is the log what it was, and is every view its fold? Reads only, in bounded memory, while others go on appending."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from monitor.core.events import PayloadErased, Recorded
from monitor.core.views import ALL
from monitor.errors import ChainBroken, StoreError, UsageError
from monitor.ports import Head
from monitor.store.chain import GENESIS, StoredEvent, relink
from monitor.store.fold import AnyView, KeptRow, changes, recorded
from monitor.store.kept import KeptLog, Snapshot

BATCH = 2000


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify` saw: the head up to which it looked, how many views it folded, and the first thing wrong.

    `position` is the first bad one; both it and `reason` are None where all is well. `wanted_at` is where the head that
    was asked for stands.
    """

    head: Head
    views: int
    wanted_at: int | None = None
    position: int | None = None
    reason: str | None = None

    @property
    def ok(self) -> bool:
        return self.reason is None


def verify(
    store: KeptLog, *, chain_only: bool = False, head: str | None = None, views: Sequence[AnyView] = ALL
) -> Verified:
    """Check positions, chain, stream versions and erasures, then (unless `chain_only`) every view against its fold.

    `head`: a chain hash seen earlier (64 hex digits), which must be in the chain. Raises `UsageError` where it is
    none; what is wrong with the log is in the answer, not raised.
    """
    if head is not None and not re.fullmatch(r"[0-9a-f]{64}", head):
        raise UsageError("--head: not a chain hash (64 hex digits, as `monitor log` and digests print them)")
    with store.snapshot() as now:
        end, last, misnumbered = now.head, now.last, now.misnumbered()
    digest = end.hash if isinstance(end.hash, bytes) else b""
    seen = Head(end.position, digest.hex(), end.epoch)
    try:
        wanted_at = _check_chain(store, end.position, digest, bytes.fromhex(head) if head else None)
        if last > end.position:
            raise ChainBroken(end.position + 1, f"beyond the log's head, which is at {end.position}")
        if misnumbered is not None:
            raise ChainBroken(misnumbered, "the version does not follow the one before in its stream")
        if not chain_only:
            _check_views(store, views)
    except ChainBroken as broken:
        return Verified(head=seen, views=0, position=broken.position, reason=broken.reason)
    return Verified(head=seen, views=0 if chain_only else len(views), wanted_at=wanted_at)


def _check_chain(store: KeptLog, upto: int, digest: bytes, wanted: bytes | None) -> int | None:
    """Where the wanted head stands."""
    previous, expected = GENESIS, 1
    found = 0 if wanted == GENESIS else None
    bare: set[int] = set()  # erased bodies, and what PayloadErased says of them: few
    vouched: set[int] = set()
    for page in _pages(store, upto):
        for row in page:
            position, body, row_hash = row[0], row[11], row[13]
            if position != expected:
                raise ChainBroken(expected, "missing")
            if relink(previous, row) != row_hash:
                raise ChainBroken(position, "what is stored does not fit its hash: changed")
            if body is None:
                bare.add(position)
            elif row[3] == "PayloadErased" and isinstance(event := recorded(row).event, PayloadErased):
                vouched.add(event.position)
            if row_hash == wanted:
                found = position
            previous, expected = row_hash, expected + 1
    if expected <= upto:
        raise ChainBroken(expected, f"missing: the tail is cut, the log's head is at {upto}")
    if previous != digest:
        raise ChainBroken(upto, "the log's head has another hash than the last event")
    unsaid = bare - vouched
    if unsaid:
        unsaid -= _erased_after(store, upto)  # an erasure may have come while we looked
    if wrong := unsaid | (vouched - bare):
        position = min(wrong)
        raise ChainBroken(
            position, "erased, and no event says so" if position in unsaid else "said to be erased, is not"
        )
    if wanted is not None and found is None:
        raise ChainBroken(
            upto + 1,
            f"the log ends before it, and the head {wanted.hex()} seen earlier is not in it; cut off, restored or "
            "rewritten",
        )
    return found


def _pages(store: KeptLog, upto: int) -> Iterator[Sequence[Any]]:
    """All rows. Raises `ChainBroken` at the first that the database cannot give (text that is no UTF-8, say)."""
    after = 0
    try:
        for page in store.pages(0, upto=upto):
            yield page
            after = page[-1][0] if page else after
    except StoreError as error:
        for position in range(after + 1, upto + 1):
            try:
                next(store.stored(position - 1, upto=position), None)
            except StoreError:
                raise ChainBroken(position, f"cannot be read: {error}") from error
        raise


def _erased_after(store: KeptLog, position: int) -> set[int]:
    later = (recorded(row).event for row in store.stored(position) if row.type == "PayloadErased")
    return {event.position for event in later if isinstance(event, PayloadErased)}


def _check_views(store: KeptLog, views: Sequence[AnyView]) -> None:
    for beforehand in (True, False):
        with TemporaryDirectory(prefix="monitor-") as folder, closing(_Scratch(Path(folder), views)) as scratch:
            done = scratch.fold_all(store.stored(), 0) if beforehand else 0  # the long way, while appends go on
            with store.snapshot() as now:
                # What was erased meanwhile is in our fold and no longer in theirs: once more, standing still.
                if beforehand and any(row.type == "PayloadErased" for row in now.stored(done)):
                    continue
                scratch.fold_all(now.stored(done), done)
                for view in views:
                    _compare(view, now, scratch.kept(view))
        return


def _compare(view: AnyView, now: Snapshot, folded: Iterator[tuple[str, KeptRow]]) -> None:
    for kept, fold in zip_longest(now.kept(view), folded):
        if kept == fold:
            continue
        key, row = min((side for side in (kept, fold) if side is not None), key=lambda side: side[0])
        if kept is None or (fold is not None and fold[0] < kept[0]):
            what = "is missing"
        elif fold is None or kept[0] < fold[0]:
            what = "should not be there"
        else:
            what = "is not what the log says"
        raise ChainBroken(row.sort, f"view '{view.name}': row '{key}' {what}; `monitor rebuild {view.name}` mends it")


class _Scratch:
    """The views folded once more, on disk: a million rows do not fit in memory."""

    def __init__(self, folder: Path, views: Sequence[AnyView]) -> None:
        self._views = views
        self._numbers = {view.name: number for number, view in enumerate(views)}
        self._connection = sqlite3.connect(folder / "views.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(
            "CREATE TABLE rows (view INTEGER, key TEXT, sort INTEGER, facet TEXT, body BLOB, PRIMARY KEY (view, key))"
        )

    def fold_all(self, rows: Iterator[StoredEvent], done: int) -> int:
        """Fold rows into the views; returns the position of the last, or `done` where there was none."""
        while batch := [recorded(row) for row in islice(rows, BATCH)]:
            self._fold(batch)
            done = batch[-1].position
        return done

    def _fold(self, events: Sequence[Recorded]) -> None:
        self._connection.execute("BEGIN")
        for view, changed in changes(self._views, events, self._load):
            for key, _, after in changed:
                place = (self._numbers[view.name], key)
                if after is None:
                    self._connection.execute("DELETE FROM rows WHERE view = ? AND key = ?", place)
                else:
                    self._connection.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)", (*place, *after))
        self._connection.execute("COMMIT")

    def _load(self, view: AnyView, keys: Sequence[str]) -> dict[str, KeptRow]:
        one = "SELECT sort, facet, body FROM rows WHERE view = ? AND key = ?"
        number = self._numbers[view.name]
        found = ((key, self._connection.execute(one, (number, key)).fetchone()) for key in keys)
        return {key: KeptRow(*row) for key, row in found if row is not None}

    def kept(self, view: AnyView) -> Iterator[tuple[str, KeptRow]]:
        statement = "SELECT key, sort, facet, body FROM rows WHERE view = ? ORDER BY key"
        rows = self._connection.execute(statement, (self._numbers[view.name],))
        return ((key, KeptRow(*row)) for key, *row in rows)

    def close(self) -> None:
        self._connection.close()
