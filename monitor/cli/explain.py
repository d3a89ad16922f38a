"""`explain`: why an entry or alert matched or did not."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from rich.cells import cell_len

from monitor.books import compile_files
from monitor.cli import context, output
from monitor.cli.lists import Json, Theme
from monitor.cli.reading import Reading
from monitor.core import events as ev
from monitor.core import views
from monitor.errors import NotFound
from monitor.matching.explain import Clause, RuleExplanation, ThemeExplanation
from monitor.matching.explain import explain as explain_document
from monitor.matching.model import Evidence
from monitor.pipeline.adopt import RULES_STREAM
from monitor.pipeline.detect import book_files, document_of

MAX_PLACES, FEW_PLACES = 6, 3


def explain(
    thing: Annotated[str, Parameter(name="ALERT|ENTRY")],
    /,
    *,
    theme: Theme = None,
    now: Annotated[bool, Parameter(negative="", help="By the rules in force now, not by those of then.")] = False,
    json: Json = False,
) -> None:
    """Why an entry or alert matched or did not: each clause true or false, with the words and their places."""
    with Reading(context.settings()) as reading:
        store = reading.store
        alert = store.get(views.ALERTS, thing)
        matched = _last_match(reading, alert) if alert else None
        entry = store.get(views.ENTRIES, matched.entry_id if matched else alert.entry_ids[-1] if alert else thing)
        if entry is None:
            raise NotFound(f"no alert or entry has the id '{thing}'; `monitor alerts` and `monitor entries` list them")
        number = matched.revision if matched else entry.revision
        position, event = _revision_of(reading, entry, number)
        if now:
            position = store.head().position
        elif matched:
            position = _adopted(reading, matched.book)
        files = book_files(store, position)
        revision = matched.book if matched and not now else _revision(reading, position, now)
        wanted = theme or (alert.theme if alert else None)
        explained = explain_document(compile_files(files), document_of(event, entry), wanted)
    if wanted and not explained:
        raise NotFound(f"the rule book '{revision}' has no theme '{wanted}'")
    if json:
        facts = {"entry_id": entry.entry_id, "revision": number, "latest_revision": entry.revision, "book": revision}
        output.json_lines({**facts, "theme": one} for one in explained)
        return
    told = _Told(shutil.get_terminal_size().columns)
    told.line(0, f"entry {entry.entry_id}, revision {number}:", event.title.split())
    print(f"rule book {revision}{' (in force now)' if now else ''}")
    if number != entry.revision:
        newer = f"the alert rests on this revision; there is a newer one, {entry.revision}:"
        told.line(0, newer, [f"`monitor explain {entry.entry_id}`"])
    for one in explained:
        told.theme(one)


def _last_match(reading: Reading, alert: views.AlertRow) -> ev.EntryMatched | None:
    """The last match, by the alert's theme, of the entry that it was last raised, grouped or reopened for."""
    entry_id = alert.entry_ids[-1]
    for recorded in reading.store.read(stream=f"alert/{alert.alert_id}"):
        if isinstance(recorded.event, ev.AlertRaised | ev.AlertGrouped | ev.AlertReopened):
            entry_id = recorded.event.entry_id
    found = None
    for recorded in reading.store.read(stream=f"entry/{entry_id}", types=["EntryMatched"]):
        if isinstance(recorded.event, ev.EntryMatched) and recorded.event.theme == alert.theme:
            found = recorded.event
    return found


def _revision_of(
    reading: Reading, entry: views.EntryRow, number: int
) -> tuple[int, ev.EntryObserved | ev.EntryRevised]:
    """The event that holds a revision's text, and its position. Raises `NotFound` where it was erased."""
    for recorded in reading.store.read(stream=f"entry/{entry.entry_id}", types=["EntryObserved", "EntryRevised"]):
        event = recorded.event
        if isinstance(event, ev.EntryObserved | ev.EntryRevised) and number == getattr(event, "revision", 1):
            return recorded.position, event
    raise NotFound(f"the text of entry '{entry.entry_id}', revision {number}, was erased; nothing can be explained")


def _adopted(reading: Reading, revision: str) -> int:
    """Where a rule book was last adopted; 0 where the log holds no such adoption."""
    current = reading.store.get(views.RULE_BOOK, views.CURRENT)
    if current is not None and current.revision == revision:
        return current.position
    books = reading.store.read(stream=RULES_STREAM, types=["RuleBookAdopted"])
    found = [one.position for one in books if getattr(one.event, "revision", None) == revision]
    return found[-1] if found else 0


