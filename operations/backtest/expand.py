"""Recorded metrics in an expression, replaced by what records them: for servers that have not recorded them.

What stands in their place gives the same results as the recorded series would: with the rule's labels, filtered by
the selector's matchers, and for ranges and offsets at the evaluations at which it would have been recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

import promql_parser as promql

from components.config.base import duration_text
from operations.backtest.rules import Recording

_KEPT = "backtest_kept"
"""A label that marks, for a moment, what a regular expression has matched."""
_NOTHING = "(vector(1) < 0)"


class NotExpanded(Exception):
    """Why an expression cannot be written without a recorded metric."""


def expanded(
    expression: str, records: Mapping[str, tuple[Recording, ...]], names: Collection[str], interval: float
) -> str:
    """The expression without these recorded metrics, evaluated each `interval` seconds. Raises NotExpanded."""
    if not names:
        return expression
    tree = promql.parse(expression)
    places: dict[str, str] = {}
    for node, ranged, inside in _selected(tree):
        name = node.name or ""
        if not name and any(matcher.name == "__name__" for matcher in node.matchers.matchers):
            raise NotExpanded("it selects metrics by a pattern of names")
        if name not in names:
            continue
        if node.at is not None:
            raise NotExpanded(f"it asks for {name} at a fixed time (@)")
        if inside:
            raise NotExpanded(f"it asks {inside}() of {name}")
        places[str(ranged or node)] = _instead(node, ranged, records, names, interval)
    if not places:
        return expression
    # The longest first: a selector is the beginning of itself with a range or an offset.
    wanted = "|".join(re.escape(text) for text in sorted(places, key=len, reverse=True))
    text = re.sub(rf"(?<![\w:])(?:{wanted})", lambda found: places[found[0]], str(tree))
    try:
        left = {node.name for node, _, _ in _selected(promql.parse(text))}
    except ValueError as error:
        raise NotExpanded(f"it cannot be read once it is written out ({error})") from None
    if left & set(names):
        raise NotExpanded(f"{', '.join(sorted(left & set(names)))} cannot be replaced in it")
    return text


def _selected(node: Any, inside: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Every selector, with the range around it and the name of a function that makes labels of its matchers."""
    if isinstance(node, promql.VectorSelector):
        yield node, None, inside
    elif isinstance(node, promql.MatrixSelector):
        yield node.vector_selector, node, inside
    else:
        inside = node.func.name if isinstance(node, promql.Call) and node.func.name.startswith("absent") else ""
        parts = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "param")]
        for part in [*parts, *(getattr(node, "args", None) or ())]:
            if part is not None:
                yield from _selected(part, inside)


def _instead(
    selector: Any, ranged: Any, records: Mapping[str, tuple[Recording, ...]], names: Collection[str], interval: float
) -> str:
    rules = records[selector.name]
    every = max(rule.interval for rule in rules)
    parts = [_recorded(rule, selector, expanded(rule.expression, records, names, rule.interval)) for rule in rules]
    given = [part for part in parts if part] or [_NOTHING]
    value = f"({' or '.join(given)})" if len(given) > 1 else given[0]
    offset = f" offset {_offset(selector.offset)}" if selector.offset else ""
    step = duration_text(every)
    if ranged is not None:
        return f"{value}[{duration_text(ranged.range.total_seconds())}:{step}]{offset}"
    if offset or interval % every:
        return f"last_over_time({value}[{step}:{step}]{offset})"
    return value


def _offset(offset: timedelta) -> str:
    length = offset.total_seconds()
    return f"-{duration_text(-length)}" if length < 0 else duration_text(length)


def _recorded(rule: Recording, selector: Any, expression: str) -> str:
    """What one rule records, with its labels and by the matchers; empty where these can match none of it."""
    text, labels = f"({expression})", dict(rule.labels)
    for name, value in labels.items():
        text = _labelled(text, name, value.replace("$", "$$"))
    for matcher in selector.matchers.matchers:
        if matcher.name == "__name__":
            continue
        if matcher.name in labels:
            if not _matches(matcher, labels[matcher.name]):
                return ""
            continue
        text = _filtered(text, matcher)
    return text


def _matches(matcher: Any, value: str) -> bool:
    if matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual):
        return bool((value == matcher.value) == (matcher.op == promql.MatchOp.Equal))
    found = re.fullmatch(matcher.value, value) is not None
    return found if matcher.op == promql.MatchOp.Re else not found


def _labelled(text: str, name: str, value: str) -> str:
    return f'label_replace({text}, "{name}", {json.dumps(value, ensure_ascii=False)}, "", "")'


def _filtered(text: str, matcher: Any) -> str:
    """The results whose label fits. PromQL has matchers on selectors alone, so a vector of one stands beside them."""
    name, value = matcher.name, json.dumps(matcher.value, ensure_ascii=False)
    if matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual):
        word = "and" if matcher.op == promql.MatchOp.Equal else "unless"
        one = _labelled("vector(1)", name, matcher.value.replace("$", "$$"))
        return f"({text} {word} on ({name}) {one})"
    word = "and" if matcher.op == promql.MatchOp.Re else "unless"
    marked = f'label_replace({text}, "{_KEPT}", "1", "{name}", {value})'
    kept = f"({marked} {word} on ({_KEPT}) {_labelled('vector(1)', _KEPT, '1')})"
    return _labelled(kept, _KEPT, "")
