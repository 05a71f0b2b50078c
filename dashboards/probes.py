"""What the blackbox exporter sees from outside: who answers, how fast, and how long certificates are still valid."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, listing, number, timeline
from dashboards.style import GREEN, RED, YELLOW, Limit, Query

UID = "probes"
TITLE = "Probes"
FOLDER = "Hosts"
NEEDS = frozenset({"blackbox-exporter"})
ONE_OF: frozenset[str] = frozenset()

_CHOSEN = 'job="probe", probe=~"$probe", environment=~"$environment"'


def _reachability(board: Board) -> None:
    board.row("Who answers")
    board.add(
        number(
            "Answering",
            "Probes that succeed at the moment.",
            "short",
            Query(f"sum(probe_success{{{_CHOSEN}}})"),
            [Limit(1, GREEN)],
            base=RED,
        ),
        width=4,
        height=6,
    )
    board.add(
        number(
            "Failing",
            "Probes that fail at the moment.",
            "short",
            Query(f"count(probe_success{{{_CHOSEN}}} == 0) or vector(0)"),
            [Limit(1)],
        ),
        width=4,
        height=6,
    )
    board.add(
        bars(
            "Succeeded",
            "Share of probes that succeeded in the chosen time range.",
            "percentunit",
            Query(f"avg_over_time(probe_success{{{_CHOSEN}}}[$__range])", "{{probe}} {{instance}}"),
            [Limit(0.99, RED, below=True), Limit(0.999, YELLOW, below=True)],
            most=1,
        ),
        width=8,
        height=6,
    )
    board.add(
        timeline(
            "Course",
            "Green while a probe succeeds, red while it fails.",
            Query(f"probe_success{{{_CHOSEN}}}", "{{probe}} {{instance}}"),
            {1: ("succeeds", GREEN), 0: ("fails", RED)},
        ),
        width=8,
        height=6,
    )


def _duration(board: Board) -> None:
    board.row("How fast")
    board.add(
        graph(
            "Duration",
            "Time that a probe takes, from name resolution to the last byte.",
            "s",
            Query(f"probe_duration_seconds{{{_CHOSEN}}}", "{{probe}} {{instance}}"),
            limits=[board.limit("ProbeSlow")],
        )
    )
    board.add(
        graph(
            "Phases of HTTP probes",
            "What the time goes to, on average over the chosen probes: name resolution, connection, TLS, waiting, "
            "transfer.",
            "s",
            Query(f"avg by (phase) (probe_http_duration_seconds{{{_CHOSEN}}})", "{{phase}}"),
            stacked=True,
        )
    )
    board.add(
        listing(
            "Answers of HTTP probes",
            "The status that each was answered with; 0 is no answer at all.",
            "none",
            Query(f"probe_http_status_code{{{_CHOSEN}}}"),
            columns=["probe", "instance"],
            value="status",
            limits=[Limit(1, GREEN), Limit(400)],
            base=RED,
        )
    )


def _certificates(board: Board) -> None:
    soon = board.limit("CertificateExpiringSoon", YELLOW, below=True)
    critical = board.limit("CertificateExpiryCritical", below=True)
    board.row("Certificates")
    board.add(
        listing(
            "Certificates",
            "Time until the first certificate of the chain expires.",
            "s",
            Query(f"probe_ssl_earliest_cert_expiry{{{_CHOSEN}}} - time()"),
            columns=["probe", "instance"],
            value="expires in",
            ascending=True,
            limits=[critical, soon],
        ),
        width=12,
    )
    board.add(
        graph(
            "Time until a certificate expires",
            "A renewal is a jump upwards; where there is none, the line meets the limit.",
            "s",
            Query(f"probe_ssl_earliest_cert_expiry{{{_CHOSEN}}} - time()", "{{probe}} {{instance}}"),
            limits=[critical, soon],
        ),
        width=12,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Whether and how fast your addresses answer from outside.", limits, ["hosts"])
    board.filter("environment", "Environment", "Where the probe runs.", "probe_success")
    board.filter("probe", "Probe", "Its name in the stack file.", "probe_success", 'environment=~"$environment"')
    for part in (_reachability, _duration, _certificates):
        part(board)
    return board.build()
