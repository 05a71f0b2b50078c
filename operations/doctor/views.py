"""Diagnoses of what people look at: traces, datasources, dashboards, slow queries."""

from __future__ import annotations

import json
from collections.abc import Iterator

from components.promql import metrics_in
from operations import consistency
from operations.checks import tracing
from operations.doctor.facts import Facts
from operations.doctor.findings import Diagnosis, Finding, Severity
from operations.doctor.programs import GONE
from operations.http import endpoint_url
from operations.stored import panel_queries

SLOW = 5.0
"""Seconds for which the slowest queries of a server may run."""


def spans_refused(facts: Facts) -> Iterator[Finding]:
    """Spans that come, and are not taken or not stored."""
    for series in facts.queries["spans-lost"]:
        at = series.labels.get("receiver") or series.labels.get("exporter", "?")
        what = "refused" if "receiver" in series.labels else "not stored"
        said = facts.said("jaeger", r"level=error|\"level\":\"error\"|\terror\t|refused|no space", within=600)
        saw = f"{series.value:.0f} spans were {what} in the last minutes ({at})\n{said[:300]}".strip()
        remedy = f"{facts.logs('jaeger')}\n`tracing.storage` and its address and login; `resources.jaeger.memory`"
        yield Finding(facts.service_at(series.where), saw, remedy)


def no_spans(facts: Facts) -> Iterator[Finding]:
    """A Jaeger that knows no service but itself, though there are some that could send spans."""
    known = set(facts.answers["services"]) - {"jaeger", tracing.SERVICE}
    if facts.config.services and not known:
        remedy = (
            f"OTEL_EXPORTER_OTLP_ENDPOINT of your services: {_ways_in(facts)}\n"
            "is too little sampled? OTEL_TRACES_SAMPLER=parentbased_always_on for a try\n"
            f"does Jaeger take any? ./observatory verify {facts.stack}"
        )
        yield Finding("jaeger", "no service of yours has sent a span yet", remedy, severity=Severity.NOTE)


def _ways_in(facts: Facts) -> str:
    """Where services send their spans to, from wherever they may run."""
    if facts.config.kubernetes:
        return f"http://jaeger.{facts.namespace}:4318, from a namespace of `kubernetes.trace_namespaces`"
    jaeger = facts.plan.service("jaeger")
    port = jaeger.port("otlp-http") if jaeger else None
    here = f"{endpoint_url(port, facts.config.docker.host or '')} here,\n" if port and port.published else ""
    return f"{here}http://{facts.container('jaeger')}:4318 on a network of `docker.networks`"


def datasources(facts: Facts) -> Iterator[Finding]:
    """A datasource that Grafana has not, or that does not reach its server."""
    result = facts.checks.get("every datasource works")
    if result and result.status == "failed":
        yield Finding("grafana", result.detail, f"{facts.logs('grafana')}\n{facts.deploy}")


def dashboards(facts: Facts) -> Iterator[Finding]:
    """A dashboard that is missing, or was changed by hand."""
    result = facts.checks.get("every dashboard is there")
    if result and result.status == "failed":
        yield Finding("grafana", result.detail, facts.deploy)


def without_data(facts: Facts) -> Iterator[Finding]:
    """A dashboard of which not one metric has a sample."""
    grafana, known = consistency.grafana_of(facts.plan), set(facts.answers["names"])
    if grafana is None or not facts.settled:
        return
    titles = {board["uid"]: board["title"] for board in map(json.loads, consistency.dashboards(grafana).values())}
    asked: dict[str, set[str]] = {}
    for uid, _, expression in panel_queries(facts.plan):
        asked.setdefault(uid, set()).update(metrics_in(expression))
    for uid, metrics in asked.items():
        if metrics and not metrics & known:
            saw = f"none of its {len(metrics)} metrics has a sample: {', '.join(sorted(metrics)[:3])}"
            remedy = (
                f"are those targets up? ./observatory verify {facts.stack}; do they expose these names?\n"
                "Else take it out of `dashboards` in the stack file"
            )
            yield Finding(f"dashboard {titles[uid]}", saw, remedy, severity=Severity.NOTE)


def slow_queries(facts: Facts) -> Iterator[Finding]:
    """Queries for which people wait."""
    for series in facts.queries["queries-slow"]:
        saw = f"one query in 100 takes longer than {series.value:.1f} s ({series.labels.get('slice', '')})"
        remedy = "shorter ranges, or recording rules for what dashboards ask often; `resources.prometheus.cpus`"
        yield Finding(facts.service_at(series.where), saw, remedy)


_LOST = (
    "sum by (instance, receiver) (increase(otelcol_receiver_refused_spans_total[$window]) "
    "or increase(otelcol_receiver_refused_spans[$window])) > 0 or "
    "sum by (instance, exporter) (increase(otelcol_exporter_send_failed_spans_total[$window]) "
    "or increase(otelcol_exporter_send_failed_spans[$window])) > 0"
)
DIAGNOSES = (
    Diagnosis(
        "spans-lost",
        Severity.CRITICAL,
        "Jaeger refuses spans, or cannot store them.",
        spans_refused,
        ("prometheus",),
        query=_LOST,
        explained_by=("disk-full",),
    ),
    Diagnosis(
        "traces-missing",
        Severity.NOTE,
        "No span arrives: services send none, elsewhere, or too few of them are sampled.",
        no_spans,
        ("jaeger",),
        explained_by=(*GONE, "endpoint-silent"),
    ),
    Diagnosis(
        "datasource-failing",
        Severity.CRITICAL,
        "Grafana does not reach a datasource.",
        datasources,
        ("grafana", "grafana-login"),
        explained_by=GONE,
    ),
    Diagnosis(
        "dashboard-missing",
        Severity.WARNING,
        "A dashboard is not there as planned.",
        dashboards,
        ("grafana", "grafana-login"),
    ),
    Diagnosis("dashboard-without-data", Severity.NOTE, "A dashboard shows nothing.", without_data, ("prometheus",)),
    Diagnosis(
        "queries-slow",
        Severity.WARNING,
        "Dashboards load slowly.",
        slow_queries,
        ("prometheus",),
        query=(
            'max by (instance, slice) (prometheus_engine_query_duration_seconds{quantile="0.99", slice="inner_eval"}) '
            "> 5"
        ),
    ),
)
