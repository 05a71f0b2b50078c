"""Which numbers of a PromQL expression changed, and whether the alert fires sooner or later for it.

A number to the right of `>` is a limit: a larger one makes the alert fire later. What stands around it turns that round
or keeps it; values are taken to be 0 or more, as counts, ratios and times are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import promql_parser as promql

_TOKEN = re.compile(
    r"""(?P<word>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[A-Za-z_][\w:]*|:[A-Za-z_][\w:]*)|(?P<number>\d[\w.]*(?:(?<=e)[+-]\d+)?)"""
)
_ABOVE, _BELOW = (">", ">="), ("<", "<=")
_RISING = frozenset(
    {
        "rate",
        "irate",
        "increase",
        "delta",
        "sum_over_time",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "last_over_time",
        "quantile_over_time",
        "histogram_quantile",
        "clamp_max",
        "clamp_min",
        "vector",
        "scalar",
        "ceil",
        "floor",
        "round",
        "sqrt",
        "exp",
        "ln",
        "log2",
        "log10",
    }
)
"""Functions whose value does not fall when their argument rises."""
_RISING_SUMS = frozenset({"sum", "avg", "min", "max", "group"})

_FALLING_BY_MORE = frozenset({"avg", "min"})
"""Of these, results that are left out may make the value larger."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number or duration that is another one now; `sooner` is None where it cannot be told what comes of it."""

    before: str
    after: str
    sooner: bool | None


def changed_numbers(before: str, after: str) -> list[Number] | None:
    """The numbers that differ between two expressions; None where anything else does, too."""
    try:
        old, new = promql.parse(before), promql.parse(after)
    except ValueError:  # another revision may write what this parser does not know
        return None
    olds, news = _numbers(str(old)), _numbers(str(new))
    if _skeleton(str(old)) != _skeleton(str(new)):
        return None
    effects = list(_effects(new, value=0, presence=1))
    if len(effects) != len(news):
        effects = []
    found = []
    for mine, other, effect in zip_longest(olds, news, effects, fillvalue=0):
        if mine != other:
            rises = _magnitude(str(other)) - _magnitude(str(mine))
            found.append(Number(str(mine), str(other), rises * int(effect) > 0 if effect and rises else None))
    return found


def _numbers(text: str) -> list[str]:
    return [match["number"] for match in _TOKEN.finditer(text) if match["number"]]


def _skeleton(text: str) -> str:
    return _TOKEN.sub(lambda match: "#" if match["number"] else match[0], text)


def _magnitude(number: str) -> float:
    try:
        return float(number)
    except ValueError:
        return 0.0  # a duration: no effect is claimed for these


def _effects(node: Any, value: int, presence: int) -> Iterator[int]:
    """For each number in its order: +1 where a larger one makes the alert fire sooner, -1 later, 0 for unknown.

    `value` says the same of the node's value, `presence` of there being a result at all.
    """
    if isinstance(node, promql.NumberLiteral):
        yield value if node.val >= 0 else -value  # its sign is no part of the number that changes
    elif isinstance(node, promql.BinaryExpr):
        if node.modifier and node.modifier.return_bool:
            presence = value  # it is always there, as 1 where it holds and as 0 else
        left, right = _sides(str(node.op), value, presence)
        yield from _effects(node.lhs, *left)
        yield from _effects(node.rhs, *right)
    elif isinstance(node, promql.ParenExpr):
        yield from _effects(node.expr, value, presence)
    elif isinstance(node, promql.UnaryExpr):
        yield from _effects(node.expr, -value, presence)
    elif isinstance(node, promql.Call):
        inner = _arguments(node.func.name, value, presence)
        for argument in node.args:
            yield from _effects(argument, *inner)
    elif isinstance(node, promql.AggregateExpr):
        operator = str(node.op)
        if node.param is not None:
            yield from _effects(node.param, 0, presence)
        if operator == "count":
            yield from _effects(node.expr, 0, value or presence)
        else:
            there = 0 if value and operator in _FALLING_BY_MORE else presence
            yield from _effects(node.expr, value if operator in _RISING_SUMS else 0, there)
    elif isinstance(node, promql.SubqueryExpr):
        inside = list(_effects(node.expr, value, presence))
        yield from inside
        yield from [0] * (len(_numbers(str(node))) - len(inside))
    else:  # selectors: ranges and offsets
        yield from [0] * len(_numbers(str(node)))


def _sides(operator: str, value: int, presence: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """What a larger left and right side do."""
    if operator in _ABOVE:
        return (presence, presence), (-presence, presence)
    if operator in _BELOW:
        return (-presence, presence), (presence, presence)
    if operator in ("+", "*", "or"):
        return (value, presence), (value, presence)
    if operator in ("-", "/"):
        return (value, presence), (-value, presence)
    if operator == "and":
        return (value, presence), (0, presence)
    if operator == "unless":
        return (value, presence), (0, -presence)
    return (0, presence), (0, presence)


def _arguments(function: str, value: int, presence: int) -> tuple[int, int]:
    if value and function in ("avg_over_time", "min_over_time", "quantile_over_time"):
        presence = 0
    if function in ("absent", "absent_over_time"):
        return 0, -presence
    return (value if function in _RISING else 0), presence
