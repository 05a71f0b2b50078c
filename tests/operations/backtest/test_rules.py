"""Which alerts a backtest runs, and what of the rules it takes from where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.plan import plan_stack_file
from operations.backtest.compare import Report
from operations.backtest.rules import Rules, planned_rules, read_rules, rules_at
from operations.backtest.run import Backtest, chosen
from operations.backtest.snapshot import opened
from operations.budget import Budget
from operations.errors import UsageError
from tests.operations.backtest.blocks import BEGIN, steady, written

RULED = """\
config:
  observatory:stack:
    environment: ruled
    services:
      - {name: shop, team: web, port: 80, discovery: {static: {targets: [shop]}}, exposes: [http]}
    storage: {backend: thanos, bucket: {name: metrics, region: eu-central-1}, ruler: [http]}
"""
RECORD = {"record": "job:load:avg", "expr": "avg by (job) (load)"}
HIGH = {"alert": "High", "expr": "job:load:avg > 2", "for": "5m", "labels": {"severity": "page"}}
DOWN = {"alert": "Down", "expr": "up == 0"}


def rules(*found: dict[str, Any]) -> Rules:
    return read_rules([("shop", {"name": "shop", "rules": [*found]})], 15)


def test_both_sides_have_the_rules_of_a_ruler(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.ruled.yaml"
    file.write_text(RULED)
    now = planned_rules(*plan_stack_file(str(file)))
    before, remark = rules_at("HEAD", str(file))
    assert "HEAD has no Pulumi.ruled.yaml" in remark
    assert now.alerts.keys() == before.alerts.keys()
    assert "APIHighErrorRate" in {name for _, name, _ in before.alerts}


def changes(now: Rules, before: Rules, *names: str) -> dict[str, str]:
    return {name: change for (_, name, _), change in chosen(now, before, names)}


def test_what_differs_is_run_and_what_is_named() -> None:
    base = rules(RECORD, HIGH, DOWN)
    assert changes(base, base) == {}
    assert changes(rules(RECORD, {**HIGH, "for": "300s"}, DOWN), base) == {}, "the same time in other words"
    assert changes(rules(RECORD, {**HIGH, "labels": {"severity": "ticket"}}, DOWN), base) == {}
    assert changes(rules(RECORD, {**HIGH, "for": "10m"}, DOWN), base) == {"High": "changed"}
    assert changes(rules(RECORD, {**HIGH, "keep_firing_for": "1m"}, DOWN), base) == {"High": "changed"}
    assert changes(rules({**RECORD, "expr": "max by (job) (load)"}, HIGH, DOWN), base) == {"High": "changed"}
    assert changes(rules(RECORD, HIGH), base) == {"Down": "removed"}
    assert changes(base, rules(RECORD, HIGH)) == {"Down": "new"}
    assert changes(base, base, "Down") == {"Down": "same"}
    with pytest.raises(UsageError) as error:
        chosen(base, base, ["Dwon"])
    assert str(error.value) == "error: this stack has no alert Dwon\nhint: there are Down, High"


def test_two_rules_of_one_name_are_two() -> None:
    twice = rules(DOWN, {**DOWN, "for": "1h"})
    assert len(twice.alerts) == 2
    assert [key[2] for key, change in chosen(rules(DOWN, {**DOWN, "for": "2h"}), twice, ()) if change == "changed"] == [
        1
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four hours: load 3 in the second hour and for 4 minutes in the third; recorded as `job:load:avg` a tenth off."""
    load = [*steady(1, 0, 3600), *steady(3, 3600, 7200), *steady(1, 7200, 9000), *steady(3, 9000, 9240)]
    load += steady(1, 9240, 14400)
    samples = {
        'up{job="shop"}': steady(1, 0, 14400),
        'load{job="shop"}': load,
        'job:load:avg{job="shop"}': [(at, value + 0.1) for at, value in load],
    }
    return written(samples, tmp_path_factory.mktemp("load"))


def run(now: Rules, before: Rules, data: Path, *names: str) -> dict[str, Any]:
    with opened(data, 30) as (server, end):
        report = Report("test", "data", "HEAD", BEGIN + 600, end)
        budget = Budget(server, 10**7, 30, sleep=lambda _: None)
        Backtest(now, before, report.start, end, budget).run(report, chosen(now, before, names))
    found: dict[str, Any] = report.data()
    return found


