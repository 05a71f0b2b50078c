"""All alerts at a glance: what fires now, for whom, since when, and whether notifications arrive."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, listing, number, timeline
from dashboards.style import GREEN, ORANGE, RED, YELLOW, Limit, Query, rate

UID = "alerts"
TITLE = "Alerts"
FOLDER = "Observatory"
NEEDS = frozenset({"alertmanager"})
ONE_OF: frozenset[str] = frozenset()

_ENV = 'environment=~"$environment"'
_CHOSEN = f'severity!="none", severity=~"$severity", team=~"$team", category=~"$category", {_ENV}'
_FIRING = f'ALERTS{{alertstate="firing", {_CHOSEN}}}'
_ALERTMANAGER = f'job="alertmanager", {_ENV}'


def _firing(severity: str) -> str:
    return f'ALERTS{{alertstate="firing", severity="{severity}", {_CHOSEN}}}'


def _now(board: Board) -> None:
    board.row("Now")
    for severity, limit in (("emergency", Limit(1)), ("critical", Limit(1)), ("warning", Limit(1, ORANGE))):
        board.add(
            number(
                severity.capitalize(),
                f"Alerts of severity {severity} that are firing.",
                "short",
                Query(f"count({_firing(severity)}) or vector(0)"),
                [limit],
            ),
            width=4,
            height=4,
        )
    board.add(
        number(
            "Pending",
            "Alerts whose condition holds, but not yet for long enough.",
            "short",
            Query(f'count(ALERTS{{alertstate="pending", {_CHOSEN}}}) or vector(0)'),
            [Limit(1, YELLOW)],
        ),
        width=4,
        height=4,
    )
    board.add(
        number(
            "Silenced or inhibited",
            "Alerts that Alertmanager holds and tells nobody: somebody silenced them, or a graver one speaks for them.",
            "short",
            Query(f'max(alertmanager_alerts{{state="suppressed", {_ALERTMANAGER}}})'),  # replicas hold the same
            [Limit(1, YELLOW)],
        ),
        width=4,
        height=4,
    )
    board.add(
        number(
            "Dead man's switch",
            "1 while the alert that always fires does so; 0 means that rules are not evaluated.",
            "short",
            Query(f'count(ALERTS{{alertname="Watchdog", alertstate="firing", {_ENV}}}) or vector(0)'),
            [Limit(1, GREEN)],
            base=RED,
        ),
        width=4,
        height=4,
    )
    board.add(
        listing(
            "Firing",
            "Every alert that is firing, by what it fires for. Its runbook is linked in the notification.",
            "short",
            Query(f"sum by (severity, alertname, team, category, service, instance) ({_FIRING})"),
            columns=["severity", "alertname", "team", "category", "service", "instance"],
            value="alerts",
            base=ORANGE,
        ),
        width=24,
    )


def _for_whom(board: Board) -> None:
    board.row("For whom")
    for label in ("team", "category", "severity"):
        board.add(
            bars(
                f"By {label}",
                f"Alerts that are firing, by {label}; empty while none does.",
                "short",
                Query(f"count by ({label}) ({_FIRING})", f"{{{{{label}}}}}"),
                [Limit(1, ORANGE)],
            ),
            height=6,
        )


def _history(board: Board) -> None:
    board.row("History")
    board.add(
        timeline(
            "When they fired",
            "One strip for each alert that fired in the chosen time range.",
            Query(f"max by (alertname) ({_FIRING})", "{{alertname}}"),
            {1: ("firing", RED)},
        ),
        width=12,
        height=10,
    )
    board.add(
        graph(
            "Alerts firing",
            "Alerts that were firing, by severity.",
            "short",
            Query(f"count by (severity) ({_FIRING})", "{{severity}}"),
            stacked=True,
        ),
        width=12,
        height=10,
    )


def _notifications(board: Board) -> None:
    board.row("Notifications")
    board.add(
        graph(
            "Sent",
            "Notifications per second, by kind of channel, whether they arrived or not.",
            "ops",
            Query(
                f"sum by (integration) ({rate('alertmanager_notifications_total', _ALERTMANAGER)})", "{{integration}}"
            ),
        )
    )
    board.add(
        graph(
            "Failed",
            "Share that could not be delivered, by channel, over 15 minutes. Absent while nothing is sent.",
            "percentunit",
            Query(
                f"instance_receiver_integration:alertmanager_notifications_failed:ratio_rate15m{{{_ALERTMANAGER}}}",
                "{{instance}} {{receiver_name}} ({{integration}})",
            ),
            limits=[
                board.limit("AlertmanagerNotificationsFailing", ORANGE),
                board.limit("AlertmanagerIntegrationDown"),
            ],
            most=1,
        )
    )
    took = rate("alertmanager_notification_latency_seconds_bucket", _ALERTMANAGER)
    board.add(
        graph(
            "Time to deliver",
            "Time within which 95 % of notifications were delivered, by kind of channel. Absent while nothing is sent.",
            "s",
            Query(f"histogram_quantile(0.95, sum by (le, integration) ({took}))", "{{integration}}"),
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "What fires, for whom, since when, and whether it is delivered.", limits, ["stack"])
    board.filter("environment", "Environment", "Where the stack runs.", "ALERTS")
    for name, description in (
        ("severity", "How urgent it is."),
        ("team", "Who is told."),
        ("category", "What kind of trouble it is."),
    ):
        board.filter(name, name.capitalize(), description, "ALERTS", _ENV)
    for part in (_now, _for_whom, _history, _notifications):
        part(board)
    return board.build()
