"""What the tests of Kubernetes share: stacks on it, their objects, and what network policies let through."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from components.config import StackConfig
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Manifest, Stack
from components.platforms.kubernetes_policies import Rule
from tests.support import GENERATED, STACKS, config_of, planned

WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet")
LABEL = "app.kubernetes.io/name"


@cache
def on_cluster(name: str) -> Stack:
    """A stack file, or a generated stack, on its cluster."""
    config = config_of(name)
    return Stack(config, planned(config))


CLUSTERS = tuple(name for name in (*STACKS, *GENERATED) if config_of(name).platform == "kubernetes")


def stack_on_cluster(config: StackConfig) -> Stack:
    """Any configuration."""
    return Stack(config, planned(config))


@cache
def objects(name: str) -> tuple[Manifest, ...]:
    """All objects of a stack."""
    return tuple(manifests(on_cluster(name)))


def of_kind(found: tuple[Manifest, ...] | list[Manifest], *kinds: str) -> list[Manifest]:
    """Those of some kinds."""
    return [each for each in found if each["kind"] in kinds]


def one(found: tuple[Manifest, ...] | list[Manifest], kind: str, name: str) -> Manifest:
    """The one object of that kind and name."""
    (result,) = (each for each in found if each["kind"] == kind and each["metadata"]["name"] == name)
    return result


def pod_of(workload: Manifest) -> dict[str, Any]:
    """The pod that a workload makes."""
    found: dict[str, Any] = workload["spec"]["template"]["spec"]
    return found


def containers_of(workload: Manifest) -> list[dict[str, Any]]:
    """All containers of a workload's pod, the loader too."""
    pod = pod_of(workload)
    return [*pod.get("initContainers", []), *pod["containers"]]


def policies_on(found: tuple[Manifest, ...], namespace: str, labels: dict[str, str]) -> Iterator[Manifest]:
    """The network policies that select a pod."""
    for policy in of_kind(found, "NetworkPolicy"):
        selector = policy["spec"]["podSelector"].get("matchLabels", {})
        if policy["metadata"]["namespace"] == namespace and selector.items() <= labels.items():
            yield policy


def lets_through(rule: Rule, side: str, own: str, namespace: str, labels: dict[str, str], port: int | str) -> bool:
    """Whether a rule of a policy in namespace `own` matches a peer (a pod in the cluster) and a port."""
    ports = rule.get("ports")
    if ports is not None and not any(each["protocol"] == "TCP" and each["port"] == port for each in ports):
        return False
    peers = rule.get(side)
    return peers is None or any(_is_peer(peer, own, namespace, labels) for peer in peers)


def _is_peer(peer: Rule, own: str, namespace: str, labels: dict[str, str]) -> bool:
    if "ipBlock" in peer:
        return False
    spaces = peer.get("namespaceSelector")
    wanted = own if spaces is None else (spaces.get("matchLabels", {}).get("kubernetes.io/metadata.name") or namespace)
    pods = peer.get("podSelector", {}).get("matchLabels", {})
    return bool(namespace == wanted and pods.items() <= labels.items())


def is_open(
    found: tuple[Manifest, ...], caller: tuple[str, dict[str, str]], callee: tuple[str, dict[str, str]], port: int | str
) -> bool:
    """Whether the policies let one pod (namespace, labels) reach another: its way out and the other's way in."""
    out = [
        lets_through(rule, "to", caller[0], *callee, port)
        for policy in policies_on(found, *caller)
        for rule in policy["spec"].get("egress", [])
    ]
    into = [
        lets_through(rule, "from", callee[0], *caller, port)
        for policy in policies_on(found, *callee)
        for rule in policy["spec"].get("ingress", [])
    ]
    return any(out) and any(into)
