"""What the program registers for Kubernetes: exactly the manifests, below their services, with data protected."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, replace
from functools import cache
from typing import Any

import pytest

from components.config import StackFileError, parse_stack
from components.platforms.kubernetes_manifests import manifests
from components.secrets import bcrypt_hash, mark
from components.spec import Call, File, Plan, PlatformApi, Port, Service, Volume
from tests.platforms import test_docker as samples
from tests.platforms.clusters import CLUSTERS, WORKLOADS, objects, on_cluster
from tests.platforms.recording import FILE, GENERATED, Deployment, Registered, deploy, exposed, secret_values
from tests.support import CLUSTER, changed, config_of, planned

every_cluster = pytest.mark.parametrize("name", CLUSTERS)


@cache
def deployed(name: str) -> Deployment:
    """One run of the program, with a value for each secret."""
    return deploy(config_of(name))


def registered(deployment: Deployment) -> dict[tuple[str, str, str], Registered]:
    """The cluster's objects by kind, namespace and name."""
    found = {}
    for each in deployment.resources:
        if each.type.startswith("kubernetes:"):
            metadata = each.values["metadata"]
            found[each.values["kind"], metadata.get("namespace", ""), metadata["name"]] = each
    return found


def with_values(name: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The manifests of a stack with the values of its secrets in place of the placeholders."""
    plan = on_cluster(name).plan
    values = secret_values(plan)
    found = {}
    for each in objects(name):
        for place in ("stringData", "data"):
            if place in each:
                data = {
                    key: File("", text).resolve(lambda how, n: _value(how, n, values))
                    for key, text in each[place].items()
                }
                each = {**each, place: data}  # noqa: PLW2901
        if each["kind"] in (*WORKLOADS, "Prometheus"):
            each = json.loads(marked_text(json.dumps(each), values))  # noqa: PLW2901
        metadata = each["metadata"]
        found[each["kind"], metadata.get("namespace", ""), metadata["name"]] = each
    return found


def marked_text(text: str, values: dict[str, str]) -> str:
    """A text with the marks of secrets in place."""
    return File("", text).resolve(lambda _, name: mark(values.get(name, GENERATED), name, GENERATED))


def _value(how: str, name: str, values: dict[str, str]) -> str:
    value = values.get(name, "<generated>")
    return bcrypt_hash(value, name) if how == "bcrypt" else value


@every_cluster
def test_what_is_registered_is_what_is_rendered_and_nothing_else(name: str) -> None:
    found, expected = registered(deployed(name)), with_values(name)
    assert found.keys() == expected.keys()
    for key, manifest in expected.items():
        values = found[key].values
        if key[0] == "Secret":
            assert values["stringData"].keys() == manifest["stringData"].keys()
            known = {key for key, value in manifest["stringData"].items() if "<generated>" not in value}
            for each in (values, manifest):
                each["stringData"] = {key: value for key, value in each["stringData"].items() if key in known}
        assert values == json.loads(json.dumps(manifest)), key
        group = manifest["apiVersion"] if "/" in manifest["apiVersion"] else f"core/{manifest['apiVersion']}"
        assert found[key].type == f"kubernetes:{group}:{manifest['kind']}"


@every_cluster
def test_every_object_is_of_the_stacks_own_cluster_and_below_its_service(name: str) -> None:
    deployment = deployed(name)
    provider = deployment.one("pulumi:providers:kubernetes", "cluster")
    cluster = config_of(name).kubernetes
    assert cluster is not None
    assert provider.values["context"] == cluster.context
    assert provider.values.get("kubeconfig", None) == cluster.kubeconfig
    # Without these a changed ConfigMap is a new one, and every pod with it.
    assert provider.values["enableConfigMapMutable"] == "true"
    assert provider.values["enableSecretMutable"] == "true"
    # Without this, a stack that was removed and kept its data could not be deployed again.
    assert provider.values["upsertExistingObjects"] == "true"
    components = {each.urn: each.name for each in deployment.resources if not each.custom}
    for each in registered(deployment).values():
        assert each.provider.startswith(f"{provider.urn}::")
        label = each.values["metadata"]["labels"].get("app.kubernetes.io/name")
        assert components[each.parent] == (label or f"observatory-{config_of(name).environment}")


@every_cluster
def test_data_and_its_namespace_are_protected_and_kept_and_nothing_else(name: str) -> None:
    namespace = on_cluster(name).namespace
    for (kind, _, called), each in registered(deployed(name)).items():
        kept = kind == "PersistentVolumeClaim" or (kind == "Namespace" and called == namespace)
        assert (each.protect, each.retain_on_delete) == (kept, kept), (kind, called)
    gone = deploy(parse_stack(changed(CLUSTER, data__keep=False), FILE))
    assert not any(each.protect or each.retain_on_delete for each in gone.resources)


def test_workloads_wait_for_what_they_need_and_everything_for_its_namespace() -> None:
    found = registered(deployed("cluster"))
    spaces = {each.urn for (kind, _, _), each in found.items() if kind == "Namespace"}
    for (kind, _, name), each in found.items():
        if kind in ("StatefulSet", "DaemonSet", "Deployment"):
            needed = {
                other.urn
                for (what, _, _), other in found.items()
                if what in ("ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim", "NetworkPolicy", "Role")
                and other.values["metadata"]["labels"].get("app.kubernetes.io/name") == name
            }
            assert needed <= each.dependencies, name
        if each.values["metadata"].get("namespace"):
            assert spaces & each.dependencies, (kind, name)


@every_cluster
def test_no_secret_value_stands_outside_of_what_the_state_encrypts(name: str) -> None:
    deployment = deployed(name)
    values = list(secret_values(deployment.plan).values())
    for each in deployment.resources:
        for place, text in exposed(each.inputs):
            assert not any(value in text for value in values), f"{each.name}{place}"
    for (kind, _, _), each in registered(deployment).items():
        if kind == "Secret":
            assert {*each.additional_secret_outputs} == {"data", "stringData"}
            assert "<secret:" not in json.dumps(each.values)


def test_all_missing_secrets_are_one_error() -> None:
    with pytest.raises(StackFileError, match=r"accessPassword(.|\n)*tlsKey"):
        deploy(config_of("k8s-prod"), secrets={})


# No field of a service is dropped

PLAIN = replace(
    samples.PLAIN, name="jaeger", ports=(Port("http", 80),), host_mounts=(), host_pid=False, capabilities=()
)
OTHERS: dict[str, dict[str, Any]] = {
    **samples.OTHERS,
    "name": {"name": "grafana"},
    "ports": {
        "number": (Port("http", 81),),
        "name": (Port("admin", 80),),
        "protocols": (Port("http", 80, protocols=("udp",)),),
        "none": (),
    },
    "probe": samples.OTHERS["probe"],
    "prepares": {"": ("take",)},
    "host_mounts": {"one": samples.PLAIN.host_mounts, **samples.OTHERS["host_mounts"]},
    "per_node": {"true": True},
    "calls": {"outside": (Call(),), "port": (Call(port=443),), "namespace": (Call(namespaces=("shop",)),)},
    "api": {"namespaces": PlatformApi(("shop",)), "nodes": PlatformApi(nodes=True)},
}
NOT_ITS_BUSINESS = {
    "replica_of": "says in which order replicas are touched, and which of them go apart: test_replicas.py",
    "shares": "is refused",
    "meets_services": "says on Docker which networks to join; here `calls` and `intake` say it in full",
    "files-reload": "a reload too many does no harm, and the loader cannot tell the files apart",
    "reload-loaded": "the answer stands in the program's log, which the loader cannot read; `verify` asks the program",
    "reload-rejected": "the same",
}


def seen(service: Service) -> tuple[Any, ...]:
    config = config_of("small-cluster")
    deployment = deploy(config, plan=Plan(config.environment, (service,)), secrets={"token": "value-of-token"})
    return sorted([(each.type, each.name, each.values) for each in deployment.resources], key=str), deployment.outputs


@cache
def plain_seen() -> tuple[Any, ...]:
    return seen(PLAIN)


CASES = [
    pytest.param(field.name, value, id=f"{field.name}-{case}")
    for field in fields(Service)
    for case, value in (OTHERS.get(field.name) or {"": not getattr(PLAIN, field.name)}).items()
    if field.name != "metrics" and not {field.name, f"{field.name}-{case}"} & {*NOT_ITS_BUSINESS}
]


@pytest.mark.parametrize(("name", "value"), CASES)
def test_no_field_of_a_service_is_dropped(name: str, value: Any) -> None:
    service = replace(PLAIN, **{name: value})
    if name == "per_node":
        service = replace(service, volumes=())
    assert seen(service) != (plain_seen() if name != "per_node" else seen(replace(PLAIN, volumes=())))


def test_shared_volumes_are_refused() -> None:
    with pytest.raises(ValueError, match="jaeger shares volumes that its pod has not"):
        seen(replace(PLAIN, shares=(Volume("strange", "/data"),)))


def test_the_same_service_gives_the_same_resources() -> None:
    assert seen(PLAIN) == plain_seen()


# Imports

PROGRAM = """
import sys
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Stack
from tests.support import config_of, planned
config = config_of({stack!r})
if config.platform == "kubernetes":
    assert manifests(Stack(config, planned(config)))
print(sorted(name for name in sys.modules if name in ("pulumi", "pulumi_kubernetes", "pulumi_docker", "docker")))
if {deploy}:
    from tests.platforms.recording import deploy
    deploy(config)
    print(sorted(name for name in sys.modules if name in ("pulumi_kubernetes", "pulumi_docker", "docker")))
"""


@pytest.mark.parametrize(
    ("stack", "expected"),
    [("cluster", "[]\n['pulumi_kubernetes']\n"), ("everything", "[]\n['pulumi_docker']\n")],
)
def test_each_platform_imports_only_its_own_sdk_and_rendering_none(stack: str, expected: str) -> None:
    program = PROGRAM.format(stack=stack, deploy=True)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == expected, done.stderr


def test_the_plan_is_the_same_object_for_both() -> None:
    config = config_of("cluster")
    assert manifests(on_cluster("cluster")) == manifests(replace(on_cluster("cluster"), plan=planned(config)))
