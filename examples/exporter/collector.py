"""Collector pattern: values that live elsewhere are read when Prometheus asks, and handed over as they are."""

from __future__ import annotations

import random
import threading
import time
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from examples.exporter.declared import Declared
from examples.exporter.motion import Motion

Motions = Callable[[str, Mapping[str, str]], Motion]
"""How a series moves at the moment, by its metric's name and its labels."""

QUANTILES = {"0.5": 1.0, "0.95": 2.3, "0.99": 3.2}
"""Of a summary, as multiples of its median."""


class Series:
    """One series' memory: what a counter, histogram or summary has gathered so far."""

    def __init__(self, declared: Declared, values: tuple[str, ...], begin: float) -> None:
        self.labels = dict(zip(declared.labels, values, strict=True))
        self.last, self.total, self.sum = begin, 0.0, 0.0
        self.buckets = [0] * (len(declared.buckets) + 1)
        seed = zlib.crc32(f"{declared.name}{values}".encode())
        self.phase, self.chance = seed % 1000 / 1000, random.Random(seed)


# region: collector
class DeclaredCollector(Collector):
    """Exposes declared metrics; `motion` says how each moves at the moment."""

    def __init__(self, metrics: Sequence[Declared], motion: Motions, clock: Callable[[], float] = time.time) -> None:
        self._motion, self._clock, self._lock = motion, clock, threading.Lock()
        begin = clock()
        self._series = [(each, [Series(each, values, begin) for values in each.combinations()]) for each in metrics]

    def collect(self) -> Iterator[Metric]:
        with self._lock:  # two Prometheus servers may ask at once, and each answer moves the counters on
            now = self._clock()
            yield from [self._family(declared, series, now) for declared, series in self._series]

    def describe(self) -> list[Metric]:
        """Nothing: otherwise a registry would collect once only to learn the names."""
        return []

    # endregion: collector

    def _family(self, declared: Declared, every: Sequence[Series], now: float) -> Metric:
        add = {
            "gauge": self._gauge,
            "info": self._gauge,
            "counter": self._counter,
            "histogram": self._histogram,
            "summary": self._summary,
        }[declared.type]
        family = Metric(_family_name(declared), declared.help, _shown_type(declared))
        for series in every:
            add(family, declared, series, self._motion(declared.name, series.labels), now)
            series.last = now
        return family

    @staticmethod
    def _gauge(family: Metric, declared: Declared, series: Series, motion: Motion, now: float) -> None:
        family.add_sample(declared.name, series.labels, motion.gauge(now, series.phase))

    @staticmethod
    def _counter(family: Metric, declared: Declared, series: Series, motion: Motion, now: float) -> None:
        series.total += motion.growth(series.last, now, series.phase)
        family.add_sample(declared.name, series.labels, float(int(series.total)))

    @staticmethod
    def _observe(declared: Declared, series: Series, motion: Motion, now: float) -> None:
        for value in motion.observations(series.last, now, series.phase, series.chance):
            series.buckets[bisect_left(declared.buckets, value)] += 1
            series.total, series.sum = series.total + 1, series.sum + value

    def _histogram(self, family: Metric, declared: Declared, series: Series, motion: Motion, now: float) -> None:
        self._observe(declared, series, motion, now)
        below = 0
        for bound, count in zip((*declared.buckets, float("inf")), series.buckets, strict=True):
            below += count
            text = "+Inf" if bound == float("inf") else repr(bound)
            family.add_sample(f"{declared.name}_bucket", series.labels | {"le": text}, below)
        self._totals(family, declared, series)

    def _summary(self, family: Metric, declared: Declared, series: Series, motion: Motion, now: float) -> None:
        self._observe(declared, series, motion, now)
        for quantile, multiple in QUANTILES.items():
            family.add_sample(declared.name, series.labels | {"quantile": quantile}, motion.median * multiple)
        self._totals(family, declared, series)

    @staticmethod
    def _totals(family: Metric, declared: Declared, series: Series) -> None:
        family.add_sample(f"{declared.name}_count", series.labels, series.total)
        family.add_sample(f"{declared.name}_sum", series.labels, series.sum)


def _shown_type(declared: Declared) -> str:
    # The library ends every counter's name in _total; a program that has another name for one gives it no type.
    return "unknown" if declared.type == "counter" and not declared.name.endswith("_total") else declared.type


def _family_name(declared: Declared) -> str:
    suffix = {"counter": "_total", "info": "_info"}.get(declared.type, "")
    return declared.name.removesuffix(suffix) if suffix else declared.name
