"""`diff`: what a change of rules would have gained and lost among stored entries, and by which terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from cyclopts import Parameter

from monitor.cli import context, output
from monitor.cli.backtest import (
    Jobs,
    Since,
    Trial,
    Until,
    checked_rules,
    heading,
    known_theme,
    run_over,
    sentences,
    span_of,
)
from monitor.cli.lists import Json, Theme
from monitor.matching.book import RuleBook
from monitor.matching.compare import RuleChange
from monitor.matching.engine import compile_book
from monitor.pipeline import backtest as tried
from monitor.pipeline.backtest import Seen, Stretch
from monitor.settings import Settings

SHOWN: Final = 10
"""So many gained and so many lost entries are shown to people, and so many terms of each rule."""


def diff(
    old_rules: Annotated[Path, Parameter(help="A folder like rules/.")],
    new_rules: Annotated[Path, Parameter(help="Another one.")],
    /,
    *,
    theme: Theme = None,
    since: Since = None,
    until: Until = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """What a change of rules would have gained and lost, per rule and term. Sends and stores nothing.

    An entry counts once for a rule, whatever the number of its revisions. With `--json` each term that decides has a
    line; `term` is null where something else decides, and `reason` says what.
    """
    settings = context.settings()
    old, new = checked_rules(old_rules), checked_rules(new_rules)
    known_theme(theme, old, new)
    whole = span_of(settings, since, until)
    told = _Told()
    for changes in run_over(partial(_Diff, settings, old, new, theme, whole), whole, jobs):
        told.take(changes)
        if json:
            output.json_lines(line for change in changes.changed for line in change.lines())
    if not json:
        told.print()


class _Changed(NamedTuple):
    """One rule that an entry meets under one book alone."""

    seen: Seen
    change: RuleChange

    def lines(self) -> Iterator[dict[str, Any]]:
        """The contract's objects, one for each term that decides."""
        for term in self.change.terms or (None,):
            yield {
                "theme": self.change.theme,
                "rule": self.change.rule,
                "term": term,
                "change": self.change.change,
                "entry_id": self.seen.entry_id,
                "revision": self.seen.revision,
                "title": self.seen.document.title,
                "reason": self.change.reason,
            }


class _Changes(NamedTuple):
    """What a stretch came to."""

    changed: list[_Changed]
    unchanged: Counter[tuple[str, str]]


class _Diff(Trial):
    def __init__(self, settings: Settings, old: RuleBook, new: RuleBook, theme: str | None, whole: Stretch) -> None:
        super().__init__(settings)
        self._theme, self._whole = theme, whole
        self._old, self._new = compile_book(old), compile_book(new)

    def __call__(self, after: int, upto: int) -> _Changes:
        found = _Changes([], Counter())
        for seen, compared in tried.differences(self._store, self._old, self._new, self._whole, after, upto):
            changes = (*compared.gained, *compared.lost)
            found.changed.extend(_Changed(seen, one) for one in changes if self._theme in (None, one.theme))
            found.unchanged.update(key for key in compared.unchanged if self._theme in (None, key[0]))
        return found


class _Told:
    """What people are told of a change: counts, terms, and the first entries of each kind with their words."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str, str]] = Counter()
        self._terms: dict[tuple[str, str, str], Counter[str]] = {}
        self._first: dict[str, dict[str, list[_Changed]]] = {"gained": {}, "lost": {}}

    def take(self, changes: _Changes) -> None:
        """Count what a stretch came to; keep its entries while fewer than `SHOWN` are kept."""
        self._count.update({(*key, "unchanged"): count for key, count in changes.unchanged.items()})
        for one in changes.changed:
            change = one.change
            key = (change.theme, change.rule, change.change.value)
            self._count[key] += 1
            self._terms.setdefault(key, Counter()).update(change.terms or (change.reason,))
            entries = self._first[change.change]
            if one.seen.entry_id in entries or len(entries) < SHOWN:
                entries.setdefault(one.seen.entry_id, []).append(one)

    def print(self) -> None:
        """The whole on stdout."""
        print(_counts(self._count.items()))
        rules = sorted({key[:2] for key in self._count})
        changed = [rule for rule in rules if any((*rule, change) in self._count for change in self._first)]
        for rule in changed:
            print()
            self._print_rule(*rule)
        if changed and len(changed) < len(rules):
            print(f"\nunchanged: {len(rules) - len(changed):,} other rules")
        for change, entries in self._first.items():
            if entries:
                print(f"\n{change}, the first {len(entries)}:")
            for found in entries.values():
                _print_entry(found)

    def _print_rule(self, theme: str, rule: str) -> None:
        own = [(key, count) for key, count in self._count.items() if key[:2] == (theme, rule)]
        print(output.clean(f"{theme}/{rule}: {_counts(own)}"))
        for change in self._first:
            terms = self._terms.get((theme, rule, change))
            if terms:
                said = ", ".join(f"{term} ({count:,})" for term, count in terms.most_common(SHOWN))
                more = f", +{len(terms) - SHOWN:,} more" if len(terms) > SHOWN else ""
                output.wrapped(f"{change} by {said}{more}", first="    ", hang=8)


def _print_entry(found: list[_Changed]) -> None:
    seen = found[0].seen
    print(heading(seen, "  "))
    for one in found:
        output.wrapped(f"{one.change.theme}/{one.change.rule}: {one.change.reason}", first="    ", hang=8)
    evidence = (hit for one in found for hit in (*one.change.evidence, *one.change.deciding))
    for line in sentences(seen, evidence):
        output.wrapped(line, first="    | ", hang=6)


def _counts(counted: Iterable[tuple[tuple[str, str, str], int]]) -> str:
    total = Counter[str]()
    for (_, _, change), count in counted:
        total[change] += count
    return ", ".join(f"{change} {total[change]:,}" for change in ("gained", "lost", "unchanged"))
