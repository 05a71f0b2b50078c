"""Checks of Cortex: whether it answers, has the samples of now, and refuses none."""

from __future__ import annotations

from components.services.cortex import QUERY_PATH
from operations.checks.sent import fresh_samples
from operations.running import Check, CheckFailed, Running

NAME, METRICS = "cortex", "prometheus"


def ready(running: Running) -> str:
    """All of its parts run."""
    running.endpoint(NAME).get("/ready")
    return running.endpoint(NAME).url


def has_fresh_samples(running: Running) -> str:
    """The samples of now are in it, for the stack's tenant."""
    return fresh_samples(running, NAME, QUERY_PATH)


def refuses_nothing(running: Running) -> str:
    """No sample was refused in the last minutes: what is refused is never sent again."""
    query = (
        'sum by (reason) (increase(cortex_discarded_samples_total{job="cortex", reason!="rate_limited"}[5m]) or '
        'label_replace(increase(cortex_ingester_ingested_samples_failures_total{job="cortex"}[5m]), '
        '"reason", "ingester", "", "")) > 0'
    )
    found = running.endpoint(METRICS).prometheus("/api/v1/query", query=query)["result"]
    if found:
        reasons = ", ".join(f"{float(each['value'][1]):.0f} samples: {each['metric']['reason']}" for each in found)
        raise CheckFailed(reasons, "see runbooks/CortexSamplesDiscarded.md")
    return "in the last 5 minutes"


CHECKS = (
    Check("cortex answers", ready, answers=NAME),
    Check("cortex has fresh samples", has_fresh_samples, (NAME,)),
    Check("cortex refuses no samples", refuses_nothing, (METRICS,)),
)
