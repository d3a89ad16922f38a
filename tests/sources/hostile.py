"""A scripted server on loopback that misbehaves on purpose, and remembers every request byte for byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType

Handler = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]

RSS = (
    b'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Example</title>'
    b"<item><title>One</title><guid>1</guid><link>https://news.example.org/1</link></item></channel></rss>"
)


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case, one character a byte
    body: bytes


def reply(body: bytes = RSS, status: int = 200, headers: dict[str, str] | None = None) -> Handler:
    """A well-formed answer. Header values are sent one byte a character."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        lines = {"Content-Length": str(len(body)), "Content-Type": "application/rss+xml", **(headers or {})}
        writer.write(head(status, lines) + body)

    return handle


def redirect(location: str, status: int = 302) -> Handler:
    return reply(b"", status, {"Location": location})


def raw(*parts: bytes, stay: bool = False) -> Handler:
    """Exactly these bytes; `stay`: then nothing, with the connection open."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if stay:
            await asyncio.sleep(3600)

    return handle


def drip(first: bytes, then: bytes, every: float) -> Handler:
    """A body that never ends, a few bytes at a time."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(then)
            await writer.drain()
            await asyncio.sleep(every)

    return handle


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass
class Hostile:
    """`async with Hostile() as server: server.on("/feed", reply(…)); … server.url("/feed")`.

    A path with several handlers plays them in turn, the last for ever.
    """

    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._scripts: dict[str, list[Handler]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def on(self, path: str, *handlers: Handler) -> str:
        """Script a path and return its address."""
        self._scripts[path] = list(handlers)
        return self.url(path)

    def url(self, path: str = "/") -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def seen(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.target.partition("?")[0] == path]

    async def __aenter__(self) -> Hostile:
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            request = await _read(reader)
            if request is None:
                return
            self.requests.append(request)
            script = self._scripts.get(request.target.partition("?")[0], [reply(b"", 404)])
            await (script.pop(0) if len(script) > 1 else script[0])(request, writer)
            await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = text.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body)
