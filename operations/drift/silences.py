"""Silences that hold alerts back: whose they are, since when and until when, what they hide now and what they would."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.spec import Plan
from operations.checks.prometheus import planned_rules
from operations.drift.findings import Finding

_NAMED = 5


def planned_alerts(plan: Plan) -> list[dict[str, str]]:
    """The labels that are known of each planned alert before it fires."""
    return [
        {**{name: str(value) for name, value in (rule.get("labels") or {}).items()}, "alertname": rule["alert"]}
        for _, _, rule in planned_rules(plan)
        if "alert" in rule
    ]


def silence_findings(
    silences: Sequence[Mapping[str, Any]], alerts: Sequence[Mapping[str, Any]], planned: Sequence[Mapping[str, str]]
) -> Iterator[Finding]:
    """A finding for each silence that is active, or will be. `alerts` are those that Alertmanager holds now."""
    for silence in silences:
        state = silence["status"]["state"]
        if state == "expired":
            continue
        matchers = " ".join(map(_text, silence["matchers"]))
        now = sorted({each["labels"]["alertname"] for each in alerts if silence["id"] in each["status"]["silencedBy"]})
        could = [each["alertname"] for each in planned if all(_may_match(each, one) for one in silence["matchers"])]
        words = [f"{matchers}: by {silence.get('createdBy') or 'nobody'}"]
        words.append(f"{'since' if state == 'active' else 'from'} {_time(silence['startsAt'])}")
        words.append(f"until {_time(silence['endsAt'])}")
        if comment := silence.get("comment"):
            words.append(f'"{comment}"')
        words.append(f"hides now: {_listed(now)}")
        words.append(f"could hide {len(could)} of {len(planned)} alerts: {_listed(could)}")
        yield Finding("silences", str(silence["id"]), ", ".join(words[:3]) + "; " + "; ".join(words[3:]))


def _may_match(labels: Mapping[str, str], matcher: Mapping[str, Any]) -> bool:
    """Whether an alert of these labels can match. One that is only known when it fires, such as `instance`, can."""
    name = matcher["name"]
    if name not in labels or "{{" in labels[name]:
        return True
    value, wanted = labels[name], str(matcher["value"])
    try:
        with warnings.catch_warnings(action="error"):
            equal = bool(re.fullmatch(wanted, value)) if matcher.get("isRegex") else wanted == value
    except (re.error, FutureWarning):  # only Alertmanager can read it, such as [[:alpha:]]
        return True
    return equal is bool(matcher.get("isEqual", True))


def _text(matcher: Mapping[str, Any]) -> str:
    equal, regex = matcher.get("isEqual", True), matcher.get("isRegex")
    sign = ("=~" if regex else "=") if equal else ("!~" if regex else "!=")
    return f'{matcher["name"]}{sign}"{matcher["value"]}"'


def _time(text: str) -> str:
    return text[:16].replace("T", " ") + " UTC" if text.endswith("Z") else text


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) or "none") + more