def _revision(reading: Reading, position: int, now: bool) -> str:
    current = reading.store.get(views.RULE_BOOK, views.CURRENT)
    if current is not None and (now or current.position <= position):
        return current.revision
    revisions = (
        recorded.event.revision
        for recorded in reading.store.read(0, upto=position, stream="rulebook")
        if isinstance(recorded.event, ev.RuleBookAdopted)
    )
    return list(revisions)[-1]


class _Told:
    """Prints rules as trees of clauses. What stands in several clauses is shown at the first."""

    def __init__(self, width: int) -> None:
        self._width = max(width, 40)
        self._shown: set[tuple[str, tuple[Evidence, ...]]] = set()

    def theme(self, theme: ThemeExplanation) -> None:
        print(f"\ntheme {theme.theme}: {'matched' if theme.matched else 'not matched'}")
        for rule in sorted(theme.rules, key=lambda rule: not rule.matched):  # what answers the question first
            self._rule(rule)

    def _rule(self, rule: RuleExplanation) -> None:
        self._shown.clear()
        print()
        self.line(2, f"rule {rule.rule} ({rule.severity.value}):", ["matched" if rule.matched else "not matched"])
        if rule.near_miss:
            self.line(4, "near miss:", rule.near_miss.split())
        self._clause(rule.when, 4, whole=rule.when.true)
        if rule.unless is not None and rule.unless.true:
            self.line(4, "stopped by unless:", [])
            self._clause(rule.unless, 6, whole=True)
        elif rule.unless is not None:
            self.line(4, "not stopped by unless:", rule.unless.text.split())
        if rule.where is not None:
            self.line(4, "stopped by where:", rule.where.split())

    def _clause(self, clause: Clause, indent: int, *, whole: bool, within: frozenset[Evidence] | None = None) -> None:
        """`whole`: true parts are taken apart as well. `within`: the words that a true proximity or count rests on."""
        mark = "✓" if clause.true else "✗"
        if not clause.clauses or (clause.true and not whole):
            self._words(f"{mark} {clause.text}", clause, indent, within, MAX_PLACES if whole else FEW_PLACES)
            return
        text = f"{mark} {clause.text}"
        print(" " * indent + output.cut(output.clean(text), self._width - indent))  # its parts follow
        if clause.true and clause.kind in ("near", "count"):
            within = frozenset(clause.places)
        for part in clause.clauses:
            self._clause(part, indent + 2, whole=whole and clause.true, within=within)

    def _words(self, text: str, clause: Clause, indent: int, within: frozenset[Evidence] | None, most: int) -> None:
        places = tuple(place for place in clause.places if within is None or place in within) or clause.places
        said = (clause.text, places)
        if places and said in self._shown:
            self.line(indent, text, ["(as above)"])
            return
        self._shown.add(said)
        terms: dict[tuple[str, int, int, str], list[str]] = {}
        for place in places:
            terms.setdefault((place.field, place.start, place.end, place.text), []).append(place.term)
        words = [_word(*place, found) for place, found in list(terms.items())[:most]]
        more = [f"+{len(terms) - most} more"] if len(terms) > most else []
        self.line(indent, text, [*(f"{word}," for word in words[:-1]), *words[-1:], *more])

    def line(self, indent: int, text: str, parts: Sequence[str]) -> None:
        """The text and the parts behind it, in as many lines as they take; a part is broken only between its words."""
        line, fresh = " " * indent, True
        room = self._width - indent - 4
        fitting = (words for part in parts for words in ([part] if cell_len(part) <= room else part.split()))
        for shown in map(output.clean, (*text.split(), *fitting)):
            if not fresh and cell_len(line) + 1 + cell_len(shown) > self._width:
                print(line)
                line, fresh = " " * (indent + 4), True
            line, fresh = line + ("" if fresh else " ") + shown, False
        print(line)


def _word(field: str, start: int, end: int, text: str, terms: Sequence[str]) -> str:
    """A word with its place; and the terms that found it, unless it is the term itself."""
    others = [term for term in terms if term.casefold() != text.casefold()]
    by = f" ({', '.join(others)})" if others and len(others) == len(terms) else ""
    return f"“{' '.join(text.split())}” {field} {start}–{end}{by}"
