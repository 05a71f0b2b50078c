"""What a service exposes and what it promises: declared metrics and objectives."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import promql_parser as promql
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from components.config.base import Duration, Label, Matching, Model, NotEmpty, Switch

MetricName = Annotated[
    str,
    Matching(r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", "letters, digits, underscores and colons, not beginning with a digit", 200),
]
Subject = Literal[
    "http",
    "database",
    "cache",
    "dependencies",
    "rate-limit",
    "business",
    "concierge",
    "neo4j-aura",
    "janusgraph",
    "cassandra",
    "security",
    "compliance",
    "backup",
]


def _as_text(value: Any) -> Any:
    """Label values are text; YAML reads 200 as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"names {', '.join(twice)} twice")
    return values


LabelValues = (
    Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    | Annotated[tuple[Annotated[str, BeforeValidator(_as_text)], ...], NotEmpty(), AfterValidator(_each_once)]
)


class DeclaredMetric(Model):
    """A metric as its program exposes it; what rules, dashboards and the estimate of series build on."""

    type: Literal["counter", "gauge", "histogram", "summary", "info"]
    help: str = Field(default="", description="What it counts or measures.")
    labels: dict[Label, LabelValues] = Field(
        default_factory=dict, description="Label to its expected values, or to their number."
    )
    buckets: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = Field(
        default=(), description="Upper bounds of a histogram, ascending, without +Inf."
    )
    optional: Switch = Field(default=False, description="Series only appear when something has happened.")
    foreign: Switch = Field(default=False, description="The name is given by a program that you cannot change.")

    @model_validator(mode="after")
    def _buckets_of_histograms(self) -> DeclaredMetric:
        if (self.type == "histogram") != bool(self.buckets):
            raise ValueError("a histogram needs buckets, and only a histogram has them")
        if list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError("buckets must be in ascending order, each only once")
        return self

    def series(self) -> int:
        """Series that one instance is expected to expose: one for each combination of label values, for a histogram
        one more for each bucket, for +Inf, the sum and the count."""
        combinations = 1
        for values in self.labels.values():
            combinations *= values if isinstance(values, int) else len(values)
        return combinations * {"histogram": len(self.buckets) + 3, "summary": 5}.get(self.type, 1)


def series_names(name: str, kind: str) -> tuple[str, ...]:
    """The names in queries of a metric of this type."""
    if kind == "histogram":
        return (f"{name}_bucket", f"{name}_sum", f"{name}_count")
    if kind == "summary":
        return (name, f"{name}_sum", f"{name}_count")
    return (f"{name}_info" if kind == "info" and not name.endswith("_info") else name,)


def _read_target(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value)):
        value = float(f"{float(match[1]) / 100:.12g}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.5 <= value < 1:
        raise ValueError("must be a share from 50% up to, but below 100%, such as 99.9% or 0.999")
    return float(value)


Share = Annotated[
    float,
    BeforeValidator(_read_target),
    Field(json_schema_extra={"type": ["number", "string"], "examples": ["99.9%", 0.999]}),
]
Window = Literal["7d", "14d", "28d", "30d", "90d"]


def _check_values(value: str) -> str:
    """A regular expression as Prometheus reads it (RE2): Python's look-arounds are none."""
    try:
        promql.parse('x{l=~"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"}')
    except ValueError as error:
        raise ValueError(f"is no regular expression that Prometheus reads: {error}") from None
    return value


class Availability(Model):
    """The share of requests that must not fail."""

    target: Share = Field(description="Share that must succeed, such as 99.9%.")
    window: Window = Field(default="30d", description="Over which the promise holds; it rolls.")
    requests: MetricName = Field(default="http_requests_total", description="Counter of all requests.")
    failed: Annotated[dict[Label, Annotated[str, AfterValidator(_check_values)]], NotEmpty()] = Field(
        default_factory=lambda: {"status_code": "5.."},
        description="Which of them failed: label to a regular expression of its values.",
    )


class Latency(Model):
    """The share of requests that must be answered in time."""

    target: Share = Field(description="Share that must be in time, such as 99%.")
    threshold: Duration = Field(description="In time means within this; one of the histogram's buckets.")
    window: Window = Field(default="30d", description="Over which the promise holds; it rolls.")
    histogram: MetricName = Field(
        default="http_request_duration_seconds", description="Histogram of durations in seconds."
    )


class Objectives(Model):
    """What a service promises. Each brings recording rules, burn rate alerts and an error budget."""

    availability: Availability | None = Field(default=None, description="Requests that do not fail.")
    latency: Latency | None = Field(default=None, description="Requests that are answered in time.")
