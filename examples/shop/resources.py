"""Resource pattern: numbers that the system keeps anyway are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

CGROUP = Path("/sys/fs/cgroup")


# region: resources
class ContainerResources(Collector):
    """Memory and processor time of the own container (control groups, version 2), and nothing where there is none.

    The client library has `process_*` metrics by itself; only the container's limit is not among them.
    """

    def __init__(self, registry: CollectorRegistry, folder: Path = CGROUP) -> None:
        self._folder = folder
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        memory = GaugeMetricFamily("memory_usage_bytes", "Memory of the container.", labels=["type"])
        for kind, file in (("used", "memory.current"), ("limit", "memory.max")):
            text = self._read(file)
            if text.isdigit():  # "max" is no limit, and no number either: a 0 here would look like one
                memory.add_metric([kind], int(text))
        yield memory
        usage = dict(line.split() for line in self._read("cpu.stat").splitlines())
        if "usage_usec" in usage:
            seconds = int(usage["usage_usec"]) / 1_000_000
            yield CounterMetricFamily("cpu_usage_seconds", "Processor time of the container.", seconds)

    def _read(self, file: str) -> str:
        try:
            return (self._folder / file).read_text(encoding="ascii").strip()
        except OSError:
            return ""


# endregion: resources
