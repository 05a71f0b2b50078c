"""VictoriaMetrics, one node or a cluster: does it take all samples, has it room for them, how are queries answered."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import graph, number
from dashboards.style import GREEN, RED, Limit, Query, rate, share

UID = "observatory-victoria-metrics"
TITLE = "VictoriaMetrics"
FOLDER = "Observatory"
NEEDS: frozenset[str] = frozenset({"victoria-metrics"})
ONE_OF: frozenset[str] = frozenset()

_ENV = 'environment=~"$environment"'
_OWN = f'job=~"victoria-metrics|vmstorage", {_ENV}'
_QUERIES = f'job=~"victoria-metrics|vmselect", path=~".*/api/v1/query(_range)?", {_ENV}'


def _health(board: Board) -> None:
    board.row("Health")
    for title, description, unit, expr, limits, base in (
        ("Up", "Whether it answered the last scrape.", "short", f"min(up{{{_OWN}}})", [Limit(1, GREEN)], RED),
        (
            "Read-only",
            "1 where it takes no samples, because its disk is full.",
            "short",
            f"max(vm_storage_is_read_only{{{_OWN}}})",
            [Limit(1)],
            GREEN,
        ),
        (
            "Active series",
            "Series with a sample in the last hour.",
            "short",
            f'sum(vm_cache_entries{{{_OWN}, type="storage/hour_metric_ids"}})',
            [],
            GREEN,
        ),
        ("Size", "Of all data on the disk.", "bytes", f"sum(vm_data_size_bytes{{{_OWN}}})", [], GREEN),
        (
            "Bytes for each sample",
            "On the disk, the index too.",
            "bytes",
            f'sum(vm_data_size_bytes{{{_OWN}}}) / sum(vm_rows{{{_OWN}, type=~"storage/.+"}})',
            [],
            GREEN,
        ),
    ):
        board.add(number(title, description, unit, Query(expr), limits, base), width=4, height=4)


def _disk(board: Board) -> None:
    board.row("What it takes and keeps")
    added, slow = (
        f"sum by (instance) ({rate(f'vm_{name}', _OWN)})"
        for name in ("rows_added_to_storage_total", "slow_row_inserts_total")
    )
    board.add(graph("Samples", "Taken per second.", "cps", Query(added, "{{instance}}")))
    board.add(
        graph(
            "Series made anew",
            "Per second; many of them take memory and disk.",
            "cps",
            Query(f"sum by (instance) ({rate('vm_new_timeseries_created_total', _OWN)})", "{{instance}}"),
        )
    )
    board.add(
        graph(
            "Slow inserts",
            "Share of samples whose series is not in memory; new series are so once.",
            "percentunit",
            Query(share(slow, added), "{{instance}}"),
            limits=[board.limit("VictoriaMetricsSlowInserts")],
        )
    )
    board.add(
        graph(
            "Dropped",
            "Samples that it takes no part of, by reason.",
            "cps",
            Query(f"sum by (instance, reason) ({rate('vm_rows_ignored_total', _OWN)})", "{{instance}} {{reason}}"),
        )
    )
    board.add(
        graph(
            "Disk that is free",
            "Share of its disk.",
            "percentunit",
            Query(f"vm_free_disk_space_bytes{{{_OWN}}} / vm_total_disk_space_bytes{{{_OWN}}}", "{{instance}}"),
            limits=[board.limit("VictoriaMetricsDiskSpaceLow")],
        )
    )
    board.add(
        graph(
            "Size by kind",
            "Of the data by kind: samples by age of their parts, and the index.",
            "bytes",
            Query(f"sum by (type) (vm_data_size_bytes{{{_OWN}}})", "{{type}}"),
        )
    )


def _queries(board: Board) -> None:
    board.row("Queries")
    asked = f"sum by (path) ({rate('vm_http_requests_total', _QUERIES)})"
    failed = f"sum by (path) ({rate('vm_http_request_errors_total', _QUERIES)})"
    board.add(graph("Requests", "What it is asked, by kind.", "reqps", Query(asked, "{{path}}")))
    board.add(
        graph(
            "Failed",
            "Share of requests that fail, by kind.",
            "percentunit",
            Query(share(failed, asked), "{{path}}"),
            limits=[board.limit("VictoriaMetricsQueryErrors")],
        )
    )
    board.add(
        graph(
            "Duration",
            "Time in which 99 of 100 requests are answered, by kind.",
            "s",
            Query(f'max by (path) (vm_request_duration_seconds{{{_QUERIES}, quantile="0.99"}})', "{{path}}"),
            limits=[board.limit("VictoriaMetricsQuerySlow")],
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(
        UID, TITLE, "The samples that VictoriaMetrics takes and keeps, and the queries that it answers.", limits
    )
    board.filter(
        "environment", "Environment", "The environment that is monitored.", "up", 'job=~"victoria-metrics|vmstorage"'
    )
    for part in (_health, _disk, _queries):
        part(board)
    return board.build()
