"""What the traffic program answers: the switch for faults, and charges, for it plays the payment provider too."""

from __future__ import annotations

import json
import random
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from examples.faults import UnknownFault
from examples.traffic.switch import Switch


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._send(HTTPStatus.OK, generate_latest(self.server.registry), CONTENT_TYPE_LATEST)
        elif self.path == "/faults":
            self._json(HTTPStatus.OK, self.server.switch.state())
        elif self.path == "/health":
            self._json(HTTPStatus.OK, {"traffic": "healthy"})
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": "ask for /faults, /health or /metrics"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/charges":
            self._charge()
        else:
            self._turn(on=True)

    def do_DELETE(self) -> None:
        self._turn(on=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass

    def _charge(self) -> None:
        if "payments-down" in self.server.switch:
            self._json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "down"})
            return
        time.sleep(random.lognormvariate(-3.0, 0.5))  # 50 ms, now and then 150
        declined = random.random() < 0.01
        self._json(HTTPStatus.PAYMENT_REQUIRED if declined else HTTPStatus.CREATED, {"declined": declined})

    def _turn(self, on: bool) -> None:
        folder, _, name = self.path.strip("/").partition("/")
        if folder != "faults" or not name:
            self._json(HTTPStatus.NOT_FOUND, {"error": "POST or DELETE /faults/<name>; GET /faults lists them"})
            return
        try:
            self.server.switch.turn(name, on)
        except UnknownFault as error:
            self._json(HTTPStatus.NOT_FOUND, {"error": str(error)})
            return
        self._json(HTTPStatus.OK, self.server.switch.state())

    def _json(self, status: HTTPStatus, content: Any) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """On a port; 0 takes a free one."""

    daemon_threads = True

    def __init__(self, port: int, switch: Switch, registry: CollectorRegistry) -> None:
        self.switch, self.registry = switch, registry
        super().__init__(("", port), Handler)
