"""The rules of a stack, as its working tree plans them and as a revision of it did."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
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
from operations.errors import CommandError, UsageError
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
    for file in plan.service("prometheus").files
    if file.path.startswith("rules/")
    for group in load(file.content)["groups"]
]
print(json.dumps([config.scrape.evaluation_interval or config.scrape.interval, groups]))
"""
"""Run by the code of the older revision itself: its rules may be rendered in another way."""


def rules_at(revision: str, stack: str) -> tuple[Rules, str]:
    """The rules of a git revision, and a remark where it does not have the stack file.

    Raises UsageError for a revision that is none, CommandError where it cannot plan the stack.
    """
    with tempfile.TemporaryDirectory(prefix="observatory-base-") as name:
        folder = Path(name)
        _check_out(revision, folder)
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


def _check_out(revision: str, folder: Path) -> None:
    """The files of a revision, without touching the working tree or the index."""
    if (
        revision.startswith("-")
        or _run(["git", "rev-parse", "--verify", "-q", f"{revision}^{{commit}}"], ROOT).returncode
    ):
        raise UsageError(f"--base {revision} is no revision of this repository", "such as HEAD, main or a tag")
    archive = _run(["git", "archive", "--format=tar", revision], ROOT)
    if archive.returncode:
        raise CommandError(f"git archive {revision} failed: {archive.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter=_inside)  # noqa: S202 - the filter lets nothing out of the folder


def _inside(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """What stays in the folder; a link that leads out of it is left out."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=PATIENCE, check=False)
    except FileNotFoundError:
        raise CommandError(f"{command[0]} is not on this machine", "it reads the older revision") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"{command[0]} did not end within {PATIENCE} s") from None
