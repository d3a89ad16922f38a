"""The one HTTP client of the whole program: vetted addresses, redirects by hand, caps on bytes and seconds, manners."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import httpcore2
import httpx2

from monitor.core.entries import Source
from monitor.core.polling import CONFIRMED_MOVES
from monitor.core.urls import CUT, redact_url
from monitor.core.variables import expand, variables
from monitor.ports import Answer, Clock, Fetched, FetchFailed, PollState
from monitor.sources import answers
from monitor.sources.addresses import NONE, Networks
from monitor.sources.connect import AddressRefused, Resolve, VettedBackend, resolve
from monitor.sources.courtesy import Courtesy

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, application/xml;q=0.9, "
    "text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
ANSWER_BYTES = 65_536  # of what a webhook's peer says
SECRET_PART = 8  # characters; what is shorter is no key, and would be cut out of innocent words
_REDIRECTS = (301, 302, 303, 307, 308)
_PERMANENT = (301, 308)
_NOT_CONNECTED = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.PoolTimeout, httpcore2.ProxyError)
_BROKEN_OFF = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.HTTPError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on one exchange, all redirects included, and on the pressure put on one host."""

    seconds: float = 30.0
    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    body_bytes: int = 16_000_000  # decoded
    redirects: int = 10
    per_host: int = 2
    spacing: float = 0.5  # seconds between the starts of two requests to one host


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a request goes. `permitted`: the owner's allow_networks holds for it. `secrets`: values never shown."""

    url: httpx2.URL
    permitted: bool
    secrets: tuple[str, ...] = ()

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.url.scheme, self.url.host, _port(self.url)

    @property
    def shown(self) -> str:
        return self.redacted(str(self.url))

    def redacted(self, text: str) -> str:
        """An address without secrets, those included that came out of `${NAME}`."""
        for secret in self.secrets:
            for part in (secret, *_parts(secret)):
                for form in (part, quote(part), quote(part, safe="")):
                    text = re.sub(re.escape(form), CUT, text, flags=re.IGNORECASE)  # hosts come back in lower case
        return redact_url(text)


Headers = dict[str, str]


