"""`drill` makes planned alerts fire and end, at real receivers, beside a stack that it leaves as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from docker.models.containers import Container

from tests.e2e.engine import until
from tests.e2e.project import Run
from tests.e2e.receiver import Receiver
from tests.e2e.stack import Stack

STEPS = ["pending", "firing", "arrived", "delivered", "ended", "end delivered"]


@pytest.fixture
def receiver(stack: Stack) -> Iterator[Receiver]:
    """Who gets the alerts of the stack."""
    found = Receiver(stack.engine.gateway(stack.environment))
    stack.configure(**channel_to(found))
    stack.up()
    until(lambda: over(stack, found), "the alerts of drills before are over", 180)
    yield found
    found.close()
    for each in drills(stack):
        each.remove(force=True)


def channel_to(receiver: Receiver) -> dict[str, Any]:
    """The changes with which it gets the alerts."""
    channel = {"type": "webhook", "url": f"{receiver.url}/hook"}
    return {"alerting__channels": {"hook": channel}, "alerting__default_channels": ["hook"]}


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


def over(stack: Stack, receiver: Receiver) -> bool:
    """Whether Alertmanager has no alert of a drill any more, and has told the end of each that it told of."""
    begun, ended = told(receiver, "JaegerAbsent", "firing"), told(receiver, "JaegerAbsent", "resolved")
    unended = {each["labels"]["drill"] for each in begun} - {each["labels"]["drill"] for each in ended}
    return not unended and not stack.get("alertmanager", "/api/v2/alerts", filter='drill!=""')


@contextmanager
def drilling(stack: Stack) -> Iterator[Run]:
    """A drill that goes on. It ends with its test: at its own end it would remove the containers of another."""
    drill = stack.project.start(*command(stack))
    try:
        yield drill
    finally:
        drill.kill()


def command(stack: Stack) -> tuple[str, ...]:
    """That drills one alert."""
    return "./observatory", "drill", stack.environment, "JaegerAbsent", "--timeout", "300"


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
        fired, *_ = told(receiver, alert, "firing")  # a late answer of the receiver brings it once more
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

    # A drill waits so long for the message of the end: time enough to interrupt it and to kill it.
    stack.configure(**channel_to(receiver), alerting__group_interval="40s")
    stack.up()
    with drilling(stack) as drill:
        until(lambda: told(receiver, "JaegerAbsent", "firing"), lambda: f"it is delivered: {drill.output()}", 180)
        drill.interrupt()
        outcome = drill.wait()
    assert outcome.code == 130, outcome
    assert drills(stack) == []

    with drilling(stack):
        until(lambda: [each for each in drills(stack) if each.status == "running"], "its Prometheus runs", 180)
    (left,) = drills(stack)
    # It would go on to send its alert, whose end could come between the messages of the next drill.
    left.stop(timeout=1)
    until(lambda: over(stack, receiver), "the alerts of both are over", 180)
    outcome = stack.project.run(*command(stack))
    assert outcome.code == 0, outcome
    assert "removed 1 containers of a drill that was killed" in outcome.output
    assert drills(stack) == []
