"""Mail to a real SMTP server on loopback, in all its moods."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.deliveries import Result
from monitor.receivers.email import EmailReceiver, SmtpServer, Tls, parse_smtp_url
from tests.acceptance.mail_server import Certificate, MailServer, Manner
from tests.receivers.letters import message

pytestmark = pytest.mark.anyio
SENDER = "Harbour desk <desk@example.org>"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def receiver(server: MailServer, **fields: float) -> EmailReceiver:
    return EmailReceiver(parse_smtp_url(server.url), SENDER, **fields)


async def test_a_mail_arrives_whole(server: MailServer):
    outcome = await receiver(server).send(message())
    assert outcome.state is Result.DELIVERED
    assert outcome.detail.startswith("250")
    (mail,) = server.box
    assert mail.sender == "desk@example.org"
    assert mail.recipients == ("a@example.org",)
    assert mail.id == "<dlv-0123456789abcdef0123@example.org>"
    assert "crane" in mail.part("plain")
    assert "crane" in mail.part("html")
    assert mail.raw.isascii()


async def test_a_retry_carries_the_same_bytes(server: MailServer):
    for _ in range(2):
        await receiver(server).send(message())
    received = [mail.raw for mail in server.box]
    assert received[0] == received[1]


async def test_one_message_for_several_addresses(server: MailServer):
    await receiver(server).send(message(recipient="a@example.org, b@example.org"))
    assert server.box[0].recipients == ("a@example.org", "b@example.org")
    assert server.box[0].message["To"] == "a@example.org, b@example.org"


async def test_the_addresses_that_are_refused_of_one_message_are_told(server: MailServer):
    server.unknown = {"b@example.org", "c@example.org"}
    outcome = await receiver(server).send(message(recipient="a@example.org, b@example.org, c@example.org"))
    assert outcome.state is Result.DELIVERED
    assert outcome.refused == (
        "b@example.org: 550 5.1.1 <b@example.org>: no such user here",
        "c@example.org: 550 5.1.1 <c@example.org>: no such user here",
    )
    assert server.box[0].recipients == ("a@example.org",)


async def test_a_refused_address_is_permanent(server: MailServer):
    server.manner = Manner.REFUSE
    outcome = await receiver(server).send(message())
    assert (outcome.state, outcome.permanent) == (Result.FAILED, True)
    assert "550 5.1.1" in outcome.detail


async def test_greylisting_is_tried_again_and_then_taken(server: MailServer):
    server.manner = Manner.GREYLIST
    first = await receiver(server).send(message())
    assert (first.state, first.permanent) == (Result.FAILED, False)
    assert "451" in first.detail
    assert (await receiver(server).send(message())).state is Result.DELIVERED


async def test_a_line_dropped_after_the_data_is_unknown(server: MailServer):
    server.manner = Manner.DROP
    outcome = await receiver(server).send(message())
    assert outcome.state is Result.UNKNOWN
    assert "after the message was handed over" in outcome.detail


async def test_no_answer_after_the_data_is_unknown_at_the_deadline(server: MailServer):
    server.manner = Manner.SLOW
    outcome = await receiver(server, deadline=0.5).send(message())
    assert outcome.state is Result.UNKNOWN
    assert "no answer within" in outcome.detail


async def test_nobody_listening_is_a_failure_that_passes():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    outcome = await EmailReceiver(SmtpServer("127.0.0.1", port, Tls.OFF), SENDER).send(message())
    assert (outcome.state, outcome.permanent) == (Result.FAILED, False)
    assert f"127.0.0.1:{port}" in outcome.detail


async def test_a_server_that_never_greets_has_not_got_it():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = SmtpServer("127.0.0.1", silent.getsockname()[1], Tls.OFF)
        outcome = await EmailReceiver(server, SENDER, deadline=0.3).send(message())
    assert outcome.state is Result.FAILED


async def test_required_starttls_where_there_is_none_sends_nothing(server: MailServer):
    smtp = SmtpServer("127.0.0.1", server.port, Tls.REQUIRED)
    outcome = await EmailReceiver(smtp, SENDER).send(message())
    assert outcome.state is Result.FAILED
    assert not server.box


async def test_opportunistic_starttls_goes_without_where_there_is_none(server: MailServer):
    smtp = SmtpServer("127.0.0.1", server.port, Tls.OPPORTUNISTIC)
    assert (await EmailReceiver(smtp, SENDER).send(message())).state is Result.DELIVERED


async def test_starttls_with_a_certificate_nobody_vouches_for(tmp_path: Path):
    with MailServer(Certificate.make(tmp_path)) as server:
        strict = EmailReceiver(SmtpServer("127.0.0.1", server.port, Tls.REQUIRED), SENDER)
        outcome = await strict.send(message())
        assert (outcome.state, outcome.permanent) == (Result.FAILED, False)
        assert "certificate" in outcome.detail.lower()
        assert not server.box
        lenient = EmailReceiver(SmtpServer("127.0.0.1", server.port, Tls.OPPORTUNISTIC), SENDER)
        assert (await lenient.send(message())).state is Result.DELIVERED
        assert server.box[0].encrypted


async def test_stopped_before_anything_was_handed_over_it_says_so():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = SmtpServer("127.0.0.1", silent.getsockname()[1], Tls.OFF)
        sending = asyncio.create_task(EmailReceiver(server, SENDER).send(message()))
        silent.settimeout(10)
        connection, _ = await asyncio.to_thread(silent.accept)
        with connection:
            sending.cancel()
            outcome = await sending
    assert (outcome.state, outcome.permanent) == (Result.FAILED, False)


async def test_stopped_after_the_message_was_handed_over_it_cannot_say(server: MailServer):
    server.manner = Manner.SLOW
    sending = asyncio.create_task(receiver(server).send(message()))
    async with asyncio.timeout(10):
        while not server.box:  # noqa: ASYNC110 - the box fills in the server's thread
            await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_without_server_or_sender_the_words_say_what_to_set():
    assert "MONITOR_SMTP_URL" in (await EmailReceiver(None, SENDER).send(message())).detail
    without = EmailReceiver(SmtpServer("127.0.0.1", 1, Tls.OFF), None)
    assert "MONITOR_MAIL_FROM" in (await without.send(message())).detail


@pytest.mark.parametrize(
    "user", ["m%40ex%C3%A4mple.org", "a%20b%40example.org", "x%0D%0A%40example.org", "a%40", "%40b"]
)
async def test_a_user_that_is_no_address_is_no_sender(user: str):
    outcome = await EmailReceiver(parse_smtp_url(f"smtp://{user}:p@127.0.0.1:1"), None).send(message())
    assert (outcome.state, outcome.permanent) == (Result.FAILED, False)
    assert "MONITOR_MAIL_FROM" in outcome.detail


@pytest.mark.parametrize(
    "sender", ['"Müller, Wien" <m@example.org>', "Dr. O'Hara <m@example.org>", "监测 <m@example.org>"]
)
async def test_a_sender_with_any_name_is_taken(server: MailServer, sender: str):
    outcome = await EmailReceiver(parse_smtp_url(server.url), sender).send(message())
    assert outcome.state is Result.DELIVERED
    assert server.box[0].sender == "m@example.org"
    (address,) = server.box[0].message["From"].addresses
    assert (address.display_name, address.addr_spec) == (sender.rpartition(" ")[0].strip('"'), "m@example.org")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.org", SmtpServer("mail.example.org", 25, Tls.OPPORTUNISTIC)),
        ("smtp://u:p@mail.example.org", SmtpServer("mail.example.org", 587, Tls.REQUIRED, "u", "p")),
        ("smtp://u%40x:p%2Fw@h:26?starttls=off", SmtpServer("h", 26, Tls.OFF, "u@x", "p/w")),
        ("smtps://u:p@mail.example.org", SmtpServer("mail.example.org", 465, Tls.IMPLICIT, "u", "p")),
        ("smtp://[::1]:2525?starttls=required", SmtpServer("::1", 2525, Tls.REQUIRED)),
    ],
)
def test_smtp_urls(url: str, expected: SmtpServer):
    assert parse_smtp_url(url) == expected


@pytest.mark.parametrize(
    "url",
    ["http://u:hunter2@h", "smtp://", "smtp://u:hunter2@h:x", "smtp://u:hunter2@h?starttls=maybe", "smtp://u:hunter2@h?tls=1",
     "smtps://u:hunter2@h?starttls=off", "smtp://u:hunter2@h/path"],
)  # fmt: skip
def test_bad_smtp_urls_are_refused_without_showing_the_password(url: str):
    with pytest.raises(ValueError) as raised:
        parse_smtp_url(url)
    assert "hunter2" not in str(raised.value)


def test_a_server_prints_without_its_password():
    assert "hunter2" not in repr(parse_smtp_url("smtp://u:hunter2@h"))
