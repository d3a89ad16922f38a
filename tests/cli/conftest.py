"""A working directory for commands that run in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.harness import Workspace


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """One with a theme, at a terminal of 80 columns."""
    work = Workspace(tmp_path / "home", COLUMNS="80")
    work.theme()
    return work
