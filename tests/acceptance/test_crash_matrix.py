"""Killed at the worst moment, run again: the crash matrix, row by row, with the real command.

Rows not here: 7, 9 to 11, 22 and 26 stand in tests/store/test_crash_matrix.py, 8 in test_bad_store.py, 23 in
test_clocks.py. Row 27 is of sealed segments, which this program does not have.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from typing import Any

import pytest

from tests.acceptance import feed_server, texts
from tests.acceptance.feed_server import FeedServer
from tests.acceptance.harness import NOW, WallClock, Workspace, await_that
from tests.acceptance.hook_server import HookServer
from tests.acceptance.mail_server import MailServer

DOCUMENT = "{title}\n\nCustoms found machine tools on the way to Russia.\n"


@pytest.fixture
def wired(work: Workspace, feeds: FeedServer, mail: MailServer, hook: HookServer) -> Workspace:
    """A feed of forty entries of which one is on the theme, a mail receiver and a hook."""
    feeds.add("/feed.xml", items=texts.ministry(texts.utc_now()))
    feeds.publish("/feed.xml", texts.on_theme("ministry", texts.utc_now()))
    work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    work.receivers(
        {
            "desk": {"email": {"to": ["desk@example.org"]}, **NOW},
            "duty": {"webhook": {"url": hook.url, "secret": "${HOOK_SECRET}"}, **NOW},
        }
    )
    work.theme()
    work.sources(("ministry", feeds.url("/feed.xml")))
    return work


def _die(work: Workspace, moment: str, event_type: str, *args: str, nth: int = 1, **options: Any) -> None:
    """Run a command that must die at this point."""
    driver = [sys.executable, "-m", "tests.acceptance.dying", moment, event_type, str(nth), "--"]
    done = work.run(command=[*driver, "--home", str(work.home), *(args or ("run", "--once"))], **options)
    assert done.code == -signal.SIGKILL, f"it did not die {moment} {event_type} but ended with {done.code}:\n{done.err}"


def _finished(work: Workspace, mail: MailServer, hook: HookServer) -> None:
    """Every entry once, one alert, one mail and one call; and the log is whole."""
    assert Counter(entry["raw_id"] for entry in work.entries()).most_common(1)[0][1] == 1
    assert len(work.entries()) == 41
    assert len(work.list("alerts")) == 1
    assert {row["state"] for row in work.list("deliveries")} == {"delivered"}
    assert len({mail.id for mail in mail.box}) == len({call.id for call in hook.calls}) == 1
    work.verify()


def _complete(work: Workspace, mail: MailServer, hook: HookServer, *, clock: WallClock | None = None) -> None:
    work.once(env=clock.env if clock else None)
    _finished(work, mail, hook)
    assert (len(mail.box), len(hook.calls)) == (1, 1)


def test_crash_matrix_01_before_the_fetch_the_feed_stays_due(
    wired: Workspace, feeds: FeedServer, mail: MailServer, hook: HookServer
) -> None:
    _die(wired, "after", "ConfigurationAdopted")
    assert feeds.requests == []
    _complete(wired, mail, hook)


def test_crash_matrix_02_during_the_fetch_nothing_is_half_there(
    wired: Workspace, feeds: FeedServer, mail: MailServer, hook: HookServer
) -> None:
    feeds.feed("/feed.xml").behaviour = feed_server.drip
    with wired.daemon() as daemon:
        daemon.ready()
        assert feeds.arrived.acquire(timeout=15)
        daemon.kill()
    assert wired.entries() == []
    feeds.feed("/feed.xml").behaviour = None
    _complete(wired, mail, hook)


def test_crash_matrix_03_parsed_but_not_appended_is_fetched_again_under_the_same_keys(
    wired: Workspace, feeds: FeedServer, mail: MailServer, hook: HookServer
) -> None:
    _die(wired, "before", "EntryObserved")
    assert wired.entries() == []
    _complete(wired, mail, hook)


def test_crash_matrix_04_inside_the_append_the_whole_batch_is_absent(
    wired: Workspace, mail: MailServer, hook: HookServer
) -> None:
    _die(wired, "before", "EntryMatched")
    assert len(wired.entries()) == 41
    assert wired.list("alerts") == []
    assert wired.log("EntryMatched", "StoryStarted", "AlertRaised") == []
    _complete(wired, mail, hook)


def test_crash_matrix_05_committed_but_not_told_is_not_appended_twice(
    wired: Workspace, feeds: FeedServer, mail: MailServer, hook: HookServer
) -> None:
    _die(wired, "after", "EntryObserved")
    head = wired.status()["position"]
    wired.ok("ingest")
    assert len([event for event in wired.log("EntryObserved") if event["position"] > head]) == 0
    _complete(wired, mail, hook)


def test_crash_matrix_06_validators_come_with_the_entries_or_not_at_all(
    wired: Workspace, feeds: FeedServer, mail: MailServer, hook: HookServer
) -> None:
    _die(wired, "before", "EntryObserved")
    wired.once()
    answers = [request.status for request in feeds.asked("/feed.xml")]
    assert answers == [200, 200], "a 304 would have hidden the entries"
    assert "if-none-match" not in feeds.asked("/feed.xml")[1].headers
    _finished(wired, mail, hook)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_crash_matrix_12_mid_rule_load_old_or_new_rules_hold_everywhere(
    wired: Workspace, moment: str, mail: MailServer, hook: HookServer, feeds: FeedServer
) -> None:
    wired.once()
    wired.theme(when='"copper pipes"')
    wired.theme("second", when='"copper kettles"')
    _die(wired, moment, "RuleBookAdopted")
    adopted = wired.log("RuleBookAdopted")
    assert len(adopted) == (1 if moment == "before" else 2)
    if moment == "after":
        assert set(adopted[1]["data"]["changed"]) == {"themes/machines.yaml", "themes/second.yaml"}
    wired.once()
    assert len(wired.log("RuleBookAdopted")) == 2
    _finished(wired, mail, hook)


def test_crash_matrix_13_match_found_but_alert_not_raised(wired: Workspace, mail: MailServer, hook: HookServer) -> None:
    _die(wired, "before", "AlertRaised")
    assert wired.list("alerts") == []
    _complete(wired, mail, hook)
    assert len(wired.log("EntryMatched")) == 1


def test_crash_matrix_14_within_the_group_wait_the_group_and_its_deadline_stay(
    work: Workspace, mail: MailServer, clock: WallClock
) -> None:
    work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    work.receivers({"desk": {"email": {"to": ["desk@example.org"]}, "schedule": "immediate", "group_wait": "4m"}})
    work.theme()
    work.sources(folder=True)
    with work.daemon(env=clock.env) as daemon:
        daemon.ready()
        work.write("seeds/documents/one.txt", DOCUMENT.format(title="First"))
        await_that(lambda: work.list("alerts"), within=15, what="the first alert")
        daemon.kill()
    clock.shift(120)
    with work.daemon(env=clock.env) as daemon:
        daemon.ready()
        work.write("seeds/documents/two.txt", DOCUMENT.format(title="Second"))
        await_that(lambda: len(work.list("alerts")) == 2, within=15, what="the second alert")
        assert mail.box == []
        clock.shift(241)
        [got] = await_that(lambda: mail.box, within=15, what="one mail at the first alert's deadline")
        assert "First" in got.part("plain") and "Second" in got.part("plain")
        daemon.stop()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_crash_matrix_15_an_acknowledgement_is_recorded_or_refused_never_half(wired: Workspace, moment: str) -> None:
    wired.once()
    [alert] = wired.list("alerts")
    _die(wired, moment, "AlertAcknowledged", "ack", alert["alert_id"], "--close")
    [alert] = wired.list("alerts")
    assert alert["state"] == ("open" if moment == "before" else "closed")
    wired.ok("ack", alert["alert_id"], "--close")
    assert [event["type"] for event in wired.log("AlertAcknowledged", "AlertClosed")] == [
        "AlertAcknowledged", "AlertClosed",
    ]  # fmt: skip
    wired.verify()


def test_crash_matrix_16_before_the_window_closes(wired: Workspace, mail: MailServer, hook: HookServer) -> None:
    _die(wired, "before", "WindowClosed")
    assert wired.log("WindowClosed") == []
    _complete(wired, mail, hook)
    windows = [event["data"]["window_id"] for event in wired.log("WindowClosed")]
    assert len(windows) == len(set(windows))


def test_crash_matrix_17_window_closed_but_not_composed(wired: Workspace, mail: MailServer, hook: HookServer) -> None:
    _die(wired, "before", "DigestComposed")
    assert mail.box == [] and hook.calls == []
    _complete(wired, mail, hook)
    for event in wired.log("DigestComposed"):
        rebuilt = wired.ok("digest", "rebuild", event["data"]["digest_id"])
        assert event["data"]["content_hash"] in rebuilt.out + rebuilt.err


def test_crash_matrix_18_composed_but_not_attempted_is_sent_once(
    wired: Workspace, mail: MailServer, hook: HookServer
) -> None:
    _die(wired, "after", "DigestComposed")
    assert mail.box == [] and hook.calls == []
    _complete(wired, mail, hook)


def test_crash_matrix_19_attempt_recorded_but_nothing_sent(
    wired: Workspace, mail: MailServer, hook: HookServer
) -> None:
    _die(wired, "after", "DeliveryAttempted")
    _complete(wired, mail, hook)


def test_crash_matrix_19_attempt_recorded_is_held_where_the_receiver_says_hold(
    work: Workspace, hook: HookServer, clock: WallClock
) -> None:
    work.receivers({"duty": {"webhook": {"url": hook.url}, "on_unknown": "hold", **NOW}})
    work.theme()
    work.sources(folder=True)
    work.write("seeds/documents/one.txt", DOCUMENT.format(title="First"))
    _die(work, "before", "DigestDelivered")
    assert len(hook.calls) == 1
    clock.shift(86400)
    work.once(env=clock.env)
    assert len(hook.calls) == 1, "crash matrix 20: none under hold"
    [row] = work.list("deliveries")
    assert row["state"] == "held"
    work.ok("deliveries", "release", row["delivery_id"])
    work.once(env=clock.env)
    assert len(hook.calls) == 2
    assert len({(call.id, call.body) for call in hook.calls}) == 1


def test_crash_matrix_20_accepted_but_not_recorded_is_sent_at_most_twice_under_one_id(
    wired: Workspace, mail: MailServer, hook: HookServer
) -> None:
    _die(wired, "before", "DigestDelivered")
    assert len(mail.box) + len(hook.calls) >= 1
    wired.once()
    _finished(wired, mail, hook)
    assert len({mail.raw for mail in mail.box}) == len({call.body for call in hook.calls}) == 1
    assert len(mail.box) <= 2 and len(hook.calls) <= 2


def test_crash_matrix_21_a_permanent_failure_is_never_resent_by_itself(
    wired: Workspace, mail: MailServer, hook: HookServer, clock: WallClock
) -> None:
    hook.status = 400
    _die(wired, "after", "DeliveryFailed")
    calls = len(hook.calls)
    hook.status = 200
    clock.shift(3 * 86400)
    wired.once(env=clock.env)
    assert len(hook.calls) == calls == 1


def test_crash_matrix_24_down_for_seven_days_sends_one_merged_digest(
    work: Workspace, mail: MailServer, clock: WallClock
) -> None:
    work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    work.receivers({"desk": {"email": {"to": ["desk@example.org"]}, "schedule": {"at": ["07:00"], "time_zone": "UTC"}}})
    work.theme()
    work.sources(folder=True)
    work.write("seeds/documents/one.txt", DOCUMENT.format(title="First"))
    _die(work, "after", "AlertRaised")
    assert mail.box == []
    clock.shift(7 * 86400)
    work.write("seeds/documents/two.txt", DOCUMENT.format(title="Second"))
    work.once(env=clock.env)
    work.once(env=clock.env)
    assert len(mail.box) == 1, "eight mornings passed, one digest is sent"
    clock.shift(8 * 86400)
    work.once(env=clock.env)
    told = [got.part("plain") for got in mail.box]
    assert told[0].count("First") == 1
    assert [sum(body.count(title) for body in told) for title in ("First", "Second")] == [1, 1]
    work.verify()


def test_crash_matrix_25_a_restored_backup_sends_nothing_until_released(
    wired: Workspace, mail: MailServer, hook: HookServer, feeds: FeedServer
) -> None:
    _die(wired, "after", "DigestComposed")
    backup = wired.home.parent / "backup.db"
    wired.ok("backup", str(backup))
    wired.once()
    _finished(wired, mail, hook)
    head = wired.log()[-1]["hash"]
    wired.ok("restore", str(backup))
    wired.once()
    assert (len(mail.box), len(hook.calls)) == (1, 1), "sent from a restored backup"
    missing = wired.run("verify", "--head", head)
    assert missing.code == 1, "a head that the backup does not know must be reported"
    wired.ok("deliveries", "release", "--all")
    wired.once()
    assert len({got.id for got in mail.box}) == len({call.id for call in hook.calls}) == 1
    wired.verify()
