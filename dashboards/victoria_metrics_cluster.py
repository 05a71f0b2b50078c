"""A cluster of VictoriaMetrics: do its programs reach each other, and is every sample on as many as it should be."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import graph, number
from dashboards.style import GREEN, RED, Limit, Query, rate

UID = "observatory-victoria-metrics-cluster"
TITLE = "VictoriaMetrics cluster"
FOLDER = "Observatory"
NEEDS: frozenset[str] = frozenset({"victoria-metrics", "victoria-metrics-cluster"})
ONE_OF: frozenset[str] = frozenset()

_ENV = 'environment=~"$environment"'
_STORAGE, _INSERT, _SELECT = (f'job="{job}", {_ENV}' for job in ("vmstorage", "vminsert", "vmselect"))


def _health(board: Board) -> None:
    board.row("Health")
    for title, description, expr, limits, base in (
        (
            "Programs that are down",
            "Of all three kinds.",
            f'count(up{{job=~"vmstorage|vminsert|vmselect", {_ENV}}} == 0) or vector(0)',
            [Limit(1)],
            GREEN,
        ),
        ("vmstorage", "That answered the last scrape.", f"sum(up{{{_STORAGE}}})", [Limit(1, GREEN)], RED),
        ("vminsert", "That answered the last scrape.", f"sum(up{{{_INSERT}}})", [Limit(1, GREEN)], RED),
        ("vmselect", "That answered the last scrape.", f"sum(up{{{_SELECT}}})", [Limit(1, GREEN)], RED),
        (
            "Samples with copies missing",
            "Of the time shown, that fewer vmstorage have than they should.",
            f"sum(increase(vm_rpc_rows_incompletely_replicated_total{{{_INSERT}}}[$__range]))",
            [Limit(1)],
            GREEN,
        ),
    ):
        board.add(number(title, description, "short", Query(expr), limits, base), width=4, height=4)


def _samples(board: Board) -> None:
    board.row("Samples")
    for title, description, unit, expr, legend in (
        (
            "Taken",
            "By each vminsert.",
            "cps",
            f"sum by (instance) ({rate('vm_rows_inserted_total', _INSERT)})",
            "instance",
        ),
        (
            "Kept",
            "By each vmstorage: together as many as were taken, times the copies of each.",
            "cps",
            f"sum by (instance) ({rate('vm_rows_added_to_storage_total', _STORAGE)})",
            "instance",
        ),
        (
            "Sent elsewhere",
            "Samples that went to other vmstorage than their own, because that one was away or slow.",
            "cps",
            f"sum by (addr) ({rate('vm_rpc_rows_rerouted_from_here_total', _INSERT)})",
            "addr",
        ),
        (
            "Waiting",
            "Samples in the memory of vminsert, for a vmstorage.",
            "short",
            f"sum by (addr) (vm_rpc_rows_pending{{{_INSERT}}})",
            "addr",
        ),
        (
            "Reachable",
            "1 where all vminsert reach a vmstorage.",
            "short",
            f"min by (addr) (vm_rpc_vmstorage_is_reachable{{{_INSERT}}})",
            "addr",
        ),
        (
            "Size",
            "Of the data of each vmstorage.",
            "bytes",
            f"sum by (instance) (vm_data_size_bytes{{{_STORAGE}}})",
            "instance",
        ),
    ):
        board.add(graph(title, description, unit, Query(expr, f"{{{{{legend}}}}}")))


def _programs(board: Board) -> None:
    every = f'job=~"vmstorage|vminsert|vmselect", {_ENV}'
    board.row("Programs")
    board.add(
        graph(
            "Requests between them",
            "What vmselect asks of each vmstorage.",
            "reqps",
            Query(f"sum by (addr) ({rate('vm_requests_total', _SELECT)})", "{{addr}}"),
        )
    )
    board.add(
        graph(
            "Requests that fail",
            "Of vmselect to each vmstorage; some while one is away, which the others make up for.",
            "reqps",
            Query(f"sum by (addr) ({rate('vm_request_errors_total', _SELECT)})", "{{addr}}"),
        )
    )
    board.add(
        graph(
            "Memory",
            "That each program has in use.",
            "bytes",
            Query(f"max by (instance) (process_resident_memory_bytes{{{every}}})", "{{instance}}"),
        )
    )
    board.add(
        graph(
            "CPU",
            "Cores that each program uses.",
            "short",
            Query(f"sum by (instance) ({rate('process_cpu_seconds_total', every)})", "{{instance}}"),
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(
        UID, TITLE, "How the programs of a VictoriaMetrics cluster share samples and queries among them.", limits
    )
    board.filter("environment", "Environment", "The environment that is monitored.", "up", 'job="vmstorage"')
    for part in (_health, _samples, _programs):
        part(board)
    return board.build()
