"""Alert and recording rules before and after: what is new, gone, and looser or tighter by which value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.catalogue import all_alerts
from components.config.base import seconds
from components.promql import metrics_in
from components.yaml_text import load
from operations.report.alike import substitution
from operations.report.change import Change, listed
from operations.report.expressions import Number, changed_numbers
from operations.report.flat import NONE
from operations.report.snapshot import Snapshot

Rule = Mapping[str, Any]
SEVERITIES = ("none", "warning", "critical", "emergency")
_LOOSER, _TIGHTER = "looser-alerts", ""
_WORDS = ("summary", "description")


def rules_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every rule as it is deployed, with `every`, the interval of its group, where that has one."""
    evaluating = [found for name in ("prometheus", "thanos-rule") if (found := snapshot.programs.get(name))]
    return [
        {**rule, **({"every": group["interval"]} if "interval" in group else {})}
        for program in evaluating
        for path, text in sorted(program.files.items())
        if path.startswith("rules/")
        for group in load(text)["groups"]
        for rule in group["rules"]
    ]


def rule_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """All changes of alerts, then those of recording rules."""
    old, new = rules_of(before), rules_of(after)
    reworded: list[str] = []
    for name, mine, other in _pairs(old, new, "alert"):
        yield from _alert(name, mine, other)
        if mine and other and _message(mine) != _message(other) and not _explained(mine, other):
            reworded.append(name)
    if reworded:
        yield Change("alerts", listed(reworded, 3), "other words or links in the message")
    yield from _recorded(old, new)


def _pairs(old: Sequence[Rule], new: Sequence[Rule], kind: str) -> Iterator[tuple[str, Rule | None, Rule | None]]:
    """Rules of the same name beside each other; of several, those that are equal, then by their labels."""
    for name in dict.fromkeys(rule[kind] for rule in (*old, *new) if kind in rule):
        mine = [rule for rule in old if rule.get(kind) == name]
        others = [rule for rule in new if rule.get(kind) == name]
        alone = len(mine) == len(others) == 1
        several = [] if max(len(mine), len(others)) == 1 else [*mine, *others]
        for same in (_equal, _same_labels, _same_but_severity, *([_any] if alone else [])):
            for rule in list(mine):
                other = next((each for each in others if same(rule, each)), None)
                if other is not None:
                    mine.remove(rule)
                    others.remove(other)
                    if rule != other:
                        yield _called(name, other, several), rule, other
        yield from ((_called(name, rule, several), rule, None) for rule in mine)
        yield from ((_called(name, rule, several), None, rule) for rule in others)


def _equal(a: Rule, b: Rule) -> bool:
    return a == b


def _same_labels(a: Rule, b: Rule) -> bool:
    return a.get("labels") == b.get("labels")


def _same_but_severity(a: Rule, b: Rule) -> bool:
    mine, other = ({k: v for k, v in (rule.get("labels") or {}).items() if k != "severity"} for rule in (a, b))
    return mine == other


def _any(_a: Rule, _b: Rule) -> bool:
    return True


def _called(name: str, rule: Rule, several: Sequence[Rule]) -> str:
    """The name, with the labels that tell it from others of that name."""
    own = rule.get("labels") or {}
    differing = [str(own[key]) for key in own if len({str((r.get("labels") or {}).get(key)) for r in several}) > 1]
    return f"{name} ({', '.join(differing)})" if differing else name


def _alert(name: str, old: Rule | None, new: Rule | None) -> Iterator[Change]:
    if old is None or new is None:
        rule = new or old
        assert rule is not None
        shown = condition(rule)
        if old is None:
            yield Change("alerts", name, "added", "", shown)
        else:
            yield Change("alerts", name, "removed", shown, "", "fewer-alerts")
        return
    if old["expr"] != new["expr"]:
        yield from _expression(name, old, new)
    if old.get("for", "0s") != new.get("for", "0s"):
        longer = seconds(new.get("for", "0s")) > seconds(old.get("for", "0s"))
        yield _valued(name, "for", old.get("for", "0s"), new.get("for", "0s"), sooner=not longer)
    labels = [dict(rule.get("labels") or {}) for rule in (old, new)]
    before, after = (str(each.pop("severity", "none")) for each in labels)
    if before != after:
        known = {before, after} <= {*SEVERITIES}
        milder = SEVERITIES.index(after) < SEVERITIES.index(before) if known else None
        yield _valued(name, "severity", before, after, None if milder is None else not milder)
    for key in sorted(labels[0].keys() | labels[1].keys()):
        if labels[0].get(key) != labels[1].get(key):
            yield Change("alerts", name, f"label {key}", *(str(each.get(key, NONE)) for each in labels))
    for key in ("keep_firing_for", "every"):
        if old.get(key) != new.get(key):
            yield Change("alerts", name, key.replace("_", " "), *(str(each.get(key, NONE)) for each in (old, new)))


