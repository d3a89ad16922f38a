"""The log proves itself: tampering is found and placed, views and digests come again byte for byte, exports agree."""

from __future__ import annotations

import json
import shutil
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import texts
from tests.acceptance.feed_server import FeedServer
from tests.acceptance.harness import NOW, Workspace
from tests.acceptance.mail_server import MailServer

LISTS = ("entries", "alerts", "stories", "deliveries", "sources")
OPERATIONAL = ("last_ok", "next_due", "failures")  # of a source: no history, so no export has it


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A finished history: three feeds in three languages, alerts, mails, an edit, an act. Nothing runs any more."""
    work = Workspace(tmp_path_factory.mktemp("history") / "home")
    now = texts.utc_now()
    with FeedServer() as feeds, MailServer() as mail:
        feeds.add("/ministry.xml", "Ministry of Trade", items=texts.ministry(now))
        feeds.add("/vesti.atom", "Вести порта", form="atom", language="ru", items=texts.outlet(now))
        feeds.add("/xinwen.xml", "海港新闻", language="zh", items=texts.chinese(now))
        work.shipped_rules()
        work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
        work.receivers({"desk": {"email": {"to": ["desk@example.org"]}, **NOW}, "file": {"outbox": "state/outbox"}})
        work.sources(
            *((name[1:].split(".")[0], feeds.url(name)) for name in ("/ministry.xml", "/vesti.atom", "/xinwen.xml"))
        )
        work.once()
        for path, name in (("/ministry.xml", "ministry"), ("/vesti.atom", "outlet"), ("/xinwen.xml", "chinese")):
            feeds.publish(path, texts.on_theme(name, now))
        work.ok("ingest")
        work.theme("second", when='"ferries" or "ferry"')
        work.once()
        work.ok("ack", work.list("alerts")[0]["alert_id"])
    assert len(work.list("alerts")) >= 3
    return work


@pytest.fixture
def copy(history: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the history, to be spoiled."""
    work = Workspace(tmp_path / "copy")
    backup = tmp_path / "copy.db"
    history.look("backup", str(backup))
    backup.rename(work.home / "state" / "monitor.db")
    for folder in ("rules", "seeds"):
        shutil.copytree(history.home / folder, work.home / folder, dirs_exist_ok=True)
    return work


def _spoil(work: Workspace, statement: str, *parameters: object) -> None:
    database = sqlite3.connect(work.home / "state" / "monitor.db")
    with database:
        assert database.execute(statement, parameters).rowcount >= 1
    database.close()


def _body(work: Workspace, position: int) -> bytes:
    database = sqlite3.connect(work.home / "state" / "monitor.db")
    [(body,)] = database.execute("SELECT body FROM events WHERE position = ?", (position,)).fetchall()
    database.close()
    return bytes(body)


@pytest.mark.parametrize("where", [0.0, 0.3, 0.7, 1.0])
def test_one_flipped_bit_in_a_stored_body_is_found_and_placed(copy: Workspace, where: float) -> None:
    last = copy.status()["position"]
    position = max(1, round(last * where))
    body = bytearray(_body(copy, position))
    body[len(body) // 2] ^= 1
    _spoil(copy, "UPDATE events SET body = ? WHERE position = ?", bytes(body), position)
    for command in (("verify",), ("verify", "--chain")):
        done = copy.look(*command)
        assert done.code == 1
        assert f"position {position}:" in done.out + done.err


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("recorded_at", "recorded_at - 1"),
        ("actor", "'someone else'"),
        ("stream", "'alert/other'"),
        ("type", "'AlertClosed'"),
    ],
)
def test_a_changed_header_is_found_and_placed(copy: Workspace, column: str, value: str) -> None:
    _spoil(copy, f"UPDATE events SET {column} = {value} WHERE position = 7")
    done = copy.look("verify", "--chain")
    assert done.code == 1
    assert "position 7:" in done.out + done.err


@pytest.mark.parametrize("position", [1, 9])
def test_a_deleted_row_is_found_and_placed(copy: Workspace, position: int) -> None:
    _spoil(copy, "DELETE FROM events WHERE position = ?", position)
    done = copy.look("verify")
    assert done.code == 1
    assert f"position {position}:" in done.out + done.err


def test_a_cut_tail_is_found_by_a_head_seen_before(copy: Workspace) -> None:
    events = copy.log()
    last, head = events[-1]["position"], events[-1]["hash"]
    copy.ok("verify", "--head", head)
    copy.ok("verify", "--head", events[3]["hash"])
    _spoil(copy, "DELETE FROM events WHERE position > ?", last - 2)
    cut = copy.look("verify")
    assert cut.code == 1
    assert f"position {last - 1}:" in cut.out + cut.err
    _spoil(
        copy,
        "UPDATE log_head SET position = ?, hash = (SELECT hash FROM events WHERE position = ?)",
        last - 2,
        last - 2,
    )
    forged = copy.look("verify", "--chain", "--head", head)
    assert forged.code == 1
    assert head[:8] in forged.out + forged.err or f"position {last - 1}" in forged.out + forged.err


