"""A stack in a cluster with controllers, a scheduler and nodes that play along: it comes up, and is found."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.config import parse_stack
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Stack
from components.spec import Service
from tests.e2e.engine import until
from tests.e2e.kubernetes.cluster import Cluster, Refused
from tests.e2e.kubernetes.disks import have_disks
from tests.e2e.kubernetes.prometheus import real_prometheus, targets
from tests.platforms.clusters import WORKLOADS, of_kind, one, stack_on_cluster
from tests.support import CLUSTER, changed

NODES = 2
STACK = changed(
    CLUSTER,
    environment="running",
    kubernetes={
        "context": "test",
        "volumes": {"prometheus": "10GB", "jaeger": "10GB", "grafana": "10GB", "alertmanager": "10GB"},
        "storage_class": "grows",
        "node_selector": {"pool": "monitoring"},
    },
    services=[
        {
            "name": "basket",
            "team": "web",
            "port": 8080,
            "discovery": {"kubernetes": {"namespaces": ["shop", "cart"], "labels": {"app": "basket"}}},
        },
        {
            "name": "crawler",
            "team": "search",
            "discovery": {
                "kubernetes": {
                    "namespaces": ["search"],
                    "role": "pod",
                    "port_name": "metrics",
                    "annotations": {"example.com/job": "crawler"},
                }
            },
        },
    ],
)


@pytest.fixture(scope="module")
def nodes(cluster: Cluster) -> None:
    """Nodes and disks, made once: what waits for them may be tried again."""
    cluster.play_nodes(NODES)
    have_disks(cluster, 4)


@pytest.fixture(scope="module")
def running(cluster: Cluster, nodes: None) -> Stack:
    """The stack with all pods ready, and the user's own programs beside it."""
    stack = stack_on_cluster(parse_stack(STACK, "running"))
    for each in manifests(stack):
        cluster.apply(each)
    _have_users_programs(cluster)
    for each in of_kind(manifests(stack), *WORKLOADS):
        until(partial(_is_ready, cluster, each), f"{each['metadata']['name']} is ready", 240)
    return stack


def _have_users_programs(cluster: Cluster) -> None:
    """Pods behind a Service, pods without one, and pods that nobody asked for."""

    def pod(namespace: str, name: str, ports: list[dict[str, Any]], **metadata: Any) -> None:
        container = {"name": "main", "image": "example.com/main:1.0", "ports": ports}
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": namespace, **metadata},
                "spec": {"containers": [container]},
            }
        )

    http, metrics = {"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9102}
    for namespace in ("shop", "cart", "search"):
        until(partial(cluster.has_account, namespace), "namespaces have their account", 240)
    for namespace in ("shop", "cart"):
        for number in range(2):
            pod(namespace, f"basket-{number}", [http, metrics], labels={"app": "basket"})
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "basket", "namespace": namespace, "labels": {"app": "basket"}},
                "spec": {
                    "selector": {"app": "basket"},
                    "ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 9102}],
                },
            }
        )
    pod("search", "crawler-0", [http, metrics], annotations={"example.com/job": "crawler"})
    pod("search", "other-0", [http, metrics], annotations={"example.com/job": "other"})
    pod("batch", "crawler-1", [metrics], annotations={"example.com/job": "crawler"})


def _is_ready(cluster: Cluster, workload: dict[str, Any]) -> bool:
    metadata = workload["metadata"]
    status = cluster.get(workload["kind"], "apps/v1", metadata["namespace"], metadata["name"]).get("status", {})
    if workload["kind"] == "DaemonSet":
        return bool(status.get("numberReady") == NODES)
    return bool(status.get("readyReplicas") == 1)


def test_every_pod_of_the_stack_comes_up_where_it_should(running: Stack, cluster: Cluster) -> None:
    pods = cluster.get("Pod", "v1", running.namespace)["items"]
    assert {pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in pods} == {
        each.name for each in running.plan.services if not each.per_node
    }
    watching = cluster.get("Pod", "v1", running.host_namespace)["items"]
    assert sorted(pod["spec"]["nodeName"] for pod in watching) == [f"node-{number}" for number in range(NODES)]
    for claim in cluster.get("PersistentVolumeClaim", "v1", running.namespace)["items"]:
        assert claim["status"]["phase"] == "Bound", claim["metadata"]["name"]


def test_every_network_name_leads_to_ready_pods_on_the_planned_ports(running: Stack, cluster: Cluster) -> None:
    def ends(planned: Service) -> tuple[int, set[int]]:
        """How many pods a name leads to, and on which ports."""
        slices = cluster.get("EndpointSlice", "discovery.k8s.io/v1", running.namespace_of(planned))["items"]
        own = [each for each in slices if each["metadata"]["labels"]["kubernetes.io/service-name"] == planned.name]
        count = sum(len(each["endpoints"] or ()) for each in own)
        return count, {port["port"] for each in own for port in each["ports"] or ()}

    for planned in running.plan.services:
        ports = {port.number for port in planned.ports} | {metrics.port for metrics in planned.metrics}
        wanted = (NODES if planned.per_node else 1, ports)
        # A controller of its own writes them, after the pods are ready.
        until(lambda each=planned, wanted=wanted: ends(each) == wanted, f"{planned.name} leads to {wanted}")  # type: ignore[misc]


