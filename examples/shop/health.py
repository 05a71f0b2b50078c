"""Health pattern: each part of a service is asked for its state when Prometheus asks, not on a timer of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


# region: health
class Health(IntEnum):
    """The states, as the numbers that the metric shows."""

    HEALTHY = 0
    DEGRADED = 1
    DOWN = 2


class HealthCollector(Collector):
    """`service_health_status` of each part. A check that raises is a part that is down, not a scrape that fails."""

    def __init__(self, registry: CollectorRegistry, checks: Mapping[str, Callable[[], Health]]) -> None:
        self._checks = checks
        registry.register(self)

    def states(self) -> dict[str, Health]:
        """Every part's state now."""
        return {name: self._ask(check) for name, check in self._checks.items()}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "service_health_status", "State of a part: 0 healthy, 1 degraded, 2 down.", labels=["component"]
        )
        for name, state in self.states().items():
            family.add_metric([name], state)
        yield family

    @staticmethod
    def _ask(check: Callable[[], Health]) -> Health:
        try:
            return check()
        except Exception:  # noqa: BLE001 - whatever it is, the part does not work
            return Health.DOWN


# endregion: health
