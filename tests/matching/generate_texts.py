"""Documents made for a rule book: its own terms, whole and spoilt, so that hits, near misses and overlaps are frequent.

Sentences end without doubt: a filler word, a stop, a space, a capital. Where sentences end in doubtful text is a
question for examples, not for the oracle.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from monitor.matching.model import Document
from tests.matching.generate_scripts import BLANKS, DASHES, INVISIBLE, QUOTES, SPACES, WATCHED, Script
from tests.matching.oracle_letters import script_of

Item = TypeVar("Item")


class Dice:
    """Many small choices out of one draw, which is ten times faster than a draw for each. Zeroes choose the first."""

    def __init__(self, draw: DrawFn) -> None:
        self._value = int.from_bytes(draw(st.binary(min_size=12, max_size=12)), "little")

    def below(self, limit: int) -> int:
        self._value, rest = divmod(self._value, limit)
        return rest

    def pick(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]

    def chance(self, percent: int) -> bool:
        return self.below(100) >= 100 - percent

    def word(self, alphabet: str) -> str:
        return "".join(self.pick(alphabet) for _ in range(1 + self.below(3)))


def draw_document(draw: DrawFn, scripts: Sequence[Script], planted: Sequence[str]) -> Document:
    dice = Dice(draw)
    title = draw_sentence(draw, dice.pick(scripts), scripts, planted) if dice.chance(70) else ""
    paragraphs = [draw_paragraph(draw, scripts, planted) for _ in range(dice.below(4))]
    before, between, after = (dice.pick(BLANKS) for _ in range(3))
    published = datetime(2026, 3, 1, tzinfo=UTC) if dice.chance(70) else None
    seen = None if published is None else published + timedelta(days=dice.pick((0, 13, 14, 15)), hours=1)
    return Document(
        title=f"{before}{title}{after}",
        text=before + f"{between}\n\n".join(paragraphs) + after,
        url=url(dice, planted),
        author=word(Dice(draw), scripts, planted) if dice.chance(40) else None,
        language=dice.pick((None, "en", "de", "ru", "zh", "zh-Hant")),
        published=published,
        first_seen=seen,
        source=dice.pick(("wire", "blog", None)),
        tags=dice.pick((("official",), ("other", "eu"), (), None)),
    )


def url(dice: Dice, planted: Sequence[str]) -> str | None:
    host = dice.pick((None, "example.org", "www.example.org", "notexample.org"))
    path = dice.pick(planted).strip("*/=").replace(" ", "-")
    path = path if path.replace("-", "").isalnum() else "news"
    return None if host is None else f"https://{host}/{path}/1"


def draw_paragraph(draw: DrawFn, scripts: Sequence[Script], planted: Sequence[str]) -> str:
    dice = Dice(draw)
    script = dice.pick(scripts)
    sentences = []
    for _ in range(1 + dice.below(3)):
        sentence = draw_sentence(draw, script, scripts, planted)
        first = sentence[0]
        clear = unicodedata.category(first)[0] == "L" and first.upper() == first
        sentences.append(sentence if clear or not script.opening else f"{script.opening} {sentence}")
    if not script.stop:  # no sign ends a sentence of this script: one is all a paragraph has
        return sentences[0]
    end = f" {script.closing}{script.stop}" if script.closing else script.stop
    return end.join(sentences) + end.rstrip(" ")


def draw_sentence(draw: DrawFn, script: Script, scripts: Sequence[Script], planted: Sequence[str]) -> str:
    text = ""
    for _ in range(draw(st.integers(1, 7))):
        dice = Dice(draw)
        joint = joint_after(text, script, dice)
        text += joint + word(dice, scripts, planted)
    return text + " and" if has_stop(text) else text


def has_stop(text: str) -> bool:
    """Whether a text ends with a word that has a stop of its own; a small letter must follow, lest a sentence begin."""
    return "." in text[-3:] or "?" in text[-3:]


def joint_after(text: str, script: Script, dice: Dice) -> str:
    """What stands between two words; often nothing where a script has no spaces."""
    kind = dice.below(20)
    rare = dice.pick((", ", "\n", " (", "/", "'", " – ", "、", "  ", "\u3000", "; ", "-", "", "\n\n", "\n \t\n"))
    if has_stop(text):
        return " and "
    if text == "":
        return ""
    if not script.spaced and kind < 12:
        return ""
    return " " if kind < 13 else rare


def word(dice: Dice, scripts: Sequence[Script], planted: Sequence[str]) -> str:
    """A term of the book, a word that may be near to one, or a few letters; as it is or spoilt."""
    script = dice.pick(scripts)
    kind = dice.below(10)
    if kind < 7:
        term = dice.pick(planted)
        script = next((one for one in scripts if term in one.terms), script)
        chosen = filled(dice, term, script)
    else:
        chosen = dice.pick(script.words) if kind < 9 else dice.word(script.alphabet)
    for _ in range(dice.pick((0, 0, 0, 1, 1, 2))):
        chosen = spoilt(dice, chosen, script)
    return chosen


def filled(dice: Dice, term: str, script: Script) -> str:
    """A word that the term, or the entry of a watch-list, is written for."""
    if term in WATCHED and dice.chance(50):
        return term
    if term.startswith("/"):
        return dice.pick(("HS 8542", "HS8542", "hs 8499", "Mk1", "Mk2"))
    endings = ("", "s", script.alphabet[0], script.alphabet[-1])
    fillings = {"*": endings, "?": tuple(script.alphabet)}
    return "".join(dice.pick(fillings.get(char, (char,))) for char in term.removeprefix("="))


def spoilt(dice: Dice, word: str, script: Script) -> str:
    """The word written in another way, or made another word."""
    place = dice.below(len(word) + 1)
    match dice.below(15):
        case 0:
            return word.upper()
        case 1:
            return word.title()
        case 2:
            return unicodedata.normalize("NFD", word)
        case 3 | 4:
            return word[:place] + dice.pick(INVISIBLE) + word[place:]
        case 5:
            return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in word)
        case 6 if script.marks and place and script_of(word[place - 1]) == script.name.upper():
            return word[:place] + dice.pick(script.marks) + word[place:]
        case 7 if script.before:
            return dice.pick(script.before) + word
        case 8 if script.after:
            return word + dice.pick(script.after)
        case 9:
            return word.replace("ß", "ss").replace("ё", "е").replace("й", "и").replace("ffi", "ﬃ").replace("fi", "ﬁ")
        case 10:
            return word.replace("ss", "ß").replace("е", "ё").replace("и", "й").replace("ς", "σ")
        case 11:
            return word.replace("-", dice.pick(DASHES)).replace("'", dice.pick(QUOTES))
        case 12:
            space = dice.pick(SPACES)
            return word.replace(" ", space).replace("-", space)
        case 13:
            return word.swapcase()
    return word[:-1] or word
