"""SQLite files that are locked, read-only, full, damaged, another's or newer: one clear line, nothing touched."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from monitor.core import views
from monitor.core.views import ALL
from monitor.errors import ConfigurationError, StoreError, TryAgain, Unavailable
from monitor.ports import Commit
from monitor.store import open_store
from monitor.store.sql import SqlStore
from monitor.store.verify import verify
from tests.contracts.children import append_as_nobody, child, entropy, entry, source_added
from tests.fakes import ManualClock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


def opened(file: Path, *, read_only: bool = False, timeout: float = 0.05) -> SqlStore:
    url = f"sqlite:///{file}?timeout={timeout}"
    return open_store(url, views=ALL, clock=ManualClock(), entropy=entropy(), read_only=read_only)


@pytest.fixture
def filled(file: Path) -> Path:
    with closing(opened(file)) as store:
        store.append(Commit(events=(source_added(), entry(1))))
    return file


@pytest.fixture
def lock(filled: Path) -> Iterator[sqlite3.Connection]:
    """Another program's connection, in a transaction that writes."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_the_file_is_made_for_its_owner_alone_and_set_up_as_promised(file: Path) -> None:
    with closing(opened(file)) as store:
        assert file.stat().st_mode & 0o777 == 0o600
        asked = {
            name: store.write(lambda c, name=name: c.execute(f"PRAGMA {name}").fetchone()[0], "asking")
            for name in ("page_size", "journal_mode", "synchronous", "secure_delete")
        }
        assert asked == {"page_size": 8192, "journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
    assert [path.name for path in file.parent.iterdir()] == ["monitor.db"]  # closing leaves one file


def test_readers_read_while_the_writer_writes_and_never_checkpoint(file: Path) -> None:
    with closing(opened(file)) as store:
        store.append(Commit(events=(source_added(),)))
        wal = file.with_name("monitor.db-wal")
        size = file.stat().st_size
        with closing(opened(file, read_only=True)) as reader:
            store.append(Commit(events=(entry(1),)))
            assert reader.head().position == 2
            found = reader.get(views.SOURCES, "port-news")
            assert found is not None and found.entries == 1
            with pytest.raises(StoreError, match="for reading only"):
                reader.append(Commit(events=(entry(2),)))
            with pytest.raises(StoreError, match="for reading only"):
                reader.rebuild()
        assert wal.stat().st_size > 0 and file.stat().st_size == size


def test_a_reader_reads_what_a_killed_writer_left_in_the_wal(filled: Path, tmp_path: Path) -> None:
    with closing(opened(filled)) as store:
        store.append(Commit(events=(entry(2),)))
        (tmp_path / "copy").mkdir()
        for path in filled.parent.glob("monitor.db*"):
            shutil.copy(path, tmp_path / "copy")
    with closing(opened(tmp_path / "copy" / "monitor.db", read_only=True)) as reader:
        assert reader.head().position == 3
        assert verify(reader).ok


def test_a_reader_of_nothing_is_told_so_and_makes_nothing(file: Path) -> None:
    with pytest.raises(Unavailable, match=r"monitor\.db': not there; `monitor run` makes it"):
        opened(file, read_only=True)
    assert not file.exists()
    file.touch()
    with pytest.raises(StoreError, match="empty; `monitor run` fills it"):
        opened(file, read_only=True)


def test_a_locked_file_is_refused_at_open(lock: sqlite3.Connection, filled: Path) -> None:
    with pytest.raises(TryAgain, match=r"monitor\.db': another process is writing to it; nothing was done, try again"):
        opened(filled)


def test_an_append_while_another_writes_is_refused_and_the_next_one_works(filled: Path) -> None:
    with closing(opened(filled)) as store, closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryAgain, match="another process is writing"):
            store.append(Commit(events=(entry(2),)))
        other.execute("ROLLBACK")
        assert store.append(Commit(events=(entry(2),)))[0].position == 3


@pytest.mark.parametrize("read_only", [False, True], ids=["writer", "reader"])
def test_a_file_that_is_no_database_is_left_alone(file: Path, read_only: bool) -> None:
    content = b"Dear diary, " * 2000
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"monitor\.db': not an SQLite database; it was not touched"):
        opened(file, read_only=read_only)
    assert file.read_bytes() == content


@pytest.mark.parametrize("read_only", [False, True], ids=["writer", "reader"])
def test_another_programs_database_is_left_alone(file: Path, read_only: bool) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreError, match=r"holds tables of another program \(recipes, …\); it was not touched"):
        opened(file, read_only=read_only)
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("recipes",)]


