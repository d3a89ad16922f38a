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


def many(number: int, word: str, more: str = "") -> str:
    """`1 entry`, `1,234 entries`; `more` is the plural where an s does not make it."""
    return f"{number:,} {word if number == 1 else more or f'{word}s'}"


def listing(rows: Iterable[tuple[Sequence[str], str]], *, empty: str) -> None:
    """Aligned short cells for each row, in as many lines as they take, and below, indented, the one text that may be
    long.

    Ids are never cut, so that they can be copied; the texts are cut to the terminal's width (80 where there is none).
    """
    shown = [([clean(cell) for cell in cells], " ".join(clean(text).split())) for cells, text in rows]
    if not shown:
        print(empty, file=sys.stderr)
        return
    widths = [max(map(_columns, column)) for column in zip(*(cells for cells, _ in shown), strict=True)]
    places = _places(widths)
    for cells, text in shown:
        line = ""
        for cell, size, fresh in zip(cells, widths, places, strict=True):
            if fresh:
                print(line.rstrip())
                line = "    "
            line += cell + " " * (size - _columns(cell) + 2)
        print(line.rstrip())
        if text:
            print(f"    {cut(text, screen() - 4)}")


def _places(widths: Sequence[int]) -> list[bool]:
    """Of each column, whether it begins a line of its own, since the one before has no more room."""
    places, used = [], 0
    for width in widths:
        fresh = used > 0 and used + width > screen()
        used = (4 if fresh else used) + width + 2
        places.append(fresh)
    return places


def screen() -> int:
    """How many columns the terminal has (80 where there is none)."""
    return shutil.get_terminal_size().columns


def _columns(text: str) -> int:
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """As much of a text as fits; East Asian characters take two columns."""
    used = 0
    for index, char in enumerate(text):
        used += _width(char)
        if used > width:
            return text[: index - 1].rstrip() + "…"
    return text


def wrapped(text: str, *, first: str = "", hang: int = 4) -> None:
    """A text in as many lines as it takes, broken between words: the first after `first`, all others indented."""
    line, empty = first, True
    for word in clean(text).split():
        if not empty and _columns(line) + 1 + _columns(word) > screen():
            print(line)
            line, empty = " " * hang, True
        line, empty = line + ("" if empty else " ") + word, False
    print(line)


def facts(pairs: Mapping[str, str]) -> None:
    """`name: value` lines, aligned."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        wrapped(value, first=f"{name + ':':<{width + 1}} ", hang=width + 2)
