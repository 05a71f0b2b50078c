"""Which changes are none."""

from __future__ import annotations

import pytest

from mutants.equivalence import canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("increase(a[5m]) > 0", "increase(a[5m]) != 0"),
        ("sum by (b) (rate(a[5m])) / count(c) == 0", "sum by (b) (rate(a[5m])) / count(c) <= 0"),
        ("(a_total + b_bytes) > 0", "(a_total + b_bytes) != 0"),
        ("max_over_time(up[5m]) == 0", "max_over_time(up[5m]) <= 0"),
        ("1 - a / (b_bytes > 0)", "1 - a / (b_bytes != 0)"),
        ("(rate(a[5m]) > 1 or b_count) > 0", "(rate(a[5m]) > 1 or b_count) != 0"),
        ("avg_over_time(a_successful[5m]) == 0", "max_over_time(a_successful[5m]) <= 0"),
        ("min_over_time(probe_success[5m]) == 1", "avg_over_time(probe_success[5m]) >= 1"),
        ("up < 1", "up != 1"),
        ('a{b="1",c="2"} > 1', 'a{c="2", b="1"}   > 1'),
    ],
)
def test_what_is_never_negative_is_above_zero_where_it_is_not_zero(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a > 0", "a != 0"),
        ("delta(a_total[5m]) > 0", "delta(a_total[5m]) != 0"),
        ("a_total - b_total > 0", "a_total - b_total != 0"),
        ("a_total * -1 == 0", "a_total * -1 <= 0"),
        ("max_over_time(a[5m]) == 0", "max_over_time(a[5m]) <= 0"),
        ("a_total > bool 0", "a_total != bool 0"),
        ("a_total > 1", "a_total != 1"),
        ("min_over_time(probe_success[5m]) == 1", "max_over_time(probe_success[5m]) == 1"),
        ("a_total == 1", "a_total >= 1"),
        ("avg_over_time(a[5m]) == 0", "max_over_time(a[5m]) == 0"),
        ("avg_over_time(up[5m]) == 0", "min_over_time(up[5m]) == 0"),
        ("avg_over_time(up[5m]) > 0", "max_over_time(up[5m]) > 0"),
        ("a_total > 0", "a_total >= 0"),
        ("(a or b_count) > 0", "(a or b_count) != 0"),
    ],
)
def test_what_may_be_negative_or_is_another_number_makes_a_difference(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)