class Client:
    """Implements `ports.Fetcher` and `ports.Poster`. Bound to one event loop; close it with `aclose`.

    `networks` permits private addresses for what the owner wrote (and redirects that stay on its host and port);
    everything else must be public. With a `proxy` it is the proxy that resolves and checks. `secrets` gives the values
    of `${NAME}` in addresses and headers. The environment's proxy settings and netrc are never looked at.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        contact: str | None = None,
        networks: Networks = NONE,
        proxy: str | None = None,
        secrets: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        resolver: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._clock, self._networks, self._proxy, self._resolver, self._tls = clock, networks, proxy, resolver, tls
        self._secrets = {} if secrets is None else secrets
        self._limits = limits or Limits()
        self._agent = user_agent(contact)
        self._courtesy = Courtesy(self._limits.per_host, self._limits.spacing)
        self._pools: dict[bool, httpcore2.AsyncConnectionPool] = {}

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()

    async def fetch(self, source: Source, poll: PollState) -> Fetched:
        """Poll one source, with the validators of its last answer. Raises only `FetchFailed`."""
        written, own = self._written(source.location, source.headers)
        start = written
        if poll.moved_to is not None and poll.moved_times >= CONFIRMED_MOVES:
            start = self._next(written, poll.moved_to, written)
        common = {"User-Agent": self._agent, "Accept": ACCEPT, "Accept-Encoding": "gzip, deflate, br, zstd"}
        if poll.etag is not None:
            common["If-None-Match"] = poll.etag
        if poll.last_modified is not None:
            common["If-Modified-Since"] = poll.last_modified
        return await self._follow(start, written, common, own)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One POST to an address the owner wrote; no redirect is followed. Raises only `FetchFailed`."""
        place, own = self._written(url, headers)
        async with (
            self._deadline(self._limits.seconds),
            self._exchange("POST", place, {"User-Agent": self._agent, **own}, body) as response,
        ):
            content = await answers.read(response, ANSWER_BYTES, cut=True)
            lower = {name.lower(): value for name, value in response.headers.items()}
            if "location" in lower:
                lower["location"] = place.redacted(lower["location"])
            return Answer(status=response.status_code, headers=lower, body=content)

    async def _follow(self, start: _Place, written: _Place, common: Headers, own: Headers) -> Fetched:
        place, permanent, budget = start, True, self._limits.seconds
        clock = asyncio.get_running_loop().time
        for _ in range(self._limits.redirects + 1):
            headers = common | own if place.origin == written.origin else common
            async with self._turn(place):  # waiting for it is our own doing and not the server's time
                began = clock()
                async with self._deadline(budget), self._exchange("GET", place, headers) as response:
                    target = response.headers.get("location")
                    if response.status_code not in _REDIRECTS or target is None:
                        moved = place if permanent and place.url != start.url else None
                        return await self._fetched(response, place, moved, conditional=_is_conditional(common))
                    permanent = permanent and response.status_code in _PERMANENT
                budget -= clock() - began
            place = self._next(place, target, written)
        raise FetchFailed(f"more than {self._limits.redirects} redirects, the last to {place.shown}", lasting=True)

    async def _fetched(
        self, response: httpx2.Response, place: _Place, moved: _Place | None, *, conditional: bool
    ) -> Fetched:
        now = self._clock()
        answers.refuse_bad_status(response, now, conditional=conditional)
        body = None
        if response.status_code != 304:
            answers.refuse_large(response, self._limits.body_bytes)
            body = await answers.read(response, self._limits.body_bytes, cut=False)
        return Fetched(
            body=body,
            url=place.shown,
            status=response.status_code,
            content_type=response.headers.get("content-type"),
            etag=answers.validator(response, b"etag"),
            last_modified=answers.validator(response, b"last-modified"),
            wait=answers.freshness(response, now),
            # an address that holds a secret cannot be stored, so it is not remembered
            moved_to=moved.shown if moved is not None and moved.shown == str(moved.url) else None,
        )

    # --- one exchange -------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _deadline(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise FetchFailed(f"no complete answer within {self._limits.seconds:g} s", sent=True) from None

    @contextlib.asynccontextmanager
    async def _turn(self, place: _Place) -> AsyncIterator[None]:
        if self._is_own(place):
            yield
            return
        async with self._courtesy.turn(place.url.host):
            yield

    @contextlib.asynccontextmanager
    async def _exchange(
        self, method: str, place: _Place, headers: Headers, body: bytes = b""
    ) -> AsyncIterator[httpx2.Response]:
        raw = {name: value.encode("latin-1", "replace") for name, value in headers.items()}
        request = httpx2.Request(method, place.url, headers=raw, content=body or None)  # type: ignore[arg-type]
        try:
            answer = await self._pool(place.permitted).handle_async_request(self._prepared(request))
            try:
                yield httpx2.Response(answer.status, headers=answer.headers, stream=_Stream(answer), request=request)
            finally:
                await answer.aclose()
        except AddressRefused as error:
            raise FetchFailed(f"{error}; nothing was sent", lasting=True) from None
        except _NOT_CONNECTED as error:
            reason = answers.connect_reason(error, place.url.host, self._limits.connect_seconds)
            self._courtesy.unreachable(place.url.host, reason)
            raise FetchFailed(reason) from None
        except (httpcore2.UnsupportedProtocol, httpcore2.LocalProtocolError) as error:
            # Its words may quote a header, and so a secret.
            said = (
                f"the request cannot be made ({type(error).__name__}): a header or the address is not allowed in HTTP"
            )
            raise FetchFailed(said, lasting=True) from None
        except _BROKEN_OFF as error:
            reason = answers.exchange_reason(error, self._limits.read_seconds)
            raise FetchFailed(reason, sent=True) from None

    def _prepared(self, request: httpx2.Request) -> httpcore2.Request:
        url, limits = request.url, self._limits
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        timeouts = {"connect": limits.connect_seconds, "pool": limits.seconds}
        timeouts |= dict.fromkeys(("read", "write"), limits.read_seconds)
        return httpcore2.Request(
            request.method,
            target,
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": timeouts},
        )

    def _pool(self, permitted: bool) -> httpcore2.AsyncConnectionPool:
        # Two pools: a connection opened with the owner's permission must not serve an address a stranger wrote.
        pool = self._pools.get(permitted)
        if pool is None:
            self._tls = self._tls or httpx2.create_ssl_context()
            shared: dict[str, Any] = {
                "ssl_context": self._tls, "max_connections": 200, "max_keepalive_connections": 20,
                "keepalive_expiry": 5.0, "http2": True,
            }  # fmt: skip
            if self._proxy is None:
                backend = VettedBackend(self._networks if permitted else NONE, self._resolver)
                pool = httpcore2.AsyncConnectionPool(network_backend=backend, **shared)
            else:
                proxy = httpx2.Proxy(self._proxy)
                pool = httpcore2.AsyncHTTPProxy(str(proxy.url), proxy_auth=proxy.raw_auth, **shared)
            self._pools[permitted] = pool
        return pool

    # --- addresses and headers ----------------------------------------------------------------------

    def _written(self, url: str, headers: Mapping[str, str]) -> tuple[_Place, Headers]:
        """Where an address of the owner's leads, and the headers that go to its origin and nowhere else."""
        expanded = httpx_url(self._expand(url), redact_url(url))
        own = {name: self._expand(value) for name, value in headers.items()}
        if expanded.userinfo:
            pair = unquote_to_bytes(expanded.userinfo)
            own.setdefault("Authorization", "Basic " + base64.b64encode(pair).decode("ascii"))
        names = dict.fromkeys(name for text in (url, *headers.values()) for name in variables(text))
        secrets = tuple(self._expand(f"${{{name}}}") for name in names)
        return _Place(_without_userinfo(expanded), True, tuple(filter(None, secrets))), own

    def _next(self, place: _Place, target: str, written: _Place) -> _Place:
        try:
            joined = place.url.join(target)
        except (httpx2.InvalidURL, ValueError):
            raise FetchFailed(f"{place.shown} redirects to what is no address", lasting=True) from None
        # A stranger's user and password are not ours to send.
        led = f"{place.shown} redirects to {place.redacted(str(joined))}, which"
        url = _without_userinfo(httpx_url(str(joined), led))
        permitted = (url.host, _port(url)) == (written.url.host, _port(written.url))
        return _Place(url, permitted, written.secrets)

    def _expand(self, text: str) -> str:
        try:
            return expand(text, self._secrets)
        except KeyError as error:
            raise FetchFailed(f"variable {error.args[0]} is not set", lasting=True) from None

    def _is_own(self, place: _Place) -> bool:
        """Whether it is one of the owner's own machines, which need no sparing."""
        if not place.permitted:
            return False
        try:
            return self._networks.permits(ip_address(place.url.host), _port(place.url))
        except ValueError:
            return place.url.host == "localhost"


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part


