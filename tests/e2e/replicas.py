"""A stack with three Alertmanagers as its tests see it: each of them asked by its address, killed, and cut off."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.e2e.engine import LABEL, Engine, free_subnet, until
from tests.e2e.patient import Patient
from tests.e2e.project import Project
from tests.e2e.receiver import Receiver
from tests.e2e.stack import Stack

REPLICAS = ("alertmanager", "alertmanager-2", "alertmanager-3")
HOOK = "/hook"


class Cluster:
    """The stack, the webhook that all alerts go to, and the ways to its Alertmanagers."""

    def __init__(self, project: Project, engine: Engine, environment: str) -> None:
        access = {
            "password": {"secret": "accessPassword"},
            "tls": {
                "ca": {"secret": "tlsCa"},
                "certificate": {"secret": "tlsCertificate"},
                "key": {"secret": "tlsKey"},
            },
        }
        self.stack = stack = Stack(
            project,
            engine,
            environment,
            access=access,
            # Only then may a container come back with the address that it had, as after a real cut.
            docker={"subnet": free_subnet()},
            high_availability={"alertmanager": 3, "one_host": True},
            alerting={
                "group_by": ["alertname", "service", "instance"],  # a message for each alert, so that they are counted
                "group_wait": "1s",
                "group_interval": "1s",
                "channels": {"hook": {"type": "webhook", "url": {"secret": "hookUrl"}, "send_resolved": False}},
                "default_channels": ["hook"],
            },
            alerts__APILowAvailability=False,  # it would hold ServiceDown back
            tracing={"backend": "none"},
            ports={
                **dict.fromkeys(("grafana", "jaeger", "otlp_grpc", "otlp_http")),
                "prometheus": 0,
                "alertmanager": 0,
            },
        )
        stack.base["ports"] |= {name: stack.ports[name] for name in ("prometheus", "alertmanager")}
        stack.configure()
        made = project.run("./observatory", "certs", environment)
        assert made.code == 0, made
        stack.set_secret("accessPassword", "password-of-the-cluster-41d7")
        stack.set_secret("hookUrl", "http://127.0.0.1:9/")
        stack.credentials = ("observatory", "password-of-the-cluster-41d7")
        stack.authority = ssl.create_default_context(cadata=stack.pulumi("config", "get", "observatory:tlsCa").output)

    def listen(self, receiver: Receiver) -> None:
        """Send every message to a receiver."""
        self.stack.set_secret("hookUrl", receiver.url + HOOK)

    def address(self, name: str, network: str = "") -> str:
        """The address of a container, in the stack's own network unless another is named."""
        container = self.stack.container(name)
        container.reload()
        networks = container.attrs["NetworkSettings"]["Networks"]
        return str(networks[network or f"observatory-{self.stack.environment}"]["IPAddress"])

    def ask(self, name: str, path: str, body: Any = None, network: str = "") -> Any:
        """What one Alertmanager answers; with a body it is posted."""
        # By address, which no certificate is valid for: what is certified is tested by Prometheus' own way to them.
        transport = Patient(60, verify=False)
        with httpx.Client(transport=transport, auth=self.stack.credentials, trust_env=False, timeout=60) as client:
            url = f"https://{self.address(name, network)}:9093/api/v2{path}"
            answer = client.get(url) if body is None else client.post(url, json=body)
        assert answer.is_success, f"{name} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    @contextmanager
    def cut_off(self, name: str) -> Iterator[str]:
        """One replica in a network of its own, away from the others and from Prometheus; that network's name.

        It comes back with the address that it had, which is the one that the others know it by.
        """
        client, environment = self.stack.engine.client, self.stack.environment
        elsewhere = f"observatory-{environment}-elsewhere"
        there = client.networks.create(elsewhere, labels={LABEL: environment})
        own, container, address = client.networks.get(f"observatory-{environment}"), self.stack.container(name), None
        try:
            address = self.address(name)
            there.connect(container)
            own.disconnect(container)
            yield elsewhere
        finally:
            container.reload()
            if own.name not in container.attrs["NetworkSettings"]["Networks"]:
                own.connect(container, aliases=[name, "alertmanager-peers"], ipv4_address=address)
            there.disconnect(container)
            there.remove()

    def counts(self, name: str, members: int, network: str = "") -> bool:
        """Whether an Alertmanager counts so many members."""
        return len(self.ask(name, "/status", network=network)["cluster"]["peers"]) == members

    def settled(self, names: Sequence[str] = REPLICAS, seconds: float = 240) -> None:
        """Wait until each of them counts just these members and sends messages."""

        def done() -> bool:
            found = [self.ask(name, "/status")["cluster"] for name in names]
            return all(each["status"] == "ready" and len(each["peers"]) == len(names) for each in found)

        until(done, f"a cluster of {', '.join(names)}", seconds)

    def silences(self, name: str) -> set[str]:
        """The comments of all silences that one of them has."""
        return {silence["comment"] for silence in self.ask(name, "/silences")}

    def silence(self, name: str, comment: str, network: str = "") -> None:
        """Make a silence on one of them; it matches nothing."""
        now = datetime.now(UTC)
        matcher = {"name": "alertname", "value": comment, "isRegex": False}
        ends = now + timedelta(hours=1)
        body = {"matchers": [matcher], "startsAt": now.isoformat(), "endsAt": ends.isoformat()}
        self.ask(name, "/silences", {**body, "createdBy": "tests", "comment": comment}, network)


def numbered(alertname: str, count: int, environment: str) -> list[dict[str, Any]]:
    """Alerts as Prometheus posts them."""
    now = datetime.now(UTC)
    return [
        {
            "labels": {
                "alertname": alertname,
                "severity": "critical",
                "instance": f"{number}",
                "environment": environment,
            },
            "annotations": {"summary": f"Number {number}"},
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=10)).isoformat(),
        }
        for number in range(count)
    ]


def tellers(receiver: Receiver, alertname: str) -> dict[str, set[str]]:
    """The addresses of those who have told each instance of an alert.

    Who gets its answer too late, as while this process pauses, tells it again; that is no further one.
    """
    found: dict[str, set[str]] = {}
    for delivery in list(receiver.deliveries):
        for alert in delivery.body["alerts"]:
            if alert["labels"]["alertname"] == alertname:
                found.setdefault(alert["labels"]["instance"], set()).add(delivery.sender)
    return found


def deliveries(receiver: Receiver, alertname: str) -> Counter[str]:
    """How often each instance of an alert has been told."""
    return Counter(
        alert["labels"]["instance"]
        for delivery in list(receiver.deliveries)
        for alert in delivery.body["alerts"]
        if alert["labels"]["alertname"] == alertname
    )
