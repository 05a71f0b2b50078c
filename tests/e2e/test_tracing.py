"""A trace goes in by OTLP, comes out of Jaeger's API, and its spans become metrics."""

from __future__ import annotations

from tests.e2e.engine import until
from tests.e2e.stack import Stack
from tests.e2e.traces import SERVICE


def test_trace_round_trip(stack: Stack) -> None:
    """The span is found with its name and service, and the service is listed."""
    trace = stack.send_trace()
    until(lambda: stack.has_trace(trace), "the trace in Jaeger")
    found = stack.get("jaeger", f"/api/traces/{trace}")["data"][0]
    assert [span["operationName"] for span in found["spans"]] == ["GET /cart"]
    assert [process["serviceName"] for process in found["processes"].values()] == [SERVICE]
    assert SERVICE in stack.get("jaeger", "/api/services")["data"]


def test_spans_become_metrics(stack: Stack) -> None:
    """Calls and durations of the service are series in Prometheus, with its name and the environment's job."""
    stack.send_trace()
    calls = f'traces_span_metrics_calls_total{{service_name="{SERVICE}"}} > 0'
    found = until(lambda: stack.query(calls), "calls of the service in Prometheus", 90)[0]["metric"]
    assert found["span_name"] == "GET /cart"
    assert found["span_kind"] == "SPAN_KIND_SERVER"
    assert stack.query(f'traces_span_metrics_duration_milliseconds_bucket{{service_name="{SERVICE}"}}')
