"""A local webhook that checks Standard Webhooks signatures, keeps what it got and misbehaves on request."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

from standardwebhooks import Webhook

from tests.acceptance.feed_server import QuietServer

SECRET = "whsec_" + "dGhlIHRlc3RzJyB3ZWJob29rIHNlY3JldCwgMzIgYiE="  # of these tests alone


@dataclass(frozen=True)
class Call:
    """One POST. `verified`: its signature is by `SECRET` over these bytes. `status` None: never answered."""

    id: str
    timestamp: str
    body: bytes
    verified: bool
    status: int | None
    authorization: str = ""

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


class HookServer:
    """A context manager. `status` is the answer to come (None: never answers); `calls` holds what came, in order."""

    def __init__(self, status: int | None = 200, *, location: str = "") -> None:
        self.status, self.location = status, location
        self.calls: list[Call] = []
        self._closing = threading.Event()
        self._server = QuietServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    @property
    def accepted(self) -> list[Call]:
        return [call for call in self.calls if call.status is not None and 200 <= call.status < 300]

    def __enter__(self) -> HookServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(length)
        if len(body) < length:  # the sender was killed while it wrote
            handler.close_connection = True
            return
        headers = {name.lower(): value for name, value in handler.headers.items()}
        call_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "0")
        # signed again instead of `verify`, which also wants the sender's clock to agree with ours
        expected = Webhook(SECRET).sign(call_id, datetime.fromtimestamp(int(timestamp), UTC), body.decode())
        verified = expected in headers.get("webhook-signature", "").split()
        status = self.status
        self.calls.append(Call(call_id, timestamp, body, verified, status, headers.get("authorization", "")))
        if status is None:
            self._closing.wait()
            handler.close_connection = True
            return
        handler.send_response(status)
        if self.location:
            handler.send_header("Location", self.location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


def _handler(server: HookServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            server._take(self)

        def log_message(self, *_: object) -> None: ...

    return Handler
