"""Whether what a service declares can work: names and units, labels, objectives, and the number of its series.

Conventions: https://prometheus.io/docs/practices/naming/ and https://prometheus.io/docs/practices/instrumentation/.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from string import ascii_letters, digits

from components.config.base import duration_text, seconds
from components.config.errors import Problem, near
from components.config.metrics import Availability, DeclaredMetric, Latency
from components.config.services import MonitoredService

RESERVED = {"job", "instance", "service", "team", "environment", "le", "quantile"}
"""Labels that the stack or Prometheus sets."""
_UNITS = {
    "milliseconds": "seconds",
    "millis": "seconds",
    "ms": "seconds",
    "microseconds": "seconds",
    "us": "seconds",
    "minutes": "seconds",
    "hours": "seconds",
    "days": "seconds",
    "kilobytes": "bytes",
    "kb": "bytes",
    "megabytes": "bytes",
    "mb": "bytes",
    "gigabytes": "bytes",
    "gb": "bytes",
    "bits": "bytes",
    "percent": "ratio",
    "percentage": "ratio",
}
_NEEDS_UNIT = {"duration": "seconds", "latency": "seconds", "lag": "seconds", "size": "bytes", "memory": "bytes"}
_SUFFIXES = ("_total", "_count", "_sum", "_bucket", "_info")
_UNBOUNDED = re.compile(
    r"(.*_)?(id|uuid|guid|hash|token|session|email|e_?mail|phone|ip|ip_address|timestamp|date|datetime|url|uri|query|sql)"
    r"|user|user_?name|customer|account|client|trace|span|address|message|error_message|stack_trace"
)
_OWN = re.compile(r"up|ALERTS|ALERTS_FOR_STATE|scrape_.*")
"""Metrics that Prometheus writes itself, one for each target or alert."""
_ANY_VALUE = tuple(letter * length for letter in ascii_letters + digits for length in (1, 3))
"""In place of a label's values where only their number is declared: what matches all of these matches anything."""
AURA_CACHE = 30
"""Seconds for which Neo4j Aura's endpoint answers from its cache."""


def declaration_problems(key: str, service: MonitoredService, interval: str) -> Iterator[Problem]:
    """Everything wrong with one service's declaration; `interval` is what it is scraped with."""
    # Only a stack that declares something pays for reading the known sets.
    if not service.exposes and not service.metrics and service.objectives == type(service.objectives)():
        return
    from components.catalogue import declared_metrics
    from components.onboarding import declared

    for subject in sorted({*service.exposes}):
        if service.exposes.count(subject) > 1:
            yield Problem(f"{key}.exposes", "is there twice", subject)
    if "neo4j-aura" in service.exposes and seconds(interval) < AURA_CACHE:
        hint = "30s, 60s or 120s are usual: `interval: 60s`"
        yield Problem(
            f"{key}.interval", "must be at least 30s: the endpoint of Neo4j Aura caches that long", interval, hint
        )
    known = {name: metric for subject in service.exposes for name, metric in declared_metrics(subject).items()}
    for name, metric in service.metrics.items():
        yield from metric_problems(f"{key}.metrics.{name}", name, metric)
        if name in known and known[name].type != metric.type:
            yield Problem(
                f"{key}.metrics.{name}.type", f"must be {known[name].type}, as the known set has it", metric.type
            )
    every = declared(service)
    objectives = service.objectives
    if objectives.availability:
        yield from _availability_problems(f"{key}.objectives.availability", objectives.availability, every)
    if objectives.latency:
        yield from _latency_problems(f"{key}.objectives.latency", objectives.latency, every)
    yield from _series_problems(key, service, every)


def metric_problems(key: str, name: str, metric: DeclaredMetric) -> Iterator[Problem]:
    """A name, a unit or a label against the conventions; foreign names are as they are."""
    if _OWN.fullmatch(name):
        yield Problem(key, "is a metric of Prometheus itself, which every target has; it needs no declaration")
        return
    if metric.foreign:
        return
    if not re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", name) or "__" in name:
        yield Problem(key, "must be lower-case words joined by single underscores; colons are for recording rules")
        return
    stem = name.removesuffix("_total") if metric.type == "counter" else name
    yield from _suffix_problems(key, name, metric.type)
    last = stem.rsplit("_", 1)[-1]
    if last in _UNITS:
        better = stem[: -len(last)] + _UNITS[last] + ("_total" if metric.type == "counter" else "")
        yield Problem(key, f"must be in the base unit {_UNITS[last]}, not in {last}", hint=f"call it {better}")
    elif metric.type != "counter" and last in _NEEDS_UNIT:
        yield Problem(key, "must end with its unit", hint=f"call it {name}_{_NEEDS_UNIT[last]}")
    for label in metric.labels:
        where = f"{key}.labels.{label}"
        if label in RESERVED or label.startswith("__"):
            yield Problem(where, "is set by the stack or by Prometheus", hint="give the label another name")
        elif _UNBOUNDED.fullmatch(label):
            reason = "takes ever new values, each of them new series, and may name a person"
            yield Problem(
                where, reason, hint="put it into traces or logs; count by a kind, such as tier, route or region"
            )


