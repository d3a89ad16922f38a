"""Says when files under given folders change: after the dust has settled, through atomic saves and replaced folders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import watchfiles

SETTLE_MS = 250
"""A burst of changes is one; an editor's save is several changes within a few milliseconds."""
CHECK_MS = 1000
"""How often is asked whether the folders are still the ones we watch."""

Identity: TypeAlias = "tuple[int, int] | None"


async def changes(*folders: Path, polling: bool = False) -> AsyncIterator[frozenset[Path]]:
    """The changed paths of each burst, under the folders as given, for ever; the folder itself where it came or went.

    A folder need not exist, and may be removed, replaced or made later. Where the system cannot tell of changes (no
    more watches, a network disk that refuses), the folders are looked at each second; `polling` asks for that.
    """
    watching = _identities(folders)
    while True:
        there = [folder for folder, identity in watching.items() if identity is not None]
        moved = False
        try:
            if not there:
                await asyncio.sleep(CHECK_MS / 1000)
                moved = await asyncio.to_thread(_identities, folders) != watching
            else:
                async for raw in _burst(there, polling):
                    if raw:
                        yield _as_given({Path(path) for _, path in raw}, there)
                    # A folder that is made anew at once may get the identity of the removed one.
                    removed = {Path(path) for change, path in raw if change is watchfiles.Change.deleted}
                    if (
                        any(folder.resolve() in removed for folder in there)
                        or await asyncio.to_thread(_identities, folders) != watching
                    ):
                        moved = True
                        break
        except OSError:
            moved = await asyncio.to_thread(_identities, folders) != watching
            polling = polling or not moved
        if moved:
            now = await asyncio.to_thread(_identities, folders)
            gone = frozenset(folder for folder in folders if now[folder] != watching[folder])
            watching = now
            yield gone or frozenset(folders)


def _burst(folders: list[Path], polling: bool) -> AsyncIterator[set[tuple[watchfiles.Change, str]]]:
    return watchfiles.awatch(
        *(folder.resolve() for folder in folders),
        watch_filter=_worth_a_look,
        debounce=SETTLE_MS,
        step=50,
        rust_timeout=CHECK_MS,
        yield_on_timeout=True,
        force_polling=polling or None,
        ignore_permission_denied=True,
    )


def _worth_a_look(change: watchfiles.Change, path: str) -> bool:
    name = Path(path).name
    return not (name.startswith((".#", "#", "~$")) or name.endswith(("~", ".swp", ".swx", ".tmp", ".part")))


def _identities(folders: tuple[Path, ...]) -> dict[Path, Identity]:
    return {folder: _identity(folder) for folder in folders}


def _identity(folder: Path) -> Identity:
    try:
        found = folder.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _as_given(paths: set[Path], folders: list[Path]) -> frozenset[Path]:
    """The paths under the folders as they were given: the system tells of resolved ones."""
    found: set[Path] = set()
    for folder in folders:
        root = folder.resolve()
        found.update(folder / path.relative_to(root) for path in paths if path.is_relative_to(root))
    return frozenset(found or paths)
