"""What the commands on a whole log (verify, export, import) ask of a store, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from monitor.ports import Head
from monitor.store.chain import LogHead, StoredEvent
from monitor.store.fold import AnyView, KeptRow


class Snapshot(Protocol):
    """A store standing still. `last`: the highest position that there is, in order or not."""

    @property
    def head(self) -> LogHead: ...

    @property
    def last(self) -> int: ...

    def checkpoints(self) -> dict[str, int]: ...

    def stored(self, after: int = 0) -> Iterator[StoredEvent]:
        """Rows after a position up to the head, in order."""
        ...

    def misnumbered(self) -> int | None:
        """The first position whose version is not one more than the one before it in its stream."""
        ...

    def kept(self, view: AnyView) -> Iterator[tuple[str, KeptRow]]:
        """A view's rows in the order of their keys."""
        ...


class KeptLog(Protocol):
    """A store as a whole."""

    @property
    def views(self) -> Sequence[AnyView]: ...

    def head(self) -> Head: ...

    def snapshot(self) -> AbstractContextManager[Snapshot]: ...

    def stored(self, after: int = 0, *, upto: int | None = None) -> Iterator[StoredEvent]: ...

    def pages(self, after: int = 0, *, upto: int | None = None) -> Iterator[Sequence[Any]]:
        """As `stored`, but plain tuples, some at a time."""
        ...

    def extend(self, rows: Sequence[StoredEvent], checkpoints: Mapping[str, int]) -> None:
        """Append rows exactly as they stand, in one transaction, and move checkpoints forward.

        Raises `ChainBroken` where a row does not follow what is there; nothing was written.
        """
        ...
