"""The series of unit tests become history up to now, and a line that goes on; every planned alert has some."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.config.base import seconds
from operations.drill.feeds import Feed, feeds, number
from operations.drill.sequences import Sequence, sequence
from operations.errors import CommandError
from operations.stored import rules
from tests.support import STACKS, plan_of

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 2 3", (1, 2, 3)),
        ("0+10x3", (0, 10, 20, 30)),
        ("5-2x2 7", (5, 3, 1, 7)),
        ("-1.5x1", (-1.5, -1.5)),
        ("1e3+1e-1x1", (1000, 1000.1)),
        ("_ 1 _x2 4", (None, 1, None, None, 4)),
        ("1 stale", (1, None)),
        (
            "NaNx1 Inf",
            (pytest.approx(float("nan"), nan_ok=True), pytest.approx(float("nan"), nan_ok=True), float("inf")),
        ),
        ("0+60x1 0+120x1", (0, 60, 0, 120)),
    ],
)
def test_the_notation_of_promtool(text: str, values: tuple[float | None, ...]) -> None:
    found = sequence('up{job="a", team="web"}', text)
    assert (found.name, found.labels, found.values) == ("up", {"job": "a", "team": "web"}, values)


def test_values_may_be_one_number_and_names_may_stand_among_the_labels() -> None:
    assert sequence("up", 7).values == (7,)  # type: ignore[arg-type]
    assert sequence('{__name__="up", job="a"}', "1") == Sequence("up", {"job": "a"}, (1,))
    assert sequence("up", "1x2 stale").ends


@pytest.mark.parametrize(("series", "values"), [("up", "{{schema:1 count:2}}"), ("up + 1", "1"), ("up", "one")])
def test_what_is_no_series_is_refused(series: str, values: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        sequence(series, values)


def feed(values: str, at: float = 120, interval: float = 60) -> Feed:
    """A feed of one series."""
    return Feed("A", "a.yaml: test", at, interval, (sequence('up{job="a\\"b"}', values),))


def test_the_history_ends_now() -> None:
    assert feed("1 2 3 4").history(NOW) == (
        'up{job="a\\"b"} 1.0 1799999880.000\nup{job="a\\"b"} 2.0 1799999940.000\n'
        'up{job="a\\"b"} 3.0 1800000000.000\n# EOF\n'
    )
    assert Feed("A", "t", 60, 60, ()).history(NOW) == ""


def test_a_series_that_has_ended_is_not_seen_any_more() -> None:
    """Prometheus shows a last sample for five minutes, so those are left out."""
    lines = feed("0+1x9 stale", at=600).history(NOW).splitlines()
    assert [line.split()[1] for line in lines[:-1]] == ["0.0", "1.0", "2.0", "3.0", "4.0", "5.0"]
    assert feed("0+1x9 stale", at=600).lines(NOW) == []


def test_the_line_goes_on_as_the_test_does() -> None:
    (rising,) = feed("0 60 120 180").lines(NOW)
    assert rising == {
        "record": "up",
        "expr": "120.0 + 1.0 * (vector(time()) - 1800000000.000)",
        "labels": {"job": 'a"b'},
    }
    assert feed("5 5 5").lines(NOW)[0]["expr"] == "vector(5.0)"
    # After the last value by the step before it; where there is no value, nothing.
    assert feed("0 60 120").lines(NOW)[0]["expr"].startswith("120.0 + 1.0 * ")
    assert feed("0 60 _").lines(NOW) == []
    assert feed("0 60").lines(NOW) == []
    # Between two samples from the one before.
    assert feed("0 60 120", at=90).lines(NOW)[0]["expr"] == "60.0 + 1.0 * (vector(time()) - 1799999970.000)"


def test_numbers_that_are_none() -> None:
    assert [number(value) for value in (float("nan"), float("inf"), float("-inf"), 0.1)] == [
        "NaN",
        "+Inf",
        "-Inf",
        "0.1",
    ]
    assert feed("1 +Inf +Inf").lines(NOW)[0]["expr"] == "vector(+Inf)"


def test_of_several_tests_the_shortest_history_counts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        """tests:
  - name: late
    interval: 1m
    input_series: [{series: up, values: 0x90}]
    alert_rule_test:
      - {eval_time: 80m, alertname: A, exp_alerts: [{exp_labels: {}}]}
      - {eval_time: 1m, alertname: A, exp_alerts: []}
  - name: early
    interval: 30s
    input_series: [{series: up, values: 1x90}]
    alert_rule_test: [{eval_time: 5m, alertname: A, exp_alerts: [{exp_labels: {}}]}]
"""
    )
    found = feeds(tmp_path)["A"]
    assert (found.test, found.at, found.interval) == ("a.yaml: early", 300, 30)


def test_outside_of_a_checkout_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no unit tests of the rules") as error:
        feeds(tmp_path / "none")
    assert "checkout" in error.value.hint


@pytest.mark.parametrize("name", STACKS)
def test_every_planned_alert_can_be_drilled(name: str) -> None:
    known = feeds()
    alerts = {rule["alert"] for _, rule in rules(plan_of(name)) if "alert" in rule}
    # Those of objectives are tested with the stack file's own, end to end.
    assert {alert for alert in alerts - set(known) if not alert.startswith("SLO")} == set()
    assert all(seconds("1s") <= each.interval for each in known.values())
