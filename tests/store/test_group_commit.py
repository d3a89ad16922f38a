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
from tests.fakes import START


class Slow:
    """What stands for the database: the first commit waits until told to go on."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.begun, self.go_on, self.closed = Event(), Event(), Event()

    def commit(self, works: Sequence[Work]) -> None:
        self.groups.append(len(works))
        self.begun.set()
        assert self.go_on.wait(60)
        for work in works:
            work.done.set_result((Appended(len(self.groups), False),))


def drafts(number: int) -> tuple[Draft, ...]:
    return draft_all([entry(n) for n in range(number)], START, entropy())


def test_commits_that_queue_up_share_a_transaction() -> None:
    slow = Slow()
    writer = Writer(slow.commit, slow.closed.set)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(writer.append, Commit(), ())
        assert slow.begun.wait(60)
        rest = [pool.submit(writer.append, Commit(), ()) for _ in range(4)]
        while writer.waiting() < 4:
            pass
        slow.go_on.set()
        assert first.result() == (Appended(1, False),)
        assert [one.result() for one in rest] == [(Appended(2, False),)] * 4
    writer.close()
    assert slow.groups == [1, 4] and slow.closed.is_set()


def test_a_transaction_takes_no_more_than_its_share() -> None:
    slow = Slow()
    writer = Writer(slow.commit, slow.closed.set)
    many = drafts(GROUP - 1)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(writer.append, Commit(), ())
        assert slow.begun.wait(60)
        rest = [pool.submit(writer.append, Commit(), many) for _ in range(4)]
        while writer.waiting() < 4:
            pass
        slow.go_on.set()
        for one in (first, *rest):
            one.result()
    writer.close()
    assert slow.groups == [1, 2, 2]


def test_jobs_keep_their_turn_and_their_faults() -> None:
    slow = Slow()
    slow.go_on.set()
    writer = Writer(slow.commit, slow.closed.set)
    order: list[str] = []
    writer.later(lambda: order.append("later"))
    assert writer.do(lambda: order.append("now")) is None
    with pytest.raises(ZeroDivisionError):
        writer.do(lambda: 1 // 0)
    assert order == ["later", "now"]
    writer.close()
    writer.close()
    writer.later(lambda: order.append("too late"))
    with pytest.raises(StoreError, match="closed"):
        writer.append(Commit(), ())
    assert order == ["later", "now"]
