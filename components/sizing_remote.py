"""What the database needs that Prometheus sends its samples to, and whether the stack file asks for it.

All are bands, as in `sizing`: at least, and to plan with. Sources:

- VictoriaMetrics' own guide
  (https://docs.victoriametrics.com/guides/understand-your-setup-size/): a byte a sample, a fifth more for the index, a
  month more than the retention (a day, below 30 days), half of memory and cores and a fifth of the disk free; the 0.4
  bytes a sample at least are its makers' figure (https://docs.victoriametrics.com/victoriametrics/faq/).
- Cortex' guide (https://cortexmetrics.io/docs/guides/capacity-planning/): 20,000 to 100,000 samples a second a core.
  Its memory and blocks are those of the head and the disk of a Prometheus, from whose code it is made; to plan with 10
  KB a series, after the 2.5 GB for 300,000 of the Mimir that came of it
  (https://grafana.com/docs/mimir/latest/manage/run-production-environment/planning-capacity/).
- Own measurements, in docs/guide/sizing.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from components.config import StackConfig
from components.config.base import seconds
from components.sizing import DAY, HEAD_BYTES, HEADROOM, HOUR, KB, MIB, SAMPLE_BYTES, Asked, Load, cores, disk
from components.sizing_bucket import MONTH, Band
from components.spec import Resources

Resource = Literal["memory", "cpus", "disk", "bucket"]
DATABASES = {"victoria": ("victoria-metrics", "VictoriaMetrics"), "cortex": ("cortex", "Cortex")}
"""Backend to the program that Prometheus sends to, and what people call it."""
VICTORIA_BASE, CORTEX_BASE = 32 * MIB, 64 * MIB
"""Of memory, with next to nothing to do; measured."""
VICTORIA_SERIES = (0.5 * KB, 1 * KB)
"""Bytes of memory for each series; measured, and with what it remembers of queries."""
VICTORIA_BYTES, VICTORIA_INDEX = (0.4, 1.0), 1.2
"""On disk for each sample; and with the index."""
FREE = 0.5
"""Of memory and cores are to be left free, for bursts."""
CORTEX_SERIES = 10 * KB
CORTEX_RATES = (100_000, 20_000)
"""Samples a second that a core takes, at best and to plan with."""
CORTEX_RECENT = (6 * HOUR, 6 * HOUR + 2 * DAY)
"""Of samples on its disk though there is a bucket: what is younger, and two blocks of a day while they are merged."""
CHURN = 1.25
"""While pods are replaced, old and new series are in memory."""
CATCHING_UP = 1.5
"""Above the usual rate: or what waits after a pause never gets less."""


def kept_elsewhere(config: StackConfig) -> float:
    """Seconds that the database keeps samples; 0 where there is none."""
    kept = getattr(getattr(config.storage, config.storage.backend, None), "retention", None)
    return seconds(kept) if isinstance(kept, str) else 0.0


def remote_needs(config: StackConfig, load: Load, replicas: int = 1) -> dict[Resource, Band]:
    """Bytes and cores, at least and to plan with; empty where Prometheus sends its samples nowhere.

    `load` is that of one Prometheus. All `replicas` send; what they have alike is kept once, of a cluster on as many
    vmstorage as it is told to. A cluster's vminsert and vmselect are not counted, as they keep nothing.
    """
    kept = Load(load.series, load.rate, kept_elsewhere(config), load.queries)
    if config.storage.backend == "victoria":
        cluster = config.storage.victoria_cluster
        nodes, copies = (cluster.vmstorage, cluster.replication_factor) if cluster else (1, 1)
        return _victoria(kept, replicas, nodes, copies)
    return _cortex(kept, config.storage.bucket is not None) if config.storage.backend == "cortex" else {}


def _victoria(load: Load, replicas: int, nodes: int, copies: int) -> dict[Resource, Band]:
    """Of all `nodes` together, which have each sample `copies` times."""
    load = Load(load.series * copies, load.rate * copies, load.retention, load.queries)
    low, high = (nodes * VICTORIA_BASE + load.series * each for each in VICTORIA_SERIES)
    busy = replicas * load.rate / 100_000 + load.queries / 10
    least, most = (load.rate * each * VICTORIA_INDEX for each in VICTORIA_BYTES)
    cycle = MONTH if load.retention > MONTH else DAY
    return {
        "memory": (low, high / FREE),
        "cpus": (busy, busy / FREE),
        "disk": (least * load.retention, most * (load.retention + cycle) / HEADROOM),
    }


def _cortex(load: Load, bucket: bool) -> dict[Resource, Band]:
    best, planned = (load.rate / each + load.queries / 10 for each in CORTEX_RATES)
    ages = CORTEX_RECENT if bucket else (load.retention, load.retention)
    low, high = (disk(Load(load.series, load.rate, age)) for age in ages)
    assert low.floor is not None
    assert high.plan is not None
    found: dict[Resource, Band] = {
        "memory": (CORTEX_BASE + load.series * HEAD_BYTES, CORTEX_BASE + load.series * CORTEX_SERIES),
        "cpus": (best, planned),
        "disk": (low.floor, high.plan),
    }
    if bucket:
        least, most = (load.rate * each * load.retention for each in SAMPLE_BYTES)
        found["bucket"] = (least, most)
    return found


def asked_remote(
    config: StackConfig, load: Load, limits: Mapping[str, Resources], replicas: int = 1
) -> Iterator[Asked]:
    """What the stack file asks for, value by value; `limits` are those of the planned programs."""
    cluster = config.storage.victoria_cluster
    name, nodes = DATABASES.get(config.storage.backend, ("", ""))[0], 1
    if cluster:
        name, nodes = "vmstorage", cluster.vmstorage
    given = limits.get(name)
    # Of a cluster, what each vmstorage has of it.
    need = {what: (low / nodes, high / nodes) for what, (low, high) in remote_needs(config, load, replicas).items()}
    if not need or given is None:
        return
    own = config.resources.get(name)
    yield Asked(f"resources.{name}.memory", given.memory * MIB, *need["memory"], not (own and own.memory))
    low, high = need["cpus"]
    yield Asked(f"resources.{name}.cpus", given.cpus, low, cores(high), not (own and own.cpus), unit="cores")
    if config.kubernetes:
        volumes, key = config.kubernetes.volumes, name.replace("-", "_")
        default = key not in volumes.model_fields_set
        yield Asked(f"kubernetes.volumes.{key}", volumes.bytes_of(name), *need["disk"], default)
    if config.storage.backend == "cortex":
        yield from _limits(config, load)


def _limits(config: StackConfig, load: Load) -> Iterator[Asked]:
    cortex = config.storage.cortex
    allowed = type(cortex).model_json_schema()["properties"]
    for key, needed, room, remark in (
        ("max_series", load.series, CHURN, "Cortex refuses the series above it"),
        ("max_samples_per_second", load.rate, CATCHING_UP, "Cortex falls behind, until Prometheus gives samples up"),
    ):
        most = float(allowed[key]["maximum"])
        told = f"{remark}; so much is for a bucket or VictoriaMetrics" if needed > most else remark
        default = key not in cortex.model_fields_set
        plan = min(needed * room, most)
        yield Asked(f"storage.cortex.{key}", getattr(cortex, key), needed, plan, default, told, unit="number")
