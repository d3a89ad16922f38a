"""What is in force when the store refuses what the files led to."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.books import Books, configure
from monitor.core import events as ev
from monitor.core import views
from monitor.core.routing import DEFAULT_RECEIVERS
from monitor.errors import ConfigurationError, TryAgain
from monitor.matching.model import Document
from monitor.pipeline.adopt import adopt_rules
from monitor.ports import Commit
from monitor.settings import load_settings
from monitor.store.memory import MemoryStore
from tests.fakes import LockableStore, ManualClock

THEME = """\
theme: machines
title: Machines
severity: high
rules:
  - {id: only, when: '"machine tools" and "%s"'}
"""
PRIVATE = "is a private or reserved address, and allow_networks in monitor.toml does not permit it"


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


def test_a_defect_of_the_compiler_refuses_the_edit_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules/themes").mkdir(parents=True)
    theme = tmp_path / "rules/themes/machines.yaml"
    theme.write_text(THEME % "Russia")
    store = MemoryStore(views=views.ALL, clock=ManualClock(), entropy=random.Random(1).randbytes)
    in_force = Books(load_settings(tmp_path, {}), store)
    in_force.start()

    def fail(book: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr("monitor.books.compile_with_needles", fail)
    theme.write_text(THEME % "Belarus")
    restarted = Books(load_settings(tmp_path, {}), store)
    for found in (in_force.reload(), restarted.start()):
        assert found.engine is None
        assert [str(fault) for fault in found.faults] == [
            "rules/: not compiled (RecursionError: too deep): a defect of this program, which please report"
        ]
    for books in (in_force, restarted):
        assert books.rules is not None and "Russia" in books.rules.themes[0].rules[0].when
    assert any(isinstance(stored.event, ev.RuleBookRefused) for stored in store.read())


def test_a_log_whose_rules_ask_for_ages_is_mended_by_mending_the_file(tmp_path: Path) -> None:
    (tmp_path / "rules/themes").mkdir(parents=True)
    theme = tmp_path / "rules/themes/machines.yaml"
    theme.write_text(THEME % "Russia" + "close_after: 999999999w\n")
    store = MemoryStore(views=views.ALL, clock=ManualClock(), entropy=random.Random(1).randbytes)
    adopt_rules(store, {"themes/machines.yaml": theme.read_text()}, [])  # as earlier versions did
    configure(store.get(views.RULE_BOOK, views.CURRENT), None)
    with pytest.raises(ConfigurationError) as raised:
        Books(load_settings(tmp_path, {}), store).start()
    assert [str(fault) for fault in raised.value.faults] == [
        "rules/themes/machines.yaml:6:14: 'close_after' is '999999999w'; at most 3650d"
    ]

    theme.write_text(THEME % "Russia" + "close_after: 3650d\n")
    assert Books(load_settings(tmp_path, {}), store).start().engine is not None
    configuration = configure(store.get(views.RULE_BOOK, views.CURRENT), None)
    assert configuration.close_after == {"machines": timedelta(days=3650)}


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


# --- what this machine has and permits

PLACES = """\
sources:
  - {id: open, url: "https://open.example.org/feed"}
  - {id: keyed, url: "https://keyed.example.org/feed?token=${TOKEN}"}
  - {id: inside, url: "http://10.0.0.7/feed"}
"""
WHOM = """\
receivers:
  duty: {webhook: {url: "http://127.0.0.1:9/hook", secret: "${DUTY_SECRET}"}}
routes: [{to: [duty]}]
"""


def home(folder: Path) -> Path:
    for name in ("rules/themes", "seeds"):
        (folder / name).mkdir(parents=True)
    (folder / "rules/themes/machines.yaml").write_text(THEME % "Russia")
    (folder / "rules/receivers.yaml").write_text(WHOM)
    (folder / "seeds/sources.yaml").write_text(PLACES)
    return folder


def fresh_store() -> MemoryStore:
    return MemoryStore(views=views.ALL, clock=ManualClock(), entropy=random.Random(1).randbytes)


def started(folder: Path, store: MemoryStore, known: set[str], allowed: str = "") -> tuple[Books, list[str]]:
    """A daemon's books after its start, its sources watched as the daemon does; and the faults it found."""
    books = Books(load_settings(folder, {"MONITOR_ALLOW_NETWORKS": allowed}), store, known_variables=known)
    faults = [str(fault) for fault in books.start().faults]
    for source in books.sources:
        added = ev.SourceAdded(source_id=source.id, kind=source.kind, location=source.location)
        store.append(Commit(events=(ev.NewEvent(stream=f"source/{source.id}", event=added),)))
    return books, faults


def watched(books: Books) -> list[str]:
    return [source.id for source in books.sources]


