"""Where sentences and paragraphs begin, in any script; errs on the side of fewer, longer sentences."""

from __future__ import annotations

import re
from typing import Final

_LINE_END: Final = "(?:\r\n|[\n\x85\u2028]|\r(?!\n))"
_ODD_LINE_ENDS: Final = "\r\x85\u2028\u2029"
_PLAIN_PARAGRAPH: Final = re.compile(r"\n[^\S\n]*\n\s*")
_BLANK: Final = re.compile(r"\s*")
_PARAGRAPH: Final = re.compile(rf"{_LINE_END}[^\S\n\r\x85\u2028\u2029]*{_LINE_END}\s*|\u2029\s*")

_CLOSERS: Final = "\"'”’»›)]}」』】〉》）"
_OPENERS: Final = "\"'“‘„«‹([{「『【〈《（¿¡-–—•*"
_ALONE: Final = "。！？｡؟۔।॥።"  # end a sentence whatever follows; the others only before white space
_END: Final = re.compile(rf"[.!?…{_ALONE}]+")
_AHEAD: Final = re.compile(rf"\s+[\s{re.escape(_OPENERS)}]*")
_WORD: Final = re.compile(r"\w+")

_ABBREVIATIONS: Final = frozenset(
    """
    mr mrs ms messrs dr prof gen col maj lt sgt capt cmdr adm brig hon rev st sen rep gov pres amb dept univ inc ltd
    co corp bros jr sr vs cf approx jan feb apr jun jul aug sep sept oct nov dec
    z.b d.h u.a bzw ca vgl inkl zzgl mio mrd tsd abs str hr ing dipl ggf sog evtl bspw mm mme mmes mlle mgr
    sra srta srs dra ee.uu núm pág avda gral cía sig sigg dott avv
    tzw m.in inż płk ppłk św tys mln mld woj
    г гг вв ул просп пл стр см ср напр проф акад ген полк тов руб коп тыс млн млрд трлн долл обл респ гос
    корп экз изд табл англ кит рос укр вул грн ім
    """.split()  # noqa: SIM905
)
_BEFORE_NUMBER: Final = frozenset("no nos nr nrs n art arts fig figs p pp vol ch sec para № ст п пп рис гл".split())  # noqa: SIM905
_MONTHS: Final = frozenset(
    "januar jänner februar märz april mai juni juli august september oktober november dezember".split()  # noqa: SIM905
)


def paragraph_starts(text: str) -> list[int]:
    """Offsets at which paragraphs begin: the first character, and what follows an empty line that is not in front."""
    odd = any(sign in text for sign in _ODD_LINE_ENDS)
    breaks = (_PARAGRAPH if odd else _PLAIN_PARAGRAPH).finditer(text)
    front = _BLANK.match(text)
    first = front.end() if front else 0
    return [0, *(found.end() for found in breaks if first < found.start() and found.end() < len(text))]


def sentence_starts(text: str, *, one_paragraph: bool = False) -> list[int]:
    """Offsets at which sentences begin; each paragraph begins one, unless the whole text is to be taken for one."""
    starts = {0} if one_paragraph else set(paragraph_starts(text))
    length = len(text)
    for found in _END.finditer(text):
        end = found.end()
        while end < length and text[end] in _CLOSERS:
            end += 1
        if end == length:
            break
        alone = text[end - 1] in _ALONE or text[found.start()] in _ALONE
        if not alone and not text[end].isspace():
            continue
        after = _AHEAD.match(text, end)
        following = after.end() if after else end
        if following < length and (alone or _ends_here(text, found, following)):
            starts.add(_skip_spaces(text, end))
    return sorted(starts)


def _skip_spaces(text: str, at: int) -> int:
    while text[at].isspace():
        at += 1
    return at


def _ends_here(text: str, found: re.Match[str], following: int) -> bool:
    """Whether a sign that may end a sentence does; `following`: the next character that is no opening sign."""
    ahead = text[following]
    if ahead.islower():
        return False
    if found.group() != ".":
        return True
    word = _word_before(text, found.start())
    if len(word) == 1 and word.isalpha():  # an initial, an abbreviation; but one Han character may be a word
        return "\u2e80" <= word <= "\u9fff"
    if word in _ABBREVIATIONS or (word in _BEFORE_NUMBER and ahead.isdigit()):
        return False
    if "." in word and word[0].isalpha() and all(len(part) <= 2 for part in word.split(".")):
        return False
    ordinal = len(word) <= 2 and word.isdigit() and _WORD.match(text, following)
    return not (ordinal and ordinal.group().lower() in _MONTHS)


def _word_before(text: str, at: int) -> str:
    """The word that ends at `at`, in lower case, with points, apostrophes and hyphens inside."""
    first = at
    while first > 0 and at - first < 24 and (text[first - 1].isalnum() or text[first - 1] in ".’'-"):
        first -= 1
    return text[first:at].lower().lstrip(".’'-")
