"""A global server over two regions: values and labels arrive as they are there, nothing twice, and silence is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.engine import Engine, until
from tests.e2e.project import Project
from tests.e2e.stack import TIMINGS, Stack

PASSWORD = "password-of-the-region-4c2e"
RECORDED = '__name__=~"[^:]+:.+"'
SMALL: dict[str, Any] = {
    "tracing": {"backend": "none"},
    "exporters": {"node": False, "blackbox": False, "cadvisor": False},
    "probes": [],
    "alerts": {"ServiceDown": {"for": "5s"}, "FederatedRegionDown": {"for": "5s"}},
}
Series = frozenset[tuple[str, str]]


def shop(*targets: str) -> dict[str, Any]:
    """A service of that name in each of the stacks: only the region tells their series apart."""
    return {"name": "shop", "team": "web", "discovery": {"static": {"targets": ["alertmanager:9093", *targets]}}}


@pytest.fixture(scope="module")
def meeting(engine: Engine, run_name: str) -> Iterator[str]:
    """A network on which the regions are reached; their own, where every stack has the same names, is not shared."""
    network = engine.client.networks.create(f"{run_name}-regions")
    yield str(network.name)
    network.reload()
    for container in network.containers:
        network.disconnect(container, force=True)
    network.remove()


@pytest.fixture(scope="module")
def stacks(project: Project, engine: Engine, run_name: str, meeting: str) -> Iterator[dict[str, Stack]]:
    """The regions eu and us, us with TLS and a password, and the world over both."""
    names = {name: f"{run_name}-{name}" for name in ("eu", "us", "world")}
    eu = Stack(project, engine, names["eu"], **SMALL, services=[shop("nowhere:1")])
    access = {
        "password": {"secret": "accessPassword"},
        "tls": {"ca": {"secret": "tlsCa"}, "certificate": {"secret": "tlsCertificate"}, "key": {"secret": "tlsKey"}},
    }
    us = Stack(project, engine, names["us"], **SMALL, access=access, services=[])
    us.configure()
    assert us.project.run("./observatory", "certs", us.environment).code == 0
    us.set_secret("accessPassword", PASSWORD)
    network = engine.client.networks.get(meeting)
    for region in (eu, us):
        region.configure()
        region.up()
        network.connect(region.container("prometheus"), aliases=[f"{region.environment}.example"])
    regions = [
        {"name": "eu", "url": f"http://{eu.environment}.example:9090"},
        {
            "name": "us",
            "url": f"https://{us.environment}.example:9090",
            "authentication": {"basic": {"username": "observatory", "password": {"secret": "usPassword"}}},
            "tls": {"ca": {"secret": "usCa"}, "server_name": "prometheus"},
        },
    ]
    world = Stack(
        project,
        engine,
        names["world"],
        **SMALL,
        services=[shop()],
        federation=regions,
        docker={"networks": [meeting]},
    )
    world.configure()
    world.set_secret("usPassword", PASSWORD)
    world.set_secret("usCa", us.pulumi("config", "get", "observatory:tlsCa").output)
    world.up(what="up of a global server over two regions")
    yield {"eu": eu, "us": us, "world": world}
    for name in names.values():
        engine.remove(name)


def selected(stack: Stack, selector: str) -> dict[Series, dict[float, str]]:
    """Every series of the last half minute with its samples, as they are stored."""
    return {
        frozenset(series["metric"].items()): {float(at): value for at, value in series["values"]}
        for series in stack.query(f"{{{selector}}}[30s]")
    }


def sent(stack: Stack) -> dict[str, list[dict[str, str]]]:
    """Labels of the alerts that its Alertmanager has, by their names."""
    found: dict[str, list[dict[str, str]]] = {}
    for each in stack.get("alertmanager", "/api/v2/alerts"):
        found.setdefault(each["labels"]["alertname"], []).append(each["labels"])
    return found


def test_values_and_labels_arrive_as_they_are_and_nothing_twice(stacks: dict[str, Stack]) -> None:
    """Each recorded series of the region is there once, with its own labels, every sample with its value and time."""
    region = "eu"
    world, there = stacks["world"], stacks[region]
    until(lambda: world.query(f'up{{job="federate", region="{region}"}} == 1'), "the region answers")
    until(lambda: len(selected(there, RECORDED)) >= 3, "the region records")
    external = {"environment": there.environment, "region": region}
    last: list[dict[Series, dict[float, str]]] = []

    def both() -> bool:
        """Some samples of each series on both sides, so that one that comes twice or late would be among them."""
        arrived, original = selected(world, f'{RECORDED}, region="{region}"'), selected(there, RECORDED)
        expected = {frozenset({**dict(labels), **external}.items()): samples for labels, samples in original.items()}
        last[:] = [arrived, expected]
        return arrived.keys() == expected.keys() and all(
            sum(at > min(expected[labels]) for at in samples) >= 3 for labels, samples in arrived.items()
        )

    until(both, lambda: f"the same series, some samples of each: {last}", 120)
    arrived, expected = last
    for labels, samples in arrived.items():
        late = {at: value for at, value in samples.items() if at > min(expected[labels])}
        assert late.items() <= expected[labels].items(), dict(labels)

    def ups(stack: Stack, selector: str) -> list[tuple[str, str, str]]:
        found = stack.query(f"up{{{selector}}}")
        return sorted((each["metric"]["job"], each["metric"]["instance"], each["value"][1]) for each in found)

    def same() -> bool:
        here, others = ups(world, f'region="{region}", job!="federate"'), ups(there, "")
        return bool(others) and here == others

    until(same, "the same targets, each once", 120)


def test_a_region_with_tls_and_a_password(stacks: dict[str, Stack]) -> None:
    world, us = stacks["world"], stacks["us"]
    (series,) = until(lambda: world.query('up{job="prometheus", region="us"} == 1'), "series of the region", 120)
    assert series["metric"]["environment"] == us.environment
    assert series["metric"]["instance"] == "prometheus:9090"


def test_what_is_wrong_in_a_region_is_the_regions_to_tell(stacks: dict[str, Stack]) -> None:
    """The alert that fires there is seen here, and neither fires nor is sent again; own rules see own series only."""
    world, eu = stacks["world"], stacks["eu"]
    firing = 'ALERTS{alertname="ServiceDown", alertstate="firing", instance="nowhere:1"}'
    until(lambda: eu.query(firing), "it fires in the region", 120)
    (alert,) = until(lambda: world.query(firing), "and is seen in the world", 120)
    assert alert["metric"]["region"] == "eu"
    until(lambda: world.query('up{region="eu", instance="nowhere:1"} == 0'), "its target is down", 120)
    time.sleep(7)  # longer than `for`
    until(lambda: "Watchdog" in sent(world), "the world's own alert has arrived", 120)
    known = sent(world)
    # A server or a target that gets no processor time may be down for so long, here and there.
    assert known.keys() <= {"Watchdog", "FederatedRegionDown", "ServiceDown"}
    assert not [each for each in known.get("ServiceDown", []) if "region" in each or each["instance"] == "nowhere:1"]
    assert not [each for each in known["Watchdog"] if "region" in each]

    def told() -> list[dict[str, str]]:
        return [each for each in sent(eu).get("ServiceDown", []) if each["instance"] == "nowhere:1"]

    assert len(until(told, "the region tells it", 120)) == 1
    (own,) = until(lambda: world.query('service:series_budget:count{region=""}'), "the world's own count", 120)
    assert own["metric"]["service"] == "shop"
    until(lambda: len(world.query('service:series_budget:count{service="shop"}')) == 2, "its count, and the region's")


def test_a_region_that_stops_answering_is_told_and_ends_at_once(stacks: dict[str, Stack]) -> None:
    world, eu = stacks["world"], stacks["eu"]
    until(lambda: world.query(f'{{{RECORDED}, region="eu"}}'), "series of the region")
    container = eu.container("prometheus")
    container.pause()
    began = time.monotonic()
    try:
        until(lambda: not world.query(f'{{{RECORDED}, region="eu"}}'), "its series have ended", 90)
        TIMINGS.append(f"{time.monotonic() - began:6.1f} s  until series of a silent region have ended")

        def told() -> list[dict[str, str]]:
            return [each for alerts in sent(world).values() for each in alerts if each.get("region") == "eu"]

        (labels,) = until(told, "the world's Alertmanager knows", 180)
        TIMINGS.append(f"{time.monotonic() - began:6.1f} s  until the alert on a silent region (for: 5s)")
        assert labels["alertname"] == "FederatedRegionDown"
        assert (labels["region"], labels["severity"], labels["environment"]) == ("eu", "critical", world.environment)
        until(lambda: world.query('up{job="prometheus", region="us"} == 1'), "the other region goes on", 120)
    finally:
        container.unpause()
    until(lambda: world.query(f'{{{RECORDED}, region="eu"}}'), "the region is back", 120)
    world.no_changes()
