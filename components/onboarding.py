"""What follows from a service's declaration: its metrics, its series, and the rules that watch over both."""

from __future__ import annotations

import re
from typing import Any

from components.catalogue import declared_metrics
from components.config import StackConfig
from components.config.metrics import DeclaredMetric, series_names
from components.config.services import MonitoredService

RECORDS = ("service:series_budget:count", "service:metric_missing:count")
"""The names of everything that is recorded here."""


def declared(service: MonitoredService) -> dict[str, DeclaredMetric]:
    """Every metric that the service exposes by its declaration; its own words win over those of a known set."""
    known = {name: metric for subject in service.exposes for name, metric in declared_metrics(subject).items()}
    return known | service.metrics


def declared_series(service: MonitoredService) -> set[str]:
    """The names in queries of what it declares."""
    return {series for name, metric in declared(service).items() for series in series_names(name, metric.type)}


def instances(service: MonitoredService) -> int:
    """How many instances are expected."""
    if service.instances is not None:
        return service.instances
    return len(service.discovery.static.targets) if service.discovery.static else 1


def expected_series(service: MonitoredService) -> int:
    """Series of all its instances together, by the declared label values and less what is not kept.

    0 where nothing is declared.
    """
    return instances(service) * sum(_stored(service, name, metric) for name, metric in declared(service).items())


def _stored(service: MonitoredService, name: str, metric: DeclaredMetric) -> int:
    """Series of one instance. The buckets of a histogram can be left out while its sum and count are kept."""
    if not service.keep and not service.drop:
        return metric.series()
    parts = {"histogram": (len(metric.buckets) + 1, 1, 1), "summary": (3, 1, 1)}.get(metric.type, (1,))
    names = series_names(name, metric.type)
    kept = sum(part for part, series in zip(parts, names, strict=True) if _is_stored(service, series))
    return metric.series() // sum(parts) * kept


def _is_stored(service: MonitoredService, series: str) -> bool:
    def among(patterns: tuple[str, ...]) -> bool:
        return any(re.fullmatch(pattern, series) for pattern in patterns)

    return (not service.keep or among(service.keep)) and not among(service.drop)


def groups(config: StackConfig) -> list[dict[str, Any]]:
    """One group of recording rules for each service: its budget, and which of its metrics have no series."""
    return [{"name": f"service-{service.name}", "rules": _rules(service)} for service in config.services]


def _rules(service: MonitoredService) -> list[dict[str, Any]]:
    labels = {"service": service.name, "team": service.team}
    budget = {"record": "service:series_budget:count", "expr": f"vector({service.series_budget})", "labels": labels}
    missing = [
        {
            "record": "service:metric_missing:count",
            "expr": f'absent({series_names(name, metric.type)[0]}{{service="{service.name}"}})',
            "labels": labels | {"metric": name},
        }
        for name, metric in declared(service).items()
        if not metric.optional
    ]
    return [budget, *missing]
