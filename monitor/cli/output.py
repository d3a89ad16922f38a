"""How commands print: JSON Lines for scripts, tables for people, nothing that could drive a terminal."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

_KEPT = "\n\t"


def json_lines(objects: Iterable[Any]) -> None:
    """One JSON object a line on stdout."""
    for item in objects:
        sys.stdout.write(msgspec.json.encode(item).decode() + "\n")


def clean(text: str, keep: str = "") -> str:
    """Text from outside made harmless for a terminal: control, bidi and other format characters become spaces."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char in keep or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else " "
        for char in text
    )


def paragraphs(text: str) -> str:
    """As `clean`, for texts of several lines."""
    return clean(text, _KEPT)


def moment(instant: datetime | None) -> str:
    """`2026-11-24 07:00Z`, or a dash."""
    return instant.strftime("%Y-%m-%d %H:%MZ") if instant else "-"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """A table as wide as the terminal (80 where there is none); the last column gets what is left."""
    from rich.console import Console
    from rich.table import Table

    shown = [[clean(cell) for cell in row] for row in rows]
    if not shown:
        print(empty, file=sys.stderr)
        return
    console = Console(highlight=False)
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        last = index == len(columns) - 1
        drawn.add_column(column, no_wrap=not last, overflow="fold" if last else "ellipsis", ratio=1 if last else None)
    for row in shown:
        from rich.text import Text

        drawn.add_row(*(Text(cell) for cell in row))
    console.print(drawn)


def facts(pairs: Mapping[str, str]) -> None:
    """`name: value` lines, aligned."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        print(f"{name + ':':<{width + 1}} {clean(value)}")
