"""Diagnoses of alerts that do not come: from the rule to the channel, in the order of their way."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from components.services.alertmanager_routes import NOBODY
from operations.checks.alertmanager import WATCHDOG
from operations.checks.prometheus import planned_receivers, planned_rules
from operations.doctor.facts import Facts
from operations.doctor.findings import Diagnosis, Finding, Severity
from operations.doctor.programs import GONE

Alert = Mapping[str, Any]
_SHOWN = 3


def rules(facts: Facts) -> Iterator[Finding]:
    """A rule that Prometheus cannot evaluate."""
    for group in facts.answers["rules"]:
        for rule in group["rules"]:
            if rule["health"] == "err":
                file = group["file"].rpartition("/")[2]
                saw = f"rules/{file}, group {group['name']}: {rule.get('lastError', '')}"
                test = f"promtool test rules tests/rules/{file}"
                yield Finding(rule["name"], saw, f"correct its expression; {test}; then {facts.deploy}")


def late_rules(facts: Facts) -> Iterator[Finding]:
    """A group of rules that takes longer than its interval."""
    for series in facts.queries["rules-slow"]:
        group = series.labels.get("rule_group", "?").rpartition("/")[2]
        saw = f"group {group} was not evaluated {series.value:.0f} times, because it was still at it"
        remedy = f"`resources.prometheus.cpus`, or a longer `scrape.evaluation_interval`; then {facts.deploy}"
        yield Finding("prometheus", saw, remedy)


def rejected(facts: Facts) -> Iterator[Finding]:
    """A program that did not take its last configuration, and goes on with the one before."""
    if facts.answers.get("runtime", {}).get("reloadConfigSuccess") is False:
        said = facts.said("prometheus", "level=ERROR.*reloading config", within=24 * 3600)
        yield Finding(
            "prometheus", f"it rejected its configuration at the last reload\n{said}".strip(), _correct(facts)
        )
    for series in facts.queries.get("configuration-rejected", ()):
        where = facts.service_at(series.where)
        said = facts.said(where, "Loading configuration file failed", within=24 * 3600)
        yield Finding(where, f"it rejected its configuration at the last reload\n{said}".strip(), _correct(facts))


def _correct(facts: Facts) -> str:
    return f"./observatory validate {facts.stack} finds most errors; then {facts.deploy}, which shows the rest"


def not_deployed(facts: Facts) -> Iterator[Finding]:
    """What runs is not what the stack file and rules/ ask for."""
    checked = ("prometheus runs the planned configuration", "prometheus runs the planned rules")
    for name in (*checked, "alertmanager runs the planned configuration"):
        result = facts.checks.get(name)
        if result and result.status == "failed" and "reload was rejected" not in result.detail:
            where = f"{name.partition(' ')[0]}"
            yield Finding(where, f"{name.rpartition(' ')[2]}: {result.detail}", facts.deploy)


def to_alertmanager(facts: Facts) -> Iterator[Finding]:
    """A Prometheus that does not get rid of its alerts."""
    result = facts.checks.get("prometheus sends to alertmanager")
    if result and result.status == "failed":
        yield Finding("alertmanager", result.detail, facts.deploy)
    for series in facts.queries["alertmanager-unreached"]:
        to = series.labels.get("alertmanager", "Alertmanager")
        saw = f"sending alerts to {to} failed {series.value:.0f} times in the last minutes"
        said = facts.said("prometheus", "(?i)error sending alert")
        where = facts.service_at(to) if "://" in to else "alertmanager"
        yield Finding(where, f"{saw}\n{said}".strip(), f"{facts.logs(where)}\n{facts.up}")


def watchdog(facts: Facts) -> Iterator[Finding]:
    """The alert that always fires is not there: so no other would be."""
    planned = any(rule.get("alert") == WATCHDOG for _, _, rule in planned_rules(facts.plan))
    arrived = any(alert["labels"].get("alertname") == WATCHDOG for alert in facts.answers["alerts"])
    if planned and not arrived and facts.settled:
        saw = f"{WATCHDOG}, which always fires, is not in Alertmanager: no alert of this stack arrives"
        yield Finding("alertmanager", saw, f"{facts.logs('prometheus')}: why is it not sent?\n{facts.up}")


def channels(facts: Facts) -> Iterator[Finding]:
    """A planned channel that refuses notifications, or cannot be reached.

    Prometheus still knows the failures of receivers that an earlier configuration had; those are over.
    """
    receivers = planned_receivers(facts.plan)
    for series in facts.queries["channel-failing"]:
        receiver, integration = series.labels.get("receiver_name", "?"), series.labels.get("integration", "?")
        if receiver not in receivers:
            continue
        said = facts.said("alertmanager", rf"Notify (for alerts|attempt) failed.*{re.escape(receiver)}", within=600)
        saw = f"{series.value:.0f} notifications by {integration} failed in the last minutes\n{said[:400]}".strip()
        remedy = (
            f"`alerting.channels`: is its address right, and reachable from the engine? Its secret: pulumi config set "
            f"--secret observatory:NAME --stack {facts.pulumi_stack}; then {facts.deploy}"
        )
        yield Finding(f"receiver {receiver}", saw, remedy)


def silenced(facts: Facts) -> Iterator[Finding]:
    """Alerts that fire and that a silence hides."""
    silences = {each["id"]: each for each in facts.answers["silences"]}
    by_silence: dict[str, list[Alert]] = defaultdict(list)
    for alert in facts.answers["alerts"]:
        for identifier in alert["status"].get("silencedBy") or []:
            by_silence[identifier].append(alert)
    for identifier, alerts in by_silence.items():
        silence = silences.get(identifier, {})
        names = sorted({alert["labels"].get("alertname", "?") for alert in alerts})
        who = f"by {silence.get('createdBy') or 'somebody'}: {silence.get('comment') or 'without a comment'}"
        saw = f"hides {len(alerts)} alerts ({_first(names)}) until {silence.get('endsAt', '?')}, {who}"
        # Who silences something by name means it; who silences the dead man's switch silences everything.
        severity = Severity.WARNING if WATCHDOG in names else Severity.NOTE
        yield Finding(f"silence {identifier[:8]}", saw, _expire(facts, identifier), severity=severity)


def _expire(facts: Facts, identifier: str) -> str:
    """The command that ends a silence: amtool beside Alertmanager, with the login that its health check has."""
    service = facts.plan.service("alertmanager")
    check = service.probe.command if service and service.probe else ("amtool",)
    amtool = " ".join(part for part in check if part == "amtool" or part.startswith("--"))
    if facts.config.kubernetes:
        inside = f"{facts.kubectl} exec statefulset/alertmanager --container alertmanager --"
    else:
        inside = f"{facts.docker} exec {facts.container('alertmanager')}"
    return f"{inside} {amtool} silence expire {identifier}"


def held_back(facts: Facts) -> Iterator[Finding]:
    """Alerts that another one, or the time of day, holds back."""
    for kind, why in (("inhibitedBy", "another alert that explains it"), ("mutedBy", "a time interval of its route")):
        held = [alert for alert in facts.answers["alerts"] if alert["status"].get(kind)]
        if held:
            names = sorted({alert["labels"].get("alertname", "?") for alert in held})
            saw = f"{len(held)} alerts ({_first(names)}) are held back by {why}"
            labels = " ".join(
                f"{key}={value}"
                for key, value in held[0]["labels"].items()
                if key in ("alertname", "service", "severity", "team")
            )
            key = "inhibits: of the rule" if kind == "inhibitedBy" else "`alerting.routes[].mute` and `active`"
            remedy = f"meant so? Else {key}; ./observatory route {facts.stack} {labels}"
            yield Finding(f"{kind.removesuffix('By')} alerts", saw, remedy, severity=Severity.NOTE)


def unheard(facts: Facts) -> Iterator[Finding]:
    """Alerts that matter, fire, and go to nobody."""
    alone = [
        alert
        for alert in facts.answers["alerts"]
        if {each["name"] for each in alert["receivers"]} <= {NOBODY}
        and alert["labels"].get("severity") in ("critical", "warning")
        and alert["status"]["state"] == "active"
    ]
    if alone:
        names = sorted({alert["labels"].get("alertname", "?") for alert in alone})
        saw = f"{len(alone)} alerts fire ({_first(names)}) and no channel gets them"
        remedy = f"`alerting.channels` and `alerting.default_channels` in the stack file, then {facts.deploy}"
        yield Finding("alerting", saw, remedy, severity=Severity.NOTE)


def cluster(facts: Facts) -> Iterator[Finding]:
    """Replicas of Alertmanager that do not know of each other."""
    result = facts.checks.get("the alertmanagers are one cluster")
    if result and result.status == "failed":
        yield Finding("alertmanager", result.detail, result.remedy)


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


_PROMETHEUS, _ALERTMANAGER = ("prometheus",), ("alertmanager",)
DIAGNOSES = (
    Diagnosis(
        "rule-failing", Severity.CRITICAL, "A rule cannot be evaluated, so its alert never fires.", rules, _PROMETHEUS
    ),
    Diagnosis(
        "rules-slow",
        Severity.WARNING,
        "Rules are evaluated too late.",
        late_rules,
        _PROMETHEUS,
        # One or two are those of a machine that was busy for a moment, at the start of a stack for instance.
        query="sum by (rule_group) (increase(prometheus_rule_group_iterations_missed_total[$window])) > 3",
    ),
    Diagnosis(
        "configuration-rejected",
        Severity.CRITICAL,
        "A program rejected its configuration and runs with the one before.",
        rejected,
        query="max by (instance) (alertmanager_config_last_reload_successful) == 0",
    ),
    Diagnosis(
        "not-deployed",
        Severity.WARNING,
        "What runs is not what the stack file and the rules ask for: alerts are not loaded.",
        not_deployed,
        explained_by=("configuration-rejected",),
    ),
    Diagnosis(
        "alertmanager-unreached",
        Severity.CRITICAL,
        "Prometheus does not get rid of its alerts.",
        to_alertmanager,
        _PROMETHEUS,
        query=(
            "sum by (alertmanager) (increase(prometheus_notifications_errors_total[$window])) > 0 or "
            "sum by (job) (increase(prometheus_notifications_dropped_total[$window])) > 0"
        ),
        explained_by=(*GONE, "endpoint-silent"),
    ),
    Diagnosis(
        "watchdog-missing",
        Severity.CRITICAL,
        "The alert that always fires does not arrive; so no other does.",
        watchdog,
        ("alertmanager", "prometheus"),
        explained_by=(*GONE, "alertmanager-unreached", "not-deployed"),
    ),
    Diagnosis(
        "channel-failing",
        Severity.CRITICAL,
        "A channel does not take notifications.",
        channels,
        _PROMETHEUS,
        query=("sum by (receiver_name, integration) (increase(alertmanager_notifications_failed_total[$window])) > 0"),
    ),
    Diagnosis(
        "alerts-silenced",
        Severity.WARNING,
        "A silence hides alerts that fire; a note, unless it hides the dead man's switch.",
        silenced,
        _ALERTMANAGER,
    ),
    Diagnosis(
        "alerts-held-back",
        Severity.NOTE,
        "An inhibition or a time interval holds alerts back.",
        held_back,
        _ALERTMANAGER,
    ),
    Diagnosis("alerts-unheard", Severity.NOTE, "Alerts fire, and no channel gets them.", unheard, _ALERTMANAGER),
    Diagnosis(
        "alertmanagers-apart",
        Severity.WARNING,
        "Replicas of Alertmanager do not know of each other: messages come twice.",
        cluster,
        _ALERTMANAGER,
        explained_by=GONE,
    ),
)
