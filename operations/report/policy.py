"""Broken rules of the policy across stacks, as lines of a report."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from operations.policies.check import Plans, judgements
from operations.report.change import Change


def policy_changes(stack_file: Path, today: date, plans: Plans) -> list[Change]:
    """What is broken by the working tree, whether it was before or not: a policy does not wait for a change."""
    return [
        Change(
            "policy",
            finding.id,
            f"{finding.rule.stack} is weaker than {finding.rule.not_weaker_than}"
            + (f"; its exception ended on {finding.ended.until}" if finding.ended else ""),
            f"{finding.rule.not_weaker_than}: {finding.weakness.other}",
            f"{finding.rule.stack}: {finding.weakness.own}",
            "policy",
        )
        for judgement in judgements([stack_file], today, plans)
        for finding in judgement.broken
    ]
