"""Series as promtool's unit tests write them: `up{job="a"}` and `1 2+3x4 _x2 stale`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser as promql

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RUN = re.compile(rf"(?P<first>-?(?:{_NUMBER}|[A-Za-z]+))(?P<step>[+-]{_NUMBER})?x(?P<count>\d+)")
_GAP = re.compile(r"_(?:x(\d+))?")


@dataclass(frozen=True, slots=True)
class Sequence:
    """One series: its name and labels, and a value at each interval; None where there is no sample."""

    name: str
    labels: dict[str, str]
    values: tuple[float | None, ...]
    ends: bool = False
    """It ends with a marker: nobody sees its last value any more."""


def sequence(series: str, values: str) -> Sequence:
    """A series of a unit test. Raises ValueError for what is none, or holds native histograms."""
    parsed = promql.parse(series)
    if not isinstance(parsed, promql.VectorSelector):
        raise ValueError(f"{series} is no series")
    labels = {matcher.name: matcher.value for matcher in parsed.matchers.matchers}
    name = parsed.name or labels.pop("__name__", "")
    labels.pop("__name__", None)
    words = str(values).split()
    return Sequence(name, labels, tuple(_values(words)), ends=bool(words) and words[-1] == "stale")


def _values(words: list[str]) -> Iterator[float | None]:
    for word in words:
        if gap := _GAP.fullmatch(word):
            yield from [None] * int(gap[1] or 1)
        elif word == "stale":
            yield None
        elif run := _RUN.fullmatch(word):
            first, step = float(run["first"]), float(run["step"] or 0)
            # `1+2x3` is the first value and three more.
            yield from (first + step * number for number in range(int(run["count"]) + 1))
        else:
            yield float(word)
