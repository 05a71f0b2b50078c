"""The pod of a program whose data is copied: what stands beside it, and what runs before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.platforms.kubernetes_manifests import service_manifests
from components.platforms.kubernetes_objects import Stack
from components.spec import Volume
from tests.platforms.clusters import WORKLOADS, objects, of_kind, on_cluster, one, pod_of
from tests.support import config_of, service

NAME = "copied-cluster"
OWNERS = ("alertmanager", "grafana", "prometheus", "prometheus-2")


def pod(owner: str) -> dict[str, Any]:
    return pod_of(one(objects(NAME), "StatefulSet", owner))


def named(containers: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in containers}


def mounts(container: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Path to the volume's name, and whether it can only be read."""
    return {each["mountPath"]: (each["name"], each.get("readOnly", False)) for each in container["volumeMounts"]}


@pytest.mark.parametrize("owner", OWNERS)
def test_it_sees_the_data_of_its_pod_and_its_own_settings(owner: str) -> None:
    claim = f"{owner}-data"
    containers = named(pod(owner)["containers"])
    found = mounts(containers[f"backup-{owner}"])
    assert found[f"/data/{claim}"] == (claim, False)
    assert found["/etc/backup/current"][1] is True
    assert found["/tmp"][1] is False
    assert found.keys() == {f"/data/{claim}", "/etc/backup/current", "/tmp"}
    assert claim in {volume for volume, _ in mounts(containers[owner]).values()}
    assert not {path for path in mounts(containers[owner]) if path.startswith(("/data", "/etc/backup"))}
    if owner.startswith("prometheus"):
        assert mounts(containers[owner.replace("prometheus", "thanos-sidecar")])["/prometheus"] == (claim, False)


@pytest.mark.parametrize("owner", OWNERS)
def test_what_was_restored_is_taken_before_anything_else(owner: str) -> None:
    """By the same script, as the same user, with the same rights; it serves nobody, so nobody asks for its health."""
    containers = named(pod(owner)["containers"])
    first, *others = pod(owner)["initContainers"]
    beside = containers[f"backup-{owner}"]
    assert first["name"] == f"backup-{owner}-take"
    assert [each["name"] for each in others] == ["loader"]
    assert first["args"] == ["take", f"{owner}-data"]
    assert first["command"] == beside["command"] == ["sh", "/etc/backup/current/backup.sh"]
    assert not {each for each in first if each.endswith("Probe")} | {*first} & {"ports", "lifecycle"}
    same = ("image", "env", "resources", "securityContext", "volumeMounts")
    assert {key: first[key] for key in same} == {key: beside[key] for key in same}
    assert first["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert first["securityContext"]["readOnlyRootFilesystem"] is True


def test_no_other_pod_has_one() -> None:
    for each in of_kind(objects(NAME), *WORKLOADS):
        names = {*named(pod_of(each)["containers"]), *named(pod_of(each).get("initContainers", []))}
        expected = each["metadata"]["name"] in OWNERS
        assert any(name.startswith("backup") for name in names) == expected, each["metadata"]["name"]


def test_what_the_pod_has_not_cannot_be_shared() -> None:
    """It may be on another node, where the claim is not."""
    stack = on_cluster(NAME)
    strange = Volume("grafana-data", "/data/grafana-data")
    for name in ("prometheus", "backup-prometheus"):
        changed = replace(service(stack.plan, name), shares=(strange,))
        services = tuple(changed if each.name == name else each for each in stack.plan.services)
        other = Stack(config_of(NAME), replace(stack.plan, services=services))
        with pytest.raises(ValueError, match=f"{name} shares volumes that its pod has not.*grafana-data"):
            service_manifests(other, service(other.plan, "prometheus"))
