"""What is deployed, by the state of the last `up`: the files, images, ports and limits of each container.

The state holds what was rendered, not what the stack file said: so there are no estimates, and secrets are encrypted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from components.spec import SECRET_TOKEN
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
IN_CLUSTER = "who else in the cluster is let in, and classes of storage, are not compared either"
OPERATED = (
    "the operator's Prometheus has its jobs by address, its probes and where it sends alerts in a Secret: not compared"
)


def deployed_of(stack: str) -> tuple[Snapshot | None, bool]:
    """The deployed state of a stack, None where it has never been deployed; and whether it is in a cluster."""
    resources = Pulumi.of(stack).resources()
    if any(each["type"].startswith("kubernetes:apps/") for each in resources):
        from operations.report.deployed_cluster import snapshot_of_state

        return snapshot_of_state(resources), True
    return snapshot_of(resources), False


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
    return with_marks(planned.model_copy(update={"programs": programs}), deployed)


def comparable_cluster(planned: Snapshot, objects: Snapshot, deployed: Snapshot) -> Snapshot:
    """A plan as its objects tell it, but for what only the plan knows of them."""
    programs = {
        name: program.model_copy(update={"at_start": planned.programs[name].at_start})
        for name, program in objects.programs.items()
    }
    return with_marks(objects.model_copy(update={"programs": programs}), deployed)


def with_marks(planned: Snapshot, deployed: Snapshot | None) -> Snapshot:
    """The plan with the marks of deployed secrets, which only a deployment can make, where all else is the same."""
    programs = dict(planned.programs)
    for name, program in planned.programs.items():
        was = deployed.programs.get(name) if deployed else None
        old, new = (each.fixed.get("files", ()) if each else () for each in (was, program))
        if old and new and re.fullmatch(_pattern(new[0]), old[0]):
            programs[name] = program.model_copy(update={"fixed": {**program.fixed, "files": old}})
    return planned.model_copy(update={"programs": programs})


def _pattern(digest: str) -> str:
    """What a digest looks like with any secrets."""
    parts, last = [], 0
    for token in SECRET_TOKEN.finditer(digest):
        parts.append(re.escape(digest[last : token.start()]))
        last = token.end()
    return "[0-9a-f]{12}".join([*parts, re.escape(digest[last:])])


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
