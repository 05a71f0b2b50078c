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


def test_values_and_labels_arrive_as_they_are_and_nothing_twice(stacks: dict[str, Stack]) -> None:
    """Each recorded series of the region is there once, with its own labels, every sample with its value and time."""
    region = "eu"
    world, there = stacks["world"], stacks[region]
    until(lambda: world.query(f'up{{job="federate", region="{region}"}} == 1'), "the region answers")
    until(lambda: len(selected(there, RECORDED)) >= 3, "the region records")
    time.sleep(8)  # some scrapes, so that a sample that comes twice or late would be among them
    arrived, original = selected(world, f'{RECORDED}, region="{region}"'), selected(there, RECORDED)
    external = {"environment": there.environment, "region": region}
    expected = {frozenset({**dict(labels), **external}.items()): samples for labels, samples in original.items()}
    assert arrived.keys() == expected.keys()
    for labels, samples in arrived.items():
        assert len(samples) >= 3
        known = selected(there, RECORDED)[frozenset({k: v for k, v in labels if k not in external}.items())]
        late = {at: value for at, value in samples.items() if at > min(known)}
        assert late.items() <= known.items(), dict(labels)
    ups = {(s["metric"]["job"], s["metric"]["instance"]): s["value"][1] for s in there.query("up")}
    seen = world.query(f'up{{region="{region}", job!="federate"}}')
    assert {(s["metric"]["job"], s["metric"]["instance"]): s["value"][1] for s in seen} == ups
    assert len(seen) == len(ups)


def test_a_region_with_tls_and_a_password(stacks: dict[str, Stack]) -> None:
    world, us = stacks["world"], stacks["us"]
    until(lambda: world.query('up{job="prometheus", region="us"} == 1'), "series of the region")
    (series,) = world.query('up{job="prometheus", region="us"}')
    assert series["metric"]["environment"] == us.environment
    assert series["metric"]["instance"] == "prometheus:9090"


def test_what_is_wrong_in_a_region_is_the_regions_to_tell(stacks: dict[str, Stack]) -> None:
    """The alert that fires there is seen here, and neither fires nor is sent again; own rules see own series only."""
    world, eu = stacks["world"], stacks["eu"]
    until(lambda: eu.query('ALERTS{alertname="ServiceDown", alertstate="firing"}'), "it fires in the region")
    until(lambda: world.query('ALERTS{alertname="ServiceDown", alertstate="firing"}'), "and is seen in the world")
    (alert,) = world.query('ALERTS{alertname="ServiceDown"}')
    assert (alert["metric"]["region"], alert["metric"]["instance"]) == ("eu", "nowhere:1")
    assert world.query('up{region="eu", instance="nowhere:1"} == 0')
    time.sleep(7)  # longer than `for`
    known = until(lambda: world.get("alertmanager", "/api/v2/alerts"), "the world's own alert has arrived")
    assert [each["labels"]["alertname"] for each in known] == ["Watchdog"]
    fired = [each["labels"]["alertname"] for each in eu.get("alertmanager", "/api/v2/alerts")]
    assert fired.count("ServiceDown") == 1
    (own,) = world.query('service:series_budget:count{region=""}')
    assert own["metric"]["service"] == "shop"
    assert len(world.query('service:series_budget:count{service="shop"}')) == 2


def test_a_region_that_stops_answering_is_told_and_ends_at_once(stacks: dict[str, Stack]) -> None:
    world, eu = stacks["world"], stacks["eu"]
    until(lambda: world.query(f'{{{RECORDED}, region="eu"}}'), "series of the region")
    container = eu.container("prometheus")
    container.pause()
    began = time.monotonic()
    try:
        until(lambda: not world.query(f'{{{RECORDED}, region="eu"}}'), "its series have ended", 30)
        TIMINGS.append(f"{time.monotonic() - began:6.1f} s  until series of a silent region have ended")

        def told() -> list[dict[str, Any]]:
            alerts = world.get("alertmanager", "/api/v2/alerts")
            return [each["labels"] for each in alerts if each["labels"]["alertname"] != "Watchdog"]

        until(told, "the world's Alertmanager knows", 60)
        TIMINGS.append(f"{time.monotonic() - began:6.1f} s  until the alert on a silent region (for: 5s)")
        (labels,) = told()
        assert labels["alertname"] == "FederatedRegionDown"
        assert (labels["region"], labels["severity"], labels["environment"]) == ("eu", "critical", world.environment)
        assert world.query('up{job="prometheus", region="us"} == 1'), "the other region goes on"
    finally:
        container.unpause()
    until(lambda: world.query(f'{{{RECORDED}, region="eu"}}'), "the region is back")
    world.no_changes()
