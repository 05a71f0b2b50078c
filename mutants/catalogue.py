"""All mutants of a subject's rules, and the part of its unit tests that concerns each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from components.catalogue import rule_file
from components.promql import metrics_in
from components.rules import settled_groups
from components.yaml_text import load
from mutants.expressions import delays, mutations

Rule = dict[str, Any]
_DELAYS = ("for", "keep_firing_for")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule with one change. `before` and `after` are what was changed: an expression, or a delay."""

    subject: str
    place: tuple[int, int]
    """Group and rule in the file: names need not be unique."""
    rule: str
    change: str
    before: str
    after: str
    changed: Rule


class SubjectRules:
    """The rules of one subject with default numbers, and their unit tests."""

    def __init__(self, subject: str, tests: Path) -> None:
        """`tests` is the promtool file of the subject."""
        file = rule_file(subject)
        if file is None:
            raise ValueError(f"no rules for {subject}")
        self.subject = subject
        self.parameters = file.parameters
        self.groups = settled_groups(file, {})
        self.tests = load(tests.read_text(encoding="utf-8")) if tests.is_file() else {"tests": []}

    @cached_property
    def rules(self) -> dict[tuple[int, int], Rule]:
        """Every rule by its place."""
        return {(g, r): rule for g, group in enumerate(self.groups) for r, rule in enumerate(group["rules"])}

    def mutants(self) -> Iterator[Mutant]:
        """Every changed rule, in the order of the file."""
        for place, rule in self.rules.items():
            name = name_of(rule)
            for mutation in mutations(rule["expr"], self._units(name)):
                changed = rule | {"expr": mutation.text}
                yield Mutant(self.subject, place, name, mutation.change, rule["expr"], mutation.text, changed)
            for key in _DELAYS:
                for change, delay in delays(rule.get(key)):
                    changed = {k: v for k, v in rule.items() if k != key} | ({key: delay} if delay else {})
                    told = change.replace("for", key, 1)
                    yield Mutant(self.subject, place, name, told, rule[key], delay or "none", changed)

    def _units(self, name: str) -> Mapping[float, str]:
        parameters = self.parameters.get(name, {}).values()
        return {each.default: each.unit for each in parameters if isinstance(each.default, float)}

    def trial(self, place: tuple[int, int], changed: Rule | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The rules with one of them changed, and the tests: only what this rule can have an effect on."""
        concerned = self._downstream(place)
        wanted = concerned | self._upstream(concerned)
        rules = self.rules | ({place: changed} if changed else {})
        groups = [
            group | {"rules": [rules[g, r] for r in range(len(group["rules"])) if (g, r) in wanted]}
            for g, group in enumerate(self.groups)
        ]
        names = {name_of(self.rules[each]) for each in concerned}
        tests = [cut for test in self.tests["tests"] if (cut := _concerning(test, names))]
        return {"groups": [group for group in groups if group["rules"]]}, self.tests | {"tests": tests}

    def _downstream(self, place: tuple[int, int]) -> set[tuple[int, int]]:
        """The rule and all that ask for what it records."""
        found = {place}
        while more := {p for p, rule in self.rules.items() if metrics_in(rule["expr"]) & self._records(found)} - found:
            found |= more
        return found

    def _upstream(self, places: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
        """All rules whose records these ask for."""
        found = set(places)
        while (
            more := {
                place
                for place, rule in self.rules.items()
                if rule.get("record") in frozenset().union(*(metrics_in(self.rules[p]["expr"]) for p in found))
            }
            - found
        ):
            found |= more
        return found

    def _records(self, places: Iterable[tuple[int, int]]) -> frozenset[str]:
        return frozenset(self.rules[place]["record"] for place in places if "record" in self.rules[place])


def name_of(rule: Rule) -> str:
    """The alert's name, or that of the series that it records."""
    return str(rule.get("alert") or rule["record"])


def _concerning(test: dict[str, Any], names: set[str]) -> dict[str, Any] | None:
    """A test group with only what it says of these rules; None when it says nothing of them."""
    cut = test | {
        "alert_rule_test": [each for each in test.get("alert_rule_test", ()) if each["alertname"] in names],
        "promql_expr_test": [
            each for each in test.get("promql_expr_test", ()) if metrics_in(each["expr"]) & {"ALERTS", *names}
        ],
    }
    return cut if cut["alert_rule_test"] or cut["promql_expr_test"] else None
