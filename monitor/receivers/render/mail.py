"""A delivery as one complete mail: the same bytes whenever it is built, nothing from outside in a header unescaped."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from urllib.parse import quote

from monitor.core import digests
from monitor.core.digests import Digest
from monitor.core.excerpts import one_line
from monitor.matching.model import Severity
from monitor.ports import Message
from monitor.receivers.render.html import render_html
from monitor.receivers.render.page import subject_of
from monitor.receivers.render.receipt import receipt_subject
from monitor.receivers.render.text import render_text

DEFAULT_SENDER = "theme-monitor <theme-monitor@localhost>"
MAX_SUBJECT = 200
MAX_NAMES = 20


class _Policy(EmailPolicy):
    """SMTP's line ends; headers fold at 78 characters, so that encoded words stay within RFC 2047's 75.

    Except those without a blank to fold at: Python would encode a long `List-Unsubscribe`, and thereby hide the
    button (https://github.com/python/cpython/issues/85725).
    """

    def fold(self, name: str, value: str) -> str:
        return f"{name}: {value}\r\n" if name in _WHOLE else super().fold(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        return self.fold(name, value).encode("ascii", "surrogateescape")


_WHOLE = ("List-Unsubscribe", "X-Monitor-Head")
_POLICY = _Policy(linesep="\r\n")


def build_mail(message: Message, *, sender: str, to: Sequence[str]) -> bytes:
    """The mail, 7-bit clean, with CR LF line ends. `to`: bare ASCII addresses. `Message-ID` is the delivery's id."""
    digest = digests.decode(message.content)
    domain = domain_of(sender)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    subject = receipt_subject(digest.receipt) if digest.receipt else subject_of(digest)
    mail["Subject"] = _header_text(subject, MAX_SUBJECT)
    mail["Date"] = format_datetime(message.composed_at)
    mail["Message-ID"] = f"<{message.delivery_id}@{domain}>"
    if len(digest.stories) == 1:
        # Mail programs thread what refers to the same id, whether or not that mail ever was.
        mail["References"] = f"<{digest.stories[0].story_id}@{domain}>"
    _say_what_it_is(mail, digest, sender, domain)
    text, html = render_text(digest, message.composed_at), render_html(digest, message.composed_at)
    mail.set_content(text, cte=_encoding(text))
    mail.add_alternative(html, subtype="html", cte=_encoding(html))
    mail.set_boundary(f"=_{message.delivery_id}")
    return mail.as_bytes()


def domain_of(sender: str) -> str:
    """The domain of an address, for ids."""
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"


def _say_what_it_is(mail: EmailMessage, digest: Digest, sender: str, domain: str) -> None:
    alerts = [alert for story in digest.stories for alert in story.alerts]
    themes = list(dict.fromkeys(alert.theme for alert in alerts))
    # One theme: a list of its own, as mail programs filter by it; several: the receiver's.
    name, title = (themes[0], alerts[0].theme_title) if len(themes) == 1 else (digest.receiver, digest.receiver)
    mail["List-Id"] = f"{_phrase(title)} <{_label(name)}.theme-monitor.{domain}>"
    address = parseaddr(sender)[1]
    subject = quote(f"unsubscribe {digest.receiver}")
    mail["List-Unsubscribe"] = f"<mailto:{quote(address, safe='@+.-_')}?subject={subject}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["Precedence"] = "bulk"
    mail["X-Monitor-Receiver"] = _label(digest.receiver)
    mail["X-Monitor-Digest"] = digest.digest_id
    mail["X-Monitor-Position"] = str(digest.position)
    if digest.head:
        mail["X-Monitor-Head"] = digest.head
    if alerts:
        severity = max((story.severity for story in digest.stories), key=list(Severity).index)
        mail["X-Monitor-Severity"] = severity.value
        mail["X-Monitor-Theme"] = _names(themes)
        mail["X-Monitor-Rule"] = _names(list(dict.fromkeys(rule.rule for alert in alerts for rule in alert.rules)))
    if digest.receipt:
        mail["X-Monitor-Receipt"] = "refused" if digest.receipt.faults else "adopted"
    elif any(notice.kind in ("RuleBookRefused", "ConfigurationRefused") for notice in digest.notices):
        mail["X-Monitor-Receipt"] = "refused"
    if digest.test:
        mail["X-Monitor-Test"] = "yes"


def _encoding(text: str) -> str:
    """Quoted-printable stays readable in a mostly Latin text and triples any other."""
    return "quoted-printable" if sum(map(str.isascii, text)) * 5 >= len(text) * 4 else "base64"


def _header_text(text: str, limit: int) -> str:
    """Text fit for a header. What looks like an encoded word must not: EmailMessage decodes it, line breaks and all,
    and writes out what it then takes for further headers.
    """
    return one_line(text, limit).replace("=?", "= ?")


def _phrase(text: str) -> str:
    """A quoted string of a header."""
    return '"' + _header_text(text, 80).replace("\\", "").replace('"', "'") + '"'


def _label(name: str) -> str:
    """A name as part of a domain-like id."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_.") else "-" for sign in name)[:60] or "-"


def _names(names: Sequence[str]) -> str:
    more = f" +{len(names) - MAX_NAMES}" if len(names) > MAX_NAMES else ""
    return " ".join(_label(name) for name in names[:MAX_NAMES]) + more
