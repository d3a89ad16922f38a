"""The oracle's view of a text: its signs, its words, and where a term is found. Slow and obvious on purpose.

Written from rules.md ("Terms", "Exact meaning") alone, without sight of the engine. Where rules.md leaves a choice:

* Invisible signs (soft hyphens and all format characters) are not there: not between letters, not at word ends,
  not among the one to three signs of a gap. A hit that runs over one spans it; one before or after it does not.
* A letter and the combining marks that belong to it are one sign; a hit never ends between them. In Latin, Greek and
  Cyrillic every mark belongs to its letter; elsewhere those that compose canonically with what stands before them.
* A Cyrillic stress mark is an acute or grave, save where it makes a letter of its own (ѓ, ќ). An ё with a second pair
  of dots is an е with a mark, as is any letter that does not compose with its mark.
* Full-width forms are those of the whole block, so half-width Kana too; the strokes of ł, ø, đ are accents; æ, œ and
  the presentation forms of Latin and Arabic are ligatures.
* Digits belong to the alphabetic letters they touch, those before them first (`A5б` is `A5`, `б`); alone, they are a
  word. Marks belong to what stands before them.
* `"=…"`: no folding, no other spelling, no flexible hyphen or apostrophe; white space is still one to three of it, for
  a text breaks its lines anywhere, and invisible signs and decomposition do not matter, for nobody can see them.
* `?` is one letter of any script; ß and ligatures are read as the letters they stand for. `*` at an end of a word runs
  to that end of it; inside, or before a hyphen, over any of its letters and digits. Where a script has no word
  boundaries, the word ends where the term does.
* Attached words: Arabic (و or ف), then (ب, ك or ل), then the article ال, each optional, and لل for ل with the article
  (not س, which stands before verbs alone); Hebrew any number of ו ה ב כ ל מ ש. The hit is the term without them.
* `/…/` sees the text without invisible signs and with letters composed, otherwise as given; its hits do not overlap.
* A one-word name of a watch-list under five letters and digits is found as `"=…"` is. A legal form is no part of a hit.
* Where a hit begins or ends with a sign that is no letter, mark or digit, no boundary is asked for there.
* Words between two hits: alphabetic words that lie wholly between (what is left of a word after `중국` in `중국은` is
  none); characters of Han and Kana, or of Thai and the like, counted from the end of the hit on.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import TypeAlias

HAN_AND_KANA = ("CJK", "HIRAGANA", "KATAKANA")
FOURS = ("THAI", "LAO", "KHMER", "MYANMAR")
NO_BOUNDARY = HAN_AND_KANA + FOURS
ENDING, ONE_LETTER = "any ending", "one letter"
LEGAL_FORMS = ("Co., Ltd.", "Ltd", "GmbH", "ООО", "有限公司")
APOSTROPHES = "'’‘ʼ`´′＇"
STROKES = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
)
SPACES = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
ARABIC_ATTACHED = re.compile("[وف]?(?:[بكل]?(?:ال)?|لل)")
HEBREW_ATTACHED = re.compile("[והבכלמש]*")


@dataclass
class Sign:
    """One visible sign of a text: a letter with its marks, a digit, a space, …; `word` numbers the run it is part of.

    start, end: offsets into the text. letter: composed, as written. folded: for comparison; may be two letters (ß).
    """

    start: int
    end: int
    letter: str
    folded: str
    script: str  # "" for what is no letter, mark or digit; "DIGIT" for digits until words are numbered
    word: int = -1


def is_invisible(char: str) -> bool:
    return unicodedata.category(char) == "Cf"


def is_space(letter: str) -> bool:
    return letter in tuple(SPACES)


def is_dash(letter: str) -> bool:
    return len(letter) == 1 and unicodedata.category(letter) == "Pd"


def is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


@cache
def script_of(char: str) -> str:
    """The script by the first word of the character's name; "" for signs."""
    if char in APOSTROPHES:
        return ""
    category = unicodedata.category(char)
    name = unicodedata.name(char, "").replace("FULLWIDTH ", "").replace("HALFWIDTH ", "")
    if char in "々〇":
        return "CJK"
    if char in "ªº":
        return "LATIN"
    if name.startswith("KATAKANA-HIRAGANA"):
        return "KATAKANA"
    if category == "Nd":
        return "DIGIT"
    if category[0] in "LM":
        return name.split(" ")[0].split("-")[0]
    return ""


