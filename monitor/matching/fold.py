"""Folding: how text and terms are made alike before they are compared, and the way back to the text as given.

`fold` says what is alike, slowly and for any string; terms are folded by it. `fold_text` gives the same for documents
by tables, one array operation for the whole text, and keeps the way back to offsets in the text as given.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from functools import cache, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.matching.scripts import APOSTROPHES, CYRILLIC, DASHES, GREEK, HIDDEN, LATIN, NEUTRAL, SPACES, class_of

Codes = npt.NDArray[np.uint16]

GAP: Final = " "  # what every dash and white space folds to
FIELD_END: Final = "\0"  # stands between the texts of a document; no term can hold it

_HIDDEN: Final = frozenset(HIDDEN)
_SIGNS: Final = dict.fromkeys(DASHES + SPACES, GAP) | dict.fromkeys(APOSTROPHES, "'")
_STROKES: Final = str.maketrans({
    "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ƀ": "b", "ǥ": "g", "ɨ": "i", "ƶ": "z", "æ": "ae", "œ": "oe",
})  # fmt: skip
_STRESSED: Final = {"ё": "е", "ѐ": "е", "ѝ": "и"}
_STRESS: Final = ("\u0300", "\u0301")


def fold(text: str) -> str:
    """What `text` is compared as: lower case, without accents of Latin and Greek, one kind of dash, space, apostrophe.

    Kept: й ї ў ґ and every mark of other scripts, simplified and traditional Han, Turkish ı.
    """
    folded = text.translate(_LETTERS_ALONE)
    return _fold_together(text) if _NOT_ALONE in folded else folded


def _fold_together(text: str) -> str:
    """`fold`, for text with marks that may melt into the letter before them."""
    text = "".join(char for char in text if char not in _HIDDEN)
    if not text.isascii():
        text = "".join(map(_plain_form, text))
        text = unicodedata.normalize("NFC", text)
    folded: list[str] = []
    base = 0
    for char in text.casefold() if text.isascii() else "".join(map(_fold_letter, text)):
        if unicodedata.combining(char):
            accent = class_of(char) == NEUTRAL
            if accent and (base in (LATIN, GREEK) or (base == CYRILLIC and char in _STRESS)):
                continue
        else:
            base = class_of(char)
        folded.append(_SIGNS.get(char, char))
    return "".join(folded)


_NOT_ALONE: Final = "\ud800"


class _LettersAlone(dict[int, str]):
    """What each character folds to by itself, found when first asked for."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _NOT_ALONE if code in _composing() else _fold_together(chr(code))
        return folded


_LETTERS_ALONE: Final = _LettersAlone()


def _plain_form(char: str) -> str:
    """Full-width, half-width and presentation forms, ligatures: the plain letters. Half a character: U+FFFD."""
    code = ord(char)
    if 0xFB00 <= code <= 0xFDFF or 0xFE70 <= code <= 0xFEFC or 0xFF00 <= code <= 0xFFEF:
        return unicodedata.normalize("NFKC", char)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else char


def _fold_letter(char: str) -> str:
    lower = char.casefold()
    if lower.isascii():
        return lower
    if lower in _STRESSED:
        return _STRESSED[lower]
    if class_of(lower[0]) in (LATIN, GREEK):
        lower = unicodedata.normalize("NFD", lower).translate(_STROKES)
        return "".join(part for part in lower if not unicodedata.combining(part))
    return lower


# --- whole documents, by table

# Values that no text folds to (lone surrogates fold to U+FFFD) mark what one table look-up cannot say.
_FIRST_SPECIAL: Final = 0xD800
_HIDE: Final = 0xD800  # is not there
_EXPAND: Final = 0xD801  # becomes several letters
_MARK: Final = 0xD802  # may melt into, or vanish behind, the character before it
_FAR: Final = 0xD803  # beyond the first plane
_LAST_SPECIAL: Final = 0xDFFF


@cache
def _table() -> Codes:
    """What each code point of the first plane folds to by itself, or which kind of special care it needs."""
    table = np.arange(0x10000, dtype=np.uint16)
    table[0xD800:0xE000] = 0xFFFD
    for code in _changing():
        char = chr(code)
        folded = _fold_together(char)
        table[code] = ord(folded) if len(folded) == 1 and folded < "\ud800" else _EXPAND
    table[[ord(char) for char in HIDDEN]] = _HIDE
    table[sorted(_composing())] = _MARK
    table.setflags(write=False)
    return table