def user_agent(contact: str | None) -> str:
    """`theme-monitor/0.1.0 (+contact)`."""
    agent = f"theme-monitor/{version('theme-monitor')}"
    return f"{agent} (+{contact.encode('ascii', 'replace').decode()})" if contact else agent


def httpx_url(text: str, shown: str) -> httpx2.URL:
    """A http or https address. Raises `FetchFailed`; `shown` begins its message."""
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        raise FetchFailed(f"{shown} is not a valid address", lasting=True) from None
    if url.scheme not in ("http", "https"):
        raise FetchFailed(f"{shown} is not a http or https address", lasting=True)
    if not url.host or "%" in url.host:  # a space in it, or the zone of a link-local address
        raise FetchFailed(f"{shown} names no host of the internet", lasting=True)
    return url


def _parts(secret: str) -> list[str]:
    """What of a secret address may come back under another scheme or host: its path, and what in it could be a key."""
    path = secret.partition("://")[2] or secret
    path = path[path.find("/") :] if "/" in path else ""
    return [part for part in (path, *re.split(r"[/?&=#]", path)) if len(part) >= SECRET_PART]


def _without_userinfo(url: httpx2.URL) -> httpx2.URL:
    return url.copy_with(username=None, password=None) if url.userinfo else url


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _is_conditional(headers: Headers) -> bool:
    return "If-None-Match" in headers or "If-Modified-Since" in headers
