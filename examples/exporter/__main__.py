"""`python -m examples.exporter`: all subjects on one port, until it is told to stop.

`/metrics?subject=backup&subject=compliance` answers for these alone, so that each can be a scrape job of its own.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from urllib.parse import parse_qs, urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from examples.exporter.collector import DeclaredCollector
from examples.exporter.declared import read_subject
from examples.exporter.values import Values
from examples.faults import Faults, UnknownFault

SUBJECTS = ("business", "concierge", "neo4j-aura", "janusgraph", "cassandra", "security", "compliance", "backup")


class Server(ThreadingHTTPServer):
    """One registry a subject; 0 as port takes a free one."""

    daemon_threads = True

    def __init__(self, port: int, registries: Mapping[str, CollectorRegistry], faults: Faults) -> None:
        self.registries, self.faults = registries, faults
        super().__init__(("", port), Handler)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/metrics":
            self._metrics(parse_qs(url.query).get("subject", list(SUBJECTS)))
        elif url.path == "/faults":
            self._json(HTTPStatus.OK, self.server.faults.state())
        elif url.path == "/health":
            self._json(HTTPStatus.OK, {"exporter": "healthy"})
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": "ask for /metrics, /faults or /health"})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self.server.faults.replace_from(body)
        except UnknownFault as error:
            self._json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        self._json(HTTPStatus.OK, self.server.faults.state())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass

    def _metrics(self, subjects: list[str]) -> None:
        unknown = sorted({*subjects} - {*SUBJECTS})
        if unknown:
            self._json(HTTPStatus.BAD_REQUEST, {"error": f"no subject {unknown[0]}; subjects: {', '.join(SUBJECTS)}"})
            return
        text = b"".join(generate_latest(self.server.registries[subject]) for subject in dict.fromkeys(subjects))
        self._send(HTTPStatus.OK, text, CONTENT_TYPE_LATEST)

    def _json(self, status: HTTPStatus, content: object) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def registries(values: Values) -> dict[str, CollectorRegistry]:
    """A registry for each subject, with its metrics in it."""
    found = {subject: CollectorRegistry() for subject in SUBJECTS}
    for subject, registry in found.items():
        registry.register(DeclaredCollector(read_subject(subject, values.labels), values.motion))
    return found


def main() -> int:
    """Serves until SIGTERM or Ctrl-C."""
    values = Values()
    parser = argparse.ArgumentParser(prog="exporter", description="Metrics of systems too big for a demo.")
    parser.add_argument("--port", type=int, default=8002, help="default: 8002")
    parser.add_argument("--fault", action="append", default=[], choices=values.faults.known, help="on from the start")
    options = parser.parse_args()
    values.faults.replace(options.fault)
    with Server(options.port, registries(values), values.faults) as server:

        def stop(_signal: int, _frame: FrameType | None) -> None:
            threading.Thread(target=server.shutdown).start()  # from this thread it would wait for itself

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        print(f"exporter answers on port {server.server_port}", flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
