"""From a planned stack to every Kubernetes object it needs: pure, and the only way in which they are made.

`./observatory render --manifests` writes them, the deployment registers exactly them, tests apply them.
"""

from __future__ import annotations

from typing import Any

from components.platforms.kubernetes_entrance import entrance
from components.platforms.kubernetes_files import file_objects
from components.platforms.kubernetes_objects import Manifest, Stack
from components.platforms.kubernetes_operator import is_operated, operated_manifests
from components.platforms.kubernetes_policies import default_deny, policy
from components.platforms.kubernetes_ports import service_ports
from components.platforms.kubernetes_replicas import group_objects
from components.platforms.kubernetes_workloads import claims, workload
from components.spec import PlatformApi, Service

_LEVELS = ("enforce", "warn", "audit")


def stack_manifests(stack: Stack) -> list[Manifest]:
    """What belongs to no service: the namespaces, closed to everything."""
    found = [_namespace(stack, name) for name in stack.namespaces()]
    return [*found, *(default_deny(stack, name) for name in stack.namespaces())]


def service_manifests(stack: Stack, service: Service) -> list[Manifest]:
    """Everything of one service, in the order in which it is needed."""
    if published := [port.name for port in service.ports if port.published]:
        raise ValueError(f"{service.name} asks for ports on a host (published), which Kubernetes has not: {published}")
    if service.per_node and service.volumes:
        raise ValueError(f"{service.name} runs on every node and cannot share volumes: {service.volumes}")
    if service.beside:
        return [*file_objects(stack, service), policy(stack, service), *_network_name(stack, service)]
    operated = is_operated(stack, service)
    return [
        _account(stack, service),
        *_roles(stack, service),
        *([] if operated else file_objects(stack, service)),
        *claims(stack, service),
        policy(stack, service),
        *_network_name(stack, service),
        *group_objects(stack, service),
        *(operated_manifests(stack, service) if operated else [workload(stack, service)]),
        *entrance(stack, service),
    ]


def manifests(stack: Stack) -> list[Manifest]:
    """Everything of a stack."""
    services = (each for service in stack.plan.services for each in service_manifests(stack, service))
    return [*stack_manifests(stack), *services]


def _namespace(stack: Stack, name: str) -> Manifest:
    level = "privileged" if name == stack.host_namespace else "restricted"
    standard = {f"pod-security.kubernetes.io/{mode}": level for mode in _LEVELS}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {**stack.common_labels(), **standard}},
    }


def _account(stack: Stack, service: Service) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": stack.metadata(service),
        "automountServiceAccountToken": False,
    }


def _roles(stack: Stack, service: Service) -> list[Manifest]:
    """Leave to read what the service asks of the API server, namespace by namespace."""
    if service.api is None:
        return []
    subject = {"kind": "ServiceAccount", "name": service.name, "namespace": stack.namespace_of(service)}
    look = ["get", "list", "watch"]
    found = [
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": look},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": look},
    ]
    objects: list[Manifest] = []
    # With the stack's own name: the namespaces are the user's, and two stacks may look into one.
    name = f"{stack.namespace}-{service.name}"
    for namespace in service.api.namespaces:
        metadata = {"name": name, "namespace": namespace, "labels": stack.labels(service)}
        objects += _role("Role", metadata, found, subject)
    if service.api.nodes:
        nodes: list[dict[str, Any]] = [
            {"apiGroups": [""], "resources": ["nodes"], "verbs": look},
            {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
            {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
        ]
        objects += _role("ClusterRole", {"name": name, "labels": stack.labels(service)}, nodes, subject)
    if service.api.watched:
        objects += _role("ClusterRole", {"name": name, "labels": stack.labels(service)}, _watch(service.api), subject)
    return objects


def _watch(api: PlatformApi) -> list[dict[str, Any]]:
    """Rules to list and watch what is `watched`, one for each group."""
    groups: dict[str, list[str]] = {}
    for kind in api.watched:
        plural, _, group = kind.partition(".")
        groups.setdefault(group, []).append(plural)
    return [
        {"apiGroups": [group], "resources": plurals, "verbs": ["list", "watch"]} for group, plurals in groups.items()
    ]


def _role(kind: str, metadata: dict[str, Any], rules: list[dict[str, Any]], subject: dict[str, str]) -> list[Manifest]:
    group = "rbac.authorization.k8s.io"
    role: Manifest = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "rules": rules}
    reference = {"apiGroup": group, "kind": kind, "name": metadata["name"]}
    binding = {"apiVersion": f"{group}/v1", "kind": f"{kind}Binding", "metadata": metadata}
    return [role, {**binding, "roleRef": reference, "subjects": [subject]}]


def _network_name(stack: Stack, service: Service) -> list[Manifest]:
    """The Service of the planned name with the planned ports; each pod for itself where there is one on every node."""
    ports = service_ports(service)
    if not ports:
        return []
    spec: dict[str, Any] = {"selector": stack.selector(service), "ports": ports}
    spec |= {"clusterIP": "None"} if service.per_node else {"type": "ClusterIP"}
    return [{"apiVersion": "v1", "kind": "Service", "metadata": stack.metadata(service), "spec": spec}]
