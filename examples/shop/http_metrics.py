"""Middleware pattern: rate, errors and duration of every request, measured in one place around the application."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from examples.shop.tracing import exemplar

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

UNMATCHED = "unmatched"
"""The route of requests that no route matches: they are one series, whatever path they made up."""


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
            "Requests that ended with an error, by whose fault it was.",
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
        self.in_flight = Gauge(
            "http_requests_in_flight", "Requests that are being answered now.", ["method", "route"], registry=registry
        )
        for method, route, success in routes:
            # increase() sees a series from its second sample on: without a 0 before it, the first error is not seen.
            self.requests.labels(method, route, str(success.value))
            self.requests.labels(method, route, "500")
            self.duration.labels(method, route)
            self.in_flight.labels(method, route)
            for error_type in ("client_error", "server_error"):
                self.errors.labels(method, route, error_type)


# endregion: red-metrics


# region: middleware
class Measured:
    """Any WSGI application, with its requests measured and traced; `route_of` gives the route that one matches.

    The time ends when the application returns: what it streams after that is not waited for.
    """

    def __init__(
        self, application: WSGIApplication, metrics: RequestMetrics, route_of: Callable[[WSGIEnvironment], str]
    ) -> None:
        self._application, self._metrics, self._route_of = application, metrics, route_of
        self._tracer = trace.get_tracer(__name__)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, route, answered = environ["REQUEST_METHOD"], self._route_of(environ), ["500"]

        def noting_status(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            answered[0] = status.split(" ", 1)[0]
            return start_response(status, headers, *rest)

        caller = extract({"traceparent": environ.get("HTTP_TRACEPARENT", "")})
        with (
            self._tracer.start_as_current_span(f"{method} {route}", context=caller, kind=SpanKind.SERVER) as span,
            self._metrics.in_flight.labels(method, route).track_inprogress(),
        ):
            begin = time.perf_counter()
            try:
                return self._application(environ, noting_status)
            finally:
                status = answered[0]
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
