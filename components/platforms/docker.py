"""Docker: a network, and for each service its volumes, its configuration, its container, and the proof of a start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi.dynamic import Resource as DynamicResource

from components.config import StackConfig
from components.platforms.docker_live import ConfigurationProvider, NetworkProvider, StartedProvider
from components.secrets import marked, resolved
from components.spec import Probe, Service, Volume

# The provider takes these as state only: the container itself keeps the old values unless it is replaced.
# "#initerror" replaces a container whose creation failed half-way, which would pass as healthy otherwise.
_REPLACE_ON = ["healthcheck", "tmpfs", "#initerror"]
_START_PATIENCE = 180


class Configuration(DynamicResource, module="docker", name="Configuration"):
    """The files of one service, live in its configuration volume."""


class Network(DynamicResource, module="docker", name="Network"):
    """The stack's own network."""

    name: pulumi.Output[str]


class Started(DynamicResource, module="docker", name="Started"):
    """A container that runs and is healthy."""


class DockerPlatform:
    """One Docker engine and the stack's own network on it."""

    def __init__(self, config: StackConfig, parent: pulumi.Resource):
        self.config = config
        self.host = config.docker.host or ""
        self.prefix = f"observatory-{config.environment}"
        self.volumes: dict[str, docker.Volume] = {}
        self._data: dict[str, tuple[Volume, ...]] = {}
        self.provider = docker.Provider("engine", host=self.host or None, opts=pulumi.ResourceOptions(parent=parent))
        self.network = Network(
            NetworkProvider(),
            "network",
            {
                "host": self.host,
                "name": self.prefix,
                "subnet": config.docker.subnet or "",
                "labels": {"observatory.environment": config.environment},
            },
            pulumi.ResourceOptions(parent=parent),
        )

    def _options(self, parent: pulumi.Resource, **more: Any) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=parent, provider=self.provider, **more)

    def deploy(
        self,
        service: Service,
        parent: pulumi.Resource,
        secrets: Mapping[str, pulumi.Output[str]],
        after: Sequence[pulumi.Resource] = (),
    ) -> pulumi.Resource:
        """Create the service's resources, in the order in which they need each other."""
        if service.api:
            raise ValueError(
                f"{service.name} asks for the platform's API (api), which a Docker stack does not hand out"
            )
        if service.prepares:
            raise ValueError(f"{service.name} asks to run before others are started (prepares), which Docker has not")
        if service.probe and service.probe.port:
            raise ValueError(f"{service.name} asks for a health check from outside (probe.port), which Docker has not")
        volumes = {volume.name: self._volume(volume.name, parent) for volume in service.volumes}
        self.volumes |= volumes
        self._data[service.name] = service.volumes
        if service.beside and service.beside not in self._data:
            raise ValueError(f"{service.name} runs beside {service.beside}, which has to be planned before it")
        shared = {volume.name: self.volumes[volume.name] for volume in self._shared(service)}
        before: list[pulumi.Resource] = [*after, *volumes.values(), *shared.values()]
        if service.files or service.volumes:  # a new volume is root's, until this gives it to the service's user
            before = [*shared.values(), self._configuration(service, parent, before, secrets)]
        container = self._container(service, parent, before, secrets)
        return Started(
            StartedProvider(),
            service.name,
            {
                "host": self.host,
                "container": f"{self.prefix}-{service.name}",
                "container_id": container.id,
                "probe": list(service.probe.command) if service.probe else [],
                "patience": _START_PATIENCE,
            },
            pulumi.ResourceOptions(parent=parent, depends_on=[container]),
        )

    def _volume(self, name: str, parent: pulumi.Resource) -> docker.Volume:
        # Labels would be forced replacements, that is, lost data: so only those that never change.
        return docker.Volume(
            name,
            name=f"{self.prefix}-{name}",
            labels=[docker.VolumeLabelArgs(label="observatory.environment", value=self.config.environment)],
            opts=self._options(
                parent,
                protect=self.config.data.keep,
                retain_on_delete=self.config.data.keep,
                ignore_changes=["labels", "driverOpts"],
            ),
        )

    def _configuration(
        self,
        service: Service,
        parent: pulumi.Resource,
        before: list[pulumi.Resource],
        secrets: Mapping[str, pulumi.Output[str]],
    ) -> Configuration:
        reload = service.reload
        return Configuration(
            ConfigurationProvider(),
            service.name,
            {
                "host": self.host,
                "volume": f"{self.prefix}-{service.name}-config",
                "container": f"{self.prefix}-{service.name}",
                "image": service.image,
                "user": service.user,
                "labels": {"observatory.environment": self.config.environment},
                "files": {file.path: file.content for file in service.files if not file.secrets},
                "secret_files": pulumi.Output.secret(
                    {file.path: resolved(file, secrets) for file in service.files if file.secrets}
                ),
                "quiet": [file.path for file in service.files if not file.reload],
                "data_volumes": [f"{self.prefix}-{volume.name}" for volume in service.volumes],
                "reload": {
                    "signal": reload.signal,
                    "loaded": reload.loaded,
                    "rejected": reload.rejected,
                    "commands": [list(command) for command in reload.commands],
                }
                if reload
                else {},
            },
            pulumi.ResourceOptions(parent=parent, depends_on=before, additional_secret_outputs=["secret_files"]),
        )

    def _container(
        self,
        service: Service,
        parent: pulumi.Resource,
        before: list[pulumi.Resource],
        secrets: Mapping[str, pulumi.Output[str]],
    ) -> docker.Container:
        labels: dict[str, pulumi.Input[str]] = {
            "observatory.environment": self.config.environment,
            "observatory.service": service.name,
        }
        if service.restart_digest:
            labels["observatory.config-digest"] = marked(service.restart_digest, secrets)
        return docker.Container(
            service.name,
            name=f"{self.prefix}-{service.name}",
            image=service.image,
            entrypoints=list(service.entrypoint) or None,
            command=list(service.args) or None,
            user=service.user,
            envs=[f"{name}={value}" for name, value in service.env] or None,
            restart="unless-stopped",
            memory=service.resources.memory,
            memory_swap=service.resources.memory,
            cpus=_cores(service.resources.cpus),
            read_only=service.read_only,
            tmpfs=dict.fromkeys(service.scratch, "mode=1777") or None,
            capabilities=_capabilities(service),
            security_opts=_security_options(service),
            pid_mode="host" if service.host_pid else None,
            log_driver="json-file",
            log_opts={"max-size": "10m", "max-file": "3"},
            healthcheck=_healthcheck(service.probe) if service.probe else None,
            labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in sorted(labels.items())],
            networks_advanced=self._networks(service),
            # As Docker Desktop has it: services that run on the host itself, outside of any container.
            hosts=[docker.ContainerHostArgs(host="host.docker.internal", ip="host-gateway")]
            if service.meets_services
            else None,
            ports=[
                docker.ContainerPortArgs(
                    internal=port.number, external=port.published, ip=port.address, **_protocol(protocol)
                )
                for port in sorted(service.ports, key=lambda port: port.number)
                for protocol in port.protocols
                if port.published
            ]
            or None,
            volumes=self._mounted_volumes(service),
            mounts=[
                docker.ContainerMountArgs(
                    type="bind", source=mount.source, target=mount.path, read_only=not mount.writable
                )
                for mount in service.host_mounts
            ]
            or None,
            stop_timeout=service.stop_grace,
            destroy_grace_seconds=service.stop_grace,
            must_run=True,
            opts=self._options(parent, depends_on=before, replace_on_changes=_REPLACE_ON, delete_before_replace=True),
        )

    def _networks(self, service: Service) -> list[docker.ContainerNetworksAdvancedArgs]:
        names = [name for name in (service.name, service.group_name, service.entry_name) if name]
        own = docker.ContainerNetworksAdvancedArgs(name=self.network.name, aliases=names)
        others = self.config.docker.networks if service.meets_services else ()
        return [own, *(docker.ContainerNetworksAdvancedArgs(name=name) for name in others)]

    def _shared(self, service: Service) -> tuple[Volume, ...]:
        """Volumes of other services that this one sees."""
        return (*service.shares, *self._data.get(service.beside, ()))

    def _mounted_volumes(self, service: Service) -> list[docker.ContainerVolumeArgs] | None:
        mounted = [
            docker.ContainerVolumeArgs(volume_name=self.volumes[volume.name].name, container_path=volume.path)
            for volume in (*service.volumes, *self._shared(service))
        ]
        if service.files:
            mounted.append(
                docker.ContainerVolumeArgs(
                    volume_name=f"{self.prefix}-{service.name}-config",
                    container_path=service.config_folder,
                    read_only=True,
                )
            )
        return mounted or None


