"""How a value moves: within a range like a tide, up like a counter, or standing for a time in the past."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PERIOD = 300.0
"""Seconds of one tide, for the fastest series; the slowest take twice as long."""


@dataclass(frozen=True)
class Motion:
    """How one series moves.

    `range`: of a gauge, which has whole numbers where both ends are some. `rate`: of a counter, or observations of a
    histogram, a second. `median`: of what it observes.
    `age`: a timestamp that many seconds ago; `every`: one at each full multiple of that many seconds.
    """

    range: tuple[float, float] = (1, 10)
    rate: tuple[float, float] = (0.1, 1)
    median: float = 0.1
    age: float | None = None
    every: float | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Motion:
        """From an entry of values.yaml; a TypeError names a key that there is not."""
        pairs: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()}
        return cls(**pairs)

    def gauge(self, now: float, phase: float) -> float:
        """The value of a gauge at a time in seconds. `phase` from 0 to 1 tells its series from others."""
        if self.age is not None:
            return now - self.age
        if self.every is not None:
            return now // self.every * self.every
        value = _between(self.range, now, phase)
        return round(value) if all(isinstance(end, int) for end in self.range) else value

    def growth(self, before: float, now: float, phase: float) -> float:
        """How much a counter grows from one time to another."""
        return max(0.0, now - before) * _between(self.rate, now, phase)

    def observations(self, before: float, now: float, phase: float, chance: random.Random) -> list[float]:
        """What a histogram observes from one time to another; at most a thousand values."""
        expected = self.growth(before, now, phase)
        count = min(1000, int(expected) + (chance.random() < expected % 1))
        return [self.median * chance.lognormvariate(0, 0.5) for _ in range(count)]


def _between(limits: tuple[float, float], now: float, phase: float) -> float:
    low, high = limits
    angle = 2 * math.pi * (now / (_PERIOD * (1 + phase)) + phase)
    return low + (high - low) * (0.5 + 0.5 * math.sin(angle))
