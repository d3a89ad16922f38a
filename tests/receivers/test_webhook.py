"""Standard Webhooks to a real HTTP server on loopback, in all its moods."""

import asyncio
import http.client
import json
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from monitor.core import digests
from monitor.core.deliveries import Outcome, Result
from monitor.core.routing import Webhook
from monitor.ports import Answer, FetchFailed
from monitor.receivers.render.payload import render_payload
from monitor.receivers.webhook import WebhookReceiver, new_secret
from monitor.sources.addresses import parse_networks
from monitor.sources.client import Client
from tests.acceptance.hook_server import SECRET, HookServer
from tests.fakes import START, ManualClock
from tests.receivers.letters import digest, four_scripts, message

pytestmark = pytest.mark.anyio


class LoopbackPoster:
    """A `ports.Poster` on the standard library."""

    def __init__(self, seconds: float = 5) -> None:
        self.seconds = seconds
        self.headers: list[dict[str, str]] = []

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.headers.append(dict(headers))
        return await asyncio.to_thread(self._post, url, body, dict(headers))

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.seconds)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise FetchFailed(f"cannot connect: {error}") from None
            try:
                connection.request("POST", parts.path, body, headers)
                response = connection.getresponse()
                return Answer(
                    status=response.status,
                    headers={name.lower(): value for name, value in response.getheaders()},
                    body=response.read(),
                )
            except OSError:
                raise FetchFailed("no answer", sent=True) from None
        finally:
            connection.close()


async def by_the_client(hook: Webhook, secrets: Mapping[str, str]) -> Outcome:
    """As the program sends it: the receiver with the one HTTP client."""
    client = Client(clock=ManualClock(), networks=parse_networks("127.0.0.0/8")[0], secrets=secrets)
    try:
        return await WebhookReceiver(hook, secrets, client, ManualClock()).send(message())
    finally:
        await client.aclose()


@pytest.fixture
def server() -> Iterator[HookServer]:
    with HookServer() as server:
        yield server


async def post(server: HookServer, poster: LoopbackPoster | None = None, **fields: object) -> Outcome:
    hook = Webhook(url=server.url, secret="${HOOK}")
    receiver = WebhookReceiver(hook, {"HOOK": SECRET}, poster or LoopbackPoster(), ManualClock())
    return await receiver.send(message(**fields))


async def test_a_digest_arrives_signed_and_in_the_promised_shape(server: HookServer):
    assert (await post(server)).state is Result.DELIVERED
    (call,) = server.calls
    assert call.verified
    assert call.id == "dlv-0123456789abcdef0123"
    assert call.timestamp == str(int(START.timestamp()))
    body = call.json
    assert body["type"] == "digest"
    assert body["timestamp"] == "2026-03-02T09:05:00Z"
    data = body["data"]
    assert data.keys() >= {"digest_id", "receiver", "window", "position", "alerts", "coverage"}
    assert data["window"].keys() == {"from", "to"}
    (alert,) = data["alerts"]
    assert alert.keys() >= {
        "alert_id", "theme", "severity", "state", "title", "reason", "story_id", "entry_ids", "sources", "raised_at",
        "position", "evidence", "entries",
    }  # fmt: skip
    assert alert["evidence"][0].keys() == {"concept", "term", "field", "start", "end", "text", "rules"}


def test_a_hit_that_several_rules_rest_on_stands_once_and_names_them():
    content = digest({"title": "A crane fell", "text": "The crane is old.", "words": ("crane", "old")})
    (story,) = content.new
    (alert,) = story.alerts
    (rule,) = alert.rules
    more = replace(rule, rule="again", evidence=rule.evidence[:1])
    content = replace(content, new=(replace(story, alerts=(replace(alert, rules=(rule, more, rule)),)),))
    (sent,) = json.loads(render_payload(message(content)))["data"]["alerts"]
    assert [(hit["field"], hit["text"], hit["rules"]) for hit in sent["evidence"]] == [
        ("title", "crane", ["stop", "again"]),
        ("text", "crane", ["stop"]),
        ("text", "old", ["stop"]),
    ]


async def test_evidence_is_where_it_says(server: HookServer):
    await post(server, content=four_scripts(4))
    for alert in server.calls[0].json["data"]["alerts"]:
        for hit in alert["evidence"]:
            assert hit["end"] - hit["start"] == len(hit["text"])


async def test_a_retry_has_the_same_bytes_and_id_and_another_signature(server: HookServer):
    clock = ManualClock()
    receiver = WebhookReceiver(Webhook(server.url, "${HOOK}"), {"HOOK": SECRET}, LoopbackPoster(), clock)
    await receiver.send(message())
    clock.advance(minutes=5)
    await receiver.send(message())
    first, second = server.calls
    assert (first.body, first.id) == (second.body, second.id)
    assert first.timestamp != second.timestamp
    assert first.verified
    assert second.verified


@pytest.mark.parametrize(
    ("status", "permanent", "gone"),
    [(500, False, False), (503, False, False), (429, False, False), (404, True, False), (410, False, True)],
)
async def test_what_a_status_means(server: HookServer, status: int, permanent: bool, gone: bool):
    server.status = status
    outcome = await post(server)
    assert outcome.state is Result.FAILED
    assert (outcome.permanent, outcome.receiver_gone) == (permanent, gone)
    assert f"HTTP {status}" in outcome.detail


async def test_a_redirect_is_not_followed_and_the_words_name_its_target():
    with HookServer(301, location="https://u:hunter2@new.example.org/hook?token=hunter2") as server:
        outcome = await by_the_client(Webhook(server.url), {})
        assert (outcome.state, outcome.permanent) == (Result.FAILED, True)
        assert "new.example.org" in outcome.detail
        assert "hunter2" not in outcome.detail
        assert len(server.calls) == 1


