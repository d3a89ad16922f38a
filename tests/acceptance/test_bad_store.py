"""The database at its worst: one clear line, nothing acknowledged that is not kept, and on it goes afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import Daemon, Finished, Workspace, await_that
from tests.acceptance.test_bad_seeds import unprivileged
from tests.conftest import absent


@pytest.fixture
def started(work: Workspace) -> Workspace:
    """A working directory with one alert in its log."""
    work.theme()
    work.sources(folder=True)
    _drop(work, "First")
    work.once()
    assert _flagged(work) == ["First"]
    return work


def _drop(work: Workspace, title: str, size: int = 0) -> None:
    body = "Customs found machine tools on the way to Russia.\n\n" + "word " * (size // 5)
    work.write(f"seeds/documents/{title.lower()}.txt", f"{title}\n\n{body}\n")


def _flagged(work: Workspace) -> list[str]:
    return [alert["title"] for alert in work.list("alerts")]


def _database(work: Workspace) -> Path:
    return work.home / "state" / "monitor.db"


def _one_clear_line(done: Finished, *words: str) -> None:
    said = [line for line in done.err.splitlines() if line.startswith("monitor: ")]
    assert len(said) == 1, done.err
    for word in words:
        assert word in said[0], said[0]


def test_a_database_that_is_read_only(started: Workspace) -> None:
    state = started.home / "state"
    for path in (*state.glob("monitor.db*"), state):
        path.chmod(0o555)
    _drop(started, "Second")
    done = started.run("run", "--once", prefix=unprivileged())
    assert done.code != 0, done.err
    _one_clear_line(done, "state")
    for path in (state, *state.glob("monitor.db*")):
        path.chmod(0o755)
    started.once()
    assert _flagged(started) == ["First", "Second"]


def test_only_the_database_file_is_read_only(started: Workspace) -> None:
    _database(started).chmod(0o444)
    _drop(started, "Second")
    done = started.run("run", "--once", prefix=unprivileged())
    assert done.code != 0, done.err
    _one_clear_line(done, "monitor.db")
    _database(started).chmod(0o644)
    started.once()
    assert _flagged(started) == ["First", "Second"]


def test_a_database_locked_by_another_process_is_tried_again_later(started: Workspace) -> None:
    _drop(started, "Second")
    with _held(_database(started)):
        done = started.run("run", "--once")
        assert done.code == 75, done.err
        _one_clear_line(done, "monitor.db", "another process")
    started.once()
    assert _flagged(started) == ["First", "Second"]


def test_a_running_daemon_outlives_a_lock_of_another_process(started: Workspace) -> None:
    with started.daemon() as daemon:
        daemon.ready()
        _drop(started, "Second")
        await_that(lambda: _flagged(started) == ["First", "Second"], within=45, what="the daemon is at work")
        with _held(_database(started)):
            _drop(started, "Third")
            daemon.await_said("another process", within=45)
        await_that(lambda: _flagged(started)[2:] == ["Third"], within=45, what="what came meanwhile is flagged")
        daemon.stop()
    started.verify()


def test_a_database_made_by_a_newer_version(started: Workspace) -> None:
    known = _set_version(started, "zzzz-from-the-future")
    _drop(started, "Second")
    for done in (started.run("run", "--once"), started.look("alerts")):
        assert done.code == 1
        _one_clear_line(done, "monitor.db", "made by a newer version", "not touched")
    assert _set_version(started, known) == "zzzz-from-the-future"
    assert _flagged(started) == ["First"]
    started.once()
    assert _flagged(started) == ["First", "Second"]


def _set_version(work: Workspace, version: str) -> str:
    """Let the tables be of this version; returns of which they were."""
    with contextlib.closing(sqlite3.connect(_database(work))) as database, database:
        [(before,)] = database.execute("SELECT version_num FROM alembic_version").fetchall()
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
    return str(before)


def test_a_file_that_is_no_database(work: Workspace) -> None:
    work.theme()
    _database(work).write_bytes(b"This is a letter to my aunt, not a database.\n" * 50)
    done = work.run("run", "--once")
    assert done.code != 0
    _one_clear_line(done, "monitor.db")
    assert _database(work).read_bytes().startswith(b"This is a letter"), "it must not be overwritten"


def test_crash_matrix_08_disk_full_at_append(work: Workspace, small_disk: Path) -> None:
    """The daemon says so, acknowledges nothing, and goes on once there is room."""
    work.theme()
    work.sources(folder=True)
    (work.home / "state").rmdir()
    (work.home / "state").symlink_to(small_disk)
    with work.daemon() as daemon:
        daemon.ready()
        _drop(work, "First")
        await_that(lambda: _flagged(work) == ["First"], within=15, what="the first seed is flagged")
        filler = small_disk / "filler"
        _fill(filler)
        _drop(work, "Second", size=300_000)
        daemon.await_said("disk|space|full", within=30)
        before = len(work.entries())
        assert _flagged(work) == ["First"]
        filler.unlink()
        _drop(work, "Third")
        await_that(
            lambda: sorted(_flagged(work)) == ["First", "Second", "Third"], within=60,
            what="what came while the disk was full is flagged too",
        )  # fmt: skip
        assert before == 1
        _assert_quiet(daemon)
        daemon.stop()
    work.verify()


def _assert_quiet(daemon: Daemon) -> None:
    assert sum("disk" in line or "space" in line for line in daemon.said.splitlines()) <= 6, daemon.said


def _fill(path: Path) -> None:
    """Write until nothing more fits."""
    with pytest.raises(OSError, match="No space left"), path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                if size == 1:
                    raise


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    where = tmp_path / "small-disk"
    where.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        absent("a small file system to fill needs root and mount(8)")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", where], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        absent(f"a small file system could not be mounted: {mounted.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", where], check=True, capture_output=True)


@contextlib.contextmanager
def _held(database: Path) -> Iterator[None]:
    """Another process's write lock on a database, while the block runs."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
