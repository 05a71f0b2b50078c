"""The chain from a metric to a person: metric, rule, route, receiver, message, runbook, dashboard.

A rule on a metric that nobody stores is quiet for ever, which looks like health; an alert that no receiver takes, or
whose page is missing, fails in the night that it was made for. Each broken link is one line that names it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from promql_parser import VectorSelector

import dashboards
from components import objectives, onboarding
from components.catalogue import ROOT, all_alerts, everything_known
from components.config import StackConfig
from components.config.federation import LABEL as REGION
from components.config.metrics import series_names
from components.config.own_files import is_own
from components.notes import alert_owners, counted, route_notes, routed_labels
from components.onboarding import declared, declared_series
from components.promql import metrics_in, selectors
from components.services.alertmanager_routes import NOBODY
from components.spec import Plan
from components.yaml_text import load
from operations.results import Result, Status
from operations.stored import known_metrics, labels_of, panel_queries, rules, stored_by_job

RUNBOOKS = ROOT / "runbooks"
_NAMED = 3
"""So many alerts that end with nobody are named; of one stack it can be all."""
_LISTED = 10
"""So many metrics that nothing is known of are named."""
_ANNOTATIONS = ("summary", "description")
_MATCHER = re.compile(r'^([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"(.*)"$', re.DOTALL)


def chain_checks(config: StackConfig, plan: Plan) -> list[Result]:
    """One result for each link."""
    alerts, catalogue = plan_alerts(plan), plan_alerts(plan, own=False)
    every = counted(len(alerts), "alert")
    links = (
        (
            "metric to storage",
            storage_problems(config, plan),
            "keep the metric: `./observatory keep-list` lists those that are needed",
        ),
        (
            "metric to rule",
            metric_problems(config, plan),
            "declare the metric of a service in the stack file, or drop the rule",
        ),
        ("metric to dashboard", panel_problems(config, plan), "correct the query in dashboards/"),
        ("rule to route and receiver", route_problems(config, plan), "give `alerting` a route or default_channels"),
        ("rule to message", message_problems(alerts), "add it to the rule in rules/"),
        (
            "rule to runbook",
            runbook_problems(catalogue),
            "write the page in runbooks/, or remove what nothing links to",
        ),
        (
            "rule to dashboard",
            dashboard_problems(catalogue, plan),
            "name the uid of a dashboard in the rule",
        ),
    )
    results = [
        Result(f"chain: {name}", Status.FAILED, "\n".join(found), remedy)
        if (found := list(problems))
        else Result(f"chain: {name}", Status.OK, every if name.startswith("rule") else "")
        for name, problems, remedy in links
    ]
    if unknown := own_unknown(config, plan):
        detail = f"rules and dashboards of your own ask for metrics of which nothing is known here: {unknown}"
        results.append(Result("chain: metric to own files", Status.NOT_CHECKED, detail))
    if not config.alerting.channels and "default_channels" not in config.alerting.model_fields_set:
        detail = "no channel is defined: alerts are only shown, in Prometheus, Alertmanager and Grafana"
        results.append(Result("chain: receiver to people", Status.NOT_CHECKED, detail))
    return results


def metric_problems(config: StackConfig, plan: Plan) -> Iterator[str]:
    """Rules that ask for a metric which nothing in this stack stores, or for a label that it does not have.

    What a service declares and its job cuts off is a matter of `storage_problems`.
    """
    known = known_metrics(config, plan).union(*map(declared_series, config.services))
    labels = _labels_by_metric(config)
    # With a federation every rule passes over the regions' series, which have this label; own ones need not have it.
    always = {"__name__", REGION} if config.federation else {"__name__"}
    always |= {"environment"} if config.storage.ruler else set()  # on all that the querier has
    for file, rule in rules(plan, own=False):
        name = f"{file}: {rule.get('alert') or rule.get('record')}"
        for metric in sorted(metrics_in(rule["expr"]) - known):
            near = difflib.get_close_matches(metric, known, n=1, cutoff=0.8)
            yield f"{name} asks for {metric}, which nothing in this stack stores" + (f"; {near[0]}?" if near else "")
        for selector in selectors(rule["expr"]):
            asked = {matcher.name for matcher in selector.matchers.matchers} - always
            without: dict[str, list[str]] = {}
            for service, had in labels.get(selector.name or "", ()):
                for label in asked - had if concerns(selector, service) else ():
                    without.setdefault(label, []).append(service)
            for label, services in sorted(without.items()):
                yield f"{name} selects {selector.name} by {label}, which {', '.join(services)} declares it without"


def own_unknown(config: StackConfig, plan: Plan) -> str:
    """What the user's own rules and dashboards ask for and no service declares: only a running server can tell."""
    known = known_metrics(config, plan).union(*map(declared_series, config.services)) | everything_known()
    asked = {metric for file, rule in rules(plan) if is_own(file) for metric in metrics_in(rule["expr"])}
    theirs = {uid for uid, _, _ in panel_queries(plan, own=False)}
    asked |= {one for uid, _, query in panel_queries(plan) if uid not in theirs for one in metrics_in(query)}
    unknown = sorted(asked - known)
    rest = len(unknown) - _LISTED
    return ", ".join(unknown[:_LISTED]) + (f", and {rest} more" if rest > 0 else "")


