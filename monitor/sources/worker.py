"""A parsing process: one job after another from stdin, results to stdout. It has no network, no secrets, no state.

What it parses was written by strangers. A document that hangs or crashes it costs this process and nothing else.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from monitor.core.entries import ParsedFeed
from monitor.core.observe import cut
from monitor.sources.unreadable import Unreadable

MEMORY_BYTES = 2_000_000_000  # address space; a document that needs more is an attack
LENGTH_BYTES = 8


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One document to parse: a feed's `body`, or the file at `path` (read here, called `name` within its folder).

    `seconds`: after so long the process ends itself, should its parent be gone.
    """

    seconds: float
    body: bytes = b""
    url: str = ""
    content_type: str | None = None
    path: bytes | None = None
    name: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`error` continues a sentence that begins with the document's name; `passing`: trying again may help. `peak`: the
    most memory so far, in bytes.
    """

    feed: ParsedFeed | None = None
    error: str | None = None
    passing: bool = False
    peak: int = 0


def perform(job: Job) -> Result:
    """Parse one document. Never raises: what it could not foresee is an `error` too."""
    try:
        feed = _parse(job)
        return Result(feed=msgspec.structs.replace(feed, entries=tuple(cut(entry) for entry in feed.entries)))
    except Unreadable as error:
        return Result(error=str(error), passing=error.passing)
    except MemoryError:
        return Result(error="needs more memory than a document may have")
    except RecursionError:
        return Result(error="is nested too deeply")
    except Exception as error:
        return Result(error=f"cannot be parsed ({type(error).__name__}: {' '.join(str(error).split())[:160]})")


def _parse(job: Job) -> ParsedFeed:
    if job.path is not None:
        from monitor.sources.documents import parse_document

        return parse_document(os.fsdecode(job.path), job.name)
    from monitor.sources.feeds import parse_feed

    return parse_feed(job.body, job.url, job.content_type)


def main() -> None:
    """Work until stdin ends."""
    stdin, stdout = _own_streams()
    _limit_memory()
    decode = msgspec.msgpack.Decoder(Job).decode
    while head := stdin.read(LENGTH_BYTES):
        job = decode(stdin.read(int.from_bytes(head)))
        faulthandler.dump_traceback_later(job.seconds + 5, exit=True)
        result = msgspec.structs.replace(perform(job), peak=_peak())
        faulthandler.cancel_dump_traceback_later()
        answer = msgspec.msgpack.encode(result)
        stdout.write(len(answer).to_bytes(LENGTH_BYTES) + answer)
        stdout.flush()


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    # Whatever a library prints must not end up among the answers.
    stdin, stdout = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return stdin, stdout


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _peak() -> int:
    # Not getrusage on Linux: its peak is inherited from the parent over fork and exec.
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_bytes().splitlines():
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
