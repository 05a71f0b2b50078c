"""How Prometheus finds its targets in a cluster, and which rules that switches on."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import parse_stack
from components.rules import cluster_subjects
from components.spec import Call, Plan
from tests.support import ACCESS, changed, config_of, data, plan_of, planned, service

MINIMAL: dict[str, Any] = {"environment": "test", "platform": "kubernetes", "kubernetes": {"context": "test"}}
SHOP = {"name": "shop", "team": "web", "port": 8080, "discovery": {"kubernetes": {"namespaces": ["shop"]}}}


def plan(**changes: Any) -> Plan:
    return planned(parse_stack(changed(MINIMAL, **changes), "stacks/Pulumi.test.yaml"))


def jobs(whole: Plan) -> dict[str, dict[str, Any]]:
    found = data(service(whole, "prometheus"), "prometheus.yml")["scrape_configs"]
    return {job["job_name"]: job for job in found}


def kept(job: dict[str, Any]) -> dict[str, str]:
    """What a target must have to be kept."""
    return {r["source_labels"][0]: r["regex"] for r in job["relabel_configs"] if r.get("action") == "keep"}


def test_a_service_is_found_by_its_name_where_nothing_else_is_said() -> None:
    job = jobs(plan(services=[SHOP]))["shop"]
    assert job["kubernetes_sd_configs"] == [{"role": "endpointslice", "namespaces": {"names": ["shop"]}}]
    assert kept(job) == {
        "__meta_kubernetes_service_label_app_kubernetes_io_name": "shop",
        "__meta_kubernetes_endpointslice_port": "8080",
    }
    set_by = {
        r["target_label"]: r.get("replacement") or r["source_labels"][0]
        for r in job["relabel_configs"]
        if "target_label" in r
    }
    assert set_by == {
        "namespace": "__meta_kubernetes_namespace",
        "pod": "__meta_kubernetes_pod_name",
        "node": "__meta_kubernetes_pod_node_name",
        "service": "shop",
        "team": "web",
    }


def test_labels_and_annotations_are_all_wanted_and_literal() -> None:
    discovery = {"namespaces": ["a", "b"], "role": "pod", "labels": {"app": "x.y"}, "annotations": {"e.com/j-k": "a|b"}}
    job = jobs(plan(services=[changed(SHOP, port=None, discovery={"kubernetes": {**discovery, "port_name": "m-1"}})]))[
        "shop"
    ]
    assert kept(job) == {
        "__meta_kubernetes_pod_label_app": r"x\.y",
        "__meta_kubernetes_pod_annotation_e_com_j_k": r"a\|b",
        "__meta_kubernetes_pod_container_init": "false",
        "__meta_kubernetes_pod_container_port_name": "m-1",
    }
    (dropped,) = (r for r in job["relabel_configs"] if r.get("action") == "drop")
    assert dropped == {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Failed|Succeeded", "action": "drop"}


def test_an_annotation_alone_asks_for_no_label() -> None:
    discovery = {"kubernetes": {"namespaces": ["a"], "annotations": {"x": "y"}}}
    assert "__meta_kubernetes_service_label_app_kubernetes_io_name" not in kept(
        jobs(plan(services=[changed(SHOP, discovery=discovery)]))["shop"]
    )


def test_a_program_on_every_node_is_an_instance_for_each() -> None:
    job = jobs(plan())["node-exporter"]
    assert "static_configs" not in job
    assert {"source_labels": ["__meta_kubernetes_pod_node_name"], "target_label": "instance"} in job["relabel_configs"]
    assert kept(job)["__meta_kubernetes_pod_container_port_number"] == "9100"
    assert "static_configs" in jobs(plan_of("dev"))["node-exporter"], "one machine has one address"


def test_what_is_asked_by_address_is_certified_by_name() -> None:
    protected = jobs(plan(access=ACCESS))
    assert protected["node-exporter"]["tls_config"]["server_name"] == "node-exporter"
    assert "server_name" not in protected["grafana"]["tls_config"]


def test_kubelets_are_checked_only_where_they_can_be() -> None:
    assert jobs(plan())["kubelet"]["tls_config"] == {"insecure_skip_verify": True}
    strict = jobs(plan(kubernetes__monitor={"verify_kubelets": True}))
    for name in ("kubelet", "cadvisor"):
        assert strict[name]["tls_config"] == {"ca_file": "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"}


def test_containers_have_a_name_that_people_know() -> None:
    name, parts = jobs(plan())["cadvisor"]["metric_relabel_configs"]
    assert name == {"target_label": "name", "replacement": ""}
    assert (parts["source_labels"], parts["replacement"]) == (["namespace", "pod", "container"], "$1/$2/$3")


SWITCHES = {"kubelet": ["kubelet"], "api_server": ["apiserver"], "dns": ["coredns"]}


@pytest.mark.parametrize(("switch", "gone"), SWITCHES.items())
def test_what_a_managed_cluster_hides_is_neither_asked_nor_waited_for(switch: str, gone: list[str]) -> None:
    everything, less = plan(), plan(kubernetes__monitor={switch: False})
    assert {*jobs(everything)} - {*jobs(less)} == {*gone}
    files = [{file.path for file in service(each, "prometheus").files} for each in (everything, less)]
    assert files[0] - files[1] == {f"rules/{name}.yaml" for name in gone}


def test_the_clusters_own_rules_are_on_in_a_cluster_only() -> None:
    assert cluster_subjects(config_of("k8s-prod")) == {"kubelet", "apiserver", "coredns", "cadvisor"}
    assert cluster_subjects(config_of("prod")) == set()
    assert cluster_subjects(config_of("small-cluster")) == set()


def test_prometheus_asks_for_no_more_of_the_api_than_it_uses() -> None:
    assert service(plan_of("small-cluster"), "prometheus").api is None
    assert service(plan_of("dev"), "prometheus").api is None
    api = service(plan(services=[SHOP]), "prometheus").api
    assert api
    assert api.namespaces == ("observatory-test", "observatory-test-host", "shop", "default", "kube-system")
    assert api.nodes
    hidden = plan(
        kubernetes__monitor={"kubelet": False, "api_server": False, "dns": False}, exporters={"cadvisor": False}
    )
    less = service(hidden, "prometheus").api
    assert less
    assert (less.namespaces, less.nodes) == (("observatory-test", "observatory-test-host"), False)


def test_services_in_the_cluster_are_called_where_they_are() -> None:
    calls = service(plan(services=[SHOP]), "prometheus").calls
    assert Call(port=8080, namespaces=("shop",)) in calls
    assert Call() not in calls
    elsewhere = changed(SHOP, discovery={"dns": {"names": ["shop.example.com"]}})
    assert Call() in service(plan(services=[elsewhere]), "prometheus").calls
