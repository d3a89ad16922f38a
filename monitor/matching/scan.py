"""All terms of a book in one pass over a document; hits of a set of terms when a rule asks for them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from monitor.matching import automaton
from monitor.matching.expression import Field
from monitor.matching.fold import FIELD_END, Folded, Visible, fold_text
from monitor.matching.languages import speaks
from monitor.matching.model import Document
from monitor.matching.regexes import spans
from monitor.matching.scripts import ARABIC, HANGUL, HEBREW, JOINED, NEUTRAL, class_of, joins_after, joins_before
from monitor.matching.sentences import paragraph_starts, sentence_starts
from monitor.matching.terms import (
    Exact,
    Form,
    Plain,
    Regex,
    exact_span,
    pattern_span,
    plain_span,
)
from monitor.matching.words import Words

MAX_HITS: Final = 5_000
"""Of one term in one document; what comes after is not looked at."""


class Hit(NamedTuple):
    """One place of one term. `start`, `end`: in the document's text as given; `left`, `right`: in its folded text.

    `order`: the term's place among those of its set.
    """

    left: int
    right: int
    start: int
    end: int
    order: int
    term: str

    def overlaps(self, other: Hit) -> bool:
        return self.left < other.right and other.left < self.right


class Use(NamedTuple):
    """A needle as part of one term of one set."""

    set: int
    order: int
    term: str
    form: Form
    only_in: tuple[str, ...]


class TermSet(NamedTuple):
    """What is compiled of one concept's own terms, or of one literal: (term as written, form, languages)."""

    terms: tuple[tuple[str, Form, tuple[str, ...]], ...]


_ANY: Final = bytes(256)


class Scanner:
    """Finds the terms of many sets in one pass. Immutable once built; any thread may use it."""

    def __init__(self, sets: Sequence[TermSet], *, fields: frozenset[Field]) -> None:
        uses: dict[str, list[Use]] = {}
        self.always: dict[int, list[Use]] = {}
        for number, terms in enumerate(sets):
            for order, (term, form, only_in) in enumerate(terms.terms):
                use = Use(number, order, term, form, only_in)
                if not form.needles:
                    self.always.setdefault(number, []).append(use)
                for needle in form.needles:
                    uses.setdefault(needle, []).append(use)
        self._fields = fields
        self._automaton = automaton.build(tuple(uses))
        self._uses = tuple(tuple(found) for found in uses.values())
        self._before = [_left_table(needle, found) for needle, found in uses.items()]
        self._after = [_right_table(needle, found) for needle, found in uses.items()]

    def scan(self, document: Document) -> Scan:
        """One pass over a document."""
        parts = [(Field.TITLE, document.title), (Field.BODY, document.text)]
        if Field.URL in self._fields:
            parts.append((Field.URL, document.url or ""))
        if Field.AUTHOR in self._fields:
            parts.append((Field.AUTHOR, document.author or ""))
        given = FIELD_END.join(text for _, text in parts) + FIELD_END
        folded = fold_text(given)
        text = folded.text
        before, after = self._before, self._after
        found: dict[int, list[tuple[int, int]]] = {}
        for needle, start, end in self._automaton.find(text):
            # most places inside longer words fall here; what is left is judged in full when a rule asks
            if before[needle][class_of(text[start - 1])] == JOINED or after[needle][class_of(text[end])] == JOINED:
                continue
            if needle in found:
                found[needle].append((start, end))
            else:
                found[needle] = [(start, end)]
        needles: dict[int, list[int]] = {}
        uses = self._uses
        for needle in found:
            for use in uses[needle]:
                if use.set in needles:
                    needles[use.set].append(needle)
                else:
                    needles[use.set] = [needle]
        return Scan(self, document, parts, given, folded, found, needles)

    def uses_of(self, needle: int) -> tuple[Use, ...]:
        return self._uses[needle]


def _left_table(needle: str, uses: Iterable[Use]) -> bytes:
    """By class of the character before the needle: JOINED where no term of the needle can begin there."""
    first = class_of(needle[0])
    attached = first in (ARABIC, HEBREW)
    if attached or any(
        not isinstance(use.form, Plain | Exact) or getattr(use.form, "grows_left", False) for use in uses
    ):
        return _ANY
    return joins_before(first)


def _right_table(needle: str, uses: Iterable[Use]) -> bytes:
    last = class_of(needle[-1])
    attached = last in (HANGUL, NEUTRAL)
    if attached or any(
        not isinstance(use.form, Plain | Exact) or getattr(use.form, "grows_right", False) for use in uses
    ):
        return _ANY
    return joins_after(last)


