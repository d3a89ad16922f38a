"""`backtest`, `near-misses`: rules tried over what is stored, by all cores. Nothing is sent or stored."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from cyclopts import Parameter

from monitor.app import open_store_to_read
from monitor.cli import context, output
from monitor.cli.instants import parse_instant
from monitor.cli.lists import INSTANT, Json, Theme
from monitor.cli.reading import Reading
from monitor.cli.rules import Rules
from monitor.core.excerpts import marked_line, one_line, passages
from monitor.errors import ConfigurationError, NotFound, UsageError
from monitor.matching.book import RuleBook
from monitor.matching.engine import compile_book
from monitor.matching.explain import NearMiss
from monitor.matching.model import Evidence, ThemeMatch
from monitor.pipeline import backtest as tried
from monitor.pipeline.backtest import Seen, Stretch, Task
from monitor.rulebook.themes import load_rules, read_rule_files
from monitor.settings import Settings

FEW: Final = 10_000
"""Positions that one process looks at sooner than others are started."""

Since = Annotated[str | None, Parameter(help=f"Only entries and revisions read since: {INSTANT}.")]
Until = Annotated[str | None, Parameter(help="Only what was read until then.")]
Jobs = Annotated[int | None, Parameter(help="So many processes (one a core; one alone for a short log).")]
Result = TypeVar("Result")


class Trial:
    """A task of `pipeline.backtest.run` with a store of its own; made in the process that works on it."""

    def __init__(self, settings: Settings) -> None:
        self._store = open_store_to_read(settings)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()


# --- backtest


def backtest(
    *, rules: Rules = None, since: Since = None, until: Until = None, jobs: Jobs = None, json: Json = False
) -> None:
    """Rules over the stored entries: what live matching under them would have found. Sends and stores nothing.

    Every revision of every entry is looked at as it stood. With `--json` each has a line, as `monitor match` prints it.
    """
    settings = context.settings()
    book = checked_rules(rules or settings.rules)
    whole = span_of(settings, since, until)
    looked, found, by_rule = 0, 0, Counter[tuple[str, str]]()
    for part in run_over(partial(_Backtest, settings, book, json), whole, jobs):
        sys.stdout.write(part.text)
        looked, found = looked + part.looked, found + part.found
        by_rule.update(part.by_rule)
    if not json:
        for (theme, rule), count in sorted(by_rule.items()):
            print(output.clean(f"{theme}/{rule}: {count:,}"), file=sys.stderr)
        looked_at = output.many(looked, "revision of an entry", "revisions of entries")
        print(f"{looked_at}, {found:,} matched", file=sys.stderr)


class _Matched(NamedTuple):
    """What a stretch came to: ready lines, and counts of revisions."""

    text: str
    looked: int
    found: int
    by_rule: Counter[tuple[str, str]]


class _Backtest(Trial):
    def __init__(self, settings: Settings, book: RuleBook, json: bool) -> None:
        super().__init__(settings)
        self._engine = compile_book(book)
        self._lines = _json_lines if json else _plain_lines

    def __call__(self, after: int, upto: int) -> _Matched:
        lines: list[str] = []
        looked = found = 0
        by_rule = Counter[tuple[str, str]]()
        for seen, themes in tried.matches(self._store, self._engine, after, upto):
            looked, found = looked + 1, found + bool(themes)
            by_rule.update((theme.theme, rule.rule) for theme in themes for rule in theme.rules)
            lines += self._lines(seen, themes)
        return _Matched("".join(f"{line}\n" for line in lines), looked, found, by_rule)


def _json_lines(seen: Seen, themes: tuple[ThemeMatch, ...]) -> Iterator[str]:
    answer = {
        "id": seen.raw_id,
        "entry_id": seen.entry_id,
        "revision": seen.revision,
        "position": seen.position,
        "themes": [theme.theme for theme in themes],
        "matches": [
            {"theme": theme.theme, "rule": rule.rule, "severity": rule.severity, "evidence": rule.evidence}
            for theme in themes
            for rule in theme.rules
        ],
    }
    yield output.json_text(answer)


def _plain_lines(seen: Seen, themes: tuple[ThemeMatch, ...]) -> Iterator[str]:
    if themes:
        yield heading(seen)
    for theme in themes:
        for rule in theme.rules:
            line = output.clean(f"    {theme.theme}/{rule.rule} ({rule.severity}): {_words(rule.evidence)}")
            yield output.cut(line, output.screen())


def _words(evidence: Iterable[Evidence]) -> str:
    return " ".join(list(dict.fromkeys(f"“{' '.join(hit.text.split())}”" for hit in evidence))[:12])


# --- near misses


def near_misses(
    *,
    theme: Theme = None,
    rules: Rules = None,
    since: Since = None,
    until: Until = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Stored entries that failed a rule by one clause only, and that no other rule of the theme found."""
    settings = context.settings()
    book = checked_rules(rules or settings.rules)
    known_theme(theme, book)
    total = 0
    for found in run_over(partial(_NearMisses, settings, book, theme), span_of(settings, since, until), jobs):
        total += len(found)
        for seen, miss in found:
            if json:
                output.json_lines([_near_miss_json(seen, miss)])
                continue
            print(heading(seen))
            output.wrapped(f"{miss.theme}/{miss.rule}: {miss.failed}", first="    ", hang=8)
            for line in sentences(seen, miss.evidence):
                output.wrapped(line, first="    | ", hang=6)
    if not json:
        print(output.many(total, "near miss", "near misses"), file=sys.stderr)


