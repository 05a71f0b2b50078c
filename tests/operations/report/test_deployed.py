"""What a report reads from the state of the last `up`: resources as Pulumi keeps them, of a stack as it is planned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.spec import SECRET_TOKEN, Plan, Service
from operations.report.compare import compared
from operations.report.deployed import CONFIGURATION, CONTAINER, VOLUME, comparable, snapshot_of
from operations.report.snapshot import Snapshot, of_plan
from tests.support import GENERATED, changed, config_of, planned, stack

_ENCRYPTED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:..."}


def resource(kind: str, name: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One resource of a state."""
    return {"type": kind, "urn": f"urn:pulumi:test::observatory::a$b${kind}::{name}", "inputs": inputs, **more}


def state(plan: Plan, keep: bool = True) -> list[dict[str, Any]]:
    """The resources of a deployed plan, as a state holds those that are read."""
    prefix = f"observatory-{plan.environment}-"
    found: list[dict[str, Any]] = [{"type": "pulumi:pulumi:Stack", "urn": "urn:pulumi:test::observatory::x::y"}]
    for service in plan.services:
        found += [
            resource(VOLUME, volume.name, {"name": f"{prefix}{volume.name}"}, protect=keep)
            for volume in service.volumes
        ]
        if service.files:
            plain = {file.path: file.content for file in service.files if not file.secrets}
            inputs = {"volume": f"{prefix}{service.name}-config", "files": plain, "secret_files": _ENCRYPTED}
            found.append(resource(CONFIGURATION, service.name, inputs))
        found.append(resource(CONTAINER, service.name, container(service, plan.environment)))
    return found


def container(service: Service, environment: str) -> dict[str, Any]:
    """As the provider's inputs are written down."""
    labels = {"observatory.environment": environment, "observatory.service": service.name}
    digest = SECRET_TOKEN.sub("0123456789ab", service.restart_digest)
    labels |= {"observatory.config-digest": digest} if digest else {}
    text = f"{service.resources.cpus:.9f}".rstrip("0")
    optional = {
        "entrypoints": list(service.entrypoint),
        "command": list(service.args),
        "envs": [f"{name}={value}" for name, value in service.env],
        "ports": [
            {"__defaults": [], "internal": port.number, "external": port.published, "ip": port.address}
            | ({} if protocol == "tcp" else {"protocol": protocol})
            for port in service.ports
            for protocol in port.protocols
            if port.published
        ],
        "volumes": [
            {"volumeName": f"observatory-{environment}-{volume.name}", "containerPath": volume.path}
            for volume in (*service.volumes, *service.shares)
        ],
    }
    return {
        "__defaults": ["start"],
        "name": f"observatory-{environment}-{service.name}",
        "image": service.image,
        "user": service.user,
        "memory": service.resources.memory,
        "cpus": f"{text}0" if text.endswith(".") else text,
        "labels": [{"__defaults": [], "label": name, "value": value} for name, value in labels.items()],
        **{key: value for key, value in optional.items() if value},
    }


DOCKER = [name for name in GENERATED if GENERATED[name].get("platform") != "kubernetes"]
WITH_MARKS = next(
    name
    for name in DOCKER
    if any(SECRET_TOKEN.search(service.restart_digest) for service in planned(config_of(name)).services)
)


@pytest.mark.parametrize("name", DOCKER)
def test_what_is_deployed_as_it_is_planned_does_not_differ(name: str) -> None:
    config = config_of(name)
    plan = planned(config)
    found = snapshot_of(state(plan, config.data.keep))
    assert found
    assert compared(found, comparable(of_plan(config, plan), found)) == []


def differences(before: dict[str, Any], after: dict[str, Any]) -> set[tuple[str, ...]]:
    """What a report tells of a deployed stack whose file has changed."""
    old, new = (stack(**changes) for changes in (before, after))
    found = snapshot_of(state(planned(old), old.data.keep))
    assert found
    changes = compared(found, comparable(of_plan(new, planned(new)), found))
    return {(change.name, change.what, change.before, change.after, change.danger) for change in changes}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"retention": {"time": "1d"}}, ("samples on disk", "kept for less", "15d", "1d", "data-loss")),
        ({"tracing": {"backend": "none"}}, ("volume jaeger-data", "no longer used", "", "", "data-loss")),
        (
            {"data": {"keep": False}},
            ("all volumes", "no longer protected", "data.keep: true", "data.keep: false", "data-loss"),
        ),
        (
            {"alerts": {"TargetDown": {"for": "20m"}}},
            ("TargetDown", "for loosened", "5m", "20m", "looser-alerts"),
        ),
        (
            {"ports": {"prometheus": 29090}},
            ("port prometheus 9090", "moved", "127.0.0.1:9090", "127.0.0.1:29090", ""),
        ),
        (
            {"resources": {"prometheus": {"cpus": 2}}},
            ("prometheus", "new container, because of cores", "", "", "restart"),
        ),
        (
            {"images": {"overrides": {"jaeger": "example.com/jaeger:9"}}},
            ("jaeger", "image", "docker.io/jaegertracing/jaeger:2.20.0", "example.com/jaeger:9", ""),
        ),
    ],
)
def test_a_change_of_the_stack_file(after: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert expected in differences({}, after)


def test_a_login_that_goes_is_told_by_the_arguments() -> None:
    access = GENERATED["available"]["access"]
    assert ("all endpoints", "login", "TLS and a password", "open", "no-login") in differences({"access": access}, {})


def test_what_was_never_deployed_is_none() -> None:
    assert snapshot_of([]) is None
    assert snapshot_of(state(planned(stack()))[:1]) is None


def test_a_container_that_is_about_to_go_does_not_count() -> None:
    resources = state(planned(stack()))
    old = {**next(each for each in resources if each["urn"].endswith("Container::prometheus")), "delete": True}
    old["inputs"] = changed(old["inputs"], image="example.com/prometheus:old")
    found = snapshot_of([*resources, old])
    assert found
    assert "old" not in found.programs["prometheus"].image


def test_everything_counts_for_what_is_new() -> None:
    """Compared with nothing, even secrets are told."""
    config = config_of("everything")
    whole = of_plan(config, planned(config))
    new = comparable(whole, None)
    assert new.programs["prometheus"].secrets == whole.programs["prometheus"].secrets
    assert any(change.danger == "new-secret" for change in compared(Snapshot(environment="everything"), new))


def test_other_files_next_to_a_secret_are_told() -> None:
    """The state has a mark in place of a secret, which only a deployment can make."""
    config = config_of(WITH_MARKS)
    plan = planned(config)
    (service, *_) = [each for each in plan.services if SECRET_TOKEN.search(each.restart_digest)]
    resources = state(plan, config.data.keep)
    digest = SECRET_TOKEN.sub("0123456789ab", service.restart_digest)
    text = json.dumps(resources).replace(digest, f"000000000000{digest[12:]}")
    found = snapshot_of(json.loads(text))
    assert found
    changes = compared(found, comparable(of_plan(config, plan), found))
    assert [(change.name, change.what) for change in changes] == [
        (service.name, "new container, because of files"),
    ]
