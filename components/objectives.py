"""Service level objectives as recording rules: errors and requests, their ratio over each window, the error budget.

What differs between services are constants, recorded with their labels; the rest is the same rule for all of them.
Windows longer than five minutes are sums of five-minute rates, errors over requests: that weighs each moment by its
traffic, and a month of it costs what a month of one series costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from components.config import StackConfig
from components.config.base import seconds
from components.config.metrics import Availability, Latency
from components.config.services import MonitoredService

WINDOWS = ("30m", "1h", "2h", "6h", "1d", "3d")
"""Of the burn rate alerts, besides 5m."""
RECORDS = (
    "slo:objective:ratio",
    "slo:error_budget:ratio",
    "slo:period:days",
    "slo:requests:rate5m",
    "slo:errors:rate5m",
    "slo:sli_error:ratio_rate5m",
    *(f"slo:sli_error:ratio_rate{window}" for window in WINDOWS),
    "slo:sli_error:ratio_period",
    "slo:errors:sum_period",
    "slo:error_budget_remaining:ratio",
)
"""The names of everything that is recorded here."""
Promise = tuple[MonitoredService, str, Availability | Latency]
"""A service, what its objective is called, and the objective."""


def groups(config: StackConfig) -> list[dict[str, Any]]:
    """What alerts ask for, then what goes over whole periods, once a minute; none where nothing is promised.

    In each group the rules stand in the order in which they build on each other.
    """
    promises = list(_promises(config))
    if not promises:
        return []
    rules = [rule for promise in promises for rule in _constants(*promise)]
    sources = _by_source(promises)
    rules += [rule for slo in ("availability", "latency") for rule in _rates(slo, sources)]
    return [
        {"name": "objectives", "rules": [*rules, *_ratios()]},
        {"name": "objectives-period", "interval": "1m", "rules": list(_periods(promises))},
    ]


def _promises(config: StackConfig) -> Iterator[Promise]:
    for service in config.services:
        if service.objectives.availability:
            yield service, "availability", service.objectives.availability
        if service.objectives.latency:
            yield service, "latency", service.objectives.latency


def _constants(service: MonitoredService, slo: str, objective: Availability | Latency) -> Iterator[dict[str, Any]]:
    labels = {"service": service.name, "team": service.team, "slo": slo}
    for name, value in (
        ("slo:objective:ratio", objective.target),
        ("slo:error_budget:ratio", 1 - objective.target),
        ("slo:period:days", seconds(objective.window) / 86400),
    ):
        yield {"record": name, "expr": f"vector({value:.12g})", "labels": labels}


def _by_source(promises: list[Promise]) -> dict[tuple[str, str, str], list[str]]:
    """Which services are measured in the same way: (objective, metric, matcher of the bad or good ones) to names."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for service, slo, objective in promises:
        if isinstance(objective, Availability):
            failed = ", ".join(f'{label}=~"{_quoted(pattern)}"' for label, pattern in objective.failed.items())
            source = (slo, objective.requests, failed)
        else:
            source = (slo, objective.histogram, f'le="{bucket_label(seconds(objective.threshold))}"')
        found.setdefault(source, []).append(service.name)
    return found


def _rates(slo: str, sources: dict[tuple[str, str, str], list[str]]) -> Iterator[dict[str, Any]]:
    """Requests per second, and those that break the promise: 0 where there are requests and none breaks it.

    One rule for all that are measured differently, because each service has one of the sources only and two rules of
    one name and labels are a lint error.
    """
    every, errors = [], []
    for (kind, metric, matcher), services in sources.items():
        if kind != slo:
            continue
        chosen = f'service=~"{"|".join(services)}"'
        requests = _rate(metric if slo == "availability" else f"{metric}_count", chosen)
        every.append(requests)
        if slo == "availability":
            errors.append(f"{_rate(metric, f'{chosen}, {matcher}')} or 0 * {requests}")
        else:
            errors.append(f"({requests} - {_rate(f'{metric}_bucket', f'{chosen}, {matcher}')})")
    if every:
        for name, parts in (("slo:requests:rate5m", every), ("slo:errors:rate5m", errors)):
            yield {"record": name, "expr": " or ".join(parts), "labels": {"slo": slo}}


def _rate(series: str, labels: str) -> str:
    return f"sum by (service, team) (rate({series}{{{labels}}}[5m]))"


def _over(window: str) -> str:
    return f"sum_over_time(slo:errors:rate5m[{window}]) / sum_over_time(slo:requests:rate5m[{window}])"


def _ratios() -> Iterator[dict[str, Any]]:
    yield {"record": "slo:sli_error:ratio_rate5m", "expr": "slo:errors:rate5m / slo:requests:rate5m"}
    for window in WINDOWS:
        yield {"record": f"slo:sli_error:ratio_rate{window}", "expr": _over(window)}


def _periods(promises: list[Promise]) -> Iterator[dict[str, Any]]:
    periods = sorted({objective.window for _, _, objective in promises}, key=seconds)

    def each(expression: Callable[[str], str]) -> str:
        """The expression over each period, of the services that promise over that one."""
        parts = [f"{expression(p)} and on (service, slo) slo:period:days == {seconds(p) / 86400:g}" for p in periods]
        return " or ".join(parts)

    yield {"record": "slo:sli_error:ratio_period", "expr": each(_over)}
    # One rate in five minutes: times their length, that is the number of errors.
    count = each(lambda period: f"sum_over_time(slo:errors:rate5m[{period}:5m]) * 300")
    yield {"record": "slo:errors:sum_period", "expr": count}
    yield {
        "record": "slo:error_budget_remaining:ratio",
        "expr": "1 - slo:sli_error:ratio_period / slo:error_budget:ratio",
    }


def bucket_label(bound: float) -> str:
    """The value of `le` for a bound, as Prometheus 3 writes it: always with a point."""
    return repr(float(bound))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
