"""Expressions that say the same for every series that there can be, in one form.

Only where the expression proves it: what is never negative is `> 0` where it is `!= 0`, and 0 on average where it is
0 at its highest; what is 0 or 1 is `>= 1` where it is `== 1`, and 1 on average where it is 1 at its lowest.
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
    "_maximum",
    "_successful",
)
"""Endings of names of what is counted, and of what is 0 or 1."""
_ZERO_OR_ONE = ("up", "probe_success", "node_filesystem_readonly", "node_timex_sync_status")
"""Gauges of yes and no."""
_AVERAGE = re.compile(r"^avg_over_time\b")
_OVER_TIME = re.compile(r"(avg|min|max|last)_over_time$")
_SAME_ABOVE_ZERO = {"!=": ">", "<=": "=="}
_SAME_BELOW_ONE = {"!=": "<", ">=": "=="}


def canonical(expression: str) -> str:
    """The same text for expressions that are the same. Raises ValueError for what is not PromQL."""

    def settle(node: promql.Expr) -> promql.Expr | None:
        if not isinstance(node, promql.BinaryExpr) or node.modifier or not isinstance(node.rhs, promql.NumberLiteral):
            return None
        sign, limit = str(node.op), node.rhs.val
        if limit == 0 and _never_negative(node.lhs):
            return _compared(node.lhs, _SAME_ABOVE_ZERO.get(sign, sign), 0)
        if limit == 1 and _zero_or_one(node.lhs):
            return _compared(node.lhs, _SAME_BELOW_ONE.get(sign, sign), 1)
        return None

    return promql.transform(promql.parse(expression), post_visit=settle).prettify()


def _compared(left: promql.Expr, sign: str, limit: int) -> promql.Expr:
    text = left.prettify()
    if sign == "==" and isinstance(left, promql.Call):
        text = _AVERAGE.sub("min_over_time" if limit else "max_over_time", text)
    return promql.parse(f"{text} {sign} {limit}")


def _zero_or_one(node: promql.Expr) -> bool:
    if isinstance(node, promql.VectorSelector):
        return node.name in _ZERO_OR_ONE
    if isinstance(node, promql.MatrixSelector):
        return _zero_or_one(node.vector_selector)
    return isinstance(node, promql.Call) and bool(_OVER_TIME.match(node.func.name)) and _zero_or_one(node.args[0])


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
