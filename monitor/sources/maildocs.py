"""An e-mail saved as a file (RFC 5322): subject, sender, date and the text meant for reading."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from email.utils import parseaddr

from monitor.core.entries import ParsedEntry
from monitor.sources.dates import parse_date
from monitor.sources.text import html_to_text, one_line, plain_text
from monitor.sources.unreadable import Unreadable


def parse_mail(body: bytes, name: str) -> ParsedEntry:
    """The message as an entry. Raises `Unreadable` where it has neither subject nor text."""
    message = email.message_from_bytes(body, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    subject, text = _header(message, "subject"), _text(message)
    if not subject and not text:
        raise Unreadable("is a mail without subject and text")
    sender = _header(message, "from")
    return ParsedEntry(
        raw_id=_header(message, "message-id") or None,
        url=None,
        title=subject,
        text=text,
        author=parseaddr(sender)[0] or sender or None,
        published=parse_date(_header(message, "date")),
        path=name,
    )


def _header(message: EmailMessage, name: str) -> str:
    try:
        return one_line(str(message.get(name, "")))
    except Exception:  # the library gives up on some malformed headers in many ways
        return ""


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        content = part.get_content()
    except (LookupError, ValueError, UnicodeError):
        payload = part.get_payload(decode=True)
        content = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    if not isinstance(content, str):
        return ""
    return html_to_text(content) if part.get_content_subtype() == "html" else plain_text(content)
