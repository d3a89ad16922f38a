"""Local documents to a `ParsedFeed`: text, Markdown, HTML, PDF, e-mail, JSON, and feeds saved as files.

Runs in a worker process. What a file is, its name says; where the name says nothing, its first bytes do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePath

from monitor.core.entries import ParsedEntry, ParsedFeed
from monitor.sources.encodings import to_utf8
from monitor.sources.jsondocs import parse_json_documents
from monitor.sources.text import one_line, plain_text
from monitor.sources.unreadable import Unreadable

MAX_BYTES = 64_000_000
MAX_TITLE = 200
SHORT_TITLE = 120
MAX_HEADING = 2_000

_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_MARKED = re.compile(r"#{1,6}[ \t]+(\S.*)")
_UNDERLINE = re.compile(r"=+|-{3,}")

Reader = Callable[[bytes, str], ParsedFeed]


def parse_document(path: str, name: str) -> ParsedFeed:
    """All that can be read of one file, called `name` within its folder. Raises `Unreadable`."""
    try:
        with Path(path).open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        passing = not isinstance(error, FileNotFoundError | PermissionError)
        raise Unreadable(f"cannot be opened ({error.strerror or error})", passing=passing) from None
    return parse_bytes(body, name)


def parse_bytes(body: bytes, name: str) -> ParsedFeed:
    """All that can be read of a file's bytes. Raises `Unreadable`."""
    if len(body) > MAX_BYTES:
        raise Unreadable(f"has more than {MAX_BYTES // 1_000_000} MB")
    if not body.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise Unreadable("is empty")
    return _reader(name, body)(body, name)


def _reader(name: str, body: bytes) -> Reader:
    suffix = PurePath(name).suffix.lower()
    if suffix in READERS:
        return READERS[suffix]
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if start.startswith(b"%pdf-"):
        return READERS[".pdf"]
    if start.startswith((b"<!doctype html", b"<html")):
        return READERS[".html"]
    if start.startswith((b"<?xml", b"<rss", b"<feed", b"<rdf")):
        return READERS[".xml"]
    return READERS[".json"] if start.startswith((b"{", b"[")) else READERS[".txt"]


# --- text -----------------------------------------------------------------------------------------


def _decoded(body: bytes) -> str:
    utf8, _ = to_utf8(body, None)
    if len(_BINARY.findall(utf8[:65_536])) > len(utf8[:65_536]) // 500:
        raise Unreadable("is binary, not text")
    return utf8.decode("utf-8", "replace")


def _text(body: bytes, name: str) -> ParsedFeed:
    title, text = split_title(plain_text(_decoded(body)))
    return _one("text", ParsedEntry(raw_id=None, url=None, title=title, text=text, path=name))


def _markdown(body: bytes, name: str) -> ParsedFeed:
    text = _decoded(body).replace("\r\n", "\n").lstrip("\ufeff\n")
    front = _FRONT_MATTER.match(text)
    named = _FRONT_TITLE.search(front[1]) if front else None
    text = text[front.end() :].lstrip("\n") if front else text
    title, text = _split_heading(text)
    text = plain_text(text)
    if named:
        title = one_line(named[1].strip("\"'"))
    elif not title:
        title, text = split_title(text)
    return _one("markdown", ParsedEntry(raw_id=None, url=None, title=title[:MAX_TITLE], text=text, path=name))


def _split_heading(text: str) -> tuple[str, str]:
    """The heading that the text begins with, or "", and the rest."""
    first, _, rest = text.partition("\n")
    if len(first) > MAX_HEADING:
        return "", text
    if marked := _MARKED.match(first):
        return one_line(marked[1].rstrip(" \t").rstrip("#")), rest
    under, _, after = rest.partition("\n")
    return (one_line(first), after) if first.strip() and _UNDERLINE.fullmatch(under.rstrip()) else ("", text)


def split_title(text: str) -> tuple[str, str]:
    """The first line as title and the rest; a first line too long for one is quoted in part and stays in the text."""
    first, _, rest = text.partition("\n")
    if len(first) <= MAX_TITLE and rest.strip():
        return first, rest.strip()
    if len(first) <= SHORT_TITLE:
        return first, text
    return first[:SHORT_TITLE].rpartition(" ")[0] + "…", text


# --- the rest, whose libraries load only when needed ----------------------------------------------


def _html(body: bytes, name: str) -> ParsedFeed:
    from monitor.sources.htmldocs import parse_html

    utf8, _ = to_utf8(body, _meta_charset(body))
    return _one("html", parse_html(utf8.decode("utf-8", "replace"), name))


def _meta_charset(body: bytes) -> str | None:
    found = re.search(rb"<meta[^>]{0,200}?(charset\s*=\s*[\"']?[\w.:-]{2,40})", body[:4096], re.IGNORECASE)
    return found[1].decode("ascii", "replace") if found else None


def _pdf(body: bytes, name: str) -> ParsedFeed:
    from monitor.sources.pdfdocs import parse_pdf

    entry, faults = parse_pdf(body, name)
    return _one("pdf", entry, faults)


def _mail(body: bytes, name: str) -> ParsedFeed:
    from monitor.sources.maildocs import parse_mail

    return _one("mail", parse_mail(body, name))


def _json(body: bytes, name: str) -> ParsedFeed:
    return parse_json_documents(to_utf8(body, None)[0], name, lines=False)


def _json_lines(body: bytes, name: str) -> ParsedFeed:
    return parse_json_documents(to_utf8(body, None)[0], name, lines=True)


def _feed(body: bytes, name: str) -> ParsedFeed:
    from monitor.sources.feeds import parse_feed

    return parse_feed(body, "", None)


def _one(format: str, entry: ParsedEntry, faults: tuple[str, ...] = ()) -> ParsedFeed:
    return ParsedFeed(format=format, title=entry.title, entries=(entry,), faults=faults)


READERS: dict[str, Reader] = {
    ".txt": _text, ".text": _text, ".md": _markdown, ".markdown": _markdown,
    ".html": _html, ".htm": _html, ".xhtml": _html, ".pdf": _pdf, ".eml": _mail,
    ".json": _json, ".jsonl": _json_lines, ".ndjson": _json_lines,
    ".xml": _feed, ".rss": _feed, ".atom": _feed, ".rdf": _feed,
}  # fmt: skip
"""How each kind of file is read, by the end of its name."""
