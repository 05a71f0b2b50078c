"""The bills: what each platform counts, in one formula for each line. Pure, so that reports use them too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from operations.cost.load import GB, MONTH, CostLoad
from operations.cost.prices import Price, Prices, Range

MACHINE_CPUS, MACHINE_MEMORY = 2.0, 8.0
"""Cores and GiB of the machine whose price is listed."""
STANDARD_USERS = 5
"""Full platform users that New Relic's plan Standard has at most."""
REQUEST_METRICS = 1000
"""Metrics that one request takes to CloudWatch."""
STORED_BYTES = (1.0, 2.0)
"""Of a sample in Amazon's store, by its pricing page."""
STORED_DAYS = 150


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill."""

    item: str
    units: Range
    """That are paid for, after what is free."""
    formula: str
    price: Price
    amount: Range


@dataclass(frozen=True, slots=True)
class Bill:
    """A month on one platform, in the currency of the prices."""

    platform: str
    title: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Range:
        """At least and at most."""
        return sum(line.amount[0] for line in self.lines), sum(line.amount[1] for line in self.lines)

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Items whose price was not seen anywhere."""
        return tuple(line.item for line in self.lines if line.price.basis == "unconfirmed" and line.amount[1])


Items = Mapping[str, Price]
Lines = Iterator[Line]


def monthly_cost(load: CostLoad, prices: Prices) -> tuple[Bill, ...]:
    """What this load costs a month on each platform that the prices have."""
    return tuple(
        Bill(name, title, tuple(make(load, prices.prices[name])), notes)
        for name, (title, make, notes) in PLATFORMS.items()
        if name in prices.prices
    )


def _line(item: str, items: Items, units: Range | float, formula: str, times: float = 1.0) -> Line:
    """A line; what is free, `times` over, is taken off the units."""
    price = items[item]
    low, high = units if isinstance(units, tuple) else (units, units)
    paid = (max(0.0, low - times * price.free), max(0.0, high - times * price.free))
    return Line(item, paid, formula, price, price.amount(paid))


def _self_hosted(load: CostLoad, items: Items) -> Lines:
    share = max(load.cpus / MACHINE_CPUS, load.memory / MACHINE_MEMORY)
    formula = (
        f"max({load.cpus:g} cores / {MACHINE_CPUS:g}, {load.memory:.1f} GiB / {MACHINE_MEMORY:g}); up to whole ones"
    )
    yield _line("machine", items, (share, float(ceil(share))), formula)
    yield _line("disk", items, load.disk, "samples and traces for their retention, on the own disk")
    if load.bucket[1]:
        yield _line("bucket", items, load.bucket, "samples at the end of the bucket's retention")
    yield _line("work", items, load.hours, f"{load.hours:g} hours a month")


def _datadog(load: CostLoad, items: Items) -> Lines:
    yield _line("hosts", items, load.nodes, "machines")
    formula = f"{load.nodes} x {load.containers} containers - {items['containers'].free:g} a host"
    yield _line("containers", items, load.nodes * load.containers, formula, load.nodes)
    formula = f"series of services, up to all series, - {items['custom_metrics'].free:g} a host"
    yield _line("custom_metrics", items, (load.own_series, load.series), formula, load.nodes)
    if load.spans:
        yield _line("apm_hosts", items, load.nodes, "machines")
        spans = load.spans * MONTH / 1e6
        formula = f"{spans:,.1f} million spans - {items['indexed_spans'].free:g} a host; from a sample to all"
        yield _line("indexed_spans", items, (0.0, spans), formula, load.nodes)
        formula = f"{load.span_gb:,.1f} GB - {items['ingested_spans'].free:g} a host"
        yield _line("ingested_spans", items, load.span_gb, formula, load.nodes)


