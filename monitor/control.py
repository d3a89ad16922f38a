"""One writer: the lock on `state/`, and the socket over which commands hand their acts to the daemon that holds it.

An act travels in four lines of JSON: request, `accepted`, `go`, answer. The daemon does nothing before `go`, so a
command that
gave up waiting for `accepted` may truthfully say that nothing was done. The socket is `state/monitor.sock`, mode
0600; where such sockets
or so long a path are not to be had, a loopback port whose number and token lie in `state/monitor.port`, mode 0600.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import filelock

from monitor.errors import MonitorError, NotFound, TryAgain, Unavailable, UsageError

ANSWER_SECONDS = 10.0
MAX_LINE = 16 * 1024 * 1024
_SOCKET_PATH_LIMIT = 100  # 104 on macOS, 108 on Linux, with the closing zero byte

Handler = Callable[[str, dict[str, Any], str], Awaitable[dict[str, Any]]]
"""(act, arguments, actor) -> answer. Raises `MonitorError` for what the caller should read."""

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]


class NoDaemon(MonitorError):
    """Nothing listens on this state folder."""


@contextlib.contextmanager
def writer_lock(state: Path, *, seconds: float = 0.0) -> Iterator[None]:
    """Hold the right to write to `state/`. Raises `TryAgain` where another process has it for longer than `seconds`."""
    lock = filelock.FileLock(state / "monitor.lock")
    holder = state / "monitor.pid"
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=seconds)
    except filelock.Timeout:
        raise TryAgain(f"{_who(holder)} already writes to '{state}'; stop it first, nothing was done") from None
    except OSError as error:
        raise Unavailable(f"'{state}' cannot be written ({error.strerror or error}); nothing was done") from None
    try:
        with contextlib.suppress(OSError):  # only to name the process to others
            holder.write_text(str(os.getpid()), "ascii")
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _who(holder: Path) -> str:
    try:
        return f"another monitor (process {int(holder.read_text('ascii'))})"
    except (OSError, ValueError):
        return "another monitor"


async def serve(state: Path, handle: Handler, *, token: str, seconds: float = ANSWER_SECONDS) -> asyncio.Server:
    """Take acts until the server is closed. `token` guards the loopback port, where that is what is used. Who says
    nothing for `seconds`, or nonsense, is hung up on.
    """

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, TimeoutError, ValueError, RecursionError):
                await _converse(reader, writer, handle, token, seconds)
        finally:  # also where the daemon stops meanwhile
            writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    path = state / "monitor.sock"
    if _sockets_work(path):
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(connected, path, limit=MAX_LINE)
        finally:
            os.umask(before)
    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=MAX_LINE)
    port = server.sockets[0].getsockname()[1]
    note = os.open(state / "monitor.port", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(note, "w") as file:
        json.dump({"port": port, "token": token}, file)
    return server


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler, token: str, seconds: float
) -> None:
    request = json.loads(await asyncio.wait_for(reader.readline(), seconds))
    if not isinstance(request, dict):
        return
    given, wanted = str(request.get("token", "")), token if _is_loopback(writer) else ""
    if not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
        return
    await _send(writer, {"accepted": True})
    if json.loads(await asyncio.wait_for(reader.readline(), seconds)) != {"go": True}:
        return
    try:
        answer = {"ok": True, "answer": await handle(request["act"], request["args"], str(request["actor"]))}
    except MonitorError as error:
        answer = {"ok": False, "error": str(error), "exit": error.exit_code}
    except Exception as error:
        answer = {"ok": False, "error": f"the daemon failed at '{request.get('act')}': {error!r}", "exit": 1}
    await _send(writer, answer)


async def _send(writer: asyncio.StreamWriter, line: dict[str, Any]) -> None:
    writer.write(json.dumps(line).encode() + b"\n")
    await writer.drain()


def _is_loopback(writer: asyncio.StreamWriter) -> bool:
    return bool(writer.get_extra_info("socket").family != getattr(socket, "AF_UNIX", None))


def _sockets_work(path: Path) -> bool:
    return hasattr(socket, "AF_UNIX") and os.name == "posix" and len(os.fsencode(path)) < _SOCKET_PATH_LIMIT


def ask(state: Path, act: str, args: dict[str, Any], *, actor: str) -> dict[str, Any]:
    """Hand an act to the daemon and return its answer.

    Raises `NoDaemon` where none listens, `TryAgain` where it does not accept within 10 s (then nothing is done),
    and what the
    daemon raised.
    """
    connection, token = _connect(state)
    with connection, connection.makefile("rwb") as stream:
        try:
            _write(stream, {"act": act, "args": args, "actor": actor, "token": token})
            accepted = _read(stream)
        except (OSError, ValueError):
            raise TryAgain("the daemon did not answer within 10 s; nothing was done") from None
        if accepted != {"accepted": True}:
            raise TryAgain("the daemon did not accept the act; nothing was done")
        connection.settimeout(None)
        try:
            _write(stream, {"go": True})
            answer = _read(stream)
        except (OSError, ValueError):
            raise TryAgain("the daemon stopped while it worked on this; look whether it was done") from None
    if answer["ok"]:
        result: dict[str, Any] = answer["answer"]
        return result
    raise _ERRORS.get(answer["exit"], MonitorError)(answer["error"])


def listens(state: Path) -> bool:
    """Whether a daemon listens on this state folder; nothing is asked of it."""
    try:
        connection, _ = _connect(state)
    except NoDaemon:
        return False
    connection.close()
    return True


_ERRORS: dict[int, type[MonitorError]] = {1: NotFound, 2: UsageError, 69: Unavailable, 75: TryAgain}


def _connect(state: Path) -> tuple[socket.socket, str]:
    path = state / "monitor.sock"
    with contextlib.ExitStack() as undo:
        try:
            if _sockets_work(path):
                connection, token = undo.enter_context(socket.socket(socket.AF_UNIX)), ""
                address: str | tuple[str, int] = str(path)
            else:
                note = json.loads((state / "monitor.port").read_text("ascii"))
                connection, token = undo.enter_context(socket.socket()), str(note["token"])
                address = ("127.0.0.1", int(note["port"]))
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(address)
        except (OSError, ValueError, KeyError):
            raise NoDaemon("no daemon listens on this state folder") from None
        undo.pop_all()
        return connection, token


def _write(stream: Any, line: dict[str, Any]) -> None:
    stream.write(json.dumps(line).encode() + b"\n")
    stream.flush()


def _read(stream: Any) -> dict[str, Any]:
    line = stream.readline(MAX_LINE)
    if not line:
        raise ConnectionError("closed")
    answer: dict[str, Any] = json.loads(line)
    return answer
