"""A trace to send: one span as OTLP JSON."""

from __future__ import annotations

import secrets
import time
from typing import Any

SERVICE = "e2e-shop"


def export() -> tuple[str, dict[str, Any]]:
    """Trace id and body of a POST to /v1/traces: a server span of 20 ms that has just ended."""
    trace, now = secrets.token_hex(16), time.time_ns()
    span = {
        "traceId": trace,
        "spanId": secrets.token_hex(8),
        "name": "GET /cart",
        "kind": 2,
        "startTimeUnixNano": str(now - 20_000_000),
        "endTimeUnixNano": str(now),
        "attributes": [{"key": "http.response.status_code", "value": {"intValue": "200"}}],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": SERVICE}}]}
    return trace, {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
