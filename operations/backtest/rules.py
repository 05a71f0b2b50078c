"""The rules of a stack, as its working tree plans them and as a revision of it did."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.catalogue import ROOT
from components.config import StackConfig
from components.config.base import seconds
from components.config.load import FOLDER, stack_path
from components.images import SUBSTITUTES
from components.promql import metrics_in
from components.spec import Plan
from operations.errors import CommandError
from operations.revisions import checked_out, commit_of
from operations.stored import rule_groups

Key = tuple[str, str, int]
"""An alert: the subject of its file, its name, and which of that name there."""
PATIENCE = 120
"""Seconds for an older revision to plan the stack."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule as Prometheus gets it; times in seconds."""

    name: str
    expression: str
    hold: float
    """The rule's `for`."""
    keep: float
    """Its `keep_firing_for`."""
    interval: float
    """Between two evaluations."""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule; `interval` in seconds."""

    expression: str
    labels: tuple[tuple[str, str], ...]
    interval: float


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one plan. Several rules may record one name, with different labels."""

    alerts: Mapping[Key, Alert]
    records: Mapping[str, tuple[Recording, ...]]

    def recorded_for(self, expression: str) -> frozenset[str]:
        """The names of everything recorded that an expression builds on, and what that builds on."""
        found: set[str] = set()
        waiting = [expression]
        while waiting:
            for name in metrics_in(waiting.pop()) & self.records.keys() - found:
                found.add(name)
                waiting += [record.expression for record in self.records[name]]
        return frozenset(found)

    def meaning(self, key: Key) -> tuple[Any, ...] | None:
        """What decides when an alert fires: equal for two rules that always fire together; None where there is none."""
        alert = self.alerts.get(key)
        if alert is None:
            return None
        below = sorted(self.recorded_for(alert.expression))
        return alert.expression, alert.hold, alert.keep, alert.interval, [(name, self.records[name]) for name in below]


def read_rules(groups: Iterable[tuple[str, Mapping[str, Any]]], interval: float) -> Rules:
    """From groups of rules with their subjects. `interval` is that of groups which name none, in seconds."""
    alerts: dict[Key, Alert] = {}
    records: dict[str, tuple[Recording, ...]] = {}
    for subject, group in groups:
        every = seconds(group["interval"]) if "interval" in group else interval
        for rule in group["rules"]:
            expression, labels = str(rule["expr"]).strip(), tuple(sorted((rule.get("labels") or {}).items()))
            if "record" in rule:
                name = rule["record"]
                records[name] = (*records.get(name, ()), Recording(expression, labels, every))
                continue
            number = sum(key[:2] == (subject, rule["alert"]) for key in alerts)
            hold, keep = (_duration(rule.get(key)) for key in ("for", "keep_firing_for"))
            alerts[subject, rule["alert"], number] = Alert(rule["alert"], expression, hold, keep, every, labels)
    return Rules(alerts, records)


def _duration(text: str | None) -> float:
    return 0.0 if text in (None, "0", 0) else seconds(str(text))


def planned_rules(config: StackConfig, plan: Plan) -> Rules:
    """The rules of the working tree."""
    return read_rules(rule_groups(plan), seconds(config.scrape.evaluation_interval or config.scrape.interval))


_PLANNER = """
import json, sys
from components.plan import plan_stack_file
from components.yaml_text import load
config, plan = plan_stack_file(sys.argv[1])
groups = [
    (file.path.removeprefix("rules/").removesuffix(".yaml"), group)
    for service in filter(None, map(plan.service, ("prometheus", "thanos-rule")))
    for file in service.files
    if file.path.startswith("rules/")
    for group in load(file.content)["groups"]
]
print(json.dumps([config.scrape.evaluation_interval or config.scrape.interval, groups]))
"""
"""Run by the code of the older revision itself: its rules may be rendered in another way."""


def rules_at(revision: str, stack: str) -> tuple[Rules, str]:
    """The rules of a git revision, and a remark where it does not have the stack file.

    Raises CommandError for a revision that git does not know, or that cannot plan the stack.
    """
    with checked_out(commit_of(revision, ROOT), ROOT) as folder:
        if SUBSTITUTES.is_file():  # or other services would be left out than in the working tree
            target = folder / SUBSTITUTES.relative_to(ROOT)
            target.parent.mkdir(exist_ok=True)
            shutil.copy(SUBSTITUTES, target)
        now, remark = stack_path(stack, FOLDER).resolve(), ""
        inside = now.relative_to(ROOT) if now.is_relative_to(ROOT) else None
        if inside is None or not (folder / inside).is_file():
            remark = f"{revision} has no {inside or now.name}: its rules are those for the stack file of now"
            then = now
        else:
            then = folder / inside
        answer = _run([sys.executable, "-c", _PLANNER, str(then)], folder)
    if answer.returncode:
        last = (answer.stderr.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
        raise CommandError(f"{revision} cannot plan {stack}: {last}", "name another revision with --base")
    interval, groups = json.loads(answer.stdout)
    return read_rules(groups, seconds(interval)), remark


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise CommandError(f"the revision did not plan its rules within {PATIENCE} s") from None
