"""`monitor silence add`, `expire`, `preview` and `monitor silences`, over a real home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.app import open_store_to_write
from monitor.cli import context
from monitor.core import events as ev
from monitor.core.alerts import alert_id
from monitor.core.entries import Arrival
from monitor.matching.model import Severity
from monitor.ports import Commit
from monitor.settings import load_settings
from tests.acceptance.harness import Workspace

THEME = ("--theme", "machines")


@pytest.fixture
def home(work: Workspace) -> Iterator[Workspace]:
    """A home with two alerts in its log."""
    store = open_store_to_write(load_settings(work.home))
    for number, severity in enumerate((Severity.LOW, Severity.HIGH), 1):
        story = f"sto-{number}"
        raised = ev.AlertRaised(
            alert_id=alert_id("machines", story), theme="machines", theme_title="Machines", severity=severity,
            title=f"Alert number {number}", reason=ev.AlertReason.FIRST_MATCH, story_id=story,
            entry_id=f"ent-{number}", source_id="port-news", rules=("only",), arrival=Arrival.NEW,
        )  # fmt: skip
        store.append(Commit(events=(ev.NewEvent(stream=f"alert/{raised.alert_id}", event=raised),)))
    store.close()
    yield work
    context.given_home = None


def test_a_silence_from_preview_to_its_end(home: Workspace, tmp_path: Path) -> None:
    seen = home.look("silence", "preview", *THEME)
    assert seen.code == 0
    assert seen.out.startswith("2 alerts in the last 30 days: 1 high, 1 low\n")
    assert "Alert number 1" in seen.out

    added = home.look("silence", "add", *THEME, "--at-most", "medium", "--for", "8h", "--reason", "known since Monday")
    assert added.code == 0
    [row] = home.list("silences")
    assert row["silence_id"] == added.out.split()[0]
    assert {key: row[key] for key in ("state", "theme", "at_most", "reason", "hidden", "rule", "source")} == {
        "state": "active", "theme": "machines", "at_most": "medium", "reason": "known since Monday", "hidden": 0,
        "rule": None, "source": None,
    }  # fmt: skip
    assert row["actor"]
    assert home.list("silences", *THEME) == [row]
    assert home.list("silences", "--theme", "other") == []
    assert home.list("silences", "--as-of", str(row["position"] - 1)) == []
    shown = home.look("silences", "--active").out
    assert "theme machines, at most medium" in shown
    assert "known since Monday" in shown

    assert home.status()["silences"] == 1
    assert "silences: 1" in home.look("status").out
    whole = home.look("show", row["silence_id"]).out
    assert "known since Monday" in whole
    assert "SilenceAdded" in whole

    assert home.look("silence", "expire", row["silence_id"]).out.startswith("ended, position ")
    assert home.look("silence", "expire", row["silence_id"]).out.startswith("it was over already, position ")
    assert [row["state"] for row in home.list("silences")] == ["expired"]
    assert home.look("silences", "--active").out == ""
    assert [event["actor"] for event in home.log("SilenceAdded", "SilenceExpired")] == [row["actor"]] * 2


def test_a_preview_by_severity_as_json(home: Workspace) -> None:
    rows = home.list("silence", "preview", "--at-most", "low")
    assert [row["title"] for row in rows] == ["Alert number 1"]
    assert home.look("silence", "preview", "--rule", "other").out == "0 alerts in the last 30 days\n"


def test_a_preview_that_is_cut_says_so(home: Workspace) -> None:
    shown = home.look("silence", "preview", *THEME, "--limit", "1").out
    assert "Alert number 2" in shown
    assert "Alert number 1" not in shown
    assert "+1 earlier ones" in shown


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--for", "8h", "--reason", "x"), 2, "would silence everything"),
        ((*THEME, "--reason", "x"), 2, "say how long"),
        ((*THEME, "--for", "8h", "--until", "2026-01-01", "--reason", "x"), 2, "say how long"),
        ((*THEME, "--for", "soon", "--reason", "x"), 2, "'soon' is no span of time"),
        ((*THEME, "--for", "9999w", "--reason", "x"), 2, "within 366 days"),
        ((*THEME, "--until", "2001-01-01", "--reason", "x"), 2, "ends after now"),
        ((*THEME, "--for", "8h", "--reason", ""), 2, "needs a reason"),
        ((*THEME, "--for", "8h"), 2, "reason"),
        (("--theme", "machnies", "--for", "8h", "--reason", "x"), None, "there is no theme 'machnies'"),
    ],
)
def test_what_is_no_silence_is_refused_in_one_line(
    home: Workspace, words: tuple[str, ...], code: int | None, said: str
) -> None:
    done = home.look("silence", "add", *words)
    assert done.code == code or (code is None and done.code != 0)
    assert said in done.err
    assert not home.list("silences")


def test_alerts_without_a_route_are_counted_in_status(home: Workspace) -> None:
    assert home.status()["unrouted_alerts"] == 0
    home.receivers({"desk": {"outbox": "state/desk"}}, [{"themes": ["machines"], "at_least": "high", "to": ["desk"]}])
    assert home.look("rebuild", "silences").code == 0  # an act: it adopts the files
    assert home.status()["unrouted_alerts"] == 1
    assert "2, 1 of them without a route" in home.look("status").out
