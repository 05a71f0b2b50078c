"""What a PromQL expression asks for.

An expression that cannot be read asks for nothing that is known of: whether it is wrong, or newer than the parser, is
for Prometheus to say, and promtool in `validate`.
"""

from __future__ import annotations

import re
from functools import cache

import promql_parser as promql

_WORDS = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`|[{}]|[a-zA-Z_:][\w:]*')
"""Strings, the braces of selectors, and names."""


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


@cache
def narrowed(expression: str, matcher: str) -> str:
    """The expression with one more matcher, such as `region="eu"`, in each of its selectors.

    A ValueError where that cannot be done, which is a mistake in whoever wrote the expression.
    """
    names, parts, last, inside = metrics_in(expression), [], 0, False
    for found in _WORDS.finditer(expression):
        word, rest = found[0], expression[found.end() :].lstrip()
        added = ""
        if word == "{":
            inside, added = True, matcher if rest.startswith("}") else f"{matcher}, "
        elif word == "}":
            inside = False
        elif word in names and not inside and not rest.startswith("{"):
            added = f"{{{matcher}}}"
        parts += [expression[last : found.end()], added]
        last = found.end()
    text = "".join((*parts, expression[last:]))
    before, after = selectors(expression), selectors(text)
    if [len(each.matchers.matchers) + 1 for each in before] != [len(each.matchers.matchers) for each in after]:
        raise ValueError(f"cannot add {matcher} to {expression}")
    return text


def _name(selector: promql.VectorSelector) -> str:
    named = [matcher.value for matcher in selector.matchers.matchers if matcher.name == "__name__"]
    return selector.name or (named[0] if named else "")
