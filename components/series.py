"""How many series a stack will have, from where, and how often each gets a sample: the one estimate that all share.

Services count by what they declare. The stack's own programs count by what was measured of them, and a cluster by what
is usual, because nothing in the stack file says how large it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, Literal

import promql_parser as promql

from components import objectives, onboarding
from components.config import StackConfig
from components.config.base import seconds
from components.config.services import MonitoredService
from components.config.stack import DEMO
from components.onboarding import declared, expected_series, instances

Basis = Literal["declared", "undeclared", "measured", "assumed"]
"""By what a figure is known: what the service declares, a guess where it declares nothing, a measurement, or what is
usual."""
SCRAPE_SERIES = 5
"""Prometheus adds these to each target: up, scrape_duration_seconds, scrape_samples_*, scrape_series_added."""
UNDECLARED = 500
"""Series of an instance whose service declares nothing, as far as its budget goes."""
JOB_SERIES, GROUP_SERIES = 30, 11
"""What Prometheus exposes of itself for each scrape job and for each group of rules; measured."""
MEASURED = {"prometheus": 700, "alertmanager": 210, "jaeger": 70, "blackbox-exporter": 65, "backup": 6}
"""Series of one instance; of Prometheus without jobs and groups."""
USUAL = {"grafana": 600, "jaeger-spans": 500, "node-exporter": 400}
"""Series of one instance, which depend on what it is used for: ten operations, a machine of eight processors."""
PROBE_SERIES, CONTAINER_SERIES = 22, 50
"""Of a probe and of a container on Docker; measured."""
CLUSTER = {"kubelet": 3000, "apiserver": 5000, "coredns": 700}
"""Usual figures; of the kubelet for each node, of the others for the cluster."""
CLUSTER_CONTAINER_SERIES = 90
FEDERATED = 2000
"""Of a region that a global server collects: what its rules record, by default."""
OTHER = 500
"""Of any other program of the stack."""
OBJECT_SERIES = 25
"""That kube-state-metrics has of each container, its pod and what made that."""
ELSEWHERE = ("prometheus", "cadvisor")
"""Whose series depend on more than their number."""
PER_NODE = ("node-exporter", "cadvisor", "kubelet")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What no stack file says. `scale` is the load of the services against what they declare."""

    scale: float = 1.0
    nodes: int = 1
    containers: int = 30
    """On each node."""


@dataclass(frozen=True, slots=True)
class Source:
    """One origin of series; `interval` in seconds, between two samples of each."""

    name: str
    targets: int
    series: int
    interval: float
    basis: Basis

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.series / self.interval


def sources(
    config: StackConfig,
    products: Iterable[str],
    groups: Mapping[str, Sequence[Mapping[str, Any]]],
    given: Circumstances | None = None,
) -> list[Source]:
    """Everything that brings series to a stack of these products, with these groups of rules by subject.

    `products` are network names, or those of the groups that replicas are in, each as often as there are replicas.
    """
    given = given or Circumstances()
    interval = seconds(config.scrape.interval)
    planned = Counter(_group(product) for product in products)
    found = [_service(service, interval, given.scale) for service in config.services]
    if "blackbox-exporter" in planned:
        probes = [seconds(probe.interval) if probe.interval else interval for probe in config.probes]
        probes += [interval] * (config.access is not None)  # the stack's own certificate is probed too
        found += [
            Source("probes", probes.count(each), probes.count(each) * (PROBE_SERIES + SCRAPE_SERIES), each, "measured")
            for each in sorted(set(probes))
        ]
    found += [
        Source(
            f"federate-{server.name}",
            1,
            FEDERATED + SCRAPE_SERIES,
            seconds(server.interval) if server.interval else interval,
            "assumed",
        )
        for server in config.federation
    ]
    found += list(_own(config, planned, interval, given))
    jobs = len(found) + len(config.probes)
    count = sum(len(each) for each in groups.values())
    own = MEASURED["prometheus"] + JOB_SERIES * jobs + GROUP_SERIES * count + SCRAPE_SERIES
    replicas = planned["prometheus"]
    found.append(Source("prometheus", replicas, replicas * own, interval, "measured"))
    evaluated = seconds(config.scrape.evaluation_interval or config.scrape.interval)
    found.append(Source("recording rules", 0, recorded_series(config, groups), evaluated, "declared"))
    return found


def _group(name: str) -> str:
    """What a program is one of: by the number of a replica, or as one of those that each copy another one's data."""
    return "backup" if name.startswith("backup-") else re.sub(r"-\d+$", "", name)


def _service(service: MonitoredService, interval: float, scale: float) -> Source:
    interval = seconds(service.interval) if service.interval else interval
    targets = ceil(instances(service) * scale)
    basis: Basis = "declared" if declared(service) else "undeclared"
    expected = expected_series(service) or min(UNDECLARED * instances(service), service.series_budget)
    series = ceil(expected * scale) + targets * SCRAPE_SERIES
    return Source(service.name, targets, series, interval, basis)


