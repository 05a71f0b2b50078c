"""At which evaluations an expression had which results: asked in pieces, within a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from operations.backtest.simulate import Run, joined
from operations.budget import Budget, Heavy, TooMuch
from operations.errors import CommandError

POINTS = 10_000
"""Evaluations in a question at most; Prometheus answers with 11,000 points of a series at most."""
SHARE = 20
"""The part of the budget that one question may cost: one twentieth."""
PROBED = 10
FEW = 20
"""Evaluations up to which a question is asked without a look at what it may cost."""
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Evaluations at whole multiples of the interval: number 0 is at `start`. Times in seconds, since 1970."""

    start: float
    evaluations: int
    interval: float

    @classmethod
    def between(cls, start: float, end: float, interval: float, before: float) -> Window:
        """From `before` seconds ahead of the start, so that what was active then is known."""
        first, last = math.ceil((start - before) / interval), math.floor(end / interval)
        return cls(first * interval, max(1, last - first + 1), interval)

    def at(self, evaluation: int) -> float:
        """When that evaluation is."""
        return self.start + evaluation * self.interval


@dataclass
class History:
    """The results of one expression: labels to the evaluations at which there was one."""

    runs: dict[Labels, list[Run]] = field(default_factory=dict)
    asked: int = 0
    """Evaluations that were asked for, from the first on: fewer than all where the budget ended."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Samples that a question costs: what each costs whatever its length, as by a subquery, and each evaluation."""

    once: float
    each: float

    def of(self, evaluations: float) -> float:
        """Of a question over so many evaluations."""
        return self.once + self.each * evaluations

    def piece(self, budget: Budget, left: int) -> int:
        """Evaluations that one question may be about; 0 where none can be afforded.

        Half of what is left of the budget counts: since the question before, series may have become twice as many.
        """
        share = max(budget.limit / SHARE, 4 * self.once)
        afforded = min(share, (budget.limit - budget.spent) / 2) - self.once
        return max(0, min(POINTS, left, int(afforded / max(self.each, 1e-9))))

    def all_of(self, evaluations: int, budget: Budget) -> float:
        """Of that many evaluations, in as many questions as it takes."""
        questions = math.ceil(evaluations / max(1, self.piece(budget, evaluations)))
        return self.once * questions + self.each * evaluations


def probed(expression: str, window: Window, budget: Budget) -> Cost:
    """What it costs, by one evaluation and by a few at the window's end. Raises TooMuch, CommandError."""
    last = window.evaluations - 1
    first = max(0, last - PROBED + 1)
    try:
        _, one = _ask(expression, window, last, last, 0, budget)
        if not budget.counts_samples:
            return Cost(0, budget.worked_out(expression, window.at(last)))
        if first == last:
            return Cost(0, one)
        _, several = _ask(expression, window, first, last, one * (last - first + 1), budget)
    except Heavy as error:
        raise CommandError(f"a single evaluation is too heavy for the server: {error}") from None
    each = max(0.0, (several - one) / (last - first))
    return Cost(max(0.0, one - each), each)


def history(expression: str, window: Window, cost: Cost, budget: Budget, progress: Callable[[float], None]) -> History:
    """All results in the window. `cost` is as far as is known; it is learnt anew on the way.

    Ends early, with what it has, where the budget does not allow for the next piece.
    """
    found, most = History(), POINTS
    while found.asked < window.evaluations:
        first = found.asked
        size = min(most, cost.piece(budget, window.evaluations - first))
        if size < 1:
            return found
        try:
            denser = _looked_ahead(expression, window, range(first, first + size), cost, budget)
            if denser.piece(budget, size) < size:
                cost = denser
                continue
            series, samples = _ask(expression, window, first, first + size - 1, denser.of(size), budget)
        except TooMuch:
            return found
        except Heavy as error:
            if size == 1:
                raise CommandError(f"a single evaluation is too heavy for the server: {error}") from None
            most = max(1, size // 2)
            continue
        cost = Cost(cost.once, max((samples - cost.once) / size, cost.each / 2))
        for labels, runs in series.items():
            found.runs[labels] = joined([*found.runs.get(labels, ()), *runs])
        found.asked = first + size
        progress(found.asked / window.evaluations)
    return found


def _looked_ahead(expression: str, window: Window, piece: range, cost: Cost, budget: Budget) -> Cost:
    """What an evaluation costs in a piece that is still to be asked, by two of them: series may have become many."""
    if not budget.counts_samples or len(piece) < FEW:
        return cost
    found = [
        _ask(expression, window, place, place, cost.of(1), budget)[1] for place in (piece[len(piece) // 2], piece[-1])
    ]
    return Cost(cost.once, max(cost.each, *(one - cost.once for one in found)))


def _ask(
    expression: str, window: Window, first: int, last: int, expected: float, budget: Budget
) -> tuple[dict[Labels, list[Run]], int]:
    result, cost = budget.ask(
        "/api/v1/query_range",
        expected,
        expression,
        start=f"{window.at(first):.3f}",
        end=f"{window.at(last):.3f}",
        step=f"{window.interval:.3f}",
    )
    return {labels_of(series["metric"]): _runs(series, window) for series in result}, cost


def labels_of(metric: Mapping[str, str]) -> Labels:
    """The labels of a result. Its name is one of them here: two that differ in it alone are two."""
    return tuple(sorted(metric.items()))


def _runs(series: Mapping[str, Any], window: Window) -> list[Run]:
    """The evaluations of a series' points, be they numbers or native histograms."""
    points = [*series.get("values", ()), *series.get("histograms", ())]
    return joined((place, place) for place in (round((float(at) - window.start) / window.interval) for at, _ in points))
