"""Which metrics something asks for: every rule and dashboard of the plan, and every rule that runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import promql_parser as promql

from components.promql import selectors
from components.spec import Plan
from operations import consistency
from operations.stored import panel_queries, rules

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ADDED = re.compile(r"up|scrape_.*|ALERTS.*")
"""What Prometheus itself adds to each scrape and each alert: no relabelling of a job reaches it."""


@dataclass(frozen=True, slots=True)
class Used:
    """Answers whether a metric is used. In doubt it is: a word that only looks like its name counts."""

    words: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]
    """Of selectors by a pattern of names; of `!=` and `!~` nothing can be said, so they match all."""

    def __contains__(self, metric: object) -> bool:
        name = str(metric)
        return (
            name in self.words
            or _ADDED.fullmatch(name) is not None
            or any(pattern.fullmatch(name) for pattern in self.patterns)
        )


def used_in(expressions: Iterable[str], texts: Iterable[str] = ()) -> Used:
    """By PromQL expressions, and by any words in further texts, such as whole dashboards."""
    words: set[str] = set()
    patterns: dict[str, None] = {}
    for expression in expressions:
        words |= {*_NAME.findall(expression)}
        patterns |= dict.fromkeys(_patterns(expression))
    for text in texts:
        words |= {*_NAME.findall(text)}
    return Used(frozenset(words), tuple(map(re.compile, patterns)))


def _patterns(expression: str) -> Iterable[str]:
    """Of each selector that names no metric: the pattern that its names match, or that of all."""
    for selector in selectors(expression):
        named = [matcher for matcher in selector.matchers.matchers if matcher.name == "__name__"]
        if selector.name or any(matcher.op == promql.MatchOp.Equal for matcher in named):
            continue
        wanted = [matcher.value for matcher in named if matcher.op == promql.MatchOp.Re]
        # Without a word about names, as in {job="shop"}, it asks for every metric.
        yield wanted[0] if wanted and _compiles(wanted[0]) else ".*"


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def used_by(plan: Plan, running: Iterable[str]) -> Used:
    """By the plan's rules and dashboards, objectives and variables of dashboards among them, and by running rules."""
    planned = [rule["expr"] for _, rule in rules(plan)]
    queries = [expression for _, _, expression in panel_queries(plan)]
    matches = [
        match for job in consistency.scrape_jobs(plan) for match in (job.get("params") or {}).get("match[]") or ()
    ]
    grafana = consistency.grafana_of(plan)
    boards = consistency.dashboards(grafana).values() if grafana else ()
    return used_in([*planned, *queries, *matches, *running], boards)


def recorded_by(plan: Plan) -> frozenset[str]:
    """What rules record: no scrape job brings it."""
    return frozenset(rule["record"] for _, rule in rules(plan) if "record" in rule)
