"""Folders of documents and files given by hand: what is there, what is new or changed, read a few at a time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.core.entries import ParsedEntry, ParsedFeed
from monitor.ports import MARK_LENGTH, DocumentsRead, FetchFailed
from monitor.sources.documents import MAX_BYTES
from monitor.sources.workers import NoParser, Workers

BATCH_FILES, BATCH_BYTES = 100, 32_000_000
MAX_FILES = 200_000
TRIES = 3  # of a document that hangs or crashes the parser, or that the disk does not give
_UNFINISHED = ("~", ".tmp", ".part", ".partial", ".crdownload", ".swp", ".lock")


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    name: str  # within its folder, with forward slashes
    size: int
    mark: str
    problem: str | None = None


class Documents:
    """Implements `ports.DocumentReader`. `seeds`: the folder that locations in `sources.yaml` are relative to."""

    def __init__(self, seeds: Path, workers: Workers) -> None:
        self._seeds, self._workers = seeds, workers
        self._tries: dict[str, int] = {}  # mark -> how often a document failed that is to be tried again

    async def read_folder(self, location: str, known: Collection[str]) -> AsyncIterator[DocumentsRead]:
        """See `ports.DocumentReader`."""
        files = await asyncio.to_thread(_walk, self._folder(location))
        async for part in self._read([file for file in files if file.mark not in known], location):
            yield part
        yield DocumentsRead(feed=_feed((), ()), location=location, present=self._done_with(files))

    async def read_path(self, path: str, folders: Sequence[str]) -> AsyncIterator[DocumentsRead]:
        """See `ports.DocumentReader`."""
        location, root, files = await asyncio.to_thread(self._given, Path(path), folders)
        if location is None:
            # The name is the file's identity, so a file outside all folders is known by its whole path.
            files = [replace(file, name=(root / file.name).as_posix()) for file in files]
        async for part in self._read(files, location):
            yield part

    def _given(self, path: Path, folders: Sequence[str]) -> tuple[str | None, Path, list[_File]]:
        try:
            path = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise FetchFailed(f"cannot be opened ({getattr(error, 'strerror', None) or error})", lasting=True) from None
        for location in folders:
            root = self._folder(location).resolve()
            if path.is_relative_to(root):
                inner = [_look(path, root)] if not path.is_dir() else _walk(root, path)
                return location, root, inner
        return None, path.parent, [_look(path, path.parent)] if not path.is_dir() else _walk(path.parent, path)

    def _folder(self, location: str) -> Path:
        return self._seeds / location

    async def _read(self, files: list[_File], location: str | None) -> AsyncIterator[DocumentsRead]:
        for batch in _batches(files):
            parsing = (self._parse(file, watched=location is not None) for file in batch)
            results = zip(batch, await asyncio.gather(*parsing, return_exceptions=True), strict=True)
            entries, faults, read = list[ParsedEntry](), list[str](), list[_File]()
            broken: BaseException | None = None
            for file, result in results:
                if isinstance(result, BaseException):
                    broken = result
                    continue
                entries += result[0]
                faults += result[1]
                read.append(file)
            yield DocumentsRead(feed=_feed(entries, faults), location=location, marks=self._done_with(read))
            if broken is not None:
                raise broken

    def _done_with(self, files: Iterable[_File]) -> frozenset[str]:
        return frozenset(file.mark for file in files if file.mark not in self._tries)

    async def _parse(self, file: _File, *, watched: bool) -> tuple[tuple[ParsedEntry, ...], tuple[str, ...]]:
        if file.problem is not None:
            return (), (f"{file.name}: {file.problem}",)
        try:
            feed = await self._workers.parse_file(file.path, file.name, file.size)
        except NoParser:
            raise
        except FetchFailed as error:
            return (), (f"{file.name}: {error.reason}{self._then(file, error) if watched else ''}",)
        self._tries.pop(file.mark, None)
        return feed.entries, tuple(f"{file.name}: {fault}" for fault in feed.faults)

    def _then(self, file: _File, error: FetchFailed) -> str:
        if error.lasting:
            return ""
        tries = self._tries.pop(file.mark, 0) + 1
        if tries >= TRIES:
            return "; given up"
        self._tries[file.mark] = tries
        return "; it is tried again"


def _feed(entries: Iterable[ParsedEntry], faults: Iterable[str]) -> ParsedFeed:
    return ParsedFeed(format="documents", title="", entries=tuple(entries), faults=tuple(faults))


def _walk(root: Path, start: Path | None = None) -> list[_File]:
    """All documents below a folder, in order of name; hidden and unfinished files are left out."""
    start = start or root
    if not start.is_dir():
        raise FetchFailed(f"folder '{start}' is not there" if not start.exists() else f"'{start}' is not a folder")
    files: list[_File] = []
    for folder, folders, names in os.walk(start, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith((".", "~$")) and not name.lower().endswith(_UNFINISHED):
                files.append(_look(Path(folder) / name, root))
        if len(files) > MAX_FILES:
            raise FetchFailed(f"folder '{start}' has more than {MAX_FILES:,} files", lasting=True)
    return files


def _raise(error: OSError) -> None:
    raise FetchFailed(f"folder '{error.filename}' cannot be read ({error.strerror})")


def _look(path: Path, root: Path) -> _File:
    # A name that is no UTF-8 still has to be stored and shown.
    name = path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode()
    try:
        about = path.stat()
    except OSError as error:
        return _File(path, name, 0, _mark(name, "none"), f"cannot be opened ({error.strerror})")
    problem = None
    if not stat.S_ISREG(about.st_mode):  # a pipe or device would never end
        problem = "is not a regular file"
    elif about.st_size > MAX_BYTES:
        problem = f"has {about.st_size / 1_000_000:.0f} MB; at most {MAX_BYTES // 1_000_000} MB are read"
    # The change time too: a file that could not be opened may be, once its permissions change.
    mark = _mark(name, f"{about.st_mtime_ns}:{about.st_ctime_ns}:{about.st_size}")
    return _File(path, name, about.st_size, mark, problem)


def _mark(name: str, stamp: str) -> str:
    return hashlib.sha256(f"{name}\0{stamp}".encode()).hexdigest()[:MARK_LENGTH]


def _batches(files: list[_File]) -> Iterator[list[_File]]:
    batch: list[_File] = []
    size = 0
    for file in files:
        if batch and (len(batch) >= BATCH_FILES or size + file.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch
