"""SIGKILL at random moments of append, fold and checkpoint: what was acknowledged is there, and everything verifies."""

from __future__ import annotations

from random import Random

import pytest

from monitor.ports import Commit
from monitor.store.chain import dedupe_key
from monitor.store.verify import verify
from tests.contracts import children
from tests.contracts.children import child, source_added
from tests.contracts.conftest import Place


def killed(place: Place, kills: int) -> None:
    draw = Random(kills)
    store = place.open()
    store.append(Commit(events=(source_added(),)))
    store.close()
    acknowledged: dict[bytes, int] = {}
    for number in range(kills):
        with child(children.append_for_ever, place.url, number) as (process, pipe):
            told = [pipe.recv() for _ in range(draw.randint(1, 5))]
            pipe.poll(draw.uniform(0, 0.01))
            process.kill()
            process.join()
            told += drained(pipe)  # acknowledged, though we did not listen in time
        for _, places in told:
            acknowledged.update((dedupe_key(key), position) for key, position in places)
        store = place.open()
        assert store.checkpoint("detect") >= told[-1][0]
        assert store.head().position == store.checkpoint("detect") + 1  # every commit moved both by as much
        assert verify(store, chain_only=number % 10 != 9).ok
        stored = {row.dedupe: row.position for row in store.stored() if row.dedupe is not None}
        assert acknowledged.items() <= stored.items()
        store.close()
    assert len(acknowledged) >= kills


def drained(pipe: children.Connection) -> list[tuple[int, list[tuple[str, int]]]]:
    told = []
    while True:
        try:
            told.append(pipe.recv())
        except EOFError:
            return told


def test_25_kills_lose_nothing_that_was_acknowledged(place: Place) -> None:
    killed(place, 25)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_300_kills_lose_nothing_that_was_acknowledged(place: Place) -> None:
    killed(place, 300)
