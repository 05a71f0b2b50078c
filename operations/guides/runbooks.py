"""runbooks/README.md: the pages of all alerts, by what they are about."""

from __future__ import annotations

from components.catalogue import ROOT, rule_file
from components.rules import settled_groups
from operations.guides.alerts import ordered_subjects, plain_summary
from operations.guides.page import keep_current

GUIDE_FILE = ROOT / "runbooks" / "README.md"

INTRO = """\
# Runbooks

<!-- Made from rules/ by `./observatory schema`; change the rules, or operations/guides/runbooks.py. -->

One page for each alert: what it means, what it does to users, how to check, how to mend it. Alerts link to their page
where `alerting.runbooks_url` in the stack file says where this folder is published. Their numbers stand in
[Alerts](../docs/guide/alerts.md).
"""


def guide_text() -> str:
    """The whole page."""
    parts = [INTRO]
    for subject in ordered_subjects():
        file = rule_file(subject)
        if not file:
            continue
        rules = [rule for group in settled_groups(file, {}) for rule in group["rules"] if "alert" in rule]
        lines = [f"- [{rule['alert']}]({rule['alert']}.md): {plain_summary(rule)}" for rule in rules]
        if lines:
            parts.append("\n".join((f"## {subject}", "", *lines, "")))
    return "\n".join(parts)


def guide_command(check: bool) -> int:
    """Write the page; with `check` only say whether it is current."""
    return keep_current(GUIDE_FILE, guide_text(), check)
