"""Remote write: samples on their way from Prometheus to the database that keeps them for long."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import graph
from dashboards.style import Query, rate, share

UID = "observatory-remote-write"
TITLE = "Remote write"
FOLDER = "Observatory"
NEEDS: frozenset[str] = frozenset({"remote-write"})
ONE_OF: frozenset[str] = frozenset()

_PROMETHEUS = 'job="prometheus", environment=~"$environment"'
_PREFIX = "prometheus_remote_storage_"


def _sum(metric: str) -> str:
    return f"sum by (instance) ({rate(_PREFIX + metric, _PROMETHEUS)})"


def _arriving(board: Board) -> None:
    board.row("Do they arrive")
    highest = f"{_PREFIX}highest_timestamp_in_seconds{{{_PROMETHEUS}}}"
    sent = f"{_PREFIX}queue_highest_sent_timestamp_seconds{{{_PROMETHEUS}}}"
    behind = f"clamp_max({highest} - ignoring (remote_name, url) group_right () {sent}, 7200)"
    board.add(
        graph(
            "Behind",
            "Between the newest sample that each Prometheus has and the newest that has arrived; two hours at most.",
            "s",
            Query(behind, "{{instance}}"),
            limits=[board.limit("PrometheusRemoteWriteBehind")],
        )
    )
    board.add(
        graph(
            "Samples",
            "Sent by each Prometheus, and waiting in its memory to be sent.",
            "short",
            Query(_sum("samples_total"), "{{instance}} sent per second"),
            Query(f"{_PREFIX}samples_pending{{{_PROMETHEUS}}}", "{{instance}} waiting"),
        )
    )
    board.add(
        graph(
            "Refused",
            "Share of samples that the other end refuses for good.",
            "percentunit",
            Query(share(_sum("samples_failed_total"), _sum("samples_total")), "{{instance}}"),
            limits=[board.limit("PrometheusRemoteWriteRefused")],
        )
    )


def _sending(board: Board) -> None:
    board.row("How they are sent")
    sent = f"{_PREFIX}queue_highest_sent_timestamp_seconds{{{_PROMETHEUS}}}"
    board.add(
        graph(
            "Shards",
            "Requests at the same time: how many there are, would be needed, and may be.",
            "short",
            *(
                Query(f"{_PREFIX}shards{kind}{{{_PROMETHEUS}}}", f"{{{{instance}}}} {name}")
                for kind, name in (("", "now"), ("_desired", "needed"), ("_max", "at most"))
            ),
        )
    )
    board.add(
        graph(
            "Newest sample sent",
            "Age of the newest sample that has arrived; it only grows where nothing arrives any more.",
            "s",
            Query(f"clamp_max(time() - {sent}, 7200)", "{{instance}}"),
        )
    )
    seconds, count = (_sum(f"sent_batch_duration_seconds_{kind}") for kind in ("sum", "count"))
    board.add(
        graph("Duration", "Mean time that one request takes.", "s", Query(f"{seconds} / {count}", "{{instance}}"))
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Samples on their way from Prometheus to the database that keeps them for long.", limits)
    board.filter("environment", "Environment", "The environment that is monitored.", "up", 'job="prometheus"')
    for part in (_arriving, _sending):
        part(board)
    return board.build()