def condition(rule: Rule) -> str:
    """What a rule asks, how long, and how severe it is, in one line."""
    severity = (rule.get("labels") or {}).get("severity")
    parts = [" ".join(rule["expr"].split())]
    parts += [f"for {rule['for']}"] if "for" in rule else []
    return ", ".join([*parts, *([str(severity)] if severity else [])])


def _valued(name: str, value: str, before: str, after: str, sooner: bool | None) -> Change:
    if sooner is None:
        return Change("alerts", name, f"{value} changed", before, after, "changed-alerts")
    word = "tightened" if sooner else "loosened"
    return Change("alerts", name, f"{value} {word}", before, after, _TIGHTER if sooner else _LOOSER)


def _expression(name: str, old: Rule, new: Rule) -> Iterator[Change]:
    numbers = changed_numbers(old["expr"], new["expr"])
    if numbers is None:
        before, after = (" ".join(rule["expr"].split()) for rule in (old, new))
        if before != after:
            common = substitution(before, after)
            yield Change("alerts", name, "expression changed", before, after, "changed-alerts", common)
        return
    parameters = _parameters(old, new)
    told = set()
    for number in numbers:
        change = _number(name, number, parameters)
        if change not in told:
            told.add(change)
            yield change


def _number(name: str, number: Number, parameters: Mapping[tuple[str, str], tuple[str, str, str]]) -> Change:
    value, before, after = parameters.get((number.before, number.after), ("", number.before, number.after))
    return _valued(name, value or "number in the expression", before, after, number.sooner)


def _parameters(old: Rule, new: Rule) -> dict[tuple[str, str], tuple[str, str, str]]:
    """The parameters that differ, by their numbers before and after: name, and both as people read them.

    By the expression as the catalogue has it, with a name in place of each number that a stack may set.
    """
    file = all_alerts().get(new["alert"])
    template = next((rule["expr"] for rule in file.rules() if rule.get("alert") == new["alert"]), "") if file else ""
    before, after = (_placed(template, rule["expr"]) for rule in (old, new))
    found = {}
    for name, value in before.items():
        parameter = file.parameters.get(new["alert"], {}).get(name) if file else None
        if parameter and value != after.get(name, value):
            texts = [
                each if parameter.unit == "window" else parameter.in_words(float(each)) for each in (value, after[name])
            ]
            found[_plain(value), _plain(after[name])] = (name, texts[0], texts[1])
    return found


def _placed(template: str, expression: str) -> dict[str, str]:
    """What stands in an expression for each placeholder of its template; empty where they are not of one form."""
    seen: set[str] = set()

    def group(match: re.Match[str]) -> str:
        first = match[1] not in seen
        seen.add(match[1])
        return rf"(?P<{match[1]}>[\w.+-]+?)" if first else f"(?P={match[1]})"

    pattern = re.sub(r"\\\$\\\{(\w+)\\\}", group, re.escape(template))
    found = re.fullmatch(pattern, expression)
    return found.groupdict() if found else {}


def _plain(number: str) -> str:
    """As the parser writes it."""
    try:
        return f"{float(number):g}" if float(f"{float(number):g}") == float(number) else number
    except ValueError:
        return number


def _message(rule: Rule) -> dict[str, Any]:
    return dict(rule.get("annotations") or {})


def _explained(old: Rule, new: Rule) -> bool:
    """Whether a message differs for nothing but the numbers in it, of which its own line tells."""
    return (old["expr"], old.get("for")) != (new["expr"], new.get("for")) and all(
        re.sub(r"[\d.,]+\S*", "#", str(_message(old).get(key)))
        == re.sub(r"[\d.,]+\S*", "#", str(_message(new).get(key)))
        for key in _message(old).keys() | _message(new).keys()
    )


def _recorded(old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[Change]:
    readers: dict[str, list[str]] = {}
    for rule in new:
        for metric in metrics_in(rule["expr"]) if "alert" in rule else ():
            readers.setdefault(metric, []).append(rule["alert"])
    for name, mine, other in _pairs(old, new, "record"):
        read = readers.get((other or mine or {})["record"], [])
        where = f", read by {listed(dict.fromkeys(read), 3)}" if read else ""
        before, after = (" ".join(each["expr"].split()) if each else "" for each in (mine, other))
        if before == after:
            yield Change("recorded", name, f"labels or interval changed{where}")
        elif mine is None:
            yield Change("recorded", name, "added", "", after)
        elif other is None:
            yield Change("recorded", name, "removed", before, "")
        else:
            danger, common = "changed-alerts" if read else "", substitution(before, after)
            yield Change("recorded", name, f"changed{where}", before, after, danger, common)
