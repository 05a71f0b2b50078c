"""What CloudWatch remembers of metrics, as OpenMetrics text and from there, by promtool, as blocks of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from operations import console, programs
from operations.errors import CommandError, UsageError
from operations.migrate.cloudwatch.naming import Metric, braces

_QUERIES = 100
"""Metrics in one request; GetMetricData takes 500, and 100,800 values an answer."""
_POINTS = 90_000
_PATIENCE = 6 * 3600
"""Seconds for promtool, which takes minutes for some million values: what it works on was paid for."""
Samples = dict[Metric, list[tuple[float, float]]]
"""Metric to its samples of (seconds since 1970, value), the oldest first."""


@dataclass(frozen=True, slots=True)
class Range:
    """A time, both ends with their zone."""

    start: datetime
    end: datetime

    def parts(self, period: int, metrics: int) -> Iterator[tuple[datetime, datetime]]:
        """Pieces of it of which an answer holds all values."""
        step = timedelta(seconds=max(period, period * (_POINTS // max(1, metrics))))
        start = self.start
        while start < self.end:
            yield start, min(start + step, self.end)
            start += step


def time_range(start: str | None, end: str | None) -> Range | None:
    """From what was asked for; None for no history. Times without a zone are in UTC."""
    if start is None:
        if end is not None:
            raise UsageError("--end needs --start", "give both, or neither for no history")
        return None
    found = Range(_time("--start", start), _time("--end", end) if end else datetime.now(UTC))
    if found.start >= found.end:
        raise UsageError("--start is not before --end", "times are as in 2026-01-31 or 2026-01-31T12:00:00Z, in UTC")
    return found


def _time(option: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text} is no time", "such as 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def kept_period(metric: Metric, start: datetime) -> Metric:
    """The metric at a period that CloudWatch still has then: 60 s for 15 days, 300 s for 63, later an hour."""
    age = datetime.now(UTC) - start
    least = 60 if age < timedelta(days=15) else 300 if age < timedelta(days=63) else 3600
    return replace(metric, period=-(-max(metric.period, least) // 60) * 60)


def fetch(client: Any, metrics: Sequence[Metric], when: Range) -> Samples:
    """All samples of these metrics; says how far it is on stderr."""
    found: Samples = {metric: [] for metric in metrics}
    by_period: dict[int, list[Metric]] = {}
    for metric in metrics:
        by_period.setdefault(metric.period, []).append(metric)
    done = 0
    for period, group in by_period.items():
        for first in range(0, len(group), _QUERIES):
            batch = group[first : first + _QUERIES]
            for start, end in when.parts(period, len(batch)):
                _answer(client, batch, start, end, found)
            done += len(batch)
            console.note(f"history: {done} of {len(metrics)} metrics")
    return {metric: sorted(dict(samples).items()) for metric, samples in found.items()}


def _answer(client: Any, batch: Sequence[Metric], start: datetime, end: datetime, found: Samples) -> None:
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
                },
                "Period": metric.period,
                "Stat": metric.statistic,
            },
        }
        for number, metric in enumerate(batch)
    ]
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            samples = zip(result["Timestamps"], result["Values"], strict=True)
            found[batch[int(result["Id"][1:])]] += [(time.timestamp(), float(value)) for time, value in samples]


def openmetrics(samples: Mapping[Metric, Sequence[tuple[float, float]]], labels: Mapping[str, str]) -> Iterator[str]:
    """Lines of OpenMetrics text: the families one after the other, the series of each in the order of time."""
    families: dict[str, list[Metric]] = {}
    for metric in (each for each, found in samples.items() if found):
        families.setdefault(metric.series, []).append(metric)
    for name, members in sorted(families.items()):
        yield f"# TYPE {name} gauge"
        seen = set()
        for metric in members:
            inside = braces({**labels, **metric.labels})
            if inside in seen:  # the same statistic at another period
                continue
            seen.add(inside)
            for time, value in samples[metric]:
                yield f"{name}{inside} {value!r} {time:.3f}"
    yield "# EOF"


def promtool() -> Path:
    """The program that makes blocks; raises CommandError where there is none."""
    if found := programs.find("promtool"):
        return found
    raise CommandError("promtool is not on this machine, which makes blocks of the history", "`make ready` gets it")


def write_blocks(lines: Iterable[str], folder: Path, when: Range) -> None:
    """Fill a folder with blocks of such lines. Where none can be made, their text is left there: it was paid for.

    promtool reads the whole text once for each block, and unasked makes one of each two hours: years would take days.
    A tenth of the time is what Prometheus itself joins blocks to.
    """
    text = folder / "history.om"
    with text.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    console.note("history: promtool makes blocks of it")
    longest = f"--max-block-duration={(when.end - when.start) // 10 // timedelta(seconds=1)}s"
    arguments = ("tsdb", "create-blocks-from", "openmetrics", longest, "--quiet", text.name, ".")
    answer = programs.run(promtool(), arguments, folder, _PATIENCE)
    if answer.code != 0:
        raise CommandError(f"promtool makes no blocks of {text}: {answer.text[-500:]}")
    text.unlink()
