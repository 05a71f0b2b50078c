"""The shop's parts under load and under faults, and what their metrics say of it."""

from __future__ import annotations

import io
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from prometheus_client import CollectorRegistry, generate_latest

from examples.faults import Faults, UnknownFault
from examples.shop import shop
from examples.shop.__main__ import build
from examples.shop.cache import Cache, CacheMetrics
from examples.shop.database import Database, DatabaseMetrics, PoolExhausted
from examples.shop.dependencies import CircuitBreaker, Dependency, DependencyMetrics, DependencyUnavailable, State
from examples.shop.rate_limit import RateLimiter
from examples.shop.tracing import exemplar


class Client:
    """Calls a WSGI application as a server does."""

    def __init__(self, registry: CollectorRegistry, *faults: str) -> None:
        found = Faults(shop.FAULTS)
        found.replace(faults)
        self.shop, self._application = build(registry, "http://127.0.0.1:9", found)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and data."""
        content = b"" if body is None else json.dumps(body).encode()
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(len(content))}
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        setup_testing_defaults(environ)
        environ["wsgi.input"] = io.BytesIO(content)
        answered: list[str] = []

        def start_response(status: str, headers: Any, *_rest: Any) -> Any:
            answered.append(status)

        text = b"".join(self._application(environ, start_response))
        return int(answered[0].split()[0]), json.loads(text) if text.startswith((b"{", b"[")) else text.decode()


@pytest.fixture
def client(registry: CollectorRegistry) -> Client:
    return Client(registry)


def requests(registry: CollectorRegistry, method: str, route: str, status: str) -> float | None:
    labels = {"method": method, "route": route, "status_code": status}
    return registry.get_sample_value("http_requests_total", labels)


# region: test-middleware
def test_a_request_is_counted_under_its_route(client: Client, registry: CollectorRegistry) -> None:
    assert requests(registry, "GET", "/products/{id}", "200") == 0  # there before the first request
    assert client.ask("GET", "/products/7")[0] == 200
    assert client.ask("GET", "/products/8")[0] == 200
    assert requests(registry, "GET", "/products/{id}", "200") == 2
    duration = {"method": "GET", "route": "/products/{id}"}
    assert registry.get_sample_value("http_request_duration_seconds_count", duration) == 2
    assert registry.get_sample_value("http_requests_in_flight", duration) == 0


# endregion: test-middleware


def test_sizes_and_the_version_are_shown(client: Client, registry: CollectorRegistry) -> None:
    _, products = client.ask("GET", "/products")
    sizes = {"route": "/products"}
    assert registry.get_sample_value("http_response_size_bytes_count", sizes) == 1
    assert registry.get_sample_value("http_response_size_bytes_sum", sizes) == len(json.dumps(products))
    assert registry.get_sample_value("shop_build_info", {"version": "1.0.0"}) == 1


def test_what_matches_no_route_is_one_series(client: Client, registry: CollectorRegistry) -> None:
    for path in ("/secret", "/products/x", "/products/1/2"):
        assert client.ask("GET", path)[0] == 404
    assert requests(registry, "GET", "unmatched", "404") == 3
    assert "secret" not in generate_latest(registry).decode()


def test_metrics_health_and_faults_are_no_traffic(client: Client, registry: CollectorRegistry) -> None:
    assert client.ask("GET", "/health") == (200, {"database": "healthy", "payments": "healthy"})
    assert "http_requests_total" in client.ask("GET", "/metrics")[1]
    assert client.ask("PUT", "/faults", ["latency"])[1]["latency"] is True
    assert requests(registry, "GET", "unmatched", "404") is None
    assert client.ask("PUT", "/faults", ["nonsense"]) == (
        400,
        {"error": "no fault is called 'nonsense'; faults: errors, latency, pool-exhaustion, cache-misses"},
    )
    assert "latency" in client.shop.faults, "a wrong request changes nothing"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/orders", {"product": "7"}),
        ("/orders", {"product": 7, "amount": 100}),
        ("/orders", {"product": 7, "method": "shells"}),
        ("/orders", [7]),
        ("/signups", {"source": "friends", "plan": "gold", "country": "DE"}),
    ],
)
def test_what_a_client_makes_up_becomes_no_label(
    client: Client, registry: CollectorRegistry, path: str, body: Any
) -> None:
    assert client.ask("POST", path, body)[0] == 400
    text = generate_latest(registry).decode()
    assert "shells" not in text
    assert "gold" not in text


def test_a_payment_that_fails_is_an_outcome_and_no_error_of_the_shop(
    client: Client, registry: CollectorRegistry
) -> None:
    assert client.ask("POST", "/orders", {"product": 7}) == (402, {"paid": False})
    labels = {"type": "purchase", "status": "failed", "payment_method": "card"}
    assert registry.get_sample_value("business_transaction_amount_dollars_count", labels) == 1
    calls = {"dependency": "payments", "endpoint": "/charges", "status_code": "0"}
    assert registry.get_sample_value("external_api_duration_seconds_count", calls) == 1
    assert requests(registry, "POST", "/orders", "500") == 0


def test_an_order_is_paid_counted_and_dispatched(
    client: Client, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.shop.payments, "post", lambda endpoint, body: b"{}")
    price = client.ask("GET", "/products/7")[1]["cents"]
    assert client.ask("POST", "/orders", {"product": 7, "amount": 2, "method": "invoice"}) == (201, {"paid": True})
    labels = {"type": "purchase", "status": "success", "payment_method": "invoice"}
    assert registry.get_sample_value("business_transaction_amount_dollars_sum", labels) == pytest.approx(price / 50)
    revenue = {"product": "novel", "product_category": "books", "currency": "USD"}
    assert registry.get_sample_value("business_revenue_by_product_cents_total", revenue) == 2 * price
    assert registry.get_sample_value("queue_depth", {"queue_name": "dispatch"}) == 1
    client.shop.dispatch()
    client.shop.dispatch()
    done = {"operation": "dispatch_orders", "status": "success"}
    assert registry.get_sample_value("batch_operations_total", done) == 1
    processing = {"order_type": "standard", "fulfillment_type": "shipping"}
    assert registry.get_sample_value("business_order_processing_seconds_count", processing) == 1


def test_active_users_are_counted_not_named(client: Client, registry: CollectorRegistry) -> None:
    for user in ("ann", "ben", "ann"):
        client.ask("GET", "/products", x_plan="premium", x_user=user)
    client.ask("GET", "/products", x_user="carl")
    premium, guest = {"user_type": "registered", "plan": "premium"}, {"user_type": "guest", "plan": "free"}
    assert registry.get_sample_value("business_active_users", premium) == 2
    assert registry.get_sample_value("business_active_users", guest) == 1
    assert "carl" not in generate_latest(registry).decode()


def test_users_who_leave_are_forgotten(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.ask("GET", "/products", x_plan="free", x_user="ann")
    assert client.shop.active.count("registered", "free") == 1
    later = time.monotonic() + 301
    monkeypatch.setattr("examples.shop.business.time.monotonic", lambda: later)
    assert client.shop.active.count("registered", "free") == 0


def test_errors_are_answered_and_counted(registry: CollectorRegistry) -> None:
    client = Client(registry, "errors")
    for _ in range(60):
        client.ask("GET", "/products")
    failed, served = (requests(registry, "GET", "/products", status) or 0 for status in ("500", "200"))
    assert failed + served == 60
    assert failed > 0
    assert served > 0
    errors = {"method": "GET", "route": "/products", "error_type": "server_error"}
    assert registry.get_sample_value("http_request_errors_total", errors) == failed


def test_cache_misses_come_from_keys_that_nobody_asked_for_before(registry: CollectorRegistry) -> None:
    client = Client(registry)

    def lookups(status: str) -> float | None:
        labels = {"operation": "get", "cache_name": "catalogue", "status": status}
        return registry.get_sample_value("cache_operations_total", labels)

    for _ in range(3):
        client.ask("GET", "/products/7")
    assert (lookups("hit"), lookups("miss")) == (2, 1)
    client.shop.faults.replace(["cache-misses"])
    for _ in range(3):
        client.ask("GET", "/products/7")
    assert (lookups("hit"), lookups("miss")) == (2, 4)


def test_a_client_that_asks_too_often_is_refused(
    client: Client, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    # However long the 150 requests take, no token comes back meanwhile.
    monkeypatch.setattr("examples.shop.rate_limit.time", SimpleNamespace(monotonic=lambda: now))
    statuses = {client.ask("GET", "/products")[0] for _ in range(150)}
    assert statuses == {200, 429}
    hits = {"limit_type": "per_second", "client_type": "anonymous"}
    assert (registry.get_sample_value("rate_limit_hits_total", hits) or 0) > 10
    assert client.ask("GET", "/products", x_plan="free")[0] == 200, "others are not refused for it"


def test_tokens_come_back_with_time(registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("examples.shop.rate_limit.time.monotonic", lambda: now[0])
    limiter = RateLimiter(registry, {"anonymous": 2}, burst=1)
    assert [limiter.allows("anonymous") for _ in range(3)] == [True, True, False]
    now[0] += 0.5
    assert [limiter.allows("anonymous") for _ in range(2)] == [True, False]


def test_a_pool_that_is_used_up_says_so(registry: CollectorRegistry) -> None:
    database = Database(DatabaseMetrics(registry), "small", size=1, patience=0.01)

    def pool(state: str) -> float | None:
        return registry.get_sample_value("db_connection_pool_size", {"state": state, "database": "small"})

    with database.connection():
        assert (pool("active"), pool("idle"), pool("total")) == (1, 0, 1)
        with pytest.raises(PoolExhausted, match="no connection to small"):
            database.query("select", "products", "SELECT 1")
    assert (pool("active"), pool("idle")) == (0, 1)
    failed = {"operation": "select", "error_type": "PoolExhausted"}
    assert registry.get_sample_value("db_query_errors_total", failed) == 1


def test_a_query_that_fails_is_timed_as_an_error_and_gives_its_connection_back(registry: CollectorRegistry) -> None:
    database = Database(DatabaseMetrics(registry), "broken", size=1)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError):
            database.query("select", "nothing", "SELECT * FROM nothing")
    labels = {"operation": "select", "table": "nothing", "database": "broken", "status": "error"}
    assert registry.get_sample_value("db_query_duration_seconds_count", labels) == 2


def test_a_cache_forgets_what_is_old_and_what_is_too_much(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("examples.shop.cache.time.monotonic", lambda: now[0])
    cache: Cache[int] = Cache(CacheMetrics(registry), "small", size=2, lifetime=10)
    for number in range(3):
        cache.set(str(number), number)
    assert [cache.get(key) for key in ("0", "1", "2")] == [None, 1, 2]
    now[0] = 11
    assert cache.get("2") is None


def test_a_circuit_breaker_opens_pauses_tries_and_closes(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("examples.shop.dependencies.time.monotonic", lambda: now[0])
    breaker = CircuitBreaker(DependencyMetrics(registry), "payments", failures=2, pause=10)

    def shown() -> float | None:
        return registry.get_sample_value("circuit_breaker_state", {"dependency": "payments"})

    breaker.note(success=False)
    assert (breaker.allows(), shown()) == (True, State.CLOSED)
    breaker.note(success=False)
    assert (breaker.allows(), shown()) == (False, State.OPEN)
    now[0] = 10
    assert (breaker.allows(), shown()) == (True, State.HALF_OPEN)
    assert not breaker.allows(), "one call at a time while it is not known"
    breaker.note(success=False)
    assert shown() == State.OPEN
    now[0] = 20
    assert breaker.allows()
    breaker.note(success=True)
    assert (breaker.allows(), shown()) == (True, State.CLOSED)


def test_a_dependency_that_is_down_is_left_alone(registry: CollectorRegistry) -> None:
    payments = Dependency(DependencyMetrics(registry), "payments", "http://127.0.0.1:9", timeout=0.2)
    for _ in range(5):
        with pytest.raises(DependencyUnavailable, match="answered nothing"):
            payments.post("/charges", b"{}")
    with pytest.raises(DependencyUnavailable, match="is not asked"):
        payments.post("/charges", b"{}")
    labels = {"dependency": "payments", "endpoint": "/charges", "status_code": "0"}
    assert registry.get_sample_value("external_api_duration_seconds_count", labels) == 5


def test_parts_work_from_many_threads(client: Client, registry: CollectorRegistry) -> None:
    threads = [
        threading.Thread(target=lambda: [client.ask("GET", f"/products/{n}", x_plan="free") for n in range(1, 60)])
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert requests(registry, "GET", "/products/{id}", "200") == 6 * 59
    assert requests(registry, "GET", "/products/{id}", "500") == 0


@pytest.fixture
def tracing(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[TracerProvider]:
    """A tracer that keeps all of its spans to itself, with the sampler that a test asks for."""
    sampler: Sampler = getattr(request, "param", ALWAYS_ON)
    provider = TracerProvider(sampler=sampler)
    monkeypatch.setattr(trace, "get_tracer", lambda name, *_: provider.get_tracer(name))
    yield provider
    provider.shutdown()


# region: test-exemplar
def test_the_callers_trace_becomes_the_exemplar(registry: CollectorRegistry, tracing: TracerProvider) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    Client(registry).ask("GET", "/products", traceparent=f"00-{trace_id}-00f067aa0ba902b7-01")
    buckets = [
        sample
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "http_request_duration_seconds_bucket" and sample.exemplar
    ]
    assert [sample.exemplar.labels for sample in buckets if sample.exemplar] == [{"trace_id": trace_id}]


# endregion: test-exemplar


@pytest.mark.parametrize("tracing", [ALWAYS_OFF], indirect=True)
def test_a_trace_that_is_not_kept_is_no_exemplar(tracing: TracerProvider) -> None:
    with tracing.get_tracer("test").start_as_current_span("unsampled"):
        assert exemplar() is None


def test_faults_are_known_or_refused() -> None:
    faults = Faults(("a", "b"))
    faults.replace_from(b'["a"]')
    assert faults.state() == {"a": True, "b": False}
    for body in (b"no", b'"a"', b"[1]", b'["c"]'):
        with pytest.raises(UnknownFault):
            faults.replace_from(body)
    assert faults.state() == {"a": True, "b": False}