def storage_problems(config: StackConfig, plan: Plan) -> Iterator[str]:
    """Metrics that rules need of a service and that `keep` or `drop` cut off; a histogram's series count as one."""
    stored = stored_by_job(config, plan)
    asked = [(number, selector) for number, (_, rule) in enumerate(rules(plan)) for selector in selectors(rule["expr"])]
    for index, service in enumerate(config.services):
        for name, metric in declared(service).items():
            cut = set(series_names(name, metric.type)) - stored.get(service.name, set())
            need = {number for number, each in asked if each.name in cut and concerns(each, service.name)}
            if need:
                key = "drop" if any(re.fullmatch(pattern, one) for pattern in service.drop for one in cut) else "keep"
                count = f"{len(need)} rules need" if len(need) > 1 else "a rule needs"
                yield f"services[{index}].{key} leaves out {name}, which {count}"


def concerns(selector: VectorSelector, service: str) -> bool:
    """Whether a selector can find series of a service, whose name is their `job`, too."""
    for matcher in selector.matchers.matchers:
        if matcher.name in ("service", "job"):
            kind = str(matcher.op).rpartition(".")[2]
            same = _fits(matcher.value, service) if "Re" in kind else matcher.value == service
            if same == kind.startswith("Not"):
                return False
    return True


def _fits(pattern: str, text: str) -> bool:
    try:
        return bool(re.fullmatch(pattern, text))
    except re.error:  # an expression of the user's own, in what RE2 knows and Python does not
        return True


def _labels_by_metric(config: StackConfig) -> dict[str, list[tuple[str, set[str]]]]:
    """By name in queries, each service that declares the metric, with the labels that it has there."""
    found: dict[str, list[tuple[str, set[str]]]] = {}
    for service in config.services:
        for name, metric in declared(service).items():
            own = {*metric.labels, *labels_of(service), "le", "quantile"}
            for series in series_names(name, metric.type):
                found.setdefault(series, []).append((service.name, own))
    return found


def panel_problems(config: StackConfig, plan: Plan) -> Iterator[str]:
    """Panels that ask for what nothing can expose. One for a product that this stack leaves out is only empty."""
    known = known_metrics(config, plan) | everything_known() | {*onboarding.RECORDS, *objectives.RECORDS}
    asked: dict[tuple[str, str], set[str]] = {}
    for uid, title, expression in panel_queries(plan, own=False):
        asked.setdefault((uid, title), set()).update(metrics_in(expression) - known)
    for (uid, title), unknown in asked.items():
        if unknown:
            yield f"{uid}: panel {title} asks for {', '.join(sorted(unknown))}, which nothing exposes or records"


def route_problems(config: StackConfig, plan: Plan) -> Iterator[str]:
    """Alerts that end with nobody, unless the stack file says so with `default_channels: []`; empty receivers."""
    tree = _alertmanager(plan)
    if not tree:
        return
    receivers = {receiver["name"]: receiver for receiver in tree["receivers"]}
    for name in sorted({*receivers} - {NOBODY}):
        if len(receivers[name]) == 1:
            yield f"receiver {name} has no integration"
    alerting = config.alerting
    on_purpose = not alerting.channels or (
        "default_channels" in alerting.model_fields_set and not alerting.default_channels
    )
    lost: dict[str, None] = {}
    teams: set[str] = set()
    for alert, labels in deliverable(config, plan):
        taken_by = {*receivers_of(tree["route"], labels)}
        for receiver in sorted(taken_by - {*receivers}):
            yield f"{alert} goes to receiver {receiver}, which is not defined"
        if taken_by == {NOBODY} and not on_purpose and alert != "Watchdog":
            lost[alert] = None
            teams.add(labels["team"])
    if lost:
        first = [*lost][:_NAMED] if len(lost) > _NAMED + 1 else [*lost]
        rest = f", and {len(lost) - len(first)} more" if len(lost) > len(first) else ""
        yield (
            f"{counted(len(lost), 'alert')} of team {', '.join(sorted(teams))} {'end' if len(lost) > 1 else 'ends'} "
            f"with nobody: {', '.join(first)}{rest}; no route takes them and there are no default_channels "
            "(write `default_channels: []` if they shall only be shown)"
        )
        yield from route_notes(config, plan_alerts(plan))


