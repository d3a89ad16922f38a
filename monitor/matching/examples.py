"""A theme's own examples, run against the book: what was expected and what was found instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from monitor.errors import Fault
from monitor.matching.book import Example, Theme
from monitor.matching.engine import Engine
from monitor.matching.explain import near_misses, summary
from monitor.matching.model import Document, Mode


class Failure(NamedTuple):
    """One example that did not turn out as its theme says."""

    theme: Theme
    example: Example
    message: str


def document_of(example: Example) -> Document:
    """The document an example stands for; what it does not say passes every condition."""
    return Document(
        title=example.title, text=example.text, url=example.url, author=example.author, language=example.language,
        source=example.source, tags=example.tags,
    )  # fmt: skip


def failures(engine: Engine) -> Iterator[Failure]:
    """Every example of every theme that fails."""
    for theme in engine.book.themes:
        if theme.mode == Mode.OFF:
            continue
        for example in theme.examples:
            message = _judge(engine, theme, example)
            if message is not None:
                yield Failure(theme, example, message)


def run_examples(engine: Engine) -> list[Fault]:
    """The failing examples as faults at their places."""
    return [
        Fault(
            failure.theme.path, failure.example.line, failure.example.column, failure.message, _shown(failure.example)
        )
        for failure in failures(engine)
    ]


def _shown(example: Example) -> str:
    text = " ".join(f"{example.title} {example.text}".split())
    return text if len(text) <= 160 else f"{text[:159]}…"


def _judge(engine: Engine, theme: Theme, example: Example) -> str | None:
    document = document_of(example)
    matches = [match for match in engine.match(document, strict=False) if match.theme == theme.id]
    rules = {rule.rule: rule for match in matches for rule in match.rules}
    if example.expected:
        wanted = rules if example.rule is None else {name for name in rules if name == example.rule}
        if wanted:
            return None
        by = f" by rule '{example.rule}'" if example.rule else ""
        return f"example should match{by}, but {summary(engine, document, theme, example.rule)}"
    hit = next((rule for name, rule in rules.items() if example.rule in (None, name)), None)
    if hit is not None:
        words = ", ".join(dict.fromkeys(f'"{found.text}"' for found in hit.evidence[:6]))
        return f"example should not match, but rule '{hit.rule}' finds {words}"
    if example.near_miss and not near_misses(engine, document, theme):
        return f"example should be a near miss, but {summary(engine, document, theme, example.rule)}"
    return None
