"""A local web server with feeds: real in form and size, growing over time, and badly behaved on request."""

from __future__ import annotations

import hashlib
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.acceptance.texts import Item, utc_now

ATOM = "http://www.w3.org/2005/Atom"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
DC = "http://purl.org/dc/elements/1.1/"
for prefix, namespace in (("atom", ATOM), ("content", CONTENT), ("dc", DC)):
    ET.register_namespace(prefix, namespace)

Behaviour = Callable[["Exchange"], None]


@dataclass
class Feed:
    """One feed. `behaviour` None: answers as a good server does. It shows the newest `window` of its items."""

    path: str
    title: str
    form: str = "rss"  # rss | atom
    language: str = "en"
    items: list[Item] = field(default_factory=list)
    window: int | None = None
    behaviour: Behaviour | None = None
    changed: datetime = field(default_factory=utc_now)

    def render(self, base: str) -> bytes:
        return _atom(self, base) if self.form == "atom" else _rss(self, base)


@dataclass(frozen=True)
class Request:
    """What a client asked, and what it was answered."""

    path: str
    headers: dict[str, str]
    status: int


@dataclass
class Exchange:
    """One request in the hands of a behaviour."""

    handler: BaseHTTPRequestHandler
    feed: Feed
    base: str
    closing: threading.Event

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        self.handler.wfile.write(body)


class QuietServer(ThreadingHTTPServer):
    """A threading web server that takes it without a word when its client is killed: that is what these tests do."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FeedServer:
    """Feeds under http://127.0.0.1:PORT/; a context manager. Every request is kept in `requests`."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = QuietServer(("127.0.0.1", 0), _handler(self))
        self.requests: list[Request] = []
        self.arrived = threading.Semaphore(0)  # released at each request, before it is answered

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url(self, path: str) -> str:
        return self.base + path

    def add(self, path: str, title: str = "Example feed", **fields: Any) -> Feed:
        self._feeds[path] = feed = Feed(path, title, **fields)
        return feed

    def feed(self, path: str) -> Feed:
        return self._feeds[path]

    def publish(self, path: str, *items: Item) -> None:
        """Put items at the head of a feed, the last named on top, as a publisher would."""
        with self._lock:
            feed = self._feeds[path]
            for item in items:
                feed.items.insert(0, item)
            feed.changed = utc_now()

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def __enter__(self) -> FeedServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        self.arrived.release()
        with self._lock:
            feed = self._feeds.get(handler.path)
        if feed is None:
            handler.send_error(404)
            return
        exchange = Exchange(handler, feed, self.base, self._closing)
        (feed.behaviour or well_behaved)(exchange)

    def _note(self, handler: BaseHTTPRequestHandler, status: int) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append(Request(handler.path, headers, status))


