"""Service level objectives as recording rules: errors and requests, their ratio over each window, the error budget.

Windows longer than five minutes are sums of five-minute rates, errors over requests: that weighs each moment by its
traffic, and a month of it costs what a month of one series costs.
"""

from __future__ import annotations

from typing import Any

from components.config import StackConfig
from components.config.base import seconds
from components.config.metrics import Availability, Latency
from components.config.services import MonitoredService

WINDOWS = ("30m", "1h", "2h", "6h", "1d", "3d")
"""Of the burn rate alerts, besides 5m."""


def groups(config: StackConfig) -> list[dict[str, Any]]:
    """One group of recording rules for each objective of each service."""
    found = []
    for service in config.services:
        availability, latency = service.objectives.availability, service.objectives.latency
        if availability:
            found.append(_group(service, "availability", availability, *_availability(service, availability)))
        if latency:
            found.append(_group(service, "latency", latency, *_latency(service, latency)))
    return found


def _availability(service: MonitoredService, objective: Availability) -> tuple[str, str]:
    """Requests per second, and failed requests per second: 0 where there are requests and none fails."""
    failed = ", ".join(f'{label}=~"{_quoted(pattern)}"' for label, pattern in objective.failed.items())
    every = f'sum(rate({objective.requests}{{service="{service.name}"}}[5m]))'
    bad = f'sum(rate({objective.requests}{{service="{service.name}", {failed}}}[5m]))'
    return every, f"{bad} or 0 * {every}"


def _latency(service: MonitoredService, objective: Latency) -> tuple[str, str]:
    """Requests per second, and those per second that took longer than the threshold."""
    le = bucket_label(seconds(objective.threshold))
    every = f'sum(rate({objective.histogram}_count{{service="{service.name}"}}[5m]))'
    good = f'sum(rate({objective.histogram}_bucket{{service="{service.name}", le="{le}"}}[5m]))'
    return every, f"{every} - {good}"


def bucket_label(bound: float) -> str:
    """The value of `le` for a bound, as Prometheus 3 writes it: always with a point."""
    return repr(float(bound))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _group(
    service: MonitoredService, slo: str, objective: Availability | Latency, requests: str, errors: str
) -> dict[str, Any]:
    labels = {"service": service.name, "team": service.team, "slo": slo}
    chosen = f'{{service="{service.name}", slo="{slo}"}}'

    def record(name: str, expression: str) -> dict[str, Any]:
        return {"record": name, "expr": expression, "labels": labels}

    def ratio(window: str) -> str:
        return (
            f"sum_over_time(slo:errors:rate5m{chosen}[{window}]) / sum_over_time(slo:requests:rate5m{chosen}[{window}])"
        )

    budget = float(f"{1 - objective.target:.12g}")
    return {
        "name": f"slo-{service.name}-{slo}",
        "rules": [
            record("slo:requests:rate5m", requests),
            record("slo:errors:rate5m", errors),
            record("slo:sli_error:ratio_rate5m", f"slo:errors:rate5m{chosen} / slo:requests:rate5m{chosen}"),
            *(record(f"slo:sli_error:ratio_rate{window}", ratio(window)) for window in WINDOWS),
            record("slo:sli_error:ratio_period", ratio(objective.window)),
            record("slo:objective:ratio", f"vector({objective.target:.12g})"),
            record("slo:error_budget:ratio", f"vector({budget:.12g})"),
            record("slo:period:days", f"vector({seconds(objective.window) / 86400:g})"),
            record("slo:error_budget_remaining:ratio", f"1 - slo:sli_error:ratio_period{chosen} / {budget:.12g}"),
        ],
    }
