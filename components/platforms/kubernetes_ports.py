"""The ports of a planned service as Kubernetes' objects have them: one entry for each protocol."""

from __future__ import annotations

from typing import Any

from components.spec import Port, Service


def ports_of(service: Service) -> list[Port]:
    """Every port that others may ask: those it has a name for, and those of its metrics."""
    known = {port.number for port in service.ports}
    further = dict.fromkeys(metrics.port for metrics in service.metrics if metrics.port not in known)
    return [*service.ports, *(Port(f"metrics-{number}", number) for number in further)]


def entries(service: Service) -> list[tuple[str, int, str]]:
    """Name, number and protocol; names differ, also of two protocols at one number."""
    return [
        (port.name if index == 0 else f"{port.name}-{protocol}", port.number, protocol.upper())
        for port in ports_of(service)
        for index, protocol in enumerate(port.protocols)
    ]


def service_ports(service: Service) -> list[dict[str, Any]]:
    """For a Service, which passes them on as they are."""
    return [
        {"name": name, "port": number, "targetPort": number, "protocol": protocol}
        for name, number, protocol in entries(service)
    ]


def container_ports(service: Service) -> list[dict[str, Any]]:
    """For a container; without names beside another one, for a name may be in a pod only once."""
    return [
        {**({} if service.beside else {"name": name}), "containerPort": number, "protocol": protocol}
        for name, number, protocol in entries(service)
    ]


def policy_ports(service: Service, *numbers: int | str) -> list[dict[str, Any]]:
    """For a policy: these numbers of a service, each by all protocols that it listens with."""
    protocols = {port.number: port.protocols for port in ports_of(service)}
    return [
        {"protocol": protocol.upper(), "port": number}
        for number in numbers
        for protocol in (protocols.get(number, ("tcp",)) if isinstance(number, int) else ("tcp",))
    ]