def _own(config: StackConfig, planned: Counter[str], interval: float, given: Circumstances) -> Iterator[Source]:
    """The stack's own programs, and on Kubernetes the cluster."""
    programs = {name: count for name, count in planned.items() if name not in (*ELSEWHERE, *DEMO)}
    if "jaeger" in planned:
        programs["jaeger-spans"] = 1
    for name, count in programs.items():
        targets = count * given.nodes if name in PER_NODE else count
        each = MEASURED.get(name) or USUAL.get(name, OTHER)
        if name == "kube-state-metrics":
            each += given.nodes * given.containers * OBJECT_SERIES
        basis: Basis = "measured" if name in MEASURED else "assumed"
        yield Source(name, targets, targets * (each + SCRAPE_SERIES), interval, basis)
    cluster = config.kubernetes
    if "cadvisor" in planned or (cluster and config.exporters.cadvisor):
        each = CLUSTER_CONTAINER_SERIES if cluster else CONTAINER_SERIES
        series = given.nodes * (given.containers * each + SCRAPE_SERIES)
        yield Source("cadvisor", given.nodes, series, interval, "assumed")
    if cluster is None:
        return
    watched = {
        "kubelet": cluster.monitor.kubelet,
        "apiserver": cluster.monitor.api_server,
        "coredns": cluster.monitor.dns,
    }
    for name, on in watched.items():
        if on:
            targets = given.nodes if name in PER_NODE else 1
            yield Source(name, targets, targets * (CLUSTER[name] + SCRAPE_SERIES), interval, "assumed")


def recorded_series(config: StackConfig, groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
    """Series that recording rules write: as many as their expressions have results, by the labels that are declared.

    Those over the stack's own programs are a few for each and stand in these programs' figures.
    """
    promised = sum(
        (service.objectives.availability is not None) + (service.objectives.latency is not None)
        for service in config.services
    )
    results = _Results(config)
    # One budget for each service; what says that a metric is missing has no series as long as none is.
    total = promised * len(objectives.RECORDS) + len(config.services)
    made = {*objectives.RECORDS, *onboarding.RECORDS}
    for rule in (rule for found in groups.values() for group in found for rule in group["rules"]):
        if "record" in rule and rule["record"] not in made:
            total += results.record(rule["record"], rule["expr"])
    return total


class _Results:
    """How many results an expression has, where it asks for what services declare."""

    def __init__(self, config: StackConfig) -> None:
        self._metrics: dict[str, list[tuple[int, dict[str, int]]]] = {}
        self._recorded: dict[str, int] = {"service:series_budget:count": len(config.services)}
        for service in config.services:
            self._metrics.setdefault("scrape_samples_post_metric_relabeling", []).append((instances(service), {}))
            for name, metric in declared(service).items():
                sizes = {
                    label: values if isinstance(values, int) else len(values) for label, values in metric.labels.items()
                }
                self._metrics.setdefault(name, []).append((instances(service), sizes))

    def record(self, name: str, expression: str) -> int:
        """The number of series of one rule; rules that build on it find it by its name."""
        found = self._count(promql.parse(expression), None)
        self._recorded[name] = max(found, self._recorded.get(name, 0))
        return found

    def _count(self, node: Any, by: frozenset[str] | None) -> int:
        if isinstance(node, promql.VectorSelector):
            return self._selected(node, by)
        if isinstance(node, promql.Call) and node.func.name in ("absent", "absent_over_time"):
            return 0
        if isinstance(node, promql.Call) and node.func.name == "vector":
            return 1
        if isinstance(node, promql.AggregateExpr):
            kept = node.modifier
            if kept is None:
                by = frozenset()
            elif kept.type == promql.AggModifierType.By:
                by = frozenset(kept.labels) if by is None else by & frozenset(kept.labels)
        parts = [getattr(node, name) for name in ("lhs", "rhs", "expr", "vector_selector") if hasattr(node, name)]
        parts += list(node.args) if isinstance(node, promql.Call) else []
        return max((self._count(part, by) for part in parts), default=0)

    def _selected(self, selector: promql.VectorSelector, by: frozenset[str] | None) -> int:
        name = selector.name or ""
        if name in self._recorded:
            return self._recorded[name]
        base = name if name in self._metrics else name.rpartition("_")[0]
        one = {each.name for each in selector.matchers.matchers if each.op == promql.MatchOp.Equal}
        return sum(
            prod(size for label, size in sizes.items() if label not in one and (by is None or label in by))
            * (count if by is None or "instance" in by else 1)
            for count, sizes in self._metrics.get(base, ())
        )
