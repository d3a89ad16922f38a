"""All terms of a book in one pass over a document; hits of a set of terms when a rule asks for them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.matching import automaton
from monitor.matching.automaton import Found
from monitor.matching.book import Term
from monitor.matching.expression import Field
from monitor.matching.fold import FIELD_END, Folded, Visible, fold_text
from monitor.matching.languages import speaks
from monitor.matching.model import Document
from monitor.matching.packed import Lists, Numbers
from monitor.matching.regexes import spans
from monitor.matching.scripts import (
    ARABIC,
    CLASSES,
    HANGUL,
    HEBREW,
    JOINED,
    NEUTRAL,
    class_of,
    joins_after,
    joins_before,
)  # fmt: skip
from monitor.matching.sentences import paragraph_starts, sentence_starts
from monitor.matching.terms import (
    Exact,
    Form,
    Plain,
    Regex,
    TermFault,
    exact_span,
    form_of,
    name,
    pattern_span,
    plain_span,
)  # fmt: skip
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
    term: Term
    form: Form


Edges: TypeAlias = tuple[bytes, bytes]
"""By class of the character before and after a needle: JOINED where no term of the needle can begin or end there."""


class Needles(msgspec.Struct, frozen=True):
    """What the terms of many sets come to: plain data, the costly part of a scanner, which may be kept for next time.

    Parallel to each other: `texts`, the strings to find; `uses`, the (set, order) of each term that a text is part of;
    `edges`, which of `kinds` tells where that text cannot stand. `always`: set number -> its terms that are looked for
    in every text, having no needle. `packed`: the automaton over the texts, in their place.
    """

    texts: tuple[str, ...]
    uses: tuple[tuple[tuple[int, int], ...], ...]
    edges: tuple[int, ...]
    kinds: tuple[Edges, ...]
    always: dict[int, list[int]]
    packed: bytes = b""


def collect(sets: Sequence[tuple[Term, ...]]) -> Needles:
    """The needles of all terms of all sets, each once."""
    always: dict[int, list[int]] = {}
    uses: dict[str, list[tuple[int, int]]] = {}
    edges: dict[str, Edges] = {}
    kinds: dict[Edges, int] = {}
    for number, terms in enumerate(sets):
        for order, term in enumerate(terms):
            form = form_of_term(term)
            if not form.needles:
                always.setdefault(number, []).append(order)
            for needle in form.needles:
                found = _left_table(needle, form), _right_table(needle, form)
                known = edges.setdefault(needle, found)
                if known != found:
                    before, after = (_ANY if _ANY in pair else pair[0] for pair in zip(known, found, strict=True))
                    edges[needle] = before, after
                uses.setdefault(needle, []).append((number, order))
    numbers = tuple(kinds.setdefault(found, len(kinds)) for found in edges.values())
    return Needles(tuple(uses), tuple(map(tuple, uses.values())), numbers, tuple(kinds), always)


class Scanner:
    """Finds the terms of many sets in one pass. Immutable once built; any thread may use it.

    A set is the terms of one concept, or one literal; sets and needles are known by their numbers.
    """

    def __init__(self, sets: Sequence[tuple[Term, ...]], needles: Needles, *, fields: frozenset[Field]) -> None:
        self._terms = tuple(sets)
        self._more_fields = tuple(field for field in (Field.URL, Field.AUTHOR) if field in fields)
        self.always = needles.always
        self._automaton = automaton.build(needles.texts, needles.packed)
        self._find = self._automaton.find
        self._uses = needles.uses
        # what every hit asks for lies in few bytes: a walk over scattered objects would cost more than the pass itself
        self._edges = array("H", needles.edges)
        self._kinds = tuple((_GoesOn(before), _GoesOn(after)) for before, after in needles.kinds)
        self._sets_of = Lists({number for number, _ in users} for users in needles.uses)
        self._nothing = np.zeros(len(sets) + 1, bool)
        self._nothing[[*self.always, len(sets)]] = True
        self._met: dict[tuple[int, int], list[Use]] = {}  # what was met before is not read again

    @property
    def term_count(self) -> int:
        return sum(map(len, self._terms))

    def pack(self) -> bytes:
        """The automaton, as `Needles.packed` takes it."""
        return self._automaton.pack()

    @property
    def no_set(self) -> int:
        """A number that stands for no set, and for what is always there."""
        return len(self._terms)

    def scan(self, document: Document) -> Scan:
        """One pass over a document."""
        texts = [document.title, document.text]
        for field in self._more_fields:
            texts.append((document.url if field == Field.URL else document.author) or "")
        given = FIELD_END.join(texts) + FIELD_END
        folded = fold_text(given)
        found = self._standing(folded.text)
        uses = self._sets_of.of(np.fromiter(found, np.intp, len(found)))
        holds = self._nothing.copy()
        holds[uses[0]] = True
        fields = (Field.TITLE, Field.BODY, *self._more_fields)
        return Scan(self, document, fields, texts, given, folded, found, uses, holds)

    def _standing(self, text: str) -> dict[int, list[Found]]:
        """Needle -> its places that are not plainly inside longer words."""
        found: dict[int, list[Found]] = {}
        edges, kinds = self._edges, self._kinds
        for place in self._find(text):
            start, end, needle = place
            goes_on_before, goes_on_after = kinds[edges[needle]]
            if goes_on_before[text[start - 1]] or goes_on_after[text[end]]:
                continue
            if needle in found:
                found[needle].append(place)
            else:
                found[needle] = [place]
        return found

    def uses(self, needle: int, number: int) -> list[Use]:
        """The terms of a set that a needle is part of."""
        known = self._met.get((needle, number))
        if known is None:
            known = [self.use(number, order) for used, order in self._uses[needle] if used == number]
            self._met[needle, number] = known
        return known

    def use(self, number: int, order: int) -> Use:
        """One term of a set, ready to be looked for."""
        term = self._terms[number][order]
        return Use(number, order, term, form_of_term(term))


class _GoesOn(dict[str, bool]):
    """Whether the word goes on at a character beside a needle; kept from when it was first asked for."""

    def __init__(self, table: bytes) -> None:
        self._table = table

    def __missing__(self, char: str) -> bool:
        self[char] = found = self._table[CLASSES[char]] == JOINED
        return found


_ANY: Final = bytes(256)


def _left_table(needle: str, form: Form) -> bytes:
    first = class_of(needle[0])
    free = not isinstance(form, Plain | Exact) or (isinstance(form, Plain) and form.grows_left)
    return _ANY if free or first in (ARABIC, HEBREW) else joins_before(first)  # there, short words are attached


def _right_table(needle: str, form: Form) -> bytes:
    last = class_of(needle[-1])
    free = not isinstance(form, Plain | Exact) or (isinstance(form, Plain) and form.grows_right)
    return _ANY if free or last in (HANGUL, NEUTRAL) else joins_after(last)  # endings, to digits too


def form_of_term(term: Term) -> Form:
    """What a sound term looks for."""
    form = name(term.text) if term.name else form_of(term.text)
    assert not isinstance(form, TermFault), "the loader lets no faulty term into a book"
    return form


class Scan:
    """What one pass found in one document; sentences, words and hits are worked out when first asked for."""

    def __init__(
        self,
        scanner: Scanner,
        document: Document,
        fields: tuple[Field, ...],
        texts: list[str],
        given: str,
        folded: Folded,
        found: dict[int, list[Found]],
        uses: tuple[Numbers, Numbers],
        holds: npt.NDArray[np.bool_],
    ) -> None:
        self._scanner, self.found, self._uses, self.holds = scanner, found, uses, holds
        """`found`: needle number -> its places in the folded text.

        `uses`: the sets that these needles are part of, and beside each its needle. `holds`: whether each set may have
        hits, and at the end a yes that stands for no set.
        """
        self.document, self.fields, self._texts = document, fields, texts
        self.given, self.folded = given, folded
        self.memo: dict[Any, Any] = {}
        """For what is asked of this document more than once."""
        self._hits: dict[int, list[Hit]] = {}
        self._sentences: dict[int, list[int]] = {}

    @cached_property
    def present(self) -> frozenset[int]:
        """The sets that may have hits."""
        return frozenset(np.flatnonzero(self.holds[:-1]).tolist())

    @cached_property
    def starts(self) -> list[int]:
        """Where each text (title, body, …) begins in the text as given."""
        return list(accumulate((len(text) + 1 for text in self._texts[:-1]), initial=0))

    # --- where

    def field_at(self, offset: int) -> int:
        """The number of the text (title, body, …) that holds an offset of the text as given."""
        return bisect_right(self.starts, offset) - 1

    def range_of(self, field: Field) -> tuple[int, int]:
        """Offsets of a field in the text as given; LEAD runs on into the first paragraph of the body."""
        if field == Field.LEAD:
            body = self.starts[1]
            following = next((start for start in self.paragraphs if start > body), self.words_end)
            return 0, following
        if field not in self.fields:
            return 0, 0
        number = self.fields.index(field)
        return self.starts[number], self.starts[number] + len(self._texts[number])

    @property
    def words_end(self) -> int:
        """Where title and body end: what is looked at without a field."""
        return len(self._texts[0]) + 1 + len(self._texts[1])

    @cached_property
    def paragraphs(self) -> list[int]:
        """Where paragraphs begin; a title, an address, a list of authors are one each."""
        body = self.starts[1]
        return [0, *(body + at for at in paragraph_starts(self._texts[1])), *self.starts[2:]]

    def paragraph_of(self, hit: Hit) -> int | None:
        """The number of the paragraph that holds the whole of a hit; None where it runs over into the next."""
        number = bisect_right(self.paragraphs, hit.start) - 1
        return number if hit.end <= self._paragraph_end(number) else None

    def sentence_of(self, hit: Hit) -> tuple[int, int] | None:
        """The paragraph and the number in it of the sentence that holds the whole of a hit."""
        paragraph = self.paragraph_of(hit)
        if paragraph is None:
            return None
        starts = self._sentences_of(paragraph)
        number = bisect_right(starts, hit.start)
        return None if number < len(starts) and starts[number] < hit.end else (paragraph, number)

    def _paragraph_end(self, number: int) -> int:
        return self.paragraphs[number + 1] if number + 1 < len(self.paragraphs) else len(self.given)

    def _sentences_of(self, paragraph: int) -> list[int]:
        """Where the sentences of a paragraph begin; most paragraphs are never asked for."""
        found = self._sentences.get(paragraph)
        if found is None:
            first = self.paragraphs[paragraph]
            text = self.given[first : self._paragraph_end(paragraph)].rstrip(FIELD_END)
            found = self._sentences[paragraph] = [first + at for at in sentence_starts(text, one_paragraph=True)]
        return found

    @cached_property
    def words(self) -> Words:
        """The words of the folded text."""
        return Words(self.folded.text)

    def between(self, left: Hit, right: Hit) -> int:
        """How many words lie between two hits, the first of which ends before the second begins."""
        return self.words.between(left.right, right.left)

    # --- what

    def has(self, number: int) -> bool:
        """Whether a set may have hits."""
        return bool(self.holds[number])

    def hits(self, number: int) -> list[Hit]:
        """The hits of a set, in order of place."""
        found = self._hits.get(number)
        if found is None:
            found = self._hits[number] = self._look_for(number)
        return found

    def _look_for(self, number: int) -> list[Hit]:
        hits: set[Hit] = set()
        regexes: dict[Use, list[int]] = {
            self._scanner.use(number, order): [] for order in self._scanner.always.get(number, ())
        }
        sets, needles = self._uses
        for needle in needles[sets == number].tolist():
            places = self.found[needle][:MAX_HITS]
            for use in self._scanner.uses(needle, number):
                if isinstance(use.form, Regex):
                    regexes.setdefault(use, []).extend(self.folded.start(start) for start, _, _ in places)
                elif self._may(use):
                    for start, end, _ in places:
                        span = self._span(use.form, start, end)
                        if span is not None:
                            hits.add(self._hit(span, use))
        for use, offsets in regexes.items():
            if self._may(use):
                hits.update(self._regex_hits(use, offsets))
        return sorted(hits)

    def _may(self, use: Use) -> bool:
        return not use.term.only_in or speaks(self.document.language, use.term.only_in)

    def _span(self, form: Form, start: int, end: int) -> tuple[int, int] | None:
        if isinstance(form, Plain):
            return plain_span(form, self.folded.text, start, end)
        if isinstance(form, Exact):
            return exact_span(form, self.given, self.folded, start, end)
        assert not isinstance(form, Regex)
        return pattern_span(form, self.folded.text, start, end)

    def _hit(self, span: tuple[int, int], use: Use) -> Hit:
        left, right = span
        return Hit(left, right, self.folded.start(left), self.folded.end(right), use.order, use.term.text)

    def _regex_hits(self, use: Use, offsets: list[int]) -> Iterable[Hit]:
        """Matches in the paragraphs that hold these offsets, at which a needle stands; none given: in all."""
        assert isinstance(use.form, Regex)
        starts = [*self.paragraphs, len(self.given)]
        chosen = {bisect_right(starts, offset) - 1 for offset in offsets} if offsets else range(len(starts) - 1)
        for number in sorted(chosen):
            first, last = starts[number], starts[number + 1]
            visible = Visible(self.given[first:last].rstrip(FIELD_END))
            for left, right in spans(use.form, visible.text):
                start, end = first + visible.start(left), first + visible.end(right)
                at = self.folded.position(start)
                yield Hit(at, self.folded.position(end - 1) + 1, start, end, use.order, use.term.text)
