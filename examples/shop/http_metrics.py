"""Middleware pattern: rate, errors and duration of every request, measured in one place around the application."""

from __future__ import annotations

import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from examples.shop.tracing import exemplar

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

ROUTE = "shop.route"
"""Where the application notes which route it matched: `/products/{id}`, never the path with the id in it."""
UNMATCHED = "unmatched"


# region: red-metrics
class RequestMetrics:
    """Rate, errors and duration (RED) of HTTP requests.

    The label is the route, not the path: a path holds ids, and every id would be a series of its own for ever.
    """

    def __init__(self, registry: CollectorRegistry, routes: Iterable[tuple[str, str, HTTPStatus]]) -> None:
        self.requests = Counter(
            "http_requests_total", "Requests answered.", ["method", "route", "status_code"], registry=registry
        )
        self.errors = Counter(
            "http_request_errors_total",
            "Requests answered with status 400 and above.",
            ["method", "route", "error_type"],
            registry=registry,
        )
        self.duration = Histogram(
            "http_request_duration_seconds",
            "Time from a request to its answer.",
            ["method", "route"],
            # 0.5 is what is promised: the share of requests within an objective is exact only at a bucket's bound.
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.in_flight = Gauge("http_requests_in_flight", "Requests being answered now.", ["method"], registry=registry)
        for method, route, success in routes:
            # increase() sees a series from its second sample on: without a 0 before it, the first error is not seen.
            self.requests.labels(method, route, str(success.value))
            self.requests.labels(method, route, "500")
            self.duration.labels(method, route)
            for error_type in ("client_error", "server_error"):
                self.errors.labels(method, route, error_type)


# endregion: red-metrics


# region: middleware
class Measured:
    """Any WSGI application, with its requests measured and traced."""

    def __init__(self, application: WSGIApplication, metrics: RequestMetrics) -> None:
        self._application, self._metrics = application, metrics
        self._tracer = trace.get_tracer(__name__)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, answered = environ["REQUEST_METHOD"], ["500"]

        def noting_status(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            answered[0] = status.split(" ", 1)[0]
            return start_response(status, headers, *rest)

        caller = extract({"traceparent": environ.get("HTTP_TRACEPARENT", "")})
        with (
            self._tracer.start_as_current_span(method, context=caller, kind=SpanKind.SERVER) as span,
            self._metrics.in_flight.labels(method).track_inprogress(),
        ):
            begin = time.perf_counter()
            try:
                return self._application(environ, noting_status)
            finally:
                route, status = environ.get(ROUTE, UNMATCHED), answered[0]
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.route": route, "http.response.status_code": int(status)})
                if int(status) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set_status(StatusCode.ERROR)
                self._note(method, route, status, time.perf_counter() - begin)

    def _note(self, method: str, route: str, status: str, seconds: float) -> None:
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.duration.labels(method, route).observe(seconds, exemplar())
        if int(status) >= HTTPStatus.BAD_REQUEST:
            side = "server_error" if int(status) >= HTTPStatus.INTERNAL_SERVER_ERROR else "client_error"
            self._metrics.errors.labels(method, route, side).inc()


# endregion: middleware
