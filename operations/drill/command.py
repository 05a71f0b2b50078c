"""The command: choose the alerts, start a Prometheus for each, follow them, clean up, tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.config import StackConfig
from components.config.base import seconds
from components.plan import plan_stack_file
from components.platforms.docker_engine import Engine
from components.platforms.errors import DeploymentError
from components.spec import Plan
from operations import console
from operations.checks.alertmanager import NAME as ALERTMANAGER
from operations.drill.choose import chosen
from operations.drill.feeds import feeds
from operations.drill.follow import Counts, Followed, Follower, Waits, counts_of
from operations.drill.rules import Drilled, drillable
from operations.drill.server import remove_leftovers, started
from operations.errors import CommandError
from operations.http import Endpoint
from operations.results import Result, as_json, as_junit, passed
from operations.route import file_data, walk
from operations.verify import Secrets, connect
from operations.written import writable, write

_SPARE = 120.0
"""Seconds beyond all waits after which an alert of a killed drill ends by itself."""


def drill_command(
    stack: str,
    alerts: Sequence[str],
    each_receiver: bool,
    json: bool,
    junit: Path | None,
    timeout: float,
    password_file: Path | None,
    ca_file: Path | None,
) -> int:
    """Drill alerts and print what became of each; without any, list those that can be drilled."""
    writable(junit, "--junit")
    config, plan = plan_stack_file(stack)
    if config.kubernetes:
        raise CommandError("alerts are drilled on Docker only so far", f"./observatory verify {stack} sends one alert")
    identity = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    known = drillable(plan, feeds(), identity)
    wanted = chosen(plan, known, alerts, each_receiver)
    if not wanted:
        _list(known, json)
        return 0
    start = time.monotonic()
    endpoints, unreachable = connect(config, plan, Secrets(stack, password_file, ca_file))
    try:
        if ALERTMANAGER not in endpoints:
            raise CommandError(f"Alertmanager cannot be asked: {unreachable[ALERTMANAGER]}")
        results = _drill(stack, config, plan, endpoints, wanted, timeout)
    finally:
        for endpoint in endpoints.values():
            endpoint.close()
    return _report(plan, results, time.monotonic() - start, json, junit)


def _list(known: dict[str, Drilled], json: bool) -> None:
    rows = [(each.alert, str(each.planned[0]["labels"].get("severity", "")), each.feed.test) for each in known.values()]
    if json:
        console.print_json([{"alert": alert, "severity": severity, "test": test} for alert, severity, test in rows])
        return
    for line in console.table(rows, ("alert", "severity", "fed by tests/rules/")):
        console.say(line)


def _drill(
    stack: str,
    config: StackConfig,
    plan: Plan,
    endpoints: dict[str, Endpoint],
    wanted: Sequence[Drilled],
    timeout: float,
) -> list[Result]:
    try:
        engine = Engine(config.docker.host or "")
    except DeploymentError as error:
        raise CommandError(str(error)) from None
    waits = _waits(plan)
    follower = Follower(endpoints[ALERTMANAGER], _counts(plan, endpoints), waits, timeout, console.note, stack)
    longest = waits(())
    lifetime = 6 * timeout + longest.most + longest.following + _SPARE
    follows = []
    try:
        if count := remove_leftovers(engine, plan.environment):
            console.note(f"removed {count} containers of a drill that was killed")
        # One after the other: receivers are counted, not asked, so two at a time could be taken for each other.
        for drilled in wanted:
            follows.append(Followed(drilled.alert, notes=[drilled.shortened] if drilled.shortened else []))
            with started(engine, plan, drilled, lifetime) as server:
                follower.follow(server, follows[-1])
    finally:
        remove_leftovers(engine, plan.environment)
        engine.client.close()
    return [each.result() for each in follows]


def _report(plan: Plan, results: list[Result], took: float, json: bool, junit: Path | None) -> int:
    if json:
        console.print_json(as_json(plan.environment, results))
    else:
        width = max(len(result.name) for result in results)
        for result in results:
            console.say("\n".join(console.result_lines(result, width)))
        console.say(console.verdict(results, took))
    write(junit, as_junit(f"observatory drill {plan.environment}", results))
    return 0 if passed(results) else 1


def _waits(plan: Plan) -> Callable[[Sequence[str]], Waits]:
    """The waits of all routes to these receivers; of all routes where none is given."""
    tree: dict[str, Any] = (file_data(plan, ALERTMANAGER, "alertmanager.yml") or {}).get("route", {})
    routes = list(walk(tree))

    def waits(receivers: Sequence[str]) -> Waits:
        own = [route for route in routes if not receivers or route["receiver"] in receivers] or routes
        first = [seconds(str(route["group_wait"] or "30s")) for route in own]
        following = [seconds(str(route["group_interval"] or "5m")) for route in own]
        return Waits(min(first), max(first), max(following))

    return waits


def _counts(plan: Plan, endpoints: dict[str, Endpoint]) -> Callable[[], Counts]:
    """Notifications so far. Of several replicas only Prometheus knows them all."""
    if len(plan.replicas(ALERTMANAGER)) == 1:
        return lambda: counts_of(endpoints[ALERTMANAGER].get("/metrics").text)
    if "prometheus" not in endpoints:
        raise CommandError("Prometheus cannot be asked, which counts the messages of all replicas: give it a port")

    def of_all() -> Counts:
        query = (
            'sum by (__name__, receiver_name, integration) ({__name__=~"alertmanager_notifications(_failed)?_total"})'
        )
        found = endpoints["prometheus"].prometheus("/api/v1/query", query=query)["result"]
        counts = {}
        for each in found:
            labels = each["metric"]
            key = (labels["__name__"], labels.get("receiver_name", ""), labels.get("integration", ""))
            counts[key] = float(each["value"][1])
        return counts

    return of_all
