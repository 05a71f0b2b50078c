"""Calls to other services: their time by dependency, and a circuit breaker that shows its state."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from enum import IntEnum

from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry, Gauge, Histogram

from examples.shop.tracing import exemplar


class DependencyUnavailable(Exception):
    """The call failed, or was not made because the last ones did."""


# region: dependencies
class DependencyMetrics:
    """The label is called `dependency`: `service` is the name of who is scraped, and Prometheus puts that on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.duration = Histogram(
            "external_api_duration_seconds",
            "Time of a call; status code 0 where no answer came.",
            ["dependency", "endpoint", "status_code"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        self.breaker = Gauge(
            "circuit_breaker_state", "State: 0 closed, 1 open, 2 half-open.", ["dependency"], registry=registry
        )


# endregion: dependencies


# region: circuit-breaker
class State(IntEnum):
    """The states, as the numbers that the metric shows."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


class CircuitBreaker:
    """Opens after `failures` in a row; after `pause` seconds lets one call through, which decides."""

    def __init__(self, metrics: DependencyMetrics, dependency: str, failures: int = 5, pause: float = 10) -> None:
        self._limit, self._pause, self._failed, self._opened = failures, pause, 0, 0.0
        self._lock = threading.Lock()
        self._gauge = metrics.breaker.labels(dependency)
        self._enter(State.CLOSED)

    def allows(self) -> bool:
        """Whether a call may be made now."""
        with self._lock:
            if self.state is State.OPEN and time.monotonic() - self._opened >= self._pause:
                self._enter(State.HALF_OPEN)
                return True
            return self.state is State.CLOSED

    def note(self, success: bool) -> None:
        """How the call ended."""
        with self._lock:
            self._failed = 0 if success else self._failed + 1
            if success:
                self._enter(State.CLOSED)
            elif self.state is State.HALF_OPEN or self._failed >= self._limit:
                self._opened = time.monotonic()
                self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self.state = state
        self._gauge.set(state)


# endregion: circuit-breaker


class Dependency:
    """One service that is called over HTTP. `endpoint` is the route without ids, as in the metric."""

    def __init__(self, metrics: DependencyMetrics, name: str, base: str, timeout: float = 2) -> None:
        self._metrics, self._name, self._base, self._timeout = metrics, name, base, timeout
        self.breaker = CircuitBreaker(metrics, name)

    def post(self, endpoint: str, body: bytes) -> bytes:
        """The answer's body; `DependencyUnavailable` without one."""
        if not self.breaker.allows():
            raise DependencyUnavailable(f"{self._name} is not asked: its last calls failed")
        headers = {"Content-Type": "application/json"}
        with trace.get_tracer(__name__).start_as_current_span(f"POST {endpoint}", kind=SpanKind.CLIENT):
            inject(headers)
            request = urllib.request.Request(self._base + endpoint, body, headers)
            begin, status, answer = time.perf_counter(), 0, b""
            try:
                with urllib.request.urlopen(request, timeout=self._timeout) as response:
                    status, answer = response.status, response.read()
            except urllib.error.HTTPError as error:
                status = error.code
                error.close()
            except OSError:
                status = 0
            duration = self._metrics.duration.labels(self._name, endpoint, str(status))
            duration.observe(time.perf_counter() - begin, exemplar())
            # An answer that blames the request (4xx) says that the dependency works.
            self.breaker.note(success=0 < status < 500)
            if not 200 <= status < 300:
                raise DependencyUnavailable(f"{self._name} answered {status or 'nothing'}")
            return answer
