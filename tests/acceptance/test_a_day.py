"""A day in the life of `monitor run`, left running: three feeds in three languages, a mail, an edit, a morning."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

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
ON_FERRIES = {
    "/ministry.xml": ("Winter ferry timetable published", "Sailings twice a day.", "ferry timetable"),
    "/vesti.atom": ("Зимой паромы ходят реже", "Рейсы два раза в день.", "паромы"),
    "/xinwen.xml": ("冬季渡轮时刻表公布", "每天两班。", "渡轮"),
}
"""Where it is published, its title, its text, and the words of the title that the edited rule finds."""
FEEDS = {"/ministry.xml": "ministry", "/vesti.atom": "outlet", "/xinwen.xml": "chinese"}
MARKED = {"ministry": "machine tools", "outlet": "двойного назначения", "chinese": "两用物项"}


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path, passing=True)


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
        for path, name in FEEDS.items():
            feeds.publish(path, texts.on_theme(name, begin))
        shift += INTERVAL
        clock.shift(shift.total_seconds())
        on_theme = [texts.ON_THEME[name][0] for name in FEEDS.values()]
        told = _await_titles(mail, DESK, on_theme)
        _assert_complete(told, feeds)

        # the theme is edited: the next item follows the new rule, in each language
        adopted = len(work.log("RuleBookAdopted"))
        work.write("rules/themes/ferries.yaml", EDITED)
        await_that(lambda: len(work.log("RuleBookAdopted")) > adopted, within=10, what="the edit is adopted")
        for path, (title, text, _) in ON_FERRIES.items():
            feeds.publish(path, texts.Item("ferry-1", title, (text,), begin))
        shift += INTERVAL
        clock.shift(shift.total_seconds())
        on_ferries = [title for title, _, _ in ON_FERRIES.values()]
        told = _await_titles(mail, DESK, on_ferries)
        for _, _, words in ON_FERRIES.values():
            assert words in _marked(told)

        # a day later the daily digest holds each once
        shift += timedelta(days=1)
        clock.shift(shift.total_seconds())
        [digest] = await_that(lambda: mail.to(DAILY), within=60, what="the daily digest")
        for title in (*on_theme, *on_ferries):
            assert digest.part("plain").count(title) == 1, title
            assert title in digest.shown
        assert daemon.alive
        daemon.stop()
    assert len(mail.to(DAILY)) == 1
    for title in (*on_theme, *on_ferries):
        assert sum(got.part("plain").count(title) for got in mail.to(DESK)) == 1, title
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
    for words in MARKED.values():
        assert f"*{words}*" in plain
        assert words in _marked(mails)
    assert " and " in plain, "the reason: the rule as its author wrote it"


def _marked(mails: list[Mail]) -> set[str]:
    """The words that stand out in the HTML parts."""
    return {words for got in mails for words in re.findall(r'<span class="mark"[^>]*>([^<]*)</span>', got.part("html"))}
