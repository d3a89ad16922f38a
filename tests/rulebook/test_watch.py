"""Changes under watched folders are told: saves of every kind, folders that come and go."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from monitor.rulebook import watch


class Told:
    """Collects what is told, and waits for more of it."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self.bursts = 0
        self._more = asyncio.Event()

    def add(self, paths: frozenset[Path]) -> None:
        self.paths |= paths
        self.bursts += 1
        self._more.set()

    async def until(self, path: Path) -> None:
        async with asyncio.timeout(20):
            while path not in self.paths:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def watching(*folders: Path, polling: bool = False) -> AsyncIterator[Told]:
    told = Told()

    async def listen() -> None:
        async for paths in watch.changes(*folders, polling=polling):
            told.add(paths)

    task = asyncio.create_task(listen())
    await asyncio.sleep(0)  # the first look at the folders is taken at once
    try:
        for folder in folders:
            if folder.exists():
                await _until_heard(told, folder)
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until_heard(told: Told, folder: Path) -> None:
    """The watch needs a moment to begin: touch a probe until it is told of."""
    probe = folder / "probe.yaml"
    async with asyncio.timeout(20):
        while probe not in told.paths:
            probe.write_text(str(told.bursts))
            try:
                await asyncio.wait_for(told.until(probe), 0.5)
            except TimeoutError:
                continue


@pytest.mark.parametrize("polling", [False, True], ids=["events", "polling"])
def test_plain_and_atomic_saves_are_told(tmp_path: Path, polling: bool) -> None:
    async def scenario() -> None:
        rules = tmp_path / "rules"
        (rules / "themes").mkdir(parents=True)
        async with watching(rules, polling=polling) as told:
            (rules / "themes" / "a.yaml").write_text("theme: a")
            await told.until(rules / "themes" / "a.yaml")
            (tmp_path / "new").write_text("theme: b")
            (tmp_path / "new").replace(rules / "themes" / "b.yaml")
            await told.until(rules / "themes" / "b.yaml")
            (rules / "themes" / "a.yaml").unlink()
            told.paths.clear()
            await told.until(rules / "themes" / "a.yaml")

    asyncio.run(scenario())


def test_folder_that_is_replaced_is_watched_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = tmp_path / "rules"
        rules.mkdir()
        async with watching(rules) as told:
            shutil.rmtree(rules)
            await told.until(rules)
            told.paths.clear()
            rules.mkdir()
            await told.until(rules)
            await _until_heard(told, rules)

    asyncio.run(scenario())


def test_folder_that_is_made_later_is_told_and_watched(tmp_path: Path) -> None:
    async def scenario() -> None:
        rules = tmp_path / "rules"
        async with watching(rules) as told:
            rules.mkdir()
            await told.until(rules)
            await _until_heard(told, rules)

    asyncio.run(scenario())


def test_paths_are_told_under_the_folder_as_given(tmp_path: Path) -> None:
    async def scenario() -> None:
        real = tmp_path / "real"
        real.mkdir()
        link = tmp_path / "link"
        link.symlink_to(real)
        async with watching(link) as told:
            (real / "a.yaml").write_text("x")
            await told.until(link / "a.yaml")

    asyncio.run(scenario())


def test_editors_scratch_files_are_not_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watching(tmp_path) as told:
            for name in (".#a.yaml", "a.yaml~", ".a.yaml.swp", "~$a.yaml"):
                (tmp_path / name).write_text("x")
            (tmp_path / "a.yaml").write_text("x")
            await told.until(tmp_path / "a.yaml")
            assert {path.name for path in told.paths} == {"probe.yaml", "a.yaml"}

    asyncio.run(scenario())
