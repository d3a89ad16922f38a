"""Characters by script: which are letters of one kind, where a word ends, which scripts write without spaces.

A class is a small number per character. Letters and marks of one alphabetic script share a class; digits and
combining marks are neutral: they belong to the run of letters they stand in.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

OTHER: Final = 0  # signs and white space: between words
NEUTRAL: Final = 1  # digits and combining marks
CJK: Final = 2  # Han and Kana: no spaces; two characters count as a word
SOUTH_EAST: Final = 3  # Thai, Lao, Khmer, Burmese: no spaces; four characters count as a word
HANGUL: Final = 4  # endings are attached: no boundary is asked for on the right
ARABIC: Final = 5  # one-letter words and the article are attached in front
HEBREW: Final = 6
LATIN: Final = 7
GREEK: Final = 8
CYRILLIC: Final = 9
RARE: Final = 10  # letters beyond the first plane, as one kind
_FIRST_FREE: Final = 11

_NAMED: Final = {
    "HANGUL": HANGUL, "ARABIC": ARABIC, "HEBREW": HEBREW, "LATIN": LATIN, "GREEK": GREEK, "CYRILLIC": CYRILLIC,
    "HIRAGANA": CJK, "KATAKANA": CJK, "KATAKANA-HIRAGANA": CJK, "IDEOGRAPHIC": CJK, "VERTICAL": CJK,
    "THAI": SOUTH_EAST, "LAO": SOUTH_EAST, "KHMER": SOUTH_EAST, "MYANMAR": SOUTH_EAST,
    "COMBINING": NEUTRAL, "MODIFIER": NEUTRAL, "FEMININE": LATIN, "MASCULINE": LATIN, "MICRO": GREEK,
}  # fmt: skip
_BLOCKS: Final = (  # whole blocks, so that no name need be looked up
    (0x2E80, 0x2FDF, CJK), (0x3005, 0x3007, CJK), (0x3021, 0x3029, CJK), (0x3099, 0x309A, CJK), (0x3400, 0x4DBF, CJK),
    (0x4E00, 0x9FFF, CJK), (0xAC00, 0xD7A3, HANGUL), (0xF900, 0xFAFF, CJK),
    (0xD800, 0xF8FF, OTHER),
)  # fmt: skip

APOSTROPHES: Final = "'\u2018\u2019\u201b\u02bc\u02b9\u0060\u00b4\u2032\uff07\u055a\ua78c\u05f3"
DASHES: Final = (
    "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\ufe31\ufe32\ufe58\ufe63\uff0d\u058a\u05be\u1806\u2e3a\u2e3b"
)
SPACES: Final = "".join(map(chr, (*range(9, 14), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
                                  0x2028, 0x2029, 0x202F, 0x205F, 0x3000)))  # fmt: skip
HIDDEN: Final = "".join(map(chr, (0xAD, 0x34F, 0x61C, *range(0x180B, 0x180F), *range(0x200B, 0x2010),
                                  *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10),
                                  0xFEFF)))  # fmt: skip
"""Soft hyphen, zero-width signs, direction marks, variation selectors: found through as if they were not there."""


@cache
def class_table() -> bytes:
    """The class of each code point of the first plane."""
    table = bytearray(0x10000)
    covered = bytearray(0x10000)
    for first, last, number in _BLOCKS:
        table[first : last + 1] = bytes((number,)) * (last + 1 - first)
        covered[first : last + 1] = b"\1" * (last + 1 - first)
    names = dict(_NAMED)
    category, name_of = unicodedata.category, unicodedata.name
    for code in range(0x10000):
        if covered[code]:
            continue
        kind = category(chr(code))
        if kind == "Nd" or kind == "Me":
            table[code] = NEUTRAL
        elif kind[0] in "LM":
            script = name_of(chr(code), "UNNAMED").partition(" ")[0]
            table[code] = names.setdefault(script, min(_FIRST_FREE + len(names) - len(_NAMED), 255))
    for char in APOSTROPHES + DASHES + SPACES + HIDDEN:
        table[ord(char)] = OTHER
    return bytes(table)


class _Classes(dict[str, int]):
    """The class of any character, kept from when it was first asked for."""

    def __missing__(self, char: str) -> int:
        code = ord(char)
        if code < 0x10000:
            found = class_table()[code]
        elif 0x20000 <= code <= 0x3FFFF:
            found = CJK
        else:
            kind = unicodedata.category(char)
            found = RARE if kind[0] in "LM" else NEUTRAL if kind == "Nd" else OTHER
        self[char] = found
        return found


CLASSES: Final = _Classes()
class_of: Final = CLASSES.__getitem__
"""The class of a character."""


JOINED: Final = 1
LOOK_BACK: Final = 2
_UNJOINED: Final = (OTHER, CJK, SOUTH_EAST)


def _row(left: int) -> bytes:
    """By class of the right one of two neighbours: 0 (not in one word), JOINED, or LOOK_BACK at the letters before."""
    row = bytearray(256)
    if left == NEUTRAL:
        row[:] = bytes((LOOK_BACK,)) * 256
        row[NEUTRAL] = JOINED
        for right in _UNJOINED:
            row[right] = 0
    elif left not in _UNJOINED:
        row[left] = row[NEUTRAL] = JOINED
    return bytes(row)


_JOINED: Final = tuple(map(_row, range(256)))


@cache
def joins_before(right: int) -> bytes:
    """By class of the character to the left of a `right` one: 0 a word may begin here, JOINED, or LOOK_BACK."""
    return bytes(row[right] for row in _JOINED)


@cache
def joins_after(left: int) -> bytes:
    """By class of the character to the right of a `left` one: 0 a word may end here, JOINED, or LOOK_BACK."""
    return _JOINED[left]


def joined(text: str, at: int) -> bool:
    """Whether the characters on both sides of offset `at` stand in one word.

    A run of digits belongs to the letters before it, else to those after it.
    """
    if at <= 0 or at >= len(text):
        return False
    right = CLASSES[text[at]]
    found = _JOINED[CLASSES[text[at - 1]]][right]
    return found == JOINED or (found == LOOK_BACK and _joined_by_letters(text, at, right))


def _joined_by_letters(text: str, at: int, right: int) -> bool:
    """Whether the digits before `at` stand behind letters of the class that follows, or behind none."""
    back = at - 2
    while back >= 0 and (left := CLASSES[text[back]]) == NEUTRAL:
        back -= 1
    return back < 0 or left in (OTHER, CJK, SOUTH_EAST) or left == right


MAX_WORD: Final = 200
"""Characters a `*` may stand for; no word is longer, and a text of one endless word costs no more than another."""


def word_end(text: str, at: int) -> int:
    """Where the word that runs up to `at` ends."""
    limit = at + MAX_WORD
    while at < limit and joined(text, at):
        at += 1
    return at


def word_start(text: str, at: int) -> int:
    """Where the word that goes on at `at` begins."""
    limit = at - MAX_WORD
    while at > limit and joined(text, at):
        at -= 1
    return at
