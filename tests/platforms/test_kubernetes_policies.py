"""What is open between programs is what the plan says, no more and no less."""

from __future__ import annotations

import pytest

from components.platforms.kubernetes_policies import edges
from components.platforms.kubernetes_ports import ports_of
from components.spec import Service
from tests.platforms.clusters import CLUSTERS, is_open, lets_through, objects, of_kind, on_cluster, one

every_cluster = pytest.mark.parametrize("name", CLUSTERS)


def place(name: str, service: Service) -> tuple[str, dict[str, str]]:
    stack = on_cluster(name)
    host = stack.plan.service(service.beside) or service
    return stack.namespace_of(service), stack.labels(host)


def pod(service: Service) -> str:
    return service.beside or service.name


@every_cluster
def test_every_namespace_is_closed_by_default(name: str) -> None:
    for namespace in on_cluster(name).namespaces():
        (policy,) = (
            each
            for each in of_kind(objects(name), "NetworkPolicy")
            if each["metadata"]["namespace"] == namespace and each["metadata"]["name"] == "default-deny"
        )
        assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in of_kind(objects(name), "NetworkPolicy"):
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


@every_cluster
def test_between_services_exactly_the_connections_of_the_plan_are_open(name: str) -> None:
    plan, found = on_cluster(name).plan, objects(name)
    pods = {each.name: pod(each) for each in plan.services}
    for caller in plan.services:
        for callee in plan.services:
            for port in (*(each.number for each in ports_of(callee)), 12345):
                if pod(caller) == pod(callee):
                    continue
                planned = port != 12345 and any(
                    pods.get(call.service) == pod(callee) and call.port in (port, None)
                    for each in plan.services
                    if pod(each) == pod(caller)  # a policy is for a pod, whichever program of it speaks
                    for call in each.calls
                )
                way = f"{caller.name} -> {callee.name}:{port}"
                assert is_open(found, place(name, caller), place(name, callee), port) == planned, way


@every_cluster
def test_nobody_else_in_the_cluster_comes_in(name: str) -> None:
    stack, found = on_cluster(name), objects(name)
    strangers = [("default", {"app": "x"}), ("kube-system", {}), (stack.namespace, {"app": "y"})]
    strangers += [(space, stack.labels(stack.plan.services[-1])) for space in ("default", "shop-2")]
    for callee in stack.plan.services:
        for policy in of_kind(found, "NetworkPolicy"):
            if policy["metadata"]["name"] != callee.name:
                continue
            for rule in policy["spec"].get("ingress", []):
                assert rule["from"], "an empty list of peers would be everybody"
                for space, labels in strangers:
                    for port in (each.number for each in ports_of(callee)):
                        assert not lets_through(rule, "from", stack.namespace_of(callee), space, labels, port)


def test_traces_come_from_the_named_namespaces_and_ports_only() -> None:
    policy = one(objects("cluster"), "NetworkPolicy", "jaeger")
    (rule,) = (each for each in policy["spec"]["ingress"] if "podSelector" not in each["from"][0])
    spaces = [each["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for each in rule["from"]]
    assert spaces == ["shop", "cart"]
    assert [each["port"] for each in rule["ports"]] == [4317, 4318, 9411]


def test_the_ingress_controller_reaches_what_has_a_host() -> None:
    open_to = {}
    for policy in of_kind(objects("cluster"), "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            if (
                rule["from"][0].get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
                == "ingress-nginx"
            ):
                open_to[policy["metadata"]["name"]] = [each["port"] for each in rule["ports"]]
    assert open_to == {"grafana": [3000], "prometheus": [9090]}


def test_the_way_out_is_as_narrow_as_the_stack_file_lets_it_be() -> None:
    def outside(stack: str, service: str) -> list[object]:
        rules = one(objects(stack), "NetworkPolicy", service)["spec"].get("egress", [])
        return [rule.get("ports") for rule in rules if "to" not in rule]

    def tcp(*ports: int) -> list[dict[str, object]]:
        return [{"protocol": "TCP", "port": port} for port in ports]

    # Slack and PagerDuty: 443. Static and DNS targets, webhooks, probes: their port is behind a Service, so any.
    assert outside("k8s-prod", "alertmanager") == [tcp(443)]
    assert outside("cluster", "alertmanager") == [None]
    assert outside("k8s-dev", "alertmanager") == []
    assert outside("k8s-dev", "blackbox-exporter") == []
    assert outside("k8s-prod", "blackbox-exporter") == [None]
    assert outside("cluster", "grafana") == [tcp(443)]
    assert outside("k8s-prod", "grafana") == []
    assert outside("k8s-dev", "prometheus") == [tcp(443, 6443, 10250)]
    assert outside("small-cluster", "prometheus") == []
    assert outside("k8s-dev", "node-exporter") == []


def test_services_found_in_the_cluster_are_reached_where_they_are_and_nowhere_else() -> None:
    rules = one(objects("k8s-dev"), "NetworkPolicy", "prometheus")["spec"]["egress"]

    def reaches(namespace: str, port: int | str) -> bool:
        return any(lets_through(rule, "to", "own", namespace, {}, port) for rule in rules if "to" in rule)

    assert reaches("shop", 8080)
    assert not reaches("shop", 8081)
    assert not reaches("default", 8080)
    assert reaches("kube-system", 9153)
    prod = one(objects("k8s-prod"), "NetworkPolicy", "prometheus")["spec"]["egress"]
    assert any(lets_through(rule, "to", "own", "search", {}, "metrics") for rule in prod if "to" in rule)


@every_cluster
def test_names_are_resolved_by_whoever_calls_and_by_nobody_else(name: str) -> None:
    for service in on_cluster(name).plan.services:
        rules = one(objects(name), "NetworkPolicy", service.name)["spec"].get("egress", [])
        dns = [rule for rule in rules if [each["port"] for each in rule.get("ports", [])] == [53, 53]]
        assert len(dns) == bool(service.calls), service.name
        assert all({each["protocol"] for each in rule["ports"]} == {"UDP", "TCP"} for rule in dns)


@every_cluster
def test_edges_are_the_calls_to_what_is_planned(name: str) -> None:
    stack = on_cluster(name)
    names = {service.name for service in stack.plan.services}
    expected = {(s.name, c.service) for s in stack.plan.services for c in s.calls if c.service in names}
    assert {(caller.name, callee.name) for caller, callee, _ in edges(stack)} == expected
    assert expected
