"""`scorecard`: what each rule and each of its terms has brought."""

from __future__ import annotations

from typing import Final

from monitor.books import compile_files
from monitor.cli import context, output
from monitor.cli.backtest import known_theme
from monitor.cli.lists import Json, Theme
from monitor.cli.reading import Reading
from monitor.core import views
from monitor.core.scorecard import LEAST_JUDGED, Score
from monitor.core.scorecard import scorecard as scores_of
from monitor.errors import NotFound
from monitor.pipeline import scorecard as brought

SHOWN: Final = 10
"""So many terms of each rule are shown to people."""


def scorecard(*, theme: Theme = None, json: Json = False) -> None:
    """What each rule in force and each of its terms has brought: hits, verdicts, last fired, what matches rest on."""
    with Reading(context.settings()) as reading:
        current = reading.store.get(views.RULE_BOOK, views.CURRENT)
        if current is None or not current.position:
            raise NotFound("no rules were adopted yet; `monitor run` adopts them")
        book = compile_files(current.files).book
        known_theme(theme, book)
        fired = brought.fired(reading.store, compile_files, theme)
        scores = list(scores_of(book, fired, brought.verdicts(reading.store), theme))
        entries = reading.store.count(views.ENTRIES)
    if json:
        output.json_lines(scores)
    else:
        _print_scores(scores, entries)


def _print_scores(scores: list[Score], entries: int) -> None:
    by_rule: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        by_rule.setdefault((score.theme, score.rule), []).append(score)
    for rule, *terms in by_rule.values():
        mode = "" if rule.mode == "live" else f" [{rule.mode}]"
        output.wrapped(f"{rule.theme}/{rule.rule}{mode}: {_said(rule)}")
        fired = [term for term in terms if term.hits]
        for term in fired[:SHOWN]:
            output.wrapped(f"{term.term} ({term.concept or 'literal'}): {_said(term)}", first="    ", hang=8)
        if len(fired) > SHOWN:
            print(f"    +{len(fired) - SHOWN:,} more that fired")
        if rule.never_fired and rule.hits:
            print(f"    never fired: {rule.never_fired:,} of {rule.terms:,} terms")
    print(f"\nlooked for in {output.many(entries, 'entry', 'entries')}")
    for finding, meaning in (
        ("dead", "never fired"),
        ("noisy", f"most of at least {LEAST_JUDGED} judged alerts are noise; of a term, more than of its rule"),
    ):
        named = [
            _name(score) for score in scores if score.finding == finding and (finding == "noisy" or not score.term)
        ]
        if named:
            output.wrapped(f"{finding} ({meaning}): {', '.join(named)}")


def _said(score: Score) -> str:
    if score.last_fired is None:
        return "never fired"
    parts = [output.many(score.hits, "hit")]
    if score.precision is not None:
        parts.append(f"{score.relevant} relevant, {score.noise} noise")
    if score.share:
        parts.append(f"{score.share:.0%} rest on {'it' if score.term else 'one term'}")
    return f"{', '.join(parts)}, last fired {output.moment(score.last_fired)}"


def _name(score: Score) -> str:
    return f"{score.theme}/{score.rule}" + (f" {score.term}" if score.term else "")