def _changing() -> list[int]:
    """Code points that `fold` may change, apart from marks: letters with case or accents, compatibility forms."""
    blocks = (
        range(0x20, 0x600), range(0x10A0, 0x1100), range(0x13A0, 0x1400), range(0x1C80, 0x1CC0),
        range(0x1D00, 0x1DC0), range(0x1E00, 0x2000), range(0x2100, 0x2190), range(0x24B6, 0x24EA),
        range(0x2C00, 0x2E00), range(0xA640, 0xA6A0), range(0xA720, 0xA800), range(0xAB30, 0xABC0),
        range(0xF900, 0xFB00), range(0xFB00, 0xFE00), range(0xFE70, 0xFEFD), range(0xFF00, 0xFFF0),
    )  # fmt: skip
    changing = [code for block in blocks for code in block if not unicodedata.combining(chr(code))]
    signs = [ord(char) for char in DASHES + SPACES + APOSTROPHES]
    canonical = [
        code for block in (range(0x900, 0xE00), range(0xF00, 0x1100), range(0x2000, 0x2400), range(0x2A00, 0x2B00))
        for code in block if unicodedata.decomposition(chr(code))[:1] not in ("", "<")
    ]  # fmt: skip
    return [*changing, *canonical, *signs]


@cache
def _composing() -> frozenset[int]:
    """Marks and letters that may melt into, or vanish behind, the character before them."""
    marks = [*range(0x300, 0x370), *range(0x483, 0x488), *range(0x1AB0, 0x1B00), *range(0x1DC0, 0x1E00)]
    marks += [*range(0x20D0, 0x20F1), *range(0x2DE0, 0x2E00), *range(0xA66F, 0xA6A0), *range(0xA8E0, 0xA8F2)]
    marks += [*range(0xFE20, 0xFE30), *range(0x1160, 0x1200), 0x3099, 0x309A, 0xFF9E, 0xFF9F]
    seconds = set()
    for block in (range(0x600, 0x1100), range(0x1B00, 0x1C00)):
        for code in block:
            parts = unicodedata.decomposition(chr(code))
            if parts and parts[0] != "<" and " " in parts:
                seconds.add(int(parts.split()[1], 16))
    hidden = {ord(char) for char in HIDDEN}
    return frozenset({*marks, *seconds} - hidden)


class _Segments:
    """How a text before `_collapse` lies on the text as given: stretches kept as they are, and clusters folded anew."""

    __slots__ = ("at", "first", "stop")

    def __init__(self) -> None:
        self.at: list[int] = []  # where in the folded text it begins
        self.first: list[int] = []  # where in the text as given
        self.stop: list[int] = []  # of a cluster: its end in the text as given; of a stretch 0

    def add(self, at: int, first: int, stop: int = 0) -> None:
        self.at.append(at)
        self.first.append(first)
        self.stop.append(stop)

    def start(self, at: int) -> int:
        index = bisect_right(self.at, at) - 1
        return self.first[index] if self.stop[index] else self.first[index] + at - self.at[index]

    def end(self, at: int) -> int:
        index = bisect_right(self.at, at - 1) - 1
        return self.stop[index] or self.first[index] + at - self.at[index]


class Folded:
    """A folded text and the way back. `text` has one GAP for one to three of white space and dashes."""

    __slots__ = ("_removed", "_segments", "text")

    def __init__(self, text: str, removed: list[int] | None = None, segments: _Segments | None = None) -> None:
        """`removed[i]`: where in `text` the (i+1)-th left-out sign was."""
        self.text = text
        self._removed, self._segments = removed, segments

    def start(self, at: int) -> int:
        """The offset in the text as given of the character folded to `at`."""
        if self._removed:
            at += bisect_right(self._removed, at)
        return self._segments.start(at) if self._segments else at

    def end(self, at: int) -> int:
        """The end in the text as given of a span that ends before `at`, with the marks of its last letter."""
        if self._removed:
            at += bisect_right(self._removed, at - 1)
        return self._segments.end(at) if self._segments else at

    def position(self, offset: int) -> int:
        """Where in `text` the character at `offset` of the text as given is, or the next one that is there."""
        return bisect_left(range(len(self.text)), offset, key=self.start)


def fold_text(text: str) -> Folded:
    """The text folded as `fold` does, with runs of two or three white space or dashes made one GAP."""
    raw = text.encode("utf-16-le", "surrogatepass")
    if len(raw) != 2 * len(text):
        return _fold_wide(text)
    codes = _table().take(np.frombuffer(raw, np.uint16))
    if codes.size and codes.max() >= _FIRST_SPECIAL:
        special = np.flatnonzero((codes >= _FIRST_SPECIAL) & (codes <= _LAST_SPECIAL))
        if special.size:
            return _fold_special(text, codes, special.tolist())
    gaps = codes == ord(GAP)
    double = (gaps[1:] & gaps[:-1]).nonzero()[0].tolist()
    return _without(_string(codes), double) if double else Folded(_string(codes))


