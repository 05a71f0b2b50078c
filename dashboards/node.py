"""The host: processors, memory, disks, clock.

No network: node exporter sees the interface of its own container, not those of the host.
"""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import dial, graph, number
from dashboards.style import BLUE, GREEN, ORANGE, YELLOW, Limit, Query, rate

UID = "node"
TITLE = "Node"
FOLDER = "Hosts"
NEEDS = frozenset({"node-exporter"})
ONE_OF: frozenset[str] = frozenset()

_HOST = 'job="node-exporter", instance=~"$instance", environment=~"$environment"'
_DISK = f'{_HOST}, fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|erofs"'
_PROCESSORS = f'count by (job, instance) (node_cpu_seconds_total{{{_HOST}, mode="idle"}})'


def _numbers(board: Board) -> None:
    board.row("At a glance")
    for title, description, expr, limits in (
        (
            "Processor time in use",
            "Share of all processors' time that is not idle.",
            f"max(instance:node_cpu_utilisation:ratio_rate5m{{{_HOST}}})",
            [board.limit("HighCPUUsage")],
        ),
        (
            "Memory in use",
            "Share of memory that programs hold and the kernel cannot take back.",
            f"max(instance:node_memory_utilisation:ratio{{{_HOST}}})",
            [board.limit("HostMemoryLow")],
        ),
        (
            "Fullest disk",
            "Share of space that is taken on the fullest disk.",
            f"1 - min(instance_device:node_filesystem_avail:ratio{{{_HOST}}})",
            [board.limit("DiskSpaceLow", ORANGE, rest=True), board.limit("DiskSpaceCritical", rest=True)],
        ),
    ):
        board.add(dial(title, description, "percentunit", Query(expr), limits), width=4, height=5)
    for title, description, unit, expr, limits, base in (
        (
            "Load per processor",
            "Programs that run or wait, per processor, over 5 minutes.",
            "short",
            f"max(node_load5{{{_HOST}}} / on (job, instance) {_PROCESSORS})",
            [Limit(1, YELLOW), Limit(2)],
            GREEN,
        ),
        (
            "Processes killed for memory",
            "Processes that the kernel killed in the chosen time range because memory ran out.",
            "short",
            f"sum(increase(node_vmstat_oom_kill{{{_HOST}}}[$__range]))",
            [Limit(1)],
            GREEN,
        ),
        ("Up for", "Time since the host started.", "s", f"min(time() - node_boot_time_seconds{{{_HOST}}})", [], BLUE),
    ):
        board.add(number(title, description, unit, Query(expr), limits, base), width=4, height=5)


def _processors(board: Board) -> None:
    board.row("Processors")
    board.add(
        graph(
            "Processor time by use",
            "Share of all processors' time, by what they did: iowait waits for disks, steal went to other guests.",
            "percentunit",
            Query(
                f'avg by (instance, mode) (rate(node_cpu_seconds_total{{{_HOST}, mode!="idle"}}[$__rate_interval]))',
                "{{instance}} {{mode}}",
            ),
            limits=[board.limit("HighCPUUsage")],
            stacked=True,
            most=1,
        ),
        width=6,
    )
    board.add(
        graph(
            "Load",
            "Programs that run or wait, averaged over 1 and 15 minutes, and the number of processors.",
            "short",
            Query(f"node_load1{{{_HOST}}}", "{{instance}} 1 m"),
            Query(f"node_load15{{{_HOST}}}", "{{instance}} 15 m"),
            Query(_PROCESSORS, "{{instance}} processors"),
        ),
        width=6,
    )
    board.add(
        graph(
            "Pressure",
            "Share of time in which some program waited for processors, memory or disks. Empty on kernels without PSI.",
            "percentunit",
            Query(rate("node_pressure_cpu_waiting_seconds_total", _HOST), "{{instance}} processors"),
            Query(rate("node_pressure_memory_waiting_seconds_total", _HOST), "{{instance}} memory"),
            Query(rate("node_pressure_io_waiting_seconds_total", _HOST), "{{instance}} disks"),
            most=1,
        ),
        width=6,
    )
    board.add(
        graph(
            "Open files",
            "Share of the files and connections that the host may have open; at 100 % no program can open another.",
            "percentunit",
            Query(f"node_filefd_allocated{{{_HOST}}} / (node_filefd_maximum{{{_HOST}}} > 0)", "{{instance}}"),
            limits=[board.limit("HostFileDescriptorsLow")],
            most=1,
        ),
        width=6,
    )


