"""Webhooks at their worst: the same bytes under the same id at each retry, no redirects, 410 holds the receiver."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.harness import NOW, WallClock, Workspace
from tests.acceptance.hook_server import HookServer


@pytest.fixture
def duty(work: Workspace, hook: HookServer) -> Workspace:
    """One alert in the making, to be posted to the hook."""
    work.receivers({"duty": {"webhook": {"url": hook.url, "secret": "${HOOK_SECRET}"}, **NOW}})
    work.theme()
    work.sources(folder=True)
    work.write("seeds/documents/one.txt", "First\n\nCustoms found machine tools on the way to Russia.\n")
    return work


def _delivery(work: Workspace, number: int = 0) -> dict[str, Any]:
    return [row for row in work.list("deliveries") if row["receiver"] == "duty"][number]


def _same(hook: HookServer) -> bool:
    return len({(call.id, call.body) for call in hook.calls}) == 1


def test_a_hook_gets_a_signed_digest_as_the_contract_has_it(duty: Workspace, hook: HookServer) -> None:
    duty.once()
    [call] = hook.calls
    assert call.verified
    assert call.id == _delivery(duty)["delivery_id"]
    assert call.json["type"] == "digest"
    data = call.json["data"]
    assert {"digest_id", "receiver", "window", "position", "alerts", "coverage"} <= set(data)
    [alert] = data["alerts"]
    assert (alert["title"], alert["theme"], alert["severity"]) == ("First", "machines", "high")
    assert {hit["text"] for hit in alert["evidence"]} >= {"machine tools", "Russia"}
    secret = duty.env["HOOK_SECRET"]
    assert secret not in duty.ok("log", "--json").out + duty.ok("deliveries", "--json").out


def test_a_webhook_answering_500_is_retried_with_the_same_bytes(
    duty: Workspace, hook: HookServer, clock: WallClock
) -> None:
    hook.status = 500
    duty.once()
    assert _delivery(duty)["state"] == "pending"
    assert "500" in _delivery(duty)["last_error"]
    hook.status = 200
    clock.shift(600)
    duty.once(env=clock.env)
    assert _delivery(duty)["state"] == "delivered"
    assert len(hook.calls) == 2
    assert _same(hook)
    first, second = hook.calls
    assert first.timestamp != second.timestamp
    assert first.verified and second.verified


def test_a_webhook_answering_301_is_not_followed(duty: Workspace, hook: HookServer) -> None:
    with HookServer() as elsewhere:
        hook.status, hook.location = 301, elsewhere.url
        duty.once()
        assert elsewhere.calls == []
    row = _delivery(duty)
    assert row["state"] != "delivered"
    assert "301" in row["last_error"]
    _later_is_sent_after_retry(duty, hook)


def test_a_webhook_answering_410_holds_the_receiver_and_tells_the_operator(
    duty: Workspace, hook: HookServer, clock: WallClock
) -> None:
    hook.status = 410
    done = duty.once()
    assert _delivery(duty)["state"] in ("held", "failed")
    assert any("duty" in line and "410" in line for line in done.err.splitlines()), done.err
    duty.write("seeds/documents/later.txt", "Later\n\nMore machine tools for Russia.\n")
    clock.shift(86400)
    duty.once(env=clock.env)
    assert len(hook.calls) == 1, "a receiver that is gone is left alone"
    assert _delivery(duty, 1)["state"] in ("held", "pending")
    assert any(b"duty" in message and b"410" in message for message in duty.outbox), "the operator is told"
    hook.status = 200
    duty.ok("deliveries", "release", "--all")
    duty.once()
    assert [row["state"] for row in duty.list("deliveries") if row["receiver"] == "duty"] == ["delivered"] * 2


def test_a_webhook_that_never_answers_does_not_hold_the_run(
    duty: Workspace, hook: HookServer, clock: WallClock
) -> None:
    hook.status = None
    done = duty.once()
    assert done.seconds < 60
    assert _delivery(duty)["state"] == "pending"
    hook.status = 200
    clock.shift(3600)
    duty.once(env=clock.env)
    assert _delivery(duty)["state"] == "delivered"
    assert _same(hook)


def _later_is_sent_after_retry(work: Workspace, hook: HookServer) -> None:
    hook.status, hook.location = 200, ""
    work.ok("deliveries", "retry", "--all")
    work.write("seeds/documents/later.txt", "Later\n\nMore machine tools for Russia.\n")
    work.once()
    assert [row["state"] for row in work.list("deliveries") if row["receiver"] == "duty"] == ["delivered"] * 2
    assert sorted(call.json["data"]["alerts"][0]["title"] for call in hook.accepted) == ["First", "Later"]
