"""The load of a stack in the units that platforms bill: from its plan, and from what no stack file says."""

from __future__ import annotations

from dataclasses import dataclass

from components.config import StackConfig
from components.config.base import seconds
from components.rules import chosen_groups
from components.series import Circumstances, sources
from components.sizing import DAY, GIB, load_of, needs
from components.sizing_bucket import bucket_growth
from components.sizing_remote import kept_elsewhere, remote_needs
from components.spec import Plan
from operations.consistency import dashboards, grafana_of
from operations.cost.prices import Range

MONTH = 730 * 3600
"""Seconds."""
GB = 10**9
SPAN_BYTES = 500
"""Of one span with a dozen attributes; as it is sent, and about what Jaeger keeps of it."""
SPANS_PER_TRACE = 10


@dataclass(frozen=True, slots=True)
class Usage:
    """What no stack file says. `spans` a second, `queries` a second, `hours` of work a month."""

    circumstances: Circumstances
    spans: float = 10.0
    users: int = 5
    queries: float = 1.0
    hours: float = 2.0


@dataclass(frozen=True, slots=True)
class CostLoad:
    """A month of one stack. Ranges go from at least to what is to be planned with."""

    series: int
    own_series: int
    """Of services, which every platform takes for custom metrics; the others it mostly has integrations for."""
    rate: float
    """Samples a second."""
    nodes: int
    containers: int
    """On each node."""
    spans: float
    """A second."""
    users: int
    queries: float
    """A second."""
    hours: float
    """Of work a month."""
    alerts: int
    dashboards: int
    cpus: float
    """Cores: limits of all programs of the stack."""
    memory: float
    """GiB, likewise."""
    disk: Range
    """GB of samples and traces, replicas together."""
    bucket: Range
    """GB, once it does not grow any more; after a year where something is kept for ever."""
    retention: float
    """Seconds that samples can be queried: on the own disk or in the bucket."""

    @property
    def samples(self) -> float:
        """A month."""
        return self.rate * MONTH

    @property
    def span_gb(self) -> float:
        """A month."""
        return self.spans * MONTH * SPAN_BYTES / GB

    @property
    def traces(self) -> float:
        """A month."""
        return self.spans * MONTH / SPANS_PER_TRACE


def cost_load(config: StackConfig, plan: Plan, usage: Usage) -> CostLoad:
    """The load of a planned stack; products that are withheld on this machine count."""
    services = (*plan.services, *plan.withheld)
    products = [service.group for service in services]
    groups = chosen_groups(config, products)
    found = sources(config, products, groups, usage.circumstances)
    load = load_of(found, seconds(config.retention_time), usage.queries)
    replicas = len(plan.replicas("prometheus"))
    disk = next(need for need in needs(load) if need.resource == "disk")
    spans = usage.spans if config.tracing.backend != "none" else 0.0
    traces = spans * SPAN_BYTES * seconds(config.tracing.retention) if not config.tracing.shared else 0.0
    names = {service.name for service in config.services} | {f"federate-{server.name}" for server in config.federation}
    bucket, kept = (0.0, 0.0), load.retention
    if config.storage.thanos:
        growth = bucket_growth(load, config.storage, replicas)
        low, high = growth.ends[-1].total if growth.ends else (0.0, 0.0)
        if growth.forever:
            low, high = max(low, 12 * growth.month[0]), max(high, 12 * growth.month[1])
        bucket = ((low + growth.noncurrent[0]) / GB, (high + growth.noncurrent[1]) / GB)
        kept = max([kept, 365 * DAY if growth.forever else 0, *(end.age for end in growth.ends)])
    kept = max(kept, kept_elsewhere(config))
    remote = remote_needs(config, load, replicas)
    if "bucket" in remote:
        bucket = (remote["bucket"][0] / GB, remote["bucket"][1] / GB)
    stored = [
        (replicas * need + traces + elsewhere) / GB
        for need, elsewhere in zip((disk.floor or 0.0, disk.plan or 0.0), remote.get("disk", (0.0, 0.0)), strict=True)
    ]
    return CostLoad(
        series=load.series,
        own_series=sum(source.series for source in found if source.name in names),
        rate=load.rate,
        nodes=usage.circumstances.nodes,
        containers=usage.circumstances.containers,
        spans=spans,
        users=usage.users,
        queries=usage.queries,
        hours=usage.hours,
        alerts=sum("alert" in rule for each in groups.values() for group in each for rule in group["rules"]),
        dashboards=len(dashboards(grafana)) if (grafana := grafana_of(plan)) else 0,
        cpus=sum(service.resources.cpus for service in services),
        memory=sum(service.resources.memory for service in services) * 2**20 / GIB,
        disk=(stored[0], stored[1]),
        bucket=bucket,
        retention=kept,
    )
