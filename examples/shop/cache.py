"""Cache pattern: hits and misses as one counter with a label, so that their ratio is one division."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram

T = TypeVar("T")


# region: cache
class CacheMetrics:
    """Count what happened and let Prometheus divide: a ratio that the program keeps cannot be added up or windowed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.operations = Counter(
            "cache_operations_total", "Operations.", ["operation", "cache_name", "status"], registry=registry
        )
        self.duration = Histogram(
            "cache_operation_duration_seconds",
            "Time of an operation.",
            ["operation", "cache_name"],
            buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1),
            registry=registry,
        )


class Cache(Generic[T]):
    """Keeps the `size` values used last, each for `lifetime` seconds."""

    def __init__(self, metrics: CacheMetrics, name: str, size: int = 500, lifetime: float = 900) -> None:
        self._values: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._size, self._lifetime, self._lock = size, lifetime, threading.Lock()
        self._hits = metrics.operations.labels("get", name, "hit")
        self._misses = metrics.operations.labels("get", name, "miss")
        self._sets = metrics.operations.labels("set", name, "success")
        self._get_time, self._set_time = (metrics.duration.labels(each, name) for each in ("get", "set"))

    def get(self, key: str) -> T | None:
        """The value, or None."""
        with self._get_time.time():
            kept, value = self._values.get(key, (float("-inf"), None))
            if time.monotonic() - kept > self._lifetime:
                self._misses.inc()
                return None
            self._hits.inc()
            return value

    def set(self, key: str, value: T) -> None:
        """Keep a value; the one used longest ago makes room."""
        with self._set_time.time(), self._lock:
            self._values[key] = (time.monotonic(), value)
            self._values.move_to_end(key)
            if len(self._values) > self._size:
                self._values.popitem(last=False)
        self._sets.inc()


# endregion: cache
