"""Mail over SMTP: one connection a message, one deadline, and a plain answer to whether the peer has it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPResponseException,
)

from monitor.core.deliveries import Outcome, Result
from monitor.core.excerpts import one_line
from monitor.ports import Message
from monitor.receivers.render.mail import build_mail

DEADLINE = 90.0
QUIT_SECONDS = 5.0
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]+")


class Tls(StrEnum):
    """How the connection is protected."""

    IMPLICIT = "implicit"  # smtps://
    REQUIRED = "required"  # STARTTLS with a certificate that verifies, or nothing is sent
    OPPORTUNISTIC = "opportunistic"  # STARTTLS where it is offered, whatever the certificate
    OFF = "off"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in. Never printed with its password."""

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.tls})"


def parse_smtp_url(url: str) -> SmtpServer:
    """`smtp://user:password@host:587?starttls=required|opportunistic|off`, `smtps://…`.

    Without `starttls`: required where there is a password, else opportunistic. Raises `ValueError` with words that do
    not show the URL, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("not an address as in smtp://user:password@host:587") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("not an address as in smtp://user:password@host:587")
    user = unquote(parts.username) if parts.username else None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    tls = _tls(parts.scheme, options.pop("starttls", None), with_password=user is not None)
    if options:
        raise ValueError(f"unknown option '{one_line(next(iter(options)), 40)}'; known: starttls")
    return SmtpServer(
        host=parts.hostname,
        port=port or (465 if tls is Tls.IMPLICIT else 587 if user else 25),
        tls=tls,
        user=user,
        password=unquote(parts.password) if parts.password else None,
    )


def _tls(scheme: str, wanted: str | None, *, with_password: bool) -> Tls:
    if scheme == "smtps":
        if wanted is not None:
            raise ValueError("smtps:// is encrypted from the start; leave starttls out")
        return Tls.IMPLICIT
    if wanted is None:
        return Tls.REQUIRED if with_password else Tls.OPPORTUNISTIC
    known = {"required": Tls.REQUIRED, "opportunistic": Tls.OPPORTUNISTIC, "off": Tls.OFF, "never": Tls.OFF}
    if wanted not in known:
        raise ValueError(f"starttls is '{one_line(wanted, 40)}'; wanted: required, opportunistic, off")
    return known[wanted]


class EmailReceiver:
    """A `ports.Receiver` that hands mail to one SMTP server. `sender`: `mail_from` as set, else the server's user."""

    def __init__(self, server: SmtpServer | None, sender: str | None, *, deadline: float = DEADLINE) -> None:
        self._server = server
        self._sender = sender or (server.user if server and server.user and _ADDRESS.fullmatch(server.user) else None)
        self._deadline = deadline

    async def send(self, message: Message) -> Outcome:
        """One mail to the delivery's address, or addresses."""
        if self._server is None:
            return _failed("no mail server is set (smtp_url, MONITOR_SMTP_URL)")
        if self._sender is None:
            return _failed("no sender is set (mail_from, MONITOR_MAIL_FROM)")
        to = [address.strip() for address in message.recipient.split(",")]
        raw = await asyncio.to_thread(build_mail, message, sender=self._sender, to=to)
        attempt = _Attempt(self._server, parseaddr(self._sender)[1], to, raw)
        try:
            async with asyncio.timeout(self._deadline):
                return await attempt.run()
        except TimeoutError:
            return attempt.broken(f"no answer within {self._deadline:.0f} s")
        except asyncio.CancelledError:
            if attempt.handed_over:
                raise
            # Stopped, and the peer surely has nothing: worth knowing, so the cancellation ends here.
            return _failed("stopped before the message was handed over")


class _Attempt:
    """One connection. Until the message itself is on its way, every failure means that the peer does not have it."""

    def __init__(self, server: SmtpServer, sender: str, to: Sequence[str], raw: bytes) -> None:
        self._server, self._sender, self._to, self._raw = server, sender, to, raw
        self.handed_over = False

    async def run(self) -> Outcome:
        smtp = self._client()
        try:
            return await self._converse(smtp)
        except SMTPAuthenticationError as error:
            return _failed(self._where(f"login refused ({_answer(error)}); check user and password in smtp_url"))
        except SMTPNotSupported as error:
            return _failed(self._where(f"{_words(error)}; smtp_url asks for it"))
        except SMTPResponseException as error:
            # Also the last word on the message itself: the peer has answered, so it does not have it.
            return _failed(self._where(_answer(error)), permanent=error.code >= 500)
        except (SMTPException, OSError) as error:
            return self.broken(_words(error))
        except ValueError as error:  # an address that is none
            return _failed(_words(error), permanent=True)
        finally:
            smtp.close()

    def broken(self, words: str) -> Outcome:
        """The line or our patience broke."""
        if self.handed_over:
            return Outcome(state=Result.UNKNOWN, detail=self._where(f"{words}, after the message was handed over"))
        return _failed(self._where(words))

    async def _converse(self, smtp: aiosmtplib.SMTP) -> Outcome:
        await smtp.connect()
        await smtp.mail(self._sender)
        accepted, refused = 0, []
        for address in self._to:
            try:
                await smtp.rcpt(address)
                accepted += 1
            except SMTPRecipientRefused as error:
                if error.code < 500:
                    raise  # all of them later, rather than this one never
                refused.append(error)
        if not accepted:
            raise refused[0]
        self.handed_over = True
        response = await smtp.data(self._raw)
        with contextlib.suppress(SMTPException, OSError):
            await smtp.quit(timeout=QUIT_SECONDS)
        return Outcome(
            state=Result.DELIVERED, detail=f"{response.code} {one_line(response.message, 200)}",
            refused=tuple(f"{error.recipient}: {_answer(error)}" for error in refused),
        )  # fmt: skip

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        start_tls = {Tls.REQUIRED: True, Tls.OPPORTUNISTIC: None}.get(server.tls, False)
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls is Tls.IMPLICIT,
            start_tls=start_tls,
            validate_certs=server.tls is not Tls.OPPORTUNISTIC,
            # The default asks the resolver for our full name, and a resolver may be slow.
            local_hostname=_own_name(),
            timeout=None,
        )

    def _where(self, words: str) -> str:
        return f"{self._server.host}:{self._server.port}: {words}"


def _own_name() -> str:
    name = socket.gethostname()
    return name if name.isascii() and name and not any(sign.isspace() for sign in name) else "localhost"


def _failed(detail: str, *, permanent: bool = False) -> Outcome:
    return Outcome(state=Result.FAILED, detail=detail, permanent=permanent)


def _answer(error: SMTPResponseException) -> str:
    return f"{error.code} {one_line(error.message, 240)}"


def _words(error: Exception) -> str:
    return one_line(str(error), 240) or type(error).__name__
