"""The stack that is measured: the dev stack by another name, on other ports, without data worth keeping."""

from __future__ import annotations

import copy
import random
import socket
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

import docker
import httpx
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from benchmarks.workspace import ROOT, Workspace
from components.config import parse_stack
from components.config.load import KEY
from components.config.products import Ports
from components.images import load_catalogue
from components.plan import plan_stack
from components.spec import Plan
from components.yaml_text import dump, load

UP = ("up", "--yes", "--skip-preview")
_LABEL = "observatory.environment"


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses, below those that the system gives to outgoing connections."""
    found: list[int] = []
    with ExitStack() as held:
        for port in random.sample(range(20000, 30000), 1000):
            if len(found) == count:
                return found
            listener = held.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind(("127.0.0.1", port))
                found.append(port)
    raise OSError(f"no {count} free ports between 20000 and 30000")


def bench_stack(dev: dict[str, Any], environment: str, ports: list[int]) -> dict[str, Any]:
    """The dev stack's object with another name and other ports."""
    names = list(parse_stack(dev, "stacks/Pulumi.dev.yaml").ports.published())
    own = dict(zip(names, ports, strict=False))
    if len(own) < len(names):
        raise ValueError(f"{len(names)} ports are published, {len(ports)} given")
    return {**copy.deepcopy(dev), "environment": environment, "ports": own, "data": {"keep": False}}


class BenchStack:
    """One stack of the workspace, and those of the other programs beside it. All are gone afterwards."""

    def __init__(self, workspace: Workspace, environment: str) -> None:
        self.workspace, self.environment = workspace, environment
        self.client = docker.from_env(timeout=120)
        dev = load((ROOT / "stacks" / "Pulumi.dev.yaml").read_text())["config"][KEY]
        self.object = bench_stack(dev, environment, free_ports(len(Ports.model_fields)))
        self.config = parse_stack(self.object, f"stacks/Pulumi.{environment}.yaml")
        self.deployed = False

    def __enter__(self) -> Self:
        for program in (self.workspace.project, self.workspace.empty, self.workspace.smallest):
            self.workspace.pulumi(program, self.environment, "stack", "init", "--no-select")
        self.configure({})
        for program in (self.workspace.empty, self.workspace.smallest):
            self.workspace.pulumi(program, self.environment, *UP)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove_leftovers()
        self.client.close()

    def configure(self, changes: dict[str, Any]) -> None:
        """The stack file from now on: its object with other values for some keys. Secrets stay."""
        own = {**self.object, **changes}
        self.config = parse_stack(own, f"stacks/Pulumi.{self.environment}.yaml")
        file = self.workspace.project / "stacks" / f"Pulumi.{self.environment}.yaml"
        document = load(file.read_text()) if file.exists() else {}
        file.write_text(dump({**document, "config": {**document.get("config", {}), KEY: own}}))

    def plan(self) -> Plan:
        """What is deployed."""
        return plan_stack(self.config, load_catalogue(self.config.images))

    def pulumi(self, *arguments: str) -> float:
        """Seconds that Pulumi takes for the stack."""
        return self.workspace.pulumi(self.workspace.project, self.environment, *arguments)

    def empty(self, *arguments: str) -> float:
        """Seconds that Pulumi takes for the empty program."""
        return self.workspace.pulumi(self.workspace.empty, self.environment, *arguments)

    def smallest(self, *arguments: str) -> float:
        """Seconds that Pulumi takes for one resource of each provider."""
        return self.workspace.pulumi(self.workspace.smallest, self.environment, *arguments)

    def up(self) -> float:
        """Seconds of a deployment."""
        self.deployed = True
        return self.pulumi(*UP)

    def ensure_up(self) -> None:
        """Deploy it unless it is."""
        if not self.deployed:
            self.up()

    def destroy(self) -> None:
        """Remove containers, volumes and the network; Pulumi's stack itself stays."""
        self.pulumi("destroy", "--yes", "--skip-preview")
        self.deployed = False

    def containers(self) -> list[Container]:
        """Its containers, running or not."""
        found = self.client.containers.list(all=True, filters={"label": f"{_LABEL}={self.environment}"})
        return sorted(found, key=lambda container: str(container.name))

    def starts(self) -> dict[str, str]:
        """When each container, by its id, was started: what differs later was restarted."""
        return {str(container.id): container.attrs["State"]["StartedAt"] for container in self.containers()}

    def published(self, service: str, port: str = "http") -> str:
        """The address of a service on this machine."""
        planned = self.plan().service(service)
        assert planned is not None, service
        return f"http://127.0.0.1:{planned.port(port).published}"

    def remove_leftovers(self) -> None:
        """Remove all of the stack through the engine itself, whatever state an interruption left it in."""
        remove_labelled(self.client, f"{_LABEL}={self.environment}")
        for container in self.client.containers.list(all=True, filters={"name": f"observatory-{self.environment}-"}):
            with suppress(NotFound, APIError):
                container.remove(force=True, v=True)
        with suppress(NotFound, APIError):
            self.client.volumes.get(f"{self.environment}-smallest").remove()


def remove_labelled(client: docker.DockerClient, label: str) -> None:
    """Remove every container, volume and network with a label."""
    filters: dict[str, Any] = {"label": label}
    for container in client.containers.list(all=True, filters=filters):
        with suppress(NotFound, APIError):
            container.remove(force=True, v=True)
    for volume in client.volumes.list(filters=filters):
        with suppress(NotFound, APIError):
            volume.remove(force=True)
    for network in client.networks.list(filters=filters):
        with suppress(NotFound, APIError):
            network.remove()


def has_rule(base: str, name: str) -> bool:
    """Whether a running Prometheus has a rule of that name."""
    try:
        groups = httpx.get(f"{base}/api/v1/rules", timeout=5, trust_env=False).json()["data"]["groups"]
    except (httpx.TransportError, ValueError):
        return False
    return any(rule["name"] == name for group in groups for rule in group["rules"])
