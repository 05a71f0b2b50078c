"""Network policies: everything is closed, then exactly the connections of the plan are open, and name resolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from components.platforms.kubernetes_objects import NAMESPACE_NAME, Manifest, Stack
from components.platforms.kubernetes_ports import policy_ports, ports_of
from components.spec import Service

Rule = dict[str, Any]
DNS_PORTS = ("UDP", "TCP")
API_SERVER_PORTS = (443, 6443)
"""What a policy sees is the port behind the Service `kubernetes`, 6443 nearly everywhere."""
KUBELET_PORT = 10250


def default_deny(stack: Stack, namespace: str) -> Manifest:
    """Nothing comes in or goes out unless another policy says so."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny", "namespace": namespace, "labels": stack.common_labels()},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def edges(stack: Stack) -> list[tuple[Service, Service, tuple[int | str, ...]]]:
    """Who calls whom within the stack, on which ports, each pair once."""
    found: dict[tuple[str, str], list[int | str]] = {}
    for caller in stack.plan.services:
        for call in caller.calls:
            callee = stack.plan.service(call.service) if call.service else None
            if callee:
                ports: list[int | str] = [call.port] if call.port else [port.number for port in ports_of(callee)]
                found.setdefault((caller.name, callee.name), []).extend(ports)
    services = {service.name: service for service in stack.plan.services}
    return [
        (services[caller], services[callee], tuple(dict.fromkeys(ports))) for (caller, callee), ports in found.items()
    ]


def policy(stack: Stack, service: Service) -> Manifest:
    """What one service may be asked and may ask."""
    ingress, egress = list(_ingress(stack, service)), list(_egress(stack, service))
    if service.calls:  # the API server is found by its address
        egress.append(_dns())
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": stack.metadata(service),
        "spec": {
            "podSelector": {"matchLabels": stack.selector(service)},
            "policyTypes": ["Ingress", "Egress"],
            **({"ingress": ingress} if ingress else {}),
            **({"egress": egress} if egress else {}),
        },
    }


def _ingress(stack: Stack, service: Service) -> Iterator[Rule]:
    for caller, callee, called in edges(stack):
        if callee.name == service.name:
            yield {"from": [_pods(stack, service, caller)], "ports": policy_ports(callee, *called)}
    for kind, namespaces in (
        ("traces", stack.cluster.trace_namespaces),
        ("samples", stack.cluster.sample_namespaces),
    ):
        ports = [port.number for port in service.ports if port.intake == kind]
        if ports and namespaces:
            yield {"from": [_namespace(name) for name in namespaces], "ports": _tcp(*ports)}
    # A host leads to the first of several replicas, or to all where they have a name for that.
    if getattr(stack.cluster.hosts, service.group if service.entry_name else service.name, None):
        yield {"from": [_namespace(stack.cluster.entrance_namespace)], "ports": _tcp(service.port("http").number)}


def _egress(stack: Stack, service: Service) -> Iterator[Rule]:
    for caller, callee, ports in edges(stack):
        if caller.name == service.name:
            yield {"to": [_pods(stack, service, callee)], "ports": policy_ports(callee, *ports)}
    for call in service.calls:
        if call.namespaces:
            rule = {"to": [_namespace(name) for name in call.namespaces]}
            yield rule | ({"ports": _tcp(call.port)} if call.port else {})
    outside = {call.port for call in service.calls if not call.service and not call.namespaces}
    if None in outside:
        # Any port: a policy sees the one behind a cluster's Service, which a stack file does not say.
        yield {}
    elif outside:
        yield {"ports": _tcp(*sorted((port for port in outside if port), key=str))}
    if service.api:
        nodes = (KUBELET_PORT,) if service.api.nodes else ()
        yield {"ports": _tcp(*API_SERVER_PORTS, *nodes)}


def _pods(stack: Stack, seen_from: Service, other: Service) -> Rule:
    """The pods of `other`, as a policy in the namespace of `seen_from` names them."""
    peer: Rule = {"podSelector": {"matchLabels": stack.selector(other)}}
    namespace = stack.namespace_of(other)
    return peer if namespace == stack.namespace_of(seen_from) else _namespace(namespace) | peer


def _namespace(name: str) -> Rule:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: name}}}


def _dns() -> Rule:
    # Any namespace: not every cluster has its name servers in kube-system; and the cache that many nodes have.
    caches = {"ipBlock": {"cidr": "169.254.0.0/16"}}
    return {
        "to": [{"namespaceSelector": {}}, caches],
        "ports": [{"protocol": protocol, "port": 53} for protocol in DNS_PORTS],
    }


def _tcp(*ports: int | str) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]
