"""Numbers as people read them in a dashboard, by Grafana's names of units."""

from __future__ import annotations

import math

_SHORT = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
_BYTES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_TIMES = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"))
_PER_SECOND = {"reqps": "req/s", "ops": "ops/s", "cps": "c/s"}


def with_unit(value: float, unit: str) -> str:
    """Three significant digits and the unit; `-` for what is no number. An unknown unit is a KeyError."""
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if unit == "percentunit":
        return f"{_digits(value * 100)}%"
    if unit == "percent":
        return f"{_digits(value)}%"
    if unit in ("bytes", "Bps"):
        return _scaled(value, _BYTES, " B") + ("/s" if unit == "Bps" else "")
    if unit == "s":
        return _time(value)
    if unit == "currencyUSD":
        return f"${_scaled(value, _SHORT)}"
    if unit == "none":
        return _digits(value)
    suffix = {"short": ""} | {name: f" {text}" for name, text in _PER_SECOND.items()}
    return _scaled(value, _SHORT) + suffix[unit]


def scale_of(value: float, unit: str) -> float:
    """The factor by which a value of this size is divided to be read: 1024 for kibibytes, 60 for minutes."""
    scales = {"bytes": _BYTES, "Bps": _BYTES, "s": _TIMES}
    found = next((factor for factor, _ in scales.get(unit, _SHORT) if abs(value) >= factor), 1)
    return float(found)


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _scaled(value: float, scale: tuple[tuple[float, str], ...], smallest: str = "") -> str:
    for factor, name in scale:
        if abs(value) >= factor:
            space = " " if len(name) > 1 else ""
            return f"{_digits(value / factor)}{space}{name}"
    return f"{_digits(value)}{smallest}"


def _time(value: float) -> str:
    if value == 0:
        return "0 s"
    for factor, name in _TIMES:
        if abs(value) >= factor:
            return f"{_digits(value / factor)} {name}"
    return f"{_digits(value / 1e-9)} ns"
