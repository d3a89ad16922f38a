"""Courtesy towards each host: few requests at a time, not in a burst, and none to one that just did not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from monitor.ports import FetchFailed

REMEMBERED = 1_000  # hosts; beyond that, those without traffic are forgotten


@dataclass(slots=True)
class _Host:
    places: asyncio.Semaphore
    waiting: int = 0
    next_start: float = 0.0
    failed_at: float = float("-inf")
    failure: str = ""
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)


class Courtesy:
    """Lets requests to one host through: at most `places` at once, starts `spacing` seconds apart."""

    def __init__(self, places: int, spacing: float) -> None:
        self._places, self._spacing = places, spacing
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for this host's turn and keep its place.

        Raises `FetchFailed` at once where the host could not be reached while this request was waiting: thirty feeds on
        a dead host cost one time-out, not thirty.
        """
        clock = asyncio.get_running_loop().time
        asked_at = clock()
        if len(self._hosts) > REMEMBERED:
            self._hosts = {
                name: kept for name, kept in self._hosts.items() if kept.waiting or kept.next_start > asked_at
            }
        lane = self._hosts.setdefault(host, _Host(asyncio.Semaphore(self._places)))
        lane.waiting += 1
        try:
            async with lane.places:
                async with lane.gate:
                    if lane.failed_at > asked_at:
                        raise FetchFailed(lane.failure)
                    await asyncio.sleep(max(0.0, lane.next_start - clock()))
                    lane.next_start = clock() + self._spacing
                yield
        finally:
            lane.waiting -= 1

    def unreachable(self, host: str, reason: str) -> None:
        """Note that the host could not be reached, for those that wait for their turn."""
        lane = self._hosts.get(host)
        if lane is not None:
            lane.failed_at, lane.failure = asyncio.get_running_loop().time(), reason
