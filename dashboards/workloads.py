"""Workloads of the Kubernetes cluster that the stack is on: whether they have what they ask for, and what they use."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import graph, listing, number
from dashboards.style import BLUE, ORANGE, RED, Limit, Query, rate

UID = "workloads"
TITLE = "Workloads"
FOLDER = "Hosts"
NEEDS = frozenset({"kube-state-metrics"})
ONE_OF: frozenset[str] = frozenset()

_NAMESPACE = 'namespace=~"$namespace", environment=~"$environment"'
_CHOSEN = f'workload=~"$workload", {_NAMESPACE}'
_KNOWN = f'job="kube-state-metrics", {_NAMESPACE}'
_PODS = f"namespace_workload_pod:kube_pod_info:max{{{_CHOSEN}}}"
_NAMES = "namespace, workload_type, workload"
_LEGEND = "{{namespace}}/{{workload}}"
_MISSING = (
    f"namespace_workload:kube_replicas:desired{{{_CHOSEN}}} "
    f"- namespace_workload:kube_replicas:available{{{_CHOSEN}}} > 0"
)


def _by_pod(expression: str, *more: str) -> str:
    """One value for each pod, and each of `more`, of the chosen workloads, with their names."""
    names = ", ".join(("namespace", "pod", *more))
    return f"{_PODS} * on (namespace, pod) group_right (workload_type, workload) sum by ({names}) ({expression})"


def _glance(board: Board) -> None:
    not_ready = (
        f'{_PODS} and on (namespace, pod) kube_pod_status_phase{{phase=~"Pending|Running|Unknown", {_KNOWN}}} == 1 '
        f'unless on (namespace, pod) kube_pod_status_ready{{condition="true", {_KNOWN}}} == 1'
    )
    crash = f'reason="CrashLoopBackOff", {_KNOWN}'
    crashing = " or ".join(
        f"kube_pod_{kind}_status_waiting_reason{{{crash}}}" for kind in ("container", "init_container")
    )
    failed = f'kube_job_failed{{condition="true", {_KNOWN}}}'
    board.row("At a glance")
    for title, description, expression, limits in (
        ("Workloads", "Deployments, StatefulSets and DaemonSets.", _count("desired"), []),
        ("Replicas missing", "Pods that are not there or not ready.", f"sum({_MISSING})", [Limit(1, RED)]),
        ("Pods not ready", "Pods of any kind that run or are to run.", f"count({not_ready})", [Limit(1, ORANGE)]),
        ("Containers that crash", "They end soon after each start.", f"count({_by_pod(crashing)})", [Limit(1, RED)]),
        ("Restarts", "Restarts of containers in the time range.", f"sum({_restarts('$__range')})", [Limit(10, ORANGE)]),
        ("Failed jobs", "Jobs that will not be tried again.", f"sum({failed})", [Limit(1, ORANGE)]),
    ):
        query = Query(f"{expression} or vector(0)")
        board.add(number(title, description, "short", query, limits, base=BLUE), width=4, height=5)


def _count(what: str) -> str:
    return f"count(namespace_workload:kube_replicas:{what}{{{_CHOSEN}}})"


def _restarts(window: str) -> str:
    return _by_pod(f"increase(kube_pod_container_status_restarts_total{{{_KNOWN}}}[{window}])", "container")


def _replicas(board: Board) -> None:
    board.row("Replicas and pods")
    board.add(
        graph(
            "Replicas missing by workload",
            "Pods that a workload should have and that are not there or not ready.",
            "short",
            Query(_MISSING, _LEGEND),
        )
    )
    waiting = " or ".join(
        f"kube_pod_{kind}_status_waiting_reason{{{_KNOWN}}}" for kind in ("container", "init_container")
    )
    board.add(
        graph(
            "Restarts by workload",
            "Restarts of containers in 30 minutes.",
            "short",
            Query(f"sum by ({_NAMES}) ({_restarts('30m')}) > 0", _LEGEND),
        )
    )
    board.add(
        listing(
            "What containers wait for",
            "Pods whose containers do not run, and why.",
            "short",
            Query(f"count by ({_NAMES}, container, reason) ({_by_pod(waiting, 'container', 'reason')})"),
            columns=["namespace", "workload", "container", "reason"],
            value="pods",
            limits=[Limit(1, ORANGE)],
        )
    )
    ended = f"kube_pod_container_status_last_terminated_reason{{{_KNOWN}}}"
    board.add(
        listing(
            "Why containers ended",
            "The reason of the last end of each container that was started anew.",
            "short",
            Query(f"topk(20, count by ({_NAMES}, container, reason) ({_by_pod(ended, 'container', 'reason')}))"),
            columns=["namespace", "workload", "container", "reason"],
            value="pods",
            base=BLUE,
        ),
        width=12,
    )
    stuck = f'kube_deployment_status_condition{{condition="Progressing", status="false", {_KNOWN}}}'
    board.add(
        listing(
            "Updates that do not go on",
            "Deployments whose update has passed its deadline.",
            "short",
            Query(f"max by (namespace, deployment) ({stuck}) == 1"),
            columns=["namespace", "deployment"],
            value="stuck",
            limits=[Limit(1, RED)],
        ),
        width=6,
    )
    phases = f"kube_pod_status_phase{{{_KNOWN}}}"
    board.add(
        graph(
            "Pods by phase",
            "Pending ones wait for a node, a volume or an image.",
            "short",
            Query(f"sum by (phase) ({_by_pod(phases, 'phase')})", "{{phase}}"),
            stacked=True,
        ),
        width=6,
    )


def _use(board: Board) -> None:
    used = f'job="cadvisor", name!="", {_NAMESPACE}'
    cpu = f"sum by ({_NAMES}) ({_by_pod(rate('container_cpu_usage_seconds_total', used))})"
    memory = f"sum by ({_NAMES}) ({_by_pod(f'container_memory_working_set_bytes{{{used}}}')})"

    def asked(kind: str, resource: str) -> str:
        metric = f'kube_pod_container_resource_{kind}{{resource="{resource}", {_KNOWN}}}'
        return f"sum by ({_NAMES}) ({_by_pod(metric)})"

    board.row("What workloads use (cAdvisor)")
    for title, unit, whole, resource in (("Processors", "short", cpu, "cpu"), ("Memory", "bytes", memory, "memory")):
        board.add(
            graph(f"{title} by workload", "In use.", unit, Query(whole, _LEGEND), stacked=True),
            width=8,
        )
        for kind, meaning in (
            ("requests", "Above 1 it lives on what others leave; far below 1 it keeps room from others."),
            ("limits", "At 1 it is held back, or ended for want of memory."),
        ):
            board.add(
                graph(
                    f"{title} against {kind}",
                    f"What is in use, as a share of the {kind} of the workload's pods. {meaning}",
                    "percentunit",
                    Query(f"{whole} / ({asked(kind, resource)} > 0)", _LEGEND),
                    limits=[Limit(1, RED)],
                ),
                width=8,
            )


def _jobs(board: Board) -> None:
    started = (
        f"kube_job_status_start_time{{{_KNOWN}}} and on (namespace, job_name) kube_job_status_active{{{_KNOWN}}} > 0"
    )
    failed = (
        f'kube_job_created{{{_KNOWN}}} and on (namespace, job_name) kube_job_failed{{condition="true", {_KNOWN}}} == 1'
    )
    scaled, protected = "kube_horizontalpodautoscaler", "kube_poddisruptionbudget_status"
    board.row("Jobs, autoscalers and disruption budgets")
    board.add(
        listing(
            "Running jobs",
            "By how long they have been running.",
            "s",
            Query(f"time() - max by (namespace, job_name) ({started})"),
            columns=["namespace", "job_name"],
            value="running for",
            limits=[board.limit("JobNotCompleted")],
            base=BLUE,
        )
    )
    board.add(
        listing(
            "Jobs that failed",
            "The latest first, by the time since they were made.",
            "s",
            Query(f"time() - max by (namespace, job_name) ({failed})"),
            columns=["namespace", "job_name"],
            value="made before",
            base=BLUE,
            ascending=True,
        )
    )
    board.add(
        graph(
            "Autoscalers",
            "Replicas as a share of the most that a HorizontalPodAutoscaler may make.",
            "percentunit",
            Query(
                f"{scaled}_status_current_replicas{{{_KNOWN}}} / {scaled}_spec_max_replicas",
                "{{namespace}}/{{horizontalpodautoscaler}}",
            ),
            limits=[Limit(1, ORANGE)],
            most=1,
        )
    )
    board.add(
        listing(
            "Disruption budgets",
            "Healthy pods that a PodDisruptionBudget has to spare: so many can be evicted; below 0 some are missing.",
            "short",
            Query(f"bottomk(20, {protected}_current_healthy{{{_KNOWN}}} - {protected}_desired_healthy)"),
            columns=["namespace", "poddisruptionbudget"],
            value="to spare",
            limits=[Limit(0, RED, below=True)],
            ascending=True,
        ),
        width=12,
    )
    quota = f"kube_resourcequota{{{_KNOWN}"
    names = "namespace, resourcequota, resource"
    board.add(
        graph(
            "Quotas",
            "Share of each ResourceQuota that is used; what goes beyond is refused.",
            "percentunit",
            Query(
                f'max by ({names}) ({quota}, type="used"}}) / (max by ({names}) ({quota}, type="hard"}}) > 0)',
                "{{namespace}}/{{resourcequota}} {{resource}}",
            ),
            limits=[board.limit("QuotaAlmostFull")],
        ),
        width=12,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Whether workloads have what they ask for, and what they use.", limits, ["hosts"])
    pods = "namespace_workload_pod:kube_pod_info:max"
    board.filter("environment", "Environment", "Which stack watches the cluster.", "kube_pod_info")
    board.filter("namespace", "Namespace", "Where the workloads are.", pods, 'environment=~"$environment"')
    board.filter("workload", "Workload", "Its name.", pods, _NAMESPACE)
    for part in (_glance, _replicas, _use, _jobs):
        part(board)
    return board.build()
