"""Logins, attacks, security events, and whether encryption is on."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, number, timeline
from dashboards.style import GREEN, ORANGE, RED, SERVICE, Limit, Query, rate, share

UID = "security"
TITLE = "Security"
FOLDER = "Security"
NEEDS = frozenset({"security"})
ONE_OF: frozenset[str] = frozenset()

_ATTEMPTS = f"sum by (service) ({rate('auth_attempts_total', SERVICE)})"
_FAILED = f'{SERVICE}, result="failure"'
_FAILURES = f"sum by (service) ({rate('auth_attempts_total', _FAILED)})"


def _logins(board: Board) -> None:
    failing, brute = board.limit("HighFailedAuthRate"), board.limit("BruteForceAttack")
    noise = board.limit("BruteForceAttack", parameter="noise").value
    # As the alert adds them up: over instances that see more than mistypes; 0 where none does.
    source = f"auth_failed_attempts_max_per_source{{{SERVICE}}}"
    guesses = f"sum by (service) ({source} > {noise:g}) or 0 * sum by (service) ({source})"
    board.row("Logins")
    board.add(
        number(
            "Failed logins",
            "Share of all attempts to log in that failed.",
            "percentunit",
            Query(share(f"sum({_FAILURES})", f"sum({_ATTEMPTS})")),
            [failing],
        ),
        width=4,
    )
    board.add(
        number(
            "Most from one source",
            "Failed attempts that one source may have made at a service in 5 minutes, at most.",
            "short",
            Query(f"max({guesses})"),
            [brute],
        ),
        width=4,
    )
    board.add(
        graph(
            "Failed logins by service",
            "Share of attempts to log in that failed. A service without failures is at 0.",
            "percentunit",
            Query(f"service:auth_attempts_failed:ratio_rate5m{{{SERVICE}}}", "{{service}}"),
            limits=[failing],
        )
    )
    board.add(
        graph(
            "Failed attempts of one source",
            f"That one source may have made in 5 minutes, over all instances that saw more than {noise:g}.",
            "short",
            Query(guesses, "{{service}}"),
            limits=[brute],
        )
    )
    board.add(
        graph(
            "Attempts",
            "Attempts to log in per second, by way and result.",
            "ops",
            Query(f"sum by (method, result) ({rate('auth_attempts_total', SERVICE)})", "{{method}} {{result}}"),
        ),
        width=12,
    )
    board.add(
        graph(
            "Refused by rate limits",
            "Requests per second that each rate limit of a service refused. Needs rate-limit.",
            "reqps",
            Query(
                f"sum by (service, limit_type) ({rate('rate_limit_hits_total', SERVICE)})",
                "{{service}} {{limit_type}}",
            ),
            limits=[board.limit("HighRateLimitViolations")],
        ),
        width=12,
    )


def _events(board: Board) -> None:
    events = rate("security_events_total", SERVICE)
    board.row("Events and encryption")
    board.add(
        bars(
            "Events by severity",
            "Security events in the chosen time range.",
            "short",
            Query(f"sum by (severity) (increase(security_events_total{{{SERVICE}}}[$__range]))", "{{severity}}"),
            [Limit(1, ORANGE)],
        ),
        width=6,
    )
    board.add(
        graph(
            "Events by type",
            "Events per second that a security control noticed.",
            "ops",
            Query(f"sum by (type) ({events})", "{{type}}"),
            stacked=True,
        ),
        width=10,
    )
    board.add(
        timeline(
            "Encryption",
            "Green while it is on.",
            Query(f"min by (service, component) (encryption_enabled{{{SERVICE}}})", "{{service}} {{component}}"),
            {1: ("on", GREEN), 0: ("off", RED)},
        ),
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Logins, attacks, security events and encryption.", limits, ["security"])
    board.services("auth_attempts_total")
    for part in (_logins, _events):
        part(board)
    return board.build()
