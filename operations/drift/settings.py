"""What a container runs with, as the engine tells, beside what its service is planned with.

Values of the environment are never shown: a variable that somebody added may hold a credential.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.config import StackConfig
from components.spec import Service

Attributes = Mapping[str, Any]


def setting_differences(
    service: Service, config: StackConfig, container: Attributes, image: Attributes, mounts: set[tuple[str, str, bool]]
) -> Iterator[str]:
    """One line for each setting. `image` is that of the container, `mounts` are the planned ones."""
    yield from _state(container)
    if container["Config"]["Image"] != service.image:
        yield f"runs the image {container['Config']['Image']}, planned is {service.image}"
    yield from _program(service, container["Config"], image.get("Config") or {})
    yield from _limits(service, container["HostConfig"])
    yield from _rights(service, container["HostConfig"])
    yield from _ports(service, container["HostConfig"])
    yield from _networks(service, config, container)
    yield from _mounts(container, image, mounts)


def _state(container: Attributes) -> Iterator[str]:
    state = container["State"]
    if state["Status"] != "running":
        yield f"is {state['Status']}, with exit code {state.get('ExitCode', '?')}"
    elif (state.get("Health") or {}).get("Status") == "unhealthy":
        yield "is unhealthy"
    if state.get("Paused"):
        yield "is paused"


def _program(service: Service, actual: Attributes, image: Attributes) -> Iterator[str]:
    entrypoint = list(service.entrypoint) or image.get("Entrypoint") or []
    # An image's own arguments belong to its own entrypoint.
    arguments = list(service.args) or ([] if service.entrypoint else image.get("Cmd") or [])
    for name, planned, found in (
        ("entrypoint", entrypoint, actual.get("Entrypoint") or []),
        ("arguments", arguments, actual.get("Cmd") or []),
    ):
        added = [each for each in found if each not in planned]
        missing = [each for each in planned if each not in found]
        if added or missing:
            yield f"{name}: {_changes(added, missing)}"
        elif planned != found:
            yield f"{name}: have another order"
    planned = {**dict(_pairs(image.get("Env"))), **dict(service.env)}
    found = dict(_pairs(actual.get("Env")))
    changed = sorted(name for name in planned.keys() & found.keys() if planned[name] != found[name])
    added, missing = sorted(found.keys() - planned.keys()), sorted(planned.keys() - found.keys())
    if added or missing or changed:
        others = f"; another value: {', '.join(changed)}" if changed else ""
        yield f"environment: {_changes(added, missing)}{others}".replace(": ;", ":")
    user = service.user or image.get("User") or ""
    if (actual.get("User") or "") != user:
        yield f"user: {actual.get('User') or 'root'}, planned is {user}"


def _pairs(lines: list[str] | None) -> Iterator[tuple[str, str]]:
    for line in lines or []:
        name, _, value = line.partition("=")
        yield name, value


def _changes(added: list[str], missing: list[str]) -> str:
    parts = [f"not planned: {', '.join(added)}"] if added else []
    return "; ".join([*parts, *([f"missing: {', '.join(missing)}"] if missing else [])])


def _limits(service: Service, host: Attributes) -> Iterator[str]:
    memory = service.resources.memory * 2**20
    if host.get("Memory") != memory:
        yield f"memory limit: {_mebibytes(host.get('Memory'))}, planned is {_mebibytes(memory)}"
    elif host.get("MemorySwap") not in (memory, -1):  # -1 where the machine counts no swap
        yield f"memory limit with swap: {_mebibytes(host.get('MemorySwap'))}, planned is {_mebibytes(memory)}"
    cpus = (host.get("NanoCpus") or 0) / 1e9 or _quota(host)
    if abs(cpus - service.resources.cpus) > 0.001:
        yield f"CPU limit: {f'{cpus:g}' if cpus else 'none'}, planned is {service.resources.cpus:g}"
    policy = (host.get("RestartPolicy") or {}).get("Name")
    if policy != "unless-stopped":
        yield f"restart policy: {policy or 'no'}, planned is unless-stopped"


def _quota(host: Attributes) -> float:
    return float(host.get("CpuQuota") or 0) / (host.get("CpuPeriod") or 100_000)


def _mebibytes(size: int | None) -> str:
    return f"{size / 2**20:g} MiB" if size else "none"


def _rights(service: Service, host: Attributes) -> Iterator[str]:
    if host.get("Privileged"):
        yield "is privileged"
    if bool(host.get("ReadonlyRootfs")) != service.read_only:
        yield f"root file system: {'read-only' if host.get('ReadonlyRootfs') else 'writable'}, which is not planned"
    for key, planned in (("CapDrop", {"ALL"}), ("CapAdd", {*service.capabilities})):
        found = {name.removeprefix("CAP_") for name in host.get(key) or []}
        if found != planned:
            yield f"capabilities ({key}): {_changes(sorted(found - planned), sorted(planned - found))}"
    if not any(option.startswith("no-new-privileges") for option in host.get("SecurityOpt") or []):
        yield "may gain privileges: no-new-privileges is missing"
    if (host.get("PidMode") == "host") != service.host_pid:
        yield f"processes of the host: {'seen' if host.get('PidMode') == 'host' else 'not seen'}, which is not planned"
    if host.get("Devices"):
        yield f"devices: {', '.join(each['PathOnHost'] for each in host['Devices'])}"


def _ports(service: Service, host: Attributes) -> Iterator[str]:
    planned = {
        f"{port.address}:{port.published}->{port.number}/{protocol}"
        for port in service.ports
        if port.published
        for protocol in port.protocols
    }
    found = {
        f"{each['HostIp'] or '0.0.0.0'}:{each['HostPort']}->{inner}"
        for inner, bindings in (host.get("PortBindings") or {}).items()
        for each in bindings or []
    }
    if found != planned:
        yield f"published ports: {_changes(sorted(found - planned), sorted(planned - found))}"


def _networks(service: Service, config: StackConfig, container: Attributes) -> Iterator[str]:
    planned = {f"observatory-{config.environment}", *(config.docker.networks if service.meets_services else ())}
    found = {*(container["NetworkSettings"].get("Networks") or {})}
    if found != planned:
        yield f"networks: {_changes(sorted(found - planned), sorted(planned - found))}"


def _mounts(container: Attributes, image: Attributes, planned: set[tuple[str, str, bool]]) -> Iterator[str]:
    paths = {path for _, path, _ in planned}
    # A folder that the image declares gets a volume without a name, where nothing else is mounted there.
    own = {*((image.get("Config") or {}).get("Volumes") or {})} - paths
    found = {
        (str(each.get("Name") or each.get("Source")), str(each["Destination"]), bool(each.get("RW")))
        for each in container.get("Mounts") or []
        # Folders in memory are none of the data.
        if each.get("Type") != "tmpfs" and each["Destination"] not in own
    }
    if found != planned:
        yield f"mounts: {_changes(_shown(found - planned), _shown(planned - found))}"


def _shown(mounts: set[tuple[str, str, bool]]) -> list[str]:
    return [
        f"{source} at {path} ({'writable' if writable else 'read-only'})" for source, path, writable in sorted(mounts)
    ]
