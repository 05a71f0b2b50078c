"""What all Kubernetes objects of a stack share: their namespace, names and labels. Plain data, no SDK."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from components.config import StackConfig
from components.config.kubernetes import Kubernetes
from components.config.platform import namespaces
from components.spec import Plan, Service

Manifest = dict[str, Any]
"""One object as the API server takes it: apiVersion, kind, metadata and the rest."""

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Label that every cluster sets on each namespace, to its name."""
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""For objects that are only ready once something else happens: a claim that waits for its pod, say."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A planned stack on its cluster."""

    config: StackConfig
    plan: Plan

    @property
    def cluster(self) -> Kubernetes:
        """The cluster's settings; a stack file for Kubernetes has them."""
        assert self.config.kubernetes is not None
        return self.config.kubernetes

    @property
    def namespace(self) -> str:
        """The namespace of everything that needs nothing of the machine it runs on."""
        return namespaces(self.config)[0]

    @property
    def host_namespace(self) -> str:
        """The namespace of what watches the machines and so may not be restricted."""
        return namespaces(self.config)[1]

    def namespace_of(self, service: Service) -> str:
        """Where a service is."""
        return self.host_namespace if needs_host(service) else self.namespace

    def namespaces(self) -> list[str]:
        """Those that the stack needs, its own first."""
        return list(dict.fromkeys([self.namespace, *map(self.namespace_of, self.plan.services)]))

    def common_labels(self) -> dict[str, str]:
        """On every object."""
        return {
            "app.kubernetes.io/instance": f"observatory-{self.config.environment}"[:63],
            "app.kubernetes.io/part-of": "observatory",
            "app.kubernetes.io/managed-by": "observatory",
        }

    def selector(self, service: Service) -> dict[str, str]:
        """The labels by which a service's pods are found; they never change, for selectors cannot."""
        return {
            "app.kubernetes.io/name": service.beside or service.name,
            "app.kubernetes.io/instance": f"observatory-{self.config.environment}"[:63],
        }

    def beside(self, service: Service) -> list[Service]:
        """The services that run in the pod of this one."""
        return [each for each in self.plan.services if each.beside == service.name]

    def grouped(self, service: Service) -> bool:
        """Whether a service is one of several replicas, or may become so."""
        return bool(service.group_name or service.entry_name) or len(self.plan.replicas(service.group)) > 1

    def group_selector(self, service: Service) -> dict[str, str]:
        """The labels by which the pods of all replicas of a service are found."""
        return {
            "app.kubernetes.io/component": service.group,
            "app.kubernetes.io/instance": f"observatory-{self.config.environment}"[:63],
        }

    def labels(self, service: Service) -> dict[str, str]:
        """On every object of a service."""
        version = version_label(service.image)
        return {
            **self.selector(service),
            "app.kubernetes.io/name": service.name,
            **(self.group_selector(service) if self.grouped(service) else {}),
            **self.common_labels(),
            **({"app.kubernetes.io/version": version} if version else {}),
        }

    def metadata(self, service: Service, name: str = "", **more: Any) -> dict[str, Any]:
        """Metadata of an object of a service; `name` defaults to the service's."""
        return {
            "name": name or service.name,
            "namespace": self.namespace_of(service),
            "labels": self.labels(service),
            **more,
        }


def needs_host(service: Service) -> bool:
    """Whether a service needs what the restricted Pod Security Standard forbids."""
    return bool(service.host_mounts or service.host_pid or service.user.startswith("0:"))


def version_label(image: str) -> str:
    """The image's tag as a label's value; empty where it has none but a digest."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return re.sub(r"[^A-Za-z0-9]+$", "", tag[:63])


def key_of(manifest: Manifest) -> tuple[str, str, str]:
    """What an object is known by: kind, namespace ("" where there is none), name."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]
