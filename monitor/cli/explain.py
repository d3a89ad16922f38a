"""`explain`: why an entry or alert matched or did not."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from monitor.books import compile_files
from monitor.cli import context, output
from monitor.cli.lists import Json, Theme
from monitor.cli.reading import Reading
from monitor.core import events as ev
from monitor.core import views
from monitor.errors import NotFound
from monitor.matching.explain import Clause, RuleExplanation, ThemeExplanation
from monitor.matching.explain import explain as explain_document
from monitor.pipeline.detect import book_files, document_of

MAX_PLACES = 6


def explain(
    thing: Annotated[str, Parameter(name="ALERT|ENTRY")],
    *,
    theme: Theme = None,
    now: Annotated[bool, Parameter(negative="", help="By the rules in force now, not by those of then.")] = False,
    json: Json = False,
) -> None:
    """Why an entry or alert matched or did not: each clause true or false, with the words and their places."""
    with Reading(context.settings()) as reading:
        alert = reading.store.get(views.ALERTS, thing)
        entry = reading.store.get(views.ENTRIES, alert.entry_ids[-1] if alert else thing)
        if entry is None:
            raise NotFound(f"no alert or entry has the id '{thing}'; `monitor alerts` and `monitor entries` list them")
        event = reading.store.at(entry.text_position).event
        if not isinstance(event, ev.EntryObserved | ev.EntryRevised):
            raise NotFound(f"the text of entry '{entry.entry_id}' was erased; nothing can be explained")
        files = book_files(reading.store, reading.store.head().position if now else entry.text_position)
        revision = _revision(reading, entry.text_position, now)
        wanted = theme or (alert.theme if alert else None)
        explained = explain_document(compile_files(files), document_of(event, entry), wanted)
    if wanted and not explained:
        raise NotFound(f"the rule book '{revision}' has no theme '{wanted}'")
    if json:
        output.json_lines({"entry_id": entry.entry_id, "book": revision, "theme": one} for one in explained)
        return
    print(output.clean(f"entry {entry.entry_id}, revision {entry.revision}: {entry.title}"))
    print(f"rule book {revision}{' (in force now)' if now else ''}")
    for one in explained:
        _print_theme(one)


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


def _print_theme(theme: ThemeExplanation) -> None:
    print(f"\ntheme {theme.theme}: {'matched' if theme.matched else 'not matched'}")
    for rule in theme.rules:
        _print_rule(rule)


def _print_rule(rule: RuleExplanation) -> None:
    near = f"  (near miss: {rule.near_miss})" if rule.near_miss else ""
    print(
        output.clean(
            f"  rule {rule.rule} ({rule.severity.value}): {'matched' if rule.matched else 'not matched'}{near}"
        )
    )
    _print_clause(rule.when, 2)
    if rule.unless is not None:
        if rule.unless.true:
            print(output.clean(f"    stopped by unless: {rule.unless.text}"))
            _print_clause(rule.unless, 3)
        else:
            print(output.clean(f"    not stopped by unless: {rule.unless.text}"))
    if rule.where is not None:
        print(output.clean(f"    stopped by where: {rule.where}"))


def _print_clause(clause: Clause, depth: int) -> None:
    indent = "  " * depth
    text = " ".join(clause.text.split())
    print(output.clean(f"{indent}{'✓' if clause.true else '✗'} {text}"))
    if clause.clauses and clause.kind in ("and", "or", "not", "near", "field", "count"):
        for child in clause.clauses:
            _print_clause(child, depth + 1)
    else:
        for place in clause.places[:MAX_PLACES]:
            print(
                output.clean(f"{indent}    “{place.text}”  {place.field} {place.start}–{place.end}, term {place.term}")
            )
        if len(clause.places) > MAX_PLACES:
            print(f"{indent}    +{len(clause.places) - MAX_PLACES} more")
