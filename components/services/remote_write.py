"""How Prometheus sends its samples on to what keeps them for long.

It reads them from its own write-ahead log, so an end that is away for less than about two hours misses nothing.
"""

from __future__ import annotations

from typing import Any

from components.context import Context
from components.services import cortex, victoria_cluster, victoria_metrics


def remote_write(context: Context, folder: str, replica_label: str) -> dict[str, Any]:
    """The part of Prometheus' configuration; empty where samples stay on its disk or go into a bucket.

    `folder` is where Prometheus sees its files. All replicas send the same series: the label that tells them apart is
    left out, and the other end keeps one of their samples.
    """
    config = context.config
    if not config.storage.remote:
        return {}
    queue = config.storage.remote_write
    name = cortex.NAME if config.storage.backend == "cortex" else victoria_metrics.NAME
    target: dict[str, Any] = {
        "name": name,
        **_end(context, folder),
        "queue_config": {
            "capacity": queue.capacity,
            "max_shards": queue.max_shards,
            "max_samples_per_send": queue.max_samples_per_send,
        },
    }
    if name == cortex.NAME:
        target |= {"headers": {cortex.TENANT: config.tenant}, "send_exemplars": True}
        # Its answer where more comes than it may take at a time; without this Prometheus throws those samples away.
        target["queue_config"]["retry_on_http_429"] = True
    if len(context.replicas("prometheus")) > 1:
        target["write_relabel_configs"] = [{"regex": replica_label, "action": "labeldrop"}]
    return {"remote_write": [target]}


def _end(context: Context, folder: str) -> dict[str, Any]:
    """Address of the other end, and how to be let in there."""
    access, certified = context.access, ""
    if context.config.storage.backend == "cortex":
        host, port, path = cortex.NAME, cortex.PORT, cortex.WRITE_PATH
    elif context.config.storage.victoria_cluster:
        host, port = victoria_cluster.entrance(context, victoria_cluster.INSERT), victoria_cluster.INSERT_PORT
        path = victoria_cluster.WRITE_PATH
        certified = victoria_cluster.INSERT if host != victoria_cluster.INSERT else ""
    else:
        host, port, path = victoria_metrics.NAME, victoria_metrics.PORT, victoria_metrics.WRITE_PATH
    return {"url": f"{access.scheme}://{host}:{port}{path}", **access.client_config(folder, certified)}
