"""A few parsing processes with a deadline each: one that hangs is killed and replaced, and the daemon lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from monitor.core.entries import ParsedFeed
from monitor.ports import FetchFailed
from monitor.sources.worker import LENGTH_BYTES, Job, Result

SIZE = max(1, min(4, os.cpu_count() or 1))
SECONDS, SECONDS_PER_MEGABYTE = 10.0, 3.0
IDLE_SECONDS = 60.0
RETIRED_AT = 250_000_000
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


class NoParser(FetchFailed):
    """No parsing process could be started: a lack of this machine's, whatever there is to parse."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: asyncio.subprocess.Process

    async def ask(self, job: Job) -> Result:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        data = msgspec.msgpack.encode(job)
        stdin.write(len(data).to_bytes(LENGTH_BYTES) + data)
        await stdin.drain()
        length = int.from_bytes(await stdout.readexactly(LENGTH_BYTES))
        return msgspec.msgpack.decode(await stdout.readexactly(length), type=Result)

    async def end(self, *, kill: bool) -> None:
        with contextlib.suppress(ProcessLookupError):
            if kill:
                self.process.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.wait()


@dataclass(slots=True)
class Workers:
    """Implements `ports.Parser`. Bound to one event loop; close it with `aclose`.

    `seconds`: the deadline of a small document; larger ones get more. `retired_at`: bytes; a process that once used
    more is not kept.
    """

    size: int = SIZE
    seconds: float = SECONDS
    retired_at: int = RETIRED_AT
    _idle: list[_Worker] = field(default_factory=list)
    _busy: set[_Worker] = field(default_factory=set)
    _places: asyncio.Semaphore | None = None
    _closing: asyncio.TimerHandle | None = None
    _ending: set[asyncio.Task[None]] = field(default_factory=set)

    async def parse(self, body: bytes, *, url: str, content_type: str | None) -> ParsedFeed:
        """A feed. Raises only `FetchFailed`: lasting, as the same bytes will not read better next time, but for the
        time it took and for a crash, which may have been the machine's.
        """
        seconds = self.seconds + len(body) / 1_000_000 * SECONDS_PER_MEGABYTE
        return await self._run(Job(seconds=seconds, body=body, url=url, content_type=content_type))

    async def parse_file(self, path: Path, name: str, size: int) -> ParsedFeed:
        """A document in a file. Raises only `FetchFailed`, as `parse` does; `NoParser` says nothing of the file."""
        seconds = self.seconds + size / 1_000_000 * SECONDS_PER_MEGABYTE
        return await self._run(Job(seconds=seconds, path=os.fsencode(path), name=name))

    async def aclose(self) -> None:
        """End every process."""
        if self._closing is not None:
            self._closing.cancel()
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.end(kill=True) for worker in workers), *self._ending)

    async def _run(self, job: Job) -> ParsedFeed:
        if self._places is None:
            self._places = asyncio.Semaphore(self.size)
        async with self._places:
            worker = self._idle.pop() if self._idle else _Worker(await _start())
            self._busy.add(worker)
            keep = False
            try:
                async with asyncio.timeout(job.seconds):
                    result = await worker.ask(job)
                keep = result.peak < self.retired_at
            except TimeoutError:
                raise FetchFailed(f"took more than {job.seconds:.0f} s to parse") from None
            except (asyncio.IncompleteReadError, ConnectionError):
                raise FetchFailed("crashed the parser") from None
            finally:
                self._busy.discard(worker)
                if keep:
                    self._idle.append(worker)
                    self._close_when_idle()
                else:
                    self._end(worker)
        if result.feed is None:
            raise FetchFailed(result.error or "cannot be parsed", lasting=not result.passing)
        return result.feed

    def _end(self, worker: _Worker) -> None:
        task = asyncio.ensure_future(worker.end(kill=True))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _close_when_idle(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        self._closing = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        while self._idle:
            self._end(self._idle.pop())


async def _start() -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    apart: dict[str, Any] = (
        {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "monitor.sources.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            **apart,  # Ctrl-C in a terminal is for the daemon, which ends its workers in good order
        )
    except OSError as error:
        raise NoParser(f"no parser could be started: {error.strerror or error}") from None
