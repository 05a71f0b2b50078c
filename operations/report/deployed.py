"""What is deployed, by the state of the last `up`: the files, images, ports and limits of each container.

The state holds what was rendered, not what the stack file said: so there are no estimates, and secrets are encrypted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from components.config.load import stack_path
from operations.errors import CommandError
from operations.pulumi_cli import Pulumi
from operations.report.snapshot import Program, Snapshot, address_text, port_name

CONFIGURATION, CONTAINER, VOLUME = (
    "pulumi-python:dynamic/docker:Configuration",
    "docker:index/container:Container",
    "docker:index/volume:Volume",
)
_FIXED = ("image", "user", "entrypoint", "arguments", "environment", "ports", "cores", "files")
"""Of all that a container is made with, what is compared with a deployed one."""
NOTE = "the deployed state does not tell what was estimated, who owned what, and which secrets were used: not compared"


def deployed_of(stack: str) -> Snapshot | None:
    """The deployed state of a stack; None where it has never been deployed."""
    resources = Pulumi.of(stack).resources()
    if any(each["type"].startswith("kubernetes:") for each in resources):
        raise CommandError(
            f"--base deployed: {stack_path(stack).name} is on Kubernetes, whose state is not read", "name a revision"
        )
    return snapshot_of(resources)


def snapshot_of(resources: Iterable[Mapping[str, Any]]) -> Snapshot | None:
    """The snapshot of the resources of a state; None where nothing is deployed."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {CONFIGURATION: {}, CONTAINER: {}, VOLUME: {}}
    for resource in resources:
        if resource["type"] in found and not resource.get("delete"):
            found[resource["type"]][resource["urn"].rpartition("::")[2]] = resource
    environments = {_labels(each["inputs"]).get("observatory.environment", "") for each in found[CONTAINER].values()}
    if not environments:
        return None
    environment = environments.pop()
    prefix = f"observatory-{environment}-"
    files = {name: _files(each["inputs"]) for name, each in found[CONFIGURATION].items()}
    programs = {
        name: _program(each["inputs"], files.get(name, {}), prefix, {*found[VOLUME]})
        for name, each in found[CONTAINER].items()
    }
    return Snapshot(
        environment=environment,
        programs=programs,
        protected=all(each.get("protect") for each in found[VOLUME].values()) if found[VOLUME] else None,
        login=any(
            "--web.config.file=" in argument for p in programs.values() for argument in p.fixed.get("arguments", ())
        ),
    )


def comparable(planned: Snapshot, deployed: Snapshot | None) -> Snapshot:
    """A plan without what a deployed state does not tell: so what is left differs only where it does."""
    programs = {
        name: program.model_copy(
            update={
                "secrets": None if deployed else program.secrets,
                "fixed": {key: value for key, value in program.fixed.items() if key in _FIXED},
                "volumes": dict.fromkeys(program.volumes),
            }
        )
        for name, program in planned.programs.items()
    }
    return planned.model_copy(update={"programs": programs})


def _labels(inputs: Mapping[str, Any]) -> dict[str, str]:
    return {each["label"]: each["value"] for each in inputs.get("labels") or ()}


def _files(inputs: Mapping[str, Any]) -> dict[str, str]:
    files = inputs.get("files") or {}
    return dict(json.loads(files) if isinstance(files, str) else files)


def _program(inputs: Mapping[str, Any], files: dict[str, str], prefix: str, volumes: set[str]) -> Program:
    ports = [_port(each) for each in sorted(inputs.get("ports") or (), key=lambda each: int(each["internal"]))]
    mounted = [each.get("volumeName", "").removeprefix(prefix) for each in inputs.get("volumes") or ()]
    name = inputs["name"].removeprefix(prefix)
    digest = _labels(inputs).get("observatory.config-digest", "")
    fixed = {
        "image": (inputs["image"],),
        "user": (inputs.get("user", ""),),
        "entrypoint": tuple(inputs.get("entrypoints") or ()),
        "arguments": tuple(inputs.get("command") or ()),
        "environment": tuple(inputs.get("envs") or ()),
        "ports": tuple(f"{place} to {inside}" for place, inside in ports),
        "cores": (f"{float(inputs['cpus']):g}",) if inputs.get("cpus") else (),
        "files": (digest,) if digest else (),
    }
    return Program(
        image=inputs["image"],
        group=name,
        memory=int(inputs.get("memory") or 0),
        cpus=float(inputs.get("cpus") or 0),
        ports={inside: place for place, inside in ports},
        volumes={volume: None for volume in mounted if volume in volumes},
        secrets=None,
        files=files,
        fixed={key: values for key, values in fixed.items() if any(values)},
    )


def _port(port: Mapping[str, Any]) -> tuple[str, str]:
    address = port.get("ip") or "0.0.0.0"
    return address_text(address, int(port["external"])), port_name(int(port["internal"]), port.get("protocol") or "tcp")
