"""What an operator is told: which sources fail and why, what is to be mended, in subject, headline and lists."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta
from email.message import EmailMessage

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from monitor.core import digests
from monitor.core.digests import Digest, Notice
from monitor.core.views import SourceRow
from monitor.receivers.render.html import render_html
from monitor.receivers.render.mail import build_mail
from monitor.receivers.render.text import WIDTH, render_text
from tests.fakes import START
from tests.receivers.letters import COMPOSED, digest, message

OFFICIAL = ("bis-press", "eu-council")


def source(id: str, error: str | None = None, *, state: str = "failing", minutes: int = 0) -> SourceRow:
    return SourceRow(
        id=id, kind="feed", location="", state=state if error else "ok", last_error=error, entries=0, position=1,
        since=START + timedelta(minutes=minutes),
    )  # fmt: skip


def notice(kind: str, subject: str = "", detail: str = "no") -> Notice:
    return Notice(kind=kind, subject=subject, detail=detail, at=START)


def told(*notices: Notice, sources: tuple[SourceRow, ...] = (source("a"),), more: int = 0) -> Digest:
    covered = digests.coverage(sources, 0, OFFICIAL)
    return replace(digest(), new=(), notices=notices, more_notices=more, coverage=covered)


def mail_of(composed: Digest) -> EmailMessage:
    built = build_mail(message(composed), sender="m@example.org", to=["a@example.org"])
    return email.message_from_bytes(built, policy=email.policy.default)


def coverage_of(composed: Digest) -> str:
    text = render_text(composed, COMPOSED)
    assert all(cell_len(line) <= WIDTH for line in text.splitlines())
    return text.partition("\nCOVERAGE\n\n")[2].partition("\n\n---")[0]


def test_failing_sources_stand_by_cause_official_ones_first() -> None:
    sources = (
        source("ok"),
        *(source(f"s{n:02}", f"DNS: no answer for 's{n:02}.example.org'", minutes=n) for n in range(48)),
        source("bis-press", "HTTP 503 (service unavailable)"),
        source("eu-council", "DNS: no answer for 'eu.example.org'"),
        source("alone", "DNS: there is no host 'alone.example.org'"),
        source("left", "HTTP 410 (gone)", state="gone"),
    )
    assert (
        coverage_of(told(sources=sources))
        == """\
1 of 53 sources healthy
- official: bis-press – failing since 2 Mar 2026, 09:00: HTTP 503 (service
  unavailable)
- official: eu-council – failing since 2 Mar 2026, 09:00: DNS: no answer for
  'eu.example.org'
- s00, s01, s02, s03, s04, s05, +42 more – failing since 2 Mar 2026, 09:00
  or later: DNS: no answer for …
- alone – failing since 2 Mar 2026, 09:00: DNS: there is no host
  'alone.example.org'
- left – gone since 2 Mar 2026, 09:00: HTTP 410 (gone)"""
    )


def test_however_many_causes_there_are_the_list_is_short() -> None:
    sources = tuple(source(f"s{n:03}", f"cause {n}") for n in range(120))
    lines = coverage_of(told(sources=sources)).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "- +112 more sources failing: `monitor sources` lists them all"


@pytest.mark.parametrize(
    ("notices", "more", "headline"),
    [
        ([notice("RuleBookRefused", detail="rules/themes/x.yaml:3:5: no")], 0,
         "edited rules are faulty, the old ones stay in force"),
        ([notice("ReceiverHeld", "duty"), notice("SourceFailed", "b")], 0,
         "nothing more is sent to receiver duty"),
        ([notice("DeliveryFailed", "duty (a@example.org)"), notice("ReceiverHeld", "duty")], 3,
         "a digest did not reach duty (a@example.org) (+4 more notices)"),
        ([notice("SourceFailed", "b")], 0, "1 of 2 sources failing"),
        ([notice("SourceFailed", "mended")], 0, "source mended failed for a while"),
        ([notice("SomethingNew", "duty")], 0, "duty"),
    ],
)  # fmt: skip
def test_a_message_of_notices_says_in_subject_and_headline_what_they_are(
    notices: list[Notice], more: int, headline: str
) -> None:
    composed = told(*notices, sources=(source("a"), source("b", "HTTP 503")), more=more)
    assert mail_of(composed)["Subject"] == f"for the operator: {headline}"
    headline = headline[0].upper() + headline[1:]
    assert render_text(composed, COMPOSED).startswith(headline[:60])
    assert f">{headline}</h1>" in render_html(composed, COMPOSED)


def test_what_coverage_says_is_no_notice_and_what_more_there_is_has_a_name() -> None:
    composed = told(notice("SourceFailed", "b"), sources=(source("a"), source("b", "HTTP 503")))
    assert "FOR THE OPERATOR" not in render_text(composed, COMPOSED)
    text = render_text(replace(composed, notices=(notice("ReceiverHeld", "duty"),), more_notices=2), COMPOSED)
    assert "\n- +2 more notices; `monitor status` tells how things are now\n" in text


def test_a_filter_finds_what_tells_of_a_refused_edit() -> None:
    for kind in ("RuleBookRefused", "ConfigurationRefused"):
        assert mail_of(told(notice(kind)))["X-Monitor-Receipt"] == "refused"
        assert mail_of(replace(digest(), notices=(notice(kind),)))["X-Monitor-Receipt"] == "refused"
    assert mail_of(told(notice("ReceiverHeld", "duty")))["X-Monitor-Receipt"] is None
