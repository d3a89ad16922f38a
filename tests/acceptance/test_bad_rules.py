"""Rules at fault: nothing starts on a fresh log; where rules were adopted before, those stay in force."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import Daemon, Workspace, await_that

DOCUMENT = "Customs found machine tools on the way to Russia.\n"


def _alerts(work: Workspace) -> list[str]:
    return [alert["title"] for alert in work.list("alerts")]


def _drop(work: Workspace, name: str, title: str) -> None:
    work.write(f"seeds/documents/{name}.txt", f"{title}\n\n{DOCUMENT}")


def test_no_rules_folder_on_a_fresh_log_is_said_in_one_line(work: Workspace) -> None:
    work.sources(folder=True)
    _drop(work, "one", "First")
    for path in sorted((work.home / "rules").rglob("*"), reverse=True):
        path.rmdir()
    (work.home / "rules").rmdir()
    done = work.run("run", "--once")
    assert done.code == 78
    assert re.search(r"rules", done.err)
    work.theme()
    work.once()
    assert _alerts(work) == ["First"]


def test_no_rules_folder_later_leaves_the_adopted_book_in_force(work: Workspace) -> None:
    work.theme()
    work.sources(folder=True)
    work.once()
    (work.home / "rules").rename(work.home / "rules-away")
    _drop(work, "one", "First")
    done = work.once()
    assert "rules" in done.err
    assert _alerts(work) == ["First"]


FAULTY = {
    "an empty theme": ("", r"themes/bad\.yaml"),
    "a theme of comments": ("# nothing yet\n", r"themes/bad\.yaml"),
    "a theme that is not YAML": ("title: [unclosed\nrules: {\n", r"themes/bad\.yaml:\d+:\d+: "),
    "a theme whose rule does not parse": (
        'theme: bad\ntitle: Bad\nrules:\n  - id: x\n    when: ("a" and\n',
        r"themes/bad\.yaml:5:\d+: ",
    ),
    "a theme with an unknown concept": (
        "theme: bad\ntitle: Bad\nconcepts:\n  russia: {terms: [Russia]}\nrules:\n  - {id: x, when: rusia}\n",
        r"themes/bad\.yaml:6:\d+: .*did you mean 'russia'",
    ),
    "a theme that is binary": ("\x00\x01\x02", r"themes/bad\.yaml"),
    "a theme whose example fails": (
        "theme: bad\ntitle: Bad\nrules:\n  - {id: x, when: '\"copper\"'}\nexamples:\n  match: [Nothing of it.]\n",
        r"themes/bad\.yaml:6:\d+: ",
    ),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Daemon]]:
    """A daemon with a sound book in force."""
    work = Workspace(tmp_path_factory.mktemp("faulty") / "home")
    work.theme()
    with work.daemon() as daemon:
        yield work, daemon.ready()
        daemon.stop()


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_theme_is_named_and_the_old_book_stays(running: tuple[Workspace, Daemon], name: str) -> None:
    work, daemon = running
    content, where = FAULTY[name]
    refused = len(work.log("RuleBookRefused"))
    work.write("rules/themes/bad.yaml", content)
    await_that(lambda: len(work.log("RuleBookRefused")) > refused, within=10, what="the edit is refused")
    await_that(lambda: re.search(where, daemon.said), within=5, what="the fault is said")
    checked = work.look("check")
    assert checked.code == 1
    assert re.search(where, checked.out + checked.err)
    _drop(work, name.replace(" ", "-"), name)
    await_that(lambda: name in _alerts(work), within=15, what="the old book still flags")
    assert len(work.log("RuleBookAdopted")) == 1


def test_a_faulty_theme_at_start_leaves_the_adopted_book_in_force(work: Workspace) -> None:
    work.write("rules/themes/bad.yaml", "")
    done = work.run("run", "--once")
    assert done.code == 78, "the log holds no book to go on with"
    assert "themes/bad.yaml" in done.err
    work.theme()
    (work.home / "rules/themes/bad.yaml").unlink()
    work.once()
    work.write("rules/themes/bad.yaml", "")
    _drop(work, "one", "First")
    done = work.once()
    assert "themes/bad.yaml" in done.err
    assert _alerts(work) == ["First"]


def test_a_running_daemon_keeps_the_old_book_and_takes_the_mended_one(work: Workspace) -> None:
    work.theme()
    work.sources(folder=True)
    with work.daemon() as daemon:
        daemon.ready()
        work.theme(when='"machine tools" and ("Russia"')
        await_that(lambda: work.log("RuleBookRefused"), within=10, what="the faulty book is refused")
        assert re.search(r"themes/machines\.yaml:\d+:\d+", daemon.said)
        _drop(work, "one", "First")
        await_that(lambda: _alerts(work) == ["First"], within=15, what="the old rule still flags")
        work.theme(when='"copper pipes"')
        await_that(lambda: len(work.log("RuleBookAdopted")) == 2, within=10, what="the mended book is adopted")
        _drop(work, "two", "Second, of machine tools and Russia alone")
        work.write("seeds/documents/three.txt", "Third\n\nCopper pipes for everyone.\n")
        await_that(lambda: _alerts(work) == ["First", "Third"], within=15, what="the new rule decides")
        daemon.stop()
    work.verify()


def test_sighups_in_a_burst_are_outlived(work: Workspace) -> None:
    """That the signal is needed where nothing else tells of changes: tests/test_app.py."""
    work.theme()
    with work.daemon() as daemon:
        daemon.ready()
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGHUP)
        work.theme("second", when='"copper pipes"')
        daemon.signal(signal.SIGHUP)
        await_that(lambda: len(work.log("RuleBookAdopted")) == 2, within=10, what="the edit is adopted")
        assert daemon.alive
        daemon.stop()
    assert len(work.log("RuleBookAdopted")) == 2, "adopted once"


@pytest.mark.parametrize("path", ["rules/receivers.yaml", "seeds/sources.yaml"])
def test_faulty_receivers_or_sources_leave_the_adopted_ones_in_force(work: Workspace, path: str) -> None:
    work.theme()
    work.sources(folder=True)
    work.once()
    work.write(path, "sources: [{id: x\n")
    _drop(work, "one", "First")
    done = work.once()
    assert re.search(rf"{Path(path).name}:\d+:\d+: ", done.err)
    assert _alerts(work) == ["First"]
    assert len(work.outbox) == 1
    assert len(work.log("ConfigurationRefused")) == 1


def test_all_faulty_settings_are_named_at_once(work: Workspace) -> None:
    work.write("monitor.toml", 'time_zone = "Europe/Viena"\nlog_formt = "json"\n')
    done = work.run("run", "--once", env={"MONITOR_SMTP_URL": "smtp//user:hunter2@mail.example.org"})
    assert done.code == 78
    for key in ("time_zone", "log_formt", "MONITOR_SMTP_URL", "Europe/Vienna", "log_format"):
        assert key in done.err
    assert "hunter2" not in done.err
