"""Rule groups in Prometheus' format: kept as they are, completed by what messages and routes go by here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import promql_parser as promql

from components.config.base import is_duration
from operations import programs
from operations.migrate import names
from operations.migrate.output import Bundle, alert_name, attempt
from operations.migrate.report import Node

_KEPT = ("interval", "limit", "query_offset", "labels")
_RULE = ("expr", "for", "keep_firing_for", "labels", "annotations")
CATEGORY, TEAM, SEVERITY = "migrated", "platform", "warning"


def unreadable(expression: str) -> str:
    """Why Prometheus could not read an expression; empty where it can.

    The parser may be older than Prometheus, so promtool has the last word where it is there.
    """
    try:
        promql.parse(expression)
    except ValueError as error:
        first = str(error).strip().splitlines() or ["it is empty"]
        promtool = programs.find("promtool")
        if promtool and expression.strip() and not expression.startswith("-"):
            answer = programs.run(promtool, ("--experimental", "promql", "format", expression), promtool.parent)
            return "" if answer.code == 0 else first[0]
        return first[0]
    return ""


def migrate_rules(bundle: Bundle, groups: Node, file: str, taken: set[str], team: str = TEAM) -> None:
    """All groups of a rule file, each rule one item; `taken` are names of alerts so far."""
    seen: set[tuple[str, str]] = set()
    for group in groups.items():
        attempt(bundle, group, "rule group", partial(_group, bundle, group, file, taken, team, seen))


def _group(bundle: Bundle, group: Node, file: str, taken: set[str], team: str, seen: set[tuple[str, str]]) -> None:
    name = group.value.get("name") if isinstance(group.value, dict) else None
    rules = group.get("rules")
    if not isinstance(name, str) or rules is None or not isinstance(rules.value, list):
        bundle.report.impossible(group, "rule group", group.place, "it has no name or no rules")
        return
    kept: dict[str, Any] = {"name": name}
    kept |= {key: group.value[key] for key in _KEPT if group.value.get(key) is not None}
    found: list[dict[str, Any]] = []
    second: list[dict[str, Any]] = []
    for rule in rules.items():
        made = _rule(bundle, rule, taken, team)
        if made is None:
            continue
        identity = (made.get("record", made.get("alert", "")), repr(sorted(made.get("labels", {}).items())))
        # promtool refuses two rules of one name and the same labels in one file, not in two.
        (second if identity in seen else found).append(made)
        seen.add(identity)
    bundle.report.carried(group, "rule group", name, keys=("name", *_KEPT))
    bundle.report.rest(group, "Prometheus knows no such key of a group")
    if found:
        bundle.add_rules(file, kept | {"rules": found})
    for number, twin in enumerate(second, 2):
        bundle.add_rules(f"{file}-{number}", kept | {"rules": [twin]})


def _rule(bundle: Bundle, node: Node, taken: set[str], team: str) -> dict[str, Any] | None:
    """One rule as it goes into the file; None where it cannot."""
    report, rule = bundle.report, node.value
    if not isinstance(rule, dict) or not ({"alert", "record"} & {*rule}):
        report.impossible(node, "rule", node.place, "it is neither an alert nor a recording rule")
        return None
    kind, key = ("alert", "alert") if "alert" in rule else ("recording rule", "record")
    name, expression = str(rule[key]), str(rule.get("expr", ""))
    if why := unreadable(expression) or _bad_duration(rule):
        report.impossible(node, kind, name, why, "correct the rule, then add it to the rule file")
        return None
    made: dict[str, Any] = {key: name, "expr": expression}
    made |= {each: str(rule[each]) for each in ("for", "keep_firing_for") if rule.get(each)}
    labels = {names.label(str(label)): _text(value) for label, value in _pairs(rule.get("labels"))}
    annotations = {names.label(str(label)): _text(value) for label, value in _pairs(rule.get("annotations"))}
    added: list[str] = []
    differences: list[str] = []
    if kind == "alert":
        made["alert"] = alert_name(names.metric(name), {each for each in taken if each != name})
        taken.add(made["alert"])
        if made["alert"] != name:
            differences.append(f"is called {made['alert']}: the product has an alert {name} of its own")
        labels, annotations, added = completed(name, labels, annotations, team)
    made |= {"labels": labels} if labels else {}
    made |= {"annotations": annotations} if annotations else {}
    detail = f"added: {', '.join(added)}" if added else ""
    report.judged(node, kind, name, differences, detail, keys=(key, *_RULE))
    report.rest(node, "Prometheus knows no such key of a rule")
    return made


def completed(
    name: str, labels: Mapping[str, str], annotations: Mapping[str, str], team: str = TEAM
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Labels and annotations with all that routes and messages go by, and what was added to have that."""
    added = []
    found, told = dict(labels), dict(annotations)
    for label, value in (("severity", SEVERITY), ("category", CATEGORY), ("team", team)):
        if not found.get(label):
            found[label] = value
            added.append(f"{label}: {value}")
    text = told.get("description") or told.get("message") or told.get("summary") or name
    for annotation, value in (("summary", told.get("message") or name), ("description", text)):
        if not told.get(annotation):
            told[annotation] = value
            added.append(annotation)
    return found, told, added


def _pairs(table: Any) -> list[tuple[Any, Any]]:
    return list(table.items()) if isinstance(table, Mapping) else []


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)


def _bad_duration(rule: Mapping[str, Any]) -> str:
    wrong = [key for key in ("for", "keep_firing_for") if rule.get(key) and not is_duration(str(rule[key]))]
    return f"`{wrong[0]}: {rule[wrong[0]]}` is no duration" if wrong else ""
