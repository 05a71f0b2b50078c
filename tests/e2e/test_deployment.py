"""From nothing to a running stack, and what a second look finds: nothing to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components.yaml_text import load
from tests.e2e.engine import Engine, until
from tests.e2e.project import Project
from tests.e2e.stack import Stack

SERVICES = {"alertmanager", "blackbox-exporter", "jaeger", "node-exporter", "prometheus"}


@pytest.fixture(scope="module")
def shared(project: Project, engine: Engine, run_name: str) -> Iterator[Stack]:
    """A stack of these tests' own, so that it begins with nothing and nothing has failed in it before."""
    found = Stack(project, engine, f"{run_name}-fresh")
    yield found
    engine.remove(found.environment)


def test_from_nothing_to_running(shared: Stack) -> None:
    """One `up` starts everything, says what is left out, and gives the addresses."""
    shared.configure()
    outcome = shared.up(what="up from nothing")
    assert set(shared.engine.containers(shared.environment)) >= SERVICES
    for product, path in {"prometheus": "/-/ready", "alertmanager": "/-/ready", "jaeger": "/api/services"}.items():
        assert f"http://localhost:{shared.ports[product]}" in outcome.output
        with shared.http(product) as client:
            assert client.get(path).is_success


def test_second_preview_is_empty(stack: Stack) -> None:
    """What is deployed is what is planned, also by the engine's own account."""
    stack.no_changes()
    stack.no_changes("--refresh")


def test_targets_rules_and_watchdog(stack: Stack) -> None:
    """Everything scrapes, evaluates and alerts."""
    pools = stack.targets_up()
    assert {"alertmanager", "jaeger", "jaeger-spans", "node-exporter", "probe-prometheus-ready"} <= set(pools)

    def unhealthy() -> list[str]:
        groups = stack.get("prometheus", "/api/v1/rules")["data"]["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]

    until(lambda: not unhealthy(), lambda: f"every rule healthy: {unhealthy()}", 180)
    watchdog = {"filter": 'alertname="Watchdog"'}
    until(lambda: stack.get("alertmanager", "/api/v2/alerts", **watchdog), "the Watchdog in Alertmanager", 180)


def test_verify_agrees(stack: Stack) -> None:
    """The project's own verification finds nothing wrong."""
    outcome = stack.project.run("./observatory", "verify", str(stack.file))
    assert outcome.code == 0, outcome


def test_containers_are_held_short(stack: Stack) -> None:
    """No privileges, limits on memory and processor, a rotated log, a restart policy: as the engine has them."""
    for name, container in stack.engine.containers(stack.environment).items():
        host = container.attrs["HostConfig"]
        assert not host["Privileged"], name
        assert host["Memory"] > 0, name
        assert host["NanoCpus"] > 0, name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert host["LogConfig"]["Config"]["max-size"] == "10m", name
        assert host["ReadonlyRootfs"], name
        assert "ALL" in host["CapDrop"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert container.attrs["Config"]["User"] not in ("", "0", "0:0", "root"), name
        published = [bind["HostIp"] for binds in (host["PortBindings"] or {}).values() for bind in binds]
        assert set(published) <= {"127.0.0.1"}, name


def test_stack_file_stays_as_it_was_written(stack: Stack) -> None:
    """Pulumi writes nothing of its own into the stack file but the salt of the passphrase."""
    assert set(load(stack.file.read_text())) == {"config", "encryptionsalt"}


def test_every_container_is_healthy(stack: Stack) -> None:
    """By the engine's own health checks, the first of which comes after half a minute: hence the last test here."""
    stack.await_health()
    assert set(stack.health()) >= SERVICES
