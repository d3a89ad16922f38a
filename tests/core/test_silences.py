"""Which silence hides what."""

from datetime import timedelta
from typing import Any

import pytest

from monitor.core.silences import fits, hiding, overdue
from monitor.core.views import SilenceRow
from monitor.matching.model import Severity
from tests.fakes import START

HOUR = timedelta(hours=1)


def silence(name: str = "sil-1", **fields: Any) -> SilenceRow:
    defaults = {
        "silence_id": name, "theme": None, "source": None, "rule": None, "at_most": None, "until": START + HOUR,
        "reason": "known", "actor": "ann", "added_at": START, "state": "active", "expired_at": None, "hidden": 0,
        "position": 1,
    }  # fmt: skip
    return SilenceRow(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"theme": "ports"}, True),
        ({"theme": "trade"}, False),
        ({"source": "port-news"}, True),
        ({"source": "other"}, False),
        ({"rule": "goods"}, False),  # another rule was met, too
        ({"at_most": Severity.HIGH}, True),
        ({"at_most": Severity.MEDIUM}, False),
        ({"theme": "ports", "source": "other"}, False),
        ({"theme": "ports", "source": "port-news", "at_most": Severity.CRITICAL}, True),
    ],
)
def test_all_that_a_silence_names_must_be_so(fields: dict[str, Any], expected: bool) -> None:
    assert fits(silence(**fields), "ports", "port-news", ("goods", "listed"), Severity.HIGH) is expected


def test_a_silenced_rule_hides_what_met_it_alone() -> None:
    assert fits(silence(rule="goods"), "ports", "port-news", ("goods",), Severity.HIGH)


def test_it_hides_until_its_time_is_up_and_not_once_it_was_ended() -> None:
    rows = [silence(theme="ports")]
    asked = ("ports", "port-news", ("goods",), Severity.HIGH)
    assert hiding(rows, *asked, START) == "sil-1"
    assert hiding(rows, *asked, START + HOUR) is None
    assert hiding([silence(theme="ports", state="expired")], *asked, START) is None


def test_of_several_the_one_that_lasts_longest_is_named() -> None:
    rows = [silence("sil-1"), silence("sil-2", until=START + 2 * HOUR), silence("sil-3", until=START)]
    assert hiding(rows, "ports", "port-news", (), Severity.LOW, START) == "sil-2"


def test_what_is_overdue() -> None:
    rows = [silence("sil-1"), silence("sil-2", state="expired"), silence("sil-3", until=START + 2 * HOUR)]
    assert [row.silence_id for row in overdue(rows, START + HOUR)] == ["sil-1"]
