"""What an answer says: its status in words, its validators byte for byte, how long to wait, its body within bounds."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpcore2
import httpx2

from monitor.ports import FetchFailed

LONGEST_VALIDATOR = 4096
MOST_CODINGS = 2  # Content-Encoding in more layers than that only ever served to make us work
_LASTING = (401, 403, 404, 410, 451)
_MAX_AGE = re.compile(r'(?:^|[\s,])max-age\s*=\s*"?(\d{1,10})')


def refuse_bad_status(response: httpx2.Response, now: datetime, *, conditional: bool) -> None:
    """Raise `FetchFailed` for whatever is neither a whole document nor "not modified" to who asked for that."""
    status = response.status_code
    if status in (200, 203) or (status == 304 and conditional):
        return
    reason = f"HTTP {status}{_phrase(status)}"
    if response.headers.get("cf-mitigated") == "challenge":
        reason += ": a challenge page that only browsers pass"
    raise FetchFailed(
        reason,
        status=status,
        gone=status == 410,
        retry_after=retry_after(response, now) if status >= 400 else None,
        lasting=status in _LASTING,
        sent=True,
    )


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase.lower()})"
    except ValueError:
        return ""


def validator(response: httpx2.Response, name: bytes) -> str | None:
    """A validator letter for letter, one character a byte; None where there is none or it is absurdly long."""
    values = [value for key, value in response.headers.raw if key.lower() == name]
    return values[0].decode("latin-1") if values and 0 < len(values[0]) <= LONGEST_VALIDATOR else None


def freshness(response: httpx2.Response, now: datetime) -> int | None:
    """For how many seconds the answer holds: max-age less its Age, else Expires; None where the server did not say."""
    control = response.headers.get("cache-control", "").lower()
    if "no-cache" in control or "no-store" in control:
        return None
    max_age = _MAX_AGE.search(control)
    if max_age:
        age = response.headers.get("age", "")
        return max(0, int(max_age[1]) - (int(age) if age.isdigit() and len(age) < 11 else 0))
    expires = _instant(response.headers.get("expires"))
    if expires is None:
        return None
    seconds = int((expires - _server_time(response, now)).total_seconds())
    return seconds if seconds > 0 else None


def retry_after(response: httpx2.Response, now: datetime) -> int | None:
    """Retry-After in seconds, from either form."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdigit() and len(text) < 11:
        return int(text)
    until = _instant(text)
    return None if until is None else max(0, int((until - _server_time(response, now)).total_seconds()))


def _server_time(response: httpx2.Response, now: datetime) -> datetime:
    # The server's dates are compared with the server's clock, not with ours.
    return _instant(response.headers.get("date")) or now


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def refuse_large(response: httpx2.Response, limit: int) -> None:
    """Raise `FetchFailed` where the headers alone say that the body will not do."""
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:18]) > limit:
        raise FetchFailed(f"the answer has {int(declared[:18]):,} bytes; at most {limit:,} are read", lasting=True)
    if response.headers.get("content-encoding", "").count(",") >= MOST_CODINGS:
        raise FetchFailed(f"the answer is compressed more than {MOST_CODINGS} times over", lasting=True)


async def read(response: httpx2.Response, limit: int, *, cut: bool) -> bytes:
    """The decoded body. Beyond `limit` bytes: cut there, or `FetchFailed`."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > limit or response.num_bytes_downloaded > limit:
            if cut:
                break
            raise FetchFailed(f"the answer has more than {limit:,} bytes; reading stopped", lasting=True, sent=True)
    return bytes(body[:limit])


# --- failures in words ----------------------------------------------------------------------------


def connect_reason(error: Exception, host: str, seconds: float) -> str:
    """Why there was no connection, in words an owner can act on."""
    if isinstance(error, httpcore2.ProxyError):
        return f"the proxy refused: {_one_line(error)}"
    if str(error).startswith("DNS:"):
        return str(error)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS: the certificate of '{host}' does not hold: {cause.verify_message or _one_line(cause)}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS: no secure connection with '{host}': {cause.reason or _one_line(cause)}"
        if isinstance(cause, ConnectionRefusedError):
            return f"'{host}' refuses connections"
    if isinstance(error, httpcore2.TimeoutException):
        return f"no connection to '{host}' within {seconds:g} s"
    return f"no connection to '{host}': {_one_line(error)}"


def exchange_reason(error: Exception, seconds: float) -> str:
    """Why an exchange broke off after the connection stood."""
    if isinstance(error, httpcore2.TimeoutException):
        return f"silence for {seconds:g} s in the midst of the answer"
    if isinstance(error, httpx2.DecodingError):
        return "the answer's compression is damaged"
    return f"the connection broke off: {_one_line(error)}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:200]
