"""`drill` makes planned alerts fire and end, at real receivers, beside a stack that it leaves as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from docker.models.containers import Container

from tests.e2e.engine import until
from tests.e2e.project import Outcome
from tests.e2e.receiver import Receiver
from tests.e2e.stack import Stack

STEPS = ["pending", "firing", "arrived", "delivered", "ended", "end delivered"]


@pytest.fixture
def receiver(stack: Stack) -> Iterator[Receiver]:
    """Who gets the alerts of the stack."""
    found = Receiver(stack.engine.gateway(stack.environment))
    channel = {"type": "webhook", "url": f"{found.url}/hook"}
    stack.configure(alerting__channels={"hook": channel}, alerting__default_channels=["hook"])
    stack.up()
    yield found
    found.close()


def drills(stack: Stack) -> list[Container]:
    """Containers of drills."""
    wanted: dict[str, Any] = {"label": f"observatory.alert-drill={stack.environment}"}
    found: list[Container] = stack.engine.client.containers.list(all=True, filters=wanted)
    return found


def told(receiver: Receiver, alert: str, status: str) -> list[dict[str, Any]]:
    """What the receiver was told of an alert."""
    return [
        each
        for delivery in receiver.at("/hook")
        for each in delivery.body["alerts"]
        if (each["labels"]["alertname"], each["status"]) == (alert, status)
    ]


def test_alerts_go_all_the_way_and_back(stack: Stack, receiver: Receiver) -> None:
    """By a rate, and by what is not there; the messages say DRILL, and the stack knows nothing of it."""
    stack.targets_up()
    before = stack.starts()
    alerts = ("PrometheusAlertsDropped", "JaegerAbsent")
    outcome = stack.project.run("./observatory", "drill", stack.environment, *alerts, "--json", "--timeout", "300")
    assert outcome.code == 0, outcome
    report = json.loads(outcome.output[outcome.output.index("{\n") :])
    assert [(each["name"], each["status"]) for each in report["checks"]] == [(alert, "ok") for alert in alerts], outcome
    for alert, check in zip(alerts, report["checks"], strict=True):
        assert [
            step.rsplit(" ", 2)[0] for step in check["detail"].splitlines()[0].removesuffix(" to hook").split(", ")
        ] == STEPS
        (fired,) = told(receiver, alert, "firing")
        assert fired["annotations"]["summary"].startswith("DRILL: ")
        assert fired["labels"]["drill"]
        assert fired["labels"]["environment"] == stack.environment
        until(lambda: told(receiver, alert, "resolved"), f"the end of {alert}", 90)  # noqa: B023
    assert stack.starts() == before
    assert drills(stack) == []
    assert stack.query('{drill!=""}') == []
    stack.no_changes()


def test_an_interrupted_drill_cleans_up_and_a_killed_one_is_cleaned_up(stack: Stack, receiver: Receiver) -> None:
    """Ctrl-C ends it with 130; after a power cut its alert ends by itself, and the next drill removes the rest."""

    def interrupted() -> Outcome:
        before = len(told(receiver, "JaegerAbsent", "firing"))
        drill = stack.project.start("./observatory", "drill", stack.environment, "JaegerAbsent")
        until(
            lambda: len(told(receiver, "JaegerAbsent", "firing")) > before,
            lambda: f"it is delivered: {drill.output()}",
            180,
            longest_pause=0.1,
        )
        drill.interrupt()
        return drill.wait()

    outcome = interrupted()
    if outcome.code == 0:  # it was done before it was interrupted, which may happen once
        outcome = interrupted()
    assert outcome.code == 130, outcome
    assert drills(stack) == []

    drill = stack.project.start("./observatory", "drill", stack.environment, "JaegerAbsent")
    until(lambda: [each for each in drills(stack) if each.status == "running"], "its Prometheus runs", 180, 0.2)
    drill.kill()
    assert drills(stack)
    outcome = stack.project.run("./observatory", "drill", stack.environment, "JaegerAbsent")
    assert outcome.code == 0, outcome
    assert "removed 1 containers of a drill that was killed" in outcome.output
    assert drills(stack) == []
