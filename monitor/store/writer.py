"""Group commit without a thread of its own: who gets the turn to write commits all that wait, in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from monitor.errors import StoreError
from monitor.ports import Appended, Commit
from monitor.store.plan import Draft

T = TypeVar("T")

GROUP = 500
"""The most events of one transaction, unless a single commit is larger. Nothing waits for a group to fill."""


@dataclass(slots=True, eq=False)
class Work:
    """A commit on its way; then what came of it."""

    commit: Commit
    drafts: tuple[Draft, ...]
    placed: tuple[Appended, ...] | None = None
    error: BaseException | None = None


class Writer:
    """One writer at a time. `commit` is called with one or more works and settles each (`placed` or `error`).

    A caller who comes while another writes queues its work and waits for the turn; mostly its work is then done,
    since the one before took everything along.
    """

    def __init__(self, commit: Callable[[Sequence[Work]], None]) -> None:
        self._commit = commit
        self._waiting: deque[Work] = deque()
        self._turn = Lock()
        self._closed = False

    def append(self, commit: Commit, drafts: tuple[Draft, ...]) -> tuple[Appended, ...]:
        """Return when the commit is durable, or raise what refused it."""
        work = Work(commit, drafts)
        self._waiting.append(work)
        with self._turn:
            while work.placed is None and work.error is None:
                self._check_open()
                self._commit_some()
        if work.placed is None:
            assert work.error is not None
            raise work.error
        return work.placed

    def do(self, run: Callable[[], T]) -> T:
        """Run something else that writes."""
        with self._turn:
            self._check_open()
            return run()

    def waiting(self) -> int:
        """How many commits are queued."""
        return len(self._waiting)

    def close(self, closing: Callable[[], None]) -> None:
        """Let who has the turn finish, refuse those who come later."""
        with self._turn:
            if not self._closed:
                self._closed = True
                closing()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed; nothing was done")

    def _commit_some(self) -> None:
        works, events = [], 0
        while self._waiting and events < GROUP:
            works.append(self._waiting.popleft())
            events += len(works[-1].drafts)
        try:
            self._commit(works)
        except BaseException as error:
            for work in works:
                if work.placed is None and work.error is None:
                    work.error = StoreError(f"appending was interrupted ({error!r}); look before trying again")
            raise
