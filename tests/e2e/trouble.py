"""A server on this machine that containers can reach, with every known way of being a bad target."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e.engine import free_ports

Answer = tuple[int, str]


BALLAST = 10000
"""Series below `/ballast`, which is no trouble but work."""


def _series(name: str, count: int, value: int = 1) -> str:
    return "".join(f'{name}{{user="{number}"}} {value}\n' for number in range(count))


def _strange(started: float) -> str:
    """Numbers that a healthy program does not have; counters go up with each scrape."""
    now = time.time()
    counters = (
        'thanos_objstore_bucket_operation_failures_total{operation="upload"}',
        'prometheus_rule_group_iterations_missed_total{rule_group="shop.yaml;shop"}',
        'otelcol_receiver_refused_spans_total{receiver="otlp"}',
    )
    return "\n".join(
        (
            f"node_time_seconds {now + 600}",
            "process_open_fds 95",
            "process_max_fds 100",
            f"probe_ssl_earliest_cert_expiry {now + 24 * 3600}",
            f"prometheus_remote_storage_highest_timestamp_in_seconds {now}",
            f'prometheus_remote_storage_queue_highest_sent_timestamp_seconds{{url="http://far"}} {now - 900}',
            'prometheus_engine_query_duration_seconds{slice="inner_eval",quantile="0.99"} 12',
            *(f"{counter} {now - started:.0f}" for counter in counters),
            "",
        )
    )


class Trouble:
    """Metrics by GET, each path another failure; every POST is refused, as by a channel that knows nobody."""

    def __init__(self, address: str) -> None:
        started = time.time()
        (self.unused,) = free_ports(1)
        answers: dict[str, Callable[[], Answer]] = {
            "/login": lambda: (401, "who are you?"),
            "/late": lambda: (time.sleep(4), (200, "late 1\n"))[1],  # type: ignore[func-returns-value]
            "/slow": lambda: (time.sleep(1.75), (200, "slow 1\n"))[1],  # type: ignore[func-returns-value]
            "/many": lambda: (200, _series("many", 200)),
            "/budget": lambda: (200, _series("budget", 300)),
            "/page": lambda: (200, "<html>hello</html>"),
            "/empty": lambda: (200, "\n"),
            "/future": lambda: (200, f"future 1 {int(time.time() + 3600)}000\n"),
            "/strange": lambda: (200, _strange(started)),
            "/ballast": lambda: (200, _series("ballast", BALLAST, int(time.time() - started))),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*answers[self.path]())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(400, "no such room")

            def _answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.host, self.port = address, self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def service(self, name: str, **more: Any) -> dict[str, Any]:
        """A service of a stack file that is this server's path of the same name."""
        targets = [f"{self.host}:{self.port}"]
        return {"name": name, "team": "web", "path": f"/{name}", "discovery": {"static": {"targets": targets}}, **more}

    def services(self) -> list[dict[str, Any]]:
        """One service for each way of being a bad target."""
        return [
            self.service("refused", discovery={"static": {"targets": [f"{self.host}:{self.unused}"]}}),
            self.service("login"),
            self.service("late"),
            self.service("slow"),
            self.service("many", sample_limit=100),
            self.service("budget", series_budget=50),
            self.service("page"),
            self.service("empty"),
            self.service("future"),
            self.service("strange"),
            self.service("nowhere", discovery={"docker": {"host": "tcp://prometheus:1"}}),
        ]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
