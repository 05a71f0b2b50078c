"""Every object of every stack, applied to a real API server: strictly, under Pod Security, and twice."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Manifest, Stack
from components.yaml_text import load
from operations.render import rendered_manifests, write_tree
from tests.e2e.engine import until
from tests.e2e.kubernetes.cluster import Cluster, Refused, path_of
from tests.e2e.kubernetes.stacks import made_up
from tests.platforms.clusters import CLUSTERS, WORKLOADS, of_kind, on_cluster, one
from tests.support import config_of, planned

STACKS = [pytest.param(lambda name=name: on_cluster(name), id=name) for name in CLUSTERS]
STACKS += [pytest.param(lambda number=number: made_up(number), id=f"made-up-{number}") for number in range(50)]
COUNTS: dict[str, int] = {}


def without_version(found: dict[str, Any]) -> dict[str, Any]:
    """An object but for what each write sets; the API server writes claims even where nothing changes."""
    result = copy.deepcopy(found)
    del result["metadata"]["resourceVersion"]
    return result


def pods_of(objects: list[Manifest]) -> list[Manifest]:
    """The pods that controllers would make, for admission to judge."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **each["spec"]["template"]["metadata"],
                "name": each["metadata"]["name"],
                "namespace": each["metadata"]["namespace"],
            },
            "spec": each["spec"]["template"]["spec"],
        }
        for each in of_kind(objects, *WORKLOADS)
    ]


@pytest.mark.parametrize("make", STACKS)
def test_a_stack_is_accepted_as_it_is_and_a_second_time_changes_nothing(make: Any, cluster: Cluster) -> None:
    objects = manifests(make())
    first = {}
    for each in objects:
        found, warnings = cluster.apply(each)
        assert not warnings, (path_of(each), warnings)
        first[path_of(each)] = without_version(found)
        COUNTS[each["kind"]] = COUNTS.get(each["kind"], 0) + 1
    for each in objects:
        assert without_version(cluster.apply(each)[0]) == first[path_of(each)]
    for pod in pods_of(objects):
        cluster.create(pod, dry=True)  # admitted: by Pod Security, quotas, accounts, priorities


def test_a_misspelt_field_and_an_unrestricted_pod_would_be_refused(cluster: Cluster) -> None:
    """What the test above relies on."""
    objects = manifests(on_cluster("k8s-dev"))
    for each in objects:
        cluster.apply(each)
    deployment = copy.deepcopy(one(objects, "Deployment", "blackbox-exporter"))
    deployment["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    with pytest.raises(Refused, match="imagePullPolice"):
        cluster.apply(deployment, dry=True)
    pod = next(each for each in pods_of(objects) if each["metadata"]["name"] == "prometheus")
    cluster.create(pod, dry=True)
    for place, value in (("hostIPC", True), ("securityContext", {}), ("hostNetwork", True)):
        bad = copy.deepcopy(pod)
        bad["spec"][place] = value
        with pytest.raises(Refused, match="violates PodSecurity"):
            cluster.create(bad, dry=True)
    watching = next(each for each in pods_of(objects) if each["metadata"]["name"] == "node-exporter")
    watching["metadata"]["namespace"] = pod["metadata"]["namespace"]
    watching["spec"]["serviceAccountName"] = "prometheus"
    with pytest.raises(Refused, match="violates PodSecurity"):
        cluster.create(watching, dry=True)


def test_kubectl_takes_the_rendered_folder_and_then_sees_no_difference(cluster: Cluster, tmp_path: Path) -> None:
    stack: Stack = on_cluster("k8s-prod")
    write_tree(tmp_path / "out", rendered_manifests(stack.config, stack.plan))
    apply = ("apply", "--server-side", "--validate=strict", "--field-manager=observatory", "-f", str(tmp_path / "out"))
    cluster.kubectl(*apply)
    cluster.kubectl("diff", "--server-side", "--field-manager=observatory", "-f", str(tmp_path / "out"))
    assert "unchanged" not in cluster.kubectl(*apply)  # `serverside-applied` is all it says


@pytest.mark.parametrize("name", CLUSTERS)
def test_prometheus_may_read_what_it_looks_for_and_nothing_else(name: str, cluster: Cluster) -> None:
    stack = on_cluster(name)
    for each in manifests(stack):
        cluster.apply(each)
    account = f"{stack.namespace}:prometheus"
    wanted = stack.plan.service("prometheus")
    assert wanted
    spaces = wanted.api.namespaces if wanted.api else ()
    nodes = bool(wanted.api and wanted.api.nodes)
    # The API server learns of a binding by a watch of its own, a moment after it has taken it.
    for space in spaces:
        for verb in ("get", "list", "watch"):
            until(partial(cluster.allowed, account, verb, "pods", space), f"it may {verb} pods in {space}")
            slices = partial(cluster.allowed, account, verb, "endpointslices", space, "discovery.k8s.io")
            until(slices, f"it may {verb} endpointslices in {space}")
    if nodes:
        until(partial(cluster.allowed, account, "list", "nodes"), "it may list nodes")
        until(partial(cluster.allowed, account, "get", "nodes/metrics"), "it may get what nodes measure")
    for space in ("shop", "cart", "search", "batch", "default", "kube-system", stack.namespace, stack.host_namespace):
        for verb in ("get", "list", "watch"):
            assert cluster.allowed(account, verb, "pods", space) == (space in spaces), space
            assert cluster.allowed(account, verb, "endpointslices", space, "discovery.k8s.io") == (space in spaces)
        for verb, resource in (("get", "secrets"), ("list", "configmaps"), ("create", "pods"), ("get", "pods/log")):
            assert not cluster.allowed(account, verb, resource, space)
    assert cluster.allowed(account, "list", "nodes") == nodes
    assert cluster.allowed(account, "get", "nodes/metrics") == nodes
    assert not cluster.allowed(account, "get", "nodes/proxy")
    assert not cluster.allowed(account, "list", "pods")
    for other in ("grafana", "alertmanager", "jaeger", "blackbox-exporter"):
        assert not cluster.allowed(f"{stack.namespace}:{other}", "list", "pods", stack.namespace)


def test_a_claim_that_was_made_from_a_snapshot_is_taken_up(cluster: Cluster) -> None:
    """As the guide to backups makes it; a deployment afterwards leaves its source alone."""
    guide = (Path(__file__).parents[3] / "docs/guide/backup.md").read_text()
    blocks = [block.split("```")[0] for block in guide.split("```yaml\n")[1:]]
    claim = next(load(block) for block in blocks if "PersistentVolumeClaim" in block and "dataSource" in block)
    own = config_of("k8s-dev").model_copy(update={"environment": "prod"})
    stack = Stack(own, planned(own))
    objects = manifests(stack)
    for each in objects:
        if each["kind"] == "Namespace":
            cluster.apply(each)
    claim["spec"]["resources"] = one(objects, "PersistentVolumeClaim", "prometheus-data")["spec"]["resources"]
    try:
        cluster.create(claim)
    except Refused as error:  # it is there where this is tried once more
        assert "AlreadyExists" in str(error)  # noqa: PT017
    found, warnings = cluster.apply(one(objects, "PersistentVolumeClaim", "prometheus-data"))
    assert not warnings
    assert found["spec"]["dataSource"] == claim["spec"]["dataSource"]
    assert found["metadata"]["labels"]["app.kubernetes.io/name"] == "prometheus"
