"""Datadog's monitors as alert rules: one for each threshold, one where missing data is to be told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from components.config.base import duration_text
from operations.migrate import names
from operations.migrate.datadog.messages import lost_options, plain, template, whom_it_calls
from operations.migrate.datadog.queries import Call, Condition, Query, Unreadable, parse_condition
from operations.migrate.datadog.scopes import CannotTranslate
from operations.migrate.datadog.table import label
from operations.migrate.datadog.translate import Translation
from operations.migrate.output import Bundle, alert_name, attempt
from operations.migrate.report import Node
from operations.migrate.rules import CATEGORY, completed, unreadable

_ELSEWHERE = {
    "log alert": ("logs are not collected here", "count them in the program as a metric"),
    "event alert": ("events are not collected here", ""),
    "event-v2 alert": ("events are not collected here", ""),
    "process alert": ("processes are not watched one by one", "watch the service by a probe or its metrics"),
    "synthetics alert": ("tests from outside are probes here", "write it as one of `probes:`"),
    "slo alert": ("objectives belong to services here", "write it as `objectives:` of a service"),
    "rum alert": ("browsers are not watched here", ""),
    "audit alert": ("Datadog's own events do not exist here", ""),
    "ci-pipelines alert": ("pipelines are not watched here", ""),
    "trace-analytics alert": ("single traces raise no alert", "use metrics of spans"),
    "error-tracking alert": ("errors are not collected here", ""),
}
_CHECKS = {
    "datadog.agent.up": "up{$m} == 0",
    "http.can_connect": "probe_success{$m} == 0",
    "http.ssl_cert": "probe_ssl_earliest_cert_expiry{$m} - time() < 14 * 86400",
    "tcp.can_connect": "probe_success{$m} == 0",
    "kubernetes_state.node.ready": 'kube_node_status_condition{condition="Ready",status="true",$m} == 0',
    "ntp.in_sync": "abs(node_timex_offset_seconds{$m}) > 1",
}
_SERVICE_CHECK = re.compile(r'^"([^"]+)"\.over\((.*?)\)')


def monitors_of(root: Node) -> Iterator[Node]:
    """Every monitor of an export: one, a list, a list under `monitors`, or the `definition` of a recommended one."""
    value = root.value
    if isinstance(value, list):
        for each in root.items():
            yield from monitors_of(each)
    elif isinstance(value, dict) and isinstance(value.get("monitors"), list):
        listed = root.get("monitors")
        yield from listed.items() if listed else ()
    elif isinstance(value, dict) and isinstance(value.get("definition"), dict) and "query" in value["definition"]:
        yield Node(root.file, (*root.path, "definition"), value["definition"])
    else:
        yield root


def is_monitor(value: Any) -> bool:
    """Whether some data is a monitor, or an export of several."""
    if isinstance(value, list):
        return any(map(is_monitor, value))
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("monitors"), list):
        return True
    inner = value["definition"] if isinstance(value.get("definition"), dict) else value
    return isinstance(inner.get("query"), str) and "type" in inner and "widgets" not in inner


class Monitors:
    """The monitors of one migration: composites name others by their ids, so they come last."""

    def __init__(self, bundle: Bundle, team: str) -> None:
        self._bundle, self._team = bundle, names.slug(team, "team")
        self._taken: set[str] = set()
        self._conditions: dict[str, str] = {}
        """Id of a monitor to the expression that is true while it alerts."""
        self._composites: list[Node] = []
        self._roots: list[Node] = []
        self._rules: list[dict[str, Any]] = []

    def add(self, root: Node) -> None:
        """All monitors of one file."""
        self._roots.append(root)
        for node in monitors_of(root):
            kind = str(node.value.get("type")) if isinstance(node.value, dict) else ""
            if kind == "composite":
                self._composites.append(node)
            else:
                attempt(self._bundle, node, "monitor", partial(self._monitor, node, kind))

    def finish(self) -> None:
        """The composite ones, and the file of rules."""
        for node in self._composites:
            attempt(self._bundle, node, "monitor", partial(self._composite, node))
        for root in self._roots:
            self._bundle.report.rest(root, "is no monitor")
        if self._rules:
            self._bundle.add_rules("datadog-monitors", {"name": "datadog-monitors", "rules": self._rules})

    def _monitor(self, node: Node, kind: str) -> None:
        report, data = self._bundle.report, node.value
        name = str(data.get("name") or node.place) if isinstance(data, dict) else node.place
        if not isinstance(data, dict) or not isinstance(data.get("query"), str):
            report.impossible(node, "monitor", name, "it has no query")
            return
        if kind in _ELSEWHERE or (kind not in ("metric alert", "query alert", "service check")):
            why, todo = _ELSEWHERE.get(kind, (f"monitors of type {kind} have none like them here", ""))
            report.impossible(node, "monitor", name, why, todo)
            return
        translation = Translation()
        try:
            if kind == "service check":
                rules = self._service_check(data, translation)
            else:
                rules = self._metric_alert(data, translation)
        except (Unreadable, CannotTranslate) as error:
            report.impossible(node, "monitor", name, str(error), "write it in PromQL by hand")
            return
        wrong = next(filter(None, (unreadable(rule["expr"]) for rule in rules)), "")
        if wrong:
            report.impossible(node, "monitor", name, f"its expression is none of PromQL: {wrong}")
            return
        self._rules += rules
        differences = [*translation.differences, *lost_options(data)]
        told = ", ".join(dict.fromkeys(rule["alert"] for rule in rules))
        report.judged(node, "monitor", name, differences, f"is {told}", whom_it_calls(data))

    def _metric_alert(self, data: Mapping[str, Any], translation: Translation) -> list[dict[str, Any]]:
        condition = parse_condition(data["query"])
        if isinstance(condition.expression, Call) and condition.expression.name in (
            "anomalies",
            "outliers",
            "forecast",
        ):
            raise CannotTranslate(f"{condition.expression.name}() learns from history, which no rule does")
        value = _over_window(condition, translation)
        options = data.get("options") if isinstance(data.get("options"), dict) else {}
        thresholds = (options or {}).get("thresholds")
        limits = {"critical": condition.threshold}
        if isinstance(thresholds, dict) and thresholds.get("warning") is not None:
            limits["warning"] = str(thresholds["warning"])
        alert = alert_name(names.alert(str(data.get("name") or "")), self._taken)
        rules = []
        for severity, limit in limits.items():
            expression = f"{_wrapped(value)} {condition.compare} {limit}"
            rules.append(self._rule(alert, expression, severity, data, limit, translation.labels))
            if severity == "critical" and data.get("id") is not None:
                self._conditions[str(data["id"])] = expression
        if isinstance(thresholds, dict) and any(str(key).endswith("_recovery") for key in thresholds):
            translation.differs("it ends at the threshold itself: there is none for recovery")
        if (options or {}).get("notify_no_data") or (options or {}).get("on_missing_data") == "show_and_notify_no_data":
            rules += self._no_data(alert, data, condition, options or {}, translation)
        return rules

    def _no_data(
        self,
        alert: str,
        data: Mapping[str, Any],
        condition: Condition,
        options: Mapping[str, Any],
        translation: Translation,
    ) -> list[dict[str, Any]]:
        """An alert on missing series; of groups that vanish one by one, only the last is noticed."""
        if not isinstance(condition.expression, Query):
            translation.differs("missing data is not told, as it is of several queries")
            return []
        minutes = options.get("no_data_timeframe") or 10
        window = duration_text(60 * float(minutes))
        inner = Translation(window="5m").expression(condition.expression)
        if condition.expression.by:
            translation.differs("missing data is told when all groups are missing, not one")
        expression = f"absent_over_time(({inner})[{window}:1m])"
        name = alert_name(f"{alert}NoData", self._taken)
        return [self._rule(name, expression, "warning", data, "", [])]

    def _service_check(self, data: Mapping[str, Any], translation: Translation) -> list[dict[str, Any]]:
        match = _SERVICE_CHECK.match(data["query"].strip())
        if match is None or match[1] not in _CHECKS:
            check = match[1] if match else data["query"]
            raise CannotTranslate(f"the service check {check} has none like it; a probe or `up` may be near it")
        tags = [each.strip().strip('"') for each in match[2].split('","') if each.strip(' "*')]
        parts = [
            f'{label(key)}="{value}"' for key, _, value in (tag.strip('"').partition(":") for tag in tags) if value
        ]
        expression = _CHECKS[match[1]].replace("$m", ",".join(parts)).replace(",}", "}").replace("{}", "")
        translation.differs(f"{match[1]} became `{expression.split('{')[0].split(' ')[0]}`, over five minutes")
        alert = alert_name(names.alert(str(data.get("name") or "")), self._taken)
        if data.get("id") is not None:
            self._conditions[str(data["id"])] = expression
        return [self._rule(alert, expression, "critical", data, "", ["instance"], hold="5m")]

    def _rule(
        self,
        alert: str,
        expression: str,
        severity: str,
        data: Mapping[str, Any],
        threshold: str,
        groups: list[str],
        hold: str = "",
    ) -> dict[str, Any]:
        name = template(str(data.get("name") or alert), threshold, groups)
        message = template(str(data.get("message") or ""), threshold, groups)
        labels = {"severity": severity, "category": CATEGORY}
        team = self._team
        for tag in data.get("tags") or ():
            key, colon, value = str(tag).partition(":")
            if key == "team" and colon:
                team = names.slug(value, "team")
            elif (
                colon and names.label(key) not in labels and key not in ("env", "environment", "alertname", "severity")
            ):
                labels[names.label(key)] = plain(value)
        labels["team"] = team
        labels, annotations, _ = completed(name, labels, {"summary": name, "description": message or name}, team)
        return {
            "alert": alert,
            "expr": expression,
            **({"for": hold} if hold else {}),
            "labels": labels,
            "annotations": annotations,
        }

    def _composite(self, node: Node) -> None:
        report, data = self._bundle.report, node.value
        name, query = str(data.get("name") or node.place), str(data.get("query"))
        ids = re.findall(r"\d+", query)
        missing = [each for each in ids if each not in self._conditions]
        if missing or not ids:
            why = f"it is made of monitors that are not there or could not be carried over: {', '.join(missing)}"
            report.impossible(node, "monitor", name, why)
            return
        text = re.sub(r"!\s*(\d+)", r"absent(\1)", query)
        text = re.sub(r"\s*(&&|\|\|)\s*", lambda match: " and on () " if match[1] == "&&" else " or on () ", text)
        expression = re.sub(r"\d+", lambda match: f"({self._conditions[match[0]]})", text)
        if wrong := unreadable(expression):
            report.impossible(node, "monitor", name, f"its condition has no form in PromQL: {wrong}")
            return
        alert = alert_name(names.alert(name), self._taken)
        self._rules.append(self._rule(alert, expression, "critical", data, "", []))
        how = "its parts are compared as wholes, not group by group"
        report.judged(node, "monitor", name, [how, *lost_options(data)], f"is {alert}", whom_it_calls(data))


def _over_window(condition: Condition, translation: Translation) -> str:
    """What is compared with the threshold: the expression over the monitor's window."""
    window = _window(condition.window)
    counted = condition.aggregator == "sum" and "as_count" in str(condition.expression)
    if counted:
        translation.window = window
        return translation.expression(condition.expression)
    inner = translation.expression(condition.expression)
    functions = {"avg": "avg", "sum": "sum", "min": "min", "max": "max", "last": "last", "count": "count"}
    if condition.aggregator not in functions:
        raise CannotTranslate(f"{condition.aggregator}() over a window has none like it in PromQL")
    over = f"{functions[condition.aggregator]}_over_time(({inner})[{window}:1m])"
    if condition.aggregator == "sum":
        translation.differs("the sum is of one value a minute")
    if not condition.change:
        return over
    before = f"{functions[condition.aggregator]}_over_time(({inner})[{window}:1m] offset {_window(condition.shift)})"
    if condition.change == "change":
        return f"{over} - {before}"
    if condition.change == "pct_change":
        return f"100 * ({over} - {before}) / abs({before})"
    raise CannotTranslate(f"{condition.change}() has none like it in PromQL")


def _window(text: str) -> str:
    match = re.fullmatch(r"(?:last_)?(\d+)([smhdw])(?:_ago)?", text)
    if match is None:
        raise CannotTranslate(f"the window {text} has no fixed length")
    return f"{match[1]}{match[2]}"


def _wrapped(expression: str) -> str:
    return f"({expression})" if re.search(r"\) [-+*/] ", expression) else expression