def test_a_changed_view_is_found_and_a_rebuild_mends_it(copy: Workspace) -> None:
    before = _lists(copy)
    told = "CAST(body AS TEXT)"
    _spoil(
        copy, f"UPDATE view_rows SET body = CAST(replace({told}, 'open', 'shut') AS BLOB) WHERE {told} LIKE '%open%'"
    )
    assert copy.look("verify").code == 1
    copy.ok("verify", "--chain")
    copy.ok("rebuild")
    copy.verify()
    assert _lists(copy) == before


def _lists(work: Workspace, env: dict[str, str] | None = None) -> list[str]:
    """All lists to the byte; under another environment by a process of its own."""
    return [(work.ok(name, "--json", env=env) if env else work.look(name, "--json")).out for name in LISTS]


def _facts(work: Workspace) -> list[dict[str, Any]]:
    """All lists without what is no history."""
    rows = [row for name in LISTS for row in work.list(name)]
    return [{key: value for key, value in row.items() if key not in OPERATIONAL} for row in rows]


def _digests(work: Workspace, env: dict[str, str] | None = None) -> list[str]:
    ids = sorted({row["digest_id"] for row in work.list("deliveries")})
    run = partial(work.ok, env=env) if env else work.look
    return [run("digest", "rebuild", digest_id).out for digest_id in ids]


ELSEWHERE = {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242"}
"""Another time zone, another locale (of a dotless i) and another order of hashes."""


def test_rebuild_leaves_views_byte_identical_also_elsewhere(copy: Workspace) -> None:
    lists, digests = _lists(copy), _digests(copy)
    assert digests
    copy.ok("rebuild")
    assert _lists(copy) == lists
    copy.ok("rebuild", env=ELSEWHERE)
    assert _lists(copy) == lists
    assert _lists(copy, ELSEWHERE) == lists
    assert _digests(copy, ELSEWHERE) == digests
    copy.ok("verify", env=ELSEWHERE)


def test_a_list_as_of_an_earlier_position_is_what_it_was(copy: Workspace) -> None:
    events = copy.log()
    raised = [event["position"] for event in events if event["type"] == "AlertRaised"]
    assert [row["position"] for row in copy.list("alerts", "--as-of", str(raised[0]))] == raised[:1]
    assert copy.list("alerts", "--as-of", str(raised[0] - 1)) == []


def test_export_and_import_into_sqlite_give_the_same_head(copy: Workspace, tmp_path: Path) -> None:
    exported = copy.ok("export", "--format", "jsonl").out
    other = Workspace(tmp_path / "other")
    other.ok("import", stdin=exported)
    assert _head(other) == _head(copy)
    assert other.ok("export", "--format", "jsonl").out == exported
    assert _facts(other) == _facts(copy)
    other.verify()
    other.ok("import", stdin=exported)
    assert other.ok("export", "--format", "jsonl").out == exported, "what is there already is not imported again"


def test_export_and_import_into_postgresql_give_the_same_head(
    copy: Workspace, tmp_path: Path, postgres_url: str
) -> None:
    exported = copy.ok("export", "--format", "jsonl").out
    other = Workspace(tmp_path / "other", MONITOR_DATABASE_URL=postgres_url)
    other.ok("import", stdin=exported)
    assert _head(other) == _head(copy)
    assert other.ok("export", "--format", "jsonl").out == exported
    assert _facts(other) == _facts(copy)
    other.verify()


def test_an_import_that_was_tampered_with_is_refused(copy: Workspace, tmp_path: Path) -> None:
    lines = copy.ok("export", "--format", "jsonl").out.splitlines()
    tampered = json.loads(lines[8])
    tampered["actor"] = "someone else"
    lines[8] = json.dumps(tampered)
    other = Workspace(tmp_path / "other")
    done = other.run("import", stdin="\n".join(lines) + "\n")
    assert done.code == 1
    assert "line 9: position 8: what it says does not fit its hash; events up to position 7 are imported" in done.err
    assert len(other.log()) == 7


def test_cloudevents_are_whole(copy: Workspace) -> None:
    events = copy.ok("export", "--format", "cloudevents").rows
    assert len(events) == copy.status()["position"]
    assert all({"specversion", "id", "source", "type", "time", "data"} <= set(event) for event in events)
    assert {event["specversion"] for event in events} == {"1.0"}


def test_the_same_history_runs_on_postgresql(work: Workspace, postgres_url: str) -> None:
    """The daemon's whole cycle, with the other database."""
    work.env["MONITOR_DATABASE_URL"] = postgres_url
    work.theme()
    work.sources(folder=True)
    work.write("seeds/documents/one.txt", "First\n\nCustoms found machine tools on the way to Russia.\n")
    work.once()
    before = [work.list(kind) for kind in LISTS]
    assert [row["title"] for row in work.list("alerts")] == ["First"]
    assert len(work.outbox) == 1
    work.once()
    assert [work.list(kind) for kind in LISTS][:4] == before[:4]
    work.verify()
    assert "postgres:" not in work.ok("status").out


def _head(work: Workspace) -> str:
    last = work.log()[-1]
    return f"{last['position']} {last['hash']}"