def _near_miss_json(seen: Seen, miss: NearMiss) -> dict[str, Any]:
    return {
        "theme": miss.theme, "rule": miss.rule, "entry_id": seen.entry_id, "title": seen.document.title,
        "failed": miss.failed,
    }  # fmt: skip


class _NearMisses(Trial):
    def __init__(self, settings: Settings, book: RuleBook, theme: str | None) -> None:
        super().__init__(settings)
        self._engine, self._theme = compile_book(book), theme

    def __call__(self, after: int, upto: int) -> list[tuple[Seen, NearMiss]]:
        return list(tried.near_misses(self._store, self._engine, self._theme, after, upto))


# --- what all of them need


def checked_rules(folder: Path) -> RuleBook:
    """The rule book in a folder. Raises `UsageError` where there is no folder, `ConfigurationError` with all faults."""
    if not folder.is_dir():
        raise UsageError(f"'{folder}' is no folder; name one like rules/, with themes/ in it")
    files, faults = read_rule_files(folder)
    book, found = load_rules(files)
    if book is None or faults:
        raise ConfigurationError(f"the rules in '{folder}' are faulty; nothing was tried", (*faults, *found))
    return book


def known_theme(theme: str | None, *books: RuleBook) -> None:
    """Raises `NotFound` where a theme is given that no book has."""
    if theme is not None and all(book.theme(theme) is None for book in books):
        themes = sorted({known.id for book in books for known in book.themes})
        raise NotFound(f"there is no theme '{theme}'; there are {', '.join(themes)}")


def span_of(settings: Settings, since: str | None, until: str | None) -> Stretch:
    """The stretch of log from one instant to another, as they are written on the command line."""
    with Reading(settings) as reading:
        low, high = (parse_instant(text, reading.now()) if text else None for text in (since, until))
        return tried.span(reading.store, low, high)


def run_over(start: Callable[[], Task[Result]], whole: Stretch, jobs: int | None) -> Iterator[Result]:
    """What a trial says of each part of a stretch of log, in order."""
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs}: at least 1")
    if jobs is None:
        jobs = 1 if whole[1] - whole[0] <= FEW else os.cpu_count() or 1
    return tried.run(start, tried.stretches(whole, jobs), jobs)


def heading(seen: Seen, indent: str = "") -> str:
    """The line that names a revision of an entry, as much of it as the screen takes."""
    revision = f", revision {seen.revision}" if seen.revision > 1 else ""
    title = one_line(seen.document.title) or one_line(seen.document.text, 80)
    return output.cut(output.clean(f"{indent}{seen.entry_id}{revision}: {title}"), output.screen())


def sentences(seen: Seen, evidence: Iterable[Evidence]) -> Iterator[str]:
    """The sentences that hold the words, these between asterisks."""
    hits = sorted({(hit.field, hit.start, hit.end, hit.concept) for hit in evidence})
    title = [(start, end) for field, start, end, _ in hits if field == "title"]
    found = [marked_line(seen.document.title, title)] if title else []
    found += passages(seen.document.text, [(start, end, name) for field, start, end, name in hits if field == "text"])
    for passage in found:
        line, at = "", 0
        for start, end in passage.marks:
            line, at = f"{line}{passage.text[at:start]}*{passage.text[start:end]}*", end
        yield line + passage.text[at:]
