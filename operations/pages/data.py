"""What a dashboard's panels show: their queries, run against a Prometheus as Grafana would run them.

Variables take all their values, and the windows that Grafana computes follow from the scrape interval in the same way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from components.config.base import seconds
from components.promql import metrics_in
from operations.http import Endpoint
from operations.running import CheckFailed, FailedForGood

POINTS = 240
"""Steps in a time range: about what a graph of a third of a screen shows."""
DOTS = 120
"""Exemplars in a graph at most."""
_LABEL_VALUES = re.compile(r"label_values\((?:(?P<series>.+), )?(?P<label>\w+)\)")
_LEGEND = re.compile(r"\{\{ *(\w+) *\}\}")


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is looked at, in seconds since 1970, and how often targets are scraped, in seconds."""

    start: float
    end: float
    scrape_interval: float = 15

    @property
    def step(self) -> float:
        """Seconds from one point to the next."""
        return max(self.scrape_interval, math.ceil((self.end - self.start) / POINTS))

    @property
    def rate_interval(self) -> float:
        """Grafana's $__rate_interval."""
        return max(self.step + self.scrape_interval, 4 * self.scrape_interval)


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name by the legend, its labels, and points of (seconds since 1970, value)."""

    name: str
    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]
    query: int = 0

    @property
    def last(self) -> float:
        """The latest value that is a number; NaN where none is."""
        return next((value for _, value in reversed(self.points) if not math.isnan(value)), math.nan)


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One request behind a histogram's samples: when, how much, and the trace that it leads to."""

    at: float
    value: float
    trace: str


@dataclass(frozen=True, slots=True)
class PanelData:
    """What a panel has to show, or why it has nothing."""

    panel: Mapping[str, Any]
    series: tuple[Series, ...] = ()
    reason: str = ""
    """Empty where there is data."""
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True, slots=True)
class BoardData:
    """A dashboard's panels with their data, the values that its variables have, and the marked moments."""

    panels: Mapping[int, PanelData]
    """By the panel's id."""
    variables: Mapping[str, Sequence[str]] = field(default_factory=dict)
    marks: Sequence[tuple[float, str]] = ()


