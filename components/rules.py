"""Alert and recording rules of a stack: chosen, set to the stack's numbers, linked to pages and dashboards."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from components import objectives, onboarding
from components.catalogue import (
    DERIVED,
    EVERYWHERE,
    EXPOSED,
    FEDERATION,
    PROBES,
    SENDING,
    VICTORIA_NODES,
    RuleFile,
    all_alerts,
    exposed_series,
    required_series,
    rule_file,
    rule_subjects,
)
from components.config import StackConfig
from components.config.own_files import own_name
from components.context import Context
from components.parameters import Parameter
from components.promql import metrics_in
from components.spec import File
from components.yaml_text import dump
from dashboards.built import BuiltDashboard, built

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_WORDS = ("summary", "description")
RuleGroups = dict[str, list[dict[str, Any]]]
"""Subject to its groups of rules."""


def rule_files(context: Context, groups: RuleGroups, products: Sequence[str]) -> tuple[File, ...]:
    """One file for each subject that has rules in this stack; the file's name is the subject's."""
    links = _dashboard_urls(context, set(products))
    return tuple(File(f"rules/{subject}.yaml", rendered_groups(context, groups[subject], links)) for subject in groups)


def own_rule_files(context: Context) -> tuple[File, ...]:
    """The rules that the stack file names, evaluated as they stand, beside the catalogue's."""
    config = context.config
    return tuple(File(f"rules/{own_name(path)}.yaml", context.beside[path]) for path in config.rule_files)


def chosen_groups(config: StackConfig, products: Iterable[str]) -> RuleGroups:
    """Subject to the groups that this stack evaluates, with its numbers set; the links are still missing.

    A rule is on when every metric it asks for is there: exposed by a planned product, declared by some service, or
    recorded by another rule that is on. So no rule waits for what never comes.
    """
    planned = set(products) | cluster_subjects(config) | storage_subjects(config)
    planned |= {FEDERATION} if config.federation else set()
    known = set(exposed_series(EVERYWHERE)) | exposed_by_services(config)
    known = known.union(*(exposed_series(product) for product in planned))
    if "blackbox-exporter" in planned and (config.probes or config.access):
        known |= exposed_series(PROBES)
    chosen: RuleGroups = {}
    generated = {"services": onboarding.groups(config), "slo": objectives.groups(config)}
    for groups in generated.values():
        known |= {rule["record"] for group in groups for rule in group["rules"]}
    for subject in (*[name for name in rule_subjects() if name not in DERIVED], *DERIVED):
        file = rule_file(subject)
        groups = list(generated.get(subject, ()))
        if file and (subject in planned or subject in EXPOSED or generated.get(subject)):
            groups += _answerable(settled_groups(file, config.alerts), known)
        if groups := [group for group in groups if group["rules"]]:
            chosen[subject] = groups
    return chosen


def exposed_by_services(config: StackConfig) -> set[str]:
    """The names in queries of all metrics that services declare."""
    return {series for service in config.services for series in onboarding.declared_series(service)}


def cluster_subjects(config: StackConfig) -> set[str]:
    """What Prometheus asks of the cluster that the stack is on; cAdvisor is built into each kubelet there."""
    if config.kubernetes is None:
        return set()
    watched = config.kubernetes.monitor
    asked = {
        "kubelet": watched.kubelet,
        "apiserver": watched.api_server,
        "coredns": watched.dns,
        "cadvisor": config.exporters.cadvisor,
    }
    return {subject for subject, on in asked.items() if on}


def storage_subjects(config: StackConfig) -> set[str]:
    """Thanos and a cluster of VictoriaMetrics have subjects that no program is named like; sending is Prometheus'."""
    found = {"thanos"} if config.storage.thanos else set()
    if config.storage.victoria_cluster:
        found |= {"victoria-metrics", VICTORIA_NODES}
    return found | ({SENDING} if config.storage.remote else set())


def subjects_on(config: StackConfig, products: Iterable[str]) -> set[str]:
    """Every subject that has series in this stack; what dashboards need is among these or not."""
    found = set(products) | cluster_subjects(config) | storage_subjects(config)
    for service in config.services:
        found |= {"services", *service.exposes}
        found |= {"slo"} if service.objectives.availability or service.objectives.latency else set()
    declared = exposed_by_services(config)
    return found | {subject for subject in EXPOSED if required_series(subject) and required_series(subject) <= declared}


