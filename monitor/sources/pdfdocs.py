"""The text of a PDF, by pypdf."""

from __future__ import annotations

import contextlib
import io
import logging
from datetime import UTC, datetime

import pypdf
from pypdf.errors import PyPdfError

from monitor.core.entries import ParsedEntry
from monitor.core.observe import MAX_TEXT
from monitor.sources.documents import split_title
from monitor.sources.text import one_line, plain_text
from monitor.sources.unreadable import Unreadable

MAX_PAGES = 3_000

logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def parse_pdf(body: bytes, name: str) -> tuple[ParsedEntry, tuple[str, ...]]:
    """The document as an entry, and what of it could not be read. Raises `Unreadable`."""
    try:
        reader = pypdf.PdfReader(io.BytesIO(body))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("is a PDF with a password")
        pages = len(reader.pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise Unreadable(f"is no sound PDF: {one_line(str(error))[:160]}") from None
    texts: list[str] = []
    faults: list[str] = []
    read = 0
    for number in range(min(pages, MAX_PAGES)):
        try:
            text = reader.pages[number].extract_text()
        except Exception as error:
            faults.append(f"page {number + 1} cannot be read ({type(error).__name__})")
            continue
        texts.append(text)
        read += len(text)
        if read > MAX_TEXT:
            break
    text = plain_text("\n\n".join(texts))
    if not text:
        raise Unreadable(faults[0] if faults else "is a PDF without text, perhaps a scan")
    return _entry(reader, text, name), tuple(faults[:5])


def _entry(reader: pypdf.PdfReader, text: str, name: str) -> ParsedEntry:
    title = author = ""
    published: datetime | None = None
    # Its description may be damaged in many ways; its text is what counts.
    with contextlib.suppress(Exception):
        about = reader.metadata
        if about is not None:
            title, author = (one_line(part) if isinstance(part, str) else "" for part in (about.title, about.author))
            published = about.creation_date
    if not title:
        title, text = split_title(text)
    if published is not None:
        published = published.replace(tzinfo=published.tzinfo or UTC, microsecond=0).astimezone(UTC)
    return ParsedEntry(
        raw_id=None, url=None, title=one_line(title)[:300], text=text, author=author or None, published=published,
        path=name,
    )  # fmt: skip
