"""The very same containers by Docker Compose, from a file that is generated from the plan."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.stack import BenchStack, free_ports, remove_labelled
from benchmarks.workspace import run
from components.platforms.docker_engine import Engine
from components.spec import Plan, Service
from components.yaml_text import dump

HEALTH_INTERVAL = 1
"""Seconds. Compose waits for the engine's first health check, which comes after one interval (30 s in the plan)."""


def compose_document(plan: Plan, project: str, rendered: Path, ports: Mapping[int, int]) -> dict[str, Any]:
    """The plan as a Compose file. `ports`: published port of the plan to the one that is used instead."""
    services = {service.name: _service(service, project, rendered, ports) for service in plan.services}
    volumes = {name: {"name": name, "external": True} for name in data_volumes(plan, project)}
    document = {"name": project, "services": services, "volumes": volumes}
    escaped: dict[str, Any] = _escaped(document)
    return escaped


def data_volumes(plan: Plan, project: str) -> dict[str, Service]:
    """Names of the data volumes, and whose data each holds."""
    return {f"{project}-{volume.name}": service for service in plan.services for volume in service.volumes}


def _service(service: Service, project: str, rendered: Path, ports: Mapping[int, int]) -> dict[str, Any]:
    binds = [_bind(mount.source, mount.path) for mount in service.host_mounts]
    if service.files:
        binds.append(_bind(str(rendered / service.name), service.mounted_config))
    data = [{"type": "volume", "source": f"{project}-{v.name}", "target": v.path} for v in service.volumes]
    settings: dict[str, Any] = {
        "command": list(service.args),
        "environment": dict(service.env),
        "tmpfs": [f"{path}:mode=1777" for path in service.scratch],
        "volumes": binds + data,
        "ports": [
            {"target": port.number, "published": str(ports[port.published]), "host_ip": port.address}
            for port in service.ports
            if port.published
        ],
        "pid": "host" if service.host_pid else "",
        "cap_drop": ["ALL"],
        "cap_add": list(service.capabilities),
        "security_opt": ["no-new-privileges:true", *(["label=disable"] if service.host_pid else [])],
        "healthcheck": _healthcheck(service),
    }
    return {
        "image": service.image,
        "user": service.user,
        "restart": "unless-stopped",
        "read_only": service.read_only,
        "mem_limit": f"{service.resources.memory}m",
        "memswap_limit": f"{service.resources.memory}m",
        "cpus": service.resources.cpus,
        "stop_grace_period": f"{service.stop_grace}s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        **{name: value for name, value in settings.items() if value},
    }


def _bind(source: str, target: str) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": target, "read_only": True}


def _healthcheck(service: Service) -> dict[str, Any]:
    if not service.probe:
        return {}
    return {
        "test": ["CMD", *service.probe.command],
        "interval": f"{HEALTH_INTERVAL}s",
        "timeout": f"{service.probe.timeout}s",
        "retries": service.probe.retries,
        "start_period": f"{service.probe.start_period}s",
    }


def _escaped(value: Any) -> Any:
    """Compose takes `$` for the beginning of a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


class Compose:
    """The comparison: started and removed as often as asked, gone afterwards."""

    def __init__(self, stack: BenchStack) -> None:
        self.stack, self.plan = stack, stack.plan()
        self.project = f"{stack.environment}-compose"
        self.folder = stack.workspace.folder / "compose"
        self.rendered, self.file = self.folder / "rendered", self.folder / "compose.yaml"
        published = [port.published for s in self.plan.services for port in s.ports if port.published]
        self.ports = dict(zip(published, free_ports(len(published)), strict=True))
        binary = shutil.which("docker-compose", path=stack.workspace.variables.get("PATH"))
        self.command = [binary] if binary else ["docker", "compose"]

    def __enter__(self) -> Self:
        for service in self.plan.services:
            for file in service.files:
                target = self.rendered / service.name / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(file.resolve(lambda _transform, _name: "benchmark"))
        self.file.write_text(dump(compose_document(self.plan, self.project, self.rendered, self.ports)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        remove_labelled(self.stack.client, f"com.docker.compose.project={self.project}")
        self._remove_data()

    def _compose(self, *arguments: str) -> float:
        return run(
            [*self.command, "-p", self.project, "-f", str(self.file), *arguments],
            self.folder,
            self.stack.workspace.variables,
        )

    def prepare_data(self) -> None:
        """Make the data volumes with the right owners, which Compose cannot; so this is not part of what it takes."""
        for name, service in data_volumes(self.plan, self.project).items():
            self.stack.client.volumes.create(name, labels={"com.docker.compose.project": self.project})
            properties = {
                "volume": f"{name}-owner",
                "container": f"{name}-none",
                "image": service.image,
                "user": service.user,
                "labels": {"com.docker.compose.project": self.project},
                "files": {},
                "secret_files": {},
                "data_volumes": [name],
                "reload": {},
                "quiet": [],
            }
            engine = Engine()
            engine.write_configuration(properties, changed=set())
            engine.remove_volume(f"{name}-owner")
            engine.client.close()

    def _remove_data(self) -> None:
        engine = Engine()
        for name in data_volumes(self.plan, self.project):
            engine.remove_volume(name)
        engine.client.close()

    def up(self) -> float:
        """Seconds until all are healthy."""
        return self._compose("up", "-d", "--wait")

    def down(self) -> None:
        """Remove containers, network and data."""
        self._compose("down", "--volumes")
        self._remove_data()

    def reload(self, service: str) -> None:
        """What a user of Compose does after a change of a mounted file."""
        self._compose("up", "-d")
        self._compose("kill", "-s", "HUP", service)

    def starts(self) -> dict[str, str]:
        """When each container, by its id, was started."""
        filters: dict[str, Any] = {"label": f"com.docker.compose.project={self.project}"}
        found = self.stack.client.containers.list(all=True, filters=filters)
        return {str(container.id): container.attrs["State"]["StartedAt"] for container in found}

    def published(self, service: str, port: str = "http") -> str:
        """The address of a service on this machine."""
        planned = self.plan.service(service)
        assert planned is not None, service
        return f"http://127.0.0.1:{self.ports[planned.port(port).published or 0]}"