def settled_groups(file: RuleFile, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups of a file with every parameter in its place; alerts that are switched off are left out."""
    return [
        group
        | {
            "rules": [
                _settled(rule, file.parameters.get(rule.get("alert", ""), {}), settings.get(rule.get("alert", "")))
                for rule in group["rules"]
                if settings.get(rule.get("alert", "")) is not False
            ]
        }
        for group in file.groups
    ]


def _settled(rule: dict[str, Any], parameters: Mapping[str, Parameter], own: Any) -> dict[str, Any]:
    own = own or {}
    values = {name: parameter.read(own.get(name, parameter.default)) for name, parameter in parameters.items()}

    def place(text: str, words: bool) -> str:
        def value(match: re.Match[str]) -> str:
            parameter = parameters[match[1]]
            return (parameter.in_words if words else parameter.in_expression)(values[match[1]])

        return _PLACEHOLDER.sub(value, text) if "${" in text else text

    settled = rule | {"expr": place(rule["expr"], words=False)}
    if "annotations" in rule:
        settled["annotations"] = {key: place(text, key in _WORDS) for key, text in rule["annotations"].items()}
    if "for" in own:
        # Where the rule has it, so that a reader finds the keys of every rule in the same order.
        settled = {key: value for key, value in settled.items() if key in ("alert", "expr")} | {
            "for": own["for"],
            **{key: value for key, value in settled.items() if key not in ("alert", "expr", "for")},
        }
    if "severity" in own:
        settled["labels"] = settled["labels"] | {"severity": own["severity"]}
    return settled


def _answerable(groups: list[dict[str, Any]], known: set[str]) -> list[dict[str, Any]]:
    """Without the rules that ask for a metric that nobody exposes; adds to `known` what the others record."""
    found = []
    for group in groups:
        rules = []
        for rule in group["rules"]:
            if metrics_in(rule["expr"]) <= known:
                rules.append(rule)
                known |= {rule["record"]} if "record" in rule else set()
        found.append(group | {"rules": rules})
    return found


class StackLimits:
    """The numbers of one stack's alerts, for whoever compares with them: dashboards, reports."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings

    def __call__(self, alert: str, parameter: str = "threshold") -> float:
        """The number in base units; a KeyError is a mistake in the caller."""
        declared = all_alerts()[alert].parameters[alert][parameter]
        own = self._settings.get(alert) or {}
        value = declared.read(own.get(parameter, declared.default))
        if isinstance(value, str):
            raise KeyError(f"{alert}.{parameter} is a window of time, no number")
        return value


def rendered_groups(context: Context, groups: Iterable[dict[str, Any]], links: dict[str, str]) -> str:
    """The text of one rule file; `links` are the addresses of dashboards by uid."""
    return dump({"groups": [_group(context, group, links) for group in groups]})


def _dashboard_urls(context: Context, planned: set[str]) -> dict[str, str]:
    """The address of each dashboard that Grafana has, by uid, as a template over an alert; none without Grafana."""
    if "grafana" not in planned:
        return {}
    boards = shown_dashboards(context.config, subjects_on(context.config, planned))
    return {board.uid: f"{grafana_url(context)}/d/{board.uid}{_filters(board)}" for board in boards}


def _filters(board: BuiltDashboard) -> str:
    """The part of a link that sets the dashboard's filters to what the alert is about, as far as it has the labels.

    A filter to the right is narrowed by those to its left, so it is only set where they are. `environment` is left
    out: Prometheus adds it to alerts when it sends them, after it has filled in their links.
    """
    variables = json.loads(board.text)["templating"]["list"]
    names = [each["name"] for each in variables if each["type"] == "query" and each["name"] != "environment"]
    link = ""
    for name in reversed(names):
        sign = "?" if name == names[0] else "&"
        link = f"{{{{ with $labels.{name} }}}}{sign}var-{name}={{{{ . | urlquery }}}}{link}{{{{ end }}}}"
    return link


def shown_dashboards(config: StackConfig, on: Collection[str]) -> list[BuiltDashboard]:
    """The dashboards that a stack shows in which these subjects are on, in the order of the stack file."""
    boards = built(StackLimits(config.alerts), config.alerts, [service.team for service in config.services])
    return [board for name in config.dashboards for board in boards if board.name == name and board.belongs(on)]


def _group(context: Context, group: dict[str, Any], links: dict[str, str]) -> dict[str, Any]:
    return group | {"rules": [_linked(context, rule, links) if "alert" in rule else rule for rule in group["rules"]]}


def _linked(context: Context, rule: dict[str, Any], links: dict[str, str]) -> dict[str, Any]:
    """The alert with `runbook_url` and `dashboard_url`; the rule file names the dashboard by its uid only."""
    annotations = dict(rule.get("annotations", {}))
    uid = annotations.pop("dashboard", None)
    base = context.config.alerting.runbooks_url
    if base:
        annotations["runbook_url"] = f"{base.rstrip('/')}/{rule['alert']}.md"
    else:
        annotations["runbook"] = f"runbooks/{rule['alert']}.md"
    if uid in links:
        annotations["dashboard_url"] = links[uid]
    return rule | {"annotations": annotations}


def grafana_url(context: Context) -> str:
    """Where people reach Grafana, without a slash at the end."""
    return context.external_url("grafana", 3000)
