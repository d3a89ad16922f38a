"""The daemon: apscheduler jobs, signals, reload, orderly stop. Decides nothing; due times live in the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from monitor import control
from monitor.acts import perform
from monitor.app import Monitor, new_token, wall_clock
from monitor.errors import MonitorError
from monitor.rulebook.watch import changes

log = structlog.get_logger()

TICK_SECONDS = 1.0
DRAIN_SECONDS = 7.0
STOP_SECONDS = 6.0
"""How long running jobs, and what is being sent, may go on after SIGTERM; all of it stays within 10 s."""

ONCE_SECONDS = 50.0
"""With the start before it and the end after it, at most a minute."""

IDLE_SECONDS = 600.0
IDLE_HORIZON = 60.0


Watch = Callable[..., AsyncIterator[frozenset[Path]]]
"""Says which paths under the given folders changed, burst by burst."""


class Tick(BaseTrigger):  # type: ignore[misc]
    """Every second from now on; a clock that leapt ten years ahead leaves no seconds to make up."""

    STEP = timedelta(seconds=TICK_SECONDS)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return now if previous is None else now + self.STEP


class Daemon:
    """Runs a `Monitor` until it is told to stop. Every job is on its own: what one does wrong the others never feel."""

    def __init__(self, monitor: Monitor, watch: Watch = changes) -> None:
        self._monitor = monitor
        self._changes = watch
        self._stop = asyncio.Event()
        self._running: set[asyncio.Task[Any]] = set()
        self._complaints: dict[str, str] = {}
        # What was dropped into a folder while nobody watched is not told of by the watcher.
        self._folders_changed = True
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        )

    async def run(self) -> None:
        """From ready to stopped."""
        # A tick that finds its job still at work is skipped, and says so at WARNING each second.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._listen_to_signals()
        for name, job in self._jobs():
            self._scheduler.add_job(self._scheduled(self._guarded(name, job)), Tick(), id=name)
        server = await control.serve(self._monitor.settings.state, self._handle, token=new_token())
        watcher = asyncio.create_task(self._watch())
        self._scheduler.start()
        time_keeper = asyncio.create_task(self._keep_time())
        self._say_ready()
        try:
            await self._stop.wait()
        finally:
            log.info("stopping", position=self._monitor.store.head().position)
            self._scheduler.pause()
            server.close()
            watcher.cancel()
            time_keeper.cancel()
            await asyncio.gather(self._monitor.stop(STOP_SECONDS), self._drain())
            # With nothing left to run, so that it has no coroutine to cancel.
            self._scheduler.shutdown(wait=False)
            await asyncio.gather(watcher, time_keeper, return_exceptions=True)

    async def _keep_time(self) -> None:
        """Watch the wall clock by the monotonic one: the scheduler would sleep through an hour set back."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._guarded("clock", self._monitor.check_clock)()
            await self._guarded("reload", self._monitor.reload_if_stale)()
            await self._guarded("settings", self._monitor.look_at_settings)()
            now = wall_clock()
            for job in self._scheduler.get_jobs():
                if job.next_run_time is not None and job.next_run_time > now + 2 * Tick.STEP:
                    job.modify(next_run_time=now)

    def _jobs(self) -> tuple[tuple[str, Callable[[], Awaitable[object]]], ...]:
        monitor = self._monitor
        return (
            ("folders", self._ingest_changed_folders),
            ("ingest", monitor.ingest_due),
            ("detect", monitor.detect),
            ("rule changes", monitor.follow_rule_changes),
            ("windows", monitor.close_windows),
            ("deliver", monitor.deliver),
        )

    def _guarded(self, name: str, job: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            if self._stop.is_set():
                return
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            try:
                await job()
                if self._complaints.pop(name, None):
                    log.info("working again", job=name)
            except Exception as error:
                self._complain(name, error)
            finally:
                self._running.discard(task)

        return run

    def _scheduled(self, job: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """The scheduler would call a job that is cut off at the end a failed one."""

        async def run() -> None:
            try:
                await job()
            except asyncio.CancelledError:
                if not self._stop.is_set():
                    raise

        return run

    def _complain(self, name: str, error: Exception) -> None:
        """Say a fault once, not at each tick; it is tried again at the next."""
        said = f"{type(error).__name__}: {error}"
        if self._complaints.get(name) != said:
            self._complaints[name] = said
            log.error("a job failed and is tried again", job=name, error=said, exc_info=not _foreseen(error))

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows: the default handler raises KeyboardInterrupt
                loop.add_signal_handler(sign, self._stop.set)
        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, self._soon, "reload", self._reload)

    async def _reload(self) -> None:
        await self._monitor.reload()
        await self._monitor.look_at_settings(again=True)

    def _soon(self, name: str, job: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.ensure_future(self._guarded(name, job)())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _watch(self) -> None:
        while True:
            try:
                await self._follow_changes()
            except Exception as error:
                self._complain("watch", error)
            await asyncio.sleep(TICK_SECONDS)
            self._folders_changed = True  # while nobody watched, perhaps

    async def _follow_changes(self) -> None:
        settings = self._monitor.settings
        async for changed in self._changes(settings.rules, settings.seeds):
            await self._guarded("reload", self._monitor.reload)()
            if any(path.is_relative_to(settings.seeds) for path in changed):
                self._folders_changed = True
                await self._guarded("folders", self._ingest_changed_folders)()

    async def _ingest_changed_folders(self) -> None:
        """Look into the folders where they changed since the last look that succeeded."""
        if not self._folders_changed:
            return
        self._folders_changed = False
        try:
            await self._monitor.ingest_folders()
        except BaseException:
            self._folders_changed = True
            raise

    async def _handle(self, act: str, args: dict[str, Any], actor: str) -> dict[str, Any]:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            return await perform(self._monitor, act, args, actor)
        finally:
            self._running.discard(task)

    async def _drain(self) -> None:
        left = {task for task in self._running if task is not asyncio.current_task()}
        if left:
            _, late = await asyncio.wait(left, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _say_ready(self) -> None:
        # Scripts wait for this very line, whatever the log's format.
        sys.stderr.write(f"ready position={self._monitor.store.head().position}\n")
        sys.stderr.flush()


def _foreseen(error: Exception) -> bool:
    return isinstance(error, MonitorError | OSError)


async def run_once(monitor: Monitor) -> None:
    """One full cycle: ingest all that is due, match, alert, send what is due; `group_wait` counts as elapsed.

    What 50 s do not suffice for stays due, unmatched or pending, and is said so.
    """
    try:
        async with asyncio.timeout(ONCE_SECONDS):
            await monitor.cycle(settle=True)
    except TimeoutError:
        log.warning(f"the cycle was cut off after {ONCE_SECONDS:g} s; what is left is done by the next run")


async def run_until_idle(monitor: Monitor) -> bool:
    """Cycles until nothing is due, unmatched, unsent or due within 60 s; False where that takes over 10 minutes."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            while True:
                await monitor.cycle(settle=False)
                wait = await monitor.seconds_to_next()
                if wait is None or wait > IDLE_HORIZON:
                    return True
                await asyncio.sleep(max(wait, 0.2))
    except TimeoutError:
        return False
