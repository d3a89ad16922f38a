"""One term as written to what is looked for: folded variants, signs, boundaries.

A term becomes needles (folded strings that are found in one pass over the text) and a check of what stands around a
needle. Most terms are plain: the needle between two word boundaries is the hit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, NamedTuple, TypeAlias

from monitor.matching.fold import GAP, Folded, fold
from monitor.matching.scripts import (
    ARABIC,
    CJK,
    DASHES,
    HANGUL,
    HEBREW,
    HIDDEN,
    MAX_WORD,
    OTHER,
    SOUTH_EAST,
    class_of,
    joined,
    word_end,
    word_start,
)  # fmt: skip

MAX_LENGTH: Final = 200
MAX_VARIANTS: Final = 8

_HYPHEN: Final = "\ue000"  # stands for a dash while folding; a private sign, so no letter folds to it
_DASHES: Final = str.maketrans(dict.fromkeys(DASHES, _HYPHEN))
_SIGNS: Final = f"{GAP}{_HYPHEN}'*?"
_PIECES: Final = re.compile(
    rf"(?P<gap>[{GAP}{_HYPHEN}]+)|(?P<apostrophe>'+)|(?P<star>\*+)|(?P<one>\?)|(?P<text>[^{_SIGNS}]+)"
)
_ARABIC_PREFIX: Final = re.compile("[وف]?[بكل]?(?:ال)?|[وف]?لل")
_HEBREW_PREFIX: Final = re.compile("[והבכלמש]+")


class Piece(NamedTuple):
    """A stretch of a term: text | gap (white space, dash) | maybe (a gap or nothing) | apostrophe | star | one."""

    kind: str
    text: str = ""


class Plain(NamedTuple):
    """Needles that are hits where words begin and end; `grows_left`, `grows_right`: to the word's beginning, end."""

    needles: tuple[str, ...]
    grows_left: bool = False
    grows_right: bool = False


class Exact(NamedTuple):
    """A needle whose place in the text as given must read exactly so."""

    needles: tuple[str, ...]
    text: str


class Pattern(NamedTuple):
    """Signs within the term: the needle is the piece at `anchor`, the others are matched outwards from it."""

    needles: tuple[str, ...]
    pieces: tuple[Piece, ...]
    anchor: int


class Regex(NamedTuple):
    """RE2 syntax. `needles`: each match holds one of these; none known: looked for in every text."""

    needles: tuple[str, ...]
    pattern: str
    any_case: bool


Form: TypeAlias = Plain | Exact | Pattern | Regex


class TermFault(NamedTuple):
    """Why a term means nothing, at a character offset of it."""

    offset: int
    message: str


def form_of(term: str) -> Form | TermFault:
    """What a term as written looks for, or its fault."""
    if len(term) > MAX_LENGTH:
        return TermFault(0, f"a term of {len(term)} characters; at most {MAX_LENGTH} are read")
    if term.startswith("=") and len(term) > 1:
        return exact(term[1:].strip())
    if term.startswith("/") and (found := re.fullmatch(r"/(.+)/(=?)", term, re.DOTALL)):
        from monitor.matching.regexes import regex

        return regex(found[1], any_case=not found[2])
    folded = fold(term.translate(_DASHES))
    return _words(folded) or _signed(_pieces(folded), term)


def _words(folded: str) -> Plain | None:
    """Words of letters and digits, with or without a star at either end: most terms, so they are read the short way."""
    if folded.isalnum():
        return Plain((folded,))
    core = folded.strip("*")
    if not core.replace(GAP, "").isalnum() or not core[0].isalpha() or core[-1] == GAP or GAP * 2 in core:
        return None
    return Plain((core,), folded[0] == "*", folded[-1] == "*")


def _signed(pieces: tuple[Piece, ...], term: str) -> Form | TermFault:
    if not any(piece.kind == "text" and _has_letter(piece.text) for piece in pieces):
        return TermFault(0, f"'{term}' has no letter or digit to look for")
    return _plain(pieces) or _pattern(pieces)


def exact(text: str) -> Form | TermFault:
    """A term that is found exactly as written, but for line ends in place of spaces."""
    needle = re.sub(rf"{GAP}+", GAP, fold(text))
    if not _has_letter(needle):
        return TermFault(0, f"'={text}' has no letter or digit to look for")
    return Exact((needle,), _as_compared(text))


def name(text: str) -> Form | TermFault:
    """A watch-list entry: every sign is literal, a legal form at the end is not asked for, short names as written."""
    from monitor.matching.legal import without_legal_form

    core = without_legal_form(text)
    if len(core) < 5 and core.isalnum():
        return exact(core)
    folded = fold(core.translate(_DASHES))
    simple = None if "*" in folded else _words(folded)
    return simple or _signed(_literal_signs(_pieces(folded)), text)


