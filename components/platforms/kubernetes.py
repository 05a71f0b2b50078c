"""Kubernetes: registers the objects that `kubernetes_manifests` makes, as they are, with their secrets put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import pulumi
import pulumi_kubernetes

from components.config import StackConfig
from components.platforms.kubernetes_growth import growing
from components.platforms.kubernetes_manifests import service_manifests, stack_manifests
from components.platforms.kubernetes_objects import Manifest, Stack
from components.secrets import marked, resolved
from components.spec import SECRET_TOKEN, File, Plan, Service

_SDK_VERSION = version("pulumi-kubernetes")
"""The provider's plugin has the version of its SDK."""
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Prometheus")


class KubernetesPlatform:
    """One cluster, and the stack's own namespaces in it."""

    def __init__(self, config: StackConfig, plan: Plan, parent: pulumi.Resource):
        self.stack = Stack(config, plan)
        cluster = self.stack.cluster
        self.provider = pulumi_kubernetes.Provider(
            "cluster",
            context=cluster.context,
            kubeconfig=cluster.kubeconfig,
            # Changed configuration is an update of the same object, which programs then load; never a new one.
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            # Kept data, and the namespace that it is in, are taken up again where a stack had been removed.
            upsert_existing_objects=True,
            opts=pulumi.ResourceOptions(parent=parent),
        )
        self.growing = growing()
        self.namespaces: list[pulumi.Resource] = []
        for manifest in stack_manifests(self.stack):
            made = self._make(manifest, parent, {})
            if manifest["kind"] == "Namespace":
                self.namespaces.append(made)

    def deploy(
        self,
        service: Service,
        parent: pulumi.Resource,
        secrets: Mapping[str, pulumi.Output[str]],
        after: Sequence[pulumi.Resource] = (),
    ) -> pulumi.Resource:
        """Create the service's objects; the provider waits until its pods are ready."""
        made: list[pulumi.Resource] = []
        workload: pulumi.Resource = parent
        for manifest in service_manifests(self.stack, service):
            is_workload = manifest["kind"] in _WORKLOADS
            each = self._make(manifest, parent, secrets, after=[*after, *made] if is_workload else after)
            workload = each if is_workload else workload
            made.append(each)
        return workload

    def _make(
        self,
        manifest: Manifest,
        parent: pulumi.Resource,
        secrets: Mapping[str, pulumi.Output[str]],
        after: Sequence[pulumi.Resource] = (),
    ) -> pulumi.Resource:
        kind, api = manifest["kind"], manifest["apiVersion"]
        # Typed classes would send the same, after half a second of imports for each preview.
        token = f"kubernetes:{api if '/' in api else f'core/{api}'}:{kind}"
        return pulumi.CustomResource(
            token,
            self._name(manifest),
            _with_secrets(manifest, secrets),
            pulumi.ResourceOptions(
                parent=parent,
                provider=self.provider,
                depends_on=[*(self.namespaces if "namespace" in manifest["metadata"] else ()), *after],
                version=_SDK_VERSION,
                additional_secret_outputs=["data", "stringData"] if _secret_place(manifest) else None,
                hooks=self.growing if kind == "PersistentVolumeClaim" else None,
                **self._lifetime(manifest),
            ),
        )

    def _name(self, manifest: Manifest) -> str:
        """An object's name, with its namespace where that is not the stack's."""
        name, namespace = manifest["metadata"]["name"], manifest["metadata"].get("namespace", self.stack.namespace)
        return str(name) if namespace == self.stack.namespace else f"{namespace}/{name}"

    def _lifetime(self, manifest: Manifest) -> dict[str, Any]:
        """Data outlives the stack: the claims, and the namespace, with which they would go."""
        kept = self.stack.config.data.keep and (
            manifest["kind"] == "PersistentVolumeClaim"
            or (manifest["kind"] == "Namespace" and manifest["metadata"]["name"] == self.stack.namespace)
        )
        return {"protect": True, "retain_on_delete": True} if kept else {}


def _with_secrets(manifest: Manifest, secrets: Mapping[str, pulumi.Output[str]]) -> dict[str, Any]:
    """The same object; where it holds placeholders of secrets, with their values or marks in place of them."""
    if manifest["kind"] in _WORKLOADS:
        return _with_marks(manifest, secrets)
    place = _secret_place(manifest)
    if place is None:
        return manifest
    values = {key: resolved(File(key, content), secrets) for key, content in manifest[place].items()}
    return {**manifest, place: pulumi.Output.secret(values)}


def _with_marks(manifest: Manifest, secrets: Mapping[str, pulumi.Output[str]]) -> dict[str, Any]:
    """A workload whose pods are replaced with a secret that they take up at their start only."""
    spec = manifest["spec"]
    pod = spec["template"]["metadata"] if "template" in spec else spec["podMetadata"]
    notes = {**pod, "annotations": {key: marked(value, secrets) for key, value in pod["annotations"].items()}}
    changed = {"template": {**spec["template"], "metadata": notes}} if "template" in spec else {"podMetadata": notes}
    return {**manifest, "spec": {**spec, **changed}}


def _secret_place(manifest: Manifest) -> str | None:
    """Where an object's secrets are: a Secret's values, or what a ConfigMap shows to the cluster alone."""
    if manifest["kind"] == "Secret":
        return "stringData"
    shown = "".join(manifest["data"].values()) if manifest["kind"] == "ConfigMap" else ""
    return "data" if SECRET_TOKEN.search(shown) else None
