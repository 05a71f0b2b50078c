"""Queue pattern: how many wait, how long the oldest has waited, how many are done."""

from __future__ import annotations

import time
from collections import deque
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

T = TypeVar("T")


# region: queue
class QueueMetrics:
    """Depth alone does not tell a busy queue from a stuck one; the age of its oldest item does."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.depth = Gauge("queue_depth", "Items that wait.", ["queue_name"], registry=registry)
        self.age = Gauge(
            "queue_oldest_item_age_seconds", "Age of what waits longest.", ["queue_name"], registry=registry
        )
        self.processed = Counter("queue_items_processed_total", "Items done.", ["queue_name"], registry=registry)


class MeasuredQueue(Generic[T]):
    """A queue between threads. The gauges are functions: they are right whenever Prometheus asks."""

    def __init__(self, metrics: QueueMetrics, name: str) -> None:
        self._items: deque[tuple[float, T]] = deque()
        self._processed = metrics.processed.labels(name)
        metrics.depth.labels(name).set_function(lambda: len(self._items))
        metrics.age.labels(name).set_function(self._age)

    def put(self, item: T) -> None:
        self._items.append((time.monotonic(), item))

    def take(self, most: int) -> list[T]:
        """Up to `most` items, those that wait longest first; counted as done."""
        taken: list[T] = []
        while self._items and len(taken) < most:
            taken.append(self._items.popleft()[1])
        self._processed.inc(len(taken))
        return taken

    def _age(self) -> float:
        try:
            return time.monotonic() - self._items[0][0]
        except IndexError:  # nothing waits
            return 0.0


# endregion: queue
