"""Clocks that jump: no digest twice, none lost, none late; and it is on record that the clock was moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance import texts
from tests.acceptance.harness import WallClock, Workspace, await_that
from tests.acceptance.mail_server import Mail, MailServer

MORNING = (texts.utc_now() + timedelta(days=1)).replace(hour=7, minute=0, second=0, microsecond=0)
"""When the daily digest of these tests is due: tomorrow at 07:00Z, so that the log begins well before."""


@pytest.fixture
def daily(work: Workspace, mail: MailServer) -> Workspace:
    work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    schedule = {"at": ["07:00"], "time_zone": "UTC"}
    work.receivers({"desk": {"email": {"to": ["desk@example.org"]}, "schedule": schedule, "always": True}})
    work.theme()
    work.sources(folder=True)
    return work


def _set(clock: WallClock, then: datetime) -> None:
    """Let the command see `then`, from now on ticking."""
    clock.shift((then - datetime.now(UTC)).total_seconds())


def _drop(work: Workspace, title: str) -> None:
    work.write(f"seeds/documents/{title}.txt", f"{title}\n\nCustoms found machine tools on the way to Russia.\n")
    await_that(lambda: title in [alert["title"] for alert in work.list("alerts")], within=15, what=f"alert {title}")


def _wait_for_mails(mail: MailServer, number: int) -> list[Mail]:
    return await_that(lambda: mail.box if len(mail.box) == number else None, within=40, what=f"{number} mails") or []


def test_crash_matrix_23_a_clock_set_back_an_hour_repeats_no_window_and_delays_nothing(
    daily: Workspace, mail: MailServer, clock: WallClock
) -> None:
    _set(clock, MORNING - timedelta(seconds=6))
    with daily.daemon(env=clock.env) as daemon:
        daemon.ready()
        _drop(daily, "Before")
        _wait_for_mails(mail, 1)
        _set(clock, MORNING - timedelta(hours=1))
        [anomaly] = await_that(lambda: daily.log("ClockAnomaly"), within=10, what="the step is on record")
        assert -3700 < anomaly["data"]["step_seconds"] < -3500
        _drop(daily, "After")
        assert daemon.alive
        daemon.stop()
    positions = [event["position"] for event in daily.log()]
    assert positions == list(range(1, len(positions) + 1))
    # the same morning comes a second time
    _set(clock, MORNING - timedelta(seconds=2))
    with daily.daemon(env=clock.env) as daemon:
        daemon.ready()
        _set(clock, MORNING + timedelta(seconds=30))
        daily.ok("ingest")
        assert len(daily.log("WindowClosed")) == 1
        assert len(mail.box) == 1
        daemon.stop()
    # and what came after the step is in the next morning's digest
    _set(clock, MORNING + timedelta(days=1, seconds=1))
    daily.once(env=clock.env)
    assert "After" in _wait_for_mails(mail, 2)[1].part("plain")
    assert "Before" not in mail.box[1].part("plain")
    daily.verify()


@pytest.mark.parametrize("seconds", [pytest.param(6, id="6s"), pytest.param(58, id="58s", marks=pytest.mark.soak)])
def test_a_clock_ten_years_ahead_for_a_minute_leaves_the_next_digest_on_time(
    daily: Workspace, mail: MailServer, clock: WallClock, seconds: int
) -> None:
    _set(clock, MORNING - timedelta(seconds=seconds + 14))
    with daily.daemon(env=clock.env) as daemon:
        daemon.ready()
        _drop(daily, "Before")
        true_shift = MORNING - timedelta(seconds=seconds + 12) - datetime.now(UTC)
        clock.shift((true_shift + timedelta(days=3650)).total_seconds())
        await_that(lambda: daily.log("ClockAnomaly"), within=10, what="the leap is on record")
        _drop(daily, "During")
        left_ahead = true_shift + datetime.now(UTC) + timedelta(seconds=seconds - 6)
        await_that(lambda: datetime.now(UTC) + true_shift > left_ahead, within=seconds + 1, what="the leap ends")
        clock.shift(true_shift.total_seconds())
        assert mail.box == []
        [got] = _wait_for_mails(mail, 1)
        assert "Before" in got.part("plain") and "During" in got.part("plain")
        [window] = daily.log("WindowClosed")
        assert window["data"]["due"] == MORNING.isoformat().replace("+00:00", "Z")
        closed = datetime.fromisoformat(window["recorded_at"])
        assert timedelta(0) <= closed - MORNING < timedelta(seconds=10)
        daemon.stop()
    daily.verify()
