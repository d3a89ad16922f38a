"""The mail as a whole: headers that hold, whatever stands in a title; the same bytes whenever it is built."""

import re
import subprocess
import sys
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import msgspec
import pytest

from monitor.core import digests
from monitor.core.digests import Digest
from monitor.core.trial import trial_digest
from monitor.matching.model import Severity
from monitor.receivers.render.mail import build_mail
from tests.receivers.letters import COMPOSED, digest, four_scripts, message

HOSTILE = {
    "line breaks": "A crane\r\nBcc: victim@example.org\r\n\r\n<b>body</b>",
    "separators": "A crane\u2028Bcc: victim@example.org\u2029\x85\x0b\x0c",
    "bidi": "A crane \u202emoc.elpmaxe\u2066 isolated",
    "template": "A crane {{7*7}} {% raw %} ${HOME} %s {0}",
    "markup": "A crane <script>alert(1)</script> <img src=x onerror=alert(1)> &amp; \"'",
    "escape": "A crane \x1b]0;title\x07\x1b[31mred\x9b31m",
    "long": "crane " * 20_000,
    "one word": "crane" + "x" * 100_000,
    "nothing": " \u200b\u202e ",
    "encoded word": "=?utf-8?q?crane=0D=0ABcc:_victim@example.org?=",
    "hidden encoded word": "=\u200b?utf-8?q?crane=0D=0ABcc:_victim@example.org?=",
}


def parsed(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=policy.default)
    assert not mail.defects
    return mail


def built(content: Digest, to: tuple[str, ...] = ("a@example.org",)) -> bytes:
    return build_mail(message(content), sender="Harbour desk <desk@example.org>", to=to)


def subject(raw: bytes) -> str:
    return str(make_header(decode_header(parsed(raw)["Subject"])))


def test_headers_say_what_it_is():
    mail = parsed(built(digest({"title": "A crane fell", "severity": Severity.HIGH})))
    assert mail["From"] == "Harbour desk <desk@example.org>"
    assert mail["Subject"] == "[high] A crane fell"
    assert mail["Date"] == "Mon, 02 Mar 2026 09:05:00 +0000"
    assert mail["Message-ID"] == "<dlv-0123456789abcdef0123@example.org>"
    assert re.fullmatch(r"<sto-[0-9a-f]{20}@example\.org>", mail["References"])
    assert mail["List-Id"] == '"Harbour watch" <harbour-watch.theme-monitor.example.org>'
    assert mail["List-Unsubscribe"] == "<mailto:desk@example.org?subject=unsubscribe%20file>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["X-Monitor-Severity"] == "high"
    assert mail["X-Monitor-Theme"] == "harbour-watch"
    assert mail["X-Monitor-Rule"] == "stop"
    assert mail["X-Monitor-Receiver"] == "file"


def test_several_stories_are_counted_in_the_subject_and_thread_with_nothing():
    mail = parsed(
        built(digest({"title": "Small", "severity": Severity.LOW}, {"title": "Big", "severity": Severity.HIGH}))
    )
    assert mail["Subject"] == "[high] 2 new: Big"
    assert mail["References"] is None


ELSEWHERE = """
import sys, msgspec
from monitor.ports import Message
from monitor.receivers.render.mail import build_mail
message = msgspec.json.decode(sys.stdin.buffer.read(), type=Message)
sys.stdout.buffer.write(build_mail(message, sender="Harbour desk <desk@example.org>", to=["a@example.org"]))
"""


def test_it_is_the_same_bytes_whenever_and_wherever_it_is_built():
    content = four_scripts(12)
    for seed, zone, lang in (("0", "UTC", "C"), ("1", "Asia/Kathmandu", "tr_TR.UTF-8")):
        elsewhere = subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            input=msgspec.json.encode(message(content)),
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": lang},
        ).stdout
        assert elsewhere == built(content)


def test_it_is_seven_bit_clean_with_short_lines_and_encoded_words():
    raw = built(four_scripts(40))
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?[bq]\?[^?]*\?=", raw))


def test_a_long_unsubscribe_address_is_not_encoded():
    sender = "a-rather-long-name-of-a-desk-within-a-department@mail.department.ministry.example.org"
    raw = build_mail(message(), sender=sender, to=["a@example.org"])
    assert b"List-Unsubscribe: <mailto:a-rather-long-name-of-a-desk" in raw
    assert re.search(rb"\r\nX-Monitor-Head: [0-9a-f]{64}\r\n", raw)


@pytest.mark.parametrize("case", HOSTILE)
def test_no_title_adds_a_header_or_leaves_its_place(case: str):
    title = HOSTILE[case]
    harmless = parsed(built(digest({"title": "A crane", "text": "crane"})))
    raw = built(digest({"title": title, "text": title}))
    mail = parsed(raw)
    assert mail.keys() == harmless.keys()
    assert mail["Bcc"] is None
    shown = subject(raw)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)
    assert len(shown) <= 210
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert len(raw) < 200_000


def test_a_test_message_says_so():
    trial = trial_digest("desk", "win-test", COMPOSED, "UTC", digests.coverage([], 0))
    mail = parsed(built(trial))
    assert mail["Subject"] == "[test] a test message for receiver 'desk'"
    assert mail["X-Monitor-Test"] == "yes"
    assert "This is a test message" in mail.get_body(("plain",)).get_content()