@pytest.mark.parametrize("read_only", [False, True], ids=["writer", "reader"])
def test_a_database_of_a_newer_version_is_left_alone(filled: Path, read_only: bool) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '0999'")
        newer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = filled.read_bytes()
    with pytest.raises(
        StoreError, match=r"made by a newer version .*'0999'.*; it was not touched, update this program"
    ):
        opened(filled, read_only=read_only)
    assert filled.read_bytes() == before


def test_a_damaged_file_is_named(filled: Path) -> None:
    with closing(opened(filled)) as store:
        for number in range(200):
            store.append(Commit(events=(entry(number, text="x" * 2000),)))
    content = bytearray(filled.read_bytes())
    for page in range(8192 * 2, len(content), 8192):
        content[page : page + 200] = b"\xff" * 200
    filled.write_bytes(content)
    words = r"monitor\.db': damaged \(.*\); run `monitor verify`, then restore a backup"
    with pytest.raises(StoreError, match=words), closing(opened(filled)) as store:
        list(store.read())


def test_a_folder_that_cannot_hold_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(Unavailable, match="cannot be opened"):
        opened(tmp_path / "state" / "monitor.db")
    with pytest.raises(Unavailable, match="cannot be created: No such file or directory; nothing was done"):
        opened(tmp_path / "no" / "such" / "monitor.db")
    (tmp_path / "monitor.db").mkdir()
    with pytest.raises(Unavailable, match="cannot be opened"):
        opened(tmp_path / "monitor.db")


@pytest.mark.skipif(sys.platform == "win32", reason="file permissions are another matter there")
def test_a_read_only_file_is_named(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        copy = Path(shutil.copy(filled, folder))
        copy.chmod(0o444)
        before = copy.read_bytes()
        with child(append_as_nobody, f"sqlite:///{copy}", Commit(events=(entry(9),))) as (_, pipe):
            said = pipe.recv()
        assert copy.read_bytes() == before
    assert "monitor.db': read-only; nothing was done, give this user the right to write to it" in said


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


FULL = """
import sys
from pathlib import Path
from tests.store.test_sqlite_trouble import opened, entry, source_added, Commit, StoreError, verify
folder = Path(sys.argv[1])
ballast = folder / "ballast"
store = opened(folder / "monitor.db")
store.append(Commit(events=(source_added(),)))
ballast.write_bytes(bytes(1_000_000))
said, last = None, 1
for number in range(100):
    try:
        last = store.append(Commit(events=(entry(number, text="x" * 50_000),)))[0].position
    except StoreError as error:
        said = str(error)
        break
assert said is not None and "disk full" in said, said
assert store.head().position == last
ballast.unlink()
assert store.append(Commit(events=(entry("later"),)))[0].position == last + 1
assert verify(store).ok
store.close()
store = opened(folder / "monitor.db")
assert store.head().position == last + 1 and verify(store).ok
print("survived:", said)
"""


def test_crash_matrix_08_a_real_disk_that_is_full_refuses_and_works_again_with_space(tmp_path: Path) -> None:
    if not _can_mount():
        pytest.skip("no right to mount a small file system (unshare -rm)")
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=3m tmpfs "$1" && exec "$2" -W error -c "$3" "$1"', "sh",
         str(tmp_path), sys.executable, FULL],
        capture_output=True, text=True, check=False, cwd=root, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "disk full while appending; nothing was done, it works again with space" in done.stdout


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://user:hunter2@localhost/x", "'mysql' is not known; use sqlite"),
        ("sqlite://", "SQLite needs a file"),
        ("sqlite:///:memory:", "SQLite needs a file"),
        ("not an address", "not an address; write sqlite:///"),
    ],
)
def test_addresses_that_name_no_database_are_explained(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as error:
        open_store(url, views=ALL, clock=ManualClock(), entropy=entropy())
    assert "hunter2" not in str(error.value)


def test_an_old_sqlite_is_noted(file: Path) -> None:
    with closing(opened(file)) as store:
        old = sqlite3.sqlite_version_info < (3, 51, 3)
        assert len(store.notes) == old and all("WAL-reset" in note for note in store.notes)


def test_opening_what_is_in_order_needs_neither_alembic_nor_sqlmodel(filled: Path) -> None:
    program = (
        "import sys, monitor.store; assert 'sqlalchemy' not in sys.modules;"
        "from tests.store.test_sqlite_trouble import opened, Path;"
        f"opened(Path({str(filled)!r})).close();"
        "print(sorted({'alembic', 'sqlmodel', 'sqlalchemy'} & set(sys.modules)))"
    )
    root = str(Path(__file__).parents[2])
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert said.stdout.strip() == "['sqlalchemy']"
