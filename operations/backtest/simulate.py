"""When an alert fires, from when its expression has results: as Prometheus' rule manager decides it.

Its rules (`AlertingRule.Eval` in rules/alerting.go of Prometheus 3): a result that is new makes the alert pending, and
at an evaluation at which it has been there for `for`, that very one included, it fires. Without a result a pending
alert is gone; one that fires is resolved once `keep_firing_for` has passed since the first evaluation without.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Run = tuple[int, int]
"""Evaluations with a result, one after the other: the first and the last, counted from the begin of the window."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A time in which an alert was active, by evaluations."""

    pending: int
    """At which it became active."""
    firing: int | None
    """At which it fired; None for one that never did."""
    end: int | None
    """At which it was resolved or, pending, gone; None where the window ends before."""


def episodes(runs: Sequence[Run], interval: float, hold: float, keep: float, evaluations: int) -> list[Episode]:
    """What one alert goes through. `runs` in their order and apart; times in seconds; the window has `evaluations`."""
    needed, kept = _evaluations(hold, interval), _evaluations(keep, interval)
    found: list[Episode] = []
    pending: int | None = None
    firing: int | None = None
    over = 0
    for first, last in runs:
        if pending is not None and first > over:
            found.append(Episode(pending, firing, over))
            pending = firing = None
        if pending is None:
            pending = first
        if firing is None and pending + needed <= last:
            firing = pending + needed
        over = last + 1 + (kept if firing is not None else 0)
    if pending is not None:
        found.append(Episode(pending, firing, over if over < evaluations else None))
    return found


def _evaluations(length: float, interval: float) -> int:
    """How many intervals it takes until at least this many seconds have passed."""
    return math.ceil(length / interval - 1e-9)


def joined(runs: Iterable[Run]) -> list[Run]:
    """Runs in order, those that meet or overlap as one."""
    found: list[Run] = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def runs_of(evaluations: Iterable[int]) -> list[Run]:
    """Numbers of evaluations as runs."""
    return joined((each, each) for each in evaluations)
