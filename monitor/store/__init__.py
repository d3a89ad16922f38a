"""The event log and its views in SQL and in memory. SQL lives only here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from monitor.core.views import View
from monitor.ports import Clock

if TYPE_CHECKING:
    from monitor.store.sql import SqlStore


def open_store(
    url: str,
    *,
    views: Collection[View[Any]],
    clock: Clock,
    entropy: Callable[[int], bytes],
    read_only: bool = False,
) -> SqlStore:
    """Open the store at `url`: `sqlite:///path/to/monitor.db` or `postgresql://user:password@host/database`.

    A writer creates or migrates the tables, folds views anew whose version changed, and drops those that `views` lacks;
    a reader does none of this and can open while another process writes. `entropy` gives random bytes by number
    (`os.urandom`). `store.notes` holds lines worth telling the operator.
    Raises `ConfigurationError` (address, driver), `Unavailable` (not there, server down), `TryAgain` (another process
    is writing) and `StoreError` (not a database, read-only, damaged, made by a newer version); nothing was touched.
    """
    from monitor.store.sql import SqlStore  # SQLAlchemy takes a quarter of a second to import; `--help` must not

    return SqlStore(url, views=views, clock=clock, entropy=entropy, read_only=read_only)
