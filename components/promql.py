"""What a PromQL expression asks for."""

from __future__ import annotations

from functools import cache

import promql_parser as promql


@cache
def metrics_in(expression: str) -> frozenset[str]:
    """The names of all metrics that an expression selects. Raises ValueError for one that is not valid PromQL."""
    return frozenset(filter(None, map(_name, selectors(expression))))


def selectors(expression: str) -> list[promql.VectorSelector]:
    """Every selector of series in an expression. Raises ValueError for one that is not valid PromQL."""
    found: list[promql.VectorSelector] = []

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            found.append(node)

    promql.walk(promql.parse(expression), pre_visit=visit)
    return found


def _name(selector: promql.VectorSelector) -> str:
    named = [matcher.value for matcher in selector.matchers.matchers if matcher.name == "__name__"]
    return selector.name or (named[0] if named else "")
