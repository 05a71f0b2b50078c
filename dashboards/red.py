"""RED: rate, errors and duration of every service side by side, each leading to its own overview."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, listing, number, spread
from dashboards.requests import BUCKETS, ERROR_RATIO, FAILED, P50, P95, REQUESTS, quantile, requests
from dashboards.style import BLUE, SERVICE, Link, Query, share

UID = "red"
TITLE = "RED metrics"
FOLDER = "Services"
NEEDS = frozenset({"http"})
ONE_OF: frozenset[str] = frozenset()

_DETAIL = Link("API overview of this service", "api-overview")


def _glance(board: Board) -> None:
    board.row("At a glance")
    errors, slow = board.limit("APIHighErrorRate"), board.limit("APIHighLatency")
    board.add(
        number("Requests", "Requests per second over all chosen services.", "reqps", Query(f"sum({REQUESTS})")),
        width=4,
        height=5,
    )
    board.add(
        number(
            "Errors",
            "Share of all requests that ended with a server error.",
            "percentunit",
            Query(f"sum({FAILED}) / (sum({REQUESTS}) > 0)"),
            [errors],
        ),
        width=4,
        height=5,
    )
    board.add(
        number(
            "95th percentile",
            "Time within which 95 % of all requests were answered.",
            "s",
            Query(quantile(0.95)),
            [slow],
        ),
        width=4,
        height=5,
    )
    board.add(
        bars(
            "Errors by service",
            "Share of requests that ended with a server error. A bar leads to the service.",
            "percentunit",
            Query(ERROR_RATIO, "{{service}}"),
            [errors],
            link=_DETAIL,
        ),
        width=6,
        height=5,
    )
    board.add(
        bars(
            "95th percentile by service",
            "Time within which 95 % of requests were answered. A bar leads to the service.",
            "s",
            Query(P95, "{{service}}"),
            [slow],
            link=_DETAIL,
        ),
        width=6,
        height=5,
    )


def _rate(board: Board) -> None:
    board.row("Rate")
    board.add(
        graph(
            "Requests by service",
            "Requests per second that a service answered.",
            "reqps",
            Query(REQUESTS, "{{service}}"),
            limits=[board.limit("HighRequestRate")],
            link=_DETAIL,
        )
    )
    board.add(
        graph(
            "Requests by status",
            "Requests per second by the status that answered them.",
            "reqps",
            Query(requests("status_code"), "{{status_code}}"),
            stacked=True,
        )
    )
    board.add(
        bars(
            "Busiest routes",
            "The ten routes with the most requests per second.",
            "reqps",
            Query(f"topk(10, service_route:http_requests:rate5m{{{SERVICE}}} > 0)", "{{service}} {{route}}"),
            base=BLUE,
        )
    )


def _errors(board: Board) -> None:
    board.row("Errors")
    board.add(
        graph(
            "Server errors by service",
            "Share of requests that ended with a server error (5xx). A service without errors is at 0, not absent.",
            "percentunit",
            Query(ERROR_RATIO, "{{service}}"),
            limits=[board.limit("APIHighErrorRate")],
            link=_DETAIL,
        )
    )
    board.add(
        graph(
            "Client errors by service",
            "Share of requests that were refused (4xx): wrong, unauthorised or too many.",
            "percentunit",
            Query(share(requests("service", f'{SERVICE}, status_code=~"4.."'), requests("service")), "{{service}}"),
            link=_DETAIL,
        )
    )
    board.add(
        listing(
            "Routes with errors",
            "The ten routes with the largest share of server errors; without errors there is none.",
            "percentunit",
            Query(f"topk(10, service_route:http_requests_failed:ratio_rate5m{{{SERVICE}}} > 0)"),
            columns=["service", "route"],
            value="errors",
            limits=[board.limit("High5xxErrorRate")],
            link=_DETAIL,
        )
    )


def _duration(board: Board) -> None:
    board.row("Duration")
    board.add(
        graph(
            "95th percentile over time",
            "Time within which 95 % of requests were answered. A dot is a request and leads to its trace.",
            "s",
            Query(quantile(0.95, "service"), "{{service}}", exemplar=True),
            limits=[board.limit("APIHighLatency")],
            link=_DETAIL,
        )
    )
    board.add(
        graph(
            "Median over time",
            "Time within which half of the requests were answered.",
            "s",
            Query(P50, "{{service}}"),
            link=_DETAIL,
        )
    )
    board.add(
        spread(
            "Where requests spend their time",
            "Requests per second by the time that they took: two bands are two kinds of requests, or two fates.",
            "s",
            Query(f"sum by (le) ({BUCKETS})"),
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Rate, errors and duration of all services side by side.", limits, ["services"])
    board.services("http_requests_total")
    for part in (_glance, _rate, _errors, _duration):
        part(board)
    return board.build()
