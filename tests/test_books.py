"""What is in force when the store refuses what the files led to."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from monitor.books import Books
from monitor.core import views
from monitor.errors import TryAgain
from monitor.matching.model import Document
from monitor.ports import Appended, Commit
from monitor.settings import load_settings
from monitor.store.memory import MemoryStore
from tests.fakes import ManualClock

THEME = """\
theme: machines
title: Machines
severity: high
rules:
  - {id: only, when: '"machine tools" and "%s"'}
"""


class LockableStore(MemoryStore):
    """A store that another process can hold."""

    locked = False

    def append(self, commit: Commit) -> tuple[Appended, ...]:
        if self.locked:
            raise TryAgain("another process is writing")
        return super().append(commit)


def test_an_edit_that_could_not_be_adopted_is_looked_at_again(tmp_path: Path) -> None:
    for folder in ("rules/themes", "seeds"):
        (tmp_path / folder).mkdir(parents=True)
    theme = tmp_path / "rules/themes/machines.yaml"
    theme.write_text(THEME % "Russia")
    store = LockableStore(views=views.ALL, clock=ManualClock(), entropy=random.Random(1).randbytes)
    books = Books(load_settings(tmp_path, {}), store)
    books.start()
    assert not books.stale()

    theme.write_text(THEME % "Belarus")
    store.locked = True
    with pytest.raises(TryAgain):
        books.reload()
    assert books.stale()

    store.locked = False
    assert books.reload().engine is not None
    assert not books.stale()


def test_a_start_takes_the_compiled_book_of_the_last_and_does_without_it(tmp_path: Path) -> None:
    for folder in ("rules/themes", "seeds"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "rules/themes/machines.yaml").write_text(THEME % "Russia")
    text = Document(title="", text="Machine tools for Russia")
    for state in ("none", "kept", "damaged", "kept again"):
        store = MemoryStore(views=views.ALL, clock=ManualClock(), entropy=random.Random(1).randbytes)
        books = Books(load_settings(tmp_path, {}), store)
        kept = list((tmp_path / "state/cache").glob("*.book"))
        assert bool(kept) == (state != "none")
        if state == "damaged":
            kept[0].write_bytes(kept[0].read_bytes()[:-1])
        reloaded = books.start()
        assert reloaded.engine is not None
        assert [match.theme for match in reloaded.engine.match(text)] == ["machines"], state
        assert books.reload().engine is reloaded.engine, "rules that did not change are not compiled again"
