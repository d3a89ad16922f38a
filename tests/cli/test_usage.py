"""Exit codes, and one line instead of a traceback, for what people and scripts get wrong."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from monitor import cli
from tests.acceptance.harness import Finished, Workspace


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home in which a theme has met one document and told of it."""
    work = Workspace(tmp_path_factory.mktemp("home"))
    work.theme()
    work.sources(folder=True)
    work.write("seeds/documents/one.txt", "商务部: machine tools for Russia\n")
    assert work.look("run", "--once").code == 0
    return work


def refused(done: Finished, code: int) -> str:
    """The line that is said of it, after what may have been logged before."""
    assert (done.code, done.out) == (code, "")
    *logged, line = done.err.splitlines()
    assert line.startswith("monitor: ")
    assert not any(line.startswith(("monitor: ", "Traceback")) for line in logged)
    return line


@pytest.mark.parametrize("option", ["--since", "--until", "--as-of"])
@pytest.mark.parametrize(
    "instant",
    [
        "99999999999d",
        "²d",
        "²",
        "9" * 5000 + "d",
        "0001-01-01T00:00+01:00",
        "9999-12-31T23:59-01:00",
        "soon",
        "1x",
        "d",
    ],
)
def test_an_instant_that_is_none(work: Workspace, option: str, instant: str) -> None:
    assert "is no instant" in refused(work.look("alerts", option, instant), 2)


def test_a_position_beyond_the_end(work: Workspace) -> None:
    assert "beyond the log's end" in refused(work.look("entries", "--as-of", "999999999999999"), 2)


@pytest.mark.parametrize(
    "words",
    [
        ("alerts", "--limit", "-1"),
        ("alerts", "--limit", "many"),
        ("log", "--limit", "-1"),
        ("deliveries", "--state", "bogus"),
        ("alerts", "--no-such-option"),
        ("no-such-command",),
        ("show",),
        ("verdict", "alr-1", "perhaps"),
        ("log", "--type", "NoSuchEvent"),
        ("export", "--format", "xml"),
        ("import", "no-such-file"),
        ("alerts", "--home"),
        ("alerts", "--home="),
    ],
)
def test_words_that_do_not_fit(work: Workspace, words: tuple[str, ...]) -> None:
    refused(work.look(*words), 2)


@pytest.mark.parametrize(
    "words",
    [("alerts", "--theme", "nope"), ("entries", "--theme", "nope"), ("deliveries", "--receiver", "nope"),
     ("show", "nope")],
)  # fmt: skip
def test_a_name_that_nothing_has(work: Workspace, words: tuple[str, ...]) -> None:
    assert "'nope'" in refused(work.look(*words), 1)


@pytest.mark.parametrize(
    "words",
    [
        ("alerts", "--theme", "machines", "--since", "0m"),
        ("deliveries", "--state", "held"),
        ("deliveries", "--receiver", "file", "--state", "failed"),
        ("alerts", "--limit", "0"),
    ],
)
def test_nothing_found_is_no_mistake(work: Workspace, words: tuple[str, ...]) -> None:
    done = work.look(*words)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("no ")


@pytest.mark.parametrize(
    "address", ["http://user:hunter2@[::1/feed", "http://user:hunter2@/feed", "https://[x]/?token=hunter2"]
)
def test_an_address_that_is_none(work: Workspace, address: str) -> None:
    done = work.look("ingest", address)
    assert done.code == 1
    assert "is not a valid address" in done.err or "names no host" in done.err
    assert "Traceback" not in done.err
    assert "hunter2" not in done.out + done.err


def test_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.context, "given_home", None)
    assert cli.dispatch(["alerts"]) == 78
    assert cli.dispatch(["--home", "no-such-folder", "alerts"]) == 78


def test_before_anything_was_stored_it_is_unavailable(tmp_path: Path) -> None:
    assert "`monitor run` makes it" in refused(Workspace(tmp_path).look("alerts"), 69)


@pytest.mark.parametrize("words", [("alerts",), ("ingest",), ("verify",)])
def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path, words: tuple[str, ...]) -> None:
    work = Workspace(tmp_path, MONITOR_DATABASE_URL="postgresql://desk:hunter2@127.0.0.1:1/news")
    line = refused(work.look(*words), 69)
    assert "127.0.0.1:1" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("words", [("alerts", "--json"), ("alerts",), ("sources", "test", "seeds/documents/list.rss")])
def test_what_is_printed_is_utf_8_wherever_it_goes(
    work: Workspace, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], encoding: str
) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding, errors="strict"))
    feed = "<rss version='2.0'><channel><item><title>商务部</title></item></channel></rss>"
    work.write("seeds/documents/list.rss", feed)
    monkeypatch.chdir(work.home)
    with pytest.raises(SystemExit) as ended:
        cli.main(["--home", str(work.home), *words])
    assert ended.value.code == 0
    assert "商务部" in out.getvalue().decode("utf-8")
    with pytest.raises(SystemExit) as ended:
        cli.main(["--home", str(work.home), "export", "--format", "商务部\udcff"])
    assert ended.value.code == 2
    sys.stderr.flush()
    assert "商务部\\udcff" in err.getvalue().decode("utf-8")
