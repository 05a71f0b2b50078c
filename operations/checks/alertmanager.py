"""Checks of Alertmanager: the dead man's switch, a test alert from end to end, and the running configuration."""

from __future__ import annotations

import contextlib
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from components.services.alertmanager import PEER_TIMEOUT
from components.services.alertmanager_routes import NOBODY, VERIFICATION
from components.yaml_text import load
from operations.checks.prometheus import listed, planned_rules
from operations.differences import differences
from operations.http import Endpoint
from operations.running import UPDATE, Check, CheckFailed, FailedForGood, NotChecked, Running

NAME = "alertmanager"
WATCHDOG = "Watchdog"
_SENT, _FAILED = "alertmanager_notifications_total", "alertmanager_notifications_failed_total"
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def counter(text: str, name: str, **labels: str) -> float | None:
    """The sum of a metric's series with these labels, out of the text format; None where there is none."""
    values = []
    for line in text.splitlines():
        if line.startswith(name + "{"):
            found, _, value = line[len(name) + 1 :].rpartition("} ")
            if labels.items() <= dict(_LABEL.findall(found)).items():
                values.append(float(value.split()[0]))
    return sum(values) if values else None


def ready(running: Running) -> str:
    """Alertmanager serves."""
    running.endpoint(NAME).get("/-/ready")
    return running.endpoint(NAME).url


def watchdog_fires(running: Running) -> str:
    """The alert that always fires has come from the rule through Prometheus to Alertmanager, and is not silenced."""
    if not any(rule.get("alert") == WATCHDOG for _, _, rule in planned_rules(running.plan)):
        raise NotChecked(f"no rule {WATCHDOG} is planned")
    environment = running.plan.environment
    # One filter: the parameter may be repeated, a dictionary cannot.
    alerts = running.endpoint(NAME).get_json("/api/v2/alerts", filter=f'alertname="{WATCHDOG}"')
    ours = [alert for alert in alerts if alert["labels"].get("environment") == environment]
    if not ours:
        raise CheckFailed(
            f"{WATCHDOG} has not reached Alertmanager",
            "does Prometheus evaluate its rules and know its Alertmanager? see the checks above",
        )
    if ours[0]["status"]["state"] != "active":
        raise FailedForGood(
            f"{WATCHDOG} is {ours[0]['status']['state']}: a silence or an inhibition holds it back",
            "end the silence in Alertmanager's UI, page Silences",
        )
    receivers = ", ".join(receiver["name"] for receiver in ours[0]["receivers"])
    if receivers == NOBODY:
        return f"{WATCHDOG} is active, but nobody outside hears it: set alerting.dead_mans_switch"
    return f"{WATCHDOG} is active, its receiver is {receivers}"


def test_alert_delivered(running: Running) -> str:
    """An alert goes through its route to the receiver, and so does its end: two notifications, none of them failed."""
    endpoint = running.endpoint(NAME)
    identity = uuid.uuid4().hex
    now = datetime.now(UTC)
    turn = running.until(lambda: _turn(endpoint))
    sent, failed = running.until(lambda: _counts(endpoint))
    resolved = False
    try:
        # It ends by itself should this program be killed.
        ends = now + timedelta(seconds=running.patience + turn + 60)
        # Twice the same alert is one, so that a busy Alertmanager may be asked again.
        running.until(lambda: endpoint.post_json("/api/v2/alerts", [_alert(identity, now, ends)]))
        running.until(lambda: _has_arrived(endpoint, identity))
        running.until(lambda: _delivered(endpoint, sent + 1, failed, "the test alert"), longer=turn)
        running.until(lambda: _resolve(endpoint, identity, now))
        resolved = True
        running.until(lambda: _delivered(endpoint, sent + 2, failed, "the end of the test alert"), longer=2 * turn)
    finally:
        if not resolved:
            with contextlib.suppress(CheckFailed):
                _resolve(endpoint, identity, now)
    return f"fired and resolved through receiver {VERIFICATION}"


test_alert_delivered.__test__ = False  # type: ignore[attr-defined]  # its name looks like a test's


def _turn(endpoint: Endpoint) -> int:
    """Seconds that this replica leaves to those before it, which do not have the test alert and so do not send it."""
    cluster = endpoint.get_json("/api/v2/status")["cluster"]
    names = sorted(peer["name"] for peer in cluster.get("peers") or [])
    return PEER_TIMEOUT * names.index(cluster["name"]) if names else 0


def _alert(identity: str, now: datetime, ends: datetime) -> dict[str, Any]:
    labels = {"alertname": "ObservatoryVerification", VERIFICATION: identity, "severity": "none"}
    text = "Sent by `observatory verify`; ends by itself"
    # It began two minutes ago, so that clocks may differ a little.
    begin = now - timedelta(minutes=2)
    return {
        "labels": labels,
        "annotations": {"summary": text},
        "startsAt": begin.isoformat(),
        "endsAt": ends.isoformat(),
    }


