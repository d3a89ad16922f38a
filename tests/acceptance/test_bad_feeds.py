"""Feeds at their worst, all at once, in one daemon beside a good one: each stops only itself and is reported once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.acceptance import feed_server, texts
from tests.acceptance.feed_server import FeedServer
from tests.acceptance.harness import Daemon, Workspace, await_that

BEHAVIOURS = {
    "html": feed_server.html,
    "empty": feed_server.body(b""),
    "truncated": feed_server.truncated,
    "bomb": feed_server.entity_bomb,
    "binary": feed_server.body(bytes(range(256)) * 40),
    "hanging": feed_server.hang,
    "dripping": feed_server.drip,
    "endless": feed_server.endless,
    "broken": feed_server.status(500),
    "busy": feed_server.status(503, Retry_After="3600"),
    "absent": feed_server.status(404),
    "gone": feed_server.status(410),
    "looping": feed_server.status(302, Location="/looping"),
    "escaping": feed_server.status(302, Location="http://169.254.169.254/latest/meta-data/"),
    "reading-files": feed_server.status(302, Location="file:///etc/passwd"),
}


@dataclass
class Hostile:
    """The daemon amid all of them, once every source had its turn."""

    work: Workspace
    daemon: Daemon
    server: FeedServer

    def reason(self, source: str) -> str:
        """Why the source failed, as the log has it; it must be there exactly once."""
        reasons = [
            event["data"]["reason"]
            for event in self.work.log("SourceFailed", "SourceGone")
            if event["data"]["source_id"] == source
        ]
        assert len(reasons) == 1, f"{source}: {reasons}"
        return str(reasons[0])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    work = Workspace(tmp_path_factory.mktemp("hostile") / "home")
    work.theme()
    now = texts.utc_now()
    with FeedServer() as server:
        for name, behaviour in BEHAVIOURS.items():
            server.add(f"/{name}", items=texts.ministry(now), behaviour=behaviour)
        server.add("/good", items=texts.ministry(now))
        server.add("/new-home", items=texts.ministry(now))
        server.add("/moved", behaviour=feed_server.status(301, Location="/new-home"))
        work.sources(*((name, server.url(f"/{name}")) for name in (*BEHAVIOURS, "good", "moved")))
        with work.daemon() as daemon:
            daemon.ready()
            hostile = Hostile(work, daemon, server)
            failed = lambda: {  # noqa: E731
                event["data"]["source_id"] for event in work.log("SourceFailed", "SourceGone")
            }
            await_that(lambda: failed() >= set(BEHAVIOURS), within=100, what="every bad feed had its turn")
            for name in ("hanging", "dripping", "endless"):  # seen; from now on they shall not take half a minute each
                server.feed(f"/{name}").behaviour = feed_server.status(500)
            yield hostile
            daemon.stop()


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("html", "is an HTML page, not a feed"),
        ("empty", "is empty"),
        ("truncated", "the connection broke off: peer closed connection"),
        ("bomb", "declares XML entities"),
        ("binary", "is neither XML nor JSON, so no feed"),
        ("hanging", "silence for 20 s"),
        ("dripping", "no complete answer within 30 s"),
        ("endless", "the answer has more than 16,000,000 bytes; reading stopped"),
        ("broken", "HTTP 500 (internal server error)"),
        ("busy", "HTTP 503 (service unavailable)"),
        ("absent", "HTTP 404 (not found)"),
        ("gone", "HTTP 410 (gone)"),
        ("looping", "more than 10 redirects"),
        ("escaping", "169.254.169.254 is a private or reserved address"),
        ("reading-files", "redirects to file:/etc/passwd, which is not a http or https address"),
    ],
)
def test_a_bad_feed_is_reported_once_with_its_cause(hostile: Hostile, source: str, cause: str) -> None:
    reason = hostile.reason(source)
    assert cause in reason
    assert "\n" not in reason
    [row] = [row for row in hostile.work.list("sources") if row["id"] == source]
    assert row["state"] in ("failing", "gone")
    assert row["last_error"] == reason
    assert row["entries"] == 0
    assert (row["next_due"] is None) == (source == "gone")
    said = [line for line in hostile.daemon.said.splitlines() if f"source '{source}'" in line]
    assert len(said) == 1 and reason in said[0]


def test_the_good_feed_beside_them_is_read(hostile: Hostile) -> None:
    assert len(hostile.work.entries("good")) == 40


def test_a_permanently_moved_feed_is_read_where_it_went(hostile: Hostile) -> None:
    [row] = [row for row in hostile.work.list("sources") if row["id"] == "moved"]
    assert (row["state"], row["entries"]) == ("ok", 40)


def test_the_daemon_lives_and_what_comes_later_is_processed(hostile: Hostile) -> None:
    hostile.server.publish("/good", texts.on_theme("ministry", texts.utc_now(), " (bad feeds)"))
    hostile.work.ok("ingest", within=120)
    titles = [alert["title"] for alert in await_that(lambda: hostile.work.list("alerts"), within=15, what="an alert")]
    assert titles == ["Sanctions notice: machine tools diverted to Russia (bad feeds)"]
    assert hostile.daemon.alive
    hostile.work.verify()


def test_the_servers_word_to_wait_holds_even_for_ingest(hostile: Hostile) -> None:
    hostile.work.ok("ingest", within=120)
    assert len(hostile.server.asked("/busy")) == 1
    assert len(hostile.server.asked("/gone")) == 1


def test_memory_stays_small_amid_endless_bodies(hostile: Hostile) -> None:
    with open(f"/proc/{hostile.daemon.process.pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert peak < 400_000  # kB


def test_a_feed_that_heals_is_read_and_its_recovery_is_a_fact(hostile: Hostile) -> None:
    healed = ("html", "empty", "truncated", "broken", "absent")
    for name in healed:
        hostile.server.feed(f"/{name}").behaviour = None
    hostile.work.ok("ingest", within=120)
    recovered = {event["data"]["source_id"] for event in hostile.work.log("SourceRecovered")}
    assert recovered == set(healed)
    assert all(len(hostile.work.entries(name)) == 40 for name in healed)
