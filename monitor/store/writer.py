"""Group commit: one thread owns the writing connection and commits what has queued up meanwhile in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from monitor.errors import StoreError
from monitor.ports import Appended, Commit
from monitor.store.plan import Draft

T = TypeVar("T")

GROUP = 500
"""The most events of one transaction, unless a single commit is larger. Nothing waits for a group to fill."""


@dataclass(slots=True, eq=False)
class Work:
    """A commit on its way, and the caller who waits for it."""

    commit: Commit
    drafts: tuple[Draft, ...]
    done: Future[tuple[Appended, ...]] = field(default_factory=Future)


@dataclass(slots=True, eq=False)
class Job:
    """Something else to be done by the writing thread, alone."""

    run: Callable[[], Any]
    done: Future[Any] = field(default_factory=Future)


class Writer:
    """The queue and its thread. `commit` is called with one or more works and settles each one's `done`."""

    def __init__(self, commit: Callable[[Sequence[Work]], None], closing: Callable[[], None]) -> None:
        self._commit, self._closing = commit, closing
        self._queue: SimpleQueue[Work | Job | None] = SimpleQueue()
        self._lock, self._closed = Lock(), False
        self._thread = Thread(target=self._run, name="monitor-store-writer", daemon=True)
        self._thread.start()

    def append(self, commit: Commit, drafts: tuple[Draft, ...]) -> tuple[Appended, ...]:
        """Queue a commit and wait until it is durable."""
        work = Work(commit, drafts)
        self._put(work)
        return work.done.result()

    def do(self, run: Callable[[], T]) -> T:
        """Run something on the writing thread and wait for it."""
        job = Job(run)
        self._put(job)
        result: T = job.done.result()
        return result

    def later(self, run: Callable[[], Any]) -> None:
        """Run something on the writing thread after what is queued; not at all if the store closes first."""
        with self._lock:
            if not self._closed:
                self._queue.put(Job(run))

    def waiting(self) -> int:
        """How many commits and jobs are queued."""
        return self._queue.qsize()

    def close(self) -> None:
        """Finish what is queued, then stop."""
        with self._lock:
            closed, self._closed = self._closed, True
            if not closed:
                self._queue.put(None)
        self._thread.join()

    def _put(self, item: Work | Job) -> None:
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed; nothing was appended")
            self._queue.put(item)

    def _run(self) -> None:
        item = self._queue.get()
        while item is not None:
            item = self._do(item) if isinstance(item, Job) else self._group(item)
        self._closing()

    def _do(self, job: Job) -> Work | Job | None:
        try:
            job.done.set_result(job.run())
        except BaseException as error:
            job.done.set_exception(error)
        return self._queue.get()

    def _group(self, first: Work) -> Work | Job | None:
        works, events = [first], len(first.drafts)
        following: Work | Job | None = None
        waiting = True
        while events < GROUP:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if not isinstance(following, Work):
                waiting = False
                break
            works.append(following)
            events += len(following.drafts)
        try:
            self._commit(works)
        except BaseException as error:
            for work in works:
                if not work.done.done():
                    work.done.set_exception(error)
        return self._queue.get() if waiting else following
