"""Objectives as recording rules, and what Prometheus makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components import objectives, onboarding
from components.config import StackConfig
from components.objectives import bucket_label
from tests.rules.promtool import run
from tests.support import stack

CHECKOUT: dict[str, Any] = {
    "name": "checkout",
    "team": "payments",
    "port": 8080,
    "discovery": {"static": {"targets": ["one"]}},
    "exposes": ["http"],
    "objectives": {
        "availability": {"target": "99.9%", "window": "7d"},
        "latency": {"target": "99%", "threshold": "500ms"},
    },
}


def config(**changes: Any) -> StackConfig:
    """A stack with that service."""
    return stack(services=[{**CHECKOUT, **changes}])


def records(name: str) -> dict[str, str]:
    """Objective to expression of the recording rules of that name."""
    rules = [rule for group in objectives.groups(config()) for rule in group["rules"] if rule["record"] == name]
    return {rule.get("labels", {}).get("slo", ""): rule["expr"] for rule in rules}


def test_a_service_without_objectives_brings_no_rule() -> None:
    assert objectives.groups(config(objectives={})) == []


def test_everything_that_is_recorded_is_named() -> None:
    promised = objectives.groups(config())
    assert {rule["record"] for group in promised for rule in group["rules"]} == {*objectives.RECORDS}
    declared = onboarding.groups(config())
    assert {rule["record"] for group in declared for rule in group["rules"]} == {*onboarding.RECORDS}


def test_constants_say_whose_they_are() -> None:
    group, _ = objectives.groups(config())
    constants = [rule for rule in group["rules"] if rule["expr"].startswith("vector")]
    assert [rule["labels"] for rule in constants[:1]] == [
        {"service": "checkout", "team": "payments", "slo": "availability"}
    ]
    assert len(constants) == 6


def test_objective_budget_and_period_are_recorded() -> None:
    assert records("slo:objective:ratio") == {"availability": "vector(0.999)", "latency": "vector(0.99)"}
    assert records("slo:error_budget:ratio") == {"availability": "vector(0.001)", "latency": "vector(0.01)"}
    assert records("slo:period:days") == {"availability": "vector(7)", "latency": "vector(30)"}


def test_services_that_are_measured_alike_share_their_rules() -> None:
    jobs = {"availability": {"target": "99%", "requests": "jobs_total", "failed": {"result": "failed|lost"}}}
    services = [
        CHECKOUT,
        {**CHECKOUT, "name": "search", "team": "discovery"},
        {
            **CHECKOUT,
            "name": "batch",
            "metrics": {"jobs_total": {"type": "counter", "labels": {"result": 3}}},
            "objectives": jobs,
        },
    ]
    group, whole_periods = objectives.groups(stack(services=services))
    by_slo = {rule["labels"]["slo"]: rule["expr"] for rule in group["rules"] if rule["record"] == "slo:requests:rate5m"}
    assert by_slo == {
        "availability": 'sum by (service, team) (rate(http_requests_total{service=~"checkout|search"}[5m]))'
        ' or sum by (service, team) (rate(jobs_total{service=~"batch"}[5m]))',
        "latency": 'sum by (service, team) (rate(http_request_duration_seconds_count{service=~"checkout|search"}[5m]))',
    }
    (failed,) = (rule["expr"] for rule in group["rules"] if "or 0 *" in rule["expr"])
    assert 'jobs_total{service=~"batch", result=~"failed|lost"}' in failed
    (period,) = (rule["expr"] for rule in whole_periods["rules"] if rule["record"] == "slo:sli_error:ratio_period")
    seven, thirty = period.split(" or ")
    assert seven.endswith("[7d]) and on (service, slo) slo:period:days == 7")
    assert thirty.endswith("[30d]) and on (service, slo) slo:period:days == 30")
    assert whole_periods["interval"] == "1m"


@pytest.mark.parametrize("different", ["thresholds", "counters", "periods", "patterns"])
def test_services_that_are_measured_differently_stand_side_by_side(tmp_path: Path, different: str) -> None:
    """promtool refuses two rules of one name and one set of labels."""
    other: dict[str, Any] = {**CHECKOUT, "name": "other"}
    if different == "thresholds":
        other["objectives"] = {"latency": {"target": "99%", "threshold": "1s"}}
    elif different == "counters":
        other["metrics"] = {"jobs_total": {"type": "counter", "labels": {"result": 3}}}
        other["objectives"] = {"availability": {"target": 0.99, "requests": "jobs_total", "failed": {"result": "bad"}}}
    elif different == "periods":
        other["objectives"] = {"availability": {"target": "99.9%", "window": "28d"}}
    else:
        other["objectives"] = {"availability": {"target": "99.9%", "failed": {"status_code": "503", "method": "GET"}}}
    groups = objectives.groups(stack(services=[CHECKOUT, other], retention={"time": "90d"}))
    (tmp_path / "slo.yaml").write_text(yaml.safe_dump({"groups": groups}))
    checked = run("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "slo.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(("bound", "label"), [(0.5, "0.5"), (1, "1.0"), (2.5, "2.5"), (0.005, "0.005")])
def test_bounds_are_written_as_prometheus_3_writes_them(bound: float, label: str) -> None:
    assert bucket_label(bound) == label


def ask(folder: Path, series: list[dict[str, str]], queries: list[tuple[str, str, float | None]]) -> str:
    """Run the rules over made-up series; each query is (time, expression, the only value); returns what is wrong."""
    (folder / "slo.yaml").write_text(yaml.safe_dump({"groups": objectives.groups(config())}))
    checks = [
        {
            "eval_time": at,
            "expr": f"round(sum({query}), 0.000001)",
            "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
        }
        for at, query, value in queries
    ]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": checks}
    (folder / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": ["slo.yaml"], "evaluation_interval": "1m", "tests": [test]})
    )
    tested = run("test", "rules", folder / "test.yaml")
    return "" if tested.returncode == 0 else tested.stdout + tested.stderr


def requests(status: str, values: str, instance: str = "one:8080", service: str = "checkout") -> dict[str, str]:
    """A counter of answered requests."""
    labels = f'service="{service}", team="payments", instance="{instance}", status_code="{status}"'
    return {"series": f"http_requests_total{{{labels}}}", "values": values}


def test_errors_of_all_instances_over_requests_of_all_instances(tmp_path: Path) -> None:
    series = [
        requests("200", "0+54x120"),
        requests("500", "0+6x120"),
        requests("200", "0+60x120", instance="two:8080"),
        requests("500", "0+60x120", service="other"),
    ]
    chosen = '{slo="availability"}'
    wrong = ask(
        tmp_path,
        series,
        [
            ("2h", f"slo:requests:rate5m{chosen}", 2),
            ("2h", f"slo:errors:rate5m{chosen}", 0.1),
            ("2h", f"slo:sli_error:ratio_rate5m{chosen}", 0.05),
            ("2h", f"slo:sli_error:ratio_rate1h{chosen}", 0.05),
            ("2h", f"slo:sli_error:ratio_period{chosen}", 0.05),
            ("2h", f"slo:error_budget_remaining:ratio{chosen}", -49),
            ("2h", f"round(slo:errors:sum_period{chosen}, 30)", 720),
        ],
    )
    assert wrong == ""


def test_a_service_without_errors_has_a_ratio_of_zero_and_its_whole_budget(tmp_path: Path) -> None:
    chosen = '{slo="availability"}'
    wrong = ask(
        tmp_path,
        [requests("200", "0+60x60")],
        [
            ("1h", f"slo:errors:rate5m{chosen}", 0),
            ("1h", f"slo:sli_error:ratio_rate1h{chosen}", 0),
            ("1h", f"slo:error_budget_remaining:ratio{chosen}", 1),
        ],
    )
    assert wrong == ""


def test_busy_hours_weigh_more_than_quiet_ones(tmp_path: Path) -> None:
    # An hour of 600 requests a minute without an error, then an hour of 6 a minute that all fail: 1 % failed, not 50 %.
    series = [requests("200", "0+600x60 36000+0x60"), requests("500", "0+0x60 0+6x60")]
    wrong = ask(tmp_path, series, [("2h", 'round(slo:sli_error:ratio_rate2h{slo="availability"}, 0.01)', 0.01)])
    assert wrong == ""


def test_slow_requests_are_those_above_the_bucket(tmp_path: Path) -> None:
    def bucket(le: str, values: str) -> dict[str, str]:
        name = f'http_request_duration_seconds_bucket{{service="checkout", team="payments", le="{le}"}}'
        return {"series": name, "values": values}

    series = [
        bucket("0.25", "0+30x60"),
        bucket("0.5", "0+57x60"),
        bucket("+Inf", "0+60x60"),
        {"series": 'http_request_duration_seconds_count{service="checkout", team="payments"}', "values": "0+60x60"},
    ]
    wrong = ask(tmp_path, series, [("1h", 'slo:sli_error:ratio_rate5m{slo="latency"}', 0.05)])
    assert wrong == ""


def test_a_service_that_is_not_there_has_no_ratio(tmp_path: Path) -> None:
    assert ask(tmp_path, [], [("1h", 'slo:sli_error:ratio_rate5m{slo="availability"}', None)]) == ""


def test_budget_and_missing_metrics_of_a_service_are_recorded() -> None:
    (group,) = onboarding.groups(config(metrics={"a_total": {"type": "counter", "optional": True}}, series_budget=5000))
    budget, *missing = group["rules"]
    assert group["name"] == "service-checkout"
    assert budget == {
        "record": "service:series_budget:count",
        "expr": "vector(5000)",
        "labels": {"service": "checkout", "team": "payments"},
    }
    found = {rule["labels"]["metric"]: rule["expr"] for rule in missing}
    assert found["http_requests_total"] == 'absent(http_requests_total{service="checkout"})'
    histogram = 'absent(http_request_duration_seconds_bucket{service="checkout"})'
    assert found["http_request_duration_seconds"] == histogram
    assert "a_total" not in found
