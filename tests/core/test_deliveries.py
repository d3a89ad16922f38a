"""What an attempt leads to."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.core.deliveries import (
    LONGEST_WAIT,
    ROUND,
    Outcome,
    Result,
    conclude,
    interrupted,
    plan,
    refused,
    retry_wait,
)
from monitor.core.routing import Email, OnUnknown, Receiver
from monitor.core.views import DeliveryRow
from tests.fakes import START


def delivery(**fields: Any) -> DeliveryRow:
    defaults = {
        "delivery_id": "dlv-1", "digest_id": "dig-1", "receiver": "desk", "recipient": "a@example.org",
        "channel": "email", "state": "pending", "attempts": 0, "in_flight": False, "next_attempt": None,
        "last_error": None, "position": 7,
    }  # fmt: skip
    return DeliveryRow(**{**defaults, **fields})


def after(state: Result, attempt: int = 1, on_unknown: OnUnknown = OnUnknown.RESEND, **fields: Any) -> Any:
    outcome = Outcome(state=state, detail="words\nin two lines", **fields)
    return conclude(delivery(), attempt, outcome, on_unknown, START, 0.5)


def test_delivered():
    (event,) = after(Result.DELIVERED)
    assert event == ev.DigestDelivered(delivery_id="dlv-1", digest_id="dig-1", attempt=1, response="words in two lines")


def test_delivered_but_not_to_all():
    event, incomplete = after(Result.DELIVERED, refused=("b@example.org: 550 no such\nuser",))
    assert event.response == "words in two lines"
    assert incomplete == ev.DeliveryIncomplete(
        delivery_id="dlv-1", digest_id="dig-1", attempt=1, refused=("b@example.org: 550 no such user",)
    )


def test_a_failure_is_tried_again_later():
    (event,) = after(Result.FAILED)
    assert (event.permanent, event.next_attempt) == (False, START + timedelta(seconds=30))


def test_the_servers_word_to_wait_is_obeyed_up_to_a_day():
    assert after(Result.FAILED, retry_after=7200)[0].next_attempt == START + timedelta(hours=2)
    assert after(Result.FAILED, retry_after=1)[0].next_attempt == START + timedelta(seconds=30)
    assert after(Result.FAILED, retry_after=10**9)[0].next_attempt == START + timedelta(days=1)


def test_a_permanent_failure_is_the_end():
    (event,) = after(Result.FAILED, permanent=True)
    assert (event.permanent, event.next_attempt) == (True, None)


def test_a_receiver_that_is_gone_is_held():
    event, held = after(Result.FAILED, receiver_gone=True)
    assert (event.permanent, event.next_attempt) == (False, None)
    assert held == ev.ReceiverHeld(receiver="desk", recipient="a@example.org", reason="words in two lines")


def test_an_unknown_outcome_is_resent_or_held():
    (resent,) = after(Result.UNKNOWN)
    assert (resent.held, resent.next_attempt) == (False, START + timedelta(seconds=30))
    (held,) = after(Result.UNKNOWN, on_unknown=OnUnknown.HOLD)
    assert (held.held, held.next_attempt) == (True, None)


@pytest.mark.parametrize("state", [Result.FAILED, Result.UNKNOWN])
def test_after_some_days_a_person_decides(state: Result):
    assert after(state, attempt=ROUND - 1)[0].next_attempt is not None
    assert after(state, attempt=ROUND)[0].next_attempt is None
    assert after(state, attempt=ROUND + 1)[0].next_attempt is not None


def test_an_attempt_cut_short_is_unknown_but_the_outbox_knows_itself():
    row = delivery(attempts=3, in_flight=True)
    assert interrupted(row, OnUnknown.RESEND, START).next_attempt == START
    assert interrupted(row, OnUnknown.HOLD, START).held
    assert not interrupted(delivery(channel="outbox", attempts=3), OnUnknown.HOLD, START).held


def test_a_refusal_is_held():
    event = refused(delivery(), "receiver 'desk' is no longer configured")
    assert (event.permanent, event.next_attempt, event.attempt) == (False, None, 0)


def test_one_delivery_per_address_with_a_lasting_id():
    receiver = Receiver(name="desk", target=Email(("a@example.org", "b@example.org", "a@example.org")))
    planned = plan("dig-1", receiver)
    assert [one.recipient for one in planned] == ["a@example.org", "b@example.org"]
    assert planned == plan("dig-1", receiver)
    assert {one.delivery_id for one in planned}.isdisjoint(one.delivery_id for one in plan("dig-2", receiver))


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_grow_to_an_hour_and_spread_by_a_quarter(attempt: int, chance: float):
    wait = retry_wait(attempt, chance)
    middle = min(timedelta(seconds=30) * 2 ** min(attempt - 1, 20), LONGEST_WAIT)
    assert middle * 0.75 <= wait <= middle * 1.25
