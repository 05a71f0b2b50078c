"""What a Prometheus needs for its load, by two sets of formulas side by side, and whether the stack file asks for it.

The *rule of thumb* is the one of many planning guides, for servers of a million series and more: 2 KB a series plus
2 GB, a core for each 100,000 samples a second and each 10 queries a second, plus one. Its flat parts (2 GB, 1 core, 100
operations) are many times what a small stack takes, so it judges nothing here; from a million series on both agree
within a factor of three. The *model* judges. It is a band: below its floor a server does not run well whatever it is
asked, from its plan on there is room for queries, and between the two it depends on the queries.

Sources: Prometheus' documentation for the disk, 1 to 2 bytes a sample
(https://prometheus.io/docs/prometheus/latest/storage/#operational-aspects); for memory, 3 KiB a series in the head
(https://www.robustperception.io/how-much-ram-does-prometheus-2-x-need-for-cardinality-and-ingestion/) and 7 to 9 KiB
with queries; own measurements, in docs/guide/sizing.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from components.config import StackConfig
from components.config.base import duration_text, size_bytes
from components.config.declarations import BYTES_PER_SERIES
from components.series import Source

Verdict = Literal["enough", "tight", "too little"]
KB, MIB, GIB = 1000, 2**20, 2**30
HOUR, DAY = 3600, 86400
HEAD_BYTES = 3 * 1024
"""Of memory for each series: what the head of Prometheus takes."""
BASE_MEMORY = 48 * MIB
"""Of a Prometheus with next to nothing to do; measured."""
EXEMPLAR_MEMORY = 10 * MIB
"""100,000 exemplars of about 100 bytes."""
SAMPLE_BYTES = (1.3, 2.0)
"""On disk, compressed: usual, and to plan with."""
LOG_BYTES, LOG_HOURS = 7, 3
"""Of the write-ahead log for each sample, and what it reaches back to; measured, and by its two-hour blocks."""
HEADROOM = 0.8
"""Of a disk may be used: compaction writes the new block before it removes the old ones."""
SCRAPE_BYTES = 16
"""Over the network for each sample, compressed by gzip; measured."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one Prometheus carries; replicas carry all of it, each. Queries per second; retention in seconds."""

    series: int
    rate: float
    """Samples per second."""
    retention: float
    queries: float = 1.0


@dataclass(frozen=True, slots=True)
class Need:
    """What a resource has to have: bytes, cores, or operations per second. `floor` and `plan` are the model's."""

    resource: Literal["memory", "cpus", "iops", "disk"]
    rule_of_thumb: float
    floor: float | None = None
    plan: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A value of the stack file, or its default, beside what is needed."""

    key: str
    value: float
    floor: float
    plan: float
    default: bool = False
    remark: str = ""
    """What comes of it where it is too little."""
    unit: Literal["bytes", "cores", "number"] = "bytes"

    @property
    def verdict(self) -> Verdict:
        """Enough from the plan on, too little below the floor."""
        if self.value < self.floor:
            return "too little"
        return "tight" if self.value < self.plan else "enough"

    @property
    def advice(self) -> str:
        """The value to write into the stack file."""
        if self.unit == "number":
            return f"{ceil(self.plan / 1000) * 1000}"
        return f"{cores(self.plan):g}" if self.unit == "cores" else size_text(self.plan)


def load_of(found: Iterable[Source], retention: float, queries: float = 1.0) -> Load:
    """The load of all sources together."""
    each = list(found)
    return Load(sum(source.series for source in each), sum(source.rate for source in each), retention, queries)


def memory(load: Load) -> Need:
    """Bytes. The rule of thumb adds samples per second x 2 x hours of retention, which it names no unit for.

    Taken as bytes here: with seconds in place of hours it would be the size of the blocks on disk (see `disk`), which
    are not kept in memory.
    """
    thumb = load.series * 2 * KB + load.rate * 2 * load.retention / HOUR + 2 * GIB
    floor = BASE_MEMORY + load.series * HEAD_BYTES
    return Need("memory", thumb, floor, BASE_MEMORY + EXEMPLAR_MEMORY + load.series * BYTES_PER_SERIES)


def cpus(load: Load) -> Need:
    """Cores. The floor is the rule of thumb's without its base of one core.

    For garbage collection and compaction the plan adds a core for each 4 GiB of memory, which grows with the server.
    """
    busy = load.rate / 100_000 + load.queries / 10
    return Need("cpus", busy + 1, busy, busy + (memory(load).plan or 0) / (4 * GIB))


def iops(load: Load) -> Need:
    """Operations per second at the disk. Nobody has published figures to set beside the rule of thumb's."""
    return Need("iops", load.rate / 1000 + load.queries * 100 + 100)


