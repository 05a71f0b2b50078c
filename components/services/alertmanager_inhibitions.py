"""Which alerts silence which: a worse one the milder ones about the same thing.

Pairs of alerts with different names stand in the rule files, beside the rules that they are about:

    inhibits:
      - {source: DiskSpaceCritical, target: DiskSpaceLow, equal: [instance, device]}

`target` may be a list. Every stack has all pairs: one whose alerts are not evaluated does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.catalogue import rule_file, rule_subjects
from components.services.alertmanager_routes import DRILL

SAME_THING = ("alertname", "service", "instance")
"""Labels that are equal on the alerts of one name about one thing."""


def catalogue_pairs() -> list[dict[str, Any]]:
    """The pairs of all rule files."""
    files = [file for subject in rule_subjects() if (file := rule_file(subject))]
    return [pair for file in files for pair in file.inhibits]


def inhibit_rules(pairs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rules by severity, then those of the `pairs` of the rule files."""
    rules = [
        _rule(f'severity="{worse}"', f'severity=~"{milder}"', SAME_THING)
        for worse, milder in (("emergency", "critical|warning"), ("critical", "warning"))
    ]
    for pair in pairs:
        # Alertmanager takes labels that both alerts lack for equal, which would silence what is unrelated. So the
        # silenced one has to have them, and by that the other, too.
        present = [f'{label}!=""' for label in pair["equal"]]
        targets = targets_of(pair)
        names = f'alertname="{targets[0]}"' if len(targets) == 1 else f'alertname=~"{"|".join(targets)}"'
        rules.append(_rule(f'alertname="{pair["source"]}"', names, pair["equal"], present))
    return rules


def targets_of(pair: Mapping[str, Any]) -> list[str]:
    """Names of the alerts that a pair silences."""
    target = pair["target"]
    return [target] if isinstance(target, str) else list(target)


def _rule(source: str, target: str, equal: Iterable[str], present: Iterable[str] = ()) -> dict[str, Any]:
    """A drilled alert silences nothing: what it is about is made up."""
    source_matchers = [source, f'{DRILL}=""']
    return {"source_matchers": source_matchers, "target_matchers": [target, *present], "equal": list(equal)}