async def test_a_server_that_never_answers_may_have_it(server: HookServer):
    server.status = None
    outcome = await post(server, LoopbackPoster(seconds=0.3))
    assert outcome.state is Result.UNKNOWN


async def test_a_server_that_is_not_there_has_not_got_it():
    with HookServer() as server:
        pass
    outcome = await post(server)
    assert (outcome.state, outcome.permanent) == (Result.FAILED, False)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), ("Mon, 02 Mar 2026 09:10:00 GMT", 600), ("Mon, 02 Mar 2026 08:00:00 GMT", 0), ("soon", None)],
)
async def test_retry_after(value: str, seconds: int | None):
    class Busy(LoopbackPoster):
        async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
            return Answer(status=503, headers={"retry-after": value}, body=b"")

    receiver = WebhookReceiver(Webhook("https://hooks.example.org/x"), {}, Busy(), ManualClock())
    assert (await receiver.send(message())).retry_after == seconds


async def test_secrets_come_from_outside_at_the_moment_of_sending(server: HookServer):
    url, poster = server.url, LoopbackPoster()
    hook = Webhook("${HOOK_URL}", "${HOOK}", (("authorization", "Bearer ${TOKEN}"),))
    secrets: dict[str, str] = {}
    receiver = WebhookReceiver(hook, secrets, poster, ManualClock())
    missing = await receiver.send(message())
    assert (missing.state, missing.permanent) == (Result.FAILED, False)
    assert "${HOOK_URL} has no value" in missing.detail
    secrets |= {"HOOK_URL": url, "HOOK": SECRET}
    missing = await receiver.send(message())
    assert "${TOKEN} has no value" in missing.detail
    assert not poster.headers


async def test_the_client_puts_in_the_secrets(server: HookServer):
    hook = Webhook("${HOOK_URL}", "${HOOK}", (("authorization", "Bearer ${TOKEN}"),))
    secrets = {"HOOK_URL": server.url, "HOOK": SECRET, "TOKEN": "hunter2 ${HOOK}"}
    assert (await by_the_client(hook, secrets)).state is Result.DELIVERED
    assert server.calls[0].verified
    assert server.calls[0].authorization == "Bearer hunter2 ${HOOK}", "a value is taken as it is"


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("${CHAT_URL}", "hooks.example.org/services/T/B/SUPERSECRET"),
        ("${CHAT_URL}", "ftp://hooks.example.org/services/T/B/SUPERSECRET"),
        ("${CHAT_URL}", "http:///services/T/B/SUPERSECRET"),
        ("${CHAT_URL}", "http://hooks.example .org/services/T/B/SUPERSECRET"),
        ("${CHAT_URL}", "http://[::1/services/T/B/SUPERSECRET"),
        ("${CHAT_URL}", "http://10.0.0.1/services/T/B/SUPERSECRET"),
        ("${CHAT_URL}", "http://127.0.0.1:1/services/T/B/SUPERSECRET"),
        ("${PATH}.example.org/hook", "SUPERSECRET"),
    ],
)
async def test_an_address_that_comes_from_outside_is_in_no_message(url: str, value: str):
    outcome = await by_the_client(Webhook(url), {"CHAT_URL": value, "PATH": value})
    assert outcome.state is Result.FAILED
    assert "supersecret" not in outcome.detail.lower()


@pytest.mark.parametrize(
    "location",
    [
        "{url}/services/T/B/SUPERSECRET?x=1",
        "https://new.example.org/services/T/B/SUPERSECRET",
        "/services/T/B/SUPERSECRET/",
        "https://new.example.org/v2/B/SUPERSECRET",
        "/services/T/B/supersecret",
    ],
)
async def test_a_redirect_that_repeats_the_secret_address_does_not_tell_it(location: str):
    with HookServer(301) as server:
        server.location = location.format(url=server.url)
        secrets = {"CHAT_URL": f"{server.url}/services/T/B/SUPERSECRET"}
        outcome = await by_the_client(Webhook("${CHAT_URL}"), secrets)
    assert "HTTP 301 to " in outcome.detail
    assert "supersecret" not in outcome.detail.lower()
    assert ("new.example.org" in outcome.detail) is ("new.example.org" in location)


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "whsec_" + "A" * 200])
async def test_a_secret_that_is_none_is_not_shown(server: HookServer, secret: str):
    receiver = WebhookReceiver(Webhook(server.url, "${HOOK}"), {"HOOK": secret}, LoopbackPoster(), ManualClock())
    outcome = await receiver.send(message())
    assert outcome.state is Result.FAILED
    assert "${HOOK}" in outcome.detail
    assert secret not in outcome.detail or secret == "whsec_"
    assert not server.calls


async def test_without_a_secret_it_goes_unsigned(server: HookServer):
    poster = LoopbackPoster()
    receiver = WebhookReceiver(Webhook(server.url), {}, poster, ManualClock())
    assert (await receiver.send(message())).state is Result.DELIVERED
    assert "webhook-signature" not in poster.headers[0]


async def test_a_new_secret_is_taken(server: HookServer):
    secret = new_secret(bytes(range(32)))
    receiver = WebhookReceiver(Webhook(server.url, "${HOOK}"), {"HOOK": secret}, LoopbackPoster(), ManualClock())
    assert (await receiver.send(message())).state is Result.DELIVERED


def test_the_content_survives_hostile_titles_as_json():
    hostile = digest({"title": 'A "crane"\r\n{"x": 1}\u202e</script>', "text": "crane\x00\x1b[31m"})
    assert json.loads(digests.encode(hostile)[0])["new"][0]["headline"]["text"] == 'A "crane" {"x": 1}</script>'
