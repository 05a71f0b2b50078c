"""A second stack beside the first, for a drill: from the same stack file, with nothing that reaches out of it.

No port is published, its network has no way out, and nobody is notified. It is removed whatever happens.
"""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import Mount

from components.config import StackConfig
from components.config.alerting import Alerting
from components.config.high_availability import HighAvailability
from components.config.kubernetes import Monitor
from components.config.platform import namespaces
from components.config.products import Docker, Exporters, Ports, Retention, Tracing
from components.config.storage import Storage
from components.plan import image_catalogue, plan_stack
from components.platforms.docker_engine import Engine
from components.services import grafana_dump
from components.spec import Plan, Service
from operations.backups.containers import LABEL
from operations.errors import CommandError

MARK = "observatory.drill"
START_PATIENCE = 180
_ASKED = ("alertmanager", "prometheus")
"""What answers for the copy. Grafana's database is read without it."""


def _closed_cluster(config: StackConfig) -> dict[str, Any]:
    nothing = Monitor(kubelet=False, api_server=False, dns=False, workloads=False)
    own = {"namespace": f"{namespaces(config)[0][:57]}-drill", "monitor": nothing, "ingress": None, "gateway": None}
    return {**own, "trace_namespaces": (), "sample_namespaces": ()}


def closed(config: StackConfig) -> StackConfig:
    """A stack with the values of the first, but for all by which it would reach anybody, or be reached."""
    ports = {name: None for name in Ports.model_fields if name != "bind_address"}
    cluster = config.kubernetes
    return config.model_copy(
        update={
            "environment": f"{config.environment[:50]}-drill",
            "docker": Docker(host=config.docker.host),
            "kubernetes": cluster.model_copy(update=_closed_cluster(config)) if cluster else None,
            "access": None,
            "ports": Ports(**ports),  # type: ignore[arg-type]
            # Or old samples would go before anybody has asked for them.
            "retention": Retention(time="50y"),
            "storage": Storage(),
            "alerting": Alerting(),
            "high_availability": HighAvailability(),
            "tracing": Tracing(backend="none"),
            "exporters": Exporters(node=False, blackbox=False, cadvisor=False),
            "services": (),
            "federation": (),
            "probes": (),
            "rule_files": (),
            "dashboard_files": {},
            "demo": False,
            "backup": None,
        }
    )


