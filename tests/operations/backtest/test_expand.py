"""Recorded metrics written out: what is asked in their place answers as they would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.promql import metrics_in
from components.yaml_text import dump
from operations.backtest.expand import NotExpanded, expanded
from operations.backtest.history import Cost, Window, history
from operations.backtest.rules import Recording, Rules, read_rules
from operations.backtest.snapshot import opened
from operations.budget import Budget
from tests.operations.backtest.blocks import BEGIN, promtool, written

HOURS = 3
GROUPS: list[dict[str, Any]] = [
    {
        "record": "job:errors:rate5m",
        "expr": "sum by (job, zone) (rate(errors_total[5m])) > 0.01",
        "labels": {"team": "$web"},
    },
    {"record": "job:errors:ratio", "expr": "job:errors:rate5m / on (job, zone) load"},
    {"record": "limit", "expr": "vector(1)", "labels": {"kind": "low"}},
    {"record": "limit", "expr": "vector(3)", "labels": {"kind": "high"}},
]
ASKED = (
    "job:errors:rate5m > 0.05",
    'job:errors:rate5m{zone="b"} > 0.05',
    'job:errors:rate5m{zone!="b"} > 0.05',
    'job:errors:rate5m{zone=~"a|c.*"}',
    'job:errors:rate5m{zone!~"a|c.*", team="$web"}',
    'job:errors:rate5m{team!="$web"}',
    'job:errors:rate5m{absent=""}',
    "job:errors:rate5m offset 10m > 0.05",
    "max_over_time(job:errors:rate5m[10m]) > 0.08",
    "avg_over_time(job:errors:ratio[7m] offset 3m) > 0.02",
    "count_over_time(job:errors:rate5m[10m]) == 9",
    "job:errors:ratio > 0.03 and on (job) limit > 0",
    'load * on () group_left () limit{kind="high"} > 8',
    "topk(1, job:errors:rate5m) unless job:errors:ratio > 0.05",
    "-job:errors:rate5m < -0.05",
)


@pytest.fixture(scope="module")
def recorded() -> Rules:
    return read_rules([("shop", {"name": "shop", "interval": "30s", "rules": GROUPS})], 30)


def test_what_is_written_out_fires_when_the_rule_over_what_is_recorded_does(recorded: Rules, tmp_path: Path) -> None:
    values: dict[str, list[float | None]] = {}
    for number, (job, zone) in enumerate([("shop", "a"), ("shop", "b"), ("cart", "c1"), ("cart", "")]):
        counts, loads, total = list[float | None](), list[float | None](), 0.0
        for place in range(HOURS * 240):
            total += ((place // 40 + number) % 4) * 0.5
            counts.append(None if (place // 60 + number) % 5 == 4 else total)
            loads.append(1.0 + (place // 50) % 3)
        values[f'errors_total{{job="{job}",zone="{zone}"}}'] = counts
        values[f'load{{job="{job}",zone="{zone}"}}'] = loads
    samples = {
        name: [(BEGIN + place * 15, value) for place, value in enumerate(found) if value is not None]
        for name, found in values.items()
    }
    window = Window(BEGIN, HOURS * 120, 30)
    checks: list[dict[str, Any]] = []
    told = 0
    with opened(written(samples, tmp_path), 30) as (server, _):
        for number, expression in enumerate(ASKED):
            text = expanded(expression, recorded.records, recorded.records.keys(), 30)
            assert not recorded.records.keys() & metrics_in(text)
            found = history(text, window, Cost(0, 100), Budget(server, 10**9, 30, sleep=lambda _: None), lambda _: None)
            told += any(len(runs) > 1 for runs in found.runs.values())
            for evaluation in range(120, window.evaluations, 3):
                there = [labels for labels, runs in found.runs.items() if any(a <= evaluation <= b for a, b in runs)]
                expected = [{"exp_labels": {k: v for k, v in labels if k != "__name__"}} for labels in there]
                check = {"eval_time": f"{evaluation * 30}s", "alertname": f"A{number}", "exp_alerts": expected}
                checks.append(check)
    assert told >= 10, "most of them come and go"
    assert (answer := _tested(values, checks, tmp_path)).returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    next(check for check in checks if check["exp_alerts"])["exp_alerts"] = []
    assert _tested(values, checks, tmp_path).returncode != 0, "one wrong answer is noticed"


def _tested(values: dict[str, list[float | None]], checks: list[dict[str, Any]], folder: Path) -> Any:
    """What promtool says of these alerts, by the rules over what it records itself."""
    alerts = [{"alert": f"A{number}", "expr": expression} for number, expression in enumerate(ASKED)]
    (folder / "rules.yaml").write_text(dump({"groups": [{"name": "all", "rules": [*GROUPS, *alerts]}]}))
    series = [
        {"series": name, "values": " ".join("_" if value is None else f"{value:g}" for value in found)}
        for name, found in values.items()
    ]
    test = {"interval": "15s", "input_series": series, "alert_rule_test": checks}
    file = {"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [test]}
    (folder / "tests.yaml").write_text(dump(file))
    return promtool("test", "rules", "tests.yaml", folder=folder)


def test_only_what_is_missing_is_written_out(recorded: Rules) -> None:
    text = expanded("job:errors:ratio > 1", recorded.records, {"job:errors:ratio"}, 30)
    assert "job:errors:rate5m" in text
    assert "job:errors:ratio" not in text
    assert expanded("xjob:errors:ratio > 1", recorded.records, {"job:errors:ratio"}, 30) == "xjob:errors:ratio > 1"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("absent(limit)", "it asks absent() of limit"),
        ("absent_over_time(limit[5m])", "it asks absent_over_time() of limit"),
        ("limit @ 100", "it asks for limit at a fixed time (@)"),
        ('{__name__=~"lim.*"}', "it selects metrics by a pattern of names"),
    ],
)
def test_what_cannot_be_written_out_is_refused(recorded: Rules, expression: str, reason: str) -> None:
    with pytest.raises(NotExpanded) as error:
        expanded(expression, recorded.records, recorded.records.keys(), 30)
    assert str(error.value) == reason


def test_a_matcher_against_the_rules_own_label_matches_nothing() -> None:
    records = {"limit": (Recording("vector(1)", (("kind", "low"),), 30.0),)}
    assert expanded('limit{kind=~"high|top"} > 0', records, records, 30) == "(vector(1) < 0) > 0"
    assert "vector(1)), " in expanded('limit{kind=~"lo."} > 0', records, records, 30)
