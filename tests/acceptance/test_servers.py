"""The local servers themselves: a proof is worth as much as the peer it was made against."""

from __future__ import annotations

import smtplib
import ssl
import urllib.request
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError

import feedparser
import pytest
from standardwebhooks import Webhook

from tests.acceptance import texts
from tests.acceptance.feed_server import FeedServer, status
from tests.acceptance.hook_server import SECRET, HookServer
from tests.acceptance.mail_server import Certificate, MailServer, Manner
from tests.fakes import START


def _get(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def test_feeds_are_well_formed_and_grow() -> None:
    with FeedServer() as server:
        server.add("/m.xml", "Ministry of Trade", items=texts.ministry(START))
        server.add("/v.atom", "Вести порта", form="atom", language="ru", items=texts.outlet(START))
        server.add("/x.xml", "新闻", language="zh", items=texts.chinese(START))
        counts = {}
        for path in ("/m.xml", "/v.atom", "/x.xml"):
            parsed = feedparser.parse(BytesIO(_get(server.url(path))[1]))
            assert not parsed.bozo
            counts[path] = len(parsed.entries)
        assert counts == {"/m.xml": 40, "/v.atom": 8, "/x.xml": 8}
        server.publish("/v.atom", texts.on_theme("outlet", START))
        assert "станки" in feedparser.parse(BytesIO(_get(server.url("/v.atom"))[1])).entries[0].title


def test_an_unchanged_feed_answers_304_and_a_changed_one_does_not() -> None:
    with FeedServer() as server:
        server.add("/m.xml", items=texts.ministry(START))
        etag = _get(server.url("/m.xml"))[2]["ETag"]
        assert _get(server.url("/m.xml"), If_None_Match=etag)[0] == 304
        server.publish("/m.xml", texts.on_theme("ministry", START))
        assert _get(server.url("/m.xml"), If_None_Match=etag)[0] == 200
        assert [request.status for request in server.asked("/m.xml")] == [200, 304, 200]


def test_a_feed_can_fail() -> None:
    with FeedServer() as server:
        server.add("/m.xml", behaviour=status(503, Retry_After="120"))
        code, _, headers = _get(server.url("/m.xml"))
        assert (code, headers["Retry-After"]) == (503, "120")


def _send(server: MailServer, context: ssl.SSLContext | None = None) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "a@example.org", "b@example.org", "<1@example.org>"
    message.set_content("Grüße")
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as client:
        if context:
            client.starttls(context=context)
        client.send_message(message)


def test_mail_is_kept_with_its_envelope() -> None:
    with MailServer() as server:
        _send(server)
        assert server.to("b@example.org")[0].part("plain").strip() == "Grüße"
        server.manner = Manner.REFUSE
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
            _send(server)
        server.manner = Manner.GREYLIST
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="451"):
            _send(server)
        _send(server)
        server.manner = Manner.DROP
        with pytest.raises(smtplib.SMTPServerDisconnected):
            _send(server)
        assert len(server.box) == 3


def test_mail_over_starttls_needs_the_certificate(tmp_path: Path) -> None:
    certificate = Certificate.make(tmp_path)
    with MailServer(certificate) as server:
        with pytest.raises(smtplib.SMTPException, match="STARTTLS"):
            _send(server)
        with pytest.raises(ssl.SSLCertVerificationError):
            _send(server, ssl.create_default_context())
        _send(server, ssl.create_default_context(cafile=str(certificate.pem)))
        assert [mail.encrypted for mail in server.box] == [True]


def test_a_hook_verifies_what_it_gets() -> None:
    with HookServer() as server:
        body = b'{"type":"digest"}'
        for secret in (SECRET, "whsec_" + "b3RoZXIgc2VjcmV0LCBhbHNvIDMyIGJ5dGVzIGxvbmc="):
            stamp = texts.utc_now()
            headers = {
                "webhook-id": "msg-1",
                "webhook-timestamp": str(int(stamp.timestamp())),
                "webhook-signature": Webhook(secret).sign("msg-1", stamp, body.decode()),
            }
            urllib.request.urlopen(urllib.request.Request(server.url, body, headers), timeout=10).close()
        assert [call.verified for call in server.calls] == [True, False]
        assert server.calls[0].json == {"type": "digest"}
