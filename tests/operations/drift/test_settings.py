"""Each setting that differs is one line; a container as it was planned has none."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from components.config import StackConfig
from components.spec import Plan, Service
from operations.drift.settings import setting_differences
from operations.drift.surroundings import container_findings, missing_containers, mounts_of, volume_findings
from tests.support import planned, stack

CONFIG = stack(ports={"prometheus": 19090})
PLAN = planned(CONFIG)
PREFIX = f"observatory-{CONFIG.environment}"
IMAGE: dict[str, Any] = {
    "Config": {"Env": ["PATH=/bin"], "Entrypoint": ["/bin/program"], "Cmd": ["--default"], "User": "nobody"}
}


def inspected(service: Service, plan: Plan = PLAN) -> dict[str, Any]:
    """What the engine tells of a container that is as planned."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in service.ports:
        if port.published:
            for protocol in port.protocols:
                binding = {"HostIp": port.address, "HostPort": str(port.published)}
                bindings.setdefault(f"{port.number}/{protocol}", []).append(binding)
    return {
        "Name": f"/{PREFIX}-{service.name}",
        "Image": "sha256:1",
        "State": {"Status": "running", "ExitCode": 0, "Paused": False, "Health": {"Status": "healthy"}},
        "Config": {
            "Image": service.image,
            "Env": ["PATH=/bin", *(f"{name}={value}" for name, value in service.env)],
            "Entrypoint": list(service.entrypoint) or ["/bin/program"],
            "Cmd": list(service.args) or ["--default"],
            "User": service.user,
            "Labels": {"observatory.environment": CONFIG.environment, "observatory.service": service.name},
        },
        "HostConfig": {
            "Memory": service.resources.memory * 2**20,
            "MemorySwap": service.resources.memory * 2**20,
            "NanoCpus": int(service.resources.cpus * 10**9),
            "RestartPolicy": {"Name": "unless-stopped"},
            "ReadonlyRootfs": service.read_only,
            "CapDrop": ["ALL"],
            "CapAdd": [f"CAP_{name}" for name in service.capabilities] or None,
            "SecurityOpt": ["no-new-privileges:true"],
            "PidMode": "host" if service.host_pid else "",
            "PortBindings": bindings,
            "Privileged": False,
            "Devices": None,
        },
        "NetworkSettings": {"Networks": {PREFIX: {}}},
        "Mounts": [
            {"Type": "volume", "Name": name, "Destination": path, "RW": writable}
            for name, path, writable in mounts_of(service, plan.services, PREFIX)
        ],
    }


def differences(
    change: Callable[[dict[str, Any]], object], name: str = "prometheus", config: StackConfig = CONFIG
) -> list[str]:
    service = PLAN.service(name)
    assert service
    container = inspected(service)
    change(container)
    return list(setting_differences(service, config, container, IMAGE, mounts_of(service, PLAN.services, PREFIX)))


@pytest.mark.parametrize("service", PLAN.services, ids=lambda service: service.name)
def test_as_planned_there_is_nothing_to_say(service: Service) -> None:
    assert differences(lambda _: None, service.name) == []


