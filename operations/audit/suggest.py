"""What can be left out: metrics that nothing uses, as rules to paste, and what they save."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from components.config import StackConfig
from components.config.base import seconds
from components.config.declarations import BYTES_PER_SERIES
from components.sizing import SAMPLE_BYTES
from operations.audit.counted import Counted, Job
from operations.audit.used import Used

SHORT = 3
"""Names from which on a common beginning stands for them."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Metrics of one job to leave out, and what that saves; bytes, of memory now and of disk over the retention."""

    job: Job
    service: str | None
    """The service of the stack file; None for a job that the stack file has no key for."""
    metrics: tuple[str, ...]
    patterns: tuple[str, ...]
    series: int
    rate: float
    """Samples per second."""
    memory: int
    disk: int

    def data(self, drop: Iterable[str]) -> dict[str, Any]:
        """As data, ready to paste; `drop` is what the stack file has for the service already."""
        step = {"source_labels": ["__name__"], "regex": "|".join(self.patterns), "action": "drop"}
        return {
            "job": self.job.name,
            "scrape_jobs": list(self.job.pools),
            "series": self.series,
            "samples_per_second": round(self.rate, 3),
            "memory_bytes": self.memory,
            "disk_bytes": self.disk,
            "metrics": list(self.metrics),
            "stack_file": {"name": self.service, "drop": [*drop, *self.patterns]} if self.service else None,
            "metric_relabel_configs": None if self.service else [step],
        }


def suggestions(
    config: StackConfig, found: Counted, used: Used, recorded: Collection[str], least: int = 1
) -> list[Suggestion]:
    """One for each job with metrics that nothing uses, those first that save most; `least` series each.

    What arrives by federation is left alone: it was chosen there, by its own `match`.
    """
    services = {service.name for service in config.services}
    federated = {f"federate-{server.name}" for server in config.federation}
    known = {name for _, name in found.series}
    made = []
    for name, unused in unused_by_job(found, used, recorded).items():
        job = found.jobs.get(name)
        if job is None or not job.pools or job.interval is None or federated & {*job.pools}:
            continue
        series = sum(unused.values())
        if series < least:
            continue
        patterns = folded(unused, (known | used.words) - unused.keys(), used)
        service = name if job.pools == (name,) and name in services else None
        rate = series / job.interval
        disk = round(rate * SAMPLE_BYTES[0] * seconds(config.retention_time))
        made.append(
            Suggestion(job, service, tuple(sorted(unused)), patterns, series, rate, series * BYTES_PER_SERIES, disk)
        )
    return sorted(made, key=lambda each: (-each.series, each.job.name))


def unused_by_job(found: Counted, used: Used, recorded: Collection[str]) -> dict[str, dict[str, int]]:
    """Job to its metrics that nothing uses, with their series; what rules record is no job's."""
    unused: dict[str, dict[str, int]] = {}
    for (job, metric), series in found.series.items():
        if metric not in used and metric not in recorded and ":" not in metric:
            unused.setdefault(job, {})[metric] = series
    return unused


def folded(metrics: Collection[str], others: Collection[str], used: Used) -> tuple[str, ...]:
    """Patterns that match all of these metrics, none of the others, and nothing that is used.

    A beginning, up to an underscore, stands for all names that have it where there are several and no other has it.
    """
    left = set(metrics)
    taken = {beginning for other in others for beginning in _beginnings(other)}
    having: dict[str, list[str]] = {}
    for name in left:
        for beginning in _beginnings(name):
            having.setdefault(beginning, []).append(name)
    patterns = []
    for beginning in sorted(having, key=lambda text: (len(text), text)):
        names = having[beginning]
        if len(names) < SHORT or beginning in taken or names[0] not in left or _may_match(used, beginning):
            continue
        patterns.append(f"{beginning}.*")
        left.difference_update(names)
    return tuple(sorted([*patterns, *left]))


def _beginnings(name: str) -> list[str]:
    """Of at least two words: `node_` alone would take what a later version adds, too."""
    ends = [match.end() for match in re.finditer("_", name)]
    return [name[:end] for end in ends[1:]]


def _may_match(used: Used, beginning: str) -> bool:
    """Whether a pattern that something asks by could be about a name with this beginning; in doubt it could."""
    for pattern in used.patterns:
        fixed = re.match(r"[\w:]*", pattern.pattern)
        text = fixed[0] if fixed else ""
        if text.startswith(beginning) or beginning.startswith(text):
            return True
    return False


def saved(made: Iterable[Suggestion]) -> Mapping[str, float]:
    """What all of them save together."""
    each = list(made)
    return {
        "series": sum(one.series for one in each),
        "samples_per_second": round(sum(one.rate for one in each), 3),
        "memory_bytes": sum(one.memory for one in each),
        "disk_bytes": sum(one.disk for one in each),
    }
