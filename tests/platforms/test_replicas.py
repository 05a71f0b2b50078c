"""Replicas on both platforms: one after the other, apart from each other, under one name beside their own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import pytest

from components.config import StackConfig
from components.platforms.kubernetes_manifests import manifests, service_manifests
from components.platforms.kubernetes_objects import Manifest
from tests.platforms.clusters import of_kind, on_cluster, one, pod_of, stack_on_cluster
from tests.platforms.recording import Deployment, Registered, deploy
from tests.support import config_of, stack

NAMES = ("alertmanager", "alertmanager-2", "alertmanager-3")
GROUP = {
    "app.kubernetes.io/component": "alertmanager",
    "app.kubernetes.io/instance": "observatory-available-cluster",
}


@cache
def deployed(name: str) -> Deployment:
    return deploy(config_of(name))


@cache
def cluster() -> tuple[Manifest, ...]:
    return tuple(manifests(on_cluster("available-cluster")))


def one_host_cluster() -> StackConfig:
    changes = {"platform": "kubernetes", "kubernetes": {"context": "test"}}
    return stack(high_availability={"alertmanager": 3, "one_host": True}, **changes)


def before(deployment: Deployment, resource: Registered) -> Iterator[str]:
    """Everything that a resource waits for, by way of others too."""
    known = {each.urn: each for each in deployment.resources}
    for urn in resource.dependencies:
        yield urn
        if urn in known:
            yield from before(deployment, known[urn])


@pytest.mark.parametrize(
    ("name", "touched", "proof"),
    [("available", ("Configuration", "Container"), "Started"), ("available-cluster", ("ConfigMap",), "StatefulSet")],
)
def test_each_is_touched_once_the_one_before_it_serves(name: str, touched: tuple[str, ...], proof: str) -> None:
    deployment = deployed(name)
    for earlier, later in pairwise(NAMES):
        (serves,) = (each.urn for each in deployment.of(proof) if each.name == earlier)
        for kind in (*touched, proof):
            found = [each for each in deployment.of(kind) if each.name in (later, f"{later}-files")]
            assert found, (kind, later)
            assert all(serves in before(deployment, each) for each in found)


def test_programs_of_one_kind_wait_for_no_other_kind() -> None:
    deployment = deployed("available")
    (container,) = (each for each in deployment.of("Container") if each.name == "alertmanager-3")
    waited = {urn.rpartition("::")[2] for urn in before(deployment, container) if "Container" in urn}
    assert waited == {"alertmanager", "alertmanager-2"}


def test_on_docker_all_answer_to_the_name_that_they_share_and_one_is_published() -> None:
    containers = {name: deployed("available").container(name) for name in NAMES}
    for name, container in containers.items():
        (network,) = container["networksAdvanced"]
        assert network["aliases"] == [name, "alertmanager-peers"]
    published = {name: [port["internal"] for port in each.get("ports", [])] for name, each in containers.items()}
    assert published == {"alertmanager": [9093], "alertmanager-2": [], "alertmanager-3": []}
    assert deployed("available").container("prometheus")["networksAdvanced"][0]["aliases"] == ["prometheus"]


def test_on_kubernetes_the_name_that_they_share_leads_to_each_pod_ready_or_not() -> None:
    spec = one(cluster(), "Service", "alertmanager-peers")["spec"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"], spec["selector"]) == ("None", True, GROUP)
    ports = {(port["name"], port["port"], port["protocol"]) for port in spec["ports"]}
    assert {("gossip", 9094, "TCP"), ("gossip-udp", 9094, "UDP")} <= ports
    for name in NAMES:
        labels = one(cluster(), "StatefulSet", name)["spec"]["template"]["metadata"]["labels"]
        assert labels.items() >= GROUP.items()


def test_nothing_that_can_never_change_changes_when_replicas_come() -> None:
    """Else a StatefulSet or a Service would be made anew, and the first replica be gone meanwhile."""
    config = config_of("available-cluster")
    alone = manifests(stack_on_cluster(config.model_copy(update={"high_availability": stack().high_availability})))
    for kind, fixed in (
        ("StatefulSet", ("selector", "serviceName", "podManagementPolicy")),
        ("Service", ("clusterIP",)),
    ):
        old, new = one(alone, kind, "alertmanager")["spec"], one(cluster(), kind, "alertmanager")["spec"]
        assert [old.get(key) for key in fixed] == [new.get(key) for key in fixed]
    claims = [
        each for each in of_kind(cluster(), "PersistentVolumeClaim") if "alertmanager" in each["metadata"]["name"]
    ]
    assert [each["metadata"]["name"] for each in claims] == [f"{name}-data" for name in NAMES]
    assert len({str(each["spec"]) for each in claims}) == 1


def test_a_drained_node_takes_no_second_one_away() -> None:
    (budget,) = of_kind(cluster(), "PodDisruptionBudget")
    assert budget["metadata"]["name"] == "alertmanager"
    assert budget["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": GROUP},
    }


def test_what_is_there_once_has_no_budget_which_would_keep_nodes_from_being_drained() -> None:
    assert of_kind(tuple(manifests(on_cluster("cluster"))), "PodDisruptionBudget") == []


def test_no_two_run_on_one_node_and_zones_are_used_evenly() -> None:
    for name in NAMES:
        pod = pod_of(one(cluster(), "StatefulSet", name))
        assert pod["affinity"] == {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"labelSelector": {"matchLabels": GROUP}, "topologyKey": "kubernetes.io/hostname"}
                ]
            }
        }
        (zones,) = pod["topologySpreadConstraints"]
        assert (zones["topologyKey"], zones["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "ScheduleAnyway")
        assert zones["labelSelector"] == {"matchLabels": GROUP}
    assert "affinity" not in pod_of(one(cluster(), "StatefulSet", "prometheus"))


def test_nodes_are_shared_only_by_a_word() -> None:
    pod = pod_of(one(manifests(stack_on_cluster(one_host_cluster())), "StatefulSet", "alertmanager-2"))
    (term,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert "requiredDuringSchedulingIgnoredDuringExecution" not in pod["affinity"]["podAntiAffinity"]


def test_gossip_passes_the_policies_by_both_protocols_and_only_among_replicas() -> None:
    for name in NAMES:
        spec = one(cluster(), "NetworkPolicy", name)["spec"]
        for side, way in (("ingress", "from"), ("egress", "to")):
            gossip = [
                (rule[way][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["protocol"])
                for rule in spec[side]
                for port in rule["ports"]
                if port["port"] == 9094
            ]
            assert sorted(gossip) == sorted((o, p) for o in NAMES if o != name for p in ("TCP", "UDP"))


def test_the_shared_objects_stand_with_the_first() -> None:
    whole = on_cluster("available-cluster")
    kinds = {s.name: [m["kind"] for m in service_manifests(whole, s)] for s in whole.plan.replicas("alertmanager")}
    assert ["PodDisruptionBudget" in found for found in kinds.values()] == [True, False, False]


# One name for whoever serves


def shared_cluster() -> tuple[Manifest, ...]:
    return tuple(manifests(on_cluster("shared-cluster")))


@pytest.mark.parametrize("product", ["grafana", "jaeger"])
def test_on_a_cluster_one_address_leads_to_every_replica_that_is_ready(product: str) -> None:
    found = of_kind(shared_cluster(), "Service")
    entry, first = one(found, "Service", f"{product}-any"), one(found, "Service", product)
    assert entry["spec"]["type"] == "ClusterIP"
    assert "publishNotReadyAddresses" not in entry["spec"]
    assert entry["spec"]["ports"] == first["spec"]["ports"]
    pods = [pod for pod in of_kind(shared_cluster(), "StatefulSet", "Deployment") if product in pod["metadata"]["name"]]
    assert sorted(pod["metadata"]["name"] for pod in pods) == [product, f"{product}-2"]
    for pod in pods:
        assert entry["spec"]["selector"].items() <= pod["spec"]["template"]["metadata"]["labels"].items()
    assert not first["spec"]["selector"].items() <= pods[1]["spec"]["template"]["metadata"]["labels"].items()


def test_people_and_senders_of_traces_may_reach_each_replica() -> None:
    objects = shared_cluster()
    (entrance,) = of_kind(objects, "Ingress")
    (path,) = entrance["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == "grafana-any"
    for name, namespace, port in (
        ("grafana", "ingress-nginx", 3000),
        ("grafana-2", "ingress-nginx", 3000),
        ("jaeger", "shop", 4317),
        ("jaeger-2", "shop", 4317),
    ):
        rules = one(objects, "NetworkPolicy", name)["spec"]["ingress"]
        allowed = [
            each["port"]
            for rule in rules
            for peer in rule["from"]
            if peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name") == namespace
            for each in rule["ports"]
        ]
        assert port in allowed, name


def test_on_docker_every_replica_answers_to_that_name() -> None:
    for name in ("grafana", "grafana-2", "jaeger", "jaeger-2"):
        container = deployed("shared").container(name)
        assert container["networksAdvanced"][0]["aliases"] == [name, f"{name.removesuffix('-2')}-any"]
        published = [port["external"] for port in container.get("ports", [])]
        assert bool(published) == (not name.endswith("-2"))
