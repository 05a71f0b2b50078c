"""The demo beside a stack: scraped, under traffic, traced, and broken where it is told to."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any

from components.config.stack import DEMO
from tests.e2e.demo import SERVICES, Demo
from tests.e2e.engine import until
from tests.e2e.project import ROOT
from tests.e2e.stack import TIMINGS


def exemplars(demo: Demo, service: str) -> list[dict[str, Any]]:
    """Exemplars of a service's latency in Prometheus."""
    query = f'http_request_duration_seconds_bucket{{service="{service}"}}'
    found = demo.get("prometheus", "/api/v1/query_exemplars", query=query, start="0", end="9999999999")["data"]
    return [each for series in found for each in series["exemplars"]]


def test_all_its_programs_run_and_are_scraped(demo: Demo) -> None:
    """Each is healthy by the engine's account, and each service it plays is a target that is up."""
    demo.targets_up(*SERVICES)
    demo.await_health()
    assert set(demo.engine.containers(demo.environment)) >= {*DEMO}


def test_traffic_shows_within_a_minute(demo: Demo) -> None:
    """Rate and duration of both services, with service and team; the shop counts what the gateway let through."""

    def rates() -> dict[str, str] | None:
        found = demo.query("sum by (service, team) (rate(http_requests_total[30s])) > 0.1")
        labels = {each["metric"]["service"]: each["metric"]["team"] for each in found}
        return labels if len(labels) == 2 else None

    assert until(rates, "requests to shop and gateway", 180) == {"demo-shop": "payments", "demo-gateway": "discovery"}
    quantile = (
        'histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{service="demo-shop"}[1m])))'
    )

    def in_time() -> bool:
        found = demo.query(quantile)
        return bool(found) and 0 < float(found[0]["value"][1]) < 0.5

    until(in_time, "the shop answers in time", 300)
    until(lambda: demo.query("sum(increase(business_transaction_amount_dollars_count[1m])) > 0"), "orders", 180)


def test_an_exemplar_leads_to_a_trace_through_both_services(demo: Demo) -> None:
    """The trace of a request that the gateway passed on has spans of the gateway and of the shop."""

    def trace_of_both() -> str | None:
        for each in reversed(exemplars(demo, "demo-shop")[-20:]):
            trace = each["labels"]["trace_id"]
            if demo.has_trace(trace):
                found = demo.get("jaeger", f"/api/traces/{trace}")["data"][0]
                if {process["serviceName"] for process in found["processes"].values()} == {"gateway", "shop"}:
                    return str(trace)
        return None

    assert len(until(trace_of_both, "an exemplar whose trace is in Jaeger", 180)) == 32
    until(lambda: exemplars(demo, "demo-gateway"), "exemplars of the gateway", 180)


def test_no_alert_fires_while_nothing_is_broken(demo: Demo) -> None:
    """A demo that cries wolf teaches people to look away."""
    until(lambda: demo.query('sum(rate(http_requests_total{service="demo-shop"}[30s])) > 0'), "traffic", 180)
    assert not any(demo.faults().values())
    # What a busy machine makes slow fires rightly, until the last five minutes were quiet.
    until(lambda: not demo.alerts(), lambda: f"nothing fires: {demo.alerts()}", 420)


def test_every_fault_is_known_to_the_switch(demo: Demo) -> None:
    """Those of the shop and of the exporter, which the traffic program has to ask, among them."""
    until(lambda: {"errors", "stale-backup", "payments-down"} <= {*demo.faults()}, "faults of all programs", 180)
    until(lambda: len(demo.query("demo_fault_active")) == len(demo.faults()), "a series for each fault", 180)


def test_a_fault_fires_its_alert_for_its_service(demo: Demo) -> None:
    """Errors of the shop, and a backup that is late: both reach Alertmanager with team and service."""
    with demo.fault("errors"), demo.fault("stale-backup"):
        until(lambda: demo.alerts(alertname="APIHighErrorRate", service="demo-shop", team="payments"), "errors", 300)
        until(lambda: demo.alerts(alertname="BackupStale", service="demo-backup", team="platform"), "the backup", 180)
        wanted = {"filter": ['alertname="BackupStale"']}
        until(lambda: demo.get("alertmanager", "/api/v2/alerts", **wanted), "it in Alertmanager", 180)
        until(lambda: demo.query('demo_fault_active{fault="errors"} == 1'), "the fault shows", 180)
    until(lambda: not demo.alerts(alertname="BackupStale"), "the backup's alert ends", 180)


def test_a_pool_that_is_used_up_shows_and_recovers(demo: Demo) -> None:
    """Real connections are held, so that real queries fail."""
    with demo.fault("pool-exhaustion"):
        until(
            lambda: demo.alerts(alertname="DatabaseConnectionPoolExhausted", service="demo-shop"),
            "the pool's alert",
            300,
        )
        until(
            lambda: demo.query('increase(db_query_errors_total{error_type="PoolExhausted"}[1m]) > 0'),
            "failed queries",
            180,
        )
    until(lambda: demo.query('db_connection_pool_size{state="active"} < 3'), "connections are given back", 180)


def test_every_fault_of_the_guide_shows_in_its_alerts(demo: Demo) -> None:
    """All at once, but for those that would hide others or take long; pending is enough, patience is tested."""
    page = (ROOT / "docs" / "guide" / "demo.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|[^|]*\| (\w.*) \|$", page, re.MULTILINE)
    faults = {name: alerts.split(", ") for name, alerts in rows}
    for name in ("errors", "pool-exhaustion", "few-customers", "security-events", *SERVICES):
        faults.pop(name, None)
    assert len(faults) > 15
    expected = {alert for alerts in faults.values() for alert in alerts}
    with ExitStack() as on:
        for name in faults:
            on.enter_context(demo.fault(name))

        def missing() -> set[str]:
            return expected - {alert["alertname"] for alert in demo.alerts("pending", "firing")}

        until(lambda: not missing(), lambda: f"alerts, of which there are not: {missing()}", 480)


def test_they_take_little(demo: Demo) -> None:
    """All four together stay within what a laptop does not notice."""
    total = 0
    for name in DEMO:
        stats: Any = demo.container(name).stats(stream=False)
        total += stats["memory_stats"].get("usage", 0)
    TIMINGS.append(f"{total / 2**20:6.0f} MiB  memory of the demo's programs")
    assert 0 < total < 400 * 2**20
    demo.no_changes()
