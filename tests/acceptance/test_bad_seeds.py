"""Seed files at their worst beside a good one: each is named with its cause, the good one is flagged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

import pytest

from tests.acceptance.harness import Workspace, await_that
from tests.conftest import absent

GOOD = "Good\n\nCustoms found machine tools on the way to Russia.\n"


@pytest.fixture
def ready(work: Workspace) -> Workspace:
    work.theme()
    work.sources(folder=True)
    work.write("seeds/documents/good.txt", GOOD)
    return work


def _flagged(work: Workspace) -> list[str]:
    return [alert["title"] for alert in work.list("alerts")]


def _prove(work: Workspace, name: str, cause: str, prefix: Sequence[str] = ()) -> None:
    """The bad file is named with its cause on one line; the good one is flagged, and so is one that comes later."""
    done = work.once(prefix=prefix)
    lines = [line for line in done.err.splitlines() if name in line]
    assert len(lines) == 1, done.err
    assert any(word in lines[0] for word in cause.split("|")), lines[0]
    assert _flagged(work) == ["Good"]
    work.write("seeds/documents/later.txt", GOOD.replace("Good", "Later"))
    again = work.once(prefix=prefix)
    assert _flagged(work) == ["Good", "Later"]
    assert name not in again.err, "said a second time"


def test_a_seed_that_is_binary(ready: Workspace) -> None:
    ready.write("seeds/documents/picture.txt", bytes(range(256)) * 64)
    _prove(ready, "picture.txt", "binary|not text")


def test_a_seed_that_is_empty(ready: Workspace) -> None:
    ready.write("seeds/documents/nothing.txt", b"")
    _prove(ready, "nothing.txt", "empty")


def test_a_seed_of_200_mb(ready: Workspace) -> None:
    with (ready.home / "seeds" / "documents" / "huge.txt").open("wb") as huge:
        huge.truncate(200 * 1024 * 1024)  # sparse: as large for the reader, quick to make
    _prove(ready, "huge.txt", "MB|MiB|large")


def test_a_seed_that_cannot_be_read(ready: Workspace) -> None:
    ready.write("seeds/documents/locked.txt", GOOD).chmod(0)
    _prove(ready, "locked.txt", "ermission|denied", prefix=unprivileged())


def test_a_seed_that_is_a_dangling_link(ready: Workspace) -> None:
    (ready.home / "seeds" / "documents" / "dangling.txt").symlink_to("/nonexistent/target.txt")
    _prove(ready, "dangling.txt", "link|No such file|not exist|outside")


def test_a_seed_that_is_a_pipe_does_not_hold_the_run(ready: Workspace) -> None:
    os.mkfifo(ready.home / "seeds" / "documents" / "pipe.txt")
    _prove(ready, "pipe.txt", "file")


def test_a_broken_pdf(ready: Workspace) -> None:
    ready.write("seeds/documents/broken.pdf", b"%PDF-1.7\n" + b"\x00garbage" * 100)
    _prove(ready, "broken.pdf", "PDF")


def test_json_that_is_not(ready: Workspace) -> None:
    ready.write("seeds/documents/broken.json", '{"title": "x", ')
    _prove(ready, "broken.json", "JSON")


def test_a_seed_dropped_and_changed_while_the_daemon_runs(ready: Workspace) -> None:
    with ready.daemon() as daemon:
        daemon.ready()
        await_that(lambda: _flagged(ready) == ["Good"], within=15, what="the seed is flagged")
        ready.write("seeds/documents/binary.txt", bytes(range(256)))
        daemon.await_said("binary.txt")
        ready.write("seeds/documents/good.txt", GOOD + "\nMore of it.\n")
        await_that(
            lambda: [entry["revision"] for entry in ready.entries() if entry["title"] == "Good"] == [2],
            within=15, what="the changed seed is a revision",
        )  # fmt: skip
        daemon.stop()
    assert len(ready.log("EntryObserved")) == 1


def unprivileged() -> list[str]:
    """A prefix that takes root's licence to ignore file modes; empty for ordinary users."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        absent("as root, file modes bind nobody, and setpriv is not there to change that")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all"]
