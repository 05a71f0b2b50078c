"""The numbers in alert rules that a stack may set: their units, how people write them, how they read in a message."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from components.config.base import duration_text, is_duration, seconds, size_bytes

_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_SIZE = re.compile(r"[1-9]\d*(KB|MB|GB|TB)")


class Limits(Protocol):
    """The values of one stack: what its alerts, its dashboards and its reports compare with."""

    def __call__(self, alert: str, parameter: str = "threshold") -> float:
        """The number in base units (ratio, seconds, bytes, ...); a KeyError is a mistake in the caller."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an alert. `default` is in base units; for a window it is the duration as written."""

    name: str
    unit: str
    default: float | str
    meaning: str

    @classmethod
    def of(cls, name: str, table: dict[str, Any]) -> Parameter:
        """From its declaration on top of a rule file. Raises ValueError or KeyError for a wrong one."""
        unit = UNITS[table["unit"]]
        return cls(name, table["unit"], unit.read(table["default"]), table["meaning"])

    def read(self, value: Any) -> float | str:
        """A value as a stack file gives it, in base units. A ValueError says what is allowed."""
        return UNITS[self.unit].read(value)

    def in_expression(self, value: float | str) -> str:
        """As PromQL takes it."""
        return value if isinstance(value, str) else _number(value)

    def in_words(self, value: float | str) -> str:
        """As a person reads it, with its unit."""
        return value if isinstance(value, str) else UNITS[self.unit].words(value)


@dataclass(frozen=True, slots=True)
class Unit:
    """A kind of number: how it is read and told. `read` raises a ValueError that says what is allowed."""

    read: Callable[[Any], float | str]
    words: Callable[[float], str]


def _number(value: float) -> str:
    return f"{value:.15g}"


def _plain(value: Any, allowed: str, most: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= min(most, 1e15):
        raise ValueError(f"must be {allowed}")
    return float(value)


def _read_ratio(value: Any) -> float:
    allowed = "a ratio between 0 and 1, such as 0.02 or 2%"
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        value = float(f"{float(match[1]) / 100:.12g}")
    return _plain(value, allowed, 1)


def _read_seconds(value: Any) -> float:
    if isinstance(value, str) and (value == "0s" or is_duration(value)):
        return seconds(value)
    return _plain(value, "a time such as 500ms, 2s or 21d, or a number of seconds")


def _read_bytes(value: Any) -> float:
    if isinstance(value, str) and _SIZE.fullmatch(value):
        return float(size_bytes(value))
    return _plain(value, "a size such as 500MB or 10GB, or a number of bytes")


def _read_window(value: Any) -> str:
    if not isinstance(value, str) or not is_duration(value) or not 300 <= seconds(value) <= 30 * 86400:
        raise ValueError("must be a window of time such as 10m or 1h, from 5m (some scrapes have to fit in) to 30d")
    return value


def _sized(value: float) -> str:
    for power, name in ((40, "TB"), (30, "GB"), (20, "MB"), (10, "KB")):
        if value >= 2**power:
            return f"{value / 2**power:.4g}{name}"
    return f"{_number(value)}B"


UNITS: dict[str, Unit] = {
    "ratio": Unit(_read_ratio, lambda value: f"{value * 100:.4g}%"),
    "seconds": Unit(_read_seconds, lambda value: duration_text(value) if value else "0s"),
    "bytes": Unit(_read_bytes, _sized),
    "count": Unit(lambda value: _plain(value, "a number of 0 or more"), _number),
    "per_second": Unit(lambda value: _plain(value, "a number per second, 0 or more"), lambda v: f"{_number(v)}/s"),
    "score": Unit(lambda value: _plain(value, "a score between 0 and 100", 100), _number),
    "window": Unit(_read_window, _number),
}
