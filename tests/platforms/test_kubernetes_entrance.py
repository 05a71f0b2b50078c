"""Ways to the UIs from outside: always with TLS, to those alone that have a host, and trusted on the way in."""

from __future__ import annotations

import pytest

from components.config import parse_stack
from components.platforms.kubernetes_policies import policy
from tests.platforms.clusters import is_open, objects, of_kind, on_cluster, one, stack_on_cluster
from tests.support import BEHIND_GATEWAY, changed, service

FOUND = objects("gateway")
STACK = on_cluster("gateway")
API = "gateway.networking.k8s.io/v1"


def test_each_ui_with_a_host_has_a_route_on_the_listener_with_tls() -> None:
    routes = of_kind(FOUND, "HTTPRoute")
    assert [each["metadata"]["name"] for each in routes] == ["alertmanager", "prometheus", "grafana"]
    assert not of_kind(FOUND, "Ingress")
    for each, port in zip(routes, (9093, 9090, 3000), strict=True):
        name = each["metadata"]["name"]
        assert each["apiVersion"] == API
        assert each["metadata"]["namespace"] == "behind"
        assert each["spec"] == {
            "parentRefs": [{"name": "edge", "namespace": "gateways", "sectionName": "https"}],
            "hostnames": [f"{name}.example.com"],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "backendRefs": [{"name": name, "port": port}],
                }
            ],
        }


def test_the_gateway_trusts_the_stacks_authority_for_the_name_of_each_ui() -> None:
    for name in ("alertmanager", "prometheus", "grafana"):
        found = one(FOUND, "BackendTLSPolicy", name)
        assert found["apiVersion"] == API
        assert found["spec"] == {
            "targetRefs": [{"group": "", "kind": "Service", "name": name}],
            "validation": {
                "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": f"{name}-authority"}],
                "hostname": name,
            },
        }
        assert one(FOUND, "ConfigMap", f"{name}-authority")["data"] == {"ca.crt": "<secret:tlsCa>"}


def test_without_access_there_is_nothing_to_trust() -> None:
    hosts = {"grafana": "grafana.example.com"}
    config = parse_stack(changed(BEHIND_GATEWAY, access=None, kubernetes__gateway__hosts=hosts), "test")
    stack = stack_on_cluster(config)
    kinds = [each["kind"] for each in objects("operated")]
    assert kinds.count("HTTPRoute") == 1
    assert "BackendTLSPolicy" not in kinds
    assert stack.cluster.entrance_namespace == "envoy"


def test_only_the_gateways_pods_come_in_and_only_to_uis_with_a_host() -> None:
    labels = {"app": "proxy"}
    for planned in STACK.plan.services:
        callee = STACK.namespace_of(planned), STACK.labels(planned)
        for port in {each.number for each in planned.ports}:
            wanted = planned.name in ("alertmanager", "prometheus", "grafana") and port == planned.port("http").number
            rules = policy(STACK, planned)["spec"].get("ingress", [])
            spaces = [
                peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
                for rule in rules
                for peer in rule["from"]
                if "podSelector" not in peer and any(each["port"] == port for each in rule["ports"])
            ]
            assert ("envoy" in spaces) == wanted, planned.name
            assert not is_open(FOUND, ("gateways", labels), callee, port), "the pods are elsewhere, as the file says"


@pytest.mark.parametrize("name", ["gateway", "cluster"])
def test_links_lead_to_the_hosts(name: str) -> None:
    args = service(on_cluster(name).plan, "prometheus").args
    assert "--web.external-url=https://prometheus.example.com" in args
