"""Which numbers of an expression changed, and whether the alert fires sooner or later for it."""

from __future__ import annotations

import pytest

from operations.report.expressions import Number, changed_numbers


@pytest.mark.parametrize(
    ("before", "after", "sooner"),
    [
        ("x > 5", "x > 6", False),
        ("x > 6", "x > 5", True),
        ("x >= 5", "x >= 6", False),
        ("x < 5", "x < 6", True),
        ("x <= 5", "x <= 4", False),
        ("5 < x", "7 < x", False),
        ("x > 1e3", "x > 2e3", False),
        ("(x > bool 5) > 0", "(x > bool 4) > 0", True),
        ("(x > bool 5) < 1", "(x > bool 4) < 1", False),
        ("x > -5", "x > -4", False),
        ("x < -5", "x < -4", True),
        ("-x > -5", "-x > -6", True),
        ("x - -2 > 1", "x - -3 > 1", True),
        ("rate(x[5m]) * 100 > 5", "rate(x[5m]) * 10 > 5", False),
        ("x / 2 > 1", "x / 3 > 1", False),
        ("x - 2 > 1", "x - 3 > 1", False),
        ("1 - x > 0.5", "2 - x > 0.5", True),
        ("x > 0.8 * y", "x > 0.9 * y", False),
        ("a > 1 and b > 3", "a > 1 and b > 4", False),
        ("a > 1 or b > 3", "a > 1 or b > 2", True),
        ("a unless b > 3", "a unless b > 4", True),
        ("absent(x > 5)", "absent(x > 6)", True),
        ("count(x > 5) > 3", "count(x > 6) > 3", False),
        ("sum by (a) (x > 5) > 3", "sum by (a) (x > 5) > 4", False),
        ("count(x < 5) < 3", "count(x < 6) < 3", False),
        ("clamp_max(x, 3) > 2", "clamp_max(x, 4) > 2", True),
        ("max_over_time((x > 4)[5m:1m]) > 500", "max_over_time((x > 4)[5m:1m]) > 600", False),
        # What cannot be told is not claimed.
        ("x == 1", "x == 2", None),
        ("(x > bool 5) == 0", "(x > bool 6) == 0", None),
        ("avg(x > 5) > 10", "avg(x > 6) > 10", None),
        ("min_over_time((x > 4)[5m:1m]) > 5", "min_over_time((x > 3)[5m:1m]) > 5", None),
        ("x % 3 > 1", "x % 4 > 1", None),
        ("topk(3, x) > 1", "topk(4, x) > 1", None),
        ("rate(x[5m]) > 1", "rate(x[10m]) > 1", None),
        ("x offset 5m > 1", "x offset 6m > 1", None),
        ("max_over_time(x[5m:1m]) > 1", "max_over_time(x[5m:2m]) > 1", None),
        ("predict_linear(x[6h], 14400) < 0", "predict_linear(x[6h], 7200) < 0", None),
    ],
)
def test_one_number(before: str, after: str, sooner: bool | None) -> None:
    numbers = changed_numbers(before, after)
    assert numbers is not None
    assert [number.sooner for number in numbers] == [sooner]
    back = changed_numbers(after, before)
    assert back is not None
    assert [number.sooner for number in back] == [None if sooner is None else not sooner]


def test_all_numbers_that_differ_in_their_order() -> None:
    found = changed_numbers("rate(x[5m]) > 1 and y < 2 and z > 3", "rate(x[6m]) > 1 and y < 1 and z > 4")
    assert found == [Number("5m", "6m", None), Number("2", "1", False), Number("3", "4", False)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x > 5", "y > 5"),
        ("x > 5", "x < 5"),
        ('x{a="5"} > 1', 'x{a="6"} > 1'),
        ("sum(x) > 1", "avg(x) > 1"),
        ("x2 > 1", "x3 > 1"),
        ("x > 1", "x > 1 and y"),
        ("x > 1", "x > -1"),
        ("x > 1", "not PromQL ("),
    ],
)
def test_more_than_numbers(before: str, after: str) -> None:
    assert changed_numbers(before, after) is None


def test_the_same_in_another_spelling_is_no_change() -> None:
    assert changed_numbers("x > 5", "x   > 5.0") == []
