"""A receipt as plain text, 76 columns wide. Matched words stand between asterisks."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.receivers.render.page import plain
from monitor.receivers.render.receipt import Example, List, ReceiptPage, ThemePart
from monitor.receivers.render.text import WIDTH, marked, wrap


def receipt_text(page: ReceiptPage) -> str:
    """The whole message with line feeds."""
    return "\n".join(_page(page)) + "\n"


def _page(page: ReceiptPage) -> Iterator[str]:
    yield from wrap(page.headline)
    yield from wrap(f"{page.when}, for {page.receiver}")
    yield "=" * WIDTH
    first, *rest = page.intro
    yield ""
    yield from wrap(first)
    if page.faults:
        yield ""
    for fault in page.faults:
        yield from wrap(fault, "- ", "  ")
    if page.more_faults:
        yield f"- +{page.more_faults} more: `monitor check` names them all"
    for paragraph in rest:
        yield ""
        yield from wrap(paragraph)
    for theme in page.themes:
        yield from _theme(theme)
    if page.more_themes:
        yield ""
        yield f"+{page.more_themes} more themes changed, and changed less."
    yield ""
    yield f"{page.undo_words}:"
    command, *files = page.undo
    yield f"  {command}" + (" \\" if files else "")
    for number, file in enumerate(files, 1):
        yield f"    {file}" + (" \\" if number < len(files) else "")
    yield ""
    yield "-" * WIDTH
    for line in page.footer:
        yield from wrap(line)


def _theme(theme: ThemePart) -> Iterator[str]:
    yield ""
    yield from wrap(f"{theme.title.upper()} ({theme.theme})")
    yield ""
    yield from wrap(theme.verdict)
    if theme.table:
        yield ""
        yield f"{'':14}{'old rules':>12}{'new rules':>12}"
    for row in theme.table:
        yield f"{row.label:14}{row.before:>12}{row.after:>12}"
    if theme.changes:
        yield ""
        yield "What changed:"
    for about, removed, added in theme.changes:
        yield from wrap(about, "  ", "  ")
        if removed:
            yield from wrap(f"removed: {removed}", "    ", "      ")
        if added:
            yield from wrap(f"added: {added}", "    ", "      ")
    if theme.more_changes:
        yield f"  +{theme.more_changes} more"
    for one in theme.lists:
        yield from _list(one)
    if theme.remarks:
        yield ""
    for remark in theme.remarks:
        yield from wrap(remark, "- ", "  ")


def _list(one: List) -> Iterator[str]:
    yield ""
    yield from wrap(f"{one.title} ({one.hint})")
    if one.terms:
        yield from wrap(f"by term: {one.terms}", "", "  ")
    for example in one.examples:
        yield ""
        yield from _example(example)
    if one.more:
        yield ""
        yield f"+{one.more} more like these"


def _example(example: Example) -> Iterator[str]:
    number = f"{example.number}. "
    indent = " " * len(number)
    yield from wrap(plain(example.headline), number, indent)
    if example.url:
        yield f"{indent}{example.url}"
    yield from wrap(example.origin, indent, indent)
    for passage in example.passages:
        yield from wrap(marked(passage), f"{indent}| ", f"{indent}| ")
    yield from wrap(example.reason, indent, indent + "  ")
