"""Batch pattern: one item that fails does not stop the others, and both kinds are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

T = TypeVar("T")


# region: batch
class BatchMetrics:
    """Batches by outcome, items by outcome, and when a batch last went well: a job that never runs has no errors."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.batches = Counter("batch_operations_total", "Batches.", ["operation", "status"], registry=registry)
        self.items = Counter("batch_items_processed_total", "Items.", ["operation", "status"], registry=registry)
        self.last_success = Gauge(
            "batch_last_success_timestamp_seconds",
            "When a batch last ended without an error.",
            ["operation"],
            registry=registry,
        )


class BatchProcessor(Generic[T]):
    """Works through batches with one function."""

    def __init__(self, metrics: BatchMetrics, operation: str, process: Callable[[T], object]) -> None:
        self._process = process
        self._batches = {s: metrics.batches.labels(operation, s) for s in ("success", "partial", "error")}
        self._items = {s: metrics.items.labels(operation, s) for s in ("success", "error")}
        self._last_success = metrics.last_success.labels(operation)

    def run(self, items: Iterable[T]) -> list[Exception]:
        """Process all items; the errors of those that failed."""
        done, errors = 0, []
        for item in items:
            try:
                self._process(item)
                done += 1
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one item, the others go on
                errors.append(error)
        self._items["success"].inc(done)
        self._items["error"].inc(len(errors))
        self._batches["success" if not errors else "partial" if done else "error"].inc()
        if not errors:
            self._last_success.set_to_current_time()
        return errors


# endregion: batch
