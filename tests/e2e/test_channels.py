"""Every channel gets what its service understands: fired, grouped, resolved, inhibited, muted, as a digest.

Nothing is faked on the sending side: it is the deployed Alertmanager with the rendered configuration.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any, TypeVar

import pytest

from operations.certificates import make_certificates
from tests.e2e.desks import KEY, OPSGENIE, PAGERDUTY, SLACK, WEBHOOK, Desks, MailDesk, judged, part
from tests.e2e.engine import free_ports, until
from tests.e2e.stack import Stack

T = TypeVar("T")
SHARED = {
    "service": "basket",
    "team": "web",
    "category": "availability",
    "severity": "critical",
}
DIGEST = {"category": "compliance", "severity": "warning"}
USER = "alerts@example.com"
DAY = 6
"""Seconds that stand for a day in these tests."""
SOON = 90
"""Seconds within which a message comes, also on a busy machine."""


@dataclass(frozen=True)
class Ends:
    """A deployed stack and the receiving ends of its channels."""

    stack: Stack
    desks: Desks
    mail: MailDesk

    def post(self, *alerts: dict[str, str], ended: bool = False) -> None:
        """Fire alerts with these labels, as Prometheus does, or end them."""
        now = datetime.now(UTC)
        body = [
            {
                "labels": {"environment": self.stack.environment, **labels},
                "annotations": {
                    "summary": f"{labels['alertname']} on {labels['instance']}",
                    "description": f"{labels['instance']} needs 3 s (limit 1 s).",
                    "runbook_url": f"https://runbooks.example.com/{labels['alertname']}.md",
                    "dashboard_url": "https://grafana.example.com/d/cart",
                },
                # Ahead: for an alert that began longer ago than group_wait, Alertmanager does not wait for others.
                "startsAt": (now + timedelta(seconds=-30 if ended else 20)).isoformat(),
                "endsAt": (now if ended else now + timedelta(minutes=5)).isoformat(),
            }
            for labels in alerts
        ]
        with self.stack.http("alertmanager") as client:
            answer = client.post("/api/v2/alerts", json=body)
        assert answer.is_success, answer.text

    def counted(self, series: str) -> float:
        """The sum of Alertmanager's own series that begin so."""
        lines = self.stack.text("alertmanager", "/metrics").splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"alertmanager_{series}"))

    def spent_on_mails(self) -> float:
        """Seconds that Alertmanager has needed for sending mails, all together."""
        return self.counted('notification_latency_seconds_sum{integration="email"')

    def told_once(self, integration: str, told: Sequence[T]) -> T:
        """The one message; the same again only for each that was answered too late, which counts as failed."""
        failed = self.counted(f'notification_requests_failed_total{{integration="{integration}"')
        assert 1 <= len(told) <= 1 + failed, told
        return told[0]