def _suffix_problems(key: str, name: str, kind: str) -> Iterator[Problem]:
    expected = {"counter": "_total", "info": "_info"}.get(kind, "")
    if expected and not name.endswith(expected):
        yield Problem(key, f"must end with {expected}, for it is of type {kind}", hint=f"call it {name}{expected}")
    for suffix in _SUFFIXES:
        if suffix != expected and name.endswith(suffix):
            hint = "if it only grows, its type is counter" if suffix == "_total" else f"drop {suffix}"
            yield Problem(key, f"must not end with {suffix}, for it is of type {kind}", hint=hint)


def _availability_problems(key: str, objective: Availability, every: Mapping[str, DeclaredMetric]) -> Iterator[Problem]:
    requests = every.get(objective.requests)
    if requests is None or requests.type != "counter":
        counters = sorted(name for name, metric in every.items() if metric.type == "counter")
        yield _not_declared(f"{key}.requests", objective.requests, "counter", counters)
        return
    for label in objective.failed:
        if label not in requests.labels:
            have = ", ".join(requests.labels) or "none"
            yield Problem(f"{key}.failed.{label}", f"is no label of {objective.requests}; it has {have}")
            return
    yield from _failed_problems(f"{key}.failed", objective, requests)


def _failed_problems(key: str, objective: Availability, requests: DeclaredMetric) -> Iterator[Problem]:
    """Failures that never happen, or that every request is: then the objective is never missed, or always."""
    all_failed = True
    for label, pattern in objective.failed.items():
        declared = requests.labels[label]
        values = declared if isinstance(declared, tuple) else _ANY_VALUE
        matched = _matching(pattern, values)
        if matched is None:
            all_failed = False
            continue
        if isinstance(declared, tuple) and not matched:
            message = f"matches none of the values that {objective.requests} is declared with: {', '.join(declared)}"
            yield Problem(f"{key}.{label}", message, repr(pattern), near(pattern, declared))
        all_failed = all_failed and matched == values
    if all_failed:
        patterns = ", ".join(f"{label}: {pattern}" for label, pattern in objective.failed.items())
        hint = "name only the values of failures, such as status_code: 5.."
        yield Problem(key, f"takes every request of {objective.requests} for a failure", patterns, hint)


def _matching(pattern: str, values: Sequence[str]) -> tuple[str, ...] | None:
    """The values that a pattern of Prometheus matches as a whole; None for one that only Prometheus can read."""
    try:
        with warnings.catch_warnings(action="error"):  # of [[:alpha:]], which is a class to Prometheus only
            expression = re.compile(pattern, re.DOTALL)
    except (re.error, FutureWarning):
        return None
    return tuple(value for value in values if expression.fullmatch(value))


def _latency_problems(key: str, objective: Latency, every: Mapping[str, DeclaredMetric]) -> Iterator[Problem]:
    histogram = every.get(objective.histogram)
    if histogram is None or histogram.type != "histogram":
        histograms = sorted(name for name, metric in every.items() if metric.type == "histogram")
        yield _not_declared(f"{key}.histogram", objective.histogram, "histogram", histograms)
    elif seconds(objective.threshold) not in histogram.buckets:
        have = ", ".join(map(duration_text, histogram.buckets))
        hint = "choose one of them, or add it to the program's buckets and declare the metric with them under `metrics`"
        yield Problem(
            f"{key}.threshold", f"must be a bucket of {objective.histogram}: {have}", objective.threshold, hint
        )


def _not_declared(key: str, name: str, kind: str, candidates: list[str]) -> Problem:
    have = f"declared are {', '.join(candidates)}" if candidates else f"no {kind} is declared"
    hint = "`exposes: [http]` declares the usual ones; others stand under `metrics`"
    return Problem(key, f"must be a declared {kind}; {have}", name, hint)


def _series_problems(key: str, service: MonitoredService, every: Mapping[str, DeclaredMetric]) -> Iterator[Problem]:
    from components.onboarding import instances

    each = {name: metric.series() for name, metric in every.items()}
    total, count = sum(each.values()), instances(service)
    if total > service.sample_limit:
        hint = f"set sample_limit: {total + total // 2}, or use fewer label values or buckets"
        message = f"is below the {total:,} samples that one instance is expected to expose"
        yield Problem(f"{key}.sample_limit", message, str(service.sample_limit), hint)
    if total * count > service.series_budget:
        largest = max(each, key=lambda name: each[name])
        message = f"about {total * count:,} series are expected from {count} instance{'s' * (count > 1)}"
        hint = (
            f"most of them are {largest}: {_factors(every[largest])} = {each[largest]:,} an instance; use fewer values "
            f"or buckets, or raise series_budget (about {memory_text(total * count)} of memory in Prometheus)"
        )
        yield Problem(f"{key}.series_budget", message, str(service.series_budget), hint)


def _factors(metric: DeclaredMetric) -> str:
    """How a metric comes to its number of series, in words."""
    sizes = {label: values if isinstance(values, int) else len(values) for label, values in metric.labels.items()}
    each = metric.series() // prod(sizes.values())
    return " x ".join(
        [*(f"{size} {label}" for label, size in sizes.items()), *([f"{each} series"] if each > 1 else [])]
    )


BYTES_PER_SERIES = 8 * 1024
"""To plan with: the head of Prometheus takes about 3 KiB a series, queries and rules over it the rest."""


def memory_text(series: int) -> str:
    """The memory that many series take in Prometheus, in words."""
    mebibytes = series * BYTES_PER_SERIES / 2**20
    if mebibytes >= 2**20:
        return "more than 1TB"
    return f"{mebibytes / 1024:.1f}GB" if mebibytes >= 1024 else f"{max(1, round(mebibytes))}MB"
