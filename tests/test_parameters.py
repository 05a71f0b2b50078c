"""Numbers of alerts: read as people write them, put into expressions in base units, told with their unit."""

from __future__ import annotations

from typing import Any

import pytest

from components.config.base import duration_text, seconds
from components.parameters import UNITS, Parameter


def parameter(unit: str, default: Any) -> Parameter:
    """One of that unit."""
    return Parameter.of("threshold", {"unit": unit, "default": default, "meaning": "What it is."})


@pytest.mark.parametrize(
    ("unit", "written", "expression", "words"),
    [
        ("ratio", 0.01, "0.01", "1%"),
        ("ratio", "1%", "0.01", "1%"),
        ("ratio", "0.1%", "0.001", "0.1%"),
        ("ratio", "99.95 %", "0.9995", "99.95%"),
        ("ratio", 0, "0", "0%"),
        ("ratio", 1, "1", "100%"),
        ("seconds", "500ms", "0.5", "500ms"),
        ("seconds", 2, "2", "2s"),
        ("seconds", "0s", "0", "0s"),
        ("seconds", "21d", "1814400", "21d"),
        ("seconds", "1h30m", "5400", "1h30m"),
        ("seconds", 0.0001, "0.0001", "0.0001s"),
        ("bytes", "10GB", "10737418240", "10GB"),
        ("bytes", 512, "512", "512B"),
        ("bytes", "1536MB", "1610612736", "1.5GB"),
        ("count", 10000, "10000", "10000"),
        ("count", 14.4, "14.4", "14.4"),
        ("per_second", 100, "100", "100/s"),
        ("score", 85, "85", "85"),
        ("window", "10m", "10m", "10m"),
    ],
)
def test_numbers_as_they_are_written_used_and_told(unit: str, written: Any, expression: str, words: str) -> None:
    one = parameter(unit, written)
    assert one.in_expression(one.default) == expression
    assert one.in_words(one.default) == words


@pytest.mark.parametrize(
    ("unit", "written", "allowed"),
    [
        ("ratio", 2, "a ratio between 0 and 1, such as 0.02 or 2%"),
        ("ratio", "200%", "a ratio between 0 and 1"),
        ("ratio", "500ms", "a ratio"),
        ("ratio", -0.1, "a ratio"),
        ("ratio", True, "a ratio"),
        ("ratio", None, "a ratio"),
        ("ratio", float("nan"), "a ratio"),
        ("ratio", "0.02", "a ratio"),
        ("seconds", "2%", "a time such as 500ms, 2s or 21d"),
        ("seconds", "soon", "a time"),
        ("seconds", float("inf"), "a time"),
        ("bytes", "10G", "a size such as 500MB or 10GB"),
        ("count", "many", "a number of 0 or more"),
        ("count", [1], "a number"),
        ("score", 101, "a score between 0 and 100"),
        ("window", "1m", "from 5m"),
        ("window", "90d", "to 30d"),
        ("window", 600, "a window of time such as 10m"),
    ],
)
def test_wrong_units_say_what_is_allowed(unit: str, written: Any, allowed: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        UNITS[unit].read(written)
    assert allowed in str(caught.value)


@pytest.mark.parametrize("text", ["1ms", "999ms", "1s", "1m30s", "2h5m", "21d", "30d"])
def test_durations_are_told_as_they_are_written(text: str) -> None:
    assert duration_text(seconds(text)) == text


def test_durations_are_told_in_the_largest_units() -> None:
    assert duration_text(3600) == "1h"
    assert duration_text(90_061.5) == "1d1h1m1s500ms"
