"""The containers of a stack as the Docker engine sees them: they need not answer for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from components.platforms.docker_engine import Engine
from components.spec import Plan
from operations.doctor.facts import Line, Program

LINES = 60
"""Of a log; a program that cannot write says so every few seconds."""
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)")


def seconds_of(stamp: str) -> float:
    """A time as the platforms write it, in seconds since 1970; 0 for none."""
    found = _STAMP.match(stamp or "")
    if not found or found[1].startswith("0001"):
        return 0.0
    zone = "+00:00" if found[3] == "Z" else found[3]
    return datetime.fromisoformat(f"{found[1]}{(found[2] or '.0').ljust(7, '0')}{zone}").timestamp()


def log_lines(text: str) -> tuple[Line, ...]:
    """Lines of a log, each of which begins with its time."""
    parts = (line.partition(" ") for line in text.splitlines())
    return tuple(Line(seconds_of(stamp), said) for stamp, _, said in parts if said)


def engine_view(host: str, plan: Plan, pool: ThreadPoolExecutor) -> tuple[dict[str, Program], float]:
    """Each planned service's container, and the engine's clock. Raises DeploymentError where it does not answer."""
    engine = Engine(host)
    try:
        clock = seconds_of(engine.client.info().get("SystemTime", ""))
        names = [service.name for service in plan.services]
        found = pool.map(lambda name: _program(engine, f"observatory-{plan.environment}-{name}"), names)
        return dict(zip(names, found, strict=True)), clock
    finally:
        engine.client.close()


def _program(engine: Engine, name: str) -> Program:
    try:
        container = engine.container(name)
        return _seen(engine, container) if container else Program("missing")
    except NotFound:  # gone between two questions
        return Program("missing")


def _seen(engine: Engine, container: Container) -> Program:
    state, host = container.attrs["State"], container.attrs["HostConfig"]
    health = state.get("Health") or {}
    probes = health.get("Log") or [{}]
    memory = _memory(engine, container) if state["Status"] == "running" else 0
    return Program(
        state=state["Status"],
        exit_code=state["ExitCode"],
        error=state.get("Error", ""),
        out_of_memory=bool(state.get("OOMKilled")) or any(_out_of_memory(engine, container)),
        restarts=container.attrs.get("RestartCount", 0),
        started=seconds_of(state.get("StartedAt", "")),
        failing_probes=health.get("FailingStreak", 0),
        probe_output=str(probes[-1].get("Output", "")),
        memory=memory,
        memory_limit=host.get("Memory", 0),
        log=_log(container),
    )


def _log(container: Container) -> tuple[Line, ...]:
    """The last lines; none where the engine keeps no log that can be read."""
    with suppress(APIError):
        return log_lines(container.logs(tail=LINES, timestamps=True).decode(errors="replace"))
    return ()


def _memory(engine: Engine, container: Container) -> int:
    """What is in use and cannot be taken back, as `docker stats` counts it; both versions of control groups."""
    with suppress(APIError):
        stats: dict[str, Any] = engine.client.api.stats(str(container.id), stream=False, one_shot=True)
        usage = stats.get("memory_stats", {})
        detail = usage.get("stats", {})
        cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
        return max(int(usage.get("usage", 0)) - int(cache), 0)
    return 0


def _out_of_memory(engine: Engine, container: Container) -> Iterator[bool]:
    """Whether the engine tells of such an end in the last minutes: a new start wipes it out of the state."""
    now = int(seconds_of(engine.client.info()["SystemTime"])) if container.attrs.get("RestartCount") else 0
    if now:
        wanted = {"container": container.id, "event": "oom"}
        yield from (True for _ in engine.client.events(since=now - 900, until=now, filters=wanted, decode=True))
