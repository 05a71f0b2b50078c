"""From a tree of a Datadog query to PromQL, and what of it differs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.config.base import duration_text
from operations.migrate import names
from operations.migrate.datadog.queries import Binary, Call, Number, Query, Reference, Text
from operations.migrate.datadog.scopes import CannotTranslate, selector
from operations.migrate.datadog.table import label, metric

_AGGREGATORS = {"avg": "avg", "sum": "sum", "min": "min", "max": "max", "count": "count", "last": "avg", "any": "max"}
_OVER_TIME = {"avg": "avg", "sum": "sum", "min": "min", "max": "max", "count": "count", "last": "last"}
_SIMPLE = {
    "abs": "abs",
    "log2": "log2",
    "log10": "log10",
    "ceil": "ceil",
    "floor": "floor",
    "round": "round",
    "sqrt": "sqrt",
}
_UNCHANGED = {
    "default_zero",
    "exclude_null",
    "default",
    "fill",
    "autosmooth",
    "robust_trend",
    "trend_line",
    "piecewise_constant",
}
_SHIFTS = {"hour_before": "1h", "day_before": "1d", "week_before": "1w", "month_before": "30d"}
_WEIGHTED = re.compile(r"(ewma|median)_(\d+)")


@dataclass(slots=True)
class Translation:
    """The making of one expression: what windows its rates have, and what has turned out to differ."""

    window: str = "5m"
    """Of rates and counts; on dashboards Grafana's own `$__rate_interval`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Template variable to the tag that it chooses a value of."""
    queries: Mapping[str, Any] = field(default_factory=dict)
    """Name in a formula to its tree."""
    differences: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    """By which the last query was grouped."""

    def differs(self, text: str) -> None:
        """Note a difference, once."""
        if text not in self.differences:
            self.differences.append(text)

    def expression(self, tree: Any) -> str:
        """The tree in PromQL. Raises `CannotTranslate`."""
        if isinstance(tree, Number):
            return tree.text
        if isinstance(tree, Query):
            return self._query(tree)
        if isinstance(tree, Binary):
            return self._binary(tree)
        if isinstance(tree, Call):
            return self._call(tree)
        if isinstance(tree, Reference):
            if tree.name not in self.queries:
                raise CannotTranslate(f"it names {tree.name}, which is no query of it")
            return self.expression(self.queries[tree.name])
        raise CannotTranslate(f"it has {tree.text if isinstance(tree, Text) else tree} where a query is expected")

    def matchers(self, scope: Any) -> str:
        """The inside of a selector's braces, without them."""
        return selector(scope, self.variables, self.differs)

    def _query(self, query: Query) -> str:
        found = metric(query.metric)
        inside = self.matchers(query.scope)
        by = [label(tag) for tag in query.by if tag != "*"]
        self.labels = by
        if not found["exact"]:
            self._inexact(query.metric, found)
        quantile = re.fullmatch(r"p(\d+(?:\.\d+)?)|median", query.aggregator)
        if "histogram" in found or quantile:
            return self._histogram(query, found, inside, by, quantile)
        methods = dict(query.methods)
        inner = self._inner(found, inside, query.methods)
        aggregator = _AGGREGATORS.get(query.aggregator)
        if aggregator is None:
            raise CannotTranslate(f"the aggregator {query.aggregator} has none like it")
        if query.aggregator in ("count", "last", "any"):
            self.differs(f"{query.aggregator}: became {aggregator}")
        grouped = f"{aggregator} by ({', '.join(by)}) ({inner})" if by else f"{aggregator}({inner})"
        for name in methods:
            if name not in ("as_rate", "as_count", "rollup", "fill", "weighted"):
                self.differs(f"without .{name}()")
        return grouped

    def _inexact(self, name: str, found: Mapping[str, Any]) -> None:
        if found.get("cloudwatch"):
            self.differs(f"{name} is called as yet-another-cloudwatch-exporter does")
        elif "guess" in found:
            self.differs(f"{name} is not known here, and is taken to be {found['guess']}")
        else:
            self.differs(f"{name} is measured in a similar way")

    def _inner(self, found: Mapping[str, Any], inside: str, methods: tuple[tuple[str, tuple[Any, ...]], ...]) -> str:
        """The series of a metric before they are put together."""
        called = dict(methods)
        seconds, way = _rollup(called.get("rollup"))
        window = duration_text(seconds) if seconds else self.window
        expression, is_rate = str(found["expr"]), "$w" in str(found["expr"])
        selected = _with_matchers(expression, inside).replace("$w", window)
        if "as_count" in called or (found.get("counter") and "as_rate" not in called):
            if is_rate:
                return f"{selected} * {_seconds_of(window)}"
            return f"increase({selected}[{window}])" if _is_selector(selected) else f"increase(({selected})[{window}:])"
        if "as_rate" in called or "per_second" in called:
            return selected if is_rate else f"rate({selected}[{window}])" if _is_selector(selected) else selected
        if "rollup" in called and seconds and not is_rate:
            ranged = f"{selected}[{window}]" if _is_selector(selected) else f"({selected})[{window}:]"
            return f"{_OVER_TIME.get(way, 'avg')}_over_time({ranged})"
        if "rollup" in called and not seconds:
            self.differs("without .rollup(): each point is the value at its time")
        return selected

    def _histogram(
        self, query: Query, found: Mapping[str, Any], inside: str, by: list[str], quantile: re.Match[str] | None
    ) -> str:
        base = found.get("histogram") or found.get("guess") or names.metric(query.metric)
        scale = found.get("scale", 1)
        braces = f"{{{inside}}}" if inside else ""
        group = ", ".join(by)
        times = f" * {scale}" if scale != 1 else ""
        if quantile:
            share = float(quantile[1] or 50) / 100
            self.differs(f"{query.aggregator} is estimated from the buckets of the histogram {base}")
            labels = ", ".join([*by, "le"])
            return (
                f"histogram_quantile({share:g}, sum by ({labels}) (rate({base}_bucket{braces}[{self.window}]))){times}"
            )
        if query.aggregator in ("min", "max"):
            raise CannotTranslate(f"a histogram has no {query.aggregator}; a quantile is near it")
        wrap = f"sum by ({group}) " if by else "sum"
        top, bottom = (f"{wrap}(rate({base}_{part}{braces}[{self.window}]))" for part in ("sum", "count"))
        if query.aggregator == "count":
            return bottom
        return f"{top} / {bottom}{times}"

    def _binary(self, tree: Binary) -> str:
        left, right = self.expression(tree.left), self.expression(tree.right)
        sides = [
            f"({text})" if isinstance(side, Binary) else text for side, text in ((tree.left, left), (tree.right, right))
        ]
        return f"{sides[0]} {tree.operator} {sides[1]}"

    def _call(self, tree: Call) -> str:
        if not tree.arguments:
            raise CannotTranslate(f"{tree.name}() without a query")
        first, rest = tree.arguments[0], tree.arguments[1:]
        if tree.name in _SIMPLE:
            return f"{_SIMPLE[tree.name]}({self.expression(first)})"
        if tree.name in _UNCHANGED or _WEIGHTED.fullmatch(tree.name):
            self.differs(f"without {tree.name}()")
            return self.expression(first)
        if tree.name == "top" or re.fullmatch(r"(top|bottom)\d+(_\w+)?", tree.name):
            return self._top(tree.name, first, rest)
        if tree.name in ("clamp_min", "clamp_max", "cutoff_min", "cutoff_max") and rest and isinstance(rest[0], Number):
            how = tree.name.replace("cutoff", "clamp")
            if how == tree.name:
                return f"{how}({self.expression(first)}, {rest[0].text})"
            return f"{self.expression(first)} {'>' if 'min' in how else '<'} {rest[0].text}"
        if tree.name in ("per_second", "per_minute", "per_hour", "dt", "derivative", "diff", "monotonic_diff", "rate"):
            return self._difference(tree.name, first)
        if tree.name in _SHIFTS or tree.name in ("timeshift", "calendar_shift"):
            return self._shifted(tree, first, rest)
        if tree.name in ("moving_rollup", "rollup") and rest:
            return self._moving(first, rest)
        if tree.name in ("count_nonzero", "count_not_null"):
            inner = self.expression(first)
            return f"count(({inner}) != 0)" if tree.name == "count_nonzero" else f"count({inner})"
        raise CannotTranslate(f"the function {tree.name}() has none like it in PromQL")

    def _top(self, name: str, first: Any, rest: tuple[Any, ...]) -> str:
        digits = re.findall(r"\d+", name)
        number = digits[0] if digits else rest[0].text if rest and isinstance(rest[0], Number) else "10"
        words = [each.text for each in rest if isinstance(each, Text)]
        way = "bottomk" if name.startswith("bottom") or "asc" in words else "topk"
        self.differs(f"{way} chooses at each time, not over the whole range")
        return f"{way}({int(float(number))}, {self.expression(first)})"

    def _difference(self, name: str, first: Any) -> str:
        inner = self.expression(first)
        if name in ("diff", "monotonic_diff"):
            self.differs(f"{name}() compares with a minute before")
            return f"({inner}) - ({inner} offset 1m)" if _is_selector(inner) else f"delta(({inner})[2m:1m])"
        factor = {"per_minute": " * 60", "per_hour": " * 3600"}.get(name, "")
        if isinstance(first, Query) and not metric(first.metric).get("guess"):
            self.differs(f"{name}() of a gauge is its slope")
        return f"deriv(({inner})[{self.window}:]){factor}"

    def _shifted(self, tree: Call, first: Any, rest: tuple[Any, ...]) -> str:
        if tree.name in _SHIFTS:
            back = _SHIFTS[tree.name]
        elif rest and isinstance(rest[0], Number):
            length = -float(rest[0].text)
            if length <= 0:
                raise CannotTranslate("it looks into the future")
            back = duration_text(length)
        else:
            raise CannotTranslate(f"{tree.name}() has no length in seconds")
        # An offset belongs to each selector; a subquery of one step shifts whatever is inside.
        return f"last_over_time(({self.expression(first)})[1m:1m] offset {back})"

    def _moving(self, first: Any, rest: tuple[Any, ...]) -> str:
        seconds, way = _rollup(rest)
        if not seconds:
            raise CannotTranslate("moving_rollup() without a length")
        return f"{_OVER_TIME.get(way, 'avg')}_over_time(({self.expression(first)})[{duration_text(seconds)}:])"


def _with_matchers(expression: str, inside: str) -> str:
    """The expression of the table with the query's matchers in each selector that takes them."""
    text = expression.replace('"$m', f'",{inside}' if inside else '"')
    return text.replace("{$m}", f"{{{inside}}}" if inside else "")


def _is_selector(text: str) -> bool:
    return bool(re.fullmatch(r"[a-zA-Z_:][\w:]*(\{[^{}]*(\$\{\w+\}[^{}]*)*\})?", text))


def _rollup(arguments: tuple[Any, ...] | None) -> tuple[float, str]:
    """Seconds and way of a rollup; 0 where it names no time."""
    way, seconds = "avg", 0.0
    for each in arguments or ():
        if isinstance(each, Number):
            seconds = float(each.text)
        elif isinstance(each, Reference | Text):
            way = each.name if isinstance(each, Reference) else each.text
    return seconds, way


def _seconds_of(window: str) -> str:
    from components.config.base import seconds

    return "$__range_s" if "$" in window else f"{seconds(window):g}"