@dataclass(frozen=True)
class DrillStack:
    """The second stack."""

    engine: Engine
    config: StackConfig
    plan: Plan

    @classmethod
    def beside(cls, config: StackConfig, engine: Engine) -> DrillStack:
        """With the values of the first, but for all by which it would reach anybody."""
        own = closed(config)
        return cls(engine, own, plan_stack(own, image_catalogue(own)))

    @property
    def prefix(self) -> str:
        """What names of its containers and volumes begin with."""
        return f"observatory-{self.config.environment}"

    @property
    def volumes(self) -> set[str]:
        """Those that it has a use for: of replicas the first one's."""
        return {volume.name for service in self.plan.services for volume in service.volumes} | {
            grafana_dump.VOLUME.name
        }

    @property
    def labels(self) -> dict[str, str]:
        """By which the engine finds all that belongs to the drill, and nothing else."""
        return {LABEL: self.config.environment, MARK: "true"}

    @contextmanager
    def room(self) -> Iterator[None]:
        """Make its network and volumes, and remove all that belongs to it at the end; what a killed drill left, first.

        CommandError where there is a stack of the same name, if only its data.
        """
        if strangers := self._strangers():
            message = f"there is a stack {self.config.environment} already, which is no drill's: {', '.join(strangers)}"
            raise CommandError(message, "a drill needs that name; destroy that stack, or rename one of the two")
        self.remove()
        client = self.engine.client
        client.networks.create(self.prefix, driver="bridge", internal=True, labels=self.labels)
        try:
            # Those that the copy does not hold too: the engine would make them unmarked, and they would stay.
            for name in self.volumes:
                client.volumes.create(f"{self.prefix}-{name}", labels=self.labels)
            yield
        finally:
            self.remove()

    def _strangers(self) -> list[str]:
        """Names of networks and volumes that are called like the drill's, and are not."""
        client, ours = self.engine.client, {self.prefix, *(f"{self.prefix}-{name}" for name in self.volumes)}
        there = [*client.networks.list(names=[self.prefix]), *client.volumes.list(filters={"name": self.prefix})]
        found = []
        for each in there:
            labels = each.attrs.get("Labels") or {}
            named = each.attrs["Name"] in ours or labels.get(LABEL) == self.config.environment
            if named and MARK not in labels:
                found.append(str(each.attrs["Name"]))
        return sorted(found)

    def remove(self) -> None:
        """Remove containers, volumes and network of the drill."""
        client = self.engine.client
        filters: dict[str, str | list[str] | bool] = {"label": [f"{key}={value}" for key, value in self.labels.items()]}
        for container in client.containers.list(all=True, filters=filters, ignore_removed=True):
            with suppress(NotFound):
                container.remove(v=True, force=True)
        for volume in client.volumes.list(filters=filters):
            with suppress(NotFound):
                volume.remove(force=True)
        for network in client.networks.list(filters=filters):
            with suppress(NotFound):
                network.remove()

    def start(self) -> None:
        """Start what answers for the copy, and wait until it does."""
        for name in _ASKED:
            service = self.plan.service(name)
            if service:
                self._start(service)

    def _start(self, service: Service) -> None:
        container = self._started(service, service.args)
        probe = list(service.probe.command) if service.probe else []
        self.engine.await_started(str(container.name), probe, START_PATIENCE)

    def run(self, service: Service, *arguments: str) -> tuple[int, str, str]:
        """Run a service of the first stack to its end, on the restored data; its exit code and both outputs."""
        container = self._started(service, arguments)
        code = int(container.wait(timeout=3600)["StatusCode"])
        output, errors = (container.logs(stdout=out, stderr=not out) for out in (True, False))
        return code, output.decode(errors="replace").strip(), errors.decode(errors="replace").strip()

    def _started(self, service: Service, arguments: Sequence[str]) -> Container:
        """A running container like the first stack's, with the restored data."""
        name = f"{self.prefix}-{service.name}"
        self.engine.write_configuration(
            {
                "volume": f"{name}-config",
                "container": name,
                "image": service.image,
                "user": service.user,
                "labels": self.labels,
                # A drill reaches nobody, so it needs nobody's secrets.
                "files": {file.path: file.resolve(lambda *_: secrets.token_hex()) for file in service.files},
                "secret_files": {},
                "quiet": [],
                "data_volumes": [f"{self.prefix}-{volume.name}" for volume in service.volumes],
                "reload": {},
            },
            changed=None,
        )
        mounts = [Mount(volume.path, f"{self.prefix}-{volume.name}") for volume in service.volumes]
        mounts.append(Mount(service.config_folder, f"{name}-config", read_only=True))
        try:
            container: Container = self.engine.client.containers.create(
                service.image,
                list(arguments),
                entrypoint=list(service.entrypoint) or None,
                name=name,
                labels=self.labels,
                user=service.user,
                environment=dict(service.env),
                mounts=mounts,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                read_only=service.read_only,
                tmpfs=dict.fromkeys(service.scratch, "mode=1777"),
                network=self.prefix,
                mem_limit=f"{service.resources.memory}m",
            )
            container.start()
        except APIError as error:
            raise CommandError(f"the engine refuses to run {name}: {error.explanation or error}") from None
        return container

    def file(self, volume: str, path: str, image: str) -> bytes:
        """A file of one of its volumes. KeyError where there is none."""
        door = self.engine.client.containers.create(
            image,
            ["-"],
            mounts=[Mount("/data", f"{self.prefix}-{volume}", read_only=True)],
            network_mode="none",
            labels=self.labels,
        )
        try:
            chunks, _ = door.get_archive(f"/data/{path}")
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                content = archive.extractfile(archive.getmembers()[0])
                return content.read() if content else b""
        except NotFound:
            raise KeyError(path) from None
        finally:
            door.remove(v=True, force=True)
