"""Figures and how they are shown: medians, goals, one table. Nothing here measures anything."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Measure = Callable[[], float]
_COLUMNS = ("what", "ours", "compared", "with", "ratio", "goal", "met")


@dataclass(frozen=True, slots=True)
class Goal:
    """An upper limit: of the ratio to what it is compared with, or of the value itself."""

    limit: float
    ratio: bool = False

    def met(self, ours: float, compared: float | None) -> bool:
        """Whether the figures as measured, not as rounded for the table, are within it."""
        if not self.ratio:
            return ours <= self.limit
        return compared is not None and ours <= self.limit * compared


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `samples` hold every single measurement, for the JSON report."""

    what: str
    ours: float
    unit: str = "s"
    compared: float | None = None
    against: str = ""
    goal: Goal | None = None
    note: str = ""
    samples: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Ours as a multiple of what it is compared with."""
        return self.ours / self.compared if self.compared else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return self.goal.met(self.ours, self.compared) if self.goal else None

    def report(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"ratio": self.ratio, "met": self.met}


def interleaved(repeat: int, *measures: Measure) -> list[list[float]]:
    """Measure all in turns, each first in its turn: a busy moment of the machine then hits all alike."""
    series: list[list[float]] = [[] for _ in measures]
    for turn in range(repeat):
        for place in range(len(measures)):
            which = (turn + place) % len(measures)
            series[which].append(measures[which]())
    return series


def compared(
    what: str, measured: Sequence[Sequence[float]], against: str, goal: Goal | None = None, note: str = ""
) -> Result:
    """The medians of two series, ours first, as one result."""
    ours, other = (list(series) for series in measured)
    samples = {"ours": ours, against: other}
    return Result(what, statistics.median(ours), "s", statistics.median(other), against, goal, note, samples)


def growth(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Cost of the last thousandth against the first: 1 is linear, 2 is twice as dear a piece at the larger size.

    Taken over the slope between sizes, so that what the smallest costs anyhow does not hide a worse than linear rest.
    """
    first = (seconds[1] - seconds[0]) / (sizes[1] - sizes[0])
    last = (seconds[-1] - seconds[-2]) / (sizes[-1] - sizes[-2])
    return last / first if first > 0 else float("inf")


def table(results: Sequence[Result]) -> str:
    """All results, notes below."""
    rows = [_COLUMNS, *(_cells(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(_aligned(cell, widths[i], i) for i, cell in enumerate(row)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"  {result.what}: {result.note}" for result in results if result.note]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if _COLUMNS[column] in ("ours", "compared", "ratio") else cell.ljust(width)


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.what,
        quantity(result.ours, result.unit),
        quantity(result.compared, result.unit) if result.compared is not None else "",
        result.against,
        f"{result.ratio:.2f}x" if result.ratio is not None else "",
        _goal_text(result),
        {True: "yes", False: "NO", None: ""}[result.met],
    )


def _goal_text(result: Result) -> str:
    if result.goal is None:
        return ""
    return f"<= {result.goal.limit:g}x" if result.goal.ratio else f"<= {quantity(result.goal.limit, result.unit)}"


def quantity(value: float, unit: str) -> str:
    """A figure with its unit, as exact as it is meaningful."""
    if unit in ("s", "%", "x"):
        return f"{value:.2f} {unit}"
    return f"{value:.0f} {unit}".rstrip()
