"""The daemon's manners: one at a time, acts handed over, an orderly stop, nothing left behind when killed."""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
from pathlib import Path

import pytest

from tests.acceptance import feed_server, texts
from tests.acceptance.feed_server import FeedServer
from tests.acceptance.harness import NOW, Workspace, await_that
from tests.acceptance.hook_server import HookServer
from tests.acceptance.mail_server import MailServer, Manner
from tests.conftest import absent

DOCUMENT = "{title}\n\nCustoms found machine tools on the way to Russia.\n"


@pytest.fixture
def simple(work: Workspace) -> Workspace:
    work.theme()
    work.sources(folder=True)
    work.write("seeds/documents/one.txt", DOCUMENT.format(title="First"))
    return work


def test_commands_hand_their_acts_to_the_running_daemon_and_a_second_writer_is_refused(
    simple: Workspace, tmp_path: Path
) -> None:
    with simple.daemon() as daemon:
        daemon.ready()
        [alert] = await_that(lambda: simple.list("alerts"), within=15, what="the seed is flagged")
        socket_path = simple.home / "state" / "monitor.sock"
        assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600

        for command in (("run",), ("run", "--once"), ("run", "--until-idle")):
            second = simple.run(*command, within=20)
            assert second.code == 75
            assert str(daemon.process.pid) in second.err

        given = tmp_path / "given.txt"
        given.write_text(DOCUMENT.format(title="Given by hand"))
        answered = simple.ok("ingest", str(given))
        assert re.search(r"\d+", answered.out), "the position it answers"
        simple.ok("ack", alert["alert_id"])
        simple.ok("verdict", alert["alert_id"], "relevant", "--note", "seen")
        simple.ok("rebuild")
        unknown = simple.run("ack", "alert-that-is-not")
        assert unknown.code == 1
        assert "alert-that-is-not" in unknown.err

        alerts = {row["title"]: row["state"] for row in simple.list("alerts")}
        assert alerts == {"First": "acknowledged", "Given by hand": "open"}
        [verdict] = simple.log("VerdictGiven")
        assert verdict["actor"].startswith("user:")
        assert verdict["data"]["note"] == "seen"
        assert simple.status()["open_alerts"] == 1
        daemon.stop()
    simple.verify()
    simple.once()


def test_sigterm_drains_and_ends_within_ten_seconds_whatever_hangs(
    work: Workspace, feeds: FeedServer, mail: MailServer, hook: HookServer
) -> None:
    feeds.add("/hang.xml", behaviour=feed_server.hang)
    mail.manner, hook.status = Manner.SLOW, None
    work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    work.receivers(
        {
            "desk": {"email": {"to": ["desk@example.org"]}, **NOW},
            "duty": {"webhook": {"url": hook.url, "secret": "${HOOK_SECRET}"}, **NOW},
        }
    )
    work.theme()
    work.sources(("hanging", feeds.url("/hang.xml")), folder=True)
    work.write("seeds/documents/one.txt", DOCUMENT.format(title="First"))
    with work.daemon() as daemon:
        daemon.ready()
        await_that(
            lambda: mail.box and hook.calls and feeds.arrived.acquire(blocking=False), within=20, what="all three hang"
        )
        assert daemon.stop(within=11) < 10
    work.verify()
    # what hung is not lost: the peers may have it, so it goes again under the same id
    mail.manner, hook.status = Manner.ACCEPT, 200
    work.ok("run", "--until-idle", within=120)
    assert {row["state"] for row in work.list("deliveries")} == {"delivered"}
    assert len({got.id for got in mail.box}) == len({call.id for call in hook.calls}) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_daemon_stops_at_once(simple: Workspace, number: int) -> None:
    with simple.daemon() as daemon:
        daemon.ready()
        daemon.signal(number)
        assert daemon.process.wait(5) == 0


def test_a_killed_daemon_leaves_no_process_behind(work: Workspace, feeds: FeedServer) -> None:
    feeds.add("/good.xml", items=texts.ministry(texts.utc_now()))
    work.theme()
    work.sources(("good", feeds.url("/good.xml")))
    with work.daemon() as daemon:
        daemon.ready()
        await_that(lambda: len(work.entries()) == 40, within=20, what="the feed is read")
        os.kill(daemon.process.pid, signal.SIGKILL)  # the daemon alone, as the kernel would when memory runs out
        daemon.process.wait(5)
        await_that(lambda: not _session(daemon.process.pid), within=10, what="its workers have ended too")
    with work.daemon() as daemon:
        daemon.ready()
        daemon.stop()


def _session(leader: int) -> list[str]:
    """Processes still alive in the session of a process."""
    if not Path("/proc").is_dir():
        return []
    alive = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(session) == leader and state != "Z":
            alive.append((folder / "cmdline").read_text().replace("\0", " "))
    return alive


def test_until_idle_ends_when_all_is_sent(work: Workspace, feeds: FeedServer, mail: MailServer) -> None:
    feeds.add("/good.xml", items=[texts.numbered(5, texts.utc_now(), flagged=True)])
    work.env |= {"MONITOR_SMTP_URL": mail.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    work.receivers({"desk": {"email": {"to": ["desk@example.org"]}, "schedule": "immediate", "group_wait": "3s"}})
    work.theme()
    work.sources(("good", feeds.url("/good.xml")))
    done = work.ok("run", "--until-idle", within=60)
    assert len(mail.box) == 1
    assert done.seconds < 30


def test_ready_comes_soon_and_names_the_position(simple: Workspace) -> None:
    simple.once()
    with simple.daemon() as daemon:
        daemon.ready()
        line = daemon.await_said(r"^ready position=")
        assert int(line.rpartition("=")[2]) >= simple.status()["position"] > 0
        daemon.stop()


def test_memory_and_processor_rest_when_idle(simple: Workspace) -> None:
    if not Path("/proc/self/stat").is_file():
        absent("/proc is not there")
    simple.once()
    with simple.daemon() as daemon:
        daemon.ready()
        await_that(lambda: daemon.processor_seconds(2) < 0.1, within=20, what="it takes under 5% of one processor")
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        rss = next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
        assert rss < 150 * 1024
        daemon.stop()


def test_python_m_and_the_console_script_are_the_same_command(simple: Workspace) -> None:
    script = Path(sys.executable).with_name("monitor")
    assert simple.ok("--version").out == simple.ok(command=[str(script), "--version"]).out


@pytest.mark.parametrize(("words", "code"), [(("alerts", "--limit", "-1"), 2), (("alerts",), 69)])
def test_exit_codes_reach_the_shell(work: Workspace, words: tuple[str, ...], code: int) -> None:
    """Those that the other tests do not see there: the words do not fit, nothing was stored yet."""
    done = work.run(*words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("monitor: ") and done.err.count("\n") == 1
