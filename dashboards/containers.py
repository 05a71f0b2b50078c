"""Containers on the host: what each uses of what it may, and which ones keep starting anew."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import bars, graph, listing, number
from dashboards.style import BLUE, Query, rate

UID = "containers"
TITLE = "Containers"
FOLDER = "Hosts"
NEEDS = frozenset({"cadvisor"})
ONE_OF: frozenset[str] = frozenset()

_CHOSEN = 'job="cadvisor", name!="", name=~"$name", environment=~"$environment"'
_STARTED = f"container_start_time_seconds{{{_CHOSEN}}}"


def _numbers(board: Board) -> None:
    board.row("At a glance")
    board.add(
        number(
            "Containers",
            "Containers that run on the host, of this stack or not.",
            "short",
            Query(f"count(count by (name) ({_STARTED}))"),
            base=BLUE,
        ),
        width=4,
        height=6,
    )
    board.add(
        number(
            "Processors used",
            "Processors that all chosen containers together keep busy.",
            "short",
            Query(f"sum({rate('container_cpu_usage_seconds_total', _CHOSEN)})"),
            base=BLUE,
        ),
        width=4,
        height=6,
    )
    board.add(
        number(
            "Memory used",
            "Working set of all chosen containers together: what the kernel cannot take back.",
            "bytes",
            Query(f"sum(container_memory_working_set_bytes{{{_CHOSEN}}})"),
            base=BLUE,
        ),
        width=4,
        height=6,
    )
    board.add(
        bars(
            "Fullest against their memory limit",
            "The eight containers that use most of their memory limit; at 100 % the kernel kills them. Containers "
            "without a limit are left out.",
            "percentunit",
            Query(f"topk(8, instance_name:container_memory_working_set:ratio_limit{{{_CHOSEN}}})", "{{name}}"),
            [board.limit("HighMemoryUsage")],
            most=1,
        ),
        width=12,
        height=6,
    )


def _memory(board: Board) -> None:
    board.row("Memory")
    board.add(
        graph(
            "Memory against limit",
            "Share of its memory limit that a container uses. Containers without a limit are left out.",
            "percentunit",
            Query(f"instance_name:container_memory_working_set:ratio_limit{{{_CHOSEN}}}", "{{name}}"),
            limits=[board.limit("HighMemoryUsage")],
            most=1,
        ),
        width=12,
    )
    board.add(
        graph(
            "Working set",
            "Memory that a container holds and the kernel cannot take back.",
            "bytes",
            Query(f"sum by (name) (container_memory_working_set_bytes{{{_CHOSEN}}})", "{{name}}"),
            stacked=True,
        ),
        width=12,
    )


def _processors(board: Board) -> None:
    throttled = rate("container_cpu_cfs_throttled_periods_total", _CHOSEN)
    periods = rate("container_cpu_cfs_periods_total", _CHOSEN)
    board.row("Processors")
    board.add(
        graph(
            "Processors used by container",
            "Processors that a container keeps busy.",
            "short",
            Query(f"sum by (name) ({rate('container_cpu_usage_seconds_total', _CHOSEN)})", "{{name}}"),
            stacked=True,
        ),
        width=12,
    )
    board.add(
        graph(
            "Held back by the CPU limit",
            "Share of scheduling periods in which a container waited for its CPU limit. Containers without a limit "
            "are left out.",
            "percentunit",
            Query(f"sum by (name) ({throttled}) / (sum by (name) ({periods}) > 0)", "{{name}}"),
            limits=[board.limit("ContainerCPUThrottled")],
            most=1,
        ),
        width=12,
    )


def _starts(board: Board) -> None:
    board.row("Starts")
    board.add(
        graph(
            "Starts",
            "Starts of a container in the last 30 minutes.",
            "short",
            Query(f"sum by (name) (changes({_STARTED}[30m])) > 0", "{{name}}"),
            limits=[board.limit("ContainerRestarting")],
        ),
        width=12,
    )
    board.add(
        listing(
            "Up for",
            "Time since a container started, the youngest first.",
            "s",
            Query(f"time() - max by (name) ({_STARTED})"),
            columns=["name"],
            value="up for",
            base=BLUE,
            ascending=True,
        ),
        width=12,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Memory, processors and starts of every container on the host.", limits, ["hosts"])
    seen = "container_start_time_seconds"
    board.filter("environment", "Environment", "Where the host is.", seen)
    board.filter("name", "Container", "Its name.", seen, 'name!="", environment=~"$environment"')
    board.starts(_STARTED, "name")
    for part in (_numbers, _memory, _processors, _starts):
        part(board)
    return board.build()
