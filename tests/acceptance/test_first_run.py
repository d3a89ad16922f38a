"""What a stranger sees first: one command, and the seed is flagged with its reason."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import ROOT, Workspace
from tests.acceptance.mail_server import Mail

THEME = "china-russia-dual-use"
SEED = "Blinken says China is Russia’s primary military complex supplier"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The repository as it is shipped, after its first `run --once`; the network is not there at all."""
    work = Workspace(tmp_path_factory.mktemp("first") / "home")
    for folder in ("rules", "seeds"):
        shutil.rmtree(work.home / folder)
        shutil.copytree(ROOT / folder, work.home / folder)
    work.env = {}
    done = work.once(**NO_NETWORK)
    assert done.seconds < 60
    return work


def _no_network() -> dict[str, Any]:
    """Options that keep a command off every network: an empty network namespace, or a proxy that is not there."""
    with contextlib.suppress(OSError):
        if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0:
            return {"prefix": ["unshare", "-rn"]}
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return {"env": {"MONITOR_PROXY": f"http://127.0.0.1:{unused.getsockname()[1]}"}}


NO_NETWORK = _no_network()


def test_the_seed_is_flagged_and_a_complete_digest_lies_in_the_outbox(first: Workspace) -> None:
    [alert] = first.list("alerts")
    assert (alert["theme"], alert["title"], alert["state"]) == (THEME, SEED, "open")
    [raw] = first.outbox
    mail = Mail("", (), raw, encrypted=False)
    assert mail.message["Message-ID"] and mail.message["Date"] and mail.message["Subject"]
    for text in (mail.part("plain"), mail.shown):
        assert SEED in text
        assert "machine tools" in text


def test_explain_shows_clause_and_words(first: Workspace) -> None:
    [alert] = first.list("alerts")
    told = first.ok("explain", alert["alert_id"]).out
    assert THEME in told
    assert "machine tools" in told
    assert " and " in told  # the rule as its author wrote it


def test_each_unreachable_source_is_reported_once(first: Workspace) -> None:
    first.once(**NO_NETWORK)
    failed = [event["data"]["source_id"] for event in first.log("SourceFailed")]
    feeds = [source["id"] for source in first.list("sources") if not source["url"].startswith("documents")]
    assert len(feeds) >= 12
    assert sorted(failed) == sorted(feeds)


def test_a_second_run_adds_no_entry_alert_or_delivery(first: Workspace) -> None:
    def everything() -> list[object]:
        return [first.list(kind) for kind in ("entries", "alerts", "deliveries", "stories")]

    before = everything()
    first.once(**NO_NETWORK)
    assert everything() == before
    assert len(first.outbox) == 1
    first.verify()


def test_a_new_working_directory_checks_clean_and_runs(tmp_path: Path) -> None:
    work = Workspace(tmp_path / "elsewhere")
    fresh = tmp_path / "fresh"
    work.ok("init", str(fresh))
    work.home = fresh
    work.ok("check")
    work.once(**NO_NETWORK)


def test_a_network_that_swallows_everything_does_not_hold_the_run(work: Workspace, silent: list[str]) -> None:
    """Connections that are never answered, from more sources than are fetched at a time."""
    work.shipped_rules()
    work.shipped_seed()
    work.sources(*((f"silent-{n}", url) for n, url in enumerate(silent)), folder=True)
    done = work.once()
    assert done.seconds < 60
    assert len(work.list("alerts")) == 1
    assert len(work.outbox) == 1
    assert len(work.log("SourceFailed")) == len(silent)


@pytest.fixture
def silent() -> Iterator[list[str]]:
    """Addresses of fifty web servers on as many loopback addresses that take a connection and never say a word."""
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen(128)
        port = listener.getsockname()[1]
        yield [f"http://127.0.0.{n}:{port}/feed.xml" for n in range(2, 52)]
