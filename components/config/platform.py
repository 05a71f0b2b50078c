"""What each platform takes of a stack file: the settings of another one are an error, never left aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from components.config.base import size_bytes
from components.config.errors import Problem, RelationError
from components.config.kubernetes import Kubernetes
from components.config.operated import operator_problems
from components.config.products import Ports

if TYPE_CHECKING:
    from components.config.stack import StackConfig


def only_own_settings(data: Any) -> Any:
    """Refuse the other platform's keys; on Kubernetes, where no port of a host is published, publish none."""
    if not isinstance(data, dict):
        return data
    problems = []
    if data.get("platform") == "kubernetes":
        if "docker" in data:
            problems.append(Problem("docker", "is for platform: docker only", hint="the cluster is in `kubernetes:`"))
        if "ports" in data:
            hint = "give the UIs hosts in `kubernetes.ingress` or `kubernetes.gateway`, or use `kubectl port-forward`"
            problems.append(
                Problem("ports", "publishes ports of a Docker host, which Kubernetes does not do", hint=hint)
            )
        if not data.get("kubernetes"):
            hint = "`kubernetes: {context: my-cluster}`; `kubectl config get-contexts` lists them"
            problems.append(Problem("kubernetes", "is required with platform: kubernetes", hint=hint))
        published = (name for name in Ports.model_fields if name != "bind_address")
        data = {**data, "ports": dict.fromkeys(published)}
    elif "kubernetes" in data:
        problems.append(Problem("kubernetes", "is for platform: kubernetes only", hint="add `platform: kubernetes`"))
    if problems:
        raise RelationError(problems)
    return data


def namespaces(config: StackConfig) -> tuple[str, str]:
    """A stack's namespaces: its own, and that of what watches the nodes."""
    assert config.kubernetes is not None
    own = config.kubernetes.namespace or f"observatory-{config.environment}"
    return own, f"{own}-host"


def platform_problems(config: StackConfig) -> Iterator[Problem]:
    """What must hold between the cluster's settings and the rest."""
    cluster = config.kubernetes
    if cluster is None:
        for index, service in enumerate(config.services):
            if service.discovery.kubernetes:
                yield Problem(f"services[{index}].discovery.kubernetes", "needs platform: kubernetes")
        return
    if config.demo and config.images.registry is None:
        hint = "push them to a registry of yours and name it in `images.registry`, see docs/guide/demo.md"
        yield Problem("demo", "its images are made on this machine, and the cluster cannot pull them", hint=hint)
    for index, service in enumerate(config.services):
        found = service.discovery.kubernetes
        if found and (own := {*found.namespaces} & {*namespaces(config)}):
            reason = "is the stack's own namespace; what is in there is scraped without being asked for"
            yield Problem(f"services[{index}].discovery.kubernetes.namespaces", reason, min(own))
    if cluster.namespace is None and len(f"observatory-{config.environment}-host") > 63:
        reason = "is too long for a namespace observatory-<environment>-host, which has 63 characters at most"
        yield Problem("environment", reason, config.environment, "set `kubernetes.namespace`")
    if config.retention.size and size_bytes(config.retention.size) > 0.8 * cluster.volumes.bytes_of("prometheus"):
        reason = f"must be at most 80 % of kubernetes.volumes.prometheus {cluster.volumes.prometheus}"
        yield Problem("retention.size", reason, config.retention.size)
    if cluster.operator == "existing":
        yield from operator_problems(config)
    yield from _host_problems(config, cluster)


def _host_problems(config: StackConfig, cluster: Kubernetes) -> Iterator[Problem]:
    place = f"kubernetes.{cluster.entrance}"
    if cluster.entrance_namespace in namespaces(config):
        reason = "is the stack's own namespace, in which all is closed: what leads to the UIs has to be in another one"
        yield Problem(f"{place}.{cluster.entrance_key}", reason, cluster.entrance_namespace)
    taken: dict[str, str] = {}
    for name, host in cluster.hosts.given.items():
        first = taken.setdefault(host, name)
        if first != name:
            yield Problem(f"{place}.hosts.{name}", f"is the host of {first}, too: each UI needs one of its own", host)
        if config.access is None and name != "grafana":
            reason, hint = "would be open to others without a password", "add `access:` (TLS and a password)"
            yield Problem(f"{place}.hosts.{name}", reason, host, hint)