def _without(text: str, double: list[int]) -> Folded:
    """The text with runs of two or three gaps made one; `double`: offsets of the gaps that a gap follows."""
    pieces: list[str] = []
    removed: list[int] = []
    done, count, waiting = 0, 0, len(double)
    index = 0
    while index < waiting:
        first = double[index]
        length = 1
        while index + length < waiting and double[index + length] == first + length:
            length += 1
        index += length
        if length <= 2:  # gaps that are followed: one less than gaps
            pieces.append(text[done : first + 1])
            done = first + 1 + length
            for _ in range(length):
                removed.append(first + 1 - count)
            count += length
    pieces.append(text[done:])
    return Folded("".join(pieces), removed)


def _string(codes: Codes) -> str:
    return codes.tobytes().decode("utf-16-le", "surrogatepass")


def _fold_wide(text: str) -> Folded:
    """A text with characters beyond the first plane."""
    wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    near = wide < 0x10000
    codes = np.where(near, _table().take(np.minimum(wide, 0xFFFF)), np.uint16(_FAR))
    special = np.flatnonzero((codes >= _FIRST_SPECIAL) & (codes <= _LAST_SPECIAL))
    return _fold_special(text, codes, special.tolist())


def _fold_special(text: str, codes: Codes, special: list[int]) -> Folded:
    """A text with characters that vanish, melt into others or become several; one step for each of these."""
    plain = _string(codes)
    pieces: list[str] = []
    segments = _Segments()
    done = length = 0
    for at in special:
        if at < done:
            continue
        first, shown, stop = _cluster(plain, at, done)
        if first > done:
            segments.add(length, done)
            pieces.append(plain[done:first])
            length += first - done
        if shown > first:
            folded = _fold_cluster(text[first:stop])
            if folded:
                segments.add(length, first, shown)
                pieces.append(folded)
                length += len(folded)
        done = stop
    segments.add(length, done)
    pieces.append(plain[done:])
    return _collapse("".join(pieces), segments)


def _cluster(plain: str, at: int, done: int) -> tuple[int, int, int]:
    """What folds together with the special character at `at`: its start, the end of what is seen of it, its end."""
    letter = plain[at] in _LETTERS
    stop = run = at + 1 if letter else at
    while plain[stop : stop + 1] in _FOLLOWERS:
        stop += 1
    if stop == run:
        return at, stop, stop
    seen = run + len(plain[run:stop].rstrip(_HIDE_SIGN))
    if seen > run:  # a mark among them
        return at if letter else max(done, at - 1), seen, stop
    return at, run, stop  # signs that are hidden, behind a letter or not


_HIDE_SIGN: Final = chr(_HIDE)
_LETTERS: Final = frozenset((chr(_EXPAND), chr(_FAR)))
_FOLLOWERS: Final = frozenset((_HIDE_SIGN, chr(_MARK)))
_GAPS: Final = re.compile(GAP + "{2,}")
_fold_cluster: Final = lru_cache(maxsize=4096)(_fold_together)


def _collapse(text: str, segments: _Segments) -> Folded:
    pieces: list[str] = []
    left_out: list[int] = []
    done = 0
    for found in _GAPS.finditer(text):
        first, end = found.span()
        if end - first <= 3:
            pieces.append(text[done : first + 1])
            left_out.extend(range(first + 1, end))
            done = end
    return Folded("".join(pieces) + text[done:], _removed(left_out), segments)


def _removed(left_out: list[int]) -> list[int]:
    return [at - index for index, at in enumerate(left_out)]


class Visible:
    """A text as regular expressions look at it: without hidden signs, letters and their marks composed."""

    __slots__ = ("_ends", "_starts", "text")

    def __init__(self, given: str) -> None:
        self._starts: list[int] | None = None
        self._ends: list[int] | None = None
        self.text = given
        if not (given.isascii() or (unicodedata.is_normalized("NFC", given) and _HIDDEN.isdisjoint(given))):
            self._compose(given)

    def _compose(self, given: str) -> None:
        pieces: list[str] = []
        self._starts, self._ends = [], []
        at = 0
        while at < len(given):
            if given[at] in _HIDDEN:
                at += 1
                continue
            end = stop = at + 1
            while stop < len(given) and (given[stop] in _HIDDEN or ord(given[stop]) in _composing()):
                stop += 1
                end = end if given[stop - 1] in _HIDDEN else stop
            piece = unicodedata.normalize("NFC", "".join(char for char in given[at:end] if char not in _HIDDEN))
            pieces.append(piece)
            self._starts += [at] * len(piece)
            self._ends += [end] * len(piece)
            at = stop
        self.text = "".join(pieces)

    def start(self, at: int) -> int:
        """The offset in the text as given of a character."""
        return at if self._starts is None else self._starts[at]

    def end(self, at: int) -> int:
        """The end in the text as given of a span that ends before `at`."""
        return at if self._ends is None else self._ends[at - 1]
