"""CloudWatch's alarms as alert rules, on the metrics that YACE exposes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.config.base import duration_text
from operations.migrate import names
from operations.migrate.cloudwatch.expressions import CannotSay, math, rule
from operations.migrate.cloudwatch.naming import Metric
from operations.migrate.output import Bundle, alert_name
from operations.migrate.report import Node
from operations.migrate.rules import CATEGORY, SEVERITY, unreadable

_COMPARE = {
    "GreaterThanOrEqualToThreshold": ">=",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}
GROUP = "cloudwatch-alarms"


class Alarms:
    """All alarms of a migration; the composite ones come last, as they name others."""

    def __init__(self, bundle: Bundle, team: str) -> None:
        self._bundle, self._team = bundle, names.slug(team, "team")
        self._taken: set[str] = set()
        self._conditions: dict[str, str] = {}
        self._rules: list[dict[str, Any]] = []
        self.metrics: list[Metric] = []
        """Every metric that some alarm asks for."""

    def add(self, root: Node) -> None:
        """The answer of DescribeAlarms: `MetricAlarms` and `CompositeAlarms`."""
        for key, read in (("MetricAlarms", self._metric_alarm), ("CompositeAlarms", self._composite)):
            found = root.get(key)
            for each in found.items() if found else ():
                name = str(each.value.get("AlarmName") or each.place) if isinstance(each.value, dict) else each.place
                try:
                    read(each, name)
                except (CannotSay, TypeError, ValueError, AttributeError) as error:
                    why = str(error) if isinstance(error, CannotSay) else "it is not as CloudWatch describes alarms"
                    self._bundle.report.impossible(each, "alarm", name, why, "write the rule by hand")
        self._bundle.report.rest(root, "is no alarm")
        if self._rules:
            self._bundle.add_rules(GROUP, {"name": GROUP, "rules": self._rules})

    def _metric_alarm(self, node: Node, name: str) -> None:
        data = node.value
        compare = _COMPARE.get(str(data.get("ComparisonOperator")))
        if compare is None or data.get("Threshold") is None:
            raise CannotSay("it compares with a band of what is usual, which no rule learns")
        differences: list[str] = []
        asked: list[Metric] = []
        expression, period = _asked(data, asked)
        condition = f"{expression} {compare} {float(data['Threshold']):g}"
        wanted = int(data.get("EvaluationPeriods") or 1)
        enough = int(data.get("DatapointsToAlarm") or wanted)
        hold = ""
        if enough < wanted:
            counted = f"{expression} {compare} bool {float(data['Threshold']):g}"
            condition = f"sum_over_time(({counted})[{duration_text(wanted * period)}:{period}s]) >= {enough}"
        elif wanted > 1:
            hold = duration_text((wanted - 1) * period)
        missing = str(data.get("TreatMissingData") or "missing")
        if missing == "breaching":
            condition = f"({condition}) or absent({expression})"
        elif missing == "ignore":
            differences.append("missing data ends the alert; it was to be ignored")
        elif missing == "missing":
            differences.append("missing data is not told")
        if wrong := unreadable(condition):
            raise CannotSay(f"its condition has no form in PromQL: {wrong}")
        alert = self._alert(name, condition, data, hold)
        self._conditions[name] = condition
        self.metrics += asked
        differences.append(f"asks {', '.join(sorted({each.series for each in asked}))}, as YACE names it")
        differences += _actions(data)
        self._bundle.report.approximated(node, "alarm", name, "; ".join(differences), _todo(data))
        self._rules.append(alert)

    def _composite(self, node: Node, name: str) -> None:
        expression, differences = rule(str(node.value.get("AlarmRule") or ""), self._conditions)
        if wrong := unreadable(expression):
            raise CannotSay(f"its rule has no form in PromQL: {wrong}")
        if node.value.get("ActionsSuppressor"):
            differences.append("its suppressor is left out: that is an inhibition, or a silence")
        differences.append("its parts count as soon as their conditions hold, without waiting")
        self._conditions[name] = expression
        self._rules.append(self._alert(name, expression, node.value, ""))
        self._bundle.report.approximated(
            node, "alarm", name, "; ".join([*differences, *_actions(node.value)]), _todo(node.value)
        )

    def _alert(self, name: str, expression: str, data: Mapping[str, Any], hold: str) -> dict[str, Any]:
        text = str(data.get("AlarmDescription") or name).replace("{{", "(").replace("}}", ")")
        summary = name.replace("{{", "(").replace("}}", ")")
        return {
            "alert": alert_name(names.alert(name), self._taken),
            "expr": expression,
            **({"for": hold} if hold else {}),
            "labels": {"severity": SEVERITY, "category": CATEGORY, "team": self._team},
            "annotations": {"summary": summary, "description": f"{text} The value is {{{{ $value }}}}."},
        }


def _asked(data: Mapping[str, Any], asked: list[Metric]) -> tuple[str, int]:
    """The expression that is compared, and its period in seconds; adds the metrics in it to `asked`."""
    if data.get("MetricName"):
        statistic = str(data.get("ExtendedStatistic") or data.get("Statistic") or "Average")
        metric = Metric.of(data, statistic, data.get("Period"))
        asked.append(metric)
        return metric.selector, metric.period
    parts = {str(each.get("Id")): each for each in data.get("Metrics") or ()}
    returned = [key for key, each in parts.items() if each.get("ReturnData", True)]
    if len(returned) != 1:
        raise CannotSay("it has no single metric that is compared")
    statistics = [each["MetricStat"] for each in parts.values() if each.get("MetricStat")]
    period = int(max([*(stat.get("Period") or 0 for stat in statistics), data.get("Period") or 0], default=0) or 300)

    def named(key: str, above: tuple[str, ...] = ()) -> str:
        part = parts.get(key)
        if key.upper() in ("REPEAT", "LINEAR") and part is None:
            return key
        if part is None or key in above:
            raise CannotSay(f"it names {key}, which is no metric of it")
        if stat := part.get("MetricStat"):
            metric = Metric.of(stat["Metric"], str(stat.get("Stat")), stat.get("Period"))
            asked.append(metric)
            return f"sum({metric.selector})"  # without labels, or two metrics would find no partner
        text = str(part.get("Expression") or "")
        if text.lstrip().upper().startswith(("SELECT", "SEARCH", "ANOMALY_DETECTION_BAND")):
            raise CannotSay(f"{text.split('(', maxsplit=1)[0].split(maxsplit=1)[0]} has none like it in PromQL")
        return math(text, lambda other: named(other, (*above, key)), everything, period)

    def everything(text: str) -> list[str]:
        return [named(key) for key, part in parts.items() if part.get("MetricStat") and text in key]

    return named(returned[0]), period


def _todo(data: Mapping[str, Any]) -> str:
    topics = [str(arn).rpartition(":")[2] for arn in data.get("AlarmActions") or () if ":sns:" in str(arn)]
    return f"route it to whom {', '.join(topics)} called" if topics else ""


def _actions(data: Mapping[str, Any]) -> list[str]:
    """What CloudWatch did besides telling somebody."""
    found = [
        str(arn) for key in ("AlarmActions", "OKActions") for arn in data.get(key) or () if ":sns:" not in str(arn)
    ]
    differences = [f"does nothing itself: {arn} is left out" for arn in dict.fromkeys(found)]
    if data.get("InsufficientDataActions"):
        differences.append("nobody is called for missing data")
    if data.get("ActionsEnabled") is False:
        differences.append("its actions were switched off, and the rule is on: silence it, or remove it")
    return differences
