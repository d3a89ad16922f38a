"""`check`, `match`, `schema`: what the rule files say, tried without storing anything."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from monitor.cli import context
from monitor.cli.output import clean, json_lines, wrapped
from monitor.errors import ConfigurationError, Fault, UsageError

if TYPE_CHECKING:
    from monitor.core.entries import Source
    from monitor.core.routing import ReceiverBook
    from monitor.matching.book import RuleBook
    from monitor.matching.engine import Engine
    from monitor.matching.model import ThemeMatch
    from monitor.rulebook.written import Surroundings
    from monitor.settings import Settings

RECEIVERS, SOURCES = "rules/receivers.yaml", "seeds/sources.yaml"

Json = Annotated[bool, Parameter(name="--json", negative="", help="One JSON object a line.")]
Rules = Annotated[Path | None, Parameter(name="--rules", help="This folder of rules instead of the one in force.")]


def check(*, json: Json = False, lint: Annotated[bool, Parameter(help="Say what is legal but poor.")] = True) -> int:
    """Check settings, sources, rules and receivers; run every example; say what is legal but poor.

    Exit 0: sound. Exit 1: faults, each as `file:line:column: message` with its line and a caret.
    """
    home = context.home()
    settings, faults = _settings(home)
    book, engine, found = _load(home / "rules")
    faults += found
    warnings: list[Fault] = list(book.warnings) if book else []
    if engine is not None:
        from monitor.matching.explain import run_examples

        faults += run_examples(engine)
    around = _surroundings(settings)
    receivers, wrong = _receivers(home, book, around)
    faults += wrong
    sources, wrong = _sources(home, around)
    faults += wrong
    if lint:
        warnings += _lint(book, receivers, sources, mails=settings is None or settings.smtp_url is not None)
    _print_findings(sorted(faults), sorted(warnings), json)
    if not json:
        _print_summary(book, engine, len(sources), faults, warnings)
    return 1 if faults else 0


def faults_of(home: Path) -> list[Fault]:
    """What is wrong now with the rules, and with receivers in view of them; the examples are not run."""
    book, _, faults = _load(home / "rules")
    return sorted([*faults, *_receivers(home, book, _surroundings(_settings(home)[0]))[1]])


def _settings(home: Path) -> tuple[Settings | None, list[Fault]]:
    from monitor.books import parsed
    from monitor.settings import load_settings

    try:
        settings = load_settings(home)
        parsed(settings)
    except ConfigurationError as error:
        return None, list(error.faults)
    return settings, []


def _surroundings(settings: Settings | None) -> Surroundings:
    """What written variables and addresses are judged by: those of this machine, as the daemon would see them."""
    from monitor.books import surroundings
    from monitor.rulebook.written import Surroundings
    from monitor.settings import Secrets

    known = Secrets(os.environ)
    return surroundings(settings, known) if settings is not None else Surroundings(known)


def _lint(
    book: RuleBook | None, receivers: ReceiverBook | None, sources: tuple[Source, ...], *, mails: bool
) -> Iterator[Fault]:
    from monitor.rulebook.receivers import lint_receivers
    from monitor.rulebook.sources import lint_sources

    if book is not None:
        from monitor.matching.lint import lint as lint_book

        yield from lint_book(
            book,
            {source.language for source in sources if source.language},
            {source.id for source in sources} if sources else None,
            {tag for source in sources for tag in source.tags} if sources else None,
        )
    if receivers is not None:
        yield from lint_receivers(RECEIVERS, receivers, book.themes if book else (), mails=mails)
    yield from lint_sources(SOURCES, sources)


def _load(rules: Path) -> tuple[RuleBook | None, Engine | None, list[Fault]]:
    from monitor.matching.engine import compile_book
    from monitor.rulebook.themes import load_rules, read_rule_files

    files, faults = read_rule_files(rules)
    if not files and faults:
        return None, None, faults
    book, found = load_rules(files)
    return book, compile_book(book) if book else None, faults + found


def _receivers(home: Path, book: RuleBook | None, around: Surroundings) -> tuple[ReceiverBook | None, list[Fault]]:
    """The book where there is a file and it is sound, and every fault."""
    text, faults = _text(home, RECEIVERS)
    if text is None:
        return None, faults
    from monitor.rulebook.receivers import load_receivers

    themes = {theme.id for theme in book.themes} if book else None
    tags = {tag for theme in book.themes for tag in theme.tags} if book else None
    return load_receivers(RECEIVERS, text, themes=themes, tags=tags, surroundings=around)


def _sources(home: Path, around: Surroundings) -> tuple[tuple[Source, ...], list[Fault]]:
    text, faults = _text(home, SOURCES)
    if text is None:
        return (), faults
    from monitor.rulebook.sources import load_sources

    return load_sources(SOURCES, text, around)


def _text(home: Path, name: str) -> tuple[str | None, list[Fault]]:
    try:
        return (home / name).read_text("utf-8"), []
    except FileNotFoundError:
        return None, []
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8; save the file as UTF-8"
        return None, [Fault(name, 0, 0, f"cannot be read: {reason}")]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A fault or a remark of lint, as `--json` prints it."""

    kind: Literal["fault", "lint"]
    path: str
    line: int
    column: int
    message: str


