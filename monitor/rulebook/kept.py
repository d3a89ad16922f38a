"""Rule books that were read and compiled before, in this process or by an earlier start: known by their content.

What is kept saves time and nothing else. A file that is damaged, of another version of anything it depends on, or not
to be written, is as if it were not there; all of them may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

import msgspec
from msgspec.structs import replace

from monitor import matching, rulebook
from monitor.errors import Fault
from monitor.matching.book import RuleBook
from monitor.matching.engine import Engine, compile_with_needles
from monitor.matching.scan import Needles
from monitor.rulebook import themes

MAX_FILES = 3
MAX_BYTES = 256_000_000
_REMEMBERED = 2
_LIBRARIES = ("msgspec", "pyyaml", "lark", "google-re2", "daachorse", "ahocorasick_rs")

_lately: dict[str, RuleBook] = {}  # by revision, the latest last
_one_at_a_time = Lock()


def load_rules(files: Mapping[str, str]) -> tuple[RuleBook | None, list[Fault]]:
    """As `themes.load_rules`; one of the last books is not read again."""
    known = _lately.get(themes.revision_of(files))
    if known is not None:
        return known, []
    book, faults = themes.load_rules(files)
    if book is not None:
        _remember(book)
    return book, faults


def _remember(book: RuleBook) -> None:
    with _one_at_a_time:
        _lately.pop(book.revision, None)
        _lately[book.revision] = book
        while len(_lately) > _REMEMBERED:
            del _lately[next(iter(_lately))]


class Kept(msgspec.Struct, frozen=True):
    """What a file holds."""

    book: RuleBook
    needles: Needles


class Cache:
    """Compiled books in a folder, the last few. Methods block and raise nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def engine(self, files: Mapping[str, str]) -> Engine | None:
        """The engine of these files, where it was kept."""
        name = _name(files)
        path = self._path(name)
        try:
            data = memoryview(path.read_bytes() if path.stat().st_size <= MAX_BYTES else b"")
        except OSError:
            return None
        if data[:32] != _seal(name, data[32:]):
            return None
        try:
            kept = msgspec.msgpack.decode(data[32:], type=Kept)
            if kept.book.revision != themes.revision_of(files):
                return None
            engine, _ = compile_with_needles(kept.book, kept.needles)
        except (msgspec.MsgspecError, ValueError):
            return None
        _remember(kept.book)
        return engine

    def keep(self, files: Mapping[str, str], engine: Engine, needles: Needles) -> None:
        """Keep what these files, which are sound and whose examples pass, come to."""
        packed = engine.scanner.pack()
        if packed:
            needles = replace(needles, packed=packed, texts=())
        name, data = _name(files), msgspec.msgpack.encode(Kept(engine.book, needles))
        if len(data) > MAX_BYTES - 32:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = self._folder / "half-written"
            with half.open("wb") as file:
                file.write(_seal(name, data))
                file.write(data)
            half.replace(self._path(name))
            self._forget()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.book"

    def _forget(self) -> None:
        """Remove all but the latest books."""
        books = sorted(self._folder.glob("*.book"), key=lambda path: path.stat().st_mtime_ns)
        for path in books[:-MAX_FILES]:
            path.unlink()


def _name(files: Mapping[str, str]) -> str:
    """Names a book by all that decides what it compiles to."""
    return hashlib.sha256(f"{themes.revision_of(files)} {_program()}".encode()).hexdigest()[:32]


def _seal(name: str, data: bytes | memoryview) -> bytes:
    return hashlib.sha256(name.encode() + hashlib.sha256(data).digest()).digest()


@cache
def _program() -> str:
    """Names this very program: its own code that reads and compiles books, and what that stands on."""
    digest = hashlib.sha256(f"{platform.python_version()} {unicodedata.unidata_version}".encode())
    for library in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            digest.update(f" {library} {version(library)}".encode())
    for package in (matching, rulebook):
        for path in sorted(Path(*package.__path__).iterdir()):
            if path.suffix in (".py", ".lark"):
                digest.update(path.read_bytes())
    return digest.hexdigest()
