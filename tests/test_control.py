"""One writer: the lock and the channel over which commands hand their acts to the daemon."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from monitor import control
from monitor.errors import NotFound, TryAgain


async def echo(act: str, args: dict[str, Any], actor: str) -> dict[str, Any]:
    if act == "miss":
        raise NotFound("no alert has the id 'alr-1'")
    if act == "crash":
        raise ZeroDivisionError
    return {"act": act, "args": args, "actor": actor}


async def asked(state: Path, act: str, handle: control.Handler = echo) -> dict[str, Any]:
    server = await control.serve(state, handle, token="t")
    async with server:
        return await asyncio.to_thread(control.ask, state, act, {"alert": "alr-1"}, actor="user:ana")


def test_an_act_and_its_answer(tmp_path: Path) -> None:
    answer = asyncio.run(asked(tmp_path, "ack"))
    assert answer == {"act": "ack", "args": {"alert": "alr-1"}, "actor": "user:ana"}


def test_what_the_daemon_refuses_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no alert has the id"):
        asyncio.run(asked(tmp_path, "miss"))


def test_a_crash_in_the_daemon_is_told_and_survived(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="the daemon failed at 'crash': ZeroDivisionError"):
        asyncio.run(asked(tmp_path, "crash"))


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_only_the_owner_may_speak_to_the_socket(tmp_path: Path) -> None:
    async def mode() -> int:
        async with await control.serve(tmp_path, echo, token="t"):
            return stat.S_IMODE((tmp_path / "monitor.sock").stat().st_mode)

    assert asyncio.run(mode()) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="speaks to the socket")
@pytest.mark.parametrize(
    "line", [b"[1]\n", b"7\n", b"no JSON\n", b'{"token": "\xc3\xa9"}\n', b"[" * 100_000 + b"\n", b"\xff\n", b"\n", b""]
)
def test_who_speaks_nonsense_is_hung_up_on(tmp_path: Path, line: bytes) -> None:
    complaints: list[dict[str, Any]] = []

    async def speak() -> bytes:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with await control.serve(tmp_path, echo, token="t", seconds=10 if line else 0.01):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "monitor.sock")
            writer.write(line)
            async with asyncio.timeout(10):
                answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    assert asyncio.run(speak()) == b""
    assert not complaints


def test_a_path_too_long_for_a_socket_falls_back_to_a_guarded_port(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 30)
    deep.mkdir()
    assert asyncio.run(asked(deep, "ack"))["act"] == "ack"
    assert stat.S_IMODE((deep / "monitor.port").stat().st_mode) == 0o600


def test_a_wrong_token_is_not_heard(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 30)
    deep.mkdir()

    async def intrude() -> None:
        async with await control.serve(deep, echo, token="right"):
            note = deep / "monitor.port"
            note.write_text(note.read_text().replace("right", "wrong"))
            await asyncio.to_thread(control.ask, deep, "ack", {}, actor="user:ana")

    with pytest.raises(TryAgain, match="nothing was done"):
        asyncio.run(intrude())


def test_without_a_daemon_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(control.NoDaemon):
        control.ask(tmp_path, "ack", {}, actor="user:ana")


def test_a_command_that_gave_up_has_done_nothing(tmp_path: Path) -> None:
    done: list[str] = []

    async def note(act: str, args: dict[str, Any], actor: str) -> dict[str, Any]:
        done.append(act)
        return {}

    async def give_up() -> None:
        async with await control.serve(tmp_path, note, token="t"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "monitor.sock")
            writer.write(b'{"act": "ack", "args": {}, "actor": "user:ana", "token": ""}\n')
            await reader.readline()  # accepted, and now we go away without `go`
            writer.close()
            await writer.wait_closed()

    asyncio.run(give_up())
    assert done == []


def test_the_lock_is_held_by_one(tmp_path: Path) -> None:
    with (
        control.writer_lock(tmp_path),
        pytest.raises(TryAgain, match=rf"another monitor \(process {os.getpid()}\) already writes"),
        control.writer_lock(tmp_path),
    ):
        pass
    with control.writer_lock(tmp_path):
        pass
