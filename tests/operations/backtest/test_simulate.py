"""When alerts fire: as Prometheus' own code decides it, and as its own tool says."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.yaml_text import dump
from operations.backtest.compare import outcome
from operations.backtest.history import Cost, Window, history
from operations.backtest.rules import Alert
from operations.backtest.simulate import Episode, episodes, runs_of
from operations.backtest.snapshot import opened
from operations.budget import Budget
from tests.operations.backtest.blocks import BEGIN, promtool, steady, written

MINUTE = 60


def states(present: list[bool], interval: float, hold: float, keep: float) -> list[str]:
    """Evaluation by evaluation, as AlertingRule.Eval of Prometheus goes."""
    found, state, active_at, keep_since = [], "", 0.0, None
    for number, there in enumerate(present):
        at = number * interval
        if there:
            if not state:
                state, active_at = "pending", at
            keep_since = None
        else:
            keeps = False
            if state == "firing" and keep > 0:
                keep_since = at if keep_since is None else keep_since
                keeps = at - keep_since < keep
            if not keeps:
                state = ""
        if state == "pending" and at - active_at >= hold:
            state = "firing"
        found.append(state)
    return found


def told(found: list[Episode], evaluations: int) -> list[str]:
    states = [""] * evaluations
    for each in found:
        end = evaluations if each.end is None else min(each.end, evaluations)
        for number in range(each.pending, end):
            states[number] = "firing" if each.firing is not None and number >= each.firing else "pending"
    return states


@settings(max_examples=1000)
@given(
    st.lists(st.booleans(), min_size=1, max_size=40),
    st.sampled_from([1.0, 15.0, 60.0]),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_episodes_are_what_prometheus_makes_of_each_evaluation(
    present: list[bool], interval: float, hold: int, keep: int
) -> None:
    found = episodes(runs_of(n for n, there in enumerate(present) if there), interval, hold, keep, len(present))
    assert told(found, len(present)) == states(present, interval, hold, keep)
    assert all(each.firing is None or each.pending <= each.firing for each in found)


@pytest.fixture(scope="module")
def random_alerts() -> list[tuple[Alert, dict[str, list[float | None]]]]:
    """Alerts with `for` and `keep_firing_for` of all sorts, each over series of its own, with gaps short and long."""
    chance = random.Random(20)
    found = []
    for number in range(16):
        hold, keep = chance.choice([0, 60, 90, 300, 600]), chance.choice([0, 0, 30, 60, 420])
        alert = Alert(f"A{number}", f'm{{of="{number}"}} > 0', hold, keep, MINUTE, (("severity", "page"),))
        series: dict[str, list[float | None]] = {}
        for one in range(3):
            values: list[float | None] = []
            while len(values) < 120:
                value = chance.choice([0.0, 1.0, 1.0, None])
                values += [value] * chance.choice([1, 2, 6, 8, 12])
            # Every series has a sample at its begin and its end, so that promtool and blocks span the same time.
            series[f'm{{of="{number}",one="{one}"}}'] = [0.0, *values[:120], 0.0]
        found.append((alert, series))
    return found


def test_real_evaluations_agree_with_promtool(
    random_alerts: list[tuple[Alert, dict[str, list[float | None]]]], tmp_path: Path
) -> None:
    samples = {
        name: [(BEGIN + place * MINUTE, value) for place, value in enumerate(values) if value is not None]
        for _, series in random_alerts
        for name, values in series.items()
    }
    evaluations = 122
    window = Window(BEGIN, evaluations, MINUTE)
    checks: list[dict[str, Any]] = []
    with opened(written(samples, tmp_path), 30) as (server, end):
        assert end == BEGIN + (evaluations - 1) * MINUTE
        for alert, _ in random_alerts:
            budget = Budget(server, 10_000_000, 30, sleep=lambda _: None)
            done = history(alert.expression, window, Cost(0, 10), budget, lambda _: None)
            found = outcome(alert, "", done, window, BEGIN)
            for number in range(evaluations):
                at = window.at(number)
                firing = [each for each in found.firings if each.start <= at and (at < each.end or each.goes_on)]
                expected = [{"exp_labels": dict(each.labels)} for each in firing]
                checks.append({"eval_time": f"{number}m", "alertname": alert.name, "exp_alerts": expected})
    fired = sum(bool(check["exp_alerts"]) for check in checks)
    assert 200 < fired < len(checks) - 200, "the data has to tell right from wrong"
    assert (tested := _promtool(random_alerts, checks, tmp_path))[0] == 0, tested[1]

    wrong = next(check for check in checks if check["exp_alerts"])
    wrong["exp_alerts"] = []
    assert _promtool(random_alerts, checks, tmp_path)[0] != 0, "one wrong evaluation is noticed"


def _promtool(
    alerts: list[tuple[Alert, dict[str, list[float | None]]]], checks: list[dict[str, Any]], folder: Path
) -> tuple[int, str]:
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expression,
            "for": f"{alert.hold:g}s",
            "keep_firing_for": f"{alert.keep:g}s",
            "labels": dict(alert.labels),
        }
        for alert, _ in alerts
    ]
    inputs = [
        {"series": name, "values": " ".join("_" if value is None else f"{value:g}" for value in values)}
        for _, series in alerts
        for name, values in series.items()
    ]
    (folder / "rules.yaml").write_text(dump({"groups": [{"name": "all", "interval": "1m", "rules": rules}]}))
    test = {"interval": "1m", "input_series": inputs, "alert_rule_test": checks}
    file = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "tests.yaml").write_text(dump(file))
    answer = promtool("test", "rules", "tests.yaml", folder=folder)
    return answer.returncode, answer.stdout[-2000:] + answer.stderr[-2000:]


def test_an_episode_that_began_before_is_known_and_one_that_goes_on_has_no_end(tmp_path: Path) -> None:
    up = {'up{job="shop"}': [*steady(0, 0, 7200), *steady(1, 7200, 10800), *steady(0, 10800, 14400)]}
    alert = Alert("Down", "up == 0", 600, 0, 15)
    with opened(written(up, tmp_path), 30) as (server, end):
        window = Window.between(BEGIN + 3600, end, 15, 615)
        budget = Budget(server, 1_000_000, 30, sleep=lambda _: None)
        found = outcome(alert, "", history("up == 0", window, Cost(0, 1), budget, lambda _: None), window, BEGIN + 3600)
    first, last = found.firings
    assert (first.start, first.end, first.before_window, first.goes_on) == (BEGIN + 3600, BEGIN + 7200, True, False)
    assert (last.start, last.before_window, last.goes_on) == (BEGIN + 11400, False, True)
    assert last.end == end == BEGIN + 14385
