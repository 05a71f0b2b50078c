"""Figures and their table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.results import Goal, Result, compared, growth, interleaved, quantity, table


@pytest.mark.parametrize(
    ("goal", "ours", "other", "met"),
    [
        (Goal(1.5), 1.5, None, True),
        (Goal(1.5), 1.51, None, False),
        (Goal(1.2, ratio=True), 2.4, 2.0, True),
        (Goal(1.2, ratio=True), 2.41, 2.0, False),
        (Goal(1.2, ratio=True), 0.1, None, False),
    ],
)
def test_goals(goal: Goal, ours: float, other: float | None, met: bool) -> None:
    assert goal.met(ours, other) is met


def test_all_are_measured_in_turns_and_each_is_first_in_its_turn() -> None:
    order: list[str] = []

    def measure(name: str) -> Callable[[], float]:
        def seconds() -> float:
            order.append(name)
            return float(len(order))

        return seconds

    ours, other = interleaved(3, measure("ours"), measure("other"))
    assert order == ["ours", "other", "other", "ours", "ours", "other"]
    assert (ours, other) == ([1.0, 4.0, 5.0], [2.0, 3.0, 6.0])


def test_a_comparison_is_of_medians() -> None:
    result = compared("preview", ([9, 1, 3], [2, 2, 100]), "empty", Goal(1.5, ratio=True))
    assert (result.ours, result.compared, result.ratio, result.met) == (3, 2, 1.5, True)
    assert result.report()["samples"] == {"ours": [9, 1, 3], "empty": [2, 2, 100]}


def test_growth_leaves_out_what_everything_costs_anyhow() -> None:
    assert growth([10, 100, 1000], [5.1, 6.0, 15.0]) == pytest.approx(1)
    assert growth([10, 100, 1000], [5.1, 6.0, 24.0]) == pytest.approx(2)
    assert growth([10, 100, 1000], [1.0, 1.0, 2.0]) == float("inf")


def test_the_table_lines_up_and_says_what_is_missed() -> None:
    text = table(
        [
            Result("slow", 2.0, compared=1.0, against="other", goal=Goal(1.5, ratio=True)),
            Result("memory at rest", 87.4, "MiB", goal=Goal(600), note="six containers"),
            Result("  detail", 1.0),
        ]
    )
    lines = text.splitlines()
    assert lines[2].split() == ["slow", "2.00", "s", "1.00", "s", "other", "2.00x", "<=", "1.5x", "NO"]
    assert lines[3].split() == ["memory", "at", "rest", "87", "MiB", "<=", "600", "MiB", "yes"]
    assert lines[4].startswith("  detail")
    assert lines[-1] == "  memory at rest: six containers"
    assert lines[0].index("met") == lines[2].index("NO")


def test_quantities() -> None:
    assert [quantity(0.125, "s"), quantity(86.6, "MiB"), quantity(2.071, "%")] == ["0.12 s", "87 MiB", "2.07 %"]
