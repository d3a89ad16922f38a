"""A unified diff of two texts that a person can read, whatever their size."""

from __future__ import annotations

import difflib
import re

MAX_LINES = 2_000  # compared line by line; beyond that only what the two have not in common at both ends
MAX_DIFF = 20_000  # characters
_SENTENCE_END = re.compile(r"(?<=[.!?])[ \t]+(?=\S)|(?<=[。！？])(?=\S)")


def text_diff(before: str, after: str) -> str:
    """`-` and `+` lines with two lines of context, a sentence a line; cut, and said so, where it is very long."""
    old, new = _lines(before), _lines(after)
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    old, new = _window(old, start, end), _window(new, start, end)
    note = "" if max(len(old), len(new)) <= MAX_LINES else f"[the first {MAX_LINES:,} changed lines]\n"
    lines = difflib.unified_diff(old[:MAX_LINES], new[:MAX_LINES], n=2, lineterm="")
    diff = note + "\n".join(list(lines)[2:])  # without the file names
    return diff if len(diff) <= MAX_DIFF else f"{diff[:MAX_DIFF]}\n[cut here: {len(diff):,} characters]"


def _lines(text: str) -> list[str]:
    return [line for paragraph in text.split("\n") for line in _SENTENCE_END.split(paragraph.strip()) if line]


def _window(lines: list[str], start: int, end: int) -> list[str]:
    return lines[max(0, start - 2) : len(lines) - max(0, end - 2)]


def _common(old: list[str], new: list[str]) -> int:
    count = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        count += 1
    return count
