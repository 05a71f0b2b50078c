"""What makes an alert fire: the series of its unit test, as history up to now and as a line that goes on from there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.catalogue import ROOT
from components.config.base import seconds
from components.yaml_text import load
from operations.drill.sequences import Sequence, sequence
from operations.errors import CommandError

TESTS = ROOT / "tests" / "rules"
_LOOKBACK = 300.0
"""Seconds for which Prometheus shows a sample that nothing has followed."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The series with which an alert fires `at` seconds after the first sample; they are `interval` seconds apart."""

    alert: str
    test: str
    at: float
    interval: float
    series: tuple[Sequence, ...]

    def history(self, now: float) -> str:
        """All samples up to now, in OpenMetrics' text format; empty where there are none."""
        lines = [line for each in self.series for line in self._history(each, now)]
        return "".join(f"{line}\n" for line in [*lines, "# EOF"]) if lines else ""

    def _history(self, each: Sequence, now: float) -> Iterator[str]:
        hidden = self.at - _LOOKBACK if each.ends and self._index >= len(each.values) - 1 else self.at
        labels = ",".join(f"{name}={quoted(value)}" for name, value in sorted(each.labels.items()))
        for index, value in enumerate(each.values):
            after = index * self.interval
            if value is not None and after <= min(self.at, hidden):
                yield f"{each.name}{{{labels}}} {number(value)} {now - self.at + after:.3f}"

    @property
    def _index(self) -> int:
        return int(self.at // self.interval)

    def lines(self, now: float) -> list[dict[str, Any]]:
        """A recording rule for each series that goes on: in a straight line, as its test does at that moment."""
        found = []
        for each in self.series:
            value = each.values[self._index] if self._index < len(each.values) else None
            if value is None:
                continue
            slope = self._slope(each)
            begun = now - self.at + self._index * self.interval
            line = (
                f"vector({number(value)})"
                if not slope
                else f"{number(value)} + {number(slope)} * (vector(time()) - {begun:.3f})"
            )
            found.append({"record": each.name, "expr": line, "labels": each.labels})
        return found

    def _slope(self, each: Sequence) -> float:
        """By the second; by the step that follows, else by the one before."""
        here = each.values[self._index]
        for other in (self._index + 1, self._index - 1):
            there = each.values[other] if 0 <= other < len(each.values) else None
            if there is not None and here is not None:
                slope = (there - here) / self.interval * (other - self._index)
                return slope if math.isfinite(slope) else 0.0
        return 0.0


def quoted(value: str) -> str:
    """A label's value as OpenMetrics writes it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def number(value: float) -> str:
    """A value as Prometheus reads it, in a text and in a query."""
    if math.isnan(value):
        return "NaN"
    return f"{'-' if value < 0 else '+'}Inf" if math.isinf(value) else f"{value!r}"


def feeds(folder: Path = TESTS) -> dict[str, Feed]:
    """Alert to the series of the first unit test in which it fires. Raises CommandError outside of a checkout."""
    if not folder.is_dir():
        raise CommandError(
            "there are no unit tests of the rules here, whose series make alerts fire", "run it in a checkout"
        )
    found: dict[str, Feed] = {}
    for file in sorted(folder.glob("*.yaml")):
        for test in load(file.read_text())["tests"]:
            for feed in _feeds_of(f"{file.name}: {test.get('name', '?')}", test):
                known = found.get(feed.alert)
                if known is None or feed.at < known.at:
                    found[feed.alert] = feed
    return found


def _feeds_of(name: str, test: dict[str, Any]) -> Iterator[Feed]:
    firing: dict[str, float] = {}
    for case in test.get("alert_rule_test") or ():
        if case.get("exp_alerts"):
            at = seconds(str(case["eval_time"]))
            firing[case["alertname"]] = min(at, firing.get(case["alertname"], math.inf))
    if not firing:
        return
    try:
        series = tuple(sequence(each["series"], each["values"]) for each in test.get("input_series") or ())
    except ValueError:
        return  # native histograms, which text cannot hold
    for alert, at in firing.items():
        yield Feed(alert, name, at, seconds(str(test.get("interval", "1m"))), series)
