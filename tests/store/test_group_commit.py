"""Commits that queue up while one is written share the next transaction; one that is alone waits for nobody."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from monitor.errors import StoreError
from monitor.ports import Appended, Commit
from monitor.store.plan import Draft, draft_all
from monitor.store.writer import GROUP, Work, Writer
from tests.contracts.children import entropy, entry


class Slow:
    """What stands for the database: the first commit waits until told to go on."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.begun, self.go_on = Event(), Event()

    def commit(self, works: Sequence[Work]) -> None:
        self.groups.append(len(works))
        self.begun.set()
        assert self.go_on.wait(60)
        for work in works:
            work.placed = (Appended(len(self.groups), False),)


def drafts(number: int) -> tuple[Draft, ...]:
    return draft_all([entry(n) for n in range(number)], entropy())


def queued(slow: Slow, writer: Writer, number: int, work: tuple[Draft, ...]) -> list[tuple[Appended, ...]]:
    """What a first caller and then, while its commit is written, `number` others are answered."""
    with ThreadPoolExecutor(number + 1) as pool:
        calls = [pool.submit(writer.append, Commit(), ())]
        assert slow.begun.wait(60)
        calls += [pool.submit(writer.append, Commit(), work) for _ in range(number)]
        while writer.waiting() < number:
            pass
        slow.go_on.set()
        return [call.result() for call in calls]


def test_commits_that_queue_up_share_a_transaction() -> None:
    slow = Slow()
    answers = queued(slow, Writer(slow.commit), 4, ())
    assert answers == [(Appended(1, False),)] + [(Appended(2, False),)] * 4
    assert slow.groups == [1, 4]


def test_a_transaction_takes_no_more_than_its_share() -> None:
    slow = Slow()
    queued(slow, Writer(slow.commit), 4, drafts(GROUP - 1))
    assert slow.groups == [1, 2, 2]


def test_one_who_is_interrupted_leaves_nobody_waiting() -> None:
    def commit(works: Sequence[Work]) -> None:
        raise KeyboardInterrupt

    writer = Writer(commit)
    with pytest.raises(KeyboardInterrupt):
        writer.append(Commit(), ())
    with pytest.raises(KeyboardInterrupt):
        writer.append(Commit(), ())


def test_those_who_share_the_transaction_of_one_interrupted_are_told() -> None:
    slow = Slow()

    def commit(works: Sequence[Work]) -> None:
        slow.commit(works)
        if len(works) > 1:
            for work in works:
                work.placed = None
            raise KeyboardInterrupt

    writer = Writer(commit)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(writer.append, Commit(), ())]
        assert slow.begun.wait(60)
        calls += [pool.submit(writer.append, Commit(), ()) for _ in range(3)]
        while writer.waiting() < 3:
            pass
        slow.go_on.set()
        raised = sorted(type(call.exception()).__name__ for call in calls[1:])
    assert raised == ["KeyboardInterrupt", "StoreError", "StoreError"]


def test_nothing_is_written_once_closed() -> None:
    slow = Slow()
    slow.go_on.set()
    writer, closed = Writer(slow.commit), []
    assert writer.do(lambda: 7) == 7
    writer.close(lambda: closed.append(1))
    writer.close(lambda: closed.append(2))
    with pytest.raises(StoreError, match="closed"):
        writer.append(Commit(), ())
    with pytest.raises(StoreError, match="closed"):
        writer.do(lambda: 7)
    assert closed == [1] and slow.groups == []
