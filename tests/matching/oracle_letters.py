"""The oracle's view of a text: its signs, its words, and where a term is found. Slow and obvious on purpose.

Written from rules.md ("Terms", "Exact meaning") alone, without sight of the engine. Where rules.md leaves a choice:

* Invisible signs (soft hyphens and all format characters) are not there: not between letters, not at word ends,
  not among the one to three signs of a gap. A hit that runs over one spans it; one before or after it does not.
* A letter and the combining marks that belong to it are one sign; a hit never ends between them. In Latin, Greek and
  Cyrillic every mark belongs to its letter; elsewhere those that compose canonically with what stands before them.
* A Cyrillic stress mark is an acute or grave over a vowel; over a consonant it makes another letter (ѓ, ќ).
* Digits belong to the alphabetic letters they touch, those before them first (`A5б` is `A5`, `б`); alone, they are a
  word. Marks belong to what stands before them.
* `"=…"`: no folding, no other spelling, no flexible gap or apostrophe; invisible signs and decomposition still do not
  matter, since nobody can see them.
* `?` is one letter as it stands in the text: ß is one, ss are two. `*` at an end of a word runs to that end of it;
  inside, over any of its letters and digits.
* Attached words: Arabic (و or ف), then (ب, ك, ل or س), then the article ال, each optional, and لل for ل with the
  article; Hebrew (ו), then (ש), then (ב, כ, ל or מ), then the article ה, each optional. The hit is the term alone.
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

HAN_AND_KANA = ("CJK", "HIRAGANA", "KATAKANA")
FOURS = ("THAI", "LAO", "KHMER", "MYANMAR")
NO_BOUNDARY = HAN_AND_KANA + FOURS
APOSTROPHES = "'’‘ʼ`´′＇"
CYRILLIC_VOWELS = "аеиоуыэюяіАЕИОУЫЭЮЯІ"
SPACES = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
ARABIC_ATTACHED = re.compile("[وف]?(?:(?:[بكلس])?(?:ال)?|لل)")
HEBREW_ATTACHED = re.compile("ו?ש?[בכלמ]?ה?")


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


def is_space(char: str) -> bool:
    return char in SPACES


def is_dash(char: str) -> bool:
    return unicodedata.category(char) == "Pd"


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
    if name.startswith("KATAKANA-HIRAGANA"):
        return "KATAKANA"
    if category == "Nd":
        return "DIGIT"
    if category[0] in "LM":
        return name.split(" ")[0].split("-")[0]
    return ""


@cache
def folded(letter: str) -> str:
    """A letter with its marks, as it is compared."""
    if "\uff01" <= letter[0] <= "\uff5e" or "\ufb00" <= letter[0] <= "\ufb06" or letter[0] == "\u3000":
        letter = unicodedata.normalize("NFKC", letter)
    parts = unicodedata.normalize("NFD", letter)
    script = script_of(parts[0])
    if script in ("LATIN", "GREEK"):
        parts = "".join(part for part in parts if not is_mark(part))
    if script == "CYRILLIC":
        kept = parts[0]
        for mark in parts[1:]:
            stress = mark in "\u0300\u0301" and parts[0] in CYRILLIC_VOWELS
            yo = mark == "\u0308" and parts[0] in "еЕ"
            if not stress and not yo:
                kept += mark
        parts = kept
    return unicodedata.normalize("NFC", parts).casefold()


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
        return unicodedata.combining(char) != 0
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
    if signs[at].script == "ARABIC":
        return ARABIC_ATTACHED.fullmatch(attached) is not None
    if signs[at].script == "HEBREW":
        return HEBREW_ATTACHED.fullmatch(attached) is not None
    return False


def may_end(signs: tuple[Sign, ...], at: int) -> bool:
    """Whether a hit may end with this sign."""
    return ends_word(signs, at) or signs[at].script in (*NO_BOUNDARY, "HANGUL")


def words_between(signs: tuple[Sign, ...], start: int, end: int) -> int:
    """How many words lie between two offsets."""
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


def word_count(text: str) -> int:
    return words_between(read(text), 0, len(text))


# ----------------------------------------------------------------------------------------------------------- terms


@lru_cache(maxsize=4096)
def find(term: str, text: str) -> frozenset[tuple[int, int]]:
    """Where a term, as written in a rule file, is found in a text: start and end offsets."""
    if term.startswith("/"):
        return find_regex(term, text)
    exact = term.startswith("=")
    pattern = [sign.letter if exact else sign.folded for sign in read(term.removeprefix("="))]
    if not exact:
        pattern = [letter for folding in pattern for letter in folding]
    signs = read(text)
    found = set()
    for first in range(len(signs)):
        if not exact and pattern[0] == "*":
            allowed = starts_word(signs, first) and signs[first].word >= 0
        else:
            allowed = may_begin(signs, first)
        if allowed:
            for after in literal_ends(pattern, signs, first) if exact else ends(pattern, 0, signs, first, 0):
                if after > first and may_end(signs, after - 1):
                    found.add((signs[first].start, signs[after - 1].end))
    return frozenset(found)


def literal_ends(pattern: list[str], signs: tuple[Sign, ...], first: int) -> set[int]:
    after = first + len(pattern)
    return {after} if [sign.letter for sign in signs[first:after]] == pattern else set()


def ends(pattern: list[str], step: int, signs: tuple[Sign, ...], at: int, inside: int) -> set[int]:
    """The signs after which the pattern, from this step on, may be over; `inside`: letters of the sign already used."""
    if step == len(pattern):
        return {at} if inside == 0 else set()
    wanted = pattern[step]
    more = at < len(signs)
    result: set[int] = set()
    if wanted == "*":
        open_end = step + 1 == len(pattern) or is_gap(pattern[step + 1])
        open_start = step == 0 or is_gap(pattern[step - 1])
        if inside:  # the star begins within ß or a ligature: the rest of it is part of the ending
            at, inside = at + 1, 0
        last = at
        word = signs[at - 1].word if not open_start else signs[at].word if more else -1
        while last < len(signs) and signs[last].word == word >= 0:
            last += 1
        for after in [last] if open_end else range(at, last):
            result |= ends(pattern, step + 1, signs, after, 0)
        return result
    if wanted == "?":
        if more and inside == 0 and unicodedata.category(signs[at].letter[0])[0] == "L":
            result |= ends(pattern, step + 1, signs, at + 1, 0)
        return result
    if is_gap(wanted):
        fewest = 0 if is_dash(wanted) else 1
        for length in range(fewest, 4):
            between = signs[at : at + length]
            if inside == 0 and len(between) == length and all(is_gap(sign.letter) for sign in between):
                result |= ends(pattern, step + 1, signs, at + length, 0)
        if inside and fewest == 0:
            result |= ends(pattern, step + 1, signs, at, inside)
        return result
    if wanted in APOSTROPHES:
        result |= ends(pattern, step + 1, signs, at, inside)
        if more and inside == 0 and signs[at].letter in APOSTROPHES:
            result |= ends(pattern, step + 1, signs, at + 1, 0)
        return result
    if more and signs[at].folded[inside : inside + 1] == wanted:
        whole = inside + 1 == len(signs[at].folded)
        result |= ends(pattern, step + 1, signs, at + 1 if whole else at, 0 if whole else inside + 1)
    return result


def is_gap(letter: str) -> bool:
    return len(letter) == 1 and (is_space(letter) or is_dash(letter))


def find_regex(term: str, text: str) -> frozenset[tuple[int, int]]:
    """Every longest stretch of one paragraph and at most 200 characters that the expression describes whole."""
    exact = term.endswith("/=")
    expression = re.compile(term.strip("=").strip("/"), 0 if exact else re.IGNORECASE)
    signs = read(text)
    found = set()
    for start, end in paragraphs(text):
        inside = [at for at, sign in enumerate(signs) if start <= sign.start and sign.end <= end]
        for first in inside:
            fitting = [
                (signs[first].start, signs[last].end)
                for last in inside
                if last >= first
                and signs[last].end - signs[first].start <= 200
                and (starts_word(signs, first) or signs[first].script in NO_BOUNDARY)
                and (ends_word(signs, last) or signs[last].script in NO_BOUNDARY)
                and expression.fullmatch(text, signs[first].start, signs[last].end)
            ]
            found |= set(fitting[-1:])
    return frozenset(found)


# ------------------------------------------------------------------------------------------ paragraphs, sentences


def paragraphs(text: str) -> list[tuple[int, int]]:
    """The paragraphs of a text: what stands between empty lines."""
    found = []
    start = 0
    for blank in re.finditer(r"\n[ \t]*\n\s*", text):
        found.append((start, blank.start()))
        start = blank.end()
    found.append((start, len(text)))
    return [(start, end) for start, end in found if text[start:end].strip()]


def sentences(text: str) -> list[tuple[int, int]]:
    """The sentences of a text whose full stops leave no doubt: a stop, a space, a capital or a letter without case.

    Abbreviations, decimals and dots within names are not looked at; generated texts have none where it would matter.
    """
    found = []
    for start, end in paragraphs(text):
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
