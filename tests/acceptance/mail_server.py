"""A real SMTP server (aiosmtpd) on loopback that keeps what it got and misbehaves on request."""

from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import Enum
from html import unescape
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Manner(Enum):
    """How the server treats the next messages."""

    ACCEPT = "accept"
    REFUSE = "refuse"  # 550 to the recipient
    GREYLIST = "greylist"  # 451 at first sight of a recipient, accepted from then on
    DROP = "drop"  # takes the message, then the line drops before the answer
    SLOW = "slow"  # takes the message, but answers only when the server closes


@dataclass(frozen=True)
class Mail:
    """A message as it came, with the envelope it came in."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    encrypted: bool

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    def part(self, subtype: str) -> str:
        """The text of one part, white space folded: lines are wrapped where they happen to end."""
        body = self.message.get_body((subtype,))
        assert body is not None, f"no text/{subtype} part"
        return " ".join(str(body.get_content()).split())

    @property
    def shown(self) -> str:
        """The HTML part as a reader sees it: without its tags."""
        return " ".join(unescape(re.sub(r"<(style|head).*?</\1>|<[^>]*>", "", self.part("html"))).split())


class MailServer:
    """A context manager; `port` and `url` are good while it is entered. `box` holds every message, in order."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.manner = Manner.ACCEPT
        self.box: list[Mail] = []
        self.refused: list[str] = []
        self.unknown: set[str] = set()
        """Addresses that are refused whatever the manner."""
        self._greylisted: set[str] = set()
        self._certificate = certificate
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?starttls={'required' if self._certificate else 'off'}"

    def __enter__(self) -> MailServer:
        self._thread.start()
        self._closing = asyncio.Event()
        context = self._certificate.server_context() if self._certificate else None
        self._server = self._do(
            self._loop.create_server(
                lambda: SMTP(
                    self,
                    hostname="mail.example.test",
                    tls_context=context,
                    require_starttls=context is not None,
                    enable_SMTPUTF8=True,
                    loop=self._loop,
                ),
                "127.0.0.1",
            )
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def to(self, recipient: str) -> list[Mail]:
        return [mail for mail in self.box if recipient in mail.recipients]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.manner is Manner.REFUSE or address in self.unknown:
            self.refused.append(address)
            return f"550 5.1.1 <{address}>: no such user here"
        if self.manner is Manner.GREYLIST and address not in self._greylisted:
            self._greylisted.add(address)
            self.refused.append(address)
            return "451 4.7.1 greylisted, try again in 5 minutes"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        mail = Mail(str(envelope.mail_from), tuple(envelope.rcpt_tos), content, session.ssl is not None)
        self.box.append(mail)
        if self.manner is Manner.DROP:
            assert server.transport is not None
            server.transport.abort()
        if self.manner is Manner.SLOW:
            await self._closing.wait()
        return "250 2.0.0 kept as " + mail.id

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _stop(self) -> None:
        self._server.close()
        sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1; its own authority: `SSL_CERT_FILE=pem` makes a client trust it."""

    pem: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificate:
        made = cls(folder / "mail.pem", folder / "mail.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", "/CN=mail.example.test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
             "-out", made.pem, "-keyout", made.key],
            check=True, capture_output=True, timeout=30,
        )  # fmt: skip
        return made

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.pem, self.key)
        return context