def disk(load: Load) -> Need:
    """Bytes for the whole retention: blocks, the write-ahead log, and for the plan a fifth of the disk free.

    The rule of thumb's is 2 bytes a sample, the term that it counts as memory.
    """
    usual, most = (load.rate * each * load.retention for each in SAMPLE_BYTES)
    log = load.rate * LOG_BYTES * LOG_HOURS * HOUR
    return Need("disk", load.rate * 2 * load.retention, usual + log, (most + log) / HEADROOM)


def lasting(load: Load, size: float) -> float:
    """Seconds that so many bytes hold samples of the usual size, in whole days, or in whole hours below three days."""
    log = load.rate * LOG_BYTES * LOG_HOURS * HOUR
    age = max(0.0, size - log) / (load.rate * SAMPLE_BYTES[0])
    step = DAY if age >= 3 * DAY else HOUR
    return max(1, age // step) * step


def needs(load: Load) -> tuple[Need, ...]:
    """All of them."""
    return memory(load), cpus(load), iops(load), disk(load)


def network(load: Load) -> dict[str, float]:
    """Bytes per second that Prometheus takes in from its targets, when these compress their answers."""
    return {"scraping": load.rate * SCRAPE_BYTES}


def asked(config: StackConfig, load: Load, memory_limit: float, cpu_limit: float) -> Iterator[Asked]:
    """What the stack file asks for, value by value; the limits are Prometheus', in bytes and cores."""
    own = config.resources.get("prometheus")
    need = memory(load)
    assert need.floor is not None
    assert need.plan is not None
    yield Asked("resources.prometheus.memory", memory_limit, need.floor, need.plan, not (own and own.memory))
    need = cpus(load)
    assert need.floor is not None
    assert need.plan is not None
    # As it would be written, or a limit would be tight by a thousandth of a core.
    default = not (own and own.cpus)
    yield Asked("resources.prometheus.cpus", cpu_limit, need.floor, cores(need.plan), default, unit="cores")
    need = disk(load)
    assert need.floor is not None
    assert need.plan is not None
    size = size_bytes(config.retention.size) if config.retention.size else None
    if size is not None:
        remark = f"samples go after about {duration_text(lasting(load, size))}"
        yield Asked("retention.size", size, need.floor, need.plan * HEADROOM, remark=remark)
    if config.kubernetes:
        volumes = config.kubernetes.volumes
        floor, plan = need.floor, need.plan
        if size is not None:  # what is over the size goes, however long it should stay
            floor, plan = min(floor, size), min(plan, size / HEADROOM)
        if config.backup and "prometheus" in config.backup.include:
            plan += _copy_beside(config, load, plan)
        default = "prometheus" not in volumes.model_fields_set
        yield Asked("kubernetes.volumes.prometheus", volumes.bytes_of("prometheus"), floor, plan, default)


def _copy_beside(config: StackConfig, load: Load, plan: float) -> float:
    """Bytes of a restored copy, beside what it replaces; with Thanos it has nothing of what is in the bucket."""
    if config.storage.thanos:
        return load.rate * (SAMPLE_BYTES[1] + LOG_BYTES) * LOG_HOURS * HOUR
    return plan


def cores(value: float) -> float:
    """To write into a stack file: tenths, at least 0.1."""
    return max(1, ceil(value * 10 - 0.5)) / 10


def size_text(value: float) -> str:
    """To write into a stack file: a size at least as large, as people would choose it."""
    if value <= GIB:
        return f"{max(1, ceil(value / (64 * MIB))) * 64}MB" if value <= GIB - 64 * MIB else "1GB"
    return f"{ceil(value / GIB)}GB" if value < 4096 * GIB else f"{ceil(value / (1024 * GIB))}TB"


STAGES: Sequence[tuple[float, str]] = (
    (1e6, "one Prometheus with its own disk, `storage: local`"),
    (1e7, "one Prometheus with remote storage, `storage: thanos`"),
    (1e8, "services divided over several stacks, each with a Prometheus of its own, and `storage: thanos` over all"),
    (float("inf"), "several regions, each a set of such stacks, and `storage: thanos` over all"),
)
"""Up to how many active series which architecture does."""


def stage(series: int) -> int:
    """The place in STAGES for this many series."""
    return next(index for index, (most, _) in enumerate(STAGES) if series < most)
