"""How a bucket of samples grows: what Thanos uploads, rewrites and makes coarser, until each retention ends.

Thanos keeps five aggregates of each series for each step of a coarser resolution. How large these get is nowhere
published but as "relatively similar size to raw blocks" (https://thanos.io/tip/components/compact.md/#downsampling),
which caps them here. Measured were 2.6 bytes for each at five minutes and 3.1 at an hour, on data whose samples took
2.4 (docs/guide/sizing.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from components.config import StackConfig
from components.config.base import seconds
from components.config.storage import Storage
from components.sizing import DAY, SAMPLE_BYTES, Asked, Load

MONTH = 30 * DAY
AGGREGATES, AGGREGATE_BYTES = 5, (1.3, 4.0)
"""Of each series and step; bytes of one, at least and to plan with."""
STEPS = {"five_minutes": 300, "one_hour": 3600}
"""Seconds."""
REWRITES = 3
"""Blocks of 2 h become 8 h, 2 d and 14 d long; a versioned bucket keeps what they replace for a while."""
LONGEST_BLOCK = 14 * DAY
"""While it is made, it and the blocks that it replaces lie on the compactor's disk."""

Band = tuple[float, float]
"""At least, and to plan with."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a bucket holds at a time: seconds after the first upload, and bytes by resolution."""

    name: str
    age: float
    size: dict[str, Band]

    @property
    def total(self) -> Band:
        """All resolutions together."""
        return sum(low for low, _ in self.size.values()), sum(high for _, high in self.size.values())


@dataclass(frozen=True, slots=True)
class BucketGrowth:
    """Bytes; per second where it says so. All bands are for all replicas together, which upload all they have."""

    month: Band
    """In the first months, while nothing is deleted."""
    ends: tuple[Stored, ...]
    """At the end of each retention, in order; from the last one on the bucket does not grow any more."""
    forever: bool
    """Something is never deleted, so that the bucket grows without end."""
    noncurrent: Band
    """Versions of objects that are replaced or deleted, kept by a bucket of the stack."""
    upload: Band
    """Per second, averaged; it happens every two hours."""
    compactor_disk: Band


def bucket_growth(load: Load, storage: Storage, replicas: int = 1) -> BucketGrowth:
    """The bucket of this load; `storage` has to be one with a bucket."""
    rates = _rates(load, replicas)
    kept = {name: _seconds(getattr(storage.retention, name)) for name in rates}
    ends = tuple(
        Stored(name, age, {each: _times(rate, min(age, kept[each])) for each, rate in rates.items()})
        for name, age in kept.items()
        if age < float("inf")
    )
    raw = rates["raw"]
    own = storage.bucket.noncurrent_days * DAY if storage.bucket and storage.backend == "thanos" else 0
    total = (sum(low for low, _ in rates.values()), sum(high for _, high in rates.values()))
    return BucketGrowth(
        month=_times(total, MONTH),
        ends=ends,
        forever=len(ends) < len(kept),
        noncurrent=_times(raw, REWRITES * own),
        upload=raw,
        # One Prometheus at a time: replicas have labels of their own, and are compacted each for itself.
        compactor_disk=_times(_rates(load, 1)["raw"], 2 * LONGEST_BLOCK),
    )


def asked_bucket(config: StackConfig, growth: BucketGrowth) -> Iterator[Asked]:
    """What a stack file in a cluster asks for beside the bucket: the disk on which blocks are merged."""
    if config.kubernetes:
        volumes = config.kubernetes.volumes
        default = "thanos_compact" not in volumes.model_fields_set
        size = volumes.bytes_of("thanos-compact")
        yield Asked("kubernetes.volumes.thanos_compact", size, *growth.compactor_disk, default)


def _rates(load: Load, replicas: int) -> dict[str, Band]:
    """Bytes per second by resolution."""
    raw = _times((load.rate * SAMPLE_BYTES[0], load.rate * SAMPLE_BYTES[1]), replicas)
    found = {"raw": raw}
    for name, step in STEPS.items():
        values = replicas * load.series * AGGREGATES / step
        found[name] = (min(values * AGGREGATE_BYTES[0], raw[0]), min(values * AGGREGATE_BYTES[1], raw[1]))
    return found


def _times(band: Band, factor: float) -> Band:
    return band[0] * factor, band[1] * factor


def _seconds(duration: str) -> float:
    return float("inf") if duration == "forever" else seconds(duration)
