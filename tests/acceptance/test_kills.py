"""SIGKILL at random moments, over and over: in the end everything was observed once and told, and the log is whole."""

from __future__ import annotations

import contextlib
import random
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest

from monitor import control
from monitor.errors import MonitorError
from tests.acceptance import texts
from tests.acceptance.feed_server import FeedServer
from tests.acceptance.harness import NOW, Workspace, await_that
from tests.acceptance.hook_server import HookServer
from tests.acceptance.mail_server import MailServer

PATHS = ("/one.xml", "/two.atom")
FLAGGED_EVERY = 5
IN_FULL = 20  # so many alerts a mail surely names


@pytest.mark.parametrize(
    ("kills", "entries", "seed"),
    [
        pytest.param(25, 250, 1, id="25"),
        pytest.param(300, 2000, 2, id="300", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_kills_at_random_moments_lose_nothing_and_repeat_nothing_unmarked(
    work: Workspace, feeds: FeedServer, mail: MailServer, hook: HookServer, kills: int, entries: int, seed: int
) -> None:
    chance = random.Random(seed)
    for number, path in enumerate(PATHS):
        feeds.add(path, f"Feed {number}", form="atom" if path.endswith("atom") else "rss", window=150)
    work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    work.receivers(
        {
            "desk": {"email": {"to": ["desk@example.org", "duty@example.org"]}, **NOW},
            "hook": {"webhook": {"url": hook.url, "secret": "${HOOK_SECRET}"}, **NOW},
        }
    )
    work.theme()
    work.sources(("one", feeds.url(PATHS[0])), ("two", feeds.url(PATHS[1])))
    published = 0
    for kill in range(kills):
        upto = entries * (kill + 1) // kills
        _publish(feeds, range(published, upto))
        published = upto
        with work.daemon() as daemon:
            daemon.ready()
            asked = threading.Thread(target=_ingest, args=(work,), daemon=True)
            asked.start()
            # random moments are what this proof is about: from before the fetch to long after the sending
            asked.join(chance.uniform(0, 1.2))
            daemon.kill()
            asked.join(15)
        work.verify()
    with work.daemon() as daemon:
        daemon.ready()
        _ingest(work)
        await_that(lambda: _settled(work), within=120, what="everything is sent")
        daemon.stop()
    work.verify()
    _assert_all_observed_once(work, entries)
    _assert_all_told(work, mail, hook)


def _publish(feeds: FeedServer, numbers: Iterable[int]) -> None:
    for n in numbers:
        item = texts.numbered(n, texts.utc_now(), flagged=n % FLAGGED_EVERY == 0)
        feeds.publish(PATHS[n % len(PATHS)], item)


def _ingest(work: Workspace) -> None:
    """What `monitor ingest` does; the daemon may die in the middle of it."""
    with contextlib.suppress(MonitorError):
        control.ask(work.home / "state", "ingest", {"items": []}, actor="user:test")


def _settled(work: Workspace) -> bool:
    alerts, told = len(work.list("alerts")), work.log("AlertRaised")
    # Deliveries last: a window that closed a moment ago has planned some.
    return (
        alerts == len(told)
        and _all_windows_closed(work)
        and {row["state"] for row in work.list("deliveries")} == {"delivered"}
    )


def _all_windows_closed(work: Workspace) -> bool:
    last = max((event["position"] for event in work.log("AlertRaised")), default=0)
    upto: dict[str, int] = defaultdict(int)
    for event in work.log("WindowClosed"):
        upto[event["data"]["receiver"]] = max(upto[event["data"]["receiver"]], event["data"]["upto"])
    return len(upto) == 2 and min(upto.values()) >= last


def _assert_all_observed_once(work: Workspace, entries: int) -> None:
    seen = Counter(event["data"]["raw_id"].rpartition(":")[2] for event in work.log("EntryObserved"))
    assert set(seen) == {f"numbered-{n:05d}" for n in range(entries)}
    assert set(seen.values()) == {1}
    flagged = Counter(alert["title"].split(":")[0] for alert in work.list("alerts"))
    assert flagged == Counter(f"Notice {n}" for n in range(0, entries, FLAGGED_EVERY))


def _assert_all_told(work: Workspace, mail: MailServer, hook: HookServer) -> None:
    """Each peer has every alert in one digest; what came twice came under the same id with the same bytes."""
    alerts = {alert["alert_id"]: alert["title"] for alert in work.list("alerts")}
    digests = {event["data"]["digest_id"]: event["data"]["content"] for event in work.log("DigestComposed")}
    for address in ("desk@example.org", "duty@example.org"):
        mails = {got.id: got for got in mail.to(address)}
        planned = {row["delivery_id"] for row in work.list("deliveries") if row["recipient"] == address}
        assert {delivery for delivery in planned if not any(delivery in id for id in mails)} == set(), "never came"
        assert len({(got.id, got.raw) for got in mail.to(address)}) == len(mails), "the same id, other bytes"
        told: Counter[str] = Counter()
        for got in mails.values():
            held = set(re.findall(r"alr-[0-9a-f]{20}", digests[str(got.message["X-Monitor-Digest"])]))
            told.update(held)
            if len(held) <= IN_FULL:
                assert [alerts[alert] for alert in held if alerts[alert] not in got.part("plain")] == []
        assert told == Counter(list(alerts)), f"each alert once to {address}"
    assert all(call.verified for call in hook.calls)
    calls = {call.id: call for call in hook.accepted}
    assert len({(call.id, call.body) for call in hook.accepted}) == len(calls), "the same id, other bytes"
    assert Counter(alert["alert_id"] for call in calls.values() for alert in call.json["data"]["alerts"]) == Counter(
        list(alerts)
    )
    assert {call.id for call in hook.calls} <= {row["delivery_id"] for row in work.list("deliveries")}