def _print_findings(faults: list[Fault], warnings: list[Fault], json: bool) -> None:
    kinds = [("fault", fault) for fault in faults] + [("lint", warning) for warning in warnings]
    if json:
        json_lines(
            Finding(kind=kind, path=found.path, line=found.line, column=found.column, message=found.message)  # type: ignore[arg-type]
            for kind, found in kinds
        )
        return
    for kind, found in kinds:
        line = f"{found}" if kind == "fault" else f"{found} [lint]"
        if sys.stdout.isatty():
            wrapped(line)
        else:  # an editor reads it by line
            print(clean(line))
        if kind == "fault":
            for line in found.excerpt.splitlines():
                print(f"    {clean(line)}")


def _print_summary(
    book: RuleBook | None, engine: Engine | None, sources: int, faults: list[Fault], warnings: list[Fault]
) -> None:
    if book is not None and engine is not None:
        rules = sum(len(theme.rules) for theme in book.themes)
        examples = sum(len(theme.examples) for theme in book.themes)
        failed = sum(1 for fault in faults if fault.message.startswith("example "))
        print(
            f"{_many(len(book.themes), 'theme')}, {_many(rules, 'rule')}, {_many(engine.term_count, 'term')}, "
            f"{_many(sources, 'source')}; {examples - failed} of {_many(examples, 'example')} pass",
            file=sys.stderr,
        )
    verdict = _many(len(faults), "fault") if faults else "no faults"
    remarks = f", {_many(len(warnings), 'remark')} of lint" if warnings else ""
    print(verdict + remarks, file=sys.stderr)


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


# --- match


def match(
    file: Annotated[
        str, Parameter(name="FILE.jsonl", help="JSON Lines; - is standard input.", allow_leading_hyphen=True)
    ] = "-",
    /,
    *,
    rules: Rules = None,
    jobs: Annotated[int, Parameter(help="So many processes.")] = 1,
    strict: Annotated[bool, Parameter(negative="", help="What a line does not say fails its condition.")] = False,
    stats: Annotated[bool, Parameter(negative="", help="One JSON object of figures on stderr at the end.")] = False,
    json: Json = False,
) -> int:
    """Match documents from JSON Lines against the rules; stores nothing.

    A bad line is named on stderr with its number and the exit is 1; all other lines are answered.
    """
    from monitor.cli.documents import read_lines, refuse_options

    refuse_options(file)
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}; wanted: 1 or more")
    started = time.perf_counter()
    files, engine = _engine(rules or context.home() / "rules")
    loaded = time.perf_counter() - started
    answers = _Answers(json)
    begun = time.perf_counter()
    lines = read_lines(file)
    found = _in_processes(files, lines, jobs, strict) if jobs > 1 else _answered(engine, lines, strict)
    for answer in found:
        answers.take(*answer)
    if stats:
        figures = {
            "entries": answers.count,
            "load_seconds": round(loaded, 6),
            "match_cpu_seconds": round(answers.seconds, 6),
            "match_wall_seconds": round(time.perf_counter() - begun, 6),
            "themes": len(engine.book.themes),
            "terms": engine.term_count,
        }
        print(msgspec.json.encode(figures).decode(), file=sys.stderr)
    return 1 if answers.wrong else 0


