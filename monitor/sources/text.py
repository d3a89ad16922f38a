"""HTML and loose text to plain text: paragraphs separated by a blank line, nothing that is not text."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

MAX_MARKUP = 4_000_000  # characters of markup looked at for one entry

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|[\u2028\x85]")
_BLANK_LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+|\u2029")
_SPACES = re.compile(r"[^\S\n\u3000]+")
_TAG = re.compile(r"<[a-zA-Z/!?]")

# fmt: off
_PARAGRAPHS = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
    "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot",
    "thead", "tr", "ul",
))
_DROPPED = frozenset((
    "script", "style", "template", "noscript", "iframe", "object", "svg", "math", "head", "title", "select", "textarea",
))
# fmt: on
_CELLS = frozenset(("td", "th"))


def clean(text: str) -> str:
    """Without control characters and half characters, which no store or terminal should meet; line ends are `\\n`."""
    text = _CONTROLS.sub(" ", _LINE_ENDS.sub("\n", text))
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def plain_text(text: str) -> str:
    """Text as written, tidied: paragraphs stay, runs of spaces and blank lines shrink."""
    paragraphs = _BLANK_LINES.split(clean(text))
    lines = ("\n".join(_SPACES.sub(" ", line).strip() for line in paragraph.split("\n")) for paragraph in paragraphs)
    return "\n\n".join(line for line in (line.strip() for line in lines) if line)


def one_line(text: str) -> str:
    """Text without line ends, for titles and names."""
    return " ".join(clean(text).split())


def html_to_text(markup: str) -> str:
    """The text of HTML: each block a paragraph, `<br>` a line end, scripts and styles gone, entities resolved.

    What holds no tag at all is taken as text with entities, so that its blank lines survive.
    """
    markup = markup[:MAX_MARKUP]
    if not _TAG.search(markup):
        return plain_text(html.unescape(markup))
    reader = _Reader()
    reader.feed(clean(markup))
    reader.close()
    return reader.text()


class LenientParser(HTMLParser):
    """The library's parser, without its assertions about declarations (`<![x`), which older Pythons still have."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def parse_html_declaration(self, i: int) -> int:
        try:
            return super().parse_html_declaration(i)
        except AssertionError:
            return self.parse_bogus_comment(i)


class _Reader(LenientParser):
    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[str] = []
        self._dropping: list[str] = []
        self._preformatted = 0

    def text(self) -> str:
        return plain_text("".join(self._pieces))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self._dropping.append(tag)
        elif tag == "body":
            self._dropping.clear()  # a head that was never closed
        elif tag == "pre":
            self._preformatted += 1
        self._mark(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._mark(tag)  # `<script/>` in XHTML: nothing to drop

    def handle_endtag(self, tag: str) -> None:
        if tag in self._dropping:
            del self._dropping[self._dropping.index(tag) :]
        elif tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        self._mark(tag)

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            self._pieces.append(data if self._preformatted else data.replace("\n", " "))

    def unknown_decl(self, data: str) -> None:
        if data.startswith("CDATA[") and not self._dropping:
            self._pieces.append(data[6:])

    def _mark(self, tag: str) -> None:
        if tag == "br":
            self._pieces.append("\n")
        elif tag in _PARAGRAPHS:
            self._pieces.append("\n\n")
        elif tag in _CELLS:
            self._pieces.append(" ")
