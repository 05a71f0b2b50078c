"""Which metrics an expression asks for."""

from __future__ import annotations

import pytest

from components.promql import metrics_in, narrowed, selectors


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


@pytest.mark.parametrize(
    ("expression", "after"),
    [
        ("up == 0", 'up{a="b"} == 0'),
        ("up{} == 0", 'up{a="b"} == 0'),
        ('{b="c"}', '{a="b", b="c"}'),
        ('sum by (job) (rate(c_total{d=~"{up}"}[5m]))', 'sum by (job) (rate(c_total{a="b", d=~"{up}"}[5m]))'),
        ('e:f:g unless absent(up{h="}"} offset 1d)', 'e:f:g{a="b"} unless absent(up{a="b", h="}"} offset 1d)'),
        ("vector(1)", "vector(1)"),
    ],
)
def test_one_more_matcher_in_each_selector(expression: str, after: str) -> None:
    assert narrowed(expression, 'a="b"') == after


def test_a_label_that_is_called_as_a_metric_cannot_be_told_from_it() -> None:
    with pytest.raises(ValueError, match="cannot add"):
        narrowed("sum by (up) (up)", 'a="b"')
