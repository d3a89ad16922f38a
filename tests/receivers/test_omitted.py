"""What was not sent, as its reader is told: counted and listed by title, harmless whatever the titles hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from monitor.core.digests import Digest, Omitted, OmittedLine
from monitor.matching.model import Severity
from monitor.receivers.render.html import MOST_BYTES, render_html
from monitor.receivers.render.page import OMITTED
from monitor.receivers.render.payload import render_payload
from monitor.receivers.render.text import render_text
from tests.receivers.letters import COMPOSED, digest, four_scripts, message

AT = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)


def line(number: int, title: str, fate: str = "dropped") -> OmittedLine:
    return OmittedLine(
        alert_id=f"alr-{number}", theme="harbour-watch", severity=Severity.LOW, title=title, fate=fate,
        at=AT + timedelta(minutes=number),
    )  # fmt: skip


def telling(*lines: OmittedLine, silenced: int = 0, base: Digest | None = None) -> Digest:
    dropped = sum(one.fate == "dropped" for one in lines)
    omitted = Omitted(silenced=silenced, dropped=dropped, skipped=len(lines) - dropped, listed=lines[:100])
    return replace(base or digest(), omitted=omitted)


def test_text_counts_and_lists_what_was_not_sent() -> None:
    text = render_text(
        telling(line(1, "A crane at night"), line(2, "A crane in the morning", "skipped"), silenced=3), COMPOSED
    )
    assert "NOT SENT" in text
    assert "- 3 alerts silenced: `monitor silences` says by whom and why" in text
    joined = " ".join(text.split())
    assert "[low] A crane at night (harbour-watch; 2 Mar 2026, 23:01, in quiet hours)" in joined
    assert "[low] A crane in the morning (harbour-watch; 2 Mar 2026, 23:02, for a digest that was missed)" in joined


def test_without_such_nothing_is_said_and_a_webhook_has_no_key() -> None:
    assert "NOT SENT" not in render_text(digest(), COMPOSED)
    assert "Not sent" not in render_html(digest(), COMPOSED)
    assert b"omitted" not in render_payload(message())


def test_html_shows_titles_and_runs_none() -> None:
    html = render_html(telling(line(1, "<script>alert(1)</script> {{7*7}} رافعة"), silenced=1), COMPOSED)
    assert "Not sent" in html
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{7*7}} رافعة" in html


def test_a_webhook_has_them_all_as_they_are() -> None:
    body = msgspec.json.decode(render_payload(message(telling(line(1, "A crane at night"), silenced=2))))
    omitted = body["data"]["omitted"]
    assert (omitted["silenced"], omitted["dropped"], omitted["skipped"]) == (2, 1, 0)
    assert omitted["listed"] == [
        {"alert_id": "alr-1", "theme": "harbour-watch", "severity": "low", "title": "A crane at night",
         "fate": "dropped", "at": "2026-03-02T23:01:00Z"},
    ]  # fmt: skip


def test_many_are_cut_with_their_number_and_a_mail_stays_small() -> None:
    lines = [line(number, f"Crane {number} " + "字" * 250) for number in range(150)]
    full = telling(*lines, base=four_scripts(40))
    html, text = render_html(full, COMPOSED), render_text(full, COMPOSED)
    assert len(html.encode()) <= MOST_BYTES
    assert f"+{150 - OMITTED} more" in html
    assert f"+{150 - OMITTED} more" in text
