"""The services that the stack file names: are they scraped, do they expose what they declare, how many series."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, listing, number, timeline
from dashboards.style import BLUE, GREEN, ORANGE, RED, SERVICE, Limit, Query, rate

UID = "services"
TITLE = "Onboarded services"
FOLDER = "Services"
NEEDS = frozenset({"services"})
ONE_OF: frozenset[str] = frozenset()

_CHOSEN = f'service!="", {SERVICE}'
_ANSWERING = f"avg by (service) (up{{{_CHOSEN}}})"
_BUDGET = f"service:series_budget:count{{{SERVICE}}}"
_USED = f"service:series_budget_used:ratio{{{SERVICE}}}"


def _scraped(board: Board) -> None:
    board.row("Are they scraped")
    board.add(
        number("Services", "Services that the stack file names.", "short", Query(f"count({_BUDGET})"), base=BLUE),
        width=4,
        height=4,
    )
    board.add(
        number(
            "Instances up",
            "Instances that answered the last scrape.",
            "short",
            Query(f"sum(up{{{_CHOSEN}}})"),
            [Limit(1, GREEN)],
            base=RED,
        ),
        width=4,
        height=4,
    )
    board.add(
        number(
            "Instances down",
            "Instances that did not answer the last scrape.",
            "short",
            Query(f"count(up{{{_CHOSEN}}} == 0) or vector(0)"),
            [Limit(1)],
        ),
        width=4,
        height=4,
    )
    board.add(
        number(
            "Without any instance",
            "Services for which no target is found at all.",
            "short",
            Query(f"count({_BUDGET} unless on (service) up{{{_CHOSEN}}}) or vector(0)"),
            [Limit(1)],
        ),
        width=4,
        height=4,
    )
    board.add(
        number(
            "Metrics missing",
            "Metrics that a service declares and that have no series.",
            "short",
            Query(f"count(service:metric_missing:count{{{SERVICE}}}) or vector(0)"),
            [Limit(1, ORANGE)],
        ),
        width=4,
        height=4,
    )
    board.add(
        number(
            "Series",
            "Series of all chosen services together.",
            "short",
            Query(f"sum(service:series:count{{{SERVICE}}})"),
            base=BLUE,
        ),
        width=4,
        height=4,
    )
    board.add(
        timeline(
            "Course",
            "Green while all instances of a service answer, orange while some do, red while none does.",
            Query(f"ceil({_ANSWERING}) + floor({_ANSWERING})", "{{service}}"),
            {2: ("all answer", GREEN), 1: ("some answer", ORANGE), 0: ("none answers", RED)},
        ),
        width=12,
    )
    board.add(
        listing(
            "Metrics that are missing",
            "Declared, but without a series; empty while each service exposes what it declares.",
            "short",
            Query(f"service:metric_missing:count{{{SERVICE}}}"),
            columns=["service", "team", "metric"],
            value="missing",
            limits=[Limit(1, ORANGE)],
        ),
        width=12,
    )


def _series(board: Board) -> None:
    near = board.limit("ServiceSeriesNearBudget", ORANGE)
    over = Limit(1, RED, "ServiceSeriesOverBudget")
    board.row("Series against budget")
    board.add(
        bars(
            "Budget used",
            "Series of all instances of a service, as a share of its series_budget in the stack file.",
            "percentunit",
            Query(_USED, "{{service}}"),
            [near, over],
            most=1,
        )
    )
    board.add(
        graph(
            "Budget used over time",
            "Series as a share of the budget. Steady growth points to a label with ever new values.",
            "percentunit",
            Query(_USED, "{{service}}"),
            limits=[near, over],
        )
    )
    board.add(
        graph(
            "New series",
            "Series that scrapes saw for the first time in 2 hours, as a multiple of the budget.",
            "short",
            Query(
                f"sum by (service, team) (sum_over_time(scrape_series_added{{{_CHOSEN}}}[2h])) / {_BUDGET}",
                "{{service}}",
            ),
            limits=[board.limit("ServiceSeriesChurning")],
        )
    )


def _effort(board: Board) -> None:
    board.row("Scrapes and processes")
    board.add(
        graph(
            "Instances that answer",
            "Share of a service's instances that answered the last scrape.",
            "percentunit",
            Query(f"avg by (service, team) (up{{{_CHOSEN}}})", "{{service}}"),
            limits=[board.limit("APILowAvailability", below=True)],
            most=1,
        ),
        width=6,
    )
    board.add(
        graph(
            "Scrape duration",
            "Of the slowest instance. A scrape that takes longer than its timeout is lost.",
            "s",
            Query(f"max by (service) (scrape_duration_seconds{{{_CHOSEN}}})", "{{service}}"),
            limits=[board.limit("ServiceScrapeSlow")],
        ),
        width=6,
    )
    board.add(
        graph(
            "Memory of processes",
            "Resident memory of all instances of a service that tell it.",
            "bytes",
            Query(f"sum by (service) (process_resident_memory_bytes{{{_CHOSEN}}})", "{{service}}"),
        ),
        width=6,
    )
    board.add(
        graph(
            "Processor time of processes",
            "Processors that all instances of a service keep busy, of those that tell it.",
            "short",
            Query(f"sum by (service) ({rate('process_cpu_seconds_total', _CHOSEN)})", "{{service}}"),
        ),
        width=6,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(
        UID, TITLE, "Whether your services are scraped, expose what they declare and stay in budget.", limits, ["stack"]
    )
    board.services("service:series_budget:count")
    for part in (_scraped, _series, _effort):
        part(board)
    return board.build()