def _memory(board: Board) -> None:
    board.row("Memory")
    board.add(
        graph(
            "Memory",
            "What is free for programs, with and without what the kernel would have to take back, and all there is.",
            "bytes",
            Query(f"node_memory_MemTotal_bytes{{{_HOST}}}", "{{instance}} total"),
            Query(f"node_memory_MemAvailable_bytes{{{_HOST}}}", "{{instance}} available"),
            Query(f"node_memory_MemFree_bytes{{{_HOST}}}", "{{instance}} free"),
        )
    )
    board.add(
        graph(
            "Memory in use over time",
            "Share of memory that programs hold and the kernel cannot take back.",
            "percentunit",
            Query(f"instance:node_memory_utilisation:ratio{{{_HOST}}}", "{{instance}}"),
            limits=[board.limit("HostMemoryLow")],
            most=1,
        )
    )
    board.add(
        graph(
            "Pages moved to and from disk",
            "Major page faults: each waits for a disk. Many of them mean that memory is short.",
            "ops",
            Query(rate("node_vmstat_pgmajfault", _HOST), "{{instance}} major faults"),
            Query(rate("node_vmstat_pswpout", _HOST), "{{instance}} swapped out"),
        )
    )


def _disks(board: Board) -> None:
    board.row("Disks")
    board.add(
        graph(
            "Space taken",
            "Share of each disk that is taken.",
            "percentunit",
            Query(f"1 - instance_device:node_filesystem_avail:ratio{{{_HOST}}}", "{{instance}} {{device}}"),
            limits=[board.limit("DiskSpaceLow", ORANGE, rest=True), board.limit("DiskSpaceCritical", rest=True)],
            most=1,
        )
    )
    board.add(
        graph(
            "Inodes taken",
            "Share of each disk's inodes that is taken. File systems without a fixed number are left out.",
            "percentunit",
            Query(
                f"1 - min by (instance, device) (node_filesystem_files_free{{{_DISK}}}"
                f" / (node_filesystem_files{{{_DISK}}} > 0))",
                "{{instance}} {{device}}",
            ),
            limits=[board.limit("DiskInodesLow", rest=True)],
            most=1,
        )
    )
    board.add(
        graph(
            "Time busy",
            "Share of time in which a disk had work. Near 1, requests queue up on a single disk; arrays can do more.",
            "percentunit",
            Query(rate("node_disk_io_time_seconds_total", _HOST), "{{instance}} {{device}}"),
            most=1,
        )
    )
    board.add(
        graph(
            "Read and written",
            "Bytes per second that a disk read and wrote.",
            "Bps",
            Query(rate("node_disk_read_bytes_total", _HOST), "{{instance}} {{device}} read"),
            Query(rate("node_disk_written_bytes_total", _HOST), "{{instance}} {{device}} written"),
        )
    )
    board.add(
        graph(
            "Time per request",
            "Average time that a disk took to read or write. Absent while it has nothing to do.",
            "s",
            Query(
                f"{rate('node_disk_read_time_seconds_total', _HOST)}"
                f" / ({rate('node_disk_reads_completed_total', _HOST)} > 0)",
                "{{instance}} {{device}} read",
            ),
            Query(
                f"{rate('node_disk_write_time_seconds_total', _HOST)}"
                f" / ({rate('node_disk_writes_completed_total', _HOST)} > 0)",
                "{{instance}} {{device}} write",
            ),
        )
    )
    board.add(
        graph(
            "Clock",
            "How far the clock is off, and by how much it may be. Samples and spans carry this clock's times.",
            "s",
            Query(f"abs(node_timex_offset_seconds{{{_HOST}}})", "{{instance}} off"),
            limits=[board.limit("HostClockSkew")],
        )
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Processors, memory, disks and clock of the hosts under the stack.", limits, ["hosts"])
    seen = 'job="node-exporter"'
    board.filter("environment", "Environment", "Where the host is.", "node_boot_time_seconds", seen)
    seen += ', environment=~"$environment"'
    board.filter("instance", "Host", "The node exporter that runs on it.", "node_boot_time_seconds", seen)
    board.starts(f"node_boot_time_seconds{{{_HOST}}}", "instance")
    for part in (_numbers, _processors, _memory, _disks):
        part(board)
    return board.build()
