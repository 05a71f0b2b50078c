"""Expressions that say the same for every series that there can be, in one form.

Only where the expression proves it: what is never negative is `> 0` where it is `!= 0`, and 0 on average where it is
0 at its highest.
"""

from __future__ import annotations

import re

import promql_parser as promql

_COUNTING = {
    "abs",
    "changes",
    "count_over_time",
    "increase",
    "irate",
    "present_over_time",
    "rate",
    "resets",
}
"""Functions whose values are never negative, whatever they are given."""
_NEVER_NEGATIVE = (
    "_total",
    "_count",
    "_bucket",
    "_info",
    "_bytes",
    "_size",
    "_length",
    "_capacity",
    "_fds",
    "_files",
    "_successful",
)
"""Endings of names of what is counted, and of what is 0 or 1."""
_ZERO_OR_ONE = ("up", "probe_success")
_ALL_ZERO = re.compile(r"^(avg|sum)_over_time\b")
"""What is never negative and 0 on average is 0 at its highest."""
_SAME_ABOVE_ZERO = {"!=": ">", "<=": "=="}


def canonical(expression: str) -> str:
    """The same text for expressions that are the same. Raises ValueError for what is not PromQL."""

    def settle(node: promql.Expr) -> promql.Expr | None:
        if not isinstance(node, promql.BinaryExpr) or node.modifier or not _is_zero(node.rhs):
            return None
        if not _never_negative(node.lhs):
            return None
        sign = _SAME_ABOVE_ZERO.get(str(node.op), str(node.op))
        left = node.lhs.prettify()
        if sign == "==" and isinstance(node.lhs, promql.Call):
            left = _ALL_ZERO.sub("max_over_time", left)
        return promql.parse(f"{left} {sign} 0")

    return promql.transform(promql.parse(expression), post_visit=settle).prettify()


def _is_zero(node: promql.Expr) -> bool:
    return isinstance(node, promql.NumberLiteral) and node.val == 0


def _never_negative(node: promql.Expr) -> bool:
    if isinstance(node, promql.ParenExpr):
        return _never_negative(node.expr)
    if isinstance(node, promql.NumberLiteral):
        return node.val >= 0
    if isinstance(node, promql.VectorSelector):
        name = node.name or ""
        return name in _ZERO_OR_ONE or name.endswith(_NEVER_NEGATIVE)
    if isinstance(node, promql.MatrixSelector):
        return _never_negative(node.vector_selector)
    if isinstance(node, promql.Call):
        name = node.func.name
        return name in _COUNTING or (name.endswith("_over_time") and all(map(_never_negative, node.args)))
    if isinstance(node, promql.AggregateExpr):
        return str(node.op) == "count" or (str(node.op) in ("sum", "avg", "min", "max") and _never_negative(node.expr))
    return isinstance(node, promql.BinaryExpr) and _never_negative_pair(node)


def _never_negative_pair(node: promql.BinaryExpr) -> bool:
    sign = str(node.op)
    if sign in ("+", "*", "/", "or"):
        return _never_negative(node.lhs) and _never_negative(node.rhs)
    # Filters pass values of the left side on.
    return sign in ("and", "unless", ">", ">=", "<", "<=", "==", "!=") and _never_negative(node.lhs)
