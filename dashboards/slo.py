"""What services promise: how much of each error budget is left, and how fast it burns.

The series are recorded by the stack from `objectives:` of each service; see docs/guide/stack-file.md.
"""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, listing
from dashboards.style import BLUE, ORANGE, RED, SERVICE, YELLOW, Limit, Link, Query

UID = "slo"
TITLE = "Service level objectives"
FOLDER = "Services"
NEEDS = frozenset({"slo"})
ONE_OF: frozenset[str] = frozenset()

_CHOSEN = f'{SERVICE}, slo=~"$slo"'
_DETAIL = Link("Signals of this service", "golden-signals")
_SCARCE = [Limit(0.25, ORANGE, below=True), Limit(0.5, YELLOW, below=True)]


def _used(window: str, days: str) -> str:
    """The share of the whole budget that the errors of one window used up. `days` is the window's length."""
    return (
        f"slo:sli_error:ratio_rate{window}{{{_CHOSEN}}}"
        f" / (slo:error_budget:ratio{{{_CHOSEN}}} * slo:period:days{{{_CHOSEN}}} / {days})"
    )


def _budgets(board: Board) -> None:
    spent = board.limit("SLOErrorBudgetExhausted", rest=True, below=True)
    board.row("Error budgets")
    board.add(
        bars(
            "Error budget remaining",
            "Share of the errors allowed in the objective's window that is still to be spent. Below 0 % it is missed.",
            "percentunit",
            Query(f"slo:error_budget_remaining:ratio{{{_CHOSEN}}}", "{{service}} {{slo}}"),
            [spent, *_SCARCE],
            most=1,
        ),
        width=10,
    )
    board.add(
        graph(
            "Error budget over time",
            "The same over time: a fall is an incident, a rise is one that leaves the window.",
            "percentunit",
            Query(f"slo:error_budget_remaining:ratio{{{_CHOSEN}}}", "{{service}} {{slo}}"),
            limits=[spent],
            least=None,
            most=1,
        ),
        width=14,
    )
    board.add(
        listing(
            "Objectives",
            "The share of requests that each service promises to answer without failure (availability) or in time "
            "(latency).",
            "percentunit",
            Query(f"slo:objective:ratio{{{_CHOSEN}}}"),
            columns=["service", "team", "slo"],
            value="objective",
            base=BLUE,
            ascending=True,
        ),
        width=12,
        height=6,
    )
    board.add(
        listing(
            "Reached",
            "The share that it reached, over its objective's window.",
            "percentunit",
            Query(f"1 - slo:sli_error:ratio_period{{{_CHOSEN}}}"),
            columns=["service", "team", "slo"],
            value="reached",
            base=BLUE,
            ascending=True,
        ),
        width=12,
        height=6,
    )


def _rates(board: Board) -> None:
    board.row("How fast the budget is used")
    for window, days, alert, colour in (
        ("1h", "(1 / 24)", "SLOBurnRateHigh", RED),
        ("6h", "(6 / 24)", "SLOBurnRateHigh", RED),
        ("1d", "1", "SLOBurnRateElevated", ORANGE),
        ("3d", "3", "SLOBurnRateElevated", ORANGE),
    ):
        board.add(
            graph(
                f"Budget used in {window}",
                f"Share of the whole error budget that the last {window} used up. Few errors in all do not count. "
                "The link needs http.",
                "percentunit",
                Query(_used(window, days), "{{service}} {{slo}}"),
                limits=[board.limit(alert, colour, f"share_{window}")],
                link=_DETAIL,
            ),
            width=6,
        )


def _requests(board: Board) -> None:
    board.row("Requests that count")
    board.add(
        graph(
            "Failed or late requests",
            "Share of requests that missed their objective, over 5 minutes. The link needs http.",
            "percentunit",
            Query(f"slo:sli_error:ratio_rate5m{{{_CHOSEN}}}", "{{service}} {{slo}}"),
            link=_DETAIL,
        ),
        width=12,
    )
    board.add(
        graph(
            "Requests",
            "Requests per second that are measured. With few of them, one failure is a large share.",
            "reqps",
            Query(f"slo:requests:rate5m{{{_CHOSEN}}}", "{{service}} {{slo}}"),
        ),
        width=12,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Error budgets and how fast they burn.", limits, ["services"])
    board.services("slo:objective:ratio")
    board.filter("slo", "Objective", "What is promised.", "slo:objective:ratio", SERVICE)
    for part in (_budgets, _rates, _requests):
        part(board)
    return board.build()
