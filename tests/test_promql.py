"""Which metrics an expression asks for."""

from __future__ import annotations

import pytest

from components.promql import metrics_in, selectors


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ("up == 0", {"up"}),
        ('sum by (service) (rate(a_total{b="c_total"}[5m])) / on (d) group_left (e) f:g:h > 0.5', {"a_total", "f:g:h"}),
        ("max_over_time(rate(a_total[5m])[1h:5m]) and absent(b offset 1d) unless -c", {"a_total", "b", "c"}),
        ('{__name__="a", b="c"}', {"a"}),
        ('{b="c"}', set()),
        ("vector(1) + time()", set()),
        ("histogram_quantile(0.9, sum by (le) (a_bucket)) > bool 2", {"a_bucket"}),
        ("topk(scalar(a), b)", {"a", "b"}),
    ],
)
def test_metrics_of_expressions(expression: str, metrics: set[str]) -> None:
    assert metrics_in(expression) == metrics


@pytest.mark.parametrize("expression", ["up ==", "sum(", "", "no_such_function(up)"])
def test_what_cannot_be_read_is_left_to_prometheus(expression: str) -> None:
    assert metrics_in(expression) == set()
    assert selectors(expression) == []
