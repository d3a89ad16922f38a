"""Whatever is asked of them, the store in memory and the one in a file answer alike."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.core.views import ALL
from monitor.errors import MonitorError
from monitor.ports import Commit, PollState
from monitor.store import open_store
from monitor.store.chain import Entropy
from monitor.store.memory import MemoryStore
from monitor.store.sql import SqlStore
from monitor.store.verify import verify
from tests.contracts.children import entropy, entry, source_added
from tests.fakes import START, ManualClock

few = st.integers(0, 3)
ids = st.none() | st.sampled_from(["i-1", "i-2", "i-3"])
keys = st.none() | st.sampled_from(["k-1", "k-2", "k-3"])


def acted(stream: int, event: ev.Event, dedupe: str | None, event_id: str | None) -> ev.NewEvent:
    return ev.NewEvent(stream=f"s-{stream}", event=event, dedupe=dedupe, event_id=event_id)


events = st.one_of(
    few.map(entry),
    few.map(lambda number: source_added(f"source-{number}")),
    st.builds(acted, few, st.sampled_from([ev.OutboxReleased(), ev.OutboxHeld(reason="x")]), keys, ids),
)
commits = st.builds(
    lambda new, expected, checkpoint, due: Commit(
        events=tuple(new), expected=expected, checkpoint=checkpoint,
        polls=() if due is None else (PollState(source_id=f"source-{due}", location="x", next_due=START),),
    ),
    st.lists(events, max_size=4),
    st.dictionaries(st.sampled_from(["s-0", "s-1", "source/source-1"]), st.integers(0, 2), max_size=1),
    st.none() | st.tuples(st.just("detect"), st.integers(0, 2), st.integers(1, 3)),
    st.none() | few,
)  # fmt: skip


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        opened(path, entropy()).close()
        yield path


def opened(path: Path, salts: Entropy) -> SqlStore:
    return open_store(f"sqlite:///{path}", views=ALL, clock=ManualClock(), entropy=salts)


def answer(store: MemoryStore | SqlStore, commit: Commit) -> Any:
    try:
        return store.append(commit)
    except MonitorError as error:
        return type(error).__name__, str(error)


def state(store: MemoryStore | SqlStore) -> Any:
    with store.snapshot() as now:
        return (
            now.head[:2],
            list(now.stored()),
            now.checkpoints(),
            [list(now.kept(view)) for view in ALL],
            store.polls(),
        )


@settings(max_examples=60)
@given(st.lists(commits, max_size=8), st.sets(st.integers(0, 7)))
def test_they_agree_on_every_commit_whether_or_not_the_file_was_closed_between(
    empty: Path, history: list[Commit], reopened: set[int]
) -> None:
    salts = entropy(1)  # the same for both, so that even the hashes agree
    memory = MemoryStore(views=ALL, clock=ManualClock(), entropy=entropy(1))
    with TemporaryDirectory() as folder:
        path = Path(shutil.copy(empty, folder))
        file = opened(path, salts)
        for number, commit in enumerate(history):
            assert answer(file, commit) == answer(memory, commit)
            if number in reopened:
                file.close()
                file = opened(path, salts)
        with closing(file):
            assert state(file) == state(memory)
            assert verify(file).ok and verify(memory).ok
