"""A seeded corpus of mixed languages and seeded rule books: the same on every machine, of news-like length and words.

Words are invented from syllables and drawn by Zipf's law, so that a few are everywhere and most are rare, as in news.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate

from monitor.matching.model import Document

SEED = 20261123
SHARES = {"en": 59, "zh": 17, "ru": 14, "de": 4, "fr": 3, "es": 2, "tr": 1}

SHARED = 40

_SYLLABLES = {
    "en": [
        "ba",
        "be",
        "bor",
        "ca",
        "con",
        "cre",
        "de",
        "dis",
        "ed",
        "er",
        "fi",
        "for",
        "ge",
        "ing",
        "ion",
        "la",
        "ment",
        "ne",
        "per",
        "pre",
        "re",
        "sa",
        "sion",
        "ta",
        "ter",
        "tion",
        "un",
        "ver",
    ],
    "ru": [
        "ва",
        "вер",
        "го",
        "да",
        "де",
        "за",
        "ка",
        "ки",
        "ко",
        "ла",
        "ли",
        "мен",
        "на",
        "ни",
        "но",
        "пере",
        "по",
        "при",
        "про",
        "ра",
        "ров",
        "ста",
        "сти",
        "тель",
        "ти",
        "то",
        "ще",
    ],
    "de": [
        "ab",
        "ber",
        "ei",
        "er",
        "fuß",
        "gen",
        "heit",
        "ig",
        "ken",
        "lich",
        "mä",
        "nis",
        "ob",
        "schaft",
        "sen",
        "stra",
        "tung",
        "un",
        "ver",
        "wör",
        "zu",
    ],
    "fr": [
        "au",
        "bé",
        "ça",
        "ci",
        "con",
        "dé",
        "eur",
        "fran",
        "ion",
        "lé",
        "mé",
        "ne",
        "on",
        "pré",
        "qua",
        "ré",
        "ste",
        "té",
        "ment",
    ],
    "es": ["a", "ción", "co", "de", "do", "ña", "es", "in", "la", "lo", "men", "nó", "por", "que", "rá", "ta", "to"],
    "tr": ["a", "ba", "çı", "da", "ğı", "i", "lar", "ler", "ma", "ne", "şı", "ta", "un", "yor"],
}
_OPENERS = ("", "", "", "", "", "", "“", "(")
_STOPS = (". ", ". ", ". ", ", ", ", ", ", ", " – ", "; ", "?” ", "’s ")


@dataclass
class Lexicon:
    """The words of one language, the commonest first."""

    language: str
    words: list[str]
    sums: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.sums = list(accumulate(1 / (rank + 2.7) for rank in range(len(self.words))))

    def draw(self, chance: random.Random) -> str:
        return self.words[bisect(self.sums, chance.random() * self.sums[-1])]


def lexicons() -> dict[str, Lexicon]:
    """Invented words for every language of the corpus; of Chinese, two-character words."""
    chance = random.Random(SEED)
    found = {}
    for language, syllables in _SYLLABLES.items():
        words = dict.fromkeys(syllables)  # short words are common, long ones rare, as in every language
        for length, upto in ((2, 200), (3, 2000), (4, 9000), (5, 60_000)):
            while len(words) < upto:
                words["".join(chance.choice(syllables) for _ in range(length))] = None
        found[language] = Lexicon(language, list(words))
    han = [chr(0x4E00 + chance.randrange(6000)) for _ in range(2500)]
    found["zh"] = Lexicon("zh", [chance.choice(han) + chance.choice(han) for _ in range(60_000)])
    return found


def documents(count: int = 2000) -> list[Document]:
    """`count` documents of about 3 KB each in UTF-8."""
    chance = random.Random(SEED + 1)
    known = lexicons()
    languages = chance.choices(list(SHARES), list(SHARES.values()), k=count)
    return [_document(known[language], chance) for language in languages]


def _document(lexicon: Lexicon, chance: random.Random) -> Document:
    size = max(400, int(chance.gauss(3200, 900)))
    parts: list[str] = []
    length = 0
    glue, per_word = ("", 6.2) if lexicon.language == "zh" else (" ", 12.4 if lexicon.language == "ru" else 7.2)
    while length < size:
        word = lexicon.draw(chance)
        if glue and chance.random() < 0.12:
            word = word.title()
        if chance.random() < 0.1:
            stop = chance.choice(_STOPS) if glue else chance.choice("。，，、")
            parts.append(f"{chance.choice(_OPENERS)}{word}{stop}")
            if stop == ". " and chance.random() < 0.25:
                parts.append("\n\n")
        else:
            parts.append(word + glue)
        length += per_word
    title = glue.join(lexicon.draw(chance) for _ in range(9))
    return Document(title=title, text="".join(parts), language=lexicon.language)


def book_files(themes: int, *, names: int = 0) -> dict[str, str]:
    """The files of a book of so many themes; smaller books are parts of larger ones. `names`: of a watch-list.

    Forty shared concepts of common words, as places and verbs are; each theme has two of its own, the first ten
    themes large ones (70 terms), the others small ones (5).
    """
    chance = random.Random(SEED + 2)
    known = lexicons()
    shared = "".join(f"  s{at}: [{', '.join(_terms(12, 400, 8000, known, chance))}]\n" for at in range(SHARED))
    files = {"concepts/shared.yaml": f"concepts:\n{shared}"}
    files |= {f"themes/t{number}.yaml": _theme(number, known, chance) for number in range(themes)}
    if names:
        files["watchlists/names.csv"] = "name\n" + "\n".join(_names(names, known)) + "\n"
        files["themes/names.yaml"] = (
            "theme: names\ntitle: Names\nconcepts:\n  names: {list: watchlists/names.csv}\n"
            'rules:\n  - {id: a, when: names w/s "nowhere"}\n'
        )
    return files


def boolean_rules(count: int) -> list[tuple[int, list[str], list[str]]]:
    """Rules that any engine of Boolean queries understands: one of `boolean_places`, and two groups of twelve words.

    Words are of the corpus' commonest three languages, in lower case.
    """
    chance, draw = _drawing(SEED + 4)
    return [
        (chance.randrange(SHARED), [draw(2500, 30_000) for _ in range(12)], [draw(8000, 60_000) for _ in range(12)])
        for _ in range(count)
    ]


def boolean_places() -> list[list[str]]:
    """The groups that rules have in common, of twelve words each."""
    _, draw = _drawing(SEED + 5)
    return [[draw(400, 8000) for _ in range(12)] for _ in range(SHARED)]


def _drawing(seed: int) -> tuple[random.Random, Callable[[int, int], str]]:
    chance = random.Random(seed)
    known = lexicons()
    spoken = [known[language] for language in ("en", "ru", "zh")]
    weights = [SHARES[lexicon.language] for lexicon in spoken]

    def draw(first: int, last: int) -> str:
        """A word of the ranks first…last, evenly by magnitude."""
        lexicon = chance.choices(spoken, weights)[0]
        return lexicon.words[min(int(first * (last / first) ** chance.random()), 59_999)]

    return chance, draw


def boolean_files(count: int) -> dict[str, str]:
    """`boolean_rules` as a book of themes t0, t1, …"""
    places = "".join(f"  p{at}: {_flow(words)}\n" for at, words in enumerate(boolean_places()))
    return {"concepts/shared.yaml": f"concepts:\n{places}"} | {
        f"themes/t{number}.yaml": f"theme: t{number}\ntitle: Theme {number}\nconcepts:\n"
        f"  goods: {_flow(goods)}\n  firms: {_flow(firms)}\n"
        f"rules:\n  - {{id: a, when: shared.p{place} and goods and firms}}\n"
        for number, (place, goods, firms) in enumerate(boolean_rules(count))
    }


def _flow(words: list[str]) -> str:
    return f"[{', '.join(sorted(set(words)))}]"


def _names(count: int, known: dict[str, Lexicon]) -> list[str]:
    chance = random.Random(SEED + 3)
    words = known["en"].words[2000:]
    return sorted({f"{chance.choice(words).title()} {chance.choice(words).title()} Ltd" for _ in range(count + 500)})[
        :count
    ]


def _theme(number: int, known: dict[str, Lexicon], chance: random.Random) -> str:
    size = 70 if number < 10 else 5
    common = ", ".join(_terms(size, 1500, 20_000, known, chance))
    rare = ", ".join(_terms(size, 5000, 60_000, known, chance))
    place = f"shared.s{chance.randrange(SHARED)}"
    whens = (
        "{0} w/s common and rare",
        "{0} w/20 rare and common",
        "{0} and common and rare",
        "common w/p rare and {0}",
    )
    when = chance.choice(whens).format(place)
    unless = f'    unless: title:("{chance.choice(known["en"].words[2500:6000])}")\n' if chance.random() < 0.3 else ""
    return (
        f"theme: t{number}\ntitle: Theme {number}\nconcepts:\n  common: [{common}]\n  rare: [{rare}]\n"
        f"rules:\n  - id: a\n    when: {when}\n{unless}"
    )


def _terms(size: int, first: int, last: int, known: dict[str, Lexicon], chance: random.Random) -> list[str]:
    """Words of ranks first…last, evenly by magnitude; some phrases, some with a star."""
    terms: list[str] = []
    while len(terms) < size:
        lexicon = known[chance.choices(list(SHARES), list(SHARES.values()))[0]]
        word = lexicon.words[min(int(first * (last / first) ** chance.random()), 59_999)]
        if lexicon.language == "zh":
            terms.append(f'"{word}"')
        elif len(word) >= 6:
            kind = chance.random()
            other = lexicon.words[chance.randrange(50, 3000)]
            terms.append(f'"{word} {other}"' if kind < 0.2 else f'"{word}*"' if kind < 0.28 else f'"{word}"')
    return terms
