"""What an attempt to send leads to: delivered, again later, held for a person, or given up; and how long to wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from monitor.core import events as ev
from monitor.core.entries import derived_id
from monitor.core.routing import OnUnknown, Receiver
from monitor.core.views import DeliveryRow

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
LONGEST_RETRY_AFTER = timedelta(days=1)
ROUND = 100  # attempts, some four days; then a person decides, and may grant another round
MAX_WORDS = 500


FAILING_AFTER = timedelta(hours=1)
"""A receiver that something could not reach for so long is told of to the operator."""


def fails_for_long(delivery: DeliveryRow, composed_at: datetime, now: datetime) -> bool:
    """Whether a delivery is tried in vain since its digest was composed, an hour ago or more."""
    tried = delivery.state == "pending" and delivery.attempts > 0 and delivery.last_error is not None
    return tried and now - composed_at >= FAILING_AFTER


class Result(StrEnum):
    """What is known after an attempt."""

    DELIVERED = "delivered"
    FAILED = "failed"  # the peer does not have it
    UNKNOWN = "unknown"  # the peer may have it


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt to send. `state`: delivered | failed | unknown.

    `detail`: one line without secrets. `permanent`: no retry can help. `receiver_gone`: the whole receiver is to be
    held (HTTP 410). `retry_after` in seconds. `refused`: of several addresses those that were, each with the answer.
    """

    state: Result
    detail: str
    permanent: bool = False
    receiver_gone: bool = False
    retry_after: int | None = None
    refused: tuple[str, ...] = ()


def plan(digest_id: str, receiver: Receiver) -> tuple[ev.PlannedDelivery, ...]:
    """One delivery per address, each with an id that stays the same over retries and restarts."""
    channel = receiver.target.channel
    return tuple(
        ev.PlannedDelivery(
            delivery_id=derived_id("dlv", digest_id, channel, recipient), channel=channel, recipient=recipient
        )
        for recipient in dict.fromkeys(receiver.target.recipients)
    )


def retry_wait(attempt: int, chance: float) -> timedelta:
    """How long to wait after failed attempt `attempt` (from 1): doubling from 30 s to an hour, spread by a quarter
    either way with `chance` in [0, 1).
    """
    wait: timedelta = min(FIRST_WAIT * 2 ** min(attempt - 1, 20), LONGEST_WAIT)
    return wait * (0.75 + chance / 2)


def conclude(
    delivery: DeliveryRow, attempt: int, outcome: Outcome, on_unknown: OnUnknown, now: datetime, chance: float
) -> tuple[ev.Event, ...]:
    """The events that record an outcome: what became of the delivery, and a `DeliveryIncomplete` or `ReceiverHeld` that
    may follow.
    """
    words = " ".join(outcome.detail.split())[:MAX_WORDS]
    if outcome.state is Result.DELIVERED:
        delivered = _delivered(delivery, attempt, words)
        return (delivered, _incomplete(delivery, attempt, outcome.refused)) if outcome.refused else (delivered,)
    wait = retry_wait(attempt, chance)
    if outcome.retry_after is not None:
        wait = max(wait, min(timedelta(seconds=max(outcome.retry_after, 0)), LONGEST_RETRY_AFTER))
    again = now + wait if attempt % ROUND else None
    if outcome.state is Result.UNKNOWN:
        held = on_unknown is OnUnknown.HOLD or again is None
        return (_unknown(delivery, attempt, words, None if held else again),)
    if outcome.receiver_gone:
        held_receiver = ev.ReceiverHeld(receiver=delivery.receiver, recipient=delivery.recipient, reason=words)
        return (_failed(delivery, attempt, words, None), held_receiver)
    if outcome.permanent:
        return (_failed(delivery, attempt, words, None, permanent=True),)
    return (_failed(delivery, attempt, words, again),)


def interrupted(delivery: DeliveryRow, on_unknown: OnUnknown, now: datetime) -> ev.DeliveryUnknown:
    """An attempt was recorded and no outcome: the program died in between, so the peer may have it."""
    words = "the program stopped before the outcome was known"
    # The outbox knows its own files: writing one again changes nothing.
    hold = on_unknown is OnUnknown.HOLD and delivery.channel != "outbox"
    return _unknown(delivery, delivery.attempts, words, None if hold else now)


def refused(delivery: DeliveryRow, reason: str) -> ev.DeliveryFailed:
    """Not tried at all, and held for a person: the receiver is held or no longer configured."""
    return _failed(delivery, delivery.attempts, reason[:MAX_WORDS], None)


def _delivered(delivery: DeliveryRow, attempt: int, words: str) -> ev.DigestDelivered:
    return ev.DigestDelivered(
        delivery_id=delivery.delivery_id, digest_id=delivery.digest_id, attempt=attempt, response=words
    )


def _incomplete(delivery: DeliveryRow, attempt: int, refused: tuple[str, ...]) -> ev.DeliveryIncomplete:
    return ev.DeliveryIncomplete(
        delivery_id=delivery.delivery_id, digest_id=delivery.digest_id, attempt=attempt,
        refused=tuple(" ".join(words.split())[:MAX_WORDS] for words in refused),
    )  # fmt: skip


def _failed(
    delivery: DeliveryRow, attempt: int, words: str, again: datetime | None, *, permanent: bool = False
) -> ev.DeliveryFailed:
    return ev.DeliveryFailed(
        delivery_id=delivery.delivery_id, digest_id=delivery.digest_id, attempt=attempt, permanent=permanent,
        error=words, next_attempt=again,
    )  # fmt: skip


def _unknown(delivery: DeliveryRow, attempt: int, words: str, again: datetime | None) -> ev.DeliveryUnknown:
    return ev.DeliveryUnknown(
        delivery_id=delivery.delivery_id, digest_id=delivery.digest_id, attempt=attempt, error=words,
        held=again is None, next_attempt=again,
    )  # fmt: skip
