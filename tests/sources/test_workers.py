"""Parsing processes: what hangs, crashes or swells costs itself alone."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from monitor.ports import FetchFailed
from monitor.sources.workers import Workers, _Worker
from tests.sources.hostile import RSS

T = TypeVar("T")
needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")


def run(scenario: Callable[[Workers], Awaitable[T]], size: int = 1) -> T:
    async def play() -> T:
        workers = Workers(size=size)
        try:
            return await scenario(workers)
        finally:
            await workers.aclose()

    return asyncio.run(play())


async def titles(workers: Workers) -> list[str]:
    feed = await workers.parse(RSS, url="https://news.example.org/feed", content_type=None)
    return [entry.title for entry in feed.entries]


async def busy(workers: Workers) -> set[_Worker]:
    """The processes at work, once there is one."""
    async with asyncio.timeout(10):
        while not workers._busy:  # noqa: ASYNC110  (a plain attribute, nothing to wait on)
            await asyncio.sleep(0.01)
    return set(workers._busy)


def test_a_feed_is_parsed_in_another_process() -> None:
    async def scenario(workers: Workers) -> None:
        assert await titles(workers) == ["One"]
        (worker,) = workers._idle
        assert worker.process.pid != os.getpid()
        assert await titles(workers) == ["One"]
        assert workers._idle == [worker], "the process is used again"

    run(scenario)


def test_what_cannot_be_read_says_why_and_costs_no_process() -> None:
    async def scenario(workers: Workers) -> None:
        await titles(workers)
        (worker,) = workers._idle
        with pytest.raises(FetchFailed, match="is empty") as caught:
            await workers.parse(b"", url="", content_type=None)
        assert caught.value.lasting
        assert workers._idle == [worker]

    run(scenario)


@needs_fifo
def test_a_document_that_hangs_is_given_up_and_the_next_is_parsed(tmp_path: Path) -> None:
    pipe = tmp_path / "never.txt"
    os.mkfifo(pipe)

    async def scenario(workers: Workers) -> None:
        workers.seconds = 0.5
        with pytest.raises(FetchFailed, match="took more than") as caught:
            await workers.parse_file(pipe, "never.txt", 0)
        assert not caught.value.lasting, "the machine may have been busy"
        workers.seconds = 30
        assert await titles(workers) == ["One"]

    run(scenario)


@needs_fifo
def test_a_crash_is_named_and_the_next_is_parsed(tmp_path: Path) -> None:
    pipe = tmp_path / "never.txt"
    os.mkfifo(pipe)

    async def scenario(workers: Workers) -> None:
        hanging = asyncio.create_task(workers.parse_file(pipe, "never.txt", 0))
        (worker,) = await busy(workers)
        worker.process.kill()
        with pytest.raises(FetchFailed, match="crashed the parser") as caught:
            await hanging
        assert not caught.value.lasting
        assert await titles(workers) == ["One"]

    run(scenario)


@needs_fifo
def test_one_that_hangs_does_not_hold_up_the_others(tmp_path: Path) -> None:
    pipe = tmp_path / "never.txt"
    os.mkfifo(pipe)

    async def scenario(workers: Workers) -> None:
        hanging = asyncio.create_task(workers.parse_file(pipe, "never.txt", 0))
        assert await titles(workers) == ["One"]
        assert not hanging.done()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging

    run(scenario, size=2)


def test_a_process_that_has_swollen_is_not_kept() -> None:
    async def scenario(workers: Workers) -> None:
        workers.retired_at = 1_000_000
        assert await titles(workers) == ["One"]
        assert workers._idle == []
        workers.retired_at = 10**12
        assert await titles(workers) == ["One"]
        assert len(workers._idle) == 1

    run(scenario)


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="the address space is limited on Linux only")
def test_what_needs_more_memory_than_it_may_have_costs_itself_alone(tmp_path: Path) -> None:
    monster = tmp_path / "monster.json"
    monster.write_bytes(b"[" + b"[]," * 20_000_000 + b"[]]")  # 60 MB that become 1.5 GB and more

    async def scenario(workers: Workers) -> None:
        with pytest.raises(FetchFailed, match=r"memory|crashed|document 1"):
            await workers.parse_file(monster, "monster.json", 60_000_000)
        assert await titles(workers) == ["One"]

    run(scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="the environment of a process is read from /proc")
def test_a_workers_environment_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIS_TOKEN", "s3cret")

    async def scenario(workers: Workers) -> None:
        await titles(workers)
        (worker,) = workers._idle
        assert b"s3cret" not in await asyncio.to_thread(Path(f"/proc/{worker.process.pid}/environ").read_bytes)

    run(scenario)
