"""`monitor sources test`: all about a feed before it is added, for scripts and for people."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import context, dispatch

FEEDS = Path("tests/data/feeds").resolve()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command works from anywhere: here there is no working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(context, "given_home", None)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]], str]:
    code = dispatch(["sources", "test", *words])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


@pytest.fixture
def feed_server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (FEEDS / "ministry.rss").read_bytes()
            self.send_response(200)
            for name, value in (
                ("Content-Type", "application/rss+xml"),
                ("ETag", '"x"'),
                ("Content-Length", len(body)),
            ):
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(FEEDS / "ministry.rss")
    code, (found,), _ = told(capsys, path)
    assert code == 0
    assert (found["file"], found["format"], found["error"], found["faults"]) == (path, "rss20", None, [])
    assert found["title"] == "Ministry of Trade of Example – Press releases"
    first = found["entries"][0]
    assert first["raw_id"] == "press-2026-0311"
    assert first["published"] == "2026-03-11T09:30:00Z"
    assert {"raw_id", "url", "title", "published", "updated", "text"} <= set(first)
    assert found["seconds"] >= 0


def test_what_cannot_be_read_is_an_error_and_the_others_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "page.xml").write_text("<!doctype html><p>Log in")
    code, found, _ = told(capsys, "page.xml", "no-such.xml", str(FEEDS / "blog.json"))
    assert code == 1
    assert [one["error"] for one in found] == ["is an HTML page, not a feed", "is not there", None]


def test_a_list_of_many_in_its_order(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = [
        json.dumps({"file": str(FEEDS / "ministry.rss"), "base_url": "https://base.example.org/x"}),
        "",
        "not json",
        '{"file": "x", "more": ' + "[" * 100_000,
        json.dumps({"file": "beside.xml", "content_type": "text/xml; charset=koi8-r", "unknown": 1}),
        *(json.dumps({"file": str(FEEDS / "journal.rdf")}) for _ in range(20)),
    ]
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "list.jsonl").write_text("\n".join(lines))
    russian = "<rss version='2.0'><channel><item><title>Контроль</title></item></channel></rss>"
    (tmp_path / "lists" / "beside.xml").write_bytes(russian.encode("koi8-r"))
    code, found, err = told(capsys, "--from", "lists/list.jsonl")
    assert code == 1
    assert "list.jsonl:3:" in err
    assert "list.jsonl:4:" in err
    assert len(found) == 22
    assert found[0]["entries"][1]["url"] == "https://base.example.org/press/2026/0310"
    assert found[1]["entries"][0]["title"] == "Контроль"
    assert {one["format"] for one in found[2:]} == {"rss10"}


def test_an_address(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, feed_server: str) -> None:
    monkeypatch.setenv("MONITOR_ALLOW_NETWORKS", "127.0.0.0/8")
    code, (found,), _ = told(capsys, f"{feed_server}/feed?token=s3cret")
    assert code == 0
    assert found["file"] == f"{feed_server}/feed?token=***"
    assert len(found["entries"]) == 3
    assert (found["answer"]["etag"], found["answer"]["least_interval"]) == ('"x"', 7200)  # its ttl


def test_a_private_address_is_refused_without_permission(capsys: pytest.CaptureFixture[str], feed_server: str) -> None:
    code, (found,), _ = told(capsys, feed_server)
    assert code == 1
    assert "allow_networks" in found["error"]


def test_bad_permission_is_a_fault_of_the_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_ALLOW_NETWORKS", "everything")
    code, found, err = told(capsys, "https://example.org/")
    assert (code, found) == (78, [])
    assert "'everything' is neither CIDR nor CIDR:port" in err


def test_nothing_to_test_is_a_mistake_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, found, err = told(capsys)
    assert (code, found) == (2, [])
    assert "FILE or URL" in err


def test_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    item = "<item><title>\u009bx</title></item>"
    hostile = f"<rss version='2.0'><channel><title>a\u202e\u009b31mb</title>{item}</channel></rss>"
    (tmp_path / "hostile.xml").write_text(hostile, "utf-8")
    assert dispatch(["sources", "test", str(FEEDS / "ministry.rss"), "hostile.xml", "no.xml"]) == 1
    out = capsys.readouterr().out
    assert "3 entries, the newest of 2026-03-11 09:30Z" in out
    assert "cannot be used: is not there" in out
    assert "\u202e" not in out
    assert "\u009b" not in out