def _new_relic(load: CostLoad, items: Items) -> Lines:
    least, most = items["sample_bytes"].range
    formula = (
        f"{load.samples / 1e6:,.0f} million samples x {least:g} to {most:g} bytes + {load.span_gb:,.1f} GB of spans"
    )
    volume = (load.samples * least / GB + load.span_gb, load.samples * most / GB + load.span_gb)
    yield _line("data", items, volume, f"{formula} - {items['data'].free:g}")
    if load.users <= STANDARD_USERS:
        yield _line("first_user", items, min(load.users, 1), "plan Standard")
        yield _line("further_users", items, max(0, load.users - 1), f"{load.users} users - 1")
    else:
        yield _line("pro_users", items, load.users, f"{load.users} users, more than {STANDARD_USERS}: plan Pro")


def _grafana_cloud(load: CostLoad, items: Items) -> Lines:
    yield _line("platform", items, 1, "once")
    counted = max(load.series, load.rate * 60)
    formula = f"max({load.series:,} series, {load.rate * 60:,.0f} samples a minute) / 1,000 - {items['series'].free:g}"
    yield _line("series", items, counted / 1000, formula)
    yield _line("users", items, load.users, f"{load.users} users - {items['users'].free:g}")
    if load.spans:
        yield _line("traces", items, load.span_gb, f"{load.span_gb:,.1f} GB of spans - {items['traces'].free:g}")


def _cloudwatch(load: CostLoad, items: Items) -> Lines:
    yield _line("metrics", items, load.series, "series, by tiers")
    requests = ceil(load.series / REQUEST_METRICS) * MONTH / 60
    formula = f"one a minute for each {REQUEST_METRICS:,} series / 1,000 - {items['requests'].free:,.0f}"
    yield _line("requests", items, requests / 1000, formula)
    yield _line("alarms", items, load.alerts, f"{load.alerts} alerts - {items['alarms'].free:g}")
    yield _line("dashboards", items, load.dashboards, f"{load.dashboards} dashboards - {items['dashboards'].free:g}")
    yield from _x_ray(load, items)


def _amazon_prometheus(load: CostLoad, items: Items) -> Lines:
    formula = f"{load.samples / 1e6:,.0f} million samples / 10 million - {items['samples'].free:g}, by tiers"
    yield _line("samples", items, load.samples / 1e7, formula)
    kept = load.rate * STORED_DAYS * 86400 / GB
    formula = (
        f"{STORED_BYTES[0]:g} to {STORED_BYTES[1]:g} bytes a sample for {STORED_DAYS} days - {items['storage'].free:g}"
    )
    yield _line("storage", items, (kept * STORED_BYTES[0], kept * STORED_BYTES[1]), formula)
    least, most = items["query_samples"].range
    queries = load.queries * MONTH / 1e9
    formula = f"{load.queries:g} queries/s x {least:,.0f} to {most:,.0f} samples - {items['queries'].free:g}"
    yield _line("queries", items, (queries * least, queries * most), formula)
    yield _line("users", items, load.users, f"{load.users} users of Amazon Managed Grafana")
    yield from _x_ray(load, items)


def _x_ray(load: CostLoad, items: Items) -> Lines:
    if load.spans:
        formula = f"{load.traces / 1e6:,.2f} million traces - {items['traces'].free:g}"
        yield _line("traces", items, load.traces / 1e6, formula)


PLATFORMS: Mapping[str, tuple[str, Callable[[CostLoad, Items], Lines], tuple[str, ...]]] = {
    "self-hosted": (
        "This stack, run by yourself",
        _self_hosted,
        ("from its share of a machine that does other work too, up to machines of its own",),
    ),
    "datadog": ("Datadog", _datadog, ("no rules, objectives and routes of this stack; its monitors are included",)),
    "new-relic": ("New Relic", _new_relic, ("metrics are kept for 8 days in full; users are full platform users",)),
    "grafana-cloud": ("Grafana Cloud", _grafana_cloud, ("metrics are kept for 13 months",)),
    "cloudwatch": ("CloudWatch", _cloudwatch, ("one sample a minute, whatever the scrape interval",)),
    "amazon-prometheus": (
        "Amazon Managed Prometheus",
        _amazon_prometheus,
        ("with Amazon Managed Grafana; what scrapes and sends is not counted",),
    ),
}
"""Platform to its name, its formulas, and what to know beside them."""