def in_presentation_block(char: str) -> bool:
    """Ligatures of Latin and Arabic, full-width forms."""
    return (
        "\ufb00" <= char <= "\ufb06" or "\ufb50" <= char <= "\ufdff" or "\ufe70" <= char <= "\uffef" or char == "\u3000"
    )


@cache
def folded(letter: str) -> str:
    """A letter with its marks, as it is compared."""
    if unicodedata.normalize("NFKC", letter[0]) != letter[0] and in_presentation_block(letter[0]):
        letter = unicodedata.normalize("NFKC", letter)
    parts = unicodedata.normalize("NFD", letter).translate(STROKES)
    script = script_of(parts[0])
    if script in ("LATIN", "GREEK"):
        parts = "".join(part for part in parts if not is_mark(part))
    if script == "CYRILLIC":
        kept = parts[0]
        for at, mark in enumerate(parts[1:]):
            stress = mark in "\u0300\u0301" and parts[0] not in "гкГК"
            yo = mark == "\u0308" and parts[0] in "еЕ" and at == 0
            if not stress and not yo:
                kept += mark
        parts = kept
    return unicodedata.normalize("NFC", parts).casefold().replace("ё", "е\u0308")  # a second pair of dots makes no ё


@lru_cache(maxsize=4096)
def read(text: str) -> tuple[Sign, ...]:
    """The visible signs of a text, with their words numbered from 0."""
    visible = [(at, char) for at, char in enumerate(text) if not is_invisible(char)]
    signs: list[Sign] = []
    at = 0
    while at < len(visible):
        start, letter = visible[at]
        end = start + 1
        at += 1
        while at < len(visible) and belongs(visible[at][1], letter):
            letter = unicodedata.normalize("NFC", letter + visible[at][1])
            end = visible[at][0] + 1
            at += 1
        letter = unicodedata.normalize("NFC", letter)
        signs.append(Sign(start, end, letter, folded(letter), script_of(letter[0])))
    number_words(signs)
    return tuple(signs)


def belongs(char: str, letter: str) -> bool:
    """Whether a character is part of the letter before it."""
    if is_mark(char) and script_of(letter[0]) in ("LATIN", "GREEK", "CYRILLIC"):
        return script_of(char) == "COMBINING"
    if char in "ﾞﾟ":
        return len(unicodedata.normalize("NFKC", letter[0] + char)) == 1
    composed = unicodedata.normalize("NFC", letter + char)
    return script_of(char) != "" and len(composed) <= len(letter)


def number_words(signs: list[Sign]) -> None:
    """Give every letter, mark and digit the number of its word, and digits the script they belong to."""
    for before, sign in pairwise(signs):
        if sign.script == "COMBINING":
            sign.script = before.script
    for before, sign in pairwise(signs):
        if sign.script == "DIGIT" and before.script not in ("", *NO_BOUNDARY):
            sign.script = before.script
    for after, sign in pairwise(reversed(signs)):
        if sign.script == "DIGIT" and after.script not in ("", *NO_BOUNDARY):
            sign.script = after.script
    word, before_script = -1, ""
    for sign in signs:
        script = "CJK" if sign.script in HAN_AND_KANA else sign.script
        if script:
            if script != before_script:
                word += 1
            sign.word = word
        before_script = script


def starts_word(signs: tuple[Sign, ...], at: int) -> bool:
    return at == 0 or signs[at].word < 0 or signs[at - 1].word != signs[at].word


def ends_word(signs: tuple[Sign, ...], at: int) -> bool:
    return at == len(signs) - 1 or signs[at].word < 0 or signs[at + 1].word != signs[at].word


def may_begin(signs: tuple[Sign, ...], at: int) -> bool:
    """Whether a hit may begin with this sign."""
    if starts_word(signs, at) or signs[at].script in NO_BOUNDARY:
        return True
    before = at
    while not starts_word(signs, before):
        before -= 1
    attached = "".join(sign.letter for sign in signs[before:at])
    script = script_of(signs[at].letter[0])  # of the letter itself: a digit behind ב is not a Hebrew word
    if script == "ARABIC":
        return ARABIC_ATTACHED.fullmatch(attached) is not None
    if script == "HEBREW":
        return HEBREW_ATTACHED.fullmatch(attached) is not None
    return False