def test_a_missing_variable_and_an_address_not_permitted_are_faults_and_the_other_sources_run(tmp_path: Path) -> None:
    books, faults = started(home(tmp_path), fresh_store(), set())
    assert watched(books) == ["open", "seed-documents"]
    assert books.receivers is DEFAULT_RECEIVERS
    assert faults == [
        "rules/receivers.yaml:2:25: 127.0.0.1 " + PRIVATE,
        "rules/receivers.yaml:2:60: variable DUTY_SECRET is not set; set it in the environment, or DUTY_SECRET_FILE",
        "seeds/sources.yaml:3:22: variable TOKEN is not set; set it in the environment, or TOKEN_FILE",
        "seeds/sources.yaml:4:23: 10.0.0.7 " + PRIVATE,
    ]


def test_what_was_never_watched_is_not_watched_by_starting_again(tmp_path: Path) -> None:
    store = fresh_store()
    started(home(tmp_path), store, set())
    books, faults = started(tmp_path, store, set())
    assert watched(books) == ["open", "seed-documents"]
    assert len(faults) == 4
    assert sum(isinstance(one.event, ev.ConfigurationRefused) for one in store.read()) == 1


def test_where_all_is_given_and_permitted_all_is_in_force(tmp_path: Path) -> None:
    allowed = "127.0.0.1/32:9, 10.0.0.0/8"
    books, faults = started(home(tmp_path), fresh_store(), {"TOKEN", "DUTY_SECRET"}, allowed)
    assert faults == []
    assert watched(books) == ["open", "keyed", "inside", "seed-documents"]
    assert books.receivers.receiver("duty") is not None


def test_a_variable_that_went_missing_takes_nothing_out_of_force(tmp_path: Path) -> None:
    store, allowed = fresh_store(), "127.0.0.0/8, 10.0.0.0/8"
    started(home(tmp_path), store, {"TOKEN", "DUTY_SECRET"}, allowed)
    books, faults = started(tmp_path, store, set())
    assert len(faults) == 4
    assert watched(books) == ["open", "seed-documents", "keyed", "inside"]
    assert books.receivers.receiver("duty") is not None


def test_what_adopted_files_mean_does_not_depend_on_the_machine(tmp_path: Path) -> None:
    store = fresh_store()
    started(home(tmp_path), store, {"TOKEN", "DUTY_SECRET"}, "127.0.0.0/8, 10.0.0.0/8")
    configuration = configure(store.get(views.RULE_BOOK, views.CURRENT), store.get(views.CONFIGURATION, views.CURRENT))
    assert configuration.book.receiver("duty") is not None
    assert configuration.official == frozenset()


def test_which_sources_are_official_is_adopted_with_the_files(tmp_path: Path) -> None:
    store = fresh_store()
    (home(tmp_path) / "seeds/sources.yaml").write_text(
        "sources:\n- {id: bis, url: 'https://bis.example.org/', tier: official}\n"
        "- {id: news, url: 'https://news.example.org/'}\n"
    )
    started(tmp_path, store, {"TOKEN", "DUTY_SECRET"}, "127.0.0.0/8, 10.0.0.0/8")
    configuration = configure(None, store.get(views.CONFIGURATION, views.CURRENT))
    assert configuration.official == {"bis"}


@pytest.mark.parametrize("content", [None, "", "\n"])
@pytest.mark.parametrize("name", ["rules/receivers.yaml", "seeds/sources.yaml"])
def test_a_file_that_is_gone_or_empty_for_a_moment_takes_nothing_out_of_force(
    tmp_path: Path, name: str, content: str | None
) -> None:
    store = fresh_store()
    books, faults = started(home(tmp_path), store, {"TOKEN", "DUTY_SECRET"}, "127.0.0.1/32, 10.0.0.0/8")
    assert faults == []
    before, whole, position = (watched(books), books.receivers), (tmp_path / name).read_text(), store.head().position
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    assert [fault.path for fault in books.reload().faults] == [name]
    assert (watched(books), books.receivers) == before
    (tmp_path / name).write_text(whole)
    assert books.reload().faults == ()
    assert (watched(books), books.receivers) == before
    # no receiver was removed and added, which would cost it what waits for its digest
    assert [one.type for one in store.read(position)] == ["ConfigurationRefused", "ConfigurationAdopted"]

    (tmp_path / name).write_text("# nothing any more\n")
    assert books.reload().faults == ()
    assert (watched(books), books.receivers) != before


def test_a_source_with_a_slip_goes_on_also_after_a_restart(tmp_path: Path) -> None:
    store, known, allowed = fresh_store(), {"TOKEN", "DUTY_SECRET"}, "127.0.0.1/32, 10.0.0.0/8"
    books, _ = started(home(tmp_path), store, known, allowed)
    path = tmp_path / "seeds/sources.yaml"
    path.write_text(
        PLACES.replace("https://keyed", "htps://keyed") + '  - {id: later, url: "https://later.example.org/"}\n'
    )
    assert len(books.reload().faults) == 1
    assert sorted(watched(books)) == ["inside", "keyed", "later", "open", "seed-documents"]

    books, faults = started(tmp_path, store, known, allowed)
    assert len(faults) == 1
    assert sorted(watched(books)) == ["inside", "keyed", "later", "open", "seed-documents"]
