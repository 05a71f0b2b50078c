"""The stack at rest: memory and CPU of its containers, as the engine counts them."""

from __future__ import annotations

import time
from typing import Any

from docker.models.containers import Container

from benchmarks.results import Goal, Result
from benchmarks.stack import BenchStack

_MEBIBYTE = 2**20


def own_memory(stats: dict[str, Any]) -> float:
    """Bytes of a container without the page cache, which the kernel takes back when it is needed.

    Files in memory (tmpfs) are counted where the kernel tells them apart.
    """
    memory = stats["memory_stats"]
    details = memory.get("stats", {})
    if "total_rss" in details:  # cgroup v1
        return float(details["total_rss"] + details.get("total_shmem", 0))
    return float(memory.get("usage", 0) - details.get("file", 0) + details.get("shmem", 0))


def cpu_percent(before: dict[str, Any], after: dict[str, Any], seconds: float) -> float:
    """Share of one core between two samples."""
    used = [stats["cpu_stats"]["cpu_usage"]["total_usage"] for stats in (before, after)]
    return float(used[1] - used[0]) / 1e9 / seconds * 100


def _sample(container: Container) -> dict[str, Any]:
    stats = container.stats(stream=False, one_shot=True)  # one_shot: no second sample, which takes a second
    assert isinstance(stats, dict)
    return stats


def memory_by_service(stack: BenchStack) -> dict[str, float]:
    """MiB of each container now, by its service."""
    return {
        str(container.labels["observatory.service"]): own_memory(_sample(container)) / _MEBIBYTE
        for container in stack.containers()
    }


def at_rest(stack: BenchStack, seconds: float) -> list[Result]:
    """One sample of each container now and one after `seconds`."""
    stack.ensure_up()
    containers = stack.containers()
    first = [(time.monotonic(), _sample(container)) for container in containers]
    time.sleep(seconds)
    memory: dict[str, float] = {}
    cpu: dict[str, float] = {}
    for container, (begin, before) in zip(containers, first, strict=True):
        after = _sample(container)
        name = str(container.labels["observatory.service"])
        memory[name] = own_memory(after) / _MEBIBYTE
        cpu[name] = cpu_percent(before, after, time.monotonic() - begin)
    note = f"{len(containers)} containers after {seconds:g} s, without page cache"
    lines = [
        Result("memory at rest", sum(memory.values()), "MiB", goal=Goal(600), note=note),
        Result("CPU at rest", sum(cpu.values()), "%", goal=Goal(3), note="of one core"),
    ]
    for name in sorted(memory, key=lambda name: -memory[name]):
        lines.append(Result(f"  {name}: memory", memory[name], "MiB"))
        lines.append(Result(f"  {name}: CPU", cpu[name], "%"))
    return lines
