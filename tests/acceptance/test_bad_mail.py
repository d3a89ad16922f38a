"""Mail servers at their worst: what was not taken is sent again under the same id, and nothing is sent in the clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import NOW, WallClock, Workspace
from tests.acceptance.mail_server import Certificate, Mail, MailServer, Manner

TO = "desk@example.org"


def _desk(work: Workspace, server: MailServer, on_unknown: str = "resend") -> None:
    """One alert in the making, to be mailed to the desk."""
    work.env |= {"MONITOR_SMTP_URL": server.url, "MONITOR_MAIL_FROM": "monitor@example.org"}
    work.receivers({"desk": {"email": {"to": [TO]}, "on_unknown": on_unknown, **NOW}})
    work.theme()
    work.sources(folder=True)
    work.write("seeds/documents/one.txt", "First\n\nCustoms found machine tools on the way to Russia.\n")


def _delivery(work: Workspace) -> dict[str, Any]:
    [row] = [row for row in work.list("deliveries") if row["receiver"] == "desk"]
    return row


def _same(mails: list[Mail]) -> bool:
    return len({(mail.id, mail.raw) for mail in mails}) == 1


def _later_input_is_sent(work: Workspace, server: MailServer, **options: Any) -> None:
    server.manner = Manner.ACCEPT
    work.write("seeds/documents/later.txt", "Later\n\nMore machine tools for Russia.\n")
    work.once(**options)
    assert "Later" in server.box[-1].part("plain")


def test_a_mail_comes_with_link_source_words_and_reason(work: Workspace, mail: MailServer) -> None:
    _desk(work, mail)
    work.once()
    [got] = mail.to(TO)
    assert got.sender == "monitor@example.org"
    for text in (got.part("plain"), got.shown):
        assert all(word in text for word in ("First", "machine tools", "Russia", "documents", "Theme machines"))
    assert got.message["Auto-Submitted"] == "auto-generated"
    assert (_delivery(work)["state"], _delivery(work)["attempts"]) == ("delivered", 1)


def test_smtp_refusing_is_held_and_not_tried_again_by_itself(
    work: Workspace, mail: MailServer, clock: WallClock
) -> None:
    _desk(work, mail)
    mail.manner = Manner.REFUSE
    done = work.once()
    row = _delivery(work)
    assert (row["state"], row["attempts"]) == ("failed", 1)
    assert "550" in row["last_error"]
    assert any("desk" in line and "550" in line for line in done.err.splitlines()), done.err
    clock.shift(2 * 86400)
    work.once(env=clock.env)
    assert mail.refused == [TO]
    mail.manner = Manner.ACCEPT
    work.ok("deliveries", "retry", row["delivery_id"])
    work.once()
    assert _delivery(work)["state"] == "delivered"
    assert row["delivery_id"] in mail.box[0].id
    _later_input_is_sent(work, mail)


def test_smtp_greylisting_is_sent_again_in_time(work: Workspace, mail: MailServer, clock: WallClock) -> None:
    _desk(work, mail)
    mail.manner = Manner.GREYLIST
    work.once()
    row = _delivery(work)
    assert (row["state"], mail.box) == ("pending", [])
    assert "451" in row["last_error"]
    clock.shift(600)
    work.once(env=clock.env)
    assert _delivery(work)["state"] == "delivered"
    assert len(mail.to(TO)) == 1
    _later_input_is_sent(work, mail)


def test_smtp_dropping_the_line_after_data_is_sent_again_under_the_same_id(
    work: Workspace, mail: MailServer, clock: WallClock
) -> None:
    _desk(work, mail)
    mail.manner = Manner.DROP
    work.once()
    [unknown] = work.log("DeliveryUnknown")
    assert not unknown["data"]["held"]
    mail.manner = Manner.ACCEPT
    clock.shift(600)
    work.once(env=clock.env)
    assert _delivery(work)["state"] == "delivered"
    assert len(mail.box) == 2
    assert _same(mail.box)
    _later_input_is_sent(work, mail)


def test_smtp_dropping_the_line_under_hold_waits_for_a_person(
    work: Workspace, mail: MailServer, clock: WallClock
) -> None:
    _desk(work, mail, on_unknown="hold")
    mail.manner = Manner.DROP
    work.once()
    row = _delivery(work)
    assert row["state"] == "held"
    mail.manner = Manner.ACCEPT
    clock.shift(86400)
    work.once(env=clock.env)
    assert len(mail.box) == 1
    work.ok("deliveries", "release", row["delivery_id"])
    work.once()
    assert _delivery(work)["state"] == "delivered"
    assert _same(mail.box)


def test_a_mail_server_that_is_away_is_tried_again(work: Workspace, clock: WallClock) -> None:
    with MailServer() as gone:
        pass
    _desk(work, gone)
    work.once()
    assert _delivery(work)["state"] == "pending"
    with MailServer() as back:
        work.env["MONITOR_SMTP_URL"] = back.url
        clock.shift(600)
        work.once(env=clock.env)
        assert len(back.to(TO)) == 1


def test_a_mail_server_that_never_answers_does_not_hold_the_run(work: Workspace, mail: MailServer) -> None:
    _desk(work, mail)
    mail.manner = Manner.SLOW
    done = work.once()
    assert done.seconds < 60
    assert work.list("alerts")


def test_starttls_with_a_certificate_that_is_trusted(work: Workspace, tmp_path: Path) -> None:
    certificate = Certificate.make(tmp_path)
    with MailServer(certificate) as server:
        _desk(work, server)
        work.once(env={"SSL_CERT_FILE": str(certificate.pem)})
        assert [mail.encrypted for mail in server.to(TO)] == [True]


def test_starttls_with_a_certificate_that_is_not_trusted_sends_nothing(work: Workspace, tmp_path: Path) -> None:
    with MailServer(Certificate.make(tmp_path)) as server:
        _desk(work, server)
        work.once()
        assert server.box == []
        assert "certificate" in _delivery(work)["last_error"].lower()


def test_starttls_required_of_a_server_without_it_sends_nothing(work: Workspace, mail: MailServer) -> None:
    _desk(work, mail)
    work.env["MONITOR_SMTP_URL"] = f"smtp://127.0.0.1:{mail.port}?starttls=required"
    work.once()
    assert mail.box == []
    assert "STARTTLS" in _delivery(work)["last_error"].upper()


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("=?utf-8?q?Injected?=", "= ?utf-8?q?Injected?="),
        ("=?utf-8?q?A=0D=0ABcc:_someone@example.net?=", "= ?utf-8?q?A=0D=0ABcc:_someone@example.net?="),
        ("Bcc: someone@example.net", "Bcc: someone@example.net"),
        ("Ünïcode \u202e reversed", "Ünïcode reversed"),
    ],
)
def test_a_hostile_title_stays_a_title(work: Workspace, mail: MailServer, title: str, shown: str) -> None:
    _desk(work, mail)
    work.write("seeds/documents/one.txt", f"{title}\n\nCustoms found machine tools on the way to Russia.\n")
    work.once()
    [got] = mail.box
    assert got.recipients == (TO,)
    assert got.message["Bcc"] is None
    assert shown in str(got.message["Subject"])
    assert "\u202e" not in got.part("plain") + got.part("html") + str(got.message["Subject"])
