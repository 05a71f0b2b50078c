"""The stack's network on a real engine: made once, taken up again, never somebody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from components.platforms.docker_engine import Engine
from components.platforms.errors import DeploymentError
from tests.e2e.engine import LABEL, free_subnet

SUBNET = free_subnet()


@pytest.fixture
def name(run_name: str) -> Iterator[str]:
    """A name for a network that is gone afterwards."""
    # By the run's name, or another run takes it for what a killed one has left.
    found = f"{run_name}-network-{os.urandom(3).hex()}"
    yield found
    Engine().remove_network(found)


def labels(name: str) -> dict[str, str]:
    return {LABEL: name}


def test_it_has_its_subnet_and_is_taken_up_again(name: str) -> None:
    engine = Engine()
    engine.make_network(name, SUBNET, labels(name))
    first = engine.client.networks.get(name)
    assert first.attrs["IPAM"]["Config"][0]["Subnet"] == SUBNET
    assert first.attrs["Driver"] == "bridge"
    engine.make_network(name, SUBNET, labels(name))
    assert engine.client.networks.get(name).id == first.id


@pytest.mark.parametrize(("subnet", "owner"), [(free_subnet(), "ours"), (SUBNET, "another")], ids=("subnet", "owner"))
def test_one_of_another_kind_or_owner_is_left_alone(name: str, subnet: str, owner: str) -> None:
    engine = Engine()
    engine.make_network(name, SUBNET, labels("ours"))
    with pytest.raises(DeploymentError, match=f"{name} is there already and not this stack's"):
        engine.make_network(name, subnet, labels(owner))


def test_removing_it_twice_is_fine(name: str) -> None:
    engine = Engine()
    engine.make_network(name, "", labels(name))
    engine.remove_network(name)
    engine.remove_network(name)
    assert engine.client.networks.list(names=[name]) == []
