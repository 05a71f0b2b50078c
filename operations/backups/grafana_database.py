"""Grafana's database on a server, which no volume holds: what a restored dump does to it, and the proof in a drill."""

from __future__ import annotations

from components.config import StackConfig
from components.services.grafana_dump import NAME, VOLUME
from components.spec import Plan, Service
from operations import console
from operations.backups.containers import Backups

START_PATIENCE = 180
"""Seconds for Grafana to be healthy again."""


def would_be_lost(config: StackConfig) -> str:
    """What a load takes the place of, in words; "" for a stack without such a database."""
    database = config.grafana.database
    return f"what is in the database {database.name} on {database.host}:{database.port}" if database else ""


def load(backups: Backups, plan: Plan, environment: str) -> None:
    """Let the database be what the restored dump says; each Grafana is stopped meanwhile. Raises CommandError."""
    prefix = f"observatory-{environment}"
    if not backups.engine.container(f"{prefix}-{NAME}"):
        console.note(
            "Grafana's database is as it was: once the stack is deployed, the same command loads the copy into it"
        )
        return
    console.note("loading Grafana's database")
    stopped: list[Service] = []
    try:
        for service in plan.replicas("grafana"):
            if (container := backups.engine.container(f"{prefix}-{service.name}")) and container.status == "running":
                container.stop(timeout=service.stop_grace)
                stopped.append(service)
        answer = backups.run("load", volumes=[VOLUME.name], environment=environment)
        if answer.code != 0:
            raise backups.error(answer, "the rest of the copy is in place, but Grafana's database holds what it held")
    finally:
        for service in stopped:
            probe = list(service.probe.command) if service.probe else []
            backups.engine.await_started(f"{prefix}-{service.name}", probe, START_PATIENCE)
