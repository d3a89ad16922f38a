"""A working directory and local servers for each test that asks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.feed_server import FeedServer
from tests.acceptance.harness import WallClock, Workspace
from tests.acceptance.hook_server import SECRET, HookServer
from tests.acceptance.mail_server import MailServer

collect_ignore_glob = ["*.py"] if sys.platform == "win32" else []  # signals, maildir names: POSIX


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """An empty working directory: no theme, no source, no receiver."""
    return Workspace(tmp_path / "home", HOOK_SECRET=SECRET)


@pytest.fixture
def feeds() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with HookServer() as server:
        yield server


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)
