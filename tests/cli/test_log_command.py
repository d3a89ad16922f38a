"""`monitor log` and `monitor verify`: the newest first of all, and one line whatever was done to the log."""

from __future__ import annotations

import _thread
import io
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from monitor.app import open_store_to_write
from monitor.cli import context, dispatch
from monitor.core import events as ev
from monitor.ports import Commit
from monitor.settings import load_settings
from tests.acceptance.harness import await_that

EVENTS = 120


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose log has 120 events, each third of another stream and type."""
    monkeypatch.setattr(context, "given_home", None)
    for folder in ("rules/themes", "seeds"):
        (tmp_path / folder).mkdir(parents=True)
    with closing(open_store_to_write(load_settings(tmp_path))) as store:
        for number in range(1, EVENTS + 1):
            source = f"feed-{number}"
            event = ev.SourceAdded(source_id=source, kind="feed", location=f"https://{source}.example.org/")
            removed = ev.SourceFailed(source_id="feed", reason="HTTP 503")
            kept = ev.NewEvent(stream="source/feed", event=removed) if number % 3 == 0 else None
            store.append(Commit(events=(kept or ev.NewEvent(stream=f"source/{source}", event=event),)))
    return tmp_path


def positions(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[int]:
    assert dispatch(["--home", str(home), "log", *words]) == 0
    return [int(line.split()[0]) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ((), range(71, 121)),
        (("--limit", "5"), range(116, 121)),
        (("--limit", "0"), range(0)),
        (("--limit", "500"), range(1, 121)),
        (("--from", "3"), range(3, 121)),
        (("--from", "3", "--limit", "2"), range(3, 5)),
        (("--limit", "2", "--type", "SourceFailed"), range(117, 121, 3)),
        (("--limit", "2", "--stream", "source/feed"), range(117, 121, 3)),
        (("--from", "10", "--limit", "2", "--type", "SourceFailed"), range(12, 16, 3)),
    ],
)
def test_the_newest_unless_it_is_said_from_where(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], seen: range
) -> None:
    assert positions(home, capsys, *words) == list(seen)


def test_as_json_all_of_it_unless_a_limit_is_given(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, count in (((), EVENTS), (("--limit", "7"), 7)):
        assert dispatch(["--home", str(home), "log", "--json", *words]) == 0
        assert len(capsys.readouterr().out.splitlines()) == count


def test_following_begins_with_the_newest(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)

    def lines() -> list[str]:
        return out.getvalue().splitlines()

    def append_and_end() -> None:
        try:
            await_that(lambda: len(lines()) >= 2, within=10, what="the newest are shown")
            with closing(open_store_to_write(load_settings(home))) as store:
                gone = ev.SourceFailed(source_id="feed", reason="HTTP 503")
                store.append(Commit(events=(ev.NewEvent(stream="source/feed", event=gone),)))
            await_that(lambda: len(lines()) >= 3, within=10, what="what was appended is shown")
        finally:
            _thread.interrupt_main()

    thread = threading.Thread(target=append_and_end)
    thread.start()
    with pytest.raises(SystemExit, match="130"):
        dispatch(["--home", str(home), "log", "--follow", "--limit", "2"])
    thread.join()
    assert [int(line.split()[0]) for line in lines()] == [119, 120, 121]


def verify(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = dispatch(["--home", str(home), "verify", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def spoil(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "state" / "monitor.db")) as database, database:
        assert database.execute(statement).rowcount == 1


@pytest.mark.parametrize(
    "change",
    [
        "body = replace(body, 'feed', 'food')",  # which makes text of the bytes
        "body = CAST(x'7b80' AS TEXT)",
        "body = 7",
        "salt = 'salt'",
        "hash = 'hash'",
        "dedupe = 'text'",
        "stream = x'00'",
        "stream = CAST(x'80' AS TEXT)",
        "actor = 7",
        "version = 'one'",
        "recorded_at = 'yesterday'",
        "recorded_at = 1e300",
        "schema_version = -1",
        "causation = x'00'",
    ],
)
def test_whatever_is_put_into_a_column_is_one_line(home: Path, capsys: pytest.CaptureFixture[str], change: str) -> None:
    spoil(home, f"UPDATE events SET {change} WHERE position = 100")
    for words in ((), ("--chain",)):
        code, out, err = verify(home, capsys, *words)
        assert (code, out) == (1, "")
        [line] = err.splitlines()
        assert line.startswith("monitor: position 100: ")


def test_a_head_that_is_no_bytes_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(home, "UPDATE log_head SET hash = 'none'")
    code, out, err = verify(home, capsys)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert err.startswith("monitor: position 120: the log's head")


def test_a_head_seen_earlier_is_placed_or_missed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(home / "state" / "monitor.db")) as database:
        [(digest,)] = database.execute("SELECT hash FROM events WHERE position = 42").fetchall()
    code, out, _ = verify(home, capsys, "--head", digest.hex())
    assert code == 0
    assert out.splitlines()[-1] == "the head seen earlier is that of position 42"
    code, _, err = verify(home, capsys, "--head", "0" * 63 + "1")
    assert code == 1
    assert err.startswith("monitor: position 121: the log ends before it, and the head 000")
