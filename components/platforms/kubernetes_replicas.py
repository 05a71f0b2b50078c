"""Replicas on Kubernetes: on different nodes, under one name beside their own, at most one of them away at a time."""

from __future__ import annotations

from typing import Any

from components.platforms.kubernetes_objects import Manifest, Stack
from components.platforms.kubernetes_ports import service_ports
from components.spec import Service

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def group_objects(stack: Stack, service: Service) -> list[Manifest]:
    """What all replicas of a service have together; it stands with the first of them."""
    if service.replica_of or not stack.grouped(service):
        return []
    return [*_shared_name(stack, service), *_entry(stack, service), _disruption_budget(stack, service)]


def spread(stack: Stack, service: Service) -> dict[str, Any]:
    """Where a replica's pod may run: never where another one of its kind does, in another zone if there is one.

    With `one_host` nodes may be shared where there are too few.
    """
    if not stack.grouped(service):
        return {}
    selector = {"matchLabels": stack.group_selector(service)}
    apart = {"labelSelector": selector, "topologyKey": HOST}
    rule = (
        {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": apart}]}
        if stack.config.high_availability.one_host
        else {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}
    )
    zones = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
    return {"affinity": {"podAntiAffinity": rule}, "topologySpreadConstraints": [zones]}


def _shared_name(stack: Stack, service: Service) -> list[Manifest]:
    """The address of each pod by one name. Also of one that is not ready: they have to meet to become so."""
    if not service.group_name:
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": stack.metadata(service, service.group_name),
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": True,
                "selector": stack.group_selector(service),
                "ports": service_ports(service),
            },
        }
    ]


def _entry(stack: Stack, service: Service) -> list[Manifest]:
    """One address for all pods that are ready."""
    if not service.entry_name:
        return []
    spec = {"type": "ClusterIP", "selector": stack.group_selector(service), "ports": service_ports(service)}
    metadata = stack.metadata(service, service.entry_name)
    return [{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}]


def _disruption_budget(stack: Stack, service: Service) -> Manifest:
    """Nodes are drained with no more than one replica away. A broken one is no reason to keep a node."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": stack.metadata(service),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": stack.group_selector(service)},
        },
    }
