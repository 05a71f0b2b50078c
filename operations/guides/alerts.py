"""docs/guide/alerts.md, made from the catalogue: every alert with its numbers, page, dashboard and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import dashboards
from components.catalogue import (
    CLUSTER,
    DERIVED,
    EXPOSED,
    FEDERATION,
    METRICS,
    ROOT,
    SENDING,
    RuleFile,
    rule_file,
    rule_subjects,
)
from components.rules import settled_groups
from components.yaml_text import load
from operations.guides.page import keep_current

GUIDE_FILE = ROOT / "docs" / "guide" / "alerts.md"

INTRO = """\
# Alerts

<!-- Made from rules/ by `./observatory schema`; change the rules, or operations/guides/alerts.py. -->

{alerts} alerts and {records} recording rules in {files} files. Each alert has a runbook, a dashboard and a unit test
that shows when it fires and when it stays quiet; `make mutants` shows that the tests would notice a wrong operator,
threshold, window, label, aggregation or duration.

A rule is part of a stack when every metric it asks for is there: exposed by a product of the stack, or declared by a
service (`exposes` and `metrics` in the [stack file](stack-file.md#services)). So no rule waits for what never comes.

Every number can be another in a stack, and every alert can be off:

```yaml
alerts:
  APIHighErrorRate: {{threshold: 2%, for: 10m, severity: warning}}
  HighRequestRate: off
```

Severities: `warning` is to be looked at in working hours, `critical` at once, `emergency` wakes somebody up because
data is being lost. Routes go by them, by team, and by category:
{categories}.
"""


def guide_text() -> str:
    """The whole page."""
    files = [file for subject in ordered_subjects() if (file := rule_file(subject))]
    rules = [rule for file in files for rule in file.rules()]
    alerts = [rule for rule in rules if "alert" in rule]
    categories = sorted({rule["labels"]["category"] for rule in alerts})
    lines = [
        INTRO.format(
            alerts=len(alerts),
            records=len(rules) - len(alerts),
            files=len(files),
            categories=", ".join(f"`{category}`" for category in categories),
        )
    ]
    for file in files:
        lines += [f"## {file.subject}", "", _about(file.subject), "", *_table(file), "", *_recorded(file)]
    return "\n".join(lines).rstrip() + "\n"


def guide_command(check: bool) -> int:
    """Write the page; with `check` only say whether it is current."""
    return keep_current(GUIDE_FILE, guide_text(), check)


def ordered_subjects() -> list[str]:
    """What services expose and promise first, for that is what a reader comes for; then the products."""
    subjects = rule_subjects()
    first = [subject for subject in (*DERIVED, *EXPOSED) if subject in subjects]
    return [*first, *(subject for subject in subjects if subject not in first)]


def _about(subject: str) -> str:
    path = METRICS / f"{subject}.yaml"
    if path.is_file():
        about = str(load(path.read_text(encoding="utf-8"))["about"]).strip()
        return f"{about} On when a service declares the metrics: `exposes: [{subject}]`."
    if subject == "slo":
        return "What services promise. On when a service has `objectives`."
    if subject == "services":
        return "Every monitored service. On when the stack has one."
    if subject == FEDERATION:
        return "Regions under a global Prometheus. On when the stack file has a `federation`."
    if subject in CLUSTER:
        return "On when the stack is on Kubernetes and watches this part of the cluster (`kubernetes.monitor`)."
    if subject == SENDING:
        return "On when the stack keeps its samples in VictoriaMetrics or Cortex (`storage`)."
    return "On when the product is deployed."


def _table(file: RuleFile) -> list[str]:
    settled = {rule.get("alert"): rule for group in settled_groups(file, {}) for rule in group["rules"]}
    columns = ("Alert", "Means", "Parameters", "For", "Severity", "Category", "Dashboard", "Tests")
    rows = ["| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|"]
    tested = _tested(file.subject)
    for rule in file.rules():
        if "alert" not in rule:
            continue
        name = rule["alert"]
        labels = rule["labels"]
        cells = (
            f"[{name}](../../runbooks/{name}.md)",
            plain_summary(settled[name]),
            _numbers(file, name),
            rule.get("for", "at once"),
            labels["severity"],
            labels["category"],
            _titles()[rule["annotations"]["dashboard"]],
            f"[{tested[name][0]} firing, {tested[name][1]} quiet](../../tests/rules/{file.subject}.yaml)",
        )
        rows.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return [*rows, "", f"Rules: [rules/{file.subject}.yaml](../../rules/{file.subject}.yaml)."]


def _tested(subject: str) -> dict[str, tuple[int, int]]:
    """Alert to the number of moments at which its unit tests expect it to fire, and to be quiet."""
    content = load((ROOT / "tests" / "rules" / f"{subject}.yaml").read_text(encoding="utf-8"))
    moments = [each for test in content["tests"] for each in test.get("alert_rule_test") or ()]
    firing = Counter(each["alertname"] for each in moments if each.get("exp_alerts"))
    quiet = Counter(each["alertname"] for each in moments if not each.get("exp_alerts"))
    return {name: (firing[name], quiet[name]) for name in {*firing, *quiet}}


def _numbers(file: RuleFile, alert: str) -> str:
    """The alert's parameters with what they are by default, and what they mean."""
    parameters = file.parameters.get(alert, {})
    return "<br>".join(f"`{name}: {each.in_words(each.default)}` {each.meaning}" for name, each in parameters.items())


def plain_summary(rule: Mapping[str, Any]) -> str:
    """An alert's summary with its labels as placeholders: `{{ $labels.job }}` becomes <job>."""
    text: str = rule["annotations"]["summary"]
    while "{{" in text:
        before, _, rest = text.partition("{{")
        inside, _, after = rest.partition("}}")
        text = f"{before}&lt;{inside.strip().split('$labels.')[-1].split()[0].strip(')')}&gt;{after}"
    return text


def _titles() -> dict[str, str]:
    boards = [dashboards.load(name) for name in dashboards.CATALOGUE]
    return {board.UID: board.TITLE for board in boards}


def _recorded(file: RuleFile) -> list[str]:
    names: list[Any] = list(dict.fromkeys(rule["record"] for rule in file.rules() if "record" in rule))
    return ["Recorded: " + ", ".join(f"`{name}`" for name in names) + ".", ""] if names else []
