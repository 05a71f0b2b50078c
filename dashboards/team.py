"""One team's services: what fires for it, and rate, errors, duration, error budgets and series of each of them.

Provisioned once for each team, in a folder of the team's name, with the team chosen.
"""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, listing, number
from dashboards.style import BLUE, ORANGE, RED, YELLOW, Limit, Link, Query

UID = "team"
TITLE = "Team"
FOLDER = "Teams"
NEEDS = frozenset({"services"})
ONE_OF: frozenset[str] = frozenset()

_TEAM = 'team=~"$team", environment=~"$environment"'
_CHOSEN = f'service!="", {_TEAM}'
_SIGNALS = Link("Signals of this service", "golden-signals")
_FURTHER = "Services that expose no http metrics are left out."
_PROMISED = "Services without objectives are left out."


def _now(board: Board) -> None:
    firing = f'ALERTS{{alertstate="firing", severity!="none", {_TEAM}}}'
    board.row("Now")
    for title, severities, limit in (
        ("Critical", "emergency|critical", Limit(1)),
        ("Warnings", "warning", Limit(1, ORANGE)),
    ):
        board.add(
            number(
                title,
                f"Alerts of severity {severities.replace('|', ' or ')} that are firing.",
                "short",
                Query(f'count(ALERTS{{alertstate="firing", severity=~"{severities}", {_TEAM}}}) or vector(0)'),
                [limit],
            ),
            width=6,
            height=4,
        )
    board.add(
        number(
            "Instances down",
            "Instances of the team's services that did not answer the last scrape.",
            "short",
            Query(f"count(up{{{_CHOSEN}}} == 0) or vector(0)"),
            [Limit(1)],
        ),
        width=6,
        height=4,
    )
    board.add(
        number(
            "Services",
            "Services that the team has in the stack file.",
            "short",
            Query(f"count(service:series_budget:count{{{_TEAM}}})"),
            base=BLUE,
        ),
        width=6,
        height=4,
    )
    board.add(
        listing(
            "Firing",
            "Every alert that is firing for the team. Its runbook is linked in the notification.",
            "short",
            Query(f"sum by (severity, alertname, category, service, instance) ({firing})"),
            columns=["severity", "alertname", "category", "service", "instance"],
            value="alerts",
        ),
        width=24,
        height=7,
    )


def _services(board: Board) -> None:
    board.row("Services")
    board.add(
        graph(
            "Requests by service",
            f"Requests per second that each service answered. {_FURTHER}",
            "reqps",
            Query(f"service:http_requests:rate5m{{{_TEAM}}}", "{{service}}"),
            link=_SIGNALS,
        )
    )
    board.add(
        graph(
            "Errors by service",
            f"Share of requests that ended with a server error. {_FURTHER}",
            "percentunit",
            Query(f"service:http_requests_failed:ratio_rate5m{{{_TEAM}}}", "{{service}}"),
            limits=[board.limit("APIHighErrorRate")],
            link=_SIGNALS,
        )
    )
    board.add(
        graph(
            "95th percentile by service",
            f"Time within which 95 % of requests were answered. {_FURTHER}",
            "s",
            Query(f"service:http_request_duration_seconds:p95_rate5m{{{_TEAM}}}", "{{service}}"),
            limits=[board.limit("APIHighLatency")],
            link=_SIGNALS,
        )
    )
    board.add(
        bars(
            "Error budget remaining",
            "Share of the errors allowed in the objective's window that is still to be spent. Below 0 % it is missed. "
            f"{_PROMISED}",
            "percentunit",
            Query(f"slo:error_budget_remaining:ratio{{{_TEAM}}}", "{{service}} {{slo}}"),
            [
                board.limit("SLOErrorBudgetExhausted", rest=True, below=True),
                Limit(0.25, ORANGE, below=True),
                Limit(0.5, YELLOW, below=True),
            ],
            most=1,
        )
    )
    board.add(
        graph(
            "Instances that answer",
            "Share of a service's instances that answered the last scrape.",
            "percentunit",
            Query(f"avg by (service, team) (up{{{_CHOSEN}}})", "{{service}}"),
            limits=[board.limit("APILowAvailability", below=True)],
            most=1,
        )
    )
    board.add(
        bars(
            "Series against budget",
            "Series of all instances of a service, as a share of its series_budget in the stack file.",
            "percentunit",
            Query(f"service:series_budget_used:ratio{{{_TEAM}}}", "{{service}}"),
            [board.limit("ServiceSeriesNearBudget", ORANGE), Limit(1, RED, "ServiceSeriesOverBudget")],
            most=1,
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "What fires for a team, and how each of its services does.", limits, ["services"])
    seen = "service:series_budget:count"
    board.filter("environment", "Environment", "Where the service runs.", seen)
    board.filter("team", "Team", "Whose services.", seen, 'environment=~"$environment"')
    board.starts(f"process_start_time_seconds{{{_CHOSEN}}}", "service")
    for part in (_now, _services):
        part(board)
    return board.build()
