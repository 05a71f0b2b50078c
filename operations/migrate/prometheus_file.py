"""A prometheus.yml: its global settings, scrape jobs, and what it writes to."""

from __future__ import annotations

from pathlib import Path

from components.config.base import is_duration, seconds
from operations.migrate.output import Bundle, attempt
from operations.migrate.report import Node
from operations.migrate.scrape_jobs import migrate_jobs, own_program
from operations.migrate.scrape_targets import static_targets

_WHY = {
    "remote_write": ("the stack sends samples nowhere else", "use `storage:` for history in a bucket"),
    "remote_read": ("the stack reads no other storage", "use `storage:` or `federation:`"),
    "storage": ("the stack sets this itself", "see `retention:`"),
    "tracing": ("Prometheus' own traces are not collected", ""),
    "scrape_config_files": ("files with further scrape jobs are not followed", "migrate them one by one"),
    "otlp": ("the stack's Prometheus takes no OTLP", "scrape the services, or send traces to Jaeger"),
}


def migrate_prometheus(bundle: Bundle, root: Node, folder: Path | None, team: str = "platform") -> None:
    """The whole file; rule files are for the caller, who knows where they are."""
    report = bundle.report
    if general := root.get("global"):
        attempt(bundle, general, "settings", lambda: _global(bundle, general))
    if jobs := root.get("scrape_configs"):
        migrate_jobs(bundle, jobs, folder, team)
    if files := root.get("rule_files"):
        named = ", ".join(map(str, files.value if isinstance(files.value, list) else [files.value]))
        report.carried(files, "rule files", named, "each rule is an item of its own")
    if alerting := root.get("alerting"):
        attempt(bundle, alerting, "alerting", lambda: _alerting(bundle, alerting))
    for key, (why, todo) in _WHY.items():
        if found := root.get(key):
            for each in found.items() if isinstance(found.value, list) else (found,):
                report.impossible(
                    each, key, str(each.value.get("url", key)) if isinstance(each.value, dict) else key, why, todo
                )
    report.rest(root, "the stack has no such setting of Prometheus")


def _global(bundle: Bundle, node: Node) -> None:
    report = bundle.report
    scrape = bundle.stack.setdefault("scrape", {})
    for key, own in (("scrape_interval", "interval"), ("scrape_timeout", "timeout"), ("evaluation_interval",) * 2):
        found = node.get(key)
        if found is None:
            continue
        value = str(found.value)
        if not is_duration(value):
            report.impossible(found, "setting", key, f"{value} is no duration")
        elif own == "interval" and not 1 <= seconds(value) <= 150:
            scrape[own] = "2m30s" if seconds(value) > 150 else "1s"
            report.approximated(found, "setting", key, f"{value} became {scrape[own]}: series have gaps beyond 2m30s")
        else:
            scrape[own] = value
            report.carried(found, "setting", key, f"scrape.{own}: {value}")
    interval = scrape.get("interval", "15s")
    if seconds(scrape.get("timeout", "10s")) > seconds(interval):
        scrape["timeout"] = interval
    if not scrape:
        del bundle.stack["scrape"]
    if labels := node.get("external_labels"):
        for each in labels.items():
            name = str(each.path[-1])
            if name == "environment" and str(each.value) == bundle.environment:
                report.carried(each, "external label", name, "is what `environment` says")
                continue
            why = "the stack has one external label, environment"
            report.impossible(each, "external label", name, f"{why}; this was {each.value}", "give services `labels:`")
    report.rest(node, "the stack sets this itself, or has no such setting")


def _alerting(bundle: Bundle, node: Node) -> None:
    report = bundle.report
    managers = node.get("alertmanagers")
    for each in managers.items() if managers else ():
        hosts = [target for target, _ in static_targets(each.value)] if isinstance(each.value, dict) else []
        own = hosts and all(own_program(host.rpartition(":")[0] or host) == "alertmanager" for host in hosts)
        if own:
            report.carried(each, "Alertmanager", ", ".join(hosts), "the stack's own takes its place")
        else:
            why = "alerts go to the stack's own Alertmanager alone"
            report.approximated(each, "Alertmanager", ", ".join(hosts) or each.place, why, "migrate its file, too")
    report.rest(node, "alerts go to Alertmanager as they are")
