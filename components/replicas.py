"""Replicas: further services like a first one, each with a name and data of its own."""

from __future__ import annotations

from dataclasses import replace

from components.spec import Service, Volume


def replica_name(product: str, number: int) -> str:
    """The network name of the `number`th replica. The first keeps the product's own, so that more can be added."""
    return product if number == 1 else f"{product}-{number}"


def any_of(product: str) -> str:
    """The network name that leads to one of a product's replicas, where all of them are the same to whoever asks."""
    return f"{product}-any"


def as_replica(service: Service, number: int) -> Service:
    """The same service as its `number`th replica, with volumes of its own. Only the first is published on a host."""
    if number == 1:
        return service
    name = replica_name(service.name, number)
    return replace(
        service,
        name=name,
        replica_of=service.name,
        ports=tuple(replace(port, published=None) for port in service.ports),
        volumes=tuple(Volume(name + volume.name.removeprefix(service.name), volume.path) for volume in service.volumes),
    )
