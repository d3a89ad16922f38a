"""News as wires copy it: seeded articles in three languages, and what editors make of them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.benchmarks.corpus import Lexicon, lexicons

LANGUAGES = ("en", "ru", "zh")


@dataclass(frozen=True)
class Article:
    """A headline and sentences, each with its stop."""

    language: str
    title: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return ("" if self.language == "zh" else " ").join(self.sentences)

    def with_sentences(self, *sentences: str) -> Article:
        return Article(self.language, self.title, sentences)


class Desk:
    """Writes articles, and rewrites them as editors do. Seeded."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        self._known = lexicons()

    def article(self, language: str, size: int = 1000) -> Article:
        """One of at least `size` bytes."""
        sentences: list[str] = []
        while sum(len(sentence.encode()) for sentence in sentences) < size:
            sentences.append(self.sentence(language))
        return Article(language, self.words(language, 8), tuple(sentences))

    def articles(self, count: int, size: int = 1000) -> list[Article]:
        """So many, in the three languages by turns."""
        return [self.article(LANGUAGES[number % 3], size) for number in range(count)]

    def sentence(self, language: str) -> str:
        return self.words(language, self._chance.randint(9, 20)) + ("。" if language == "zh" else ".")

    def words(self, language: str, count: int) -> str:
        lexicon: Lexicon = self._known[language]
        return ("" if language == "zh" else " ").join(lexicon.draw(self._chance) for _ in range(count))

    # --- what editors do

    def other_headline(self, of: Article) -> Article:
        return Article(of.language, self.words(of.language, 8), of.sentences)

    def other_lead(self, of: Article) -> Article:
        return self.other_headline(of).with_sentences(self.sentence(of.language), *of.sentences[1:])

    def agency_prefix(self, of: Article) -> Article:
        prefix = {
            "en": "LISBON, Nov 24 (Agency) –",
            "ru": "Лиссабон, 24 ноября (Агентство) –",
            "zh": "通讯社里斯本11月24日电 ",
        }
        return of.with_sentences(f"{prefix[of.language]} {of.sentences[0]}", *of.sentences[1:])

    def truncated(self, of: Article) -> Article:
        whole = of.text
        return of.with_sentences(whole[: len(whole) * 2 // 5] + "…")

    def summary(self, of: Article) -> Article:
        return self.other_headline(of).with_sentences(*of.sentences[:2])

    def shared_background(self, of: Article, share: float = 0.3) -> Article:
        """Another article, of which so large a part is the background of `of`."""
        room = len(of.text) * share
        kept: list[str] = []
        for sentence in reversed(of.sentences):
            if sum(map(len, kept)) + len(sentence) > room:
                break
            kept.insert(0, sentence)
        own = self.article(of.language, int(len(of.text.encode()) * (1 - share)))
        return own.with_sentences(*own.sentences, *kept)
