"""A server on this machine that containers can reach: what a channel of an alert looks like to its owner."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Delivery:
    """One POST."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    sender: str = ""
    """Its address."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024  # of connections at once: no sender is turned away and comes back


class Receiver:
    """Takes every POST with a success and keeps it."""

    def __init__(self, address: str) -> None:
        self.deliveries: list[Delivery] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.deliveries.append(Delivery(self.path, dict(self.headers), body, self.client_address[0]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Server((address, 0), Handler)
        self.url = f"http://{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def at(self, path: str) -> list[Delivery]:
        """What has come to a path so far."""
        return [delivery for delivery in self.deliveries if delivery.path == path]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