def test_prometheus_finds_exactly_the_planned_targets(running: Stack, cluster: Cluster, tmp_path: Path) -> None:
    def names(job: str, *labels: str) -> list[tuple[Any, ...]]:
        return sorted(tuple(each.get(label) for label in labels) for each in found.get(job, []))

    with real_prometheus(cluster, running, tmp_path) as client:
        wanted = dict.fromkeys(("node-exporter", "kubelet", "cadvisor"), NODES)
        wanted |= {"apiserver": 1, "basket": 4, "crawler": 1, "grafana": 1}

        def complete() -> dict[str, list[dict[str, Any]]] | None:
            """The targets, once there are enough: those of one job, too, are found one after the other."""
            seen = targets(client)
            return seen if all(len(seen.get(job, ())) >= count for job, count in wanted.items()) else None

        found = until(complete, f"{wanted} are found", 180)
    nodes = [(f"node-{number}",) for number in range(NODES)]
    assert names("node-exporter", "instance") == names("kubelet", "instance") == names("cadvisor", "node") == nodes
    assert all(each["url"].endswith(":9100/metrics") for each in found["node-exporter"])
    assert all(each["url"].endswith(":10250/metrics/cadvisor") for each in found["cadvisor"])
    assert [each["url"] for each in found["apiserver"]] == [f"https://192.0.2.1:{cluster.ports['api']}/metrics"]
    baskets = [(space, f"basket-{number}", "basket", "web") for space in ("cart", "shop") for number in range(2)]
    assert names("basket", "namespace", "pod", "service", "team") == baskets
    assert all(each["url"].endswith(":8080/metrics") for each in found["basket"])
    assert names("crawler", "namespace", "pod", "service", "team") == [("search", "crawler-0", "crawler", "search")]
    assert all(each["url"].endswith(":9102/metrics") for each in found["crawler"])
    assert "coredns" not in found  # this cluster has none
    assert {each["url"] for each in found["grafana"]} == {"https://grafana:3000/metrics"}


def test_without_its_role_it_finds_nothing(running: Stack, cluster: Cluster, tmp_path: Path) -> None:
    """What the test above relies on: that finding is a matter of what Prometheus may read."""
    account = f"{running.namespace}:prometheus"
    cluster.kubectl("delete", "rolebinding", "-n", "search", f"{running.namespace}-prometheus")
    try:
        # The API server learns of that by a watch of its own, a moment later.
        until(lambda: not cluster.allowed(account, "list", "pods", "search"), "the role is gone")
        with real_prometheus(cluster, running, tmp_path) as client:
            until(lambda: len(targets(client).get("basket", ())) == 4, "basket is found", 180)
            assert "crawler" not in targets(client)
    finally:
        binding = [
            each for each in of_kind(manifests(running), "RoleBinding") if each["metadata"]["namespace"] == "search"
        ]
        cluster.apply(binding[0])


def test_changed_files_leave_the_pods_alone_and_a_changed_program_does_not(running: Stack, cluster: Cluster) -> None:
    def generation(kind: str, name: str) -> int:
        found = cluster.get(kind, "apps/v1", running.namespace, name)
        return int(found["metadata"]["generation"])

    before = generation("StatefulSet", "prometheus"), generation("StatefulSet", "jaeger")
    wanted = changed(STACK, scrape={"interval": "20s"}, tracing={"retention": "5d"})
    for each in manifests(stack_on_cluster(parse_stack(wanted, "running"))):
        cluster.apply(each)
    assert "scrape_interval: 20s" in str(
        cluster.get("ConfigMap", "v1", running.namespace, "prometheus-files")["data"]["prometheus.yml"]
    )
    assert generation("StatefulSet", "prometheus") == before[0], "a scrape interval goes live without a restart"
    assert generation("StatefulSet", "jaeger") == before[1] + 1, "Jaeger reads its file at the start only"


def test_a_claim_grows_in_place_and_a_smaller_one_is_refused(running: Stack, cluster: Cluster) -> None:
    def made(size: str) -> dict[str, Any]:
        config = parse_stack(changed(STACK, kubernetes__volumes__prometheus=size), "running")
        return one(manifests(stack_on_cluster(config)), "PersistentVolumeClaim", "prometheus-data")

    before = cluster.get("PersistentVolumeClaim", "v1", running.namespace, "prometheus-data")
    grown, _ = cluster.apply(made("20GB"))
    assert grown["metadata"]["uid"] == before["metadata"]["uid"]
    assert grown["spec"]["resources"]["requests"]["storage"] == "20Gi"
    with pytest.raises(Refused, match="field can not be less than"):
        cluster.apply(made("9GB"))