def _protocol(protocol: str) -> dict[str, str]:
    # The provider's own default is not written down: any more in the state would replace containers that run.
    return {} if protocol == "tcp" else {"protocol": protocol}


def _capabilities(service: Service) -> docker.ContainerCapabilitiesArgs:
    return docker.ContainerCapabilitiesArgs(
        drops=["ALL"], adds=[f"CAP_{name}" for name in service.capabilities] or None
    )


def _security_options(service: Service) -> list[str]:
    # The engine adds this label by itself to a container that sees the host's processes: unless it is asked for here,
    # it is a difference for ever.
    return ["no-new-privileges:true", *(["label=disable"] if service.host_pid else [])]


def _healthcheck(probe: Probe) -> docker.ContainerHealthcheckArgs:
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", *probe.command],
        interval=_duration(probe.interval),
        timeout=_duration(probe.timeout),
        retries=probe.retries,
        start_period=_duration(probe.start_period),
    )


def _cores(cpus: float) -> str:
    """As the provider writes it back, `10.` included; any other spelling replaces the container for ever."""
    text = f"{cpus:.9f}"
    return f"{cpus:.1f}" if text.count("0") == 9 else text.rstrip("0")


def _duration(seconds: int) -> str:
    """As the engine writes it back: `1m30s`, never `90s`; any other spelling is a difference for ever."""
    return f"{seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"{seconds}s"
