"""A day in the life of `monitor run`, left running: three feeds in three languages, a mail, an edit, a morning."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from tests.acceptance import texts
from tests.acceptance.feed_server import FeedServer
from tests.acceptance.harness import NOW, WallClock, Workspace, await_that
from tests.acceptance.mail_server import Mail, MailServer

DESK, DAILY = "desk@example.org", "daily@example.org"
INTERVAL = timedelta(minutes=5)
EDITED = """
theme: ferries
title: Ferries
severity: medium
rules:
  - id: sailings
    when: '"паромы" or "ferry timetable" or "渡轮"'
"""


def test_a_day_in_three_languages(work: Workspace, feeds: FeedServer, mail: MailServer, clock: WallClock) -> None:
    begin = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    shift = begin - datetime.now(UTC)
    clock.shift(shift.total_seconds())
    feeds.add("/ministry.xml", "Ministry of Trade", items=texts.ministry(begin))
    feeds.add("/vesti.atom", "Вести порта", form="atom", language="ru", items=texts.outlet(begin))
    feeds.add("/xinwen.xml", "海港新闻", language="zh", items=texts.chinese(begin))
    work.shipped_rules()
    work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    work.receivers(
        {
            "desk": {"email": {"to": [DESK]}, **NOW},
            "daily": {"email": {"to": [DAILY]}, "schedule": {"at": ["07:00"], "time_zone": "UTC"}},
        }
    )
    work.sources(
        ("ministry", feeds.url("/ministry.xml")),
        ("vesti", feeds.url("/vesti.atom")),
        ("xinwen", feeds.url("/xinwen.xml")),
    )
    with work.daemon(env=clock.env) as daemon:
        daemon.ready()
        await_that(lambda: len(work.entries()) == 56, within=30, what="all three feeds are read")
        assert mail.box == []

        # an item on the theme in each language: within one interval and a minute the mail is there
        for path, name in (("/ministry.xml", "ministry"), ("/vesti.atom", "outlet"), ("/xinwen.xml", "chinese")):
            feeds.publish(path, texts.on_theme(name, begin))
        shift += INTERVAL - timedelta(seconds=1)  # a larger leap would be doubted for a minute
        clock.shift(shift.total_seconds())
        told = _await_titles(mail, DESK, [texts.ON_THEME[name][0] for name in ("ministry", "outlet", "chinese")])
        _assert_complete(told, feeds)

        # the theme is edited: the next item follows the new rule
        adopted = len(work.log("RuleBookAdopted"))
        work.write("rules/themes/ferries.yaml", EDITED)
        await_that(lambda: len(work.log("RuleBookAdopted")) > adopted, within=10, what="the edit is adopted")
        item = texts.Item("ferry-1", "Winter ferry timetable published", ("Sailings twice a day.",), begin)
        feeds.publish("/ministry.xml", item)
        shift += INTERVAL - timedelta(seconds=1)
        clock.shift(shift.total_seconds())
        _await_titles(mail, DESK, [item.title])

        # a day later the daily digest holds each once
        shift += timedelta(days=1)
        clock.shift(shift.total_seconds())
        start = time.monotonic()
        [digest] = await_that(lambda: mail.to(DAILY), within=100, what="the daily digest")
        assert time.monotonic() - start > 30, "a leap of a day was believed at once"
        for title in (*(texts.ON_THEME[name][0] for name in texts.ON_THEME), item.title):
            assert digest.part("plain").count(title) == 1, title
            assert title in digest.shown
        assert daemon.alive
        daemon.stop()
    assert len(mail.to(DAILY)) == 1
    assert sum(got.part("plain").count(item.title) for got in mail.to(DESK)) == 1
    work.verify()


def _await_titles(mail: MailServer, address: str, titles: list[str]) -> list[Mail]:
    """The mails to this address, once they tell of all these titles; each of them in one mail."""

    def there() -> list[Mail] | None:
        bodies = [got.part("plain") for got in mail.to(address)]
        return mail.to(address) if all(any(title in body for body in bodies) for title in titles) else None

    mails = await_that(there, within=60, what=f"mail about {titles}") or []
    for title in titles:
        assert sum(title in got.part("plain") for got in mails) == 1
    return mails


def _assert_complete(mails: list[Mail], feeds: FeedServer) -> None:
    """Link, source, date, the marked sentence and the reason, in both parts."""
    plain = "\n".join(got.part("plain") for got in mails)
    html = "\n".join(got.part("html") for got in mails)
    for name in texts.ON_THEME:
        assert f"{feeds.base}/read/flagged-{name}" in plain
        assert f"{feeds.base}/read/flagged-{name}" in html
    for source in ("ministry", "vesti", "xinwen"):
        assert source in plain and source in html
    for word in ("machine tools", "товары двойного назначения", "两用物项"):
        assert word in plain
    assert "<mark" in html or "<strong" in html or "<b" in html
    assert " and " in plain, "the reason: the rule as its author wrote it"
