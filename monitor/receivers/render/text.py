"""The text part: stands alone, 76 columns, reads well in a terminal. Matched words stand between asterisks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.cells import cell_len

from monitor.core.digests import Digest
from monitor.receivers.render.page import Brief, Item, Page, Piece, Section, page_of, plain
from monitor.receivers.render.receipt import receipt_page

WIDTH = 76
_RULE = "-" * WIDTH


def render_text(digest: Digest, composed_at: datetime) -> str:
    """The digest as plain text with line feeds."""
    if digest.receipt:
        from monitor.receivers.render.receipt_text import receipt_text

        return receipt_text(receipt_page(digest, digest.receipt, composed_at))
    return "\n".join(_page(page_of(digest, composed_at))) + "\n"


def _page(page: Page) -> Iterator[str]:
    yield from wrap(f"{page.summary[:1].upper()}{page.summary[1:]}" + (f" · {page.themes}" if page.themes else ""))
    yield from wrap(f"{page.window} ({page.time_zone}), for {page.receiver}")
    yield "=" * WIDTH
    if page.test:
        yield ""
        yield "This is a test message."
    for section in page.sections:
        yield from _section(section)
    if page.omitted:
        yield from heading("Not sent")
        for line in page.omitted:
            yield from wrap(line, "- ", "  ")
    if page.notices:
        yield from heading("For the operator")
        for notice in page.notices:
            yield from wrap(notice, "- ", "  ")
    yield from heading("Coverage")
    for number, line in enumerate(page.coverage):
        yield from wrap(line, "" if number == 0 else "- ", "" if number == 0 else "  ")
    yield ""
    yield _RULE
    for line in page.footer:
        yield from wrap(line)


def heading(title: str) -> Iterator[str]:
    """A title over what follows."""
    yield ""
    yield title.upper()
    yield ""


def _section(section: Section) -> Iterator[str]:
    yield from heading(section.title)
    for number, item in enumerate(section.items):
        if number:
            yield ""
        yield from _item(item)
    if section.briefs:
        if section.items:
            yield ""
            yield "Also:"
        for brief in section.briefs:
            yield from _brief(brief)
    if section.more:
        yield ""
        yield f"+{section.more} more: `monitor alerts` lists them all"


def _item(item: Item) -> Iterator[str]:
    number = f"{item.number}. "
    indent = " " * len(number)
    yield from wrap(f"[{item.severity.value.upper()}] {plain(item.headline)}", number, indent)
    if item.news:
        yield from wrap(f"({item.news})", indent, indent)
    if item.url:
        yield f"{indent}{item.url}"
    for place, outlet in enumerate(item.outlets):
        language = f" · {item.language}" if item.language and place == 0 else ""
        host = f" · {outlet.host}" if outlet.host else ""
        yield from wrap(f"{outlet.source}{host} · {outlet.dates}{language}", indent, indent + "  ")
        if place and outlet.url:
            yield f"{indent}  {outlet.url}"
    if item.more_outlets:
        yield f"{indent}+{item.more_outlets} more entries tell it"
    for passage in item.passages:
        yield ""
        yield from wrap(marked(passage), f"{indent}| ", f"{indent}| ")
    if item.reasons:
        yield ""
    for reason in item.reasons:
        yield from wrap(f"Why: {reason.theme} / {reason.rule}", indent, indent + "     ")
        if reason.words:
            yield from wrap(f"words: {reason.words}", indent + "     ", indent + "     ")
        yield from wrap(reason.when, indent + "     ", indent + "     ")
    yield f"{indent}Every clause: monitor explain {' '.join(item.alert_ids[:3])}"


def _brief(brief: Brief) -> Iterator[str]:
    source = f" · {brief.source}" if brief.source else ""
    yield from wrap(f"[{brief.severity.value}] {brief.title}{source}", "- ", "  ")
    if brief.url:
        yield f"  {brief.url}"


def marked(cut: Iterable[Piece]) -> str:
    """Pieces as one text; marked ones between asterisks."""
    return "".join(f"*{piece.text}*" if piece.marked else piece.text for piece in cut)


def wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    """Lines of at most 76 columns, counted as a terminal does: Han and Kana take two. Text without blanks is broken
    between signs, words longer than a line are too.
    """
    lines: list[str] = []
    line, prefix, width = "", first, WIDTH - cell_len(first)
    for word in _words(text):
        candidate = line + word if line else word.lstrip(" ")
        if cell_len(candidate.rstrip(" ")) <= width:
            line = candidate
            continue
        if line.strip():
            lines.append((prefix + line).rstrip())
            prefix, width = rest, WIDTH - cell_len(rest)
        line = word.lstrip(" ")
        while cell_len(line) > width:
            head = _fitting(line, width)
            lines.append(prefix + head)
            prefix, width = rest, WIDTH - cell_len(rest)
            line = line[len(head) :]
    if line.strip() or not lines:
        lines.append((prefix + line).rstrip())
    return lines


_NO_LINE_START = "、。，．！？；：）」』】》〉…・ー,.!?;:)]}”’"


def _words(text: str) -> Iterator[str]:
    """Stretches after which a line may break: behind blanks, and between signs two columns wide."""
    start = 0
    for place in range(1, len(text)):
        before, here = text[place - 1], text[place]
        wide = here > "\u2e7f" and here not in _NO_LINE_START and cell_len(here) == 2
        if (before == " " and here != " ") or (wide and before not in "（「『【《〈(*"):
            yield text[start:place]
            start = place
    if start < len(text):
        yield text[start:]


def _fitting(text: str, width: int) -> str:
    """The longest beginning, one sign at least, that fits."""
    used = 0
    for place, sign in enumerate(text):
        used += cell_len(sign)
        if used > width:
            return text[: max(place, 1)]
    return text
