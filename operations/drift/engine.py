"""Looking at a stack on its Docker engine: containers, files, networks and volumes. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from components.config import StackConfig
from components.spec import Plan, Service
from operations.drift.files import file_differences, unpacked
from operations.drift.findings import Finding, Unchecked
from operations.drift.settings import setting_differences
from operations.drift.surroundings import container_findings, missing_containers, mounts_of, volume_findings
from operations.engine_client import engine_client
from operations.errors import CommandError

if TYPE_CHECKING:
    from docker import DockerClient


def engine_findings(config: StackConfig, plan: Plan, variables: Mapping[str, str]) -> Iterator[Finding | Unchecked]:
    """All that the stack's engine tells. CommandError where it does not answer."""
    from docker.errors import DockerException

    try:
        client = engine_client(config, variables)
    except DockerException as error:
        raise CommandError(f"the Docker engine does not answer: {error}", "is it running? `docker info`") from None
    try:
        yield from _looked_at(client, config, plan)
    except DockerException as error:
        yield Unchecked("settings", f"the Docker engine does not answer any more: {error}")
    finally:
        client.close()


def _looked_at(client: DockerClient, config: StackConfig, plan: Plan) -> Iterator[Finding | Unchecked]:
    prefix = f"observatory-{config.environment}"
    containers = list(_containers(client))
    yield from missing_containers(plan, prefix, containers)
    by_name = {each["Name"].lstrip("/"): each for each in containers}
    for service in plan.services:
        if found := by_name.get(f"{prefix}-{service.name}"):
            yield from _service(client, config, plan, service, found)
    yield from container_findings(plan, config.environment, containers)
    if not client.networks.list(names=[f"^{prefix}$"]):
        yield Finding("settings", prefix, "the stack's network is gone")
    yield from volume_findings(plan, prefix, _volumes(client, prefix, config.environment))


def _containers(client: DockerClient) -> Iterator[dict[str, Any]]:
    """Every container of the engine as it is inspected; one that goes meanwhile is passed over."""
    from docker.errors import NotFound

    for short in client.api.containers(all=True):
        try:
            yield client.api.inspect_container(short["Id"])
        except NotFound:
            continue


def _volumes(client: DockerClient, prefix: str, environment: str) -> set[str]:
    """Volumes of the stack by label or name; the prefix of another environment may begin with that of this one."""
    found = {
        str(each.name): (each.attrs.get("Labels") or {}).get("observatory.environment")
        for each in client.volumes.list()
    }
    return {
        name
        for name, label in found.items()
        if label == environment or (label is None and name.startswith(f"{prefix}-"))
    }


def _service(
    client: DockerClient, config: StackConfig, plan: Plan, service: Service, container: dict[str, Any]
) -> Iterator[Finding | Unchecked]:
    from docker.errors import ImageNotFound, NotFound

    prefix = f"observatory-{config.environment}"
    try:
        image = client.images.get(container["Image"]).attrs
    except ImageNotFound:
        yield Unchecked("settings", f"{service.name}: the image that it was made from is gone")
    else:
        mounts = mounts_of(service, plan.services, prefix)
        for difference in setting_differences(service, config, container, image, mounts):
            yield Finding("settings", service.name, difference)
    if not service.files:
        return
    try:
        chunks, _ = client.containers.get(container["Id"]).get_archive(service.config_folder)
        seen = unpacked(chunks)
    except NotFound:
        seen = None
    if seen is None:
        yield Finding("files", service.name, f"there is no configuration at {service.mounted_config}")
        return
    for difference in file_differences(service, seen):
        yield Finding("files", service.name, difference)
