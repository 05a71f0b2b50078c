"""Checks of tracing: a trace that is sent over OTLP is found again."""

from __future__ import annotations

import secrets
import time
from typing import Any

from operations.running import Check, CheckFailed, FailedForGood, Running

NAME, OTLP = "jaeger", "otlp"
SERVICE = "observatory-verification"


def ready(running: Running) -> str:
    """Jaeger's API answers."""
    running.endpoint(NAME).get_json("/api/services")
    return running.endpoint(NAME).url


def otlp_export(trace: str, span: str, now: int) -> dict[str, Any]:
    """One span of one millisecond as OTLP JSON. `now` in nanoseconds."""
    attributes = [{"key": "service.name", "value": {"stringValue": SERVICE}}]
    record = {
        "traceId": trace,
        "spanId": span,
        "name": "verify",
        "kind": 1,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
    }
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes},
                "scopeSpans": [{"scope": {"name": SERVICE}, "spans": [record]}],
            }
        ]
    }


def trace_found_again(running: Running) -> str:
    """A new trace goes in by OTLP over HTTP and comes out of the storage with its span."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    export = otlp_export(trace, span, time.time_ns())
    answer = running.until(lambda: running.endpoint(OTLP).post_json("/v1/traces", export))
    rejected = (answer.json() or {}).get("partialSuccess", {}) if answer.content else {}
    if int(rejected.get("rejectedSpans", 0)):
        raise FailedForGood(f"Jaeger rejected the span: {rejected.get('errorMessage', '')}", "see Jaeger's log")
    running.until(lambda: _find(running, trace, span))
    return f"trace {trace}"


def _find(running: Running, trace: str, span: str) -> None:
    missing = CheckFailed(
        f"trace {trace} was taken, but is not found again",
        "see Jaeger's log: is its disk full, or its storage refused?",
    )
    try:
        found = running.endpoint(NAME).get_json(f"/api/v3/traces/{trace}")
    except CheckFailed as error:
        if error.status == 404:
            raise missing from None
        raise
    result = found.get("result", found)
    spans = [
        each["spanId"]
        for resource in result.get("resourceSpans") or []
        for scope in resource.get("scopeSpans") or []
        for each in scope.get("spans") or []
    ]
    if span not in spans:
        raise missing


CHECKS = (
    Check("jaeger answers", ready, answers=NAME),
    Check("a trace that is sent is found again", trace_found_again, (NAME,), patient=False),
)