def _literal_signs(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    return tuple(
        Piece("text", {"star": "*", "one": "?"}.get(piece.kind, piece.text))
        if not piece.text and piece.kind in ("star", "one")
        else piece
        for piece in pieces
    )


def _has_letter(text: str) -> bool:
    return any(class_of(char) != OTHER for char in text)


def _pieces(folded: str) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for found in _PIECES.finditer(folded):
        kind, text = found.lastgroup, found[0]
        assert kind is not None
        if kind == "gap":
            pieces.append(Piece("gap" if GAP in text else "maybe"))
        else:
            pieces.append(Piece(kind, text if kind == "text" else ""))
    while pieces and _says_nothing(pieces[0], pieces[1:2]):
        del pieces[0]
    while pieces and _says_nothing(pieces[-1], pieces[-2:-1]):
        del pieces[-1]
    return tuple(pieces)


def _says_nothing(edge: Piece, inner: list[Piece]) -> bool:
    """At the edge of a term: a gap, or a star that no letter touches."""
    if edge.kind == "star":
        return not inner or inner[0].kind in _SPELLED
    return edge.kind in _SPELLED


_SPELLED: Final = {"gap": (GAP,), "maybe": (GAP, ""), "apostrophe": ("'", "")}


def _plain(pieces: tuple[Piece, ...]) -> Plain | None:
    left, right = pieces[0].kind == "star", pieces[-1].kind == "star"
    inner = pieces[left : len(pieces) - right]
    if any(piece.kind in ("star", "one") for piece in inner):
        return None
    choices = [_SPELLED.get(piece.kind, (piece.text,)) for piece in inner]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MAX_VARIANTS:
        return None
    return Plain(tuple("".join(parts) for parts in product(*choices)), left, right)


def _pattern(pieces: tuple[Piece, ...]) -> Pattern:
    anchor = max(range(len(pieces)), key=lambda at: len(pieces[at].text))
    return Pattern((pieces[anchor].text,), pieces, anchor)


# --- around a needle


def begins(text: str, at: int) -> bool:
    """Whether a hit may begin at `at`: a word begins there, or only attached one-letter words stand before it."""
    if not joined(text, at):
        return True
    kind = class_of(text[at])
    if kind in (ARABIC, HEBREW):
        prefix = text[max(word_start(text, at), at - 5) : at]
        return bool((_ARABIC_PREFIX if kind == ARABIC else _HEBREW_PREFIX).fullmatch(prefix))
    return False


def ends(text: str, at: int) -> bool:
    """Whether a hit may end at `at`: a word ends there, or it is one of Hangul, where endings are attached."""
    return not joined(text, at) or HANGUL in (class_of(text[at - 1]), class_of(text[at]))


def plain_span(form: Plain, text: str, start: int, end: int) -> tuple[int, int] | None:
    """The hit round a needle found at start…end."""
    if form.grows_left:
        start = word_start(text, start)
    elif joined(text, start) and not begins(text, start):
        return None
    if form.grows_right:
        end = word_end(text, end)
    elif joined(text, end) and not ends(text, end):
        return None
    return start, end


def exact_span(form: Exact, given: str, folded: Folded, start: int, end: int) -> tuple[int, int] | None:
    """The hit, where the text as given reads exactly as the term."""
    if not (begins(folded.text, start) and ends(folded.text, end)):
        return None
    return (start, end) if _as_compared(given[folded.start(start) : folded.end(end)]) == form.text else None


_HIDDEN: Final = str.maketrans(dict.fromkeys(HIDDEN, ""))


def _as_compared(text: str) -> str:
    if text.isascii():
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFC", text.translate(_HIDDEN)).split())


def pattern_span(form: Pattern, text: str, start: int, end: int) -> tuple[int, int] | None:
    """The longest hit with the needle at start…end."""
    last = max(_ends(form.pieces[form.anchor + 1 :], text, end), default=None)
    if last is None:
        return None
    first = min(_starts(form.pieces[: form.anchor], text, start), default=None)
    return None if first is None else (first, last)


def _ends(pieces: Sequence[Piece], text: str, at: int) -> set[int]:
    """Where a hit may end whose pieces after the needle begin at `at`: all places at once, piece by piece, so that
    many stars cost no more than few.
    """
    places = {at}
    for index, piece in enumerate(pieces):
        if piece.kind == "star":
            if index == len(pieces) - 1:
                return {word_end(text, place) for place in places}
            places = {reach for place in places for reach in _star_ends(text, place)}
            continue
        after = {place + len(word) for place in places for word in _readings(piece) if text.startswith(word, place)}
        if piece.kind == "one":
            after |= {place + 1 for place in places if place < len(text) and text[place].isalpha()}
        places = after
    return {place for place in places if ends(text, place)}


def _starts(pieces: Sequence[Piece], text: str, at: int) -> set[int]:
    """As `_ends`, but where a hit may begin whose pieces before the needle end at `at`."""
    places = {at}
    for index, piece in reversed(list(enumerate(pieces))):
        if piece.kind == "star":
            if index == 0:
                return {word_start(text, place) for place in places}
            places = {reach for place in places for reach in _star_starts(text, place)}
            continue
        before = {place - len(word) for place in places for word in _readings(piece) if text.endswith(word, 0, place)}
        if piece.kind == "one":
            before |= {place - 1 for place in places if place > 0 and text[place - 1].isalpha()}
        places = before
    return {place for place in places if begins(text, place)}


def _star_ends(text: str, at: int) -> Iterator[int]:
    """Where a star between other pieces may end that begins at `at`."""
    for reach in range(at, min(len(text), at + MAX_WORD) + 1):
        if reach > at and not (_in_word(text[reach - 1]) and (reach == at + 1 or joined(text, reach - 1))):
            return
        if _attached(text, at, reach):
            yield reach


def _star_starts(text: str, at: int) -> Iterator[int]:
    for reach in range(at, max(0, at - MAX_WORD) - 1, -1):
        if reach < at and not (_in_word(text[reach]) and (reach == at - 1 or joined(text, reach + 1))):
            return
        if _attached(text, reach, at):
            yield reach


def _in_word(char: str) -> bool:
    """Whether a star may stand for the character."""
    return class_of(char) not in (OTHER, CJK, SOUTH_EAST)


def _attached(text: str, first: int, last: int) -> bool:
    """Whether what a star stands for is part of the word before or after it, or a word by itself."""
    if first == last or joined(text, first) or joined(text, last):
        return True
    before, after = text[first - 1 : first], text[last : last + 1]
    return all(not char or class_of(char) == OTHER for char in (before, after))


def _readings(piece: Piece) -> tuple[str, ...]:
    return (piece.text,) if piece.kind == "text" else _SPELLED.get(piece.kind, ())
