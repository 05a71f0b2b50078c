"""Decorator pattern: calls and duration of a function, by one line above it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram

P = ParamSpec("P")
R = TypeVar("R")


# region: decorator
class FunctionMetrics:
    """Use an instance as a decorator factory: `@tracked("price_order")`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter("function_calls_total", "Calls that ended.", ["function", "status"], registry=registry)
        self.duration = Histogram(
            "function_duration_seconds",
            "Time a call took.",
            ["function"],
            buckets=(0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1),
            registry=registry,
        )

    def __call__(self, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        success, error = self.calls.labels(name, "success"), self.calls.labels(name, "error")
        duration = self.duration.labels(name)

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            @functools.wraps(function)
            def tracked(*args: P.args, **kwargs: P.kwargs) -> R:
                begin = time.perf_counter()
                try:
                    result = function(*args, **kwargs)
                except BaseException:
                    error.inc()
                    raise
                finally:
                    duration.observe(time.perf_counter() - begin)
                success.inc()
                return result

            return tracked

        return decorate


# endregion: decorator