def put(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set a value at `HostConfig.Memory`."""

    def change(container: dict[str, Any]) -> None:
        *path, last = place.split(".")
        for part in path:
            container = container[part]
        container[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("State.Status", "exited"), "is exited, with exit code 0"),
        (put("State.Paused", True), "is paused"),
        (put("State.Health", {"Status": "unhealthy"}), "is unhealthy"),
        (put("Config.Image", "other:1"), "runs the image other:1, planned is"),
        (put("Config.User", ""), "user: root, planned is"),
        (put("Config.Entrypoint", ["/bin/sh"]), "entrypoint: not planned: /bin/sh; missing: /bin/program"),
        (put("HostConfig.Memory", 2**30 * 9), "memory limit: 9216 MiB, planned is"),
        (put("HostConfig.Memory", 0), "memory limit: none, planned is"),
        (put("HostConfig.MemorySwap", 2**40), "memory limit with swap: 1.04858e+06 MiB"),
        (put("HostConfig.NanoCpus", 0), "CPU limit: none, planned is 1"),
        (put("HostConfig.RestartPolicy", {"Name": "no"}), "restart policy: no, planned is unless-stopped"),
        (put("HostConfig.Privileged", True), "is privileged"),
        (put("HostConfig.ReadonlyRootfs", False), "root file system: writable"),
        (put("HostConfig.CapDrop", None), "capabilities (CapDrop): missing: ALL"),
        (put("HostConfig.CapAdd", ["CAP_NET_ADMIN"]), "capabilities (CapAdd): not planned: NET_ADMIN"),
        (put("HostConfig.SecurityOpt", None), "may gain privileges"),
        (put("HostConfig.PidMode", "host"), "processes of the host: seen"),
        (put("HostConfig.Devices", [{"PathOnHost": "/dev/kvm"}]), "devices: /dev/kvm"),
        (
            put("HostConfig.PortBindings", {"9090/tcp": [{"HostIp": "", "HostPort": "19090"}]}),
            "published ports: not planned: 0.0.0.0:19090->9090/tcp; missing: 127.0.0.1:19090->9090/tcp",
        ),
        (put("NetworkSettings.Networks", {PREFIX: {}, "shop": {}}), "networks: not planned: shop"),
        (put("NetworkSettings.Networks", {}), f"networks: missing: {PREFIX}"),
        (put("Mounts", []), "mounts: missing:"),
    ],
)
def test_each_setting_by_itself(change: Callable[[dict[str, Any]], None], words: str) -> None:
    [found] = differences(change)
    assert words in found


def test_arguments_by_what_was_added_and_what_is_missing() -> None:
    def change(container: dict[str, Any]) -> None:
        container["Config"]["Cmd"] = [*container["Config"]["Cmd"][1:], "--web.enable-admin-api"]

    [found] = differences(change)
    assert "arguments: not planned: --web.enable-admin-api; missing: --config.file" in found

    def reverse(container: dict[str, Any]) -> None:
        container["Config"]["Cmd"].reverse()

    assert differences(reverse) == ["arguments: have another order"]


def test_values_of_the_environment_are_not_shown() -> None:
    def change(container: dict[str, Any]) -> None:
        container["Config"]["Env"] = ["PATH=/tmp/hunter2", "TOKEN=hunter2"]

    [found] = differences(change)
    assert found == "environment: not planned: TOKEN; another value: PATH"


def test_limits_of_the_older_kind_are_read_too() -> None:
    def change(container: dict[str, Any]) -> None:
        container["HostConfig"] |= {"NanoCpus": 0, "CpuQuota": 100_000, "CpuPeriod": 100_000}

    assert differences(change) == []


def test_a_volume_that_the_image_asks_for_is_nobodys_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(container: dict[str, Any]) -> None:
        container["Mounts"].append({"Type": "volume", "Name": "f3a9", "Destination": "/cache", "RW": True})

    assert differences(change) == ["mounts: not planned: f3a9 at /cache (writable)"]
    monkeypatch.setitem(IMAGE["Config"], "Volumes", {"/cache": {}})
    assert differences(change) == []


def test_networks_of_the_stack_file_are_planned() -> None:
    config = stack(ports={"prometheus": 19090}, docker={"networks": ["shop"]})
    [found] = differences(lambda _: None, config=config)
    assert found == "networks: missing: shop"


def containers(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(inspected(service) for service in PLAN.services), *more]


def stranger(**changes: Any) -> dict[str, Any]:
    service = PLAN.services[0]
    found = copy.deepcopy(inspected(service)) | {"Name": "/somebody", "Mounts": []}
    found["Config"]["Labels"] = {}
    found["NetworkSettings"]["Networks"] = {"other": {}}
    return {**found, **changes}


def test_what_is_planned_is_no_stranger() -> None:
    assert list(container_findings(PLAN, CONFIG.environment, containers(stranger()))) == []
    assert list(missing_containers(PLAN, PREFIX, containers())) == []


@pytest.mark.parametrize(
    ("container", "words"),
    [
        (stranger(NetworkSettings={"Networks": {PREFIX: {}}}), "is on the stack's network"),
        (stranger(Mounts=[{"Name": f"{PREFIX}-prometheus-data", "RW": True}]), "may write to the stack's volume"),
        (stranger(Mounts=[{"Name": f"{PREFIX}-prometheus-data", "RW": False}]), "reads the stack's volume"),
        (
            stranger(Config={"Image": "x", "Labels": {"observatory.environment": CONFIG.environment}}),
            "has the stack's label, but is not planned",
        ),
    ],
)
def test_strangers(container: dict[str, Any], words: str) -> None:
    [found] = container_findings(PLAN, CONFIG.environment, containers(container))
    assert (found.kind, found.subject) == ("strangers", "somebody")
    assert words in found.detail


def test_a_helper_of_a_deployment_is_none() -> None:
    helper = stranger(Config={"Image": "x", "Labels": {"observatory.helper": "true"}})
    helper["NetworkSettings"] = {"Networks": {PREFIX: {}}}
    assert list(container_findings(PLAN, CONFIG.environment, [helper])) == []


def test_a_service_without_a_container() -> None:
    [found] = missing_containers(PLAN, PREFIX, containers()[1:])
    assert (found.kind, found.subject, found.detail) == ("settings", PLAN.services[0].name, "has no container")


def test_volumes_too_few_and_too_many() -> None:
    present = {mount["Name"] for each in containers() for mount in each["Mounts"] if mount["Name"].startswith(PREFIX)}
    assert list(volume_findings(PLAN, PREFIX, present)) == []
    data = f"{PREFIX}-prometheus-data"
    found = list(volume_findings(PLAN, PREFIX, (present - {data}) | {f"{PREFIX}-forgotten"}))
    assert [(each.subject, "is missing" in each.detail) for each in found] == [
        (data, True),
        (f"{PREFIX}-forgotten", False),
    ]
