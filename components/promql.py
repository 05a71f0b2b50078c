"""What a PromQL expression asks for.

An expression that cannot be read asks for nothing that is known of: whether it is wrong, or newer than the parser, is
for Prometheus to say, and promtool in `validate`.
"""

from __future__ import annotations

from functools import cache

import promql_parser as promql


@cache
def metrics_in(expression: str) -> frozenset[str]:
    """The names of all metrics that an expression selects."""
    return frozenset(filter(None, map(_name, selectors(expression))))


def selectors(expression: str) -> list[promql.VectorSelector]:
    """Every selector of series in an expression."""
    found: list[promql.VectorSelector] = []
    try:
        tree = promql.parse(expression)
    except ValueError:
        return found

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            found.append(node)

    promql.walk(tree, pre_visit=visit)
    return found


def _name(selector: promql.VectorSelector) -> str:
    named = [matcher.value for matcher in selector.matchers.matchers if matcher.name == "__name__"]
    return selector.name or (named[0] if named else "")
