"""The nodes of the Kubernetes cluster that the stack is on: which take part, and how much room each has left."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import graph, listing, number, timeline
from dashboards.style import BLUE, GREEN, ORANGE, RED, Limit, Query, rate

UID = "cluster-nodes"
TITLE = "Nodes of the cluster"
FOLDER = "Hosts"
NEEDS = frozenset({"kube-state-metrics"})
ONE_OF: frozenset[str] = frozenset()

_CHOSEN = 'node=~"$node", environment=~"$environment"'
_KNOWN = f'job="kube-state-metrics", {_CHOSEN}'
_USED = f'job="cadvisor", name!="", {_CHOSEN}'
_REQUESTED = "namespace_node:kube_pod_container_resource_requests:sum"
_PROBLEM = 'condition=~"(Memory|Disk|PID)Pressure|NetworkUnavailable", status="true"'


def _allocatable(resource: str) -> str:
    return f'max by (node) (kube_node_status_allocatable{{resource="{resource}", {_KNOWN}}})'


def _glance(board: Board) -> None:
    ready = f'kube_node_status_condition{{condition="Ready", status="true", {_KNOWN}}}'
    pressed = f"kube_node_status_condition{{{_PROBLEM}, {_KNOWN}}}"
    board.row("At a glance")
    for title, description, expression, limits, base in (
        ("Nodes", "Nodes that the cluster has.", f"count(kube_node_info{{{_KNOWN}}})", [], BLUE),
        ("Nodes not ready", "Nodes that take no part.", f"count({ready} == 0) or vector(0)", [Limit(1, RED)], GREEN),
        (
            "Nodes with a problem",
            "Nodes that report pressure on memory, disk or processes, or no network.",
            f"count(sum by (node) ({pressed}) > 0) or vector(0)",
            [Limit(1, RED)],
            GREEN,
        ),
        (
            "Cordoned nodes",
            "Nodes that take no new pods, because somebody has said so.",
            f"sum(kube_node_spec_unschedulable{{{_KNOWN}}})",
            [Limit(1, ORANGE)],
            GREEN,
        ),
    ):
        board.add(number(title, description, "short", Query(expression), limits, base=base), width=6, height=5)


def _room(board: Board) -> None:
    all_nodes = 'job="kube-state-metrics", resource=~"cpu|memory", environment=~"$environment"'
    whole = f"kube_node_status_allocatable{{{all_nodes}}}"
    asked = f'{_REQUESTED}{{environment=~"$environment"}}'
    board.row("Room for pods")
    board.add(
        graph(
            "Requests against what is left without the largest node",
            "What all pods ask for, as a share of what the other nodes could give if the largest one were lost.",
            "percentunit",
            Query(
                f"sum by (resource) ({asked}) / (sum by (resource) ({whole}) - max by (resource) ({whole}) > 0)",
                "{{resource}}",
            ),
            limits=[board.limit("RequestsOvercommitted")],
        ),
        width=12,
    )
    alive = 'kube_pod_status_phase{job="kube-state-metrics", phase=~"Pending|Running|Unknown"} == 1'
    placed = f"count by (node) (kube_pod_info{{{_KNOWN}}} and on (namespace, pod) {alive})"
    board.add(
        graph(
            "Pods against the node's maximum",
            "Share of the pods that a node can have; those that have ended do not count.",
            "percentunit",
            Query(f"{placed} / {_allocatable('pods')}", "{{node}}"),
            limits=[Limit(1, RED)],
        ),
        width=12,
    )
    for title, resource in (("Requested processors", "cpu"), ("Requested memory", "memory")):
        requested = f'sum by (node) ({_REQUESTED}{{resource="{resource}", {_CHOSEN}}})'
        board.add(
            graph(
                f"{title} by node",
                "Share of what a node has for pods that its pods ask for; the scheduler goes by this.",
                "percentunit",
                Query(f"{requested} / {_allocatable(resource)}", "{{node}}"),
                limits=[Limit(1, RED)],
            ),
            width=12,
        )


def _use(board: Board) -> None:
    cpu = f"sum by (node) ({rate('container_cpu_usage_seconds_total', _USED)})"
    memory = f"sum by (node) (container_memory_working_set_bytes{{{_USED}}})"
    board.row("What containers use (cAdvisor)")
    for title, description, used, resource in (
        ("Processors in use", "Share of a node's processors that its containers keep busy.", cpu, "cpu"),
        ("Memory in use", "Share of a node's memory that its containers hold (working set).", memory, "memory"),
    ):
        board.add(
            graph(title, description, "percentunit", Query(f"{used} / {_allocatable(resource)}", "{{node}}"), most=1),
            width=12,
        )


def _conditions(board: Board) -> None:
    reported = f'kube_node_status_condition{{condition!="Ready", status="true", {_KNOWN}}}'
    ready = f'kube_node_status_condition{{condition="Ready", status="true", {_KNOWN}}}'
    board.row("Conditions")
    board.add(
        timeline(
            "Ready",
            "Whether each node takes part in the cluster.",
            Query(f"max by (node) ({ready})", "{{node}}"),
            {1: ("ready", GREEN), 0: ("not ready", RED)},
        ),
        width=12,
    )
    board.add(
        timeline(
            "Pressure",
            "What each node has too little of.",
            Query(f"max by (node, condition) ({reported}) > 0", "{{node}} {{condition}}"),
            {1: ("yes", RED)},
        ),
        width=12,
    )
    board.add(
        listing(
            "Versions",
            "What runs on the nodes; a number of nodes for each kind.",
            "short",
            Query(
                f"count by (kubelet_version, container_runtime_version, kernel_version) (kube_node_info{{{_KNOWN}}})"
            ),
            columns=["kubelet_version", "container_runtime_version", "kernel_version"],
            value="nodes",
            base=BLUE,
        ),
        width=24,
        height=6,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "Which nodes take part in the cluster, and how full they are.", limits, ["hosts"])
    board.filter("environment", "Environment", "Which stack watches the cluster.", "kube_node_info")
    board.filter("node", "Node", "Its name.", "kube_node_info", 'environment=~"$environment"')
    for part in (_glance, _room, _use, _conditions):
        part(board)
    return board.build()