def _handler(server: FeedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            server._serve(self)

        def log_request(self, code: int | str = 0, size: int | str = 0) -> None:
            server._note(self, int(code))

        def log_message(self, *_: object) -> None: ...

    return Handler


# --- behaviours


def well_behaved(exchange: Exchange) -> None:
    """200 with ETag and Last-Modified, or 304 where the client has it."""
    body = exchange.feed.render(exchange.base)
    validators = {
        "ETag": '"' + hashlib.sha256(body).hexdigest()[:16] + '"',
        "Last_Modified": format_datetime(exchange.feed.changed.astimezone(UTC), usegmt=True),
    }
    if exchange.handler.headers.get("If-None-Match") == validators["ETag"]:
        exchange.answer(304, **validators)
        return
    kind = "application/atom+xml" if exchange.feed.form == "atom" else "application/rss+xml"
    exchange.answer(200, body, Content_Type=f"{kind}; charset=utf-8", **validators)


def body(content: bytes, content_type: str = "application/rss+xml") -> Behaviour:
    return lambda exchange: exchange.answer(200, content, Content_Type=content_type)


def status(code: int, **headers: str) -> Behaviour:
    return lambda exchange: exchange.answer(code, b"", **headers)


def html(exchange: Exchange) -> None:
    page = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><p>Please accept cookies.</p></body></html>"
    exchange.answer(200, page.encode(), Content_Type="text/html; charset=utf-8")


def truncated(exchange: Exchange) -> None:
    """A content length that is not kept: the line drops in the middle of an item."""
    content = exchange.feed.render(exchange.base)
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Type", "application/rss+xml")
    exchange.handler.send_header("Content-Length", str(len(content)))
    exchange.handler.send_header("ETag", '"half"')
    exchange.handler.end_headers()
    exchange.handler.wfile.write(content[: len(content) // 2])
    exchange.handler.close_connection = True


def entity_bomb(exchange: Exchange) -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "lol">{levels}]>'
    bomb += "<rss version='2.0'><channel><title>&l9;</title><item><title>&l9;</title></item></channel></rss>"
    exchange.answer(200, bomb.encode(), Content_Type="application/rss+xml")


def hang(exchange: Exchange) -> None:
    """Takes the request and says nothing until the server closes."""
    exchange.closing.wait()
    exchange.handler.close_connection = True


def drip(exchange: Exchange) -> None:
    """A byte every now and then: no single read ever times out."""
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Type", "application/rss+xml")
    exchange.handler.send_header("Content-Length", "1000000")
    exchange.handler.end_headers()
    while not exchange.closing.wait(0.2):
        exchange.handler.wfile.write(b" ")


def endless(exchange: Exchange) -> None:
    """A body without an end, as fast as the line takes it."""
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Type", "application/rss+xml")
    exchange.handler.end_headers()
    exchange.handler.close_connection = True
    while not exchange.closing.is_set():
        exchange.handler.wfile.write(b"<rss>" * 20_000)


# --- the documents


def _html(item: Item) -> str:
    return "".join(f"<p>{paragraph}</p>\n" for paragraph in item.paragraphs)


def _rss(feed: Feed, base: str) -> bytes:
    rss = ET.Element("rss", version="2.0")
    channel = ET.SubElement(rss, "channel")
    _texts(channel, title=feed.title, link=f"{base}/", description=f"{feed.title}: latest", language=feed.language)
    ET.SubElement(channel, f"{{{ATOM}}}link", href=base + feed.path, rel="self", type="application/rss+xml")
    _texts(channel, ttl="1", lastBuildDate=format_datetime(feed.changed.astimezone(UTC), usegmt=True))
    for item in feed.items[: feed.window]:
        node = ET.SubElement(channel, "item")
        _texts(node, title=item.title, link=f"{base}/read/{item.key}?lang={feed.language}&src=rss")
        _texts(node, description=item.paragraphs[0], pubDate=format_datetime(item.published, usegmt=True))
        ET.SubElement(node, "guid", isPermaLink="false").text = item.key
        ET.SubElement(node, f"{{{DC}}}creator").text = item.author or "newsroom"
        ET.SubElement(node, f"{{{CONTENT}}}encoded").text = _html(item)
        for category in item.categories:
            ET.SubElement(node, "category").text = category
    return ET.tostring(rss, encoding="utf-8", xml_declaration=True)


def _atom(feed: Feed, base: str) -> bytes:
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": feed.language})
    _texts(root, title=feed.title, id=f"tag:example.org,2026:{feed.path}", updated=feed.changed.isoformat())
    ET.SubElement(root, "link", href=base + feed.path, rel="self")
    for item in feed.items[: feed.window]:
        node = ET.SubElement(root, "entry")
        _texts(node, title=item.title, id=f"tag:example.org,2026:{item.key}")
        _texts(node, published=item.published.isoformat(), updated=item.published.isoformat())
        ET.SubElement(node, "link", href=f"{base}/read/{item.key}", rel="alternate")
        _texts(ET.SubElement(node, "author"), name=item.author or "newsroom")
        ET.SubElement(node, "content", type="html").text = _html(item)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _texts(parent: ET.Element, **children: str) -> None:
    for name, text in children.items():
        ET.SubElement(parent, name).text = text
