"""How commands print: JSON Lines for scripts, tables for people, nothing that could drive a terminal."""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

_KEPT = "\n\t"
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def json_lines(objects: Iterable[Any]) -> None:
    """One JSON object a line on stdout."""
    for item in objects:
        sys.stdout.write(json_text(item) + "\n")


def json_text(item: Any) -> str:
    """JSON in one line, with control, bidi and other format characters as `\\u…`: the same to whoever parses it."""
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], msgspec.json.encode(item).decode())


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


def listing(rows: Iterable[tuple[Sequence[str], str]], *, empty: str) -> None:
    """A line of aligned short cells for each row, and below it, indented, the one text that may be long.

    Ids are never cut, so that they can be copied; the texts are cut to the terminal's width (80 where there is none).
    """
    shown = [([clean(cell) for cell in cells], " ".join(clean(text).split())) for cells, text in rows]
    if not shown:
        print(empty, file=sys.stderr)
        return
    widths = [max(map(len, column)) for column in zip(*(cells for cells, _ in shown), strict=True)]
    width = shutil.get_terminal_size().columns - 4
    for cells, text in shown:
        print("  ".join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True)).rstrip())
        if text:
            print(f"    {cut(text, width)}")


def cut(text: str, width: int) -> str:
    """As much of a text as fits; East Asian characters take two columns."""
    used = 0
    for index, char in enumerate(text):
        used += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used > width:
            return text[: index - 1].rstrip() + "…"
    return text


def facts(pairs: Mapping[str, str]) -> None:
    """`name: value` lines, aligned."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        print(f"{name + ':':<{width + 1}} {clean(value)}")
