"""Alerts reach real endpoints: fired, grouped, resolved, in the format that the channel's owner expects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import pytest

from tests.e2e.engine import until
from tests.e2e.receiver import Delivery, Receiver
from tests.e2e.stack import Stack

HOOK, CHAT = "/hooks/T0/secret-hook-5b1d", "/services/T0/B0/secret-slack-9f3c"
TOKEN = "token-of-the-hook-77aa"


@pytest.fixture
def receiver(stack: Stack) -> Iterator[Receiver]:
    """A server that the stack's containers reach at the gateway of their network."""
    found = Receiver(stack.engine.gateway(stack.environment))
    yield found
    found.close()


@pytest.fixture
def alertname() -> str:
    """A new one for each attempt: what Alertmanager has told to a receiver it does not tell it again."""
    return f"CartSlow{token_hex(3)}"


@pytest.fixture
def channels(stack: Stack, receiver: Receiver) -> Stack:
    """The stack with a webhook and a Slack channel; everything goes to both."""
    stack.set_secret("hookUrl", receiver.url + HOOK)
    stack.set_secret("hookToken", TOKEN)
    stack.set_secret("slackUrl", receiver.url + CHAT)
    stack.configure(
        alerting__channels={
            "hook": {"type": "webhook", "url": {"secret": "hookUrl"}, "bearer_token": {"secret": "hookToken"}},
            "chat": {"type": "slack", "url": {"secret": "slackUrl"}, "channel": "#alerts"},
        },
        alerting__default_channels=["hook", "chat"],
    )
    stack.up()
    return stack


def post(stack: Stack, alertname: str, instances: list[str], ends: datetime | None = None) -> None:
    """Fire one alert for each instance, as Prometheus does, or end them."""
    now = datetime.now(UTC)
    alerts = [
        {
            "labels": {
                "alertname": alertname,
                "severity": "critical",
                "service": "cart",
                "instance": instance,
                "environment": stack.environment,
            },
            "annotations": {"summary": "The cart is slow", "description": f"{instance} takes 3 s."},
            # Ahead: for an alert that began longer ago than group_wait, Alertmanager does not wait for others.
            "startsAt": (now + timedelta(seconds=-30 if ends else 20)).isoformat(),
            "endsAt": (ends or now + timedelta(minutes=5)).isoformat(),
        }
        for instance in instances
    ]
    with stack.http("alertmanager") as client:
        answer = client.post("/api/v2/alerts", json=alerts)
    assert answer.is_success, answer.text


def test_fired_grouped_and_resolved(channels: Stack, receiver: Receiver, alertname: str) -> None:
    """Two alerts of one group make one message for each channel, and one more when they end."""
    post(channels, alertname, ["cart-1", "cart-2"])

    def messages(path: str) -> list[dict[str, Any]]:
        return [d.body for d in receiver.at(path) if alertname in str(d.body)]

    def of_both(path: str) -> list[dict[str, Any]]:
        """The messages with both alerts: a busy server may take so long over the first that it goes out alone."""
        return [each for each in messages(path) if "cart-1" in str(each) and "cart-2" in str(each)]

    hook = until(lambda: of_both(HOOK), "the webhook got both alerts", 180)[0]
    assert hook["version"] == "4"
    assert hook["status"] == "firing"
    assert hook["receiver"] == "hook,chat"
    assert hook["groupLabels"] == {"alertname": alertname, "service": "cart"}
    assert sorted(alert["labels"]["instance"] for alert in hook["alerts"]) == ["cart-1", "cart-2"]
    assert str(hook["externalURL"]) == f"http://localhost:{channels.ports['alertmanager']}"
    assert receiver.at(HOOK)[0].headers["Authorization"] == f"Bearer {TOKEN}"

    chat = until(lambda: of_both(CHAT), "the chat got both alerts", 180)[0]
    assert chat["channel"] == "#alerts"
    attachment = chat["attachments"][0]
    assert attachment["title"] == f"[FIRING 2] critical: {alertname} ({channels.environment})"
    assert attachment["color"] == "danger"
    assert "*The cart is slow*\ncart-1 takes 3 s." in attachment["text"]
    assert "cart-2 takes 3 s." in attachment["text"]

    post(channels, alertname, ["cart-1", "cart-2"], datetime.now(UTC))
    until(lambda: messages(HOOK)[-1]["status"] == "resolved", "the webhook gets the end", 180)
    ended = f"[RESOLVED] critical: {alertname}"
    until(lambda: ended in str(messages(CHAT)[-1]), "the chat gets the end", 180)
    assert "good" in str(messages(CHAT)[-1])


def test_a_rotated_channel_secret_takes_effect(channels: Stack, receiver: Receiver, alertname: str) -> None:
    """The next message goes to the new address, and no container was restarted."""
    before = channels.starts()
    channels.set_secret("hookUrl", f"{receiver.url}/rotated")
    channels.up(what="a rotated channel secret is live")
    assert channels.starts() == before
    post(channels, alertname, ["cart-3"])

    def told() -> list[Delivery]:
        return [each for each in receiver.at("/rotated") if alertname in str(each.body)]

    assert until(told, "the new address got the alert", 180)[0].headers["Authorization"] == f"Bearer {TOKEN}"
    post(channels, alertname, ["cart-3"], datetime.now(UTC))  # or it would be told by others' channels


def test_a_service_that_is_not_there_is_an_alert(channels: Stack, receiver: Receiver) -> None:
    """From the scrape through rule, Prometheus and Alertmanager to the channel: ServiceDown, sooner than usual."""
    name = f"absent-{token_hex(3)}"  # what Alertmanager has told of another attempt's it does not tell again
    down = 'expr: up{service!=""} == 0\n        for: 3m'
    with channels.project.changed("rules/services.yaml", down, down.replace("3m", "2s")):
        absent = {"name": name, "team": "web", "discovery": {"static": {"targets": ["prometheus:1"]}}}
        channels.configure(services=[absent], alerting=channels.wanted()["alerting"])
        channels.up()

        def told() -> list[dict[str, Any]]:
            alerts = [alert for d in receiver.at(HOOK) for alert in d.body["alerts"]]
            return [a for a in alerts if a["labels"]["alertname"] == "ServiceDown" and a["labels"]["job"] == name]

        found = until(told, "ServiceDown at the webhook", 180)[0]
        assert found["labels"].items() >= {"team": "web", "severity": "critical", "service": name}.items()
        assert found["labels"]["environment"] == channels.environment
        assert found["annotations"]["summary"] == f"prometheus:1 of {name} is down"
        assert found["annotations"]["runbook"] == "runbooks/ServiceDown.md"
    channels.dirty = True
