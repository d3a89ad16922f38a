"""What is shown of a text from outside: cleaned of what could harm, cut to the sentences that matter, words marked.

Marks are (start, end) code-point offsets into the excerpt they come with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from monitor.matching.sentences import sentence_starts

MAX_PASSAGE = 420
MAX_PASSAGES = 3
_REACH = 600  # how far round a hit its sentence is looked for
_LEAD = 110  # of an overlong sentence, how much stands before the first mark

# Controls, bidirectional overrides and isolates, and signs that are invisible and serve to mislead. ZWJ and ZWNJ stay:
# Persian, Indic scripts and emoji need them.
_HARMFUL = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]+"
)
_BLANK = re.compile(r"\s+")
_SURROGATE = re.compile("[\ud800-\udfff]")


_Word = tuple[str, str]  # concept, the word as found


class Passage(msgspec.Struct, frozen=True):
    """An excerpt in the original language, with the matched words' places in it."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()


def one_line(text: str, limit: int = 300) -> str:
    """A text fit for a headline: no line breaks, controls or reordering signs; at most `limit` characters, then `…`."""
    return marked_line(text, (), limit).text


def marked_line(text: str, hits: Sequence[tuple[int, int]], limit: int = 300) -> Passage:
    """As `one_line`, with the places of hits carried over; hits beyond the limit lose their mark."""
    return _clean(text[: 4 * limit + 1000], _merged(hits), limit)


def passages(text: str, hits: Sequence[tuple[int, int, str]]) -> tuple[Passage, ...]:
    """The sentences that hold hits (start, end, concept), in order of the text: the one with the most different words
    first chosen, then at most two that each show a concept, or two words, not shown yet.
    """
    spans: list[_Span] = []
    for start, end, concept in sorted(hit for hit in hits if 0 <= hit[0] < hit[1] <= len(text)):
        word = concept, text[start:end].casefold()
        if spans and start < spans[-1].end:
            spans[-1].take(start, end, word)
        else:
            spans.append(_Span(*_sentence(text, start, end), start, end, word))
    chosen: list[_Span] = []
    shown: set[_Word] = set()
    for span in sorted(spans, key=lambda span: (-len(span.words), span.start)):
        fresh = span.words - shown
        concepts = {concept for concept, _ in fresh} - {concept for concept, _ in shown}
        if len(chosen) < MAX_PASSAGES and (concepts or len(fresh) > 1):
            chosen.append(span)
            shown |= span.words
    joined: list[_Span] = []
    for span in sorted(chosen, key=lambda span: span.start):
        if joined and span.start == joined[-1].end and span.end - joined[-1].start <= MAX_PASSAGE:
            joined[-1].join(span)
        else:
            joined.append(span)
    return tuple(_excerpt(text, span) for span in joined)


def opening(text: str) -> Passage:
    """The first sentences, where no hit lies in the text itself."""
    return _clean(text[: 4 * MAX_PASSAGE], (), MAX_PASSAGE)


class _Span:
    """A sentence and the hits in it."""

    def __init__(self, start: int, end: int, hit_start: int, hit_end: int, word: _Word) -> None:
        self.start, self.end = start, max(end, hit_end)
        self.hits = [(hit_start, hit_end)]
        self.words = {word}

    def take(self, start: int, end: int, word: _Word) -> None:
        self.hits.append((start, end))
        self.end = max(self.end, end)
        self.words.add(word)

    def join(self, other: _Span) -> None:
        """Take in the sentence that follows."""
        self.end = other.end
        self.hits += other.hits


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence round a hit, as far as it lies within reach."""
    low, high = max(0, start - _REACH), min(len(text), end + _REACH)
    starts = [low + place for place in sentence_starts(text[low:high])]
    return max(place for place in starts if place <= start), min((p for p in starts if p >= end), default=high)


def _excerpt(text: str, span: _Span) -> Passage:
    start, end = span.start, span.end
    if end - start > MAX_PASSAGE:
        start = _word_start(text, max(start, span.hits[0][0] - _LEAD), start)
        end = min(end, start + MAX_PASSAGE)
    hits = [(low - start, high - start) for low, high in span.hits if low >= start and high <= end]
    cut = text[start:end]
    before = "… " if start > span.start else ""
    passage = _clean(cut, _merged(hits), MAX_PASSAGE)
    after = " …" if end < span.end else ""
    shift = len(before)
    return Passage(before + passage.text + after, tuple((low + shift, high + shift) for low, high in passage.marks))


def _word_start(text: str, position: int, floor: int) -> int:
    """The start of a word near a position, so that no word is cut where there are blanks."""
    blank = text.find(" ", position, position + 30)
    return blank + 1 if blank >= 0 and position > floor else position


def _merged(hits: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(hits):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _clean(text: str, hits: Sequence[tuple[int, int]], limit: int) -> Passage:
    """Cleaned piece by piece, so that marks move with their words."""
    line = _Line(limit)
    at = 0
    for start, end in hits:
        if start >= len(text):
            break
        line.add(text[at:start])
        line.add(text[start:end], mark=True)
        at = end
    line.add(text[at:])
    return line.passage()


class _Line:
    """One line as it grows; blanks shrink to one, none at the ends."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._marks: list[tuple[int, int]] = []
        self._length = 0
        self._blank = False

    def add(self, raw: str, *, mark: bool = False) -> None:
        text = _BLANK.sub(" ", _SURROGATE.sub("\ufffd", _HARMFUL.sub("", raw)))
        body = text.strip(" ")
        if text.startswith(" ") or (text and not body):
            self._blank = True
        if not body:
            return
        if self._blank and self._length:
            self._put(" ")
        start = self._length
        self._put(body)
        self._blank = text.endswith(" ")
        if mark:
            self._marks.append((start, self._length))

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def passage(self) -> Passage:
        text = "".join(self._parts)
        if len(text) <= self._limit:
            return Passage(text, tuple(self._marks))
        cut = text[: self._limit - 1].rstrip()
        return Passage(cut + "…", tuple((low, high) for low, high in self._marks if high <= len(cut)))
