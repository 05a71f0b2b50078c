"""Requests, errors and latency of the services that expose http_requests_total and http_request_duration_seconds.

Counters and buckets are summed before anything is divided: a mean of ratios or quantiles would be neither.
"""

from typing import Any

from components.parameters import Limits
from dashboards.style import GREEN, ORANGE, RED, YELLOW, Board, Limit, Query, graph, listing, number, variable

UID = "api-overview"
TITLE = "API overview"
FOLDER = "Services"
NEEDS = frozenset({"http"})

OBJECTIVE = 0.999
"""Share of requests that have to end without a server error, for the error budget."""

_SERIES = 'service=~"$service", environment=~"$environment"'
_ALL = f"sum by (service) (rate(http_requests_total{{{_SERIES}}}[$__rate_interval]))"
_FAILED = f'sum by (service) (rate(http_requests_total{{{_SERIES}, status_code=~"5.."}}[$__rate_interval]))'
_TOTAL_IN_RANGE = f"sum(increase(http_requests_total{{{_SERIES}}}[$__range]))"
_FAILED_IN_RANGE = f'sum(increase(http_requests_total{{{_SERIES}, status_code=~"5.."}}[$__range]))'


def _quantile(share: float, by: str) -> str:
    buckets = f"rate(http_request_duration_seconds_bucket{{{_SERIES}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by (le, {by}) ({buckets}))"


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Rate, errors and duration of HTTP requests, by service.", limits, ["services"])
    board.variable(
        variable(
            "environment", "Environment", "Where the service runs.", "label_values(http_requests_total, environment)"
        )
    )
    board.variable(
        variable(
            "service",
            "Service",
            "The name that the stack file gives it.",
            'label_values(http_requests_total{environment=~"$environment"}, service)',
        )
    )
    board.row("Requests")
    board.add(
        graph(
            "Request rate",
            "Requests per second that a service answered. The line is where its capacity should be looked at.",
            "reqps",
            Query(_ALL, "{{service}}"),
            limits=[Limit(10_000)],
        )
    )
    board.add(
        graph(
            "Error rate",
            "Share of requests answered with a server error (5xx). A service without errors is at 0, not absent.",
            "percentunit",
            Query(f"({_FAILED} or 0 * {_ALL}) / {_ALL}", "{{service}}"),
            limits=[Limit(0.01)],
        )
    )
    board.add(
        graph(
            "Response time",
            "Time within which 50, 95 and 99 % of requests were answered. A dot is a request and leads to its trace.",
            "s",
            Query(_quantile(0.5, "service"), "p50 {{service}}"),
            Query(_quantile(0.95, "service"), "p95 {{service}}"),
            Query(_quantile(0.99, "service"), "p99 {{service}}", exemplar=True),
            limits=[Limit(0.5)],
        )
    )
    board.add(
        number(
            "Current request rate",
            "Requests per second over all chosen services.",
            "reqps",
            Query(f"sum({_ALL})"),
            limits=[Limit(5_000, YELLOW), Limit(10_000)],
        ),
        width=6,
        height=6,
    )
    board.add(
        number(
            "Error budget remaining",
            f"What is left of the errors that an objective of {OBJECTIVE:.1%} allows in the chosen time range. "
            "Below 0 % the objective is missed.",
            "percentunit",
            Query(
                f"1 - (({_FAILED_IN_RANGE} or 0 * {_TOTAL_IN_RANGE}) / {_TOTAL_IN_RANGE}) / (1 - {OBJECTIVE})",
            ),
            limits=[Limit(0.25, ORANGE), Limit(0.5, YELLOW), Limit(0.75, GREEN)],
            base=RED,
        ),
        width=6,
        height=6,
    )
    board.add(
        listing(
            "Slowest endpoints",
            "The ten routes with the highest 95th percentile. Routes without requests are left out.",
            "s",
            Query(f"topk(10, {_quantile(0.95, 'service, route')} > 0)"),
            columns=["service", "route"],
            value="p95",
            limits=[Limit(0.5, YELLOW), Limit(1)],
        ),
        width=12,
        height=6,
    )
    return board.build()
