"""Cortex: does it take all samples, do its blocks get where they are kept, and how are queries answered."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import graph, number
from dashboards.style import GREEN, RED, Limit, Query, rate, share

UID = "observatory-cortex"
TITLE = "Cortex"
FOLDER = "Observatory"
NEEDS: frozenset[str] = frozenset({"cortex"})
ONE_OF: frozenset[str] = frozenset()

_OWN = 'job="cortex", environment=~"$environment"'
_PUSHES = f'{_OWN}, route="api_v1_push"'
_QUERIES = f'{_OWN}, route=~"prometheus_api_v1_query(_range)?"'


def _health(board: Board) -> None:
    board.row("Health")
    for title, description, unit, expr, limits, base in (
        ("Up", "Whether it answered the last scrape.", "short", f"min(up{{{_OWN}}})", [Limit(1, GREEN)], RED),
        ("Series", "In its memory.", "short", f"sum(cortex_ingester_memory_series{{{_OWN}}})", [], GREEN),
        (
            "Samples",
            "Taken per second.",
            "cps",
            f"sum({rate('cortex_ingester_ingested_samples_total', _OWN)})",
            [],
            GREEN,
        ),
        (
            "Last compaction",
            "Time since the compactor ended a round well.",
            "s",
            f"max(time() - (cortex_compactor_last_successful_run_timestamp_seconds{{{_OWN}}} > 0))",
            [],
            GREEN,
        ),
    ):
        board.add(number(title, description, unit, Query(expr), limits, base), width=6, height=4)


def _intake(board: Board) -> None:
    board.row("What it takes")
    board.add(
        graph(
            "Series made anew and gone",
            "Per second, in its memory; those without a sample go about two hours later.",
            "cps",
            Query(
                f"sum by (instance) ({rate('cortex_ingester_memory_series_created_total', _OWN)})", "{{instance}} new"
            ),
            Query(
                f"sum by (instance) ({rate('cortex_ingester_memory_series_removed_total', _OWN)})", "{{instance}} gone"
            ),
        )
    )
    board.add(
        graph(
            "Refused",
            "Samples per second, by reason. Those that are `rate_limited` come again, others do not. The ingester's "
            "reasons, among them the limit of series, are in the log.",
            "cps",
            Query(
                f"sum by (instance, reason) ({rate('cortex_discarded_samples_total', _OWN)})", "{{instance}} {{reason}}"
            ),
            Query(
                f"sum by (instance) ({rate('cortex_ingester_ingested_samples_failures_total', _OWN)})",
                "{{instance}} ingester",
            ),
        )
    )
    every = f"sum by (instance) ({rate('cortex_request_duration_seconds_count', _PUSHES)})"
    pushes = f'{_PUSHES}, status_code=~"5.."'
    failed = f"sum by (instance) ({rate('cortex_request_duration_seconds_count', pushes)})"
    board.add(
        graph(
            "Writes that fail",
            "Share of Prometheus' requests that fail on its side; they come again.",
            "percentunit",
            Query(share(failed, every), "{{instance}}"),
            limits=[board.limit("CortexWriteErrors")],
        )
    )


def _blocks(board: Board) -> None:
    board.row("What it keeps")
    oldest = f"cortex_ingester_oldest_unshipped_block_timestamp_seconds{{{_OWN}}}"
    board.add(
        graph(
            "Oldest block that is not kept yet",
            "Its age. Blocks are made every two hours and go to the bucket or folder within a minute.",
            "s",
            Query(f"time() - ({oldest} > 0)", "{{instance}}"),
            limits=[board.limit("CortexBlocksNotShipped")],
        )
    )
    board.add(
        graph(
            "Blocks",
            "Put into the bucket or folder in 60 minutes, and those that could not be.",
            "short",
            Query(f"increase(cortex_ingester_shipper_uploads_total{{{_OWN}}}[60m])", "{{instance}} kept"),
            Query(f"increase(cortex_ingester_shipper_upload_failures_total{{{_OWN}}}[60m])", "{{instance}} failed"),
        )
    )
    board.add(
        graph(
            "Disk",
            "Writes to its log and blocks that failed in 15 minutes.",
            "short",
            Query(f"increase(cortex_ingester_tsdb_wal_writes_failed_total{{{_OWN}}}[15m])", "{{instance}} log"),
            Query(f"increase(cortex_ingester_tsdb_compactions_failed_total{{{_OWN}}}[15m])", "{{instance}} blocks"),
        )
    )
    board.add(
        graph(
            "Compactor",
            "Rounds in 60 minutes. It merges blocks and deletes those that are too old.",
            "short",
            Query(f"increase(cortex_compactor_runs_completed_total{{{_OWN}}}[60m])", "{{instance}} well"),
            Query(f"increase(cortex_compactor_runs_failed_total{{{_OWN}}}[60m])", "{{instance}} failed"),
        )
    )


def _queries(board: Board) -> None:
    board.row("Queries")
    name = "cortex_request_duration_seconds"
    asked = f"sum by (route) ({rate(f'{name}_count', _QUERIES)})"
    wrong = f'{_QUERIES}, status_code=~"5.."'
    board.add(graph("Requests", "What it is asked, by kind.", "reqps", Query(asked, "{{route}}")))
    board.add(
        graph(
            "Failed",
            "Share of requests that fail, by kind.",
            "percentunit",
            Query(share(f"sum by (route) ({rate(f'{name}_count', wrong)})", asked), "{{route}}"),
            limits=[board.limit("CortexQueryErrors")],
        )
    )
    slow = f"histogram_quantile(0.99, sum by (le, route) ({rate(f'{name}_bucket', _QUERIES)}))"
    board.add(
        graph(
            "Duration",
            "Time in which 99 of 100 requests are answered, by kind.",
            "s",
            Query(slow, "{{route}}"),
            limits=[board.limit("CortexQuerySlow")],
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "The samples that Cortex takes and keeps, and the queries that it answers.", limits)
    board.filter("environment", "Environment", "The environment that is monitored.", "up", 'job="cortex"')
    for part in (_health, _intake, _blocks, _queries):
        part(board)
    return board.build()
