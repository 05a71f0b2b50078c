"""What is beside a stack on its engine: strangers on its network and at its volumes, volumes too many or too few."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from components.spec import Plan, Service
from operations.drift.findings import Finding

Attributes = Mapping[str, Any]
HELPER = "observatory.helper"
"""Label of containers that this program makes for a moment."""


def data_volumes(services: Collection[Service], prefix: str) -> set[str]:
    """Names of the volumes with data."""
    return {f"{prefix}-{volume.name}" for service in services for volume in service.volumes}


def configuration_volumes(services: Collection[Service], prefix: str) -> set[str]:
    """Names of the volumes with configuration: of services with files, or whose data has to be given an owner."""
    return {f"{prefix}-{service.name}-config" for service in services if service.files or service.volumes}


def mounts_of(service: Service, services: Sequence[Service], prefix: str) -> set[tuple[str, str, bool]]:
    """What a container has to have mounted: name or path, folder in the container, and whether it may write there."""
    beside = next((other for other in services if other.name == service.beside), None)
    volumes = [*service.volumes, *service.shares, *(beside.volumes if beside else ())]
    found = {(f"{prefix}-{volume.name}", volume.path, True) for volume in volumes}
    found |= {(mount.source, mount.path, mount.writable) for mount in service.host_mounts}
    if service.files:
        found.add((f"{prefix}-{service.name}-config", service.config_folder, False))
    return found


def volume_findings(plan: Plan, prefix: str, present: Collection[str]) -> Iterator[Finding]:
    """Volumes that are planned and missing, or there and not planned."""
    needed = data_volumes(plan.services, prefix) | configuration_volumes(plan.services, prefix)
    # What is withheld on this machine may have left data here, or on its way here.
    known = needed | data_volumes(plan.withheld, prefix) | configuration_volumes(plan.withheld, prefix)
    for name in sorted(needed - {*present}):
        yield Finding("volumes", name, "is missing")
    for name in sorted({*present} - known):
        yield Finding("volumes", name, "belongs to the stack by its name or label, but nothing of the plan uses it")


def container_findings(plan: Plan, environment: str, containers: Sequence[Attributes]) -> Iterator[Finding]:
    """Containers on the stack's network or at its volumes that are not planned. `containers` are all of the engine."""
    prefix = f"observatory-{environment}"
    planned = {f"{prefix}-{service.name}" for service in plan.services}
    services = (*plan.services, *plan.withheld)
    volumes = data_volumes(services, prefix) | configuration_volumes(services, prefix)
    for container in containers:
        name, labels = _name(container), container["Config"].get("Labels") or {}
        if name in planned or HELPER in labels:
            continue
        if labels.get("observatory.environment") == environment:
            yield Finding("strangers", name, "has the stack's label, but is not planned")
        if prefix in (container["NetworkSettings"].get("Networks") or {}):
            state = container["State"]["Status"]
            yield Finding("strangers", name, f"is on the stack's network ({container['Config']['Image']}, {state})")
        for mount in container.get("Mounts") or []:
            if mount.get("Name") in volumes:
                access = "may write to" if mount.get("RW") else "reads"
                yield Finding("strangers", name, f"{access} the stack's volume {mount['Name']}")


def missing_containers(plan: Plan, prefix: str, containers: Sequence[Attributes]) -> Iterator[Finding]:
    """Services without a container."""
    present = {_name(container) for container in containers}
    for service in plan.services:
        if f"{prefix}-{service.name}" not in present:
            yield Finding("settings", service.name, "has no container")


def _name(container: Attributes) -> str:
    return str(container["Name"]).lstrip("/")
