"""What a service declares is checked against the conventions, its objectives and its budget, in words that help."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import StackFileError
from components.config.declarations import memory_text
from components.config.metrics import DeclaredMetric, series_names
from components.onboarding import expected_series
from tests.support import stack

TARGETS = {"static": {"targets": ["one", "two"]}}


def service(**changes: Any) -> dict[str, Any]:
    """A service with two instances and what is to be tested."""
    return {"name": "checkout", "team": "payments", "port": 8080, "discovery": TARGETS, **changes}


def error(**changes: Any) -> str:
    """The whole error of a stack with such a service."""
    with pytest.raises(StackFileError) as caught:
        stack(services=[service(**changes)])
    return str(caught.value)


def metric_error(name: str, **declared: Any) -> str:
    """The error of a service that declares one such metric."""
    return error(metrics={name: declared})


GOOD: dict[str, dict[str, Any]] = {
    "checkout_orders_total": {"type": "counter", "labels": {"state": ["open", "paid"]}},
    "checkout_cart_value_dollars": {"type": "histogram", "buckets": [1, 10, 100]},
    "checkout_queue_length": {"type": "gauge"},
    "checkout_memory_bytes": {"type": "gauge"},
    "checkout_up_ratio": {"type": "gauge"},
    "checkout_build_info": {"type": "info", "labels": {"version": 3}},
    "Foreign.Name".replace(".", ":"): {"type": "counter", "foreign": True, "labels": {"client_id": 9}},
}


def test_names_by_the_conventions_and_foreign_names_are_taken() -> None:
    config = stack(services=[service(metrics=GOOD)])
    assert [*config.services[0].metrics] == [*GOOD]


@pytest.mark.parametrize(
    ("name", "declared", "said"),
    [
        ("checkout_orders", {"type": "counter"}, "must end with _total, for it is of type counter"),
        ("checkout_orders", {"type": "counter"}, "hint: call it checkout_orders_total"),
        ("checkout_open_total", {"type": "gauge"}, "hint: if it only grows, its type is counter"),
        ("checkout_wait_count", {"type": "gauge"}, "must not end with _count"),
        ("checkout_build", {"type": "info"}, "call it checkout_build_info"),
        ("checkoutOrders_total", {"type": "counter"}, "must be lower-case words"),
        ("checkout:orders_total", {"type": "counter"}, "colons are for recording rules"),
        ("checkout__orders_total", {"type": "counter"}, "single underscores"),
        ("checkout_wait_ms", {"type": "gauge"}, "must be in the base unit seconds, not in ms"),
        ("checkout_wait_ms", {"type": "gauge"}, "hint: call it checkout_wait_seconds"),
        ("checkout_sent_megabytes_total", {"type": "counter"}, "call it checkout_sent_bytes_total"),
        ("checkout_full_percent", {"type": "gauge"}, "call it checkout_full_ratio"),
        ("checkout_latency", {"type": "histogram", "buckets": [1]}, "call it checkout_latency_seconds"),
        ("checkout_heap_size", {"type": "gauge"}, "call it checkout_heap_size_bytes"),
    ],
)
def test_names_and_units_against_the_conventions(name: str, declared: dict[str, Any], said: str) -> None:
    text = metric_error(name, **declared)
    assert f"services[0].metrics.{name}" in text
    assert said in text


@pytest.mark.parametrize(
    "label", ["user_id", "id", "email", "session", "ip", "timestamp", "customer", "request_uuid", "user", "trace_id"]
)
def test_labels_without_an_end_are_refused(label: str) -> None:
    text = metric_error("checkout_orders_total", type="counter", labels={label: 5})
    assert f"services[0].metrics.checkout_orders_total.labels.{label}: takes ever new values" in text
    assert "count by a kind" in text


@pytest.mark.parametrize("label", ["user_tier", "route", "state", "valid", "email_kind", "customer_segment"])
def test_labels_of_a_few_values_are_taken(label: str) -> None:
    stack(services=[service(metrics={"checkout_orders_total": {"type": "counter", "labels": {label: 5}}})])


@pytest.mark.parametrize("label", ["service", "team", "environment", "job", "instance", "le"])
def test_labels_that_the_stack_sets_are_refused(label: str) -> None:
    text = metric_error("checkout_orders_total", type="counter", labels={label: 2})
    assert f"labels.{label}: is set by the stack or by Prometheus" in text


def test_buckets_belong_to_histograms_and_ascend() -> None:
    assert "a histogram needs buckets" in metric_error("checkout_wait_seconds", type="histogram")
    assert "only a histogram has them" in metric_error("checkout_queue_length", type="gauge", buckets=[1])
    assert "ascending order" in metric_error("checkout_wait_seconds", type="histogram", buckets=[1, 0.5])


def test_a_known_metric_keeps_its_type() -> None:
    text = error(exposes=["http"], metrics={"http_requests_total": {"type": "gauge"}})
    assert "services[0].metrics.http_requests_total.type (is gauge): must be counter" in text


def test_unknown_subjects_and_those_named_twice() -> None:
    assert "services[0].exposes" in error(exposes=["htpp"])
    assert "services[0].exposes (is http): is there twice" in error(exposes=["http", "http"])


def test_series_are_counted_by_labels_buckets_and_instances() -> None:
    labels: dict[str, int | tuple[str, ...]] = {"method": ("GET", "POST"), "route": 10}
    assert DeclaredMetric(type="counter", labels=labels).series() == 20
    assert DeclaredMetric(type="histogram", labels=labels, buckets=(0.1, 0.5, 1)).series() == 20 * 6
    assert DeclaredMetric(type="gauge").series() == 1
    declared = {"checkout_wait_seconds": {"type": "histogram", "labels": labels, "buckets": [0.1, 0.5, 1]}}
    assert expected_series(stack(services=[service(metrics=declared)]).services[0]) == 2 * 20 * 6
    assert expected_series(stack(services=[service(metrics=declared, instances=5)]).services[0]) == 5 * 20 * 6


def test_more_series_than_the_budget_say_where_they_come_from() -> None:
    declared = {"checkout_wait_seconds": {"type": "histogram", "labels": {"route": 500}, "buckets": [0.1, 0.5, 1]}}
    assert expected_series(stack(services=[service(metrics=declared)]).services[0]) == 6000
    text = error(metrics=declared, instances=4)
    assert "services[0].series_budget (is 10000): about 12,000 series are expected from 4 instances" in text
    assert "most of them are checkout_wait_seconds: 500 route x 6 series = 3,000 an instance" in text
    assert "about 94MB of memory" in text
    stack(services=[service(metrics=declared, instances=4, series_budget=12_000)])


def test_more_samples_than_the_limit_of_a_scrape() -> None:
    declared = {"checkout_orders_total": {"type": "counter", "labels": {"route": 5000}}}
    text = error(metrics=declared, sample_limit=4999)
    assert "services[0].sample_limit (is 4999): is below the 5,000 samples" in text
    assert "sample_limit: 7500" in text
    stack(services=[service(metrics=declared, sample_limit=5000)])


def test_objectives_need_metrics_that_are_declared() -> None:
    text = error(objectives={"availability": {"target": "99.9%"}, "latency": {"target": "99%", "threshold": "500ms"}})
    assert "services[0].objectives.availability.requests (is http_requests_total): must be a declared counter" in text
    assert "services[0].objectives.latency.histogram" in text
    assert "`exposes: [http]` declares the usual ones" in text
    own = {"jobs_total": {"type": "counter", "labels": {"result": 2}}}
    promise = {"availability": {"target": 0.99, "requests": "jobs_total", "failed": {"result": "failed"}}}
    stack(services=[service(metrics=own, objectives=promise)])
    wrong = {"availability": {"target": 0.99, "requests": "jobs_total"}}
    text = error(metrics=own, objectives=wrong)
    assert "objectives.availability.failed.status_code: is no label of jobs_total; it has result" in text


def test_a_latency_objective_is_one_of_the_buckets() -> None:
    text = error(exposes=["http"], objectives={"latency": {"target": "99%", "threshold": "300ms"}})
    assert "objectives.latency.threshold (is 300ms): must be a bucket of http_request_duration_seconds" in text
    assert "250ms, 500ms" in text
    stack(services=[service(exposes=["http"], objectives={"latency": {"target": "99%", "threshold": "250ms"}})])


def failing(failed: dict[str, str], **labels: Any) -> dict[str, Any]:
    """A service with an objective on a counter of jobs that has these labels."""
    return {
        "metrics": {"jobs_total": {"type": "counter", "labels": labels}},
        "objectives": {"availability": {"target": "99%", "requests": "jobs_total", "failed": failed}},
    }


JOBS = ["done", "failed"]
FAILED = "services[0].objectives.availability.failed"


@pytest.mark.parametrize("pattern", ["5(..", "(?=5)5..", "5{2,1}", r"\\", "[z-a]"])
def test_a_pattern_that_prometheus_cannot_read_is_no_traceback(pattern: str) -> None:
    if pattern == r"\\":
        pattern = "\\"
    text = error(exposes=["http"], objectives={"availability": {"target": "99%", "failed": {"status_code": pattern}}})
    assert f"{FAILED}.status_code (is {pattern!r}): is no regular expression that Prometheus reads: " in text


def test_failures_that_never_happen_are_refused() -> None:
    text = error(**failing({"result": "fail"}, result=JOBS))
    assert text.endswith(
        f"{FAILED}.result (is 'fail'): matches none of the values that jobs_total is declared with: done, failed\n"
        "      hint: did you mean failed?"
    )
    assert f"{FAILED}.result (is 'FAILED'): matches none" in error(**failing({"result": "FAILED"}, result=JOBS))


@pytest.mark.parametrize(
    ("failed", "labels"),
    [
        ({"result": ".*"}, {"result": JOBS}),
        ({"result": "done|failed"}, {"result": JOBS}),
        ({"result": ".*"}, {"result": 3}),
        ({"result": "(.+)"}, {"result": 3}),
        ({"result": ".*", "kind": ".+"}, {"result": 3, "kind": ["a", "b"]}),
    ],
)
def test_failures_that_every_request_is_are_refused(failed: dict[str, str], labels: dict[str, Any]) -> None:
    text = error(**failing(failed, **labels))
    assert f"{FAILED} (is {', '.join(f'{key}: {value}' for key, value in failed.items())}): takes every request" in text


@pytest.mark.parametrize(
    ("failed", "labels"),
    [
        ({"result": "fail.*"}, {"result": JOBS}),
        ({"result": "[^d].*"}, {"result": 3}),
        ({"result": "..."}, {"result": 3}),
        ({"result": "fail(?i:ED)"}, {"result": ["done", "failed"]}),
        ({"result": "[[:lower:]]{6}"}, {"result": JOBS}),
        ({"result": "[[:upper:]]+"}, {"result": ["failed"]}),
        ({"result": "failed", "kind": ".*"}, {"result": JOBS, "kind": 2}),
    ],
)
def test_failures_that_some_requests_are_are_taken(failed: dict[str, str], labels: dict[str, Any]) -> None:
    stack(services=[service(**failing(failed, **labels))])


@pytest.mark.parametrize("name", ["up", "scrape_duration_seconds", "ALERTS"])
@pytest.mark.parametrize("foreign", [True, False])
def test_a_metric_of_prometheus_itself_is_not_declared(name: str, foreign: bool) -> None:
    text = metric_error(name, type="gauge", foreign=foreign)
    assert f"services[0].metrics.{name}: is a metric of Prometheus itself" in text


def test_values_and_buckets_that_count_twice_or_without_end() -> None:
    text = metric_error("checkout_orders_total", type="counter", labels={"state": ["open", "paid", "open"]})
    assert "services[0].metrics.checkout_orders_total.labels.state: " in text
    assert "names open twice" in text
    text = metric_error("checkout_wait_seconds", type="histogram", buckets=[1, float("inf")])
    assert "checkout_wait_seconds.buckets[1] (is inf): must be a number that is not infinite" in text


def test_fewer_instances_than_targets() -> None:
    text = error(instances=1)
    assert "services[0].instances (is 1): must be at least 2, the number of its static targets\n" in text
    assert stack(services=[service(instances=2)]).services[0].instances == 2


@pytest.mark.parametrize("target", [1, "100%", "40%", 99.9, "0.999", True])
def test_targets_are_shares_below_one(target: object) -> None:
    text = error(exposes=["http"], objectives={"availability": {"target": target}})
    assert "must be a share from 50% up to, but below 100%" in text


def test_neo4j_aura_is_never_asked_more_often_than_its_cache_changes() -> None:
    text = error(exposes=["neo4j-aura"], interval="15s")
    assert "services[0].interval (is 15s): must be at least 30s" in text
    assert "`interval: 60s`" in text
    assert "must be at least 30s" in error(exposes=["neo4j-aura"])
    stack(services=[service(exposes=["neo4j-aura"], interval="30s")])


def test_names_in_queries() -> None:
    assert series_names("wait_seconds", "histogram") == (
        "wait_seconds_bucket",
        "wait_seconds_sum",
        "wait_seconds_count",
    )
    assert series_names("a_total", "counter") == ("a_total",)
    assert series_names("size_bytes", "summary") == ("size_bytes", "size_bytes_sum", "size_bytes_count")


def test_memory_in_words() -> None:
    assert memory_text(10_000) == "78MB"
    assert memory_text(1) == "1MB"
    assert memory_text(1_000_000) == "7.6GB"
    assert memory_text(10**15) == "more than 1TB"
