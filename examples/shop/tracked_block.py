"""Context manager pattern: errors and duration of some lines that are no function of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram


# region: context-manager
class BlockMetrics:
    """`with blocks.track("checkout"):` around the lines in question. Name the blocks in advance: all begin at 0."""

    def __init__(self, registry: CollectorRegistry, *blocks: str) -> None:
        self.duration = Histogram(
            "block_duration_seconds",
            "Time a block took.",
            ["block"],
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
            registry=registry,
        )
        self.errors = Counter("block_errors_total", "Blocks left by an exception.", ["block"], registry=registry)
        for block in blocks:
            self.duration.labels(block)
            self.errors.labels(block)

    @contextmanager
    def track(self, block: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        except BaseException:
            self.errors.labels(block).inc()
            raise
        finally:
            self.duration.labels(block).observe(time.perf_counter() - begin)


# endregion: context-manager
