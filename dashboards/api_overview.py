"""The services that answer over HTTP, in six panels: how much, how often wrongly, how fast, and what is left of the
error budget."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import dial, graph, listing, number
from dashboards.requests import ERROR_RATIO, P50, P95, REQUESTS, quantile
from dashboards.style import ORANGE, RED, SERVICE, YELLOW, Limit, Query

UID = "api-overview"
TITLE = "API overview"
FOLDER = "Services"
NEEDS = frozenset({"http"})
ONE_OF: frozenset[str] = frozenset()

OBJECTIVE = 0.999
"""Share of requests that have to end without a server error, for services without an objective of their own."""

_TOTAL_IN_RANGE = f"sum(increase(http_requests_total{{{SERVICE}}}[$__range]))"
_FAILED_IN_RANGE = f'sum(increase(http_requests_total{{{SERVICE}, status_code=~"5.."}}[$__range]))'
_PROMISED = f'min(slo:error_budget_remaining:ratio{{{SERVICE}, slo="availability"}})'
_ASSUMED = f"1 - (({_FAILED_IN_RANGE} or 0 * {_TOTAL_IN_RANGE}) / {_TOTAL_IN_RANGE}) / (1 - {OBJECTIVE})"


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Rate, errors and duration of HTTP requests, by service.", limits, ["services"])
    board.services("http_requests_total")
    high_rate, slow = board.limit("HighRequestRate"), board.limit("APIHighLatency")
    board.row("Requests")
    board.add(
        graph(
            "Request rate",
            "Requests per second that a service answered.",
            "reqps",
            Query(REQUESTS, "{{service}}"),
            limits=[high_rate],
        )
    )
    board.add(
        graph(
            "Error rate",
            "Share of requests answered with a server error (5xx). A service without errors is at 0, not absent.",
            "percentunit",
            Query(ERROR_RATIO, "{{service}}"),
            limits=[board.limit("APIHighErrorRate")],
        )
    )
    board.add(
        graph(
            "Response time",
            "Time within which 50, 95 and 99 % of requests were answered. A dot is a request and leads to its trace.",
            "s",
            Query(P50, "p50 {{service}}"),
            Query(P95, "p95 {{service}}"),
            Query(quantile(0.99, "service"), "p99 {{service}}", exemplar=True),
            limits=[slow],
        )
    )
    board.add(
        number(
            "Current request rate",
            "Requests per second over all chosen services.",
            "reqps",
            Query(f"sum({REQUESTS})"),
        ),
        width=6,
        height=6,
    )
    board.add(
        dial(
            "Error budget remaining",
            "What is left of the errors that the chosen services may make: the least of those with an availability "
            f"objective in the stack file, over its window; without any, of {1 - OBJECTIVE:.1%} of the requests in the "
            "chosen time range. Below 0 % the objective is missed.",
            "percentunit",
            Query(f"{_PROMISED} or {_ASSUMED}"),
            limits=[Limit(0.25, RED, below=True), Limit(0.5, ORANGE, below=True), Limit(0.75, YELLOW, below=True)],
        ),
        width=6,
        height=6,
    )
    board.add(
        listing(
            "Slowest endpoints",
            "The ten routes with the highest 95th percentile. Routes without requests are left out.",
            "s",
            Query(f"topk(10, service_route:http_request_duration_seconds:p95_rate5m{{{SERVICE}}} > 0)"),
            columns=["service", "route"],
            value="p95",
            limits=[board.limit("HighResponseTime")],
        ),
        width=12,
        height=6,
    )
    return board.build()