def _engine(rules: Path) -> tuple[Mapping[str, str], Engine]:
    from monitor.matching.engine import compile_book
    from monitor.rulebook.themes import load_rules, read_rule_files

    files, faults = read_rule_files(rules)
    book, found = load_rules(files)
    if book is None or faults:
        raise ConfigurationError("the rules are faulty; nothing was matched", (*faults, *found))
    return files, compile_book(book)


_Answer = tuple[int, Any, "tuple[ThemeMatch, ...]", str, float]


def _answered(engine: Engine, lines: Iterable[tuple[int, bytes]], strict: bool) -> Iterator[_Answer]:
    """(line number, id, matches, what is wrong, CPU seconds) of each line."""
    from monitor.cli.documents import document_of

    for number, raw in lines:
        line = document_of(number, raw)
        if line.document is None:
            yield number, line.id, (), line.wrong, 0.0
            continue
        before = time.process_time()
        found = engine.match(line.document, strict=strict)
        yield number, line.id, found, "", time.process_time() - before


class _Answers:
    """Prints answers in order and keeps count."""

    def __init__(self, json: bool) -> None:
        self._json = json
        self.count = 0
        self.seconds = 0.0
        self.wrong = False

    def take(self, number: int, name: Any, themes: tuple[ThemeMatch, ...], wrong: str, seconds: float) -> None:
        if wrong:
            self.wrong = True
            print(clean(f"line {number}: {wrong}; it is left out"), file=sys.stderr)
            return
        self.count += 1
        self.seconds += seconds
        if self._json:
            json_lines([_answer_json(name, themes)])
            return
        print(clean(f"{name if name is not None else f'line {number}'}: {', '.join(t.theme for t in themes) or '-'}"))
        for theme in themes:
            for rule in theme.rules:
                words = dict.fromkeys(f"“{found.text}”" for found in rule.evidence)
                print(clean(f"    {theme.theme}/{rule.rule} ({rule.severity}): {' '.join(list(words)[:12])}"))


def _answer_json(name: Any, themes: tuple[ThemeMatch, ...]) -> dict[str, Any]:
    matches = [
        {"theme": theme.theme, "rule": rule.rule, "severity": rule.severity, "evidence": rule.evidence}
        for theme in themes
        for rule in theme.rules
    ]
    return {"id": name, "themes": [theme.theme for theme in themes], "matches": matches}


# --- several processes

_CHUNK = 64
_worker_engine: Engine | None = None


def _in_processes(
    files: Mapping[str, str], lines: Iterator[tuple[int, bytes]], jobs: int, strict: bool
) -> Iterator[_Answer]:
    from concurrent.futures import ProcessPoolExecutor
    from itertools import islice
    from multiprocessing import get_context

    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_start_worker, initargs=(dict(files),)
    ) as pool:
        waiting: list[Any] = []
        while True:
            chunk = list(islice(lines, _CHUNK))
            if chunk:
                waiting.append(pool.submit(_work, chunk, strict))
            while waiting and (not chunk or len(waiting) > 4 * jobs):
                yield from waiting.pop(0).result()
            if not chunk:
                return


def _start_worker(files: dict[str, str]) -> None:
    from monitor.matching.engine import compile_book
    from monitor.rulebook.themes import load_rules

    global _worker_engine
    book, _ = load_rules(files)
    assert book is not None, "the parent loaded the same files"
    _worker_engine = compile_book(book)


def _work(chunk: list[tuple[int, bytes]], strict: bool) -> list[_Answer]:
    assert _worker_engine is not None
    return list(_answered(_worker_engine, chunk, strict))


# --- schema


def schema(kind: Literal["theme", "concepts", "sources", "receivers"], /) -> None:
    """JSON Schema (draft 7) of a kind of file, for editors."""
    from monitor.rulebook.schema import schema_of

    print(schema_of(kind), end="")