def deliverable(config: StackConfig, plan: Plan) -> Iterator[tuple[str, dict[str, str]]]:
    """Every alert with the labels that routes go by; one that any service can raise stands once for each."""
    for labels in routed_labels(config.environment, alert_owners(config), plan_alerts(plan)):
        yield labels["alertname"], labels


def plan_alerts(plan: Plan, own: bool = True) -> list[dict[str, Any]]:
    """The rules of all alerts that the plan evaluates; without `own`, those of the catalogue alone."""
    return [rule for _, rule in rules(plan, own) if "alert" in rule]


def receivers_of(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """The receivers that Alertmanager's routing tree gives an alert with these labels."""
    found: list[str] = []
    for child in route.get("routes") or ():
        if all(_matches(matcher, labels) for matcher in child.get("matchers") or ()):
            found += receivers_of(child, labels)
            if not child.get("continue"):
                return found
    return found or [route["receiver"]]


def _matches(matcher: str, labels: Mapping[str, str]) -> bool:
    found = _MATCHER.match(matcher)
    if found is None:
        raise ValueError(f"not a matcher: {matcher}")
    label, operator, value = found[1], found[2], re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), found[3])
    actual = labels.get(label, "")
    equal = bool(re.fullmatch(value, actual)) if "~" in operator else actual == value
    return equal != operator.startswith("!")


def message_problems(alerts: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Alerts whose message would be empty, or that routes could not go by."""
    for alert in alerts:
        for key in _ANNOTATIONS:
            if not alert.get("annotations", {}).get(key):
                yield f"{alert['alert']} has no {key}"
        for label in ("severity", "category", "team"):
            if not alert.get("labels", {}).get(label):
                yield f"{alert['alert']} has no label {label}"


def runbook_problems(alerts: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Alerts without a page, and pages without an alert in the whole catalogue."""
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    for alert in alerts:
        if alert["alert"] not in pages:
            yield f"{alert['alert']} has no page runbooks/{alert['alert']}.md"
    for page in sorted(pages - {*all_alerts()}):
        yield f"runbooks/{page}.md belongs to no alert"


def dashboard_problems(alerts: Iterable[dict[str, Any]], plan: Plan) -> Iterator[str]:
    """Alerts that name a dashboard which does not exist, or whose link leads to one that is not provisioned."""
    provisioned = {uid for uid, _, _ in panel_queries(plan)}
    for alert in alerts:
        uid = _dashboard_of(alert["alert"])
        if uid is not None and uid not in _uids():
            yield f"{alert['alert']} names dashboard {uid}, which does not exist"
        url = alert.get("annotations", {}).get("dashboard_url")
        if url and _board_of(url) not in provisioned:
            yield f"{alert['alert']} links to {url}, which is not provisioned"


def _board_of(url: str) -> str:
    """The uid in a link to a dashboard, whose filters are a template."""
    return re.split(r"\{\{|\?", url)[0].rsplit("/", 1)[-1]


def _dashboard_of(alert: str) -> str | None:
    file = all_alerts().get(alert)
    source = next((rule for rule in file.rules() if rule.get("alert") == alert), {}) if file else {}
    uid = source.get("annotations", {}).get("dashboard")
    return str(uid) if uid else None


@cache
def _uids() -> frozenset[str]:
    return frozenset(dashboards.load(name).UID for name in dashboards.CATALOGUE)


def _alertmanager(plan: Plan) -> dict[str, Any]:
    alertmanager = plan.service("alertmanager")
    for file in alertmanager.files if alertmanager else ():
        if file.path == "alertmanager.yml":
            return dict(load(file.content))
    return {}