@pytest.fixture(scope="module")
def ends(shared: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
    """The shared stack with a channel of each type; a day of its digest takes seconds."""
    shared.restore()
    address, (port,) = shared.engine.gateway(shared.environment), free_ports(1)
    certificates = make_certificates("mail", [address], days=1, now=datetime.now(UTC))
    desks = Desks(address)
    mail = MailDesk(address, port, USER, certificates, tmp_path_factory.mktemp("mail"))
    for name, value in (("deskKey", KEY), ("slackUrl", desks.url + SLACK), ("mailCa", certificates.ca)):
        shared.set_secret(name, value)
    key = {"secret": "deskKey"}
    shared.configure(
        alerting__channels={
            "slack": {"type": "slack", "url": {"secret": "slackUrl"}, "channel": "#alerts"},
            "pager": {"type": "pagerduty", "routing_key": key, "api_url": desks.url + PAGERDUTY},
            "genie": {
                "type": "opsgenie",
                "api_key": key,
                "api_url": desks.url,
                "responders": [{"type": "team", "name": "SRE"}],
            },
            "hook": {"type": "webhook", "url": desks.url + WEBHOOK, "bearer_token": key},
            "mail": {
                "type": "email",
                "from": USER,
                "to": ["sre@example.com", "web@example.com"],
                "smarthost": f"{address}:{port}",
                "username": USER,
                "password": key,
                "ca": {"secret": "mailCa"},
            },
        },
        alerting__default_channels=["slack", "pager", "genie", "hook", "mail"],
        alerting__routes=[
            {"match": {"category": "compliance"}, "channels": ["mail"], "digest": "daily", "group_wait": "1s"},
            {"match": {"team": "quiet"}, "channels": ["hook"], "mute": ["always"]},
            {"match": {"team": "infra"}, "channels": ["hook"], "group_by": ["alertname", "device"]},
        ],
        alerting__time_intervals={"always": [{"days_of_month": ["1:31"]}]},
        alerting__runbooks_url="https://runbooks.example.com",
    )
    day = '"group_interval": "1d",\n        "repeat_interval": "23h",'
    seconds = f'"group_interval": "{DAY}s",\n        "repeat_interval": "{DAY * 2 // 3}s",'
    with shared.project.changed("components/services/alertmanager_routes.py", day, seconds):
        shared.up(what="channels of five types are live")
    shared.dirty = True
    yield Ends(shared, desks, mail)
    desks.close()
    mail.close()


def test_every_channel_tells_of_a_group_once_and_of_its_end(ends: Ends) -> None:
    desks, mail, name = ends.desks, ends.mail, f"BasketSlow{token_hex(3)}"
    two = [{**SHARED, "alertname": name, "instance": f"basket-{n}"} for n in (1, 2)]
    ends.post(*two)
    # A busy server may take so long over the first alert that it goes out alone.
    both = (name, "basket-1", "basket-2")
    kinds = ("slack", "pagerduty", "opsgenie", "webhook")
    until(lambda: all(desks.bodies(kind, *both) for kind in kinds) and mail.with_words(*both), "all told", SOON)
    title = f"[FIRING 2] critical: {name} ({ends.stack.environment})"

    slack = ends.told_once("slack", desks.bodies("slack", *both))
    (attachment,) = slack["attachments"]
    assert (slack["channel"], attachment["title"], attachment["color"]) == ("#alerts", title, "danger")
    assert f"*{name} on basket-1*\nbasket-1 needs 3 s (limit 1 s)." in attachment["text"]
    buttons = {action["text"]: action["url"] for action in attachment["actions"]}
    assert buttons["Runbook"] == f"https://runbooks.example.com/{name}.md"
    assert buttons["Silence"].startswith(f"http://localhost:{ends.stack.ports['alertmanager']}/#/silences/new?filter=")

    page = ends.told_once("pagerduty", desks.bodies("pagerduty", *both))
    assert (page["event_action"], page["payload"]["summary"]) == ("trigger", title)
    assert (page["payload"]["severity"], page["payload"]["component"], page["payload"]["group"]) == (
        "critical",
        "basket",
        "web",
    )
    assert page["payload"]["custom_details"]["num_firing"] in (2, "2")
    assert page["payload"]["custom_details"]["firing"].startswith(f"* {name} on basket-1\nbasket-1 needs 3 s")
    assert {link["text"] for link in page["links"]} >= {"Runbook", "Silence"}

    genie = ends.told_once("opsgenie", desks.bodies("opsgenie", *both))
    assert (genie["message"], genie["priority"], genie["entity"]) == (title, "P2", "basket")
    assert genie["responders"] == [{"type": "team", "name": "SRE"}]
    assert {"team:web", "severity:critical"} <= {*genie["tags"]}
    assert genie["details"]["Runbook"] == f"https://runbooks.example.com/{name}.md"

    hook = ends.told_once("webhook", desks.bodies("webhook", *both))
    assert hook["groupLabels"] == {"alertname": name, "service": "basket"}
    assert [alert["labels"]["instance"] for alert in hook["alerts"]] == ["basket-1", "basket-2"]

    letter = ends.told_once("email", mail.with_words(*both))
    assert (letter["Subject"], letter["From"]) == (title, USER)
    assert letter["To"] == "sre@example.com, web@example.com"
    assert mail.recipients[mail.mails.index(letter)] == ["sre@example.com", "web@example.com"]
    assert f"Runbook: https://runbooks.example.com/{name}.md" in part(letter, "plain")
    assert f'<a href="https://runbooks.example.com/{name}.md"' in part(letter, "html")

    ends.post(*two, ended=True)
    ended = f"[RESOLVED] critical: {name} ({ends.stack.environment})"
    until(lambda: desks.bodies("slack", ended) and ended in mail.subjects(), "chat and mail tell the end", SOON)
    until(lambda: desks.bodies("webhook", name)[-1]["status"] == "resolved", "the webhook tells the end", SOON)
    until(lambda: desks.bodies("pagerduty", name)[-1]["event_action"] == "resolve", "the page ends", SOON)
    assert desks.bodies("pagerduty", name)[-1]["dedup_key"] == page["dedup_key"], "the same incident"

    def closed() -> set[str]:
        return {each.alias for each in desks.deliveries if each.kind == "opsgenie-close"}

    until(lambda: genie["alias"] in closed(), lambda: f"the same alert is closed: {closed()}", SOON)


def test_a_full_disk_silences_that_it_is_low_and_nothing_else(ends: Ends) -> None:
    host = f"host-{token_hex(3)}"
    labels = {"team": "infra", "category": "infrastructure", "instance": host}
    critical = {**labels, "alertname": "DiskSpaceCritical", "severity": "critical", "device": "sda"}
    low, other = ({**labels, "alertname": "DiskSpaceLow", "severity": "warning", "device": d} for d in ("sda", "sdb"))
    without = {**labels, "alertname": "DiskSpaceLow", "severity": "warning"}

    def told() -> set[tuple[str, str]]:
        alerts = [alert["labels"] for body in ends.desks.bodies("webhook", host) for alert in body["alerts"]]
        return {(each["alertname"], each.get("device", "none")) for each in alerts if each["instance"] == host}

    ends.post(critical)
    until(lambda: ("DiskSpaceCritical", "sda") in told(), "the full disk", SOON)
    ends.post(low, other, without)
    expected = {("DiskSpaceCritical", "sda"), ("DiskSpaceLow", "sdb"), ("DiskSpaceLow", "none")}
    until(lambda: told() >= expected, "the full disk, and those that are low only", SOON)
    time.sleep(2)
    assert told() == expected, "two more rounds of the group, and the silenced one was never told"
    ends.post(critical, ended=True)
    until(lambda: ("DiskSpaceLow", "sda") in told(), "what was silenced is told when its reason is gone", SOON)
    ends.post(low, other, without, ended=True)


def test_a_muted_route_is_quiet(ends: Ends) -> None:
    muted = 'notifications_suppressed_total{reason="mute_time_interval"'
    before = ends.counted(muted)
    ends.post({**SHARED, "alertname": "Hushed", "team": "quiet", "instance": "a"})
    until(lambda: ends.counted(muted) > before, "Alertmanager held a message back", SOON)
    assert not any("Hushed" in str(each.body) for each in ends.desks.deliveries)


def test_a_digest_brings_what_fires_and_what_has_ended_in_one_message(ends: Ends) -> None:
    """The first message opens the digest; all else of that day comes in the next one, whatever its name is."""
    teams = [f"{each}-{token_hex(3)}" for each in ("data", "web")]
    stale, open_port, own = (
        {**DIGEST, "alertname": name, "team": team, "instance": "db-1"}
        for name, team in (("KeyNotRotated", teams[0]), ("PortOpen", teams[0]), ("KeyNotRotated", teams[1]))
    )
    spent_before = ends.spent_on_mails()
    ends.post(stale, own)
    data, web = (f"compliance, {team} ({ends.stack.environment})" for team in teams)
    both = {f"[FIRING 1] warning: {each}" for each in (data, web)}
    until(lambda: both <= {*ends.mail.subjects()}, lambda: f"one for each team: {ends.mail.subjects()}", SOON)
    # In this order: should a day be over in between, both fire in its message, and the next one has this subject.
    ends.post(open_port)
    ends.post(stale, ended=True)
    news = f"[FIRING 1, RESOLVED 1] warning: {data}"
    letter = until(lambda: ends.mail.with_words(news), lambda: f"the next day's: {ends.mail.subjects()}", SOON)[0]
    # By when they came, as when that is noticed is another matter; the one before may have been long on its way.
    number = ends.mail.mails.index(letter)
    before = max(each for each in range(number) if data in ends.mail.subjects()[each])
    passed = ends.mail.arrived[number] - ends.mail.arrived[before]
    assert passed > DAY - 2 - (ends.spent_on_mails() - spent_before), "the day was not over"
    text = part(letter, "plain")
    assert text.index("PortOpen on db-1") < text.index("Resolved:") < text.index("KeyNotRotated on db-1")
    still = f"[FIRING 1] warning: {data}"
    until(lambda: ends.mail.with_words(still, "PortOpen"), "what still fires is told again each day", SOON)
    ends.post(open_port, own, ended=True)


def test_no_service_would_have_refused_any_of_these(ends: Ends) -> None:
    assert ends.desks.refused == []


EVENT: dict[str, Any] = {
    "routing_key": KEY,
    "event_action": "trigger",
    "dedup_key": "a",
    "payload": {"summary": "s", "source": "h", "severity": "critical"},
}


@pytest.mark.parametrize(
    ("path", "authorization", "body", "words"),
    [
        (PAGERDUTY, None, {**EVENT, "routing_key": "f" * 32}, "Invalid routing key"),
        (PAGERDUTY, None, {**EVENT, "routing_key": "short"}, "routing_key: 'short' does not match"),
        (PAGERDUTY, None, {**EVENT, "payload": {**EVENT["payload"], "severity": "fatal"}}, "'fatal' is not one of"),
        (PAGERDUTY, None, {**EVENT, "extra": 1}, "Additional properties are not allowed"),
        (SLACK, None, {"attachments": [{"text": "t"}]}, "'fallback' is a required property"),
        (OPSGENIE, f"GenieKey {KEY}", {"message": "m" * 131}, "is too long"),
        (OPSGENIE, "GenieKey other", {"message": "m"}, "Could not authenticate"),
        (f"{OPSGENIE}/a/close", f"GenieKey {KEY}", {}, "identifierType is"),
        (WEBHOOK, f"Bearer {KEY}", {"version": "4"}, "is a required property"),
        ("/elsewhere", None, {}, "nobody listens there"),
    ],
)
def test_the_receiving_ends_refuse_what_the_services_would(
    path: str, authorization: str | None, body: dict[str, Any], words: str
) -> None:
    """Else the deliveries above would prove nothing."""
    assert judged(PAGERDUTY, None, EVENT)[1] == 202
    with pytest.raises(ValueError, match=re.escape(words)):
        judged(path, authorization, body)
