"""A running stack with the demo in it, and the switch for its faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from components.services.demo import monitored
from tests.e2e.engine import Engine, free_ports
from tests.e2e.project import Project
from tests.e2e.stack import Stack

SERVICES = tuple(service.name for service in monitored())
"""The services that Prometheus sees."""
SOON = {
    f"alerts__{name}": {"for": "5s"} for name in ("APIHighErrorRate", "BackupStale", "DatabaseConnectionPoolExhausted")
}
"""Settings of the alerts of the tests: without their patience of minutes."""


class Demo(Stack):
    """The stack; `ports["demo"]` is where its faults are switched."""

    def faults(self) -> dict[str, bool]:
        """Every fault that the programs know, and whether it is on."""
        return self._ask("GET", "/faults")

    def turn(self, fault: str, on: bool) -> None:
        """Switch a fault."""
        assert self._ask("POST" if on else "DELETE", f"/faults/{fault}")[fault] is on

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """A fault that is on for a while."""
        self.turn(name, on=True)
        try:
            yield
        finally:
            self.turn(name, on=False)

    def alerts(self, *states: str, **labels: str) -> list[dict[str, Any]]:
        """Alerts on the demo's services that fire, or are in one of the states, and have these labels."""
        found = [
            alert["labels"]
            for alert in self.get("prometheus", "/api/v1/alerts")["data"]["alerts"]
            if alert["state"] in (states or ("firing",)) and alert["labels"].get("service", "").startswith("demo-")
        ]
        return [alert for alert in found if labels.items() <= alert.items()]

    def _ask(self, method: str, path: str) -> dict[str, bool]:
        answer = httpx.request(method, f"http://localhost:{self.ports['demo']}{path}", trust_env=False, timeout=60)
        assert answer.is_success, answer.text
        found: dict[str, bool] = answer.json()
        return found


def deploy_demo(project: Project, engine: Engine, environment: str) -> Demo:
    """From nothing to a stack whose demo is under traffic."""
    (port,) = free_ports(1)
    # A scrape every 2 seconds, as elsewhere in these tests, is too much of a dozen targets on a busy machine.
    scrape = {"interval": "5s", "timeout": "5s", "evaluation_interval": "2s"}
    found = Demo(project, engine, environment, demo=True, ports__demo=port, scrape=scrape, **SOON)
    found.ports["demo"] = port
    found.configure()
    found.up(what="up from nothing, with the demo")
    return found
