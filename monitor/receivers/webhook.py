"""Webhooks by the Standard Webhooks rules: one id and one body over all retries, signed anew at each."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from standardwebhooks import Webhook as Signer

from monitor.core.deliveries import Outcome, Result
from monitor.core.excerpts import one_line
from monitor.core.routing import Webhook
from monitor.core.variables import expand
from monitor.ports import Answer, Clock, FetchFailed, Message, Poster
from monitor.receivers.render.payload import render_payload

PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
TRY_LATER = frozenset({408, 425, 429})


class WebhookReceiver:
    """A `ports.Receiver` that posts JSON. `secrets` gives the values of `${NAME}` at the moment of sending; they stand
    in no message of ours.
    """

    def __init__(self, hook: Webhook, secrets: Mapping[str, str], poster: Poster, clock: Clock) -> None:
        self._hook = hook
        self._secrets = secrets
        self._poster = poster
        self._clock = clock

    async def send(self, message: Message) -> Outcome:
        """One POST, no redirects."""
        body = await asyncio.to_thread(render_payload, message)
        try:
            for text in (self._hook.url, *(value for _, value in self._hook.headers)):
                expand(text, self._secrets)  # only to know that it can be
            headers = dict(self._hook.headers) | self._standard_headers(message.delivery_id, body)
        except KeyError as error:
            return _failed(f"${{{error.args[0]}}} has no value; set it in the environment, or as {error.args[0]}_FILE")
        except ValueError as error:
            return _failed(str(error))
        try:
            answer = await self._poster.post(self._hook.url, body, headers)
        except FetchFailed as error:
            state = Result.UNKNOWN if error.sent else Result.FAILED
            lasting = error.lasting and not error.sent
            return Outcome(state=state, detail=error.reason, permanent=lasting, retry_after=error.retry_after)
        return self._judge(answer)

    def _standard_headers(self, delivery_id: str, body: bytes) -> dict[str, str]:
        now = self._clock()
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if self._hook.secret is not None:
            signer = _signer(expand(self._hook.secret, self._secrets), self._hook.secret)
            headers["webhook-signature"] = signer.sign(delivery_id, now, body.decode())
        return headers

    def _judge(self, answer: Answer) -> Outcome:
        status = answer.status
        if 200 <= status < 300:
            return Outcome(state=Result.DELIVERED, detail=f"HTTP {status}")
        if status == 410:
            return Outcome(state=Result.FAILED, detail="HTTP 410: the receiver wants no more", receiver_gone=True)
        if 300 <= status < 400:
            return _failed(
                f"HTTP {status}{_target(answer)}: redirects are not followed; correct the url", permanent=True
            )
        later = status >= 500 or status in TRY_LATER
        retry_after = _retry_after(answer.headers.get("retry-after"), self._clock()) if later else None
        return Outcome(state=Result.FAILED, detail=f"HTTP {status}", permanent=not later, retry_after=retry_after)


def new_secret(entropy: bytes) -> str:
    """A `whsec_` secret of 24 to 64 random bytes."""
    assert len(entropy) in SECRET_BYTES, "a secret has 24 to 64 bytes"
    return PREFIX + base64.b64encode(entropy).decode()


def _signer(secret: str, shown: str) -> Signer:
    words = f"{shown} holds no webhook secret: {PREFIX} and 24 to 64 bytes of base64 (`monitor receivers new-secret`)"
    if not secret.startswith(PREFIX):
        raise ValueError(words)
    try:
        size = len(base64.b64decode(secret.removeprefix(PREFIX) + "==", validate=False))
    except (binascii.Error, ValueError):
        raise ValueError(words) from None
    if size not in SECRET_BYTES:
        raise ValueError(words)
    return Signer(secret)


def _failed(detail: str, *, permanent: bool = False) -> Outcome:
    return Outcome(state=Result.FAILED, detail=detail, permanent=permanent)


def _target(answer: Answer) -> str:
    location = answer.headers.get("location")
    return f" to {one_line(location, 200)}" if location else ""


def _retry_after(value: str | None, now: datetime) -> int | None:
    """Seconds from a Retry-After header, which holds seconds or a date; None where it says neither."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return int(value[:9])
    try:
        return max(0, int((parsedate_to_datetime(value) - now).total_seconds()))
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return None
