"""The pods of a stack as its cluster sees them, in the same shape as containers of an engine."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from components.platforms.kubernetes_growth import bytes_of
from components.services.prometheus import NAME as PROMETHEUS
from components.spec import Plan
from operations.cluster import Cluster
from operations.doctor.engine_view import LINES, log_lines, seconds_of
from operations.doctor.facts import Program
from operations.errors import CommandError

_GRAVEST = ("missing", "waiting", "exited", "running")


def cluster_view(cluster: Cluster, plan: Plan, pool: ThreadPoolExecutor, operated: bool = False) -> dict[str, Program]:
    """Each planned service's worst container. Raises CommandError where the cluster does not answer.

    `operated`: the cluster's operator runs Prometheus, and calls the containers of all its replicas the same.
    """
    pods = [
        pod
        for namespace in cluster.namespaces
        for pod in json.loads(cluster.ask("get", "pods", f"--namespace={namespace}", "--output=json"))["items"]
    ]
    names = [service.name for service in plan.services]
    called = [PROMETHEUS if operated and service.group == PROMETHEUS else service.name for service in plan.services]
    return dict(zip(names, pool.map(lambda name: _worst(cluster, pods, name), called), strict=True))


def _worst(cluster: Cluster, pods: list[dict[str, Any]], name: str) -> Program:
    """Of several nodes or pods the one that is worst off."""
    found = []
    for pod in pods:
        spec = next((each for each in pod["spec"]["containers"] if each["name"] == name), None)
        if spec is not None:
            found.append((pod, spec))
    programs = [(program_of(pod, spec), pod) for pod, spec in found]
    if not programs:
        return Program("missing")
    worst, pod = min(
        programs, key=lambda each: (_GRAVEST.index(each[0].state), -each[0].failing_probes, -each[0].restarts)
    )
    return worst if worst.state == "waiting" else _with_log(cluster, worst, pod, name)


def _with_log(cluster: Cluster, program: Program, pod: dict[str, Any], name: str) -> Program:
    where = (f"--namespace={pod['metadata']['namespace']}", pod["metadata"]["name"], f"--container={name}")
    try:
        return replace(program, log=log_lines(cluster.ask("logs", *where, f"--tail={LINES}", "--timestamps")))
    except CommandError:
        return program


def program_of(pod: dict[str, Any], spec: dict[str, Any]) -> Program:
    """One container of a pod."""
    statuses = pod["status"].get("containerStatuses") or []
    status = next((each for each in statuses if each["name"] == spec["name"]), None)
    limit = int(bytes_of((spec.get("resources", {}).get("limits") or {}).get("memory", "0")))
    if status is None:
        reasons = [
            each.get("message", "") for each in pod["status"].get("conditions") or [] if each["status"] == "False"
        ]
        return Program(
            "waiting", error="; ".join(filter(None, reasons)) or pod["status"].get("phase", ""), memory_limit=limit
        )
    state, last = status.get("state", {}), (status.get("lastState") or {}).get("terminated") or {}
    ended, waiting, running = state.get("terminated"), state.get("waiting"), state.get("running")
    why = ended or waiting or {}
    words = ": ".join(filter(None, (why.get("reason", ""), why.get("message", ""))))
    return Program(
        state="running" if running else "exited" if ended else "waiting",
        exit_code=(ended or last).get("exitCode", 0),
        error=words,
        out_of_memory="OOMKilled" in (last.get("reason"), (ended or {}).get("reason")),
        restarts=status.get("restartCount", 0),
        started=seconds_of((running or {}).get("startedAt", "")),
        # The kubelet does not count; a container that runs and is not ready has failed often enough.
        failing_probes=0 if status.get("ready") or not running else 3,
        probe_output="" if status.get("ready") else "the kubelet does not find it ready",
        memory_limit=limit,
    )
