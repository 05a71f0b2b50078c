"""The Concierge service: its API, its widget, its database, and what its users say of it."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import dial, graph, number
from dashboards.style import BLUE, ORANGE, SERVICE, Query, rate

UID = "concierge"
TITLE = "Concierge"
FOLDER = "Business"
NEEDS = frozenset({"concierge"})
ONE_OF: frozenset[str] = frozenset()

_P95 = f"instance:concierge_api_latency_seconds:p95{{{SERVICE}}}"
_ERRORS = f"concierge_api_error_rate{{{SERVICE}}}"


def _now(board: Board) -> None:
    board.row("Now")
    board.add(
        number(
            "API latency",
            "Time within which 95 % of requests to the API were answered, of the slowest instance.",
            "s",
            Query(f"max({_P95})"),
            [board.limit("HighAPILatency", ORANGE), board.limit("CriticalAPILatency")],
        ),
        width=6,
        height=5,
    )
    board.add(
        number(
            "API errors",
            "Share of requests to the API that failed, of the instance with the most.",
            "percentunit",
            Query(f"max({_ERRORS})"),
            [board.limit("HighErrorRate", ORANGE), board.limit("CriticalErrorRate")],
        ),
        width=6,
        height=5,
    )
    board.add(
        number(
            "Widget opens",
            "Widgets that were opened, per second.",
            "ops",
            Query(f"sum(service:concierge_widget_opens:rate5m{{{SERVICE}}})"),
            base=BLUE,
        ),
        width=6,
        height=5,
    )
    board.add(
        dial(
            "Satisfaction",
            "Score of customer satisfaction, 0 to 100, the lowest of all instances.",
            "none",
            Query(f"min(concierge_csat_score{{{SERVICE}}})"),
            [board.limit("ConciergeLowSatisfaction", below=True)],
            most=100,
        ),
        width=6,
        height=5,
    )


def _course(board: Board) -> None:
    failures = f"concierge_database_connection_failures_total{{{SERVICE}}}"
    board.row("Course")
    board.add(
        graph(
            "API latency over time",
            "Time within which half, 95 and 99 % of requests to the API were answered. Half and 99 % only where the "
            "service tells them.",
            "s",
            Query(f"concierge_api_latency_p50{{{SERVICE}}} / 1000", "p50 {{instance}}"),
            Query(_P95, "p95 {{instance}}"),
            Query(f"concierge_api_latency_p99{{{SERVICE}}} / 1000", "p99 {{instance}}"),
            limits=[board.limit("HighAPILatency", ORANGE), board.limit("CriticalAPILatency")],
        ),
        width=12,
    )
    board.add(
        graph(
            "API errors over time",
            "Share of requests to the API that failed.",
            "percentunit",
            Query(_ERRORS, "{{instance}}"),
            limits=[board.limit("HighErrorRate", ORANGE), board.limit("CriticalErrorRate")],
        ),
        width=12,
    )
    board.add(
        graph(
            "Widget opens over time",
            "Widgets that were opened, per second.",
            "ops",
            Query(f"sum by (service) ({rate('concierge_widget_opens_total', SERVICE)})", "{{service}}"),
        )
    )
    board.add(
        graph(
            "Database connections that failed",
            "Attempts to connect to the database that failed in 5 minutes.",
            "short",
            Query(f"sum by (service, team) (increase({failures}[5m]))", "{{service}}"),
            limits=[board.limit("ConciergeDatabaseConnectionFailures")],
        )
    )
    board.add(
        graph(
            "Satisfaction over time",
            "Score of customer satisfaction, 0 to 100.",
            "none",
            Query(f"concierge_csat_score{{{SERVICE}}}", "{{instance}}"),
            limits=[board.limit("ConciergeLowSatisfaction", below=True)],
            most=100,
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "API, widget, database and satisfaction of the Concierge service.", limits, ["business"])
    board.services("concierge_api_latency_p95")
    for part in (_now, _course):
        part(board)
    return board.build()