class Scan:
    """What one pass found in one document; sentences, words and hits are worked out when first asked for."""

    def __init__(
        self,
        scanner: Scanner,
        document: Document,
        parts: list[tuple[Field, str]],
        given: str,
        folded: Folded,
        found: dict[int, list[tuple[int, int]]],
        needles: dict[int, list[int]],
    ) -> None:
        self._scanner, self._found = scanner, found
        self.document, self.given, self.folded = document, given, folded
        self.needles = needles
        """Set number -> needles found of it; a set that is not in here has no hit, unless it is always looked for."""
        self.parts = parts
        self.starts: list[int] = []
        at = 0
        for _, text in parts:
            self.starts.append(at)
            at += len(text) + 1
        self.memo: dict[Any, Any] = {}
        """For what is asked of this document more than once."""
        self._hits: dict[int, list[Hit]] = {}
        self._sentences: list[int] | None = None
        self._paragraphs: list[int] | None = None
        self._words: Words | None = None

    # --- where

    def field_at(self, offset: int) -> int:
        """The number of the text (title, body, …) that holds an offset of the text as given."""
        return bisect_right(self.starts, offset) - 1

    def range_of(self, field: Field) -> tuple[int, int]:
        """Offsets of a field in the text as given; LEAD runs on into the first paragraph of the body."""
        if field == Field.LEAD:
            body = self.starts[1]
            following = next(
                (start for start in self.paragraphs if start > body), self.starts[1] + len(self.parts[1][1])
            )
            return 0, following
        for number, (name, text) in enumerate(self.parts):
            if name == field:
                return self.starts[number], self.starts[number] + len(text)
        return 0, 0

    @property
    def words_end(self) -> int:
        """Where title and body end: what is looked at without a field."""
        return self.starts[1] + len(self.parts[1][1])

    @property
    def sentences(self) -> list[int]:
        if self._sentences is None:
            self._sentences = self._each_part(sentence_starts)
        return self._sentences

    @property
    def paragraphs(self) -> list[int]:
        if self._paragraphs is None:
            title, body = self.starts[:2]  # a title, an address, a list of authors are one paragraph each
            within = [body + at for at in paragraph_starts(self.parts[1][1])]
            self._paragraphs = [title, *within, *self.starts[2:]]
        return self._paragraphs

    def _each_part(self, split: Callable[[str], list[int]]) -> list[int]:
        found: list[int] = []
        for start, (_, text) in zip(self.starts, self.parts, strict=True):
            found.extend(start + at for at in split(text))
        return found

    @property
    def words(self) -> Words:
        if self._words is None:
            self._words = Words(self.folded.text)
        return self._words

    def between(self, left: Hit, right: Hit) -> int:
        """How many words lie between two hits, the first of which ends before the second begins."""
        return self.words.between(left.right, right.left)

    # --- what

    def has(self, number: int) -> bool:
        """Whether a set may have hits."""
        return number in self.needles or number in self._scanner.always

    def hits(self, number: int) -> list[Hit]:
        """The hits of a set, in order of place."""
        found = self._hits.get(number)
        if found is None:
            found = self._hits[number] = self._find(number)
        return found

    def _find(self, number: int) -> list[Hit]:
        hits: set[Hit] = set()
        regexes: set[Use] = set()
        for needle in set(self.needles.get(number, ())):
            for use in self._scanner.uses_of(needle):
                if use.set != number or not self._may(use):
                    continue
                if isinstance(use.form, Regex):
                    regexes.add(use)
                    continue
                for start, end in self._found[needle][:MAX_HITS]:
                    span = self._span(use.form, start, end)
                    if span is not None:
                        hits.add(self._hit(span, use))
        for use in self._scanner.always.get(number, ()):
            if self._may(use):
                regexes.add(use)
        for use in regexes:
            hits.update(self._regex_hits(use))
        return sorted(hits)

    def _may(self, use: Use) -> bool:
        return not use.only_in or speaks(self.document.language, use.only_in)

    def _span(self, form: Form, start: int, end: int) -> tuple[int, int] | None:
        if isinstance(form, Plain):
            return plain_span(form, self.folded.text, start, end)
        if isinstance(form, Exact):
            return exact_span(form, self.given, self.folded, start, end)
        assert not isinstance(form, Regex)
        return pattern_span(form, self.folded.text, start, end)

    def _hit(self, span: tuple[int, int], use: Use) -> Hit:
        left, right = span
        return Hit(left, right, self.folded.start(left), self.folded.end(right), use.order, use.term)

    def _regex_hits(self, use: Use) -> Iterable[Hit]:
        assert isinstance(use.form, Regex)
        starts = [*self.paragraphs, len(self.given)]
        chosen = range(len(starts) - 1)
        if use.form.needles:
            offsets = [
                self.folded.start(start)
                for needle in self.needles.get(use.set, ())
                if use in self._scanner.uses_of(needle)
                for start, _ in self._found[needle]
            ]
            chosen_set = {bisect_right(starts, offset) - 1 for offset in offsets}
            chosen = sorted(chosen_set)  # type: ignore[assignment]
        for number in chosen:
            first, last = starts[number], starts[number + 1]
            visible = Visible(self.given[first:last].rstrip(FIELD_END))
            for left, right in spans(use.form, visible.text):
                start, end = first + visible.start(left), first + visible.end(right)
                at = self.folded.position(start)
                yield Hit(at, self.folded.position(end - 1) + 1, start, end, use.order, use.term)
