"""The files of a drill's Prometheus: the stack's recording rules, one alert marked as a drill, and its feed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.services.alertmanager_routes import DRILL
from components.services.prometheus import NAME
from components.spec import Plan
from components.yaml_text import dump, load
from operations.drill.feeds import Feed
from operations.stored import rule_groups

LABEL = DRILL
"""Its value tells drills apart, so that none is taken for the one before it."""
FOR = "2s"
"""Instead of an alert's own patience: the condition is older than that in the history that is fed."""
INTERVAL = "1s"


@dataclass(frozen=True, slots=True)
class Drilled:
    """One alert to be drilled. `planned` are its rules as they are deployed."""

    alert: str
    identity: str
    planned: tuple[Mapping[str, Any], ...]
    feed: Feed

    @property
    def shortened(self) -> str:
        """How its times differ from the planned ones, for people; empty where they do not."""
        told = sorted(
            {f"{key}: {rule[key]}" for rule in self.planned for key in ("for", "keep_firing_for") if key in rule}
        )
        return f"{', '.join(told)} shortened to {FOR}" if told else ""

    def copies(self, deadline: float) -> list[dict[str, Any]]:
        """Its rules, marked, and quiet from the deadline on (seconds since 1970): a drill that was killed ends, too."""
        return [self._copy(rule, deadline) for rule in self.planned]

    def _copy(self, rule: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        annotations = dict(rule.get("annotations") or {})
        annotations["summary"] = f"DRILL: {annotations.get('summary', self.alert)}"
        annotations["description"] = (
            f"This is a drill: nothing is wrong, and its numbers are made up. {annotations.get('description', '')}"
        ).strip()
        return {
            "alert": self.alert,
            "expr": f"({rule['expr']}) and on () (vector(time()) < {deadline:.0f})",
            "for": FOR,
            "labels": {**(rule.get("labels") or {}), LABEL: self.identity},
            "annotations": annotations,
        }


def drillable(plan: Plan, known: Mapping[str, Feed], identity: str) -> dict[str, Drilled]:
    """The planned alerts of which a unit test has series with which they fire."""
    planned: dict[str, list[Mapping[str, Any]]] = {}
    for _, group in rule_groups(plan):
        for rule in group["rules"]:
            if rule.get("alert") in known:
                planned.setdefault(rule["alert"], []).append(rule)
    return {alert: Drilled(alert, identity, tuple(rules), known[alert]) for alert, rules in sorted(planned.items())}


def recordings(plan: Plan) -> list[dict[str, Any]]:
    """The groups of the stack's recording rules, without alerts, evaluated every second."""
    found = []
    for file, group in rule_groups(plan):
        if rules := [rule for rule in group["rules"] if "record" in rule]:
            found.append({**group, "name": f"{file}: {group['name']}", "interval": INTERVAL, "rules": rules})
    return found


def rules_file(drilled: Drilled, now: float, deadline: float, plan: Plan) -> str:
    """All rules: the feed, what is recorded from it, and then the alert."""
    feed = [
        {**each, "expr": f"({each['expr']}) and on () (vector(time()) < {deadline:.0f})"}
        for each in drilled.feed.lines(now)
    ]
    groups = [{"name": "feed", "interval": INTERVAL, "rules": feed}] if feed else []
    alert = {"name": "alert", "interval": INTERVAL, "rules": drilled.copies(deadline)}
    return dump({"groups": [*groups, *recordings(plan), alert]})


def configuration(plan: Plan, rules: str) -> str:
    """Prometheus' configuration: nothing is scraped, and alerts go where those of the stack go."""
    service = plan.service(NAME)
    planned = next(load(file.content) for file in service.files if file.path == "prometheus.yml") if service else {}
    return dump(
        {
            "global": {"evaluation_interval": INTERVAL, "external_labels": planned["global"]["external_labels"]},
            "rule_files": [rules],
            "alerting": planned["alerting"],
        }
    )