def may_end(signs: tuple[Sign, ...], at: int) -> bool:
    """Whether a hit may end with this sign."""
    return ends_word(signs, at) or signs[at].script in (*NO_BOUNDARY, "HANGUL")


@lru_cache(maxsize=65_536)
def words_between(text: str, start: int, end: int) -> int:
    """How many words lie between two offsets."""
    signs = read(text)
    count = 0
    stretch = [sign for sign in signs if start <= sign.start and sign.end <= end and sign.word >= 0]
    for word in {sign.word for sign in stretch}:
        members = [sign for sign in signs if sign.word == word]
        inside = [sign for sign in stretch if sign.word == word]
        characters = sum(len(sign.letter) for sign in inside)
        if members[0].script in HAN_AND_KANA:
            count += (characters + 1) // 2
        elif members[0].script in FOURS:
            count += (characters + 3) // 4
        elif len(inside) == len(members):
            count += 1
    return count


def length(text: str, start: int, end: int) -> int:
    """How many visible signs a hit has."""
    return sum(start <= sign.start and sign.end <= end for sign in read(text))


def word_count(text: str) -> int:
    return words_between(text, 0, len(text))


# ----------------------------------------------------------------------------------------------------------- terms


@lru_cache(maxsize=4096)
def find(term: str, text: str, one_paragraph: bool = False) -> frozenset[tuple[int, int]]:
    """Where a term, as written in a rule file, is found in a text: start and end offsets."""
    if term.startswith("/"):
        return find_regex(term, text, one_paragraph)
    if term.startswith("="):
        return find_letters([letter for letter, _ in letters(read(term[1:]), True)], text, True)
    signs = {"*": ENDING, "?": ONE_LETTER}
    return find_letters([signs.get(letter, letter) for letter, _ in letters(read(term), False)], text, False)


@lru_cache(maxsize=4096)
def find_name(name: str, text: str) -> frozenset[tuple[int, int]]:
    """Where an entry of a watch-list is found in a text: start and end offsets."""
    for form in LEGAL_FORMS:
        name = name.removesuffix(form).rstrip()
    exact = name.isalnum() and len(name) < 5
    return find_letters([letter for letter, _ in letters(read(name), exact)], text, exact)


def find_letters(pattern: list[str], text: str, exact: bool) -> frozenset[tuple[int, int]]:
    """Where letters, gaps and wild signs are found in a text."""
    signs = read(text)
    row = letters(signs, exact)
    found = set()
    for first in range(len(row)):
        begin = row[first][1]
        if first > 0 and row[first - 1][1] == begin:
            continue
        if pattern[0] == ENDING:
            allowed = signs[begin].script in NO_BOUNDARY or (signs[begin].word >= 0 and starts_word(signs, begin))
        else:
            allowed = may_begin(signs, begin)
        for after in ends(pattern, 0, signs, row, first, exact) if allowed else ():
            end = row[after - 1][1]
            if after > first and (after == len(row) or row[after][1] != end) and may_end(signs, end):
                found.add((signs[begin].start, signs[end].end))
    return frozenset(found)


Row: TypeAlias = "list[tuple[str, int]]"


def letters(signs: tuple[Sign, ...], exact: bool) -> Row:
    """The letters of a text one by one, each with the number of its sign: ß is two, unless it must be exact."""
    return [(letter, at) for at, sign in enumerate(signs) for letter in ([sign.letter] if exact else sign.folded)]


