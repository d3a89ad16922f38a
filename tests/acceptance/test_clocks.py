"""Clocks that jump: no digest twice, none lost, none late; and it is on record that the clock was moved."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance import texts
from tests.acceptance.feed_server import FeedServer
from tests.acceptance.harness import NOW, WallClock, Workspace, await_that
from tests.acceptance.mail_server import Mail, MailServer

MORNING = (texts.utc_now() + timedelta(days=2)).replace(hour=7, minute=0, second=0, microsecond=0)
"""When the daily digest of these tests is due: in two days at 07:00Z, so that yesterday is not over yet."""
AHEAD = MORNING + timedelta(days=3650)
DESK = {
    "email": {"to": ["desk@example.org"]}, "schedule": {"at": ["07:00"], "time_zone": "UTC"}, "always": True,
}  # fmt: skip


@pytest.fixture
def daily(work: Workspace, mail: MailServer) -> Workspace:
    work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    work.receivers({"desk": DESK})
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


@pytest.mark.parametrize("seconds", [pytest.param(0, id="short"), pytest.param(55, id="55s", marks=pytest.mark.soak)])
def test_a_clock_ten_years_ahead_for_a_minute_leaves_the_next_digest_on_time(
    daily: Workspace, mail: MailServer, clock: WallClock, seconds: int
) -> None:
    daily.receivers({"desk": DESK, "file": {"outbox": "state/outbox", **NOW}})
    _set(clock, MORNING - timedelta(minutes=4))
    with daily.daemon(env=clock.env) as daemon:
        daemon.ready()
        _drop(daily, "Before")
        _set(clock, AHEAD)
        leapt = time.monotonic()
        await_that(lambda: any(s > 3e8 for s in _steps(daily)), within=10, what="the leap is on record")
        titles = [f"During {n}" for n in range(1, 1000)]
        for n, title in enumerate(titles, start=2):
            _drop(daily, title)
            # windows were looked at since, the daily one among them
            await_that(lambda n=n: len(daily.outbox) == n, within=10, what=f"{title} is told in the outbox")
            assert mail.box == []
            if time.monotonic() - leapt >= seconds:
                break
        _set(clock, MORNING - timedelta(seconds=3))
        [got] = _wait_for_mails(mail, 1)
        assert "Before" in got.part("plain") and "During 1" in got.part("plain")
        _assert_on_time(daily)
        daemon.stop()
    assert all(event["recorded_at"] < "2030" for event in daily.log()), "the leap is in no event's time"
    daily.verify()


def test_a_daemon_started_ten_years_ahead_is_on_time_once_the_clock_is_right(
    daily: Workspace, mail: MailServer, clock: WallClock, feeds: FeedServer
) -> None:
    feeds.add("/feed.xml", items=texts.ministry(texts.utc_now()))
    daily.sources(("ministry", feeds.url("/feed.xml")), folder=True)
    _set(clock, AHEAD)
    with daily.daemon(env=clock.env) as daemon:
        daemon.ready()
        _drop(daily, "Ahead")
        await_that(lambda: len(daily.entries("ministry")) == 40, within=15, what="the feed is read")
        feeds.publish("/feed.xml", texts.on_theme("ministry", MORNING))
        _set(clock, MORNING - timedelta(minutes=8))
        await_that(lambda: any(s < -3e8 for s in _steps(daily)), within=10, what="the way back is on record")
        _wait_for_mails(mail, 1)  # yesterday's digest, which is due as far as the log can tell
        _set(clock, MORNING - timedelta(minutes=3, seconds=1))
        await_that(lambda: len(daily.list("alerts")) == 2, within=15, what="the feed is asked, years before it was due")
        _set(clock, MORNING - timedelta(seconds=3))
        told = [got.part("plain") for got in _wait_for_mails(mail, 2)]
        title = texts.ON_THEME["ministry"][0]
        assert [("Ahead" in body, title in body) for body in told] == [(True, False), (False, True)]
        _assert_on_time(daily)
        daemon.stop()
    daily.verify()


def _assert_on_time(work: Workspace) -> None:
    """The desk's latest window was due in the morning, and closed then."""
    window = [event for event in work.log("WindowClosed") if event["data"]["receiver"] == "desk"][-1]
    assert datetime.fromisoformat(window["data"]["due"]) == MORNING
    closed = datetime.fromisoformat(window["recorded_at"])
    assert timedelta(0) <= closed - MORNING < timedelta(seconds=10)
