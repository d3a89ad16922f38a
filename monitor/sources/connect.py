"""The connect step: a name is resolved once, its addresses are vetted, and a vetted one is what gets connected.

Nothing between the check and the connection asks the resolver again, so an answer that changes has no second look.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore2

from monitor.sources.addresses import Address, Networks, parse_address, refusal

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""A host's addresses as text, in the order to try them. Raises `OSError` (`socket.gaierror`)."""

SHORTEST_TRY = 2.0  # seconds for one address while others are left


class AddressRefused(Exception):
    """A name led to an address that must not be talked to; nothing was connected. The message is for the owner."""


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver, in a thread of its own that nobody has to wait for at exit.

    The loop's executor would do, were it not small, shared with the store, and joined at exit however long a dead
    name server takes.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(result: list[str] | OSError) -> None:
        if answer.done():
            return
        if isinstance(result, OSError):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    def ask() -> None:
        result: list[str] | OSError
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            result = list(dict.fromkeys(str(item[4][0]) for item in found))
        except OSError as error:
            result = error
        except UnicodeError:  # a label too long or empty
            result = socket.gaierror(socket.EAI_NONAME, "not a host name")
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    return await answer


class VettedBackend(httpcore2.AsyncNetworkBackend):
    """httpcore's network, with the vetting in its connect step. TLS still asks for the host's name."""

    def __init__(self, networks: Networks, resolver: Resolve = resolve) -> None:
        self._networks = networks
        self._resolve = resolver
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the base class's signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first vetted address that answers.

        Raises `AddressRefused` where any one address is bad: a name that leads to both is an attempt to get past this.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + (30.0 if timeout is None else timeout)
        try:
            async with asyncio.timeout_at(end):
                addresses = [str(address) for address in await self._vetted(host, port)]
        except TimeoutError:
            raise httpcore2.ConnectTimeout(f"DNS: no answer for '{host}' in time") from None
        except OSError as error:
            what = "no answer for" if getattr(error, "errno", None) == socket.EAI_AGAIN else "there is no host"
            raise httpcore2.ConnectError(f"DNS: {what} '{host}'") from error
        for tried, address in enumerate(addresses):
            left = len(addresses) - tried
            share = max((end - clock()) / left, SHORTEST_TRY)
            try:
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if left == 1 or clock() >= end:
                    raise
        raise httpcore2.ConnectError(f"DNS: '{host}' has no address")

    async def _vetted(self, host: str, port: int) -> list[Address]:
        addresses = [parse_address(text) for text in await self._resolve(host, port)]
        for address in addresses:
            reason = refusal(address, port, self._networks)
            if reason:
                raise AddressRefused(reason if str(address) == host else f"'{host}' leads to {reason}")
        return addresses

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
