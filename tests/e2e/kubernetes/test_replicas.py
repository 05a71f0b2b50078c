"""Replicas under a real scheduler and real drains: on different nodes, one away at a time, all behind one name."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import parse_stack
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Stack
from tests.e2e.engine import until
from tests.e2e.kubernetes.cluster import Cluster
from tests.e2e.kubernetes.disks import have_disks
from tests.platforms.clusters import stack_on_cluster

NODES = 3
DRAIN = ("--ignore-daemonsets", "--delete-emptydir-data")


def on_nodes(cluster: Cluster, environment: str, **wanted: Any) -> Stack:
    """A stack of Prometheus and replicas of Alertmanager, applied."""
    stack = {
        "environment": environment,
        "platform": "kubernetes",
        "kubernetes": {
            "context": "test",
            "storage_class": "grows",
            "volumes": {"prometheus": "5GB"},
            "monitor": {"kubelet": False, "api_server": False, "dns": False},
        },
        "exporters": {"node": False, "blackbox": False, "cadvisor": False},
        "tracing": {"backend": "none"},
        "grafana": {"enabled": False},
        "high_availability": wanted,
    }
    found = stack_on_cluster(parse_stack(stack, environment))
    for each in manifests(found):
        cluster.apply(each)
    return found


@pytest.fixture(scope="module")
def nodes(cluster: Cluster) -> Cluster:
    """Three of them."""
    cluster.play_nodes(NODES)
    have_disks(cluster, 16)
    return cluster


def pods(cluster: Cluster, stack: Stack) -> dict[str, dict[str, Any]]:
    """The pods of a stack's Alertmanagers, by name."""
    found = cluster.get("Pod", "v1", stack.namespace)["items"]
    return {pod["metadata"]["name"]: pod for pod in found if pod["metadata"]["name"].startswith("alertmanager")}


def homes(cluster: Cluster, stack: Stack) -> dict[str, str]:
    """The node of each that is ready."""
    return {
        name: pod["spec"]["nodeName"]
        for name, pod in pods(cluster, stack).items()
        if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
    }


@pytest.fixture(scope="module")
def three(nodes: Cluster) -> Stack:
    """A stack with three Alertmanagers, all ready."""
    stack = on_nodes(nodes, "three", alertmanager=3)
    until(lambda: len(homes(nodes, stack)) == 3, "three Alertmanagers are ready", 240)
    return stack


def test_each_runs_on_a_node_of_its_own(nodes: Cluster, three: Stack) -> None:
    found = homes(nodes, three)
    assert {*found} == {"alertmanager-0", "alertmanager-2-0", "alertmanager-3-0"}
    assert len({*found.values()}) == 3


def test_the_name_that_they_share_leads_to_each(nodes: Cluster, three: Stack) -> None:
    def addresses() -> tuple[set[str], set[tuple[int, str]]]:
        slices = nodes.get("EndpointSlice", "discovery.k8s.io/v1", three.namespace)["items"]
        own = [s for s in slices if s["metadata"]["labels"]["kubernetes.io/service-name"] == "alertmanager-peers"]
        found = {address for each in own for end in each.get("endpoints") or [] for address in end["addresses"]}
        return found, {(port["port"], port["protocol"]) for each in own for port in each.get("ports") or []}

    until(lambda: len(addresses()[0]) == 3, "three addresses")
    assert addresses()[0] == {pod["status"]["podIP"] for pod in pods(nodes, three).values()}
    assert addresses()[1] >= {(9094, "TCP"), (9094, "UDP"), (9093, "TCP")}


def test_a_second_node_is_not_drained_while_a_replica_is_away(nodes: Cluster, three: Stack) -> None:
    """The one that was driven out finds no other node without a replica; so the next drain has to wait for it."""
    before = homes(nodes, three)
    first, second = before["alertmanager-0"], before["alertmanager-2-0"]
    try:
        nodes.kubectl("drain", first, *DRAIN, "--timeout=180s")
        until(lambda: {*homes(nodes, three)} == {"alertmanager-2-0", "alertmanager-3-0"}, "one is away", 180)
        nodes.kubectl("drain", second, *DRAIN, "--timeout=8s", code=1)
        assert {*homes(nodes, three)} == {"alertmanager-2-0", "alertmanager-3-0"}
        nodes.kubectl("uncordon", first)
        until(lambda: len(homes(nodes, three)) == 3, "it is back", 180)
        nodes.kubectl("drain", second, *DRAIN, "--timeout=180s")
        until(lambda: {*homes(nodes, three)} == {"alertmanager-0", "alertmanager-3-0"}, "the other is away", 180)
    finally:
        for node in (first, second):
            nodes.kubectl("uncordon", node)
        until(lambda: homes(nodes, three) == before, "all are back where their node is free", 180)


def test_more_replicas_than_nodes_wait_unless_they_may_share_them(nodes: Cluster) -> None:
    crowded = on_nodes(nodes, "crowded", alertmanager=5)
    sharing = on_nodes(nodes, "sharing", alertmanager=5, one_host=True)
    until(lambda: len(homes(nodes, sharing)) == 5, "all five are ready", 240)
    assert {*homes(nodes, sharing).values()} == {f"node-{number}" for number in range(NODES)}

    def waiting() -> list[str]:
        return [
            condition["message"]
            for pod in pods(nodes, crowded).values()
            for condition in pod["status"].get("conditions", [])
            if condition["type"] == "PodScheduled" and condition["status"] == "False"
        ]

    until(lambda: len(homes(nodes, crowded)) == 3 and len(waiting()) == 2, "three are ready and two wait", 240)
    assert all("anti-affinity" in message for message in waiting())