def test_a_changed_rule_beside_the_one_it_replaces(data: Path) -> None:
    before = rules(RECORD, HIGH)
    found = run(rules(RECORD, {**HIGH, "for": "1m"}), before, data)
    assert found["complete"]
    assert found["notes"] == []
    (alert,) = found["alerts"]
    assert (alert["alert"], alert["change"], alert["notes"]) == ("High", "changed", [])
    now, old = alert["now"], alert["before"]
    assert (now["firings"], now["firing_seconds"], now["longest"], now["pending_only"]) == (2, 3540 + 180, 3540, 0)
    assert (old["firings"], old["firing_seconds"], old["longest"], old["pending_only"]) == (1, 3300, 3300, 1)
    assert alert["difference"] == {"both": 3300, "only_now": 240 + 180, "only_before": 0}
    assert old["episodes"] == [
        {
            "labels": {"job": "shop", "severity": "page"},
            "start": BEGIN + 3900,
            "end": BEGIN + 7200,
            "before_window": False,
            "goes_on": False,
        }
    ]
    assert found["cost"]["counted_by_the_server"]
    assert 0 < found["cost"]["samples"] <= 10**7


def test_a_recording_rule_that_changed_is_written_out_for_the_new_rule_alone(data: Path) -> None:
    # What the server recorded is above 3.05, what the changed rule would have recorded is not.
    over = {**HIGH, "expr": "job:load:avg > 3.05"}
    before, now = rules(RECORD, over), rules({**RECORD, "expr": "max by (job) (load)"}, over)
    (alert,) = run(now, before, data)["alerts"]
    assert (alert["now"]["firings"], alert["before"]["firings"]) == (0, 1)
    assert alert["now"]["asked"] == "(max by (job) (load)) > 3.05"
    assert alert["before"]["asked"] is None
    assert alert["notes"] == ["job:load:avg written out: the server has not recorded it so"]


def test_what_the_server_never_recorded_is_written_out_or_refused(data: Path) -> None:
    other = {"record": "job:load:max", "expr": "max by (job) (load)"}
    found = rules(other, {**HIGH, "expr": "job:load:max > 2"})
    (alert,) = run(found, found, data, "High")["alerts"]
    assert (alert["now"]["firings"], alert["now"]["asked"]) == (1, "(max by (job) (load)) > 2")

    absent = rules(other, {**HIGH, "expr": "absent(job:load:max)"})
    (alert,) = run(absent, absent, data, "High")["alerts"]
    assert alert["now"] is None
    assert alert["notes"] == [
        "not run: it asks absent() of job:load:max, and the server has no job:load:max as these rules record it"
    ]


def test_new_and_removed_alerts_have_one_side(data: Path) -> None:
    found = run(rules(RECORD, DOWN), rules(RECORD, HIGH), data)
    by_name = {each["alert"]: each for each in found["alerts"]}
    assert (by_name["Down"]["before"], by_name["Down"]["now"]["firings"]) == (None, 0)
    assert (by_name["High"]["now"], by_name["High"]["before"]["firings"]) == (None, 1)


def test_labels_by_a_template_are_those_of_the_result(data: Path) -> None:
    labels = {"team": '{{ or $labels.team "platform" }}', "of": "{{ $labels.job }}"}
    found = rules({"alert": "High", "expr": "load > 2", "labels": labels})
    (alert,) = run(found, found, data, "High")["alerts"]
    assert alert["now"]["episodes"][0]["labels"] == {"job": "shop", "of": "shop", "team": "platform"}


def test_results_that_the_rules_labels_make_alike_are_told(data: Path) -> None:
    found = rules({"alert": "Any", "expr": '{job="shop"} > 0', "labels": {"job": "any"}})
    (alert,) = run(found, found, data, "Any")["alerts"]
    assert "evaluations would fail: two results have the same labels" in alert["notes"][0]


def test_a_shorter_history_is_told(data: Path) -> None:
    with opened(data, 30) as (server, end):
        report = Report("test", "data", "HEAD", end - 86400, end)
        budget = Budget(server, 10**7, 30, sleep=lambda _: None)
        found = rules(DOWN)
        Backtest(found, found, report.start, end, budget).run(report, chosen(found, found, ["Down"]))
    assert report.notes[0].startswith("the server has samples of the last ")
