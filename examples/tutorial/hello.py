"""A service with metrics in thirty lines: it greets, counts its requests and measures how long they take."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import Counter, Histogram, start_http_server

REQUESTS = Counter("http_requests", "Requests answered.", ["method", "route", "status_code"])
SECONDS = Histogram("http_request_duration_seconds", "Time from a request to its answer.", ["method", "route"])


class Hello(BaseHTTPRequestHandler):
    """One request; a route that does not exist is one label value, whatever was asked for."""

    def do_GET(self) -> None:
        """Greet."""
        begin = time.perf_counter()
        known = self.path == "/"
        status, route = (200, "/") if known else (404, "unknown")
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"hello\n" if known else b"not here\n")
        REQUESTS.labels("GET", route, str(status)).inc()
        SECONDS.labels("GET", route).observe(time.perf_counter() - begin)


if __name__ == "__main__":
    start_http_server(8001)
    ThreadingHTTPServer(("", 8000), Hello).serve_forever()
