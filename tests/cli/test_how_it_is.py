"""`status` and the lists for people: whether the daemon runs, what fails, and all of it within the screen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from rich.cells import cell_len

from monitor import control
from monitor.cli import dispatch, output
from tests.acceptance.harness import Workspace

FAR = "a-source-with-quite-a-long-name"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A home that has met one document, with a feed that nobody answers for."""
    work = Workspace(tmp_path_factory.mktemp("desk") / "home", COLUMNS="80")
    work.theme("machines-that-are-sold-abroad", when='"machine tools" and ("Russia" or "of the long condition")')
    work.write(
        "seeds/sources.yaml",
        f"sources:\n  - {{id: {FAR}, url: 'http://127.0.0.1:1/feed'}}\n"
        "  - {id: documents, path: documents/, kind: folder}\n",
    )
    text = "Trade\n\nmachine tools for Russia\n\nand\x1b[31m a second paragraph\n"
    work.write("seeds/documents/one.txt", text)
    work.write("seeds/documents/two.txt", "Gärten\n\nnothing of it\n")
    done = work.look("run", "--once")
    assert done.code == 0
    (work.home / "said").write_text(done.err)
    yield work


def test_the_last_line_of_a_run_counts_well_and_names_what_fails(desk: Workspace) -> None:
    last = (desk.home / "said").read_text().splitlines()[-1]
    assert last.endswith(
        "2 entries, 1 open alert, 1 delivery made, 0 pending, 1 of 2 sources failing (`monitor status` tells why)"
    )


def test_what_sqlite_is_known_for_is_said_by_run_alone_and_shortly(desk: Workspace) -> None:
    notes = [line for line in (desk.home / "said").read_text().splitlines() if "WAL-reset" in line]
    assert all(len(line.partition("SQLite")[2]) < 110 for line in notes)
    assert "WAL-reset" not in desk.look("ack", "alr-none").err


def test_status_says_whether_the_daemon_runs(desk: Workspace) -> None:
    async def handle(act: str, args: dict[str, Any], actor: str) -> dict[str, Any]:
        raise AssertionError("nothing is asked of it")

    def told() -> tuple[bool, list[str]]:
        [line] = [line for line in desk.look("status").out.splitlines() if line.startswith("daemon:")]
        return desk.status()["daemon"], line.split()[1:]

    async def while_one_listens() -> tuple[bool, list[str]]:
        async with await control.serve(desk.home / "state", handle, token=""):
            found = await asyncio.to_thread(told)
            while hearing := asyncio.all_tasks() - {asyncio.current_task()}:  # who connected and said nothing
                await asyncio.wait(hearing)
            return found

    assert told() == (False, ["not", "running;", "nothing", "is", "read", "or", "sent", "until", "`monitor", "run`"])
    assert asyncio.run(while_one_listens()) == (True, ["running"])


def test_entries_in_full_show_their_text(desk: Workspace) -> None:
    out = desk.look("entries", "--full").out
    assert "    machine tools for Russia\n" in out
    assert "    and [31m a second paragraph\n" in out
    assert "    nothing of it\n" in out
    assert desk.look("entries", "--full", "--theme", "machines-that-are-sold-abroad").out.count("    Trade\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("status",), ("sources",), ("entries",), ("alerts",), ("stories",), ("deliveries",), ("scorecard",),
        ("backtest",), ("near-misses",),
    ],
)  # fmt: skip
def test_what_is_for_people_fits_the_screen_and_counts_well(desk: Workspace, words: tuple[str, ...]) -> None:
    done = desk.look(*words)
    assert done.code == 0
    assert done.out or done.err
    assert max(cell_len(line) for line in [*done.out.splitlines(), *done.err.splitlines()]) <= 80
    assert not re.search(r"\b1 (entries|alerts|deliveries|attempts|hits|sources|rules|misses)\b", done.out + done.err)


def test_deliveries_say_when(desk: Workspace) -> None:
    [row] = desk.list("deliveries")
    day, hour = row["composed_at"][:10], row["composed_at"][11:16]
    assert f"{row['delivery_id']}  {day} {hour}Z  file" in desk.look("deliveries").out


def test_a_long_text_is_broken_between_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    output.wrapped("one two three four 五五五五 five", first="- ", hang=2)
    assert capsys.readouterr().out == "- one two three four\n  五五五五 five\n"
    output.listing([(("a" * 12, "bb", "c" * 12), "text"), (("a", "b", "c"), "")], empty="")
    assert capsys.readouterr().out == f"{'a' * 12}  bb\n    {'c' * 12}\n    text\na             b\n    c\n"


def test_a_verdict_is_shown_with_its_note(desk: Workspace) -> None:
    [alert] = desk.list("alerts")
    note = "an old paper that was sent round again " * 4
    assert desk.look("verdict", alert["alert_id"], "noise", "--note", note).code == 0
    assert f"noise: {note}".split() == desk.look("show", alert["alert_id"]).out.partition("verdict:")[2].split()[:33]


@pytest.mark.parametrize("command", ["show", "explain", "ack", "verdict", "init", "backup", "restore"])
def test_what_has_a_place_has_no_second_name(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert not re.search(r"\b(ID|ALERT|ALERT\|ENTRY|VERDICT|DIR|FILE) --", told)
