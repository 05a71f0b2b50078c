"""Values of the Helm chart kube-prometheus-stack: a stack on Kubernetes with the same scrape jobs, rules and routes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from components.config.base import is_duration
from operations.errors import CommandError
from operations.migrate import names
from operations.migrate.alertmanager_file import migrate_alertmanager
from operations.migrate.grafana.boards import migrate_board
from operations.migrate.kubernetes_monitors import migrate_monitor
from operations.migrate.kubernetes_sizes import fitting_sizes, migrate_claim, migrate_limits, size
from operations.migrate.output import Bundle, attempt
from operations.migrate.report import Node
from operations.migrate.rules import migrate_rules
from operations.migrate.scrape_jobs import migrate_jobs
from operations.migrate.sources import mapping, parse_yaml, read_yaml

_MONITORED = {
    "kubelet": "kubelet",
    "kubeApiServer": "api_server",
    "coreDns": "dns",
    "kubeStateMetrics": "workloads",
}
"""Parts of the chart to keys of kubernetes.monitor."""


def migrate_values(bundle: Bundle, path: Path, context: str | None, team: str) -> None:
    """The whole file."""
    root = mapping(read_yaml(path), "values file")
    known = {"prometheus", "alertmanager", "grafana", "defaultRules", "nodeExporter", *_MONITORED}
    if not known & {*root.value} and not any(key.startswith("additionalPrometheusRules") for key in root.value):
        raise CommandError(
            f"{path} is no values file of kube-prometheus-stack",
            f"it has none of the keys {', '.join(sorted(known))}",
        )
    bundle.stack |= {"platform": "kubernetes", "kubernetes": {"context": context or "CHANGE-ME"}}
    if context is None:
        bundle.notes.append("Set `kubernetes.context` to a context of your kubeconfig.")
    taken: set[str] = set()
    if node := root.get("prometheus"):
        attempt(bundle, node, "settings", partial(_prometheus, bundle, node, team))
    if node := root.get("alertmanager"):
        attempt(bundle, node, "settings", partial(_alertmanager, bundle, node))
    if node := root.get("grafana"):
        attempt(bundle, node, "settings", partial(_grafana, bundle, node))
    for key in ("additionalPrometheusRulesMap", "additionalPrometheusRules"):
        if node := root.get(key):
            attempt(bundle, node, "rule files", partial(_rules, bundle, node, taken, team))
    if node := root.get("defaultRules"):
        why = "the stack has rules of its own for the cluster and for itself"
        bundle.report.approximated(node, "rules of the chart", "defaultRules", why, "see docs/guide/alerts.md")
    _switches(bundle, root)
    bundle.report.rest(root, "a stack file has no such key of the chart", "see docs/guide/kubernetes.md")


def _prometheus(bundle: Bundle, node: Node, team: str) -> None:
    report, stack = bundle.report, bundle.stack
    if (enabled := _flag(node, "enabled")) is not None:
        if enabled.value is False:
            report.impossible(enabled, "key", enabled.place, "a stack always has Prometheus")
        else:
            report.carried(enabled, "key", enabled.place)
    for key in ("additionalServiceMonitors", "additionalPodMonitors"):
        found = node.get(key)
        for each in found.items() if found else ():
            migrate_monitor(bundle, each, pods=key == "additionalPodMonitors", team=team)
    if spec := node.get("prometheusSpec"):
        _spec(bundle, spec, team)
    report.rest(node, "a stack file has no such key of the chart", "see docs/guide/kubernetes.md")
    fitting_sizes(bundle)
    if not stack.get("scrape", True):
        del stack["scrape"]


def _spec(bundle: Bundle, spec: Node, team: str) -> None:
    report, stack = bundle.report, bundle.stack
    _duration(bundle, spec, "retention", ("retention", "time"))
    _size(bundle, spec, "retentionSize", ("retention", "size"))
    _duration(bundle, spec, "scrapeInterval", ("scrape", "interval"))
    _duration(bundle, spec, "scrapeTimeout", ("scrape", "timeout"))
    _duration(bundle, spec, "evaluationInterval", ("scrape", "evaluation_interval"))
    migrate_limits(bundle, spec, "prometheus")
    migrate_claim(bundle, spec, "storageSpec", "prometheus")
    if (url := spec.get("externalUrl")) and re.fullmatch(r"https?://[^\s/@]+(/\S*)?", str(url.value)):
        stack.setdefault("external_urls", {})["prometheus"] = str(url.value)
        report.carried(url, "setting", url.place)
    if (replicas := spec.get("replicas")) is not None:
        if replicas.value == 1:
            report.carried(replicas, "setting", replicas.place)
        else:
            why = "several need a bucket, in which their samples become one"
            report.impossible(replicas, "setting", replicas.place, why, "`storage:` first, then high_availability")
    if (selector := spec.get("nodeSelector")) and isinstance(selector.value, dict):
        stack["kubernetes"]["node_selector"] = {str(key): str(value) for key, value in selector.value.items()}
        report.carried(selector, "setting", selector.place)
    if priority := spec.get("priorityClassName"):
        stack["kubernetes"]["priority_class"] = str(priority.value)
        report.carried(priority, "setting", priority.place)
    if jobs := spec.get("additionalScrapeConfigs"):
        _scrape_configs(bundle, jobs, team)
    report.rest(spec, "a stack file has no such setting of Prometheus", "see docs/guide/stack-file.md")


def _scrape_configs(bundle: Bundle, jobs: Node, team: str) -> None:
    if isinstance(jobs.value, str):
        try:
            inner = parse_yaml(jobs.value, jobs.place)
        except CommandError as error:
            bundle.report.impossible(jobs, "scrape jobs", jobs.place, error.message, "render the chart, then migrate")
            return
        if not isinstance(inner, list):
            bundle.report.impossible(jobs, "scrape jobs", jobs.place, "it is no list of scrape jobs")
            return
        bundle.report.carried(jobs, "scrape jobs", jobs.place, "text with jobs, of which each is an item of its own")
        jobs = Node(f"{jobs.file} ({jobs.place})", (), inner)
    if not isinstance(jobs.value, list):
        bundle.report.impossible(jobs, "scrape jobs", jobs.place, "it is no list of scrape jobs")
        return
    migrate_jobs(bundle, jobs, None, team)


def _alertmanager(bundle: Bundle, node: Node) -> None:
    report = bundle.report
    if (enabled := _flag(node, "enabled")) is not None:
        if enabled.value is False:
            report.impossible(enabled, "key", enabled.place, "a stack always has Alertmanager")
        else:
            report.carried(enabled, "key", enabled.place)
    if (config := node.get("config")) and isinstance(config.value, dict):
        migrate_alertmanager(bundle, config)
    if spec := node.get("alertmanagerSpec"):
        migrate_limits(bundle, spec, "alertmanager")
        migrate_claim(bundle, spec, "storage", "alertmanager")
        if (replicas := spec.get("replicas")) is not None:
            count = replicas.value
            if isinstance(count, int) and count > 1 and count % 2:
                bundle.stack.setdefault("high_availability", {})["alertmanager"] = count
                report.carried(replicas, "setting", replicas.place, f"high_availability.alertmanager: {count}")
            elif count == 1:
                report.carried(replicas, "setting", replicas.place)
            else:
                report.impossible(replicas, "setting", replicas.place, "a cluster has an odd number of replicas")
        if (url := spec.get("externalUrl")) and re.fullmatch(r"https?://[^\s/@]+(/\S*)?", str(url.value)):
            bundle.stack.setdefault("external_urls", {})["alertmanager"] = str(url.value)
            report.carried(url, "setting", url.place)
    report.rest(node, "a stack file has no such key of the chart", "see docs/guide/kubernetes.md")


def _grafana(bundle: Bundle, node: Node) -> None:
    report, settings = bundle.report, bundle.stack.setdefault("grafana", {})
    if (enabled := _flag(node, "enabled")) is not None:
        report.carried(enabled, "key", enabled.place)
        if enabled.value is False:
            settings["enabled"] = False
    if password := node.get("adminPassword"):
        settings["admin_password"] = bundle.secret("grafanaPassword", f"{node.file}: {password.place}")
        report.carried(password, "setting", password.place, "is the secret grafanaPassword, to be set")
    if (user := node.get("adminUser")) and re.fullmatch(r"[A-Za-z0-9._@-]+", str(user.value)):
        settings["admin_user"] = str(user.value)
        report.carried(user, "setting", user.place)
    migrate_limits(bundle, node, "grafana")
    if persistence := node.get("persistence"):
        if made := size(persistence.value.get("size")) if isinstance(persistence.value, dict) else "":
            bundle.stack["kubernetes"].setdefault("volumes", {})["grafana"] = made
            report.carried(
                persistence,
                "setting",
                persistence.place,
                f"kubernetes.volumes.grafana: {made}",
                ("size", "enabled", "type"),
            )
        report.rest(persistence, "the volume is made by the stack")
    for each in _inline_boards(bundle, node):
        migrate_board(bundle, each, "Migrated")
    if node.get("dashboards") and settings.get("enabled") is False:
        bundle.dashboards.clear()
    report.rest(node, "a stack file has no such key of the chart", "see docs/guide/stack-file.md, `grafana`")
    if not settings:
        del bundle.stack["grafana"]


def _inline_boards(bundle: Bundle, node: Node) -> Iterator[Node]:
    """Dashboards that stand in the values as JSON; those that Helm would fetch are said to be missing."""
    providers = node.get("dashboards")
    for provider in providers.items() if providers else ():
        for each in provider.items():
            name = str(each.path[-1])
            text = each.value.get("json") if isinstance(each.value, dict) else None
            if not isinstance(text, str):
                why = "its content is fetched by Helm, and not in this file"
                todo = "download it, then `./observatory migrate grafana`"
                bundle.report.impossible(each, "dashboard", name, why, todo)
                continue
            try:
                content = json.loads(text)
            except ValueError as error:
                bundle.report.impossible(each, "dashboard", name, f"is not valid JSON: {error}")
                continue
            bundle.report.carried(each, "dashboard", name, "its panels are items of their own")
            yield Node(f"{each.file} ({each.place})", (), content)


def _rules(bundle: Bundle, node: Node, taken: set[str], team: str) -> None:
    """Rule files in the values, as a mapping by name or as a list."""
    for each in node.items():
        data = each.value if isinstance(each.value, dict) else {}
        name = str(data.get("name") or each.path[-1])
        groups = each.get("groups")
        if groups is None:
            bundle.report.impossible(each, "rule file", name, "it has no groups")
            continue
        migrate_rules(
            bundle, groups, names.unique(names.slug(name, "rules"), bundle.rules), taken, names.slug(team, "team")
        )
        bundle.report.carried(each, "rule file", name, keys=tuple(key for key in data if key != "groups"))
        bundle.report.rest(each, "a rule file has groups alone")


def _switches(bundle: Bundle, root: Node) -> None:
    """Which parts of the cluster are watched."""
    for key, own in _MONITORED.items():
        node = root.get(key)
        enabled = _flag(node, "enabled") if node else None
        if node and enabled:
            bundle.stack["kubernetes"].setdefault("monitor", {})[own] = bool(enabled.value)
            bundle.report.carried(enabled, "key", enabled.place, f"kubernetes.monitor.{own}")
    node = root.get("nodeExporter")
    enabled = _flag(node, "enabled") if node else None
    if enabled:
        bundle.stack.setdefault("exporters", {})["node"] = bool(enabled.value)
        bundle.report.carried(enabled, "key", enabled.place, "exporters.node")


def _flag(node: Node, key: str) -> Node | None:
    if isinstance(node.value, dict) and isinstance(node.value.get(key), bool):
        return Node(node.file, (*node.path, key), node.value[key])
    return None


def _put(bundle: Bundle, node: Node, keys: tuple[str, str], value: Any) -> None:
    bundle.stack.setdefault(keys[0], {})[keys[1]] = value
    bundle.report.carried(node, "setting", node.place, f"{'.'.join(keys)}: {value}")


def _duration(bundle: Bundle, spec: Node, key: str, keys: tuple[str, str]) -> None:
    if (found := spec.get(key)) and is_duration(str(found.value)):
        _put(bundle, found, keys, str(found.value))


def _size(bundle: Bundle, spec: Node, key: str, keys: tuple[str, str]) -> None:
    if (found := spec.get(key)) and (made := size(found.value)):
        _put(bundle, found, keys, made)