def ends(pattern: list[str], step: int, signs: tuple[Sign, ...], row: Row, at: int, exact: bool) -> set[int]:
    """The letters after which the pattern, from this step on, may be over, when it goes on at letter `at`."""
    if step == len(pattern):
        return {at}
    wanted = pattern[step]
    following = pattern[step + 1] if step + 1 < len(pattern) else " "
    here = row[at][0] if at < len(row) else ""
    if exact and not is_space(wanted):
        nexts = [at + 1] if here == wanted else []
    elif is_gap(wanted):
        fits = is_space if exact else is_gap
        fewest = 0 if is_dash(wanted) else 1
        stretches = [row[at : at + length] for length in range(fewest, 4)]
        nexts = [at + len(s) for s in stretches if len(s) >= fewest and all(fits(letter) for letter, _ in s)]
    elif wanted in APOSTROPHES:
        nexts = [at, at + 1] if here != "" and here in APOSTROPHES else [at]
    elif wanted == ONE_LETTER:
        nexts = [at + 1] if here != "" and unicodedata.category(here[0])[0] == "L" else []
    elif wanted == ENDING:
        opening = step == 0 or is_gap(pattern[step - 1])
        word_end = end_of_word(signs, row, at, opening)
        if is_space(following):
            nexts = [word_end]
        else:
            nexts = list(range(at, word_end + 1 if is_dash(following) else max(at + 1, word_end)))
    else:
        nexts = [at + 1] if here == wanted else []
    return {end for after in set(nexts) for end in ends(pattern, step + 1, signs, row, after, exact)}


def end_of_word(signs: tuple[Sign, ...], row: Row, at: int, opening: bool) -> int:
    """The letter at which the word ends that letter `at` begins, or that the letter before it is part of."""
    inside = at if opening else at - 1
    if inside == len(row) or signs[row[inside][1]].script in NO_BOUNDARY:
        return at
    word = signs[row[inside][1]].word
    while at < len(row) and signs[row[at][1]].word == word >= 0:
        at += 1
    return at


def is_gap(letter: str) -> bool:
    return is_space(letter) or is_dash(letter)


def find_regex(term: str, text: str, one_paragraph: bool) -> frozenset[tuple[int, int]]:
    """From left to right, the longest stretches of one paragraph and 200 characters that the expression describes."""
    expression = re.compile(term.strip("=").strip("/"), 0 if term.endswith("/=") else re.IGNORECASE)
    signs, parts = read(text), paragraphs(text, one_paragraph)
    found: list[tuple[int, int]] = []
    for first, begin in enumerate(signs):
        if not starts_word(signs, first) and begin.script not in NO_BOUNDARY:
            continue
        longest = 0
        for last, end in enumerate(signs[first:], first):
            if not any(start <= begin.start and end.end <= stop for start, stop in parts):
                continue
            if end.end - begin.start > 200 or not (ends_word(signs, last) or end.script in NO_BOUNDARY):
                continue
            if expression.fullmatch("".join(sign.letter for sign in signs[first : last + 1])):
                longest = end.end
        if longest and all(begin.start >= stop for _, stop in found):
            found.append((begin.start, longest))
    return frozenset(found)


# ------------------------------------------------------------------------------------------ paragraphs, sentences


def paragraphs(text: str, one_paragraph: bool = False) -> list[tuple[int, int]]:
    """The paragraphs of a text: what stands between empty lines; a title is one, whatever lines it holds."""
    found = []
    start = 0
    for blank in () if one_paragraph else re.finditer(r"\n[ \t]*\n\s*", text):
        found.append((start, blank.start()))
        start = blank.end()
    found.append((start, len(text)))
    return [(start, end) for start, end in found if text[start:end].strip()]


def sentences(text: str, one_paragraph: bool = False) -> list[tuple[int, int]]:
    """The sentences of a text whose full stops leave no doubt: a stop, a space, a capital or a letter without case.

    Abbreviations, decimals and dots within names are not looked at; generated texts have none where it would matter.
    """
    found = []
    for start, end in paragraphs(text, one_paragraph):
        begin = start
        for at in range(start, end):
            rest = text[at + 1 : end]
            after = rest.lstrip(SPACES)
            wide = text[at] in "。！？"
            clear = text[at] in ".!?؟।۔" and after != rest and after != "" and begins_sentence(after[0])
            if wide or clear:
                found.append((begin, at + 1))
                begin = end - len(after)
        found.append((begin, end))
    return [(start, end) for start, end in found if text[start:end].strip()]


def begins_sentence(char: str) -> bool:
    return unicodedata.category(char) in ("Lu", "Lt", "Lo")
