"""What a running server stores, counted: from its own statistics, and by questions whose cost is known before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.config.base import seconds
from operations.budget import Budget, Heavy, TooMuch
from operations.errors import CommandError
from operations.http import Endpoint
from operations.running import CheckFailed

NAMES = 10_000
"""Of metrics that a server lists at most in its statistics."""
AT_ONCE = 50_000
"""Series that one question may be about; a metric that has more is asked for alone."""
LENGTH = 8_000
"""Characters of one question at most."""
WIDE = 10
"""Metrics whose labels are looked at: those with the most series."""
WIDE_SERIES = 20_000
"""Series up to which they are."""


@dataclass(frozen=True, slots=True)
class Job:
    """A value of the label `job`: what its last scrapes brought. `interval` in seconds; None if not scraped."""

    name: str
    pools: tuple[str, ...] = ()
    """The scrape jobs behind it."""
    targets: int = 0
    interval: float | None = None
    kept: int = 0
    """Series of the last scrapes, after relabelling."""
    left_out: int = 0
    """Series that its relabelling leaves out already."""
    added: float = 0.0
    """Series in the last hour that were not in the scrape before."""


@dataclass
class Counted:
    """A server's series."""

    head: int
    """In memory: those that got a sample within the last hours, gone ones too."""
    label_pairs: int
    created: float | None
    """In the last hour; None where the server does not watch itself."""
    series: dict[tuple[str, str], int] = field(default_factory=dict)
    """Job and metric to series that have a sample now."""
    jobs: dict[str, Job] = field(default_factory=dict)
    labels: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    wide: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def active(self) -> int:
        """Series that have a sample now."""
        return sum(self.series.values())


def counted(server: Endpoint, budget: Budget, now: float) -> Counted:
    """Count everything. Raises CommandError where that would cost more than the budget, before it begins."""
    try:
        status = server.prometheus("/api/v1/status/tsdb", limit=str(NAMES))
        head, by_name = status["headStats"], status["seriesCountByMetricName"]
        found = Counted(int(head["numSeries"]), int(head["numLabelPairs"]), None)
    except (CheckFailed, KeyError, TypeError) as error:
        raise CommandError(
            f"{server.url} has no statistics of its series ({error})", "audit asks a Prometheus: name one by --against"
        ) from None
    names = {each["name"]: int(each["value"]) for each in by_name}
    if len(names) == NAMES:
        found.notes.append(f"there are more than {NAMES:,} metrics; only the largest are counted")
    if found.head > budget.limit:
        raise CommandError(
            f"it would look at about {found.head:,} samples, one of each series, and --max-samples allows "
            f"{budget.limit:,}",
            f"allow --max-samples {found.head * 2}",
        )
    try:
        for query, cost in _questions(names):
            result, _ = budget.ask("/api/v1/query", cost, query, time=f"{now:.3f}")
            for each in result:
                metric = each["metric"]
                found.series[metric.get("job", ""), metric["__name__"]] = int(float(each["value"][1]))
        found.jobs = _jobs(server, budget, now)
        created = _by(budget, now, "max(increase(prometheus_tsdb_head_series_created_total[1h]))", "")
        found.created = created.get("")
        found.wide = list(_wide(server, found, now))
    except (TooMuch, Heavy) as error:
        raise CommandError(f"the server cannot be counted within --max-samples: {error}".rstrip(": ")) from None
    except CheckFailed as error:
        raise CommandError(error.detail, error.remedy) from None
    memory = {each["name"]: int(each["value"]) for each in status["memoryInBytesByLabelName"]}
    found.labels = [
        {"name": each["name"], "values": int(each["value"]), "bytes": memory.get(each["name"])}
        for each in status["labelValueCountByLabelName"]
        if each["name"] != "__name__"
    ]
    found.pairs = [
        {"pair": each["name"], "series": int(each["value"])}
        for each in status["seriesCountByLabelValuePair"]
        if not each["name"].startswith("__name__=")
    ]
    return found


def _questions(names: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Questions that count these metrics by job, each with its cost."""
    chosen: list[str] = []
    cost = length = 0
    for name, series in names.items():
        if chosen and (cost + series > AT_ONCE or length + len(name) > LENGTH):
            yield _question(chosen), cost
            chosen, cost, length = [], 0, 0
        chosen.append(name)
        cost, length = cost + series, length + len(name) + 1
    if chosen:
        yield _question(chosen), cost


def _question(names: list[str]) -> str:
    return f'count by (job, __name__) ({{__name__=~"{"|".join(names)}"}})'


def _by(budget: Budget, now: float, query: str, label: str) -> dict[str, float]:
    result, _ = budget.ask("/api/v1/query", 0, query, time=f"{now:.3f}")
    return {each["metric"].get(label, ""): float(each["value"][1]) for each in result}


def _jobs(server: Endpoint, budget: Budget, now: float) -> dict[str, Job]:
    pools: dict[str, set[str]] = {}
    intervals: dict[str, float] = {}
    for target in server.prometheus("/api/v1/targets", state="active")["activeTargets"]:
        job = target["labels"].get("job", "")
        pools.setdefault(job, set()).add(target["scrapePool"])
        interval = seconds(target["scrapeInterval"])
        intervals[job] = min(interval, intervals.get(job, interval))
    targets = _by(budget, now, "count by (job) (up)", "job")
    kept = _by(budget, now, "sum by (job) (scrape_samples_post_metric_relabeling)", "job")
    scraped = _by(budget, now, "sum by (job) (scrape_samples_scraped)", "job")
    added = _by(budget, now, "sum by (job) (sum_over_time(scrape_series_added[1h]))", "job")
    return {
        name: Job(
            name,
            tuple(sorted(pools.get(name, ()))),
            int(count),
            intervals.get(name),
            int(kept.get(name, 0)),
            int(scraped.get(name, 0) - kept.get(name, 0)),
            added.get(name, 0.0),
        )
        for name, count in targets.items()
    }


def _wide(server: Endpoint, found: Counted, now: float) -> Iterator[dict[str, Any]]:
    """The metrics with the most series: how many values each label has, and how many series there were without it."""
    totals: dict[str, int] = {}
    for (_, name), series in found.series.items():
        totals[name] = totals.get(name, 0) + series
    for name in sorted(totals, key=lambda name: (-totals[name], name))[:WIDE]:
        if totals[name] > WIDE_SERIES:
            yield {"metric": name, "series": totals[name], "labels": None}
            continue
        span = {"start": f"{now - 300:.3f}", "end": f"{now:.3f}", "limit": str(WIDE_SERIES)}
        series = server.prometheus("/api/v1/series", **{"match[]": f'{{__name__="{name}"}}'}, **span)
        yield {"metric": name, "series": totals[name], "labels": _labels(series)}


def _labels(series: list[dict[str, str]]) -> list[dict[str, Any]]:
    rows = []
    for name in sorted({name for labels in series for name in labels} - {"__name__"}):
        values = len({labels.get(name, "") for labels in series})
        without = len({tuple(sorted({**labels, name: ""}.items())) for labels in series})
        rows += [(without, name, values)] if values > 1 else []
    return [{"name": name, "values": values, "series_without": without} for without, name, values in sorted(rows)]
