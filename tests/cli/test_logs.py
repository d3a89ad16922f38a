"""Log lines: to stderr, harmless for a terminal, and without the values that were at hand when something failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import structlog

from monitor.cli.logs import set_up_logging
from tests.acceptance.harness import Workspace


def fail(password: str) -> None:
    raise RuntimeError(f"\x1b[31mno\u202e such host as {len(password)}")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_an_exception_is_logged_without_local_variables(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    set_up_logging(log_format)
    try:
        fail("".join(["hun", "ter2"]))
    except RuntimeError:
        structlog.get_logger().exception("a job\x1b failed")
    out, err = capsys.readouterr()
    assert out == ""
    assert "a job  failed" in err
    assert "RuntimeError" in err
    assert "such host as 7" in err
    assert "hunter2" not in err
    assert not any(sign in err for sign in "\x1b\u202e")
    if log_format == "json":
        line = json.loads(err)
        assert line["exception"].startswith("Traceback (most recent call last):\n"), "of several lines it is"
        assert "\x1b" not in line["exception"]


def test_a_command_that_writes_without_a_daemon_logs_to_stderr(tmp_path: Path) -> None:
    work = Workspace(tmp_path)
    work.theme()
    work.sources(folder=True)
    work.write("seeds/documents/one.txt", "Machine tools for Russia\n")
    done = work.look("ingest")
    assert done.code == 0
    (line,) = done.out.splitlines()
    assert line.startswith("1 new and 0 revised entries, 1 new alert, position ")
    assert "adopted" in done.err
