"""Which metrics a stack stores, and which of them its rules and dashboards ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from components.catalogue import EVERYWHERE, PROBES, SENDING, exposed_series
from components.config import StackConfig
from components.config.own_files import is_own
from components.config.services import MonitoredService
from components.config.stack import THANOS
from components.onboarding import declared_series
from components.promql import metrics_in
from components.spec import Plan
from components.yaml_text import load
from operations import consistency

_VARIABLE = re.compile(r"\$\{?\w+\}?")
_BY_PRODUCT = {"jaeger-spans": "jaeger", **dict.fromkeys(THANOS, "thanos")}


def rule_groups(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each group of rules as it is deployed, with the name of its file without its ending."""
    evaluating = [service for name in ("prometheus", "thanos-rule") if (service := plan.service(name))]
    for file in [file for service in evaluating for file in service.files]:
        if file.path.startswith("rules/"):
            for group in load(file.content)["groups"]:
                yield file.path.removeprefix("rules/").removesuffix(".yaml"), group


def rules(plan: Plan, own: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each rule as it is deployed, with the name of its file; without `own`, those of the catalogue alone."""
    for name, group in rule_groups(plan):
        if is_own(name) and not own:
            continue
        for rule in group["rules"]:
            yield name, rule


def panel_queries(plan: Plan, own: bool = True) -> Iterator[tuple[str, str, str]]:
    """Each query of each provisioned dashboard: uid, title of the panel, expression with its variables filled in.

    Without `own`, those of the product's dashboards alone.
    """
    grafana = consistency.grafana_of(plan)
    for path, text in (consistency.dashboards(grafana) if grafana else {}).items():
        if is_own(path) and not own:
            continue
        board = json.loads(text)
        for panel in panels(board):
            for target in panel.get("targets") or ():
                if isinstance(target.get("expr"), str):  # own dashboards may ask other datasources
                    yield board["uid"], panel.get("title") or "", filled(target["expr"])


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel of a dashboard, those in collapsed rows too; before Grafana 5 all were in rows."""
    for panel in (*(board.get("panels") or ()), *(board.get("rows") or ())):
        yield panel
        yield from panels({"panels": panel.get("panels")})


def filled(expression: str) -> str:
    """The expression with something valid in place of each of Grafana's variables."""
    expression = re.sub(r"\[\$\{?\w+\}?(?=[\]:])", "[5m", expression)
    return _VARIABLE.sub(".*", expression)


def used_metrics(plan: Plan) -> set[str]:
    """The names of all metrics that a rule or a panel asks for."""
    found = {metric for _, rule in rules(plan) for metric in metrics_in(rule["expr"])}
    return found | {metric for _, _, expression in panel_queries(plan) for metric in metrics_in(expression)}


def stored_by_job(config: StackConfig, plan: Plan) -> dict[str, set[str]]:
    """Scrape job to the names of the metrics that are known to be stored of it.

    Products expose what was seen of them, services what they declare; less what the job drops.
    """
    services = {service.name: service for service in config.services}
    found = {}
    for job in consistency.scrape_jobs(plan):
        name = job["job_name"]
        if name in services:
            exposed = declared_series(services[name])
        elif name.startswith("probe-"):
            exposed = set(exposed_series(PROBES))
        else:
            exposed = set(exposed_series(name) | exposed_series(_BY_PRODUCT.get(name, name)))
            exposed |= exposed_series(SENDING) if name == "prometheus" and config.storage.remote else set()
        found[name] = {metric for metric in exposed if kept(metric, job.get("metric_relabel_configs") or [])}
    return found


def kept(metric: str, relabelings: list[dict[str, Any]]) -> bool:
    """Whether a metric passes a job's relabelling by name."""
    for step in relabelings:
        if step.get("source_labels") != ["__name__"] or step.get("action") not in ("keep", "drop"):
            continue
        if bool(re.fullmatch(step["regex"], metric)) != (step["action"] == "keep"):
            return False
    return True


def known_metrics(config: StackConfig, plan: Plan) -> set[str]:
    """Everything that a query in this stack can find: what is stored, what rules record, what Prometheus adds."""
    recorded = {rule["record"] for _, rule in rules(plan) if "record" in rule}
    return set(exposed_series(EVERYWHERE)) | recorded | set().union(*stored_by_job(config, plan).values())


def labels_of(service: MonitoredService) -> set[str]:
    """The labels that every series of a service has."""
    return {"job", "instance", "service", "team", *service.labels}