def _resolve(endpoint: Endpoint, identity: str, now: datetime) -> None:
    endpoint.post_json("/api/v2/alerts", [_alert(identity, now, now - timedelta(minutes=1))])


def _counts(endpoint: Endpoint) -> tuple[float, float]:
    """Notifications sent and failed so far by the receiver."""
    text = endpoint.get("/metrics").text
    sent = counter(text, _SENT, integration="webhook", receiver_name=VERIFICATION)
    failed = counter(text, _FAILED, integration="webhook", receiver_name=VERIFICATION)
    if sent is None:
        raise FailedForGood(f"Alertmanager has no receiver {VERIFICATION}, or does not count by receiver", UPDATE)
    return sent, failed or 0.0


def _has_arrived(endpoint: Endpoint, identity: str) -> None:
    """The alert is there and goes to the receiver, and is not held back."""
    alerts = endpoint.get_json("/api/v2/alerts", filter=f'{VERIFICATION}="{identity}"')
    if not alerts:
        raise CheckFailed("Alertmanager took the test alert, but does not show it", "see Alertmanager's log")
    receivers = [receiver["name"] for receiver in alerts[0]["receivers"]]
    if VERIFICATION not in receivers:
        raise FailedForGood(f"the test alert goes to {', '.join(receivers)}, not to {VERIFICATION}", UPDATE)
    state = alerts[0]["status"]["state"]
    if state == "suppressed":
        raise FailedForGood(
            "a silence or an inhibition holds the test alert back",
            "end the silence that matches every alert in Alertmanager's UI, page Silences",
        )


def _delivered(endpoint: Endpoint, sent: float, failed: float, what: str) -> None:
    now_sent, now_failed = _counts(endpoint)
    remedy = "Alertmanager must reach Prometheus by the stack's network; its log says what the receiver answered"
    if now_failed > failed:
        raise FailedForGood(f"{what} could not be delivered to receiver {VERIFICATION}", remedy)
    if now_sent < sent:
        raise CheckFailed(f"{what} has not been delivered to receiver {VERIFICATION}", remedy)


def runs_planned_configuration(running: Running) -> str:
    """What Alertmanager runs is what the stack file asks for now; secrets are masked and not compared."""
    service = running.plan.service(NAME)
    planned = next(file.content for file in service.files if file.path == "alertmanager.yml") if service else ""
    actual = load(running.endpoint(NAME).get_json("/api/v2/status")["config"]["original"])
    found = list(differences(load(planned), actual))
    if found:
        raise FailedForGood(listed(found), UPDATE)
    return "alertmanager.yml"


def replicas_are_one_cluster(running: Running) -> str:
    """Each replica counts all of them as members, and all have the same configuration, as Prometheus sees it."""
    count = len(running.plan.replicas(NAME))
    cluster = running.endpoint(NAME).get_json("/api/v2/status")["cluster"]
    members = len(cluster.get("peers") or [])
    remedy = "they speak to each other on port 9094, TCP and UDP; see their logs, and whether each of them runs"
    if members != count:
        raise CheckFailed(f"{NAME} counts {members} members in its cluster, planned are {count}", remedy)
    if cluster["status"] != "ready":
        raise CheckFailed(f"the cluster is not ready to send messages: {cluster['status']}", remedy)
    prometheus = running.endpoint("prometheus")
    for metric, what in (("alertmanager_cluster_members", "members"), ("alertmanager_config_hash", "configurations")):
        query = f'{metric}{{job="{NAME}"}}'
        found = prometheus.prometheus("/api/v1/query", query=query)["result"]
        if len(found) != count:
            raise CheckFailed(f"Prometheus sees {len(found)} replicas, planned are {count}", remedy)
        if len({series["value"][1] for series in found}) > 1:
            seen = ", ".join(f"{each['metric'].get('instance', '?')}: {each['value'][1]}" for each in found)
            raise CheckFailed(f"the replicas have different {what} ({seen})", UPDATE)
    return f"{count} members with one configuration"


REPLICA_CHECKS = (Check("the alertmanagers are one cluster", replicas_are_one_cluster, (NAME, "prometheus")),)
"""Where there are several."""
CHECKS = (
    Check("alertmanager answers", ready, answers=NAME),
    Check("the dead man's switch fires", watchdog_fires, (NAME,)),
    Check("a test alert is delivered and resolves", test_alert_delivered, (NAME,), patient=False),
    Check("alertmanager runs the planned configuration", runs_planned_configuration, (NAME,)),
)
