"""Runs the planned backup in containers of their own, on the stack's engine: for copies by hand, and for restores.

Files and secrets go through a configuration volume, as in a deployment; nothing secret is an argument or a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import Mount

from components.beside import read_beside
from components.config import StackConfig
from components.config.backup import Destination
from components.config.load import stack_path
from components.plan import image_catalogue, plan_stack
from components.platforms.docker_engine import Engine
from components.secrets import bcrypt_hash
from components.services import backup
from components.spec import Plan
from operations import console
from operations.backups.copies import Answer, Copies
from operations.errors import CommandError
from operations.inside import InContainer, Inside
from operations.pulumi_cli import Pulumi

LABEL = "observatory.environment"


@dataclass(frozen=True, slots=True)
class SecretValues:
    """Values of a stack's secrets: those in files that are named, else Pulumi's."""

    stack: str
    files: Mapping[str, Path]

    def value(self, name: str) -> str:
        """The value; CommandError where there is none."""
        if file := self.files.get(name):
            try:
                return file.read_text(encoding="utf-8").removesuffix("\n")
            except (OSError, UnicodeDecodeError) as error:
                raise CommandError(f"{file} cannot be read: {error}") from None
        pulumi = Pulumi.of(self.stack)
        value = pulumi.secret(name)
        if value is None:
            value = pulumi.outputs().get(name) if pulumi.exists() else None
        if not value:
            hint = f"pulumi config set --secret observatory:{name} --stack {pulumi.stack}"
            raise CommandError(f"the secret observatory:{name} is not set", hint)
        return str(value)

    def insert(self, transform: str, name: str) -> str:
        """What stands in a file in place of a token."""
        value = self.value(name)
        return bcrypt_hash(value, name) if transform == "bcrypt" else value


@dataclass(frozen=True)
class Backups(Copies):
    """The copies of one stack, and the containers that make and read them."""

    secrets: SecretValues
    engine: Engine

    @classmethod
    def of(
        cls, stack: str, config: StackConfig, plan: Plan, place: str | None = None, password_file: Path | None = None
    ) -> Backups:
        """For a stack's name or file as it is planned; `place` is a folder in place of the one in the stack file."""
        if place is not None:
            assert config.backup
            to = Destination.model_validate({"folder": place})
            config = config.model_copy(update={"backup": config.backup.model_copy(update={"to": to})})
            plan = plan_stack(config, image_catalogue(config), read_beside(config, stack_path(stack)))
        service = plan.service(backup.NAME)
        if service is None:
            raise CommandError("the image of the backup cannot be had on this machine", "see `make ready`")
        assert config.backup
        files = {config.backup.password.secret: password_file} if password_file else {}
        address = config.docker.host or ""
        return cls(config, plan, service, SecretValues(stack, files), Engine(address))

    @property
    def labels(self) -> dict[str, str]:
        """By which the engine finds all that belongs to the stack."""
        return {LABEL: self.config.environment}

    def volumes(self) -> list[str]:
        """Those of the stack's data volumes that exist, without the stack's prefix."""
        found = []
        for volume in self.service.shares:
            with suppress(NotFound):
                self.engine.client.volumes.get(f"{self.prefix}-{volume.name}")
                found.append(volume.name)
        return found

    def run(
        self,
        *arguments: str,
        show: Callable[[str], None] = lambda _line: None,
        volumes: Sequence[str] = (),
        environment: str = "",
    ) -> Answer:
        """Run the script in a container of its own; Ctrl-C ends it first.

        It gets `volumes` of this stack, or of that of another environment. `show` gets each line for people.
        """
        with self._container(arguments, volumes, environment or self.config.environment) as container:
            return self._followed(container, show)

    @contextmanager
    def _container(self, arguments: tuple[str, ...], volumes: Sequence[str], environment: str) -> Iterator[Container]:
        name = f"{self.prefix}-backup-manual"
        if leftover := self.engine.container(name):
            if leftover.status == "running":
                hint = f"wait for its end, or end it: docker stop {name}"
                raise CommandError(f"a backup or restore of {self.config.environment} is going on", hint)
            leftover.remove(v=True, force=True)
        configuration = f"{name}-config"
        files = {file.path: file.resolve(self.secrets.insert) for file in self.service.files}
        secret = {file.path for file in self.service.files if file.secrets}
        self.engine.write_configuration(
            {
                "volume": configuration,
                "container": name,
                "image": self.service.image,
                "user": self.service.user,
                "labels": self.labels,
                "files": {path: text for path, text in files.items() if path not in secret},
                "secret_files": {path: text for path, text in files.items() if path in secret},
                "quiet": [],
                "data_volumes": [],
                "reload": {},
            },
            changed=None,
        )
        try:
            container = self._created(name, arguments, self._mounts(configuration, volumes, environment))
            try:
                yield container
            finally:
                container.remove(v=True, force=True)
        finally:
            self.engine.remove_volume(configuration)

    def _mounts(self, configuration: str, volumes: Sequence[str], environment: str) -> list[Mount]:
        state = f"{self.prefix}-{backup.STATE_VOLUME.name}"
        actual = {volume: f"observatory-{environment}-{volume}" for volume in volumes}
        self.engine.client.volumes.create(state, labels=self.labels)
        for name in actual.values():
            self.engine.client.volumes.create(name, labels={LABEL: environment})
        return [
            Mount(backup.STATE_VOLUME.path, state),
            Mount(backup.FOLDER, configuration, read_only=True),
            *(Mount(backup.data_path(volume), name) for volume, name in actual.items()),
            *(Mount(host.path, host.source, type="bind") for host in self.service.host_mounts),
        ]

    def _created(self, name: str, arguments: tuple[str, ...], mounts: list[Mount]) -> Container:
        service = self.service
        outside = any(not call.service for call in service.calls)
        try:
            container: Container = self.engine.client.containers.create(
                service.image,
                list(arguments),
                entrypoint=list(service.entrypoint),
                name=name,
                hostname=name[:63],
                labels=self.labels,
                user=service.user,
                environment=dict(service.env),
                mounts=mounts,
                cap_drop=["ALL"],
                cap_add=list(service.capabilities),
                security_opt=["no-new-privileges:true"],
                read_only=True,
                tmpfs=dict.fromkeys(service.scratch, "mode=1777"),
                network_mode=self._network() if outside else "none",
                mem_limit=f"{service.resources.memory}m",
            )
        except APIError as error:
            raise self._refused(error) from None
        return container

    def _followed(self, container: Container, show: Callable[[str], None]) -> Answer:
        output, errors, rest = b"", b"", b""
        try:
            # Attached before the start: what ends at once would have nothing more to say.
            stream = container.attach(stream=True, demux=True)
            container.start()
            for out, error in stream:
                output += out or b""
                errors += error or b""
                *lines, rest = (rest + (error or b"")).split(b"\n")
                for line in lines:
                    show(line.decode(errors="replace"))
            code = int(container.wait()["StatusCode"])
        except APIError as error:
            raise self._refused(error) from None
        except KeyboardInterrupt:
            console.note("ending it")
            container.stop(timeout=30)
            raise
        return Answer(code, output.decode(errors="replace"), errors.decode(errors="replace"))

    def _refused(self, error: APIError) -> CommandError:
        message = str(error.explanation or error)
        if self.service.host_mounts and "bind source path does not exist" in message:
            folder = self.service.host_mounts[0].source
            return CommandError(
                f"{folder} does not exist on the engine's machine", "make it, or correct `backup.to.folder`"
            )
        return CommandError(f"the engine refuses to run the backup: {message}")

    def _network(self) -> str:
        """The stack's own network, where the bucket may be a neighbour; before a deployment the engine's."""
        return self.prefix if self.engine.client.networks.list(names=[f"^{self.prefix}$"]) else "bridge"

    def inside(self, name: str, patience: float = 0.0) -> Inside | None:
        """The program of that name, where it runs. One that is starting is asked again for `patience` seconds."""
        service = self.plan.service(name)
        found = InContainer(service, self.engine, self.prefix, patience=patience) if service else None
        return found if found and found.runs else None

    @property
    def place(self) -> str:
        """Where the copies are, in words."""
        assert self.config.backup
        to = self.config.backup.to
        return to.folder or backup.repository(to.bucket)
