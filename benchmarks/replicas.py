"""What high availability takes: the memory of two Prometheus and three Alertmanagers, beside one of each.

Both stacks keep their samples in a bucket, for without one there are no two Prometheus.
"""

from __future__ import annotations

import ipaddress
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.history import KEYS, in_bucket, s3_server
from benchmarks.resting import memory_by_service
from benchmarks.results import Result
from benchmarks.stack import BenchStack

COUNTS = {"prometheus": 2, "alertmanager": 3}
_BESIDE = {"prometheus": "thanos-sidecar"}
"""What each replica has beside it."""


def memory(stack: BenchStack, seconds: float) -> list[Result]:
    """MiB without page cache, `seconds` after a deployment; the stack is left as it was before."""
    settings = stack.client.networks.get("bridge").attrs["IPAM"]["Config"][0]
    # An engine that was just installed takes the first address of the network and does not say so.
    gateway = settings.get("Gateway") or str(next(ipaddress.ip_network(settings["Subnet"]).hosts()))
    with tempfile.TemporaryDirectory(prefix="observatory-bench-") as folder, s3_server(Path(folder), gateway) as url:
        for name, value in KEYS.items():
            stack.pulumi("config", "set", "--secret", f"observatory:{name}", value)
        storage: dict[str, Any] = {"storage": in_bucket(url)}
        try:
            one = _measured(stack, storage, seconds)
            several = _measured(stack, {**storage, "high_availability": {**COUNTS, "one_host": True}}, seconds)
        finally:
            stack.configure({})
            stack.destroy()
    results = []
    for product, count in COUNTS.items():
        names = {product, _BESIDE.get(product, product)}
        ours, other = (sum(used for name, used in found.items() if group(name) in names) for found in (several, one))
        beside = f" with their {_BESIDE[product]}" if product in _BESIDE else ""
        results.append(
            Result(
                f"memory of {count} x {product}",
                ours,
                "MiB",
                other,
                f"one{beside}",
                note=f"{seconds:g} s after the deployment, without page cache",
            )
        )
    ours, other = sum(several.values()), sum(one.values())
    results.append(Result("memory of the whole stack", ours, "MiB", other, "without replicas"))
    return results


def group(name: str) -> str:
    """The product of a replica: prometheus-2 is one of prometheus."""
    head, _, number = name.rpartition("-")
    return head if number.isdigit() else name


def _measured(stack: BenchStack, changes: dict[str, Any], seconds: float) -> dict[str, float]:
    stack.configure(changes)
    stack.up()
    time.sleep(seconds)
    return memory_by_service(stack)
