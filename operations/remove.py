"""`down` and `destroy`: containers go at a word, data only at an explicit one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.config import StackConfig, load_stack_file
from operations import console
from operations.cluster import Cluster
from operations.engine_client import engine_client
from operations.errors import CommandError, UsageError
from operations.pulumi_cli import Pulumi

LABEL = "observatory.environment"
BUCKET = "pulumi-python:dynamic/storage:Bucket"
_WITH_DATA = ("docker:index/volume:Volume", "kubernetes:core/v1:PersistentVolumeClaim", BUCKET)


class Volumes:
    """The volumes of one environment on the Docker engine that it is deployed to."""

    def __init__(self, config: StackConfig, variables: Mapping[str, str]):
        from docker.errors import DockerException

        self.environment = config.environment
        try:
            self._client = engine_client(config, variables)
            self._client.ping()
        except DockerException as error:
            hint = "is it running? whether there is data cannot be told without it"
            raise CommandError(f"the Docker engine does not answer: {error}", hint) from None

    def names(self) -> list[str]:
        """Names of the volumes with data; those with configuration only are made anew by any deployment."""
        return [name for name in self._all() if not name.endswith("-config")]

    def _all(self) -> list[str]:
        found = self._client.volumes.list(filters={"label": f"{LABEL}={self.environment}"})
        prefix = f"observatory-{self.environment}-"
        return sorted(str(volume.name) for volume in found if str(volume.name).startswith(prefix))

    def remove(self) -> list[str]:
        """Remove them all, data and configuration. Raises CommandError for one that is still in use."""
        from docker.errors import APIError, NotFound

        removed = []
        for name in self._all():
            try:
                self._client.volumes.get(name).remove()
            except NotFound:
                continue
            except APIError as error:
                hint = "remove the container that uses it: docker ps -a"
                raise CommandError(f"volume {name} cannot be removed: {error.explanation or error}", hint) from None
            removed.append(name)
        return removed


def refusal(stack: str, volumes: Sequence[str]) -> CommandError:
    """Why `destroy` does nothing while there is data, and the ways on."""
    listed = "\n".join(f"  {name}" for name in volumes)
    return CommandError(
        f"{stack} has data, and it would be lost:\n{listed}",
        f"./observatory down {stack} removes the containers and keeps it; "
        f"./observatory destroy {stack} --delete-data removes both",
    )


def confirm(environment: str, ask: Callable[[str], str]) -> None:
    """Make sure that it is meant: by the environment's name, which no finger types by itself."""
    try:
        answer = ask(f"Type {environment} to delete its data for good: ")
    except EOFError:
        answer = ""
    if answer.strip() != environment:
        raise CommandError("nothing was removed: the name was not typed")


def down_command(stack: str) -> int:
    """Remove everything but the volumes. Protected resources are the volumes and what they stand under."""
    load_stack_file(stack)
    pulumi = Pulumi.of(stack)
    _known(pulumi)
    if lost := sorted(_name(each) for each in pulumi.resources() if _unguarded(each)):
        raise CommandError(
            f"{stack} was deployed with data.keep: false, so its data would go with the containers:\n"
            + "\n".join(f"  {name}" for name in lost),
            f"deploy it with data.keep: true first; or ./observatory destroy {stack} --delete-data, which removes both",
        )
    code = pulumi.show("destroy", "--exclude-protected", "--yes", "--skip-preview")
    if code == 0:
        console.say(f"{stack} is down; its data stays, and the next deployment takes it up again")
    return 1 if code else 0


def destroy_command(stack: str, delete_data: bool, yes: bool) -> int:
    """Remove a stack; with its data only if told so."""
    config = load_stack_file(stack)
    pulumi = Pulumi.of(stack)
    volumes = Cluster(config) if config.platform == "kubernetes" else Volumes(config, pulumi.variables)
    buckets = [each for each in pulumi.resources() if each["type"] == BUCKET]
    names = [*volumes.names(), *(f"bucket {_name(each)}, with every object in it" for each in buckets if _goes(each))]
    if names and not delete_data:
        raise refusal(stack, names)
    if delete_data and not yes:
        if not sys.stdin.isatty():
            raise UsageError("--delete-data asks for the environment's name on a terminal", "add --yes in scripts")
        for name in names:
            console.say(f"  {name}")
        confirm(config.environment, input)
    if pulumi.exists():
        pulumi.ask("state", "unprotect", "--all", "--yes")
        if pulumi.show("destroy", "--yes", "--skip-preview"):
            return 1
    removed = volumes.remove()
    gone = f"; with {len(removed)} volumes: {', '.join(removed)}" if removed else ""
    console.say(f"{stack} is removed{gone}. Its stack file and the secrets in it stay.")
    for bucket in (_name(each) for each in buckets if each.get("retainOnDelete")):
        console.say(f"Bucket {bucket} stays with everything in it; `adopt: true` lets a stack take it up again.")
    return 0


# What a removal does to a resource was settled when it was deployed: the stack file may say something else by now.


def _unguarded(resource: Mapping[str, Any]) -> bool:
    """Whether a resource of the state holds data that goes as soon as Pulumi removes it."""
    return resource["type"] in _WITH_DATA and not resource.get("protect") and not resource.get("retainOnDelete")


def _goes(bucket: Mapping[str, Any]) -> bool:
    """Whether a bucket of the state is deleted with all its objects."""
    return bool((bucket.get("outputs") or {}).get("delete_with_objects")) and not bucket.get("retainOnDelete")


def _name(resource: Mapping[str, Any]) -> str:
    """A resource of the state as its platform calls it."""
    return str(resource.get("id") or resource["urn"].rpartition("::")[2])


def _known(pulumi: Pulumi) -> None:
    if not pulumi.exists():
        raise CommandError(f"there is no stack {pulumi.stack} in Pulumi's backend, so nothing to remove")
