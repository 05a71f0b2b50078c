"""How large a stack is before and after: series, what Prometheus needs for them, and the limits of all programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from operations.report.change import Change
from operations.report.snapshot import Snapshot, Stated
from operations.units import with_unit

_QUIET = 0.02
"""Estimates that move by less than this part are the same."""
_NEEDS = (
    ("memory", "memory", "bytes"),
    ("disk", "disk", "bytes"),
    ("cpus", "cores", "none"),
    ("bucket", "bucket", "bytes"),
)


def size_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Estimated series and samples by origin and in all; memory, disk and cores that Prometheus needs; all limits."""
    if before.stated and after.stated:
        yield from _estimates(before.stated, after.stated)
        yield from _cost(before.stated, after.stated)
    if before.programs:
        yield from _moved("memory of all programs, at most", _memory(before), _memory(after), lambda v: f"{v:g} MiB")
        yield from _moved("cores of all programs, at most", _cores(before), _cores(after), lambda v: f"{v:g}")


def _memory(snapshot: Snapshot) -> float:
    return sum(program.memory for program in snapshot.programs.values())


def _cores(snapshot: Snapshot) -> float:
    return round(sum(program.cpus for program in snapshot.programs.values()), 3)


def _estimates(old: Stated, new: Stated) -> Iterator[Change]:
    none = (0, 0.0)
    for name in dict.fromkeys((*old.series, *new.series)):
        yield from _moved(f"series of {name}", old.series.get(name, none)[0], new.series.get(name, none)[0], _whole)
    yield from _moved("all series, estimated", _sum(old, 0), _sum(new, 0), _whole)
    yield from _moved("all samples a second, estimated", _sum(old, 1), _sum(new, 1), _whole)
    sides = [{"Prometheus": side.needs, **side.elsewhere} for side in (old, new)]
    for program in dict.fromkeys((*sides[0], *sides[1])):
        mine, other = (side.get(program, {}) for side in sides)
        for need, words, unit in _NEEDS:
            amounts = mine.get(need, 0.0), other.get(need, 0.0)
            yield from _moved(f"{words} that {program} needs", *amounts, partial(with_unit, unit=unit))


def _cost(old: Stated, new: Stated) -> Iterator[Change]:
    """On machines of your own, by the list of prices of each side, which is part of it."""
    mine, other = sum(old.cost), sum(new.cost)
    if mine and other and abs(other - mine) > _QUIET * mine:
        yield Change("size", "a month of your own machines", _direction(mine, other), _money(old), _money(new))


def _money(stated: Stated) -> str:
    low, high = (f"{amount:,.0f}" for amount in stated.cost)
    return f"{low} {stated.currency}" if low == high else f"{low} to {high} {stated.currency}"


def _sum(stated: Stated, index: int) -> float:
    return float(sum(each[index] for each in stated.series.values()))


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _moved(name: str, before: float, after: float, text: Callable[[float], str]) -> Iterator[Change]:
    if abs(after - before) > _QUIET * max(abs(before), abs(after)):
        yield Change("size", name, _direction(before, after), text(before), text(after))


def _direction(before: float, after: float) -> str:
    if not before or not after:
        return "new" if after else "gone"
    return f"{(after - before) / before:+.0%}" if after < 10 * before else f"{after / before:.0f} times as much"