def panels_of(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The panels that ask for data; rows are headings."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def resolved(expression: str, board: Mapping[str, Any], window: Window) -> str:
    """A query as Grafana sends it when the dashboard is opened."""
    values = {one["name"]: "|".join(chosen(one)) or one.get("allValue", "") for one in board["templating"]["list"]}
    values |= {
        "__rate_interval": f"{window.rate_interval:.0f}s",
        "__range": f"{window.end - window.start:.0f}s",
        "__interval": f"{window.step:.0f}s",
    }

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return str(values.get(name, match[0]))

    return re.sub(r"\$\{(\w+)\}|\$(\w+)", value, expression)


def chosen(variable: Mapping[str, Any]) -> list[str]:
    """The values that a dashboard is provisioned with for one of its variables; none where that is all of them."""
    values = (variable.get("current") or {}).get("value") or []
    values = [values] if isinstance(values, str) else list(values)
    return [] if "$__all" in values or variable["type"] != "query" else values


def board_data(board: Mapping[str, Any], prometheus: Endpoint, window: Window, pool: ThreadPoolExecutor) -> BoardData:
    """Run every query of a dashboard. Raises CheckFailed where Prometheus cannot be reached at all."""
    asked = _Asked(board, prometheus, window)
    panels = {panel["id"]: pool.submit(asked.panel, panel) for panel in panels_of(board)}
    variables = {
        one["name"]: pool.submit(asked.variable, one) for one in board["templating"]["list"] if one["type"] == "query"
    }
    marks = [pool.submit(asked.marks, mark) for mark in board["annotations"]["list"]]
    return BoardData(
        {number: future.result() for number, future in panels.items()},
        {name: future.result() for name, future in variables.items()},
        sorted({mark for future in marks for mark in future.result()}),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    board: Mapping[str, Any]
    prometheus: Endpoint
    window: Window

    def panel(self, panel: Mapping[str, Any]) -> PanelData:
        found: list[Series] = []
        errors = []
        for number, target in enumerate(panel["targets"]):
            try:
                found += self._query(target, number)
            except FailedForGood:
                raise
            except CheckFailed as error:
                if not error.status:
                    raise
                errors.append(f"query {target['refId']} failed: {error.detail}")
        if errors:
            return PanelData(panel, tuple(found), "; ".join(errors))
        if any(not math.isnan(series.last) for series in found):
            asked = [target for target in panel["targets"] if target.get("exemplar")]
            exemplars = tuple(exemplar for target in asked for exemplar in self._exemplars(target))
            return PanelData(panel, tuple(found), exemplars=exemplars)
        reason = "its series have no value yet: nothing has happened that could be divided" if found else ""
        return PanelData(panel, tuple(found), reason or self._why_nothing(panel))

    def _query(self, target: Mapping[str, Any], number: int) -> Iterator[Series]:
        expression = self._expression(target)
        if target.get("instant"):
            answer = self.prometheus.prometheus("/api/v1/query", query=expression, time=str(self.window.end))
        else:
            answer = self._range(expression)
        if answer["resultType"] == "scalar":
            answer = {"result": [{"metric": {}, "value": answer["result"]}]}
        for one in answer["result"]:
            points = tuple((float(at), float(value)) for at, value in one.get("values") or [one["value"]])
            yield Series(legend(target.get("legendFormat", ""), one["metric"]), one["metric"], points, number)

    def _expression(self, target: Mapping[str, Any]) -> str:
        """With the windows that fit the target's own least interval, where it has one."""
        interval = max(seconds(target.get("interval") or "0s"), self.window.scrape_interval)
        return resolved(target["expr"], self.board, replace(self.window, scrape_interval=interval))

    def _range(self, expression: str) -> Any:
        window = self.window
        start, end, step = str(window.start), str(window.end), f"{window.step:.0f}"
        return self.prometheus.prometheus("/api/v1/query_range", query=expression, start=start, end=end, step=step)

    def _exemplars(self, target: Mapping[str, Any]) -> Iterator[Exemplar]:
        """Those in the window, evenly thinned out to what a graph can show."""
        start, end = str(self.window.start), str(self.window.end)
        answer = self.prometheus.prometheus(
            "/api/v1/query_exemplars", query=self._expression(target), start=start, end=end
        )
        found = sorted(
            (float(one["timestamp"]), float(one["value"]), one["labels"].get("trace_id", ""))
            for series in answer
            for one in series["exemplars"]
        )
        for at, value, trace in found[:: math.ceil(len(found) / DOTS) or 1]:
            yield Exemplar(at, value, trace)

    def _why_nothing(self, panel: Mapping[str, Any]) -> str:
        """Whether it is the metrics that are missing, or only what the query looks for among them."""
        expressions = [self._expression(target) for target in panel["targets"]]
        metrics = sorted({metric for expression in expressions for metric in metrics_in(expression)})
        absent = [metric for metric in metrics if not self._range(f"count({metric})")["result"]]
        if absent:
            return f"no series: {', '.join(absent)}"
        return "no series meets its condition in this time range; its metrics are there"

    def variable(self, variable: Mapping[str, Any]) -> list[str]:
        if values := chosen(variable):
            return values
        match = _LABEL_VALUES.fullmatch(variable["query"])
        if match is None:
            return []
        series = resolved(match["series"] or "", self.board, self.window)
        wanted = {"match[]": series} if series else {}
        found = self.prometheus.prometheus(
            f"/api/v1/label/{match['label']}/values",
            start=str(self.window.start),
            end=str(self.window.end),
            **wanted,
        )
        return [str(value) for value in found]

    def marks(self, mark: Mapping[str, Any]) -> list[tuple[float, str]]:
        """Moments in the window, with their titles. The values are in milliseconds."""
        answer = self._range(resolved(mark["expr"], self.board, self.window))
        return [
            (float(value) / 1000, legend(mark["titleFormat"], one["metric"]))
            for one in answer["result"]
            for _, value in one["values"]
            if self.window.start <= float(value) / 1000 <= self.window.end
        ]


def legend(template: str, labels: Mapping[str, str]) -> str:
    """The name of a series, as Grafana makes it from the legend's template."""
    if template in ("", "__auto"):
        own = ", ".join(f'{name}="{value}"' for name, value in labels.items() if name != "__name__")
        return labels.get("__name__", "") + (f"{{{own}}}" if own else "") or "value"
    return " ".join(_LEGEND.sub(lambda match: labels.get(match[1], ""), template).split()) or "value"
