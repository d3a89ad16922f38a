"""The one HTTP client against a hostile server: every row of manners and safety that concerns fetching."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import sys
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import brotli
import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from monitor.core.entries import Kind, Source
from monitor.core.polling import CONFIRMED_MOVES
from monitor.ports import Answer, Fetched, FetchFailed, PollState
from monitor.sources.addresses import NONE, parse_networks
from monitor.sources.client import Client, Limits
from tests.fakes import START
from tests.sources.hostile import RSS, Hostile, drip, head, raw, redirect, reply

T = TypeVar("T")
LOOPBACK = parse_networks("127.0.0.0/8, ::1")[0]
QUICK = Limits(seconds=1.0, connect_seconds=0.5, read_seconds=0.5, spacing=0.0)


def run(scenario: Callable[[Hostile, Client], Awaitable[T]], **options: Any) -> T:
    """A scenario with a server and a client that may talk to loopback."""

    async def play() -> T:
        async with Hostile() as server:
            client = Client(**{"clock": lambda: START, "networks": LOOPBACK, "limits": QUICK, **options})
            try:
                return await scenario(server, client)
            finally:
                await client.aclose()

    return asyncio.run(play())


def feed(url: str, **fields: Any) -> Source:
    return Source(**{"id": "port-news", "kind": Kind.FEED, "location": url, **fields})


def state(url: str = "", **fields: Any) -> PollState:
    return PollState(**{"source_id": "port-news", "location": url, "next_due": None, **fields})


async def get(client: Client, url: str, source: dict[str, Any] | None = None, **poll: Any) -> Fetched:
    return await client.fetch(feed(url, **(source or {})), state(url, **poll))


async def failure(client: Client, url: str, source: dict[str, Any] | None = None, **poll: Any) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        await get(client, url, source, **poll)
    assert "\n" not in caught.value.reason
    return caught.value


# --- manners


def test_a_plain_poll_is_polite() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        fetched = await get(client, server.on("/feed", reply()) + "?b=2&a=%7Ex|y&a=+1")
        assert (fetched.body, fetched.status, fetched.moved_to) == (RSS, 200, None)
        request = server.requests[0]
        assert request.target == "/feed?b=2&a=%7Ex|y&a=+1", "the query is untouched"
        assert request.headers["user-agent"].startswith("theme-monitor/")
        assert request.headers["user-agent"].endswith("(+mailto:desk@example.org)")
        assert "rss+xml" in request.headers["accept"]
        assert not {"cookie", "referer", "authorization", "if-none-match", "if-modified-since"} & set(request.headers)

    run(scenario, contact="mailto:desk@example.org")


@pytest.mark.parametrize("etag", ['"abc"', 'W/"a-b"', "unquoted", '"\xe4\xff"', '"a""b"', "'x'; --"])
def test_validators_are_echoed_byte_for_byte(etag: str) -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        modified = "Tue, 3 Mar 2026 9:00:00 +0100 (odd)"
        url = server.on("/feed", reply(headers={"ETag": etag, "Last-Modified": modified}), reply(b"", 304))
        first = await get(client, url)
        assert (first.etag, first.last_modified) == (etag, modified)
        second = await get(client, url, etag=first.etag, last_modified=first.last_modified)
        assert second.body is None
        assert server.requests[1].headers["if-none-match"] == etag
        assert server.requests[1].headers["if-modified-since"] == modified

    run(scenario)


def test_a_304_nobody_asked_for_is_a_failure() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        assert (await failure(client, server.on("/feed", reply(b"", 304)))).status == 304

    run(scenario)


def test_validators_of_a_304_are_given_on() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        url = server.on("/feed", reply(b"", 304, {"ETag": '"new"'}))
        fetched = await get(client, url, etag='"old"')
        assert (fetched.etag, fetched.last_modified) == ('"new"', None)

    run(scenario)


def test_no_cookie_ever_comes_back() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        url = server.on("/feed", reply(headers={"Set-Cookie": "id=1; Path=/"}), reply())
        await get(client, url)
        await get(client, url)
        assert "cookie" not in server.requests[1].headers

    run(scenario)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Cache-Control": "public, max-age=600"}, 600),
        ({"Cache-Control": "max-age=600", "Age": "500"}, 100),
        ({"Cache-Control": "max-age=600", "Age": "900"}, 0),
        ({"Cache-Control": "s-maxage=900"}, None),
        ({"Cache-Control": "no-cache, max-age=600"}, None),
        ({"Cache-Control": "max-age=99999999999999999999"}, 9_999_999_999),
        ({"Expires": "Mon, 02 Mar 2026 10:00:00 GMT"}, 3600),
        ({"Expires": "Mon, 02 Mar 2026 10:00:00 GMT", "Date": "Mon, 02 Mar 2026 09:50:00 GMT"}, 600),
        ({"Expires": "Mon, 02 Mar 2026 08:00:00 GMT"}, None),
        ({"Expires": "0"}, None),
        ({"Cache-Control": "max-age=60", "Expires": "Mon, 02 Mar 2026 10:00:00 GMT"}, 60),
    ],
)
def test_how_long_an_answer_holds(headers: dict[str, str], wait: int | None) -> None:
    async def scenario(server: Hostile, client: Client) -> Fetched:
        return await get(client, server.on("/feed", reply(headers=headers)))

    assert run(scenario).wait == wait


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("Mon, 02 Mar 2026 09:10:00 GMT", 600),
        ("Mon, 02 Mar 2026 08:00:00 GMT", 0),
        ("soon", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_both_forms(status: int, value: str, seconds: int | None) -> None:
    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        error = await failure(client, server.on("/feed", reply(b"", status, {"Retry-After": value})))
        assert len(server.requests) == 1, "no second try within one poll"
        return error

    error = run(scenario)
    assert (error.status, error.retry_after, error.lasting) == (status, seconds, False)


@pytest.mark.parametrize(
    ("status", "gone", "lasting", "words"),
    [
        (401, False, True, "HTTP 401 (unauthorized)"),
        (403, False, True, "HTTP 403 (forbidden)"),
        (404, False, True, "HTTP 404 (not found)"),
        (410, True, True, "HTTP 410 (gone)"),
        (500, False, False, "HTTP 500 (internal server error)"),
        (204, False, False, "HTTP 204 (no content)"),
        (299, False, False, "HTTP 299"),
    ],
)
def test_refusals_in_words(status: int, gone: bool, lasting: bool, words: str) -> None:
    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        return await failure(client, server.on("/feed", reply(b"", status)))

    error = run(scenario)
    assert (error.reason, error.gone, error.lasting) == (words, gone, lasting)


def test_a_challenge_page_is_named() -> None:
    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        return await failure(client, server.on("/feed", reply(b"", 403, {"cf-mitigated": "challenge"})))

    assert "challenge page" in run(scenario).reason


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_only_permanent_ones_remembered(status: int) -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        fetched = await get(client, server.on("/old", redirect("/new", status)), etag='"x"')
        assert server.seen("/new")[0].headers["if-none-match"] == '"x"'
        assert fetched.moved_to == (server.url("/new") if status in (301, 308) else None)

    async def with_new(server: Hostile, client: Client) -> None:
        server.on("/new", reply())
        await scenario(server, client)

    run(with_new)


def test_one_temporary_hop_makes_the_chain_temporary() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        server.on("/b", redirect("/c", 302))
        server.on("/c", redirect("/d", 301))
        server.on("/d", reply())
        fetched = await get(client, server.on("/a", redirect("/b", 301)))
        assert (fetched.url, fetched.moved_to) == (server.url("/d"), None)

    run(scenario)


def test_a_confirmed_move_is_asked_directly() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        new = server.on("/new", reply())
        fetched = await get(client, server.on("/old", redirect("/new", 301)), moved_to=new, moved_times=CONFIRMED_MOVES)
        assert server.seen("/old") == []
        assert fetched.moved_to is None

    run(scenario)


def test_a_move_to_an_address_with_a_secret_is_not_remembered() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        server.on("/new", reply())
        fetched = await get(client, server.on("/old", redirect("/new?token=s3cret", 301)))
        assert fetched.moved_to is None
        assert fetched.url == server.url("/new?token=***")

    run(scenario)


def test_a_loop_of_redirects_ends() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        error = await failure(client, server.on("/loop", redirect("/loop")))
        assert error.reason.startswith("more than 10 redirects")
        assert len(server.requests) == 11

    run(scenario)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://169.254.169.254/latest/meta-data/", "private or reserved"),
        ("http://[::ffff:169.254.169.254]/", "private or reserved"),
        ("http://127.0.0.1:1/", "private or reserved"),
        ("http://2130706433/", "private or reserved"),
        ("http://0x7f.1/", "private or reserved"),
        ("http://[fe80::1%25eth0]/", ""),
        ("file:///etc/passwd", "not a http or https address"),
        ("ftp://example.org/", "not a http or https address"),
        ("javascript:alert(1)", "not a http or https address"),
        ("http://:80/", ""),
        ("http://[::1", "no address"),
    ],
)
def test_a_redirect_to_where_it_must_not_lead_is_refused(target: str, words: str) -> None:
    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        return await failure(client, server.on("/feed", redirect(target)))

    error = run(scenario)
    assert words in error.reason
    assert error.lasting


def test_permission_for_private_addresses_ends_at_the_written_host_and_port() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        async with Hostile() as other:
            inner = other.on("/inner", reply())
            # a connection to the other server stands open, made with permission
            await get(client, inner)
            error = await failure(client, server.on("/feed", redirect(inner)))
            assert "private or reserved" in error.reason
            assert len(other.requests) == 1

    run(scenario)


def test_secrets_stay_with_redirects_within_their_origin() -> None:
    async def names(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def scenario(server: Hostile, client: Client) -> None:
        server.on("/same", redirect(f"http://other.example:{server.port}/else"))
        url = server.on("/feed", redirect("/same")).replace("127.0.0.1", "user:p%40ss@own.example")
        error = await failure(client, url, {"headers": {"X-Key": "${KEY}"}})
        assert "'other.example' leads to 127.0.0.1" in error.reason
        for path in ("/feed", "/same"):
            sent = server.seen(path)[0].headers
            assert sent["x-key"] == "s3cret"
            assert sent["authorization"] == "Basic dXNlcjpwQHNz"

    run(scenario, secrets={"KEY": "s3cret"}, resolver=names)


def test_secrets_do_not_cross_to_another_host() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        async with Hostile() as proxy:  # through a proxy, so that the other host can be reached at all
            through = Client(clock=lambda: START, proxy=proxy.url(), limits=QUICK, secrets={"KEY": "s3cret"})
            proxy.on("http://own.example/feed", redirect("http://other.example/else"))
            proxy.on("http://other.example/else", reply())
            fetched = await get(through, "http://user:pw@own.example/feed", {"headers": {"X-Key": "${KEY}"}})
            assert fetched.url == "http://other.example/else"
            first, second = (request.headers for request in proxy.requests)
            assert first["x-key"] == "s3cret"
            assert "authorization" in first
            assert not {"x-key", "authorization", "cookie", "referer"} & set(second)
            await through.aclose()

    run(scenario)


def test_a_strangers_password_in_a_redirect_is_not_sent() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        server.on("/new", reply())
        await get(client, server.on("/feed", redirect(server.url("/new").replace("http://", "http://eve:pw@"))))
        assert "authorization" not in server.seen("/new")[0].headers

    run(scenario)


# --- addresses


def test_loopback_is_refused_without_permission() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        error = await failure(client, server.on("/feed", reply()))
        assert "allow_networks" in error.reason
        assert error.lasting
        assert server.connections == 0

    run(scenario, networks=NONE)


def test_a_name_with_one_bad_address_among_good_ones_is_refused() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        error = await failure(client, f"http://two-faced.example:{server.port}/feed")
        assert "'two-faced.example' leads to 10.0.0.1" in error.reason

    async def two_faced(host: str, port: int) -> list[str]:
        return ["127.0.0.1", "10.0.0.1"]

    run(scenario, resolver=two_faced)


def test_the_address_that_is_checked_is_the_one_connected() -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async def scenario(server: Hostile, client: Client) -> None:
        server.on("/feed", reply())
        assert (await get(client, f"http://rebind.example:{server.port}/feed")).status == 200
        assert asked == ["rebind.example"], "one question, and its answer is what was connected"
        assert server.requests[0].headers["host"] == f"rebind.example:{server.port}"

    run(scenario, resolver=rebinding)


def test_the_next_address_is_tried_where_the_first_is_dead() -> None:
    async def two(host: str, port: int) -> list[str]:
        return ["::1", "127.0.0.1"]  # nothing listens on ::1

    async def scenario(server: Hostile, client: Client) -> None:
        server.on("/feed", reply())
        assert (await get(client, f"http://dual.example:{server.port}/feed")).status == 200

    run(scenario, resolver=two)


def test_a_host_that_does_not_exist_is_named() -> None:
    async def none(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "nope")

    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        return await failure(client, "http://no-such.example/feed")

    assert run(scenario, resolver=none).reason == "DNS: there is no host 'no-such.example'"


def test_a_resolver_that_hangs_costs_the_connect_time_alone() -> None:
    async def hang(host: str, port: int) -> list[str]:
        await asyncio.sleep(3600)
        return []

    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        return await failure(client, "http://slow.example/feed")

    assert run(scenario, resolver=hang).reason == "DNS: no answer for 'slow.example' in time"


def test_refused_connections_are_named() -> None:
    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return await failure(client, f"http://127.0.0.1:{free.getsockname()[1]}/feed")

    error = run(scenario)
    assert error.reason == "'127.0.0.1' refuses connections"
    assert not error.lasting


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "/etc/passwd", "http://", "http://a b/"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        return await failure(client, url)

    assert run(scenario).lasting


def test_a_missing_variable_is_named_and_no_request_made() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        error = await failure(client, server.url("/feed"), {"headers": {"X-Key": "${KEY}"}})
        assert error.reason == "variable KEY is not set"
        assert (await failure(client, "${MONITOR_SMTP_URL}")).reason == "variable MONITOR_SMTP_URL is not set"
        assert server.connections == 0

    run(scenario, secrets={"MONITOR_SMTP_URL": "smtp://user:pw@example.org"})


def test_a_value_that_came_out_of_a_variable_is_never_shown() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        server.on("/s3cret%2Fkey/feed", redirect("/s3cret%2Fkey/moved", 301))
        server.on("/s3cret%2Fkey/moved", reply(), redirect("ftp://s3cret%2Fkey.example/"))
        url = server.url("/${PLACE}/feed")
        fetched = await get(client, url)
        assert fetched.url == server.url("/***/moved")
        assert fetched.moved_to is None
        assert "s3cret" not in (await failure(client, url)).reason

    run(scenario, secrets={"PLACE": "s3cret%2Fkey"})


def test_a_move_of_an_address_that_is_a_secret_is_not_remembered() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        secrets["FEED"] = server.on("/private/s3cretkey", redirect("/v2/private/s3cretkey", 301))
        server.on("/v2/private/s3cretkey", reply())
        fetched = await get(client, "${FEED}")
        assert (fetched.status, fetched.moved_to) == (200, None)
        assert "s3cretkey" not in fetched.url

    secrets: dict[str, str] = {}
    run(scenario, secrets=secrets)


def test_a_secret_that_http_forbids_is_not_quoted() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        error = await failure(client, server.url("/feed"), {"headers": {"X-Key": "${KEY}"}})
        assert "the request cannot be made" in error.reason
        assert "s3cret" not in error.reason

    run(scenario, secrets={"KEY": "s3cret\r\nX-Evil: 1"})


def test_the_environments_proxy_and_netrc_are_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def scenario(server: Hostile, client: Client) -> None:
        assert (await get(client, server.on("/feed", reply()))).status == 200

    run(scenario)


def test_a_proxy_is_used_where_it_is_configured() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        through = Client(clock=lambda: START, proxy=server.url().replace("//", "//me:pw@"), limits=QUICK)
        server.on("http://feeds.example.org/rss", reply())
        assert (await get(through, "http://feeds.example.org/rss")).body == RSS
        assert "proxy-authorization" in server.requests[0].headers
        await through.aclose()

    run(scenario)


# --- caps


@contextlib.contextmanager
def peak() -> Iterator[Callable[[], int]]:
    """The most bytes that Python objects held within the block."""
    tracemalloc.start()
    try:
        yield lambda: most
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_endless_body_is_cut_off_and_memory_stays() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        with peak() as held:
            error = await failure(client, server.on("/feed", drip(head(200, {}), b"x" * 65536, 0)))
        assert "more than 1,000,000 bytes" in error.reason
        assert held() < 5_000_000

    run(scenario, limits=Limits(body_bytes=1_000_000))


BLOCKS = 100  # megabytes that a bomb would become


def _bomb(coding: str) -> bytes:
    block = b"\0" * 1_000_000
    if coding == "br":
        packer = brotli.Compressor(quality=5)
        return b"".join([*(packer.process(block) for _ in range(BLOCKS)), packer.finish()])
    if coding == "zstd":
        return bytes(zstd.compress(block * BLOCKS))
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    return b"".join([*(squeeze.compress(block) for _ in range(BLOCKS)), squeeze.flush()])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_compression_bomb_is_cut_off_and_memory_stays(coding: str) -> None:
    bomb = _bomb(coding)

    async def scenario(server: Hostile, client: Client) -> None:
        with peak() as held:
            error = await failure(client, server.on("/feed", reply(bomb, headers={"Content-Encoding": coding})))
        assert "more than 16,000,000 bytes" in error.reason
        assert held() < 40_000_000

    run(scenario, limits=Limits())


def test_compression_in_many_layers_is_refused() -> None:
    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        body = gzip.compress(gzip.compress(gzip.compress(RSS)))
        return await failure(client, server.on("/feed", reply(body, headers={"Content-Encoding": "gzip, gzip, gzip"})))

    assert "compressed more than" in run(scenario).reason


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_compressed_bodies_are_read(coding: str) -> None:
    packers = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
    pack: Callable[[bytes], bytes] = packers[coding]

    async def scenario(server: Hostile, client: Client) -> Fetched:
        return await get(client, server.on("/feed", reply(pack(RSS), headers={"Content-Encoding": coding})))

    assert run(scenario).body == RSS


def test_a_declared_monster_is_refused_unread() -> None:
    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        return await failure(client, server.on("/feed", raw(head(200, {"Content-Length": "9" * 15}), stay=True)))

    assert "999,999,999,999,999 bytes" in run(scenario).reason


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (drip(head(200, {}), b"x", 0.05), "no complete answer within 1 s"),
        (drip(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n", 0.05), "no complete answer within 1 s"),
        (raw(b"", stay=True), "silence for 0.5 s"),
        (raw(head(200, {"Content-Length": "999"}) + b"<rss>", stay=True), "silence for 0.5 s"),
        (raw(head(200, {"Content-Length": "999"}) + b"<rss>"), "broke off"),
        (raw(head(200, {"Transfer-Encoding": "chunked"}) + b"5\r\n<rss>\r\n"), "broke off"),
        (raw(b"SSH-2.0-nonsense\r\n\r\n"), "broke off"),
        (raw(b""), "broke off"),
        (reply(b"\x1f\x8bnonsense", headers={"Content-Encoding": "gzip"}), "compression is damaged"),
        (raw(head(200, {"X": "y" * 200_000})), "broke off"),
    ],
)
def test_broken_and_slow_answers_are_named_and_end_in_time(handler: Any, words: str) -> None:
    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        return await failure(client, server.on("/feed", handler))

    error = run(scenario)
    assert words in error.reason
    assert not error.lasting


# --- many at once


def test_one_host_gets_few_requests_at_a_time() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        most = now = 0
        pair = asyncio.Barrier(2)  # an answer waits until another request is there too: the two are at once

        async def count(request: Any, writer: asyncio.StreamWriter) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await pair.wait()
            for _ in range(100):  # turns of the loop, in which a third would come
                await asyncio.sleep(0)
            now -= 1
            writer.write(head(200, {"Content-Length": "0"}))

        for n in range(8):
            server.on(f"/{n}", count)
        await asyncio.gather(*(get(client, f"http://busy.example:{server.port}/{n}") for n in range(8)))
        assert most == 2

    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    run(scenario, resolver=here)


def test_thirty_feeds_on_a_dead_host_cost_one_time_out() -> None:
    asked = 0

    async def hang(host: str, port: int) -> list[str]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(3600)
        return []

    async def scenario(server: Hostile, client: Client) -> None:
        errors = await asyncio.gather(*(failure(client, f"http://dead.example/{n}") for n in range(30)))
        assert {error.reason for error in errors} == {"DNS: no answer for 'dead.example' in time"}
        assert asked == QUICK.per_host, "only those that were on their way when it was found dead"

    run(scenario, resolver=hang)


# --- TLS


CERTIFICATE = "tests/data/tls/localhost.pem"  # for localhost and 127.0.0.1, made for these tests, trusted by nobody


def over_tls(host: str, *, trusting: bool) -> Fetched:
    """A poll of `https://host/feed`, which leads to a server with our certificate."""

    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def play() -> Fetched:
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(CERTIFICATE)
        trust = ssl.create_default_context(cafile=CERTIFICATE) if trusting else None
        async with Hostile(tls=serving) as server:
            server.on("/feed", reply())
            client = Client(clock=lambda: START, networks=LOOPBACK, limits=QUICK, resolver=here, tls=trust)
            try:
                return await get(client, f"https://{host}:{server.port}/feed")
            finally:
                await client.aclose()

    return asyncio.run(play())


def test_the_certificate_is_asked_for_the_hosts_name_not_the_address() -> None:
    assert over_tls("localhost", trusting=True).body == RSS
    with pytest.raises(FetchFailed, match=r"TLS: the certificate of 'other\.example' does not hold.*mismatch"):
        over_tls("other.example", trusting=True)


def test_an_untrusted_certificate_is_named() -> None:
    with pytest.raises(FetchFailed, match=r"TLS: the certificate of 'localhost' does not hold: self.signed"):
        over_tls("localhost", trusting=False)


# --- webhooks


async def _post(client: Client, url: str) -> Answer:
    return await client.post(url, b'{"a":1}', {"Content-Type": "application/json", "webhook-id": "del-1"})


def test_a_post_carries_its_bytes_and_follows_no_redirect() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        answer = await _post(client, server.on("/hook", redirect("/elsewhere", 307)))
        assert (answer.status, answer.headers["location"]) == (307, "/elsewhere")
        assert [request.target for request in server.requests] == ["/hook"]
        request = server.requests[0]
        assert (request.method, request.body, request.headers["webhook-id"]) == ("POST", b'{"a":1}', "del-1")

    run(scenario)


def test_a_posts_answer_is_cut() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        answer = await _post(client, server.on("/hook", reply(b"x" * 1_000_000, 500)))
        assert (answer.status, len(answer.body)) == (500, 65_536)

    run(scenario)


@pytest.mark.parametrize(("handler", "sent"), [(raw(b""), True), (raw(b"", stay=True), True)])
def test_a_post_that_may_have_arrived_says_so(handler: Any, sent: bool) -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        with pytest.raises(FetchFailed) as caught:
            await _post(client, server.on("/hook", handler))
        assert caught.value.sent is sent

    run(scenario)


def test_a_post_that_cannot_have_arrived_says_so() -> None:
    async def scenario(server: Hostile, client: Client) -> None:
        for url in ("http://10.0.0.1/hook", "http://127.0.0.1:1/hook"):
            with pytest.raises(FetchFailed) as caught:
                await _post(client, url)
            assert not caught.value.sent

    run(scenario)


def test_retry_after_is_measured_by_the_servers_clock() -> None:
    late = (START + timedelta(days=400)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    later = (START + timedelta(days=400, minutes=5)).strftime("%a, %d %b %Y %H:%M:%S GMT")

    async def scenario(server: Hostile, client: Client) -> FetchFailed:
        return await failure(client, server.on("/feed", reply(b"", 503, {"Retry-After": later, "Date": late})))

    assert run(scenario).retry_after == 300
