"""Clocks that jump: no digest twice, none lost, none late; and it is on record that the clock was moved."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance import texts
from tests.acceptance.harness import WallClock, Workspace, await_that
from tests.acceptance.mail_server import Mail, MailServer

MORNING = (texts.utc_now() + timedelta(days=2)).replace(hour=7, minute=0, second=0, microsecond=0)
"""When the daily digest of these tests is due: in two days at 07:00Z, so that yesterday is not over yet."""


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


def _steps(work: Workspace) -> list[float]:
    return [event["data"]["step_seconds"] for event in work.log("ClockAnomaly")]


def test_crash_matrix_23_a_clock_set_back_an_hour_repeats_no_window_and_delays_nothing(
    daily: Workspace, mail: MailServer, clock: WallClock
) -> None:
    for then in (MORNING - timedelta(days=1, minutes=1), MORNING - timedelta(days=1)):  # yesterday's digest
        _set(clock, then)
        daily.once(env=clock.env)
    _set(clock, MORNING - timedelta(minutes=4))
    with daily.daemon(env=clock.env) as daemon:
        daemon.ready()
        _drop(daily, "Before")
        _set(clock, MORNING - timedelta(seconds=1))
        _wait_for_mails(mail, 2)
        _set(clock, MORNING - timedelta(hours=1))
        await_that(lambda: any(-3700 < s < -3500 for s in _steps(daily)), within=10, what="the step is on record")
        _drop(daily, "After")
        assert daemon.alive
        daemon.stop()
    # the same morning comes a second time
    _set(clock, MORNING - timedelta(minutes=4))
    with daily.daemon(env=clock.env) as daemon:
        daemon.ready()
        _set(clock, MORNING + timedelta(seconds=30))
        steps = len(_steps(daily))
        await_that(lambda: len(_steps(daily)) > steps, within=10, what="it is past seven again")
        _drop(daily, "Again")
        assert len(daily.log("WindowClosed")) == 2
        assert len(mail.box) == 2
        daemon.stop()
    # and what came after the step is in the next morning's digest
    _set(clock, MORNING + timedelta(days=1, seconds=1))
    daily.once(env=clock.env)
    told = _wait_for_mails(mail, 3)[2].part("plain")
    assert "After" in told and "Again" in told and "Before" not in told
    daily.verify()


@pytest.mark.parametrize("seconds", [pytest.param(6, id="6s"), pytest.param(58, id="58s", marks=pytest.mark.soak)])
def test_a_clock_ten_years_ahead_for_a_minute_leaves_the_next_digest_on_time(
    daily: Workspace, mail: MailServer, clock: WallClock, seconds: int
) -> None:
    _set(clock, MORNING - timedelta(minutes=4))
    with daily.daemon(env=clock.env) as daemon:
        daemon.ready()
        _drop(daily, "Before")
        _set(clock, MORNING + timedelta(days=3650))
        leapt = time.monotonic()
        await_that(lambda: any(s > 3e8 for s in _steps(daily)), within=10, what="the leap is on record")
        _drop(daily, "During")
        await_that(lambda: time.monotonic() - leapt > seconds, within=seconds + 1, what="the end of the leap")
        assert mail.box == []
        _set(clock, MORNING - timedelta(seconds=3))
        [got] = _wait_for_mails(mail, 1)
        assert "Before" in got.part("plain") and "During" in got.part("plain")
        [window] = daily.log("WindowClosed")
        assert datetime.fromisoformat(window["data"]["due"]) == MORNING
        closed = datetime.fromisoformat(window["recorded_at"])
        assert timedelta(0) <= closed - MORNING < timedelta(seconds=10)
        daemon.stop()
    assert all(event["recorded_at"] < "2030" for event in daily.log()), "the leap is in no event's time"
    daily.verify()
