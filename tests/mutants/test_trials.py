"""What is run for a mutant, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.catalogue import RuleFile, rule_file
from mutants import __main__ as command
from mutants import catalogue
from mutants.catalogue import Mutant, SubjectRules, name_of
from mutants.excuses import Excuse, excuses, idle
from mutants.results import Results
from mutants.trials import TrialFailed, Trials, _rounds

RULES = {
    "name": "shop",
    "rules": [
        {"record": "job:orders:rate5m", "expr": "sum by (job) (rate(orders_total[5m]))"},
        {"alert": "NoOrders", "expr": "job:orders:rate5m == 0", "for": "5m", "labels": {"severity": "warning"}},
        {"alert": "Stale", "expr": "stock_age_seconds > 60"},
    ],
}
TESTS = """
rule_files: [shop.yaml]
evaluation_interval: 1m
tests:
  - name: no orders
    interval: 1m
    input_series:
      - {series: 'orders_total{job="shop", instance="a"}', values: 5+0x30}
      - {series: 'orders_total{job="busy", instance="a"}', values: 0+0x30}
      - {series: 'orders_total{job="busy", instance="b"}', values: 0+1x30}
    alert_rule_test:
      - {eval_time: 5m, alertname: NoOrders, exp_alerts: []}
      - {eval_time: 30m, alertname: NoOrders, exp_alerts: [{exp_labels: {job: shop, severity: warning}}]}
      - {eval_time: 30m, alertname: Stale, exp_alerts: []}
  - name: stock
    interval: 1m
    input_series: [{series: stock_age_seconds, values: 61+0x5}]
    alert_rule_test:
      - {eval_time: 5m, alertname: Stale, exp_alerts: [{exp_labels: {}}]}
"""
RECORD, NO_ORDERS, STALE = (0, 0), (0, 1), (0, 2)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SubjectRules:
    """A small subject of its own."""
    monkeypatch.setattr(catalogue, "rule_file", lambda subject: RuleFile(subject, {}, (RULES,)))
    (tmp_path / "shop.yaml").write_text(TESTS)
    return SubjectRules("shop", tmp_path / "shop.yaml")


def names(content: dict[str, list[dict[str, list[dict[str, str]]]]]) -> list[str]:
    return [name_of(rule) for group in content["groups"] for rule in group["rules"]]


def test_a_record_is_tried_with_all_that_asks_for_it(shop: SubjectRules) -> None:
    rules, tests = shop.trial(RECORD)
    assert names(rules) == ["job:orders:rate5m", "NoOrders"]
    assert [test["name"] for test in tests["tests"]] == ["no orders"]
    assert {each["alertname"] for each in tests["tests"][0]["alert_rule_test"]} == {"NoOrders"}


def test_an_alert_is_tried_with_what_it_asks_for(shop: SubjectRules) -> None:
    assert names(shop.trial(NO_ORDERS)[0]) == ["job:orders:rate5m", "NoOrders"]
    rules, tests = shop.trial(STALE)
    assert names(rules) == ["Stale"]
    assert [test["name"] for test in tests["tests"]] == ["no orders", "stock"]


def test_the_rule_is_replaced_and_the_source_stays(shop: SubjectRules) -> None:
    changed = {"alert": "Stale", "expr": "stock_age_seconds < 60"}
    assert shop.trial(STALE, changed)[0]["groups"][0]["rules"] == [changed]
    assert shop.rules[STALE]["expr"] == "stock_age_seconds > 60"


def test_mutants_are_killed_by_the_tests_that_notice_them(shop: SubjectRules) -> None:
    with Trials(jobs=2) as trials:
        ended = trials.killed({"shop": shop}, list(shop.mutants()))
        ends = {f"{mutant.rule}: {mutant.change}": dead for mutant, dead in ended}
    assert ends["job:orders:rate5m: by (job) dropped"]
    assert ends["NoOrders: == -> !="]
    assert ends["NoOrders: == -> >="]
    assert not ends["NoOrders: == -> <="]  # a rate is never negative
    assert ends["NoOrders: for removed"]
    assert not ends["job:orders:rate5m: window 5m -> 10m"]
    assert not ends["Stale: 60 -> 54"]
    assert ends["Stale: 60 -> 66"]
    assert len(ends) == len(list(shop.mutants()))


def test_tests_that_fail_anyway_are_no_proof(shop: SubjectRules) -> None:
    shop.tests["tests"][1]["input_series"][0]["values"] = "1+0x5"
    stale = [mutant for mutant in shop.mutants() if mutant.rule == "Stale"]
    with Trials(jobs=1) as trials, pytest.raises(TrialFailed, match="the tests of Stale fail without any change"):
        list(trials.killed({"shop": shop}, stale))


def test_nothing_is_left_behind(shop: SubjectRules) -> None:
    with Trials(jobs=1) as trials:
        next(trials.killed({"shop": shop}, list(shop.mutants())))
        home = trials._home
        assert home.is_dir()
    assert not home.exists()


def mutant(rule: str, change: str, subject: str = "shop") -> Mutant:
    return Mutant(subject, (0, 0), rule, change, "a > 1", "a >= 1", {})


def test_an_excuse_covers_by_pattern_and_is_idle_without_a_survivor() -> None:
    known = [Excuse("Stale", "60 -> *", "any"), Excuse("Stale", "> -> >=", "any"), Excuse("Other", "x", "any")]
    survivors = [mutant("Stale", "60 -> 66")]
    assert known[0].covers(survivors[0])
    assert not known[1].covers(survivors[0])
    assert idle(known, survivors, {"Stale"}) == [known[1]]
    assert idle(known, survivors, {"Stale", "Other"}) == known[1:]


def test_an_excuse_needs_a_reason(tmp_path: Path) -> None:
    (tmp_path / "excused.yaml").write_text("Stale: {60 -> 66: ''}")
    with pytest.raises(ValueError, match="Stale: 60 -> 66: say why"):
        excuses(tmp_path / "excused.yaml")


def test_excuses_count_neither_as_killed_nor_as_survived() -> None:
    killed = [mutant("Stale", str(number)) for number in range(19)]
    excused = [(mutant("Stale", "e"), Excuse("Stale", "e", "any"))]
    enough = Results(killed, excused, [mutant("Stale", "s")])
    (score, total) = enough.scores()
    assert (score.mutants, score.killed, score.excused, score.survived, score.share) == (21, 19, 1, 1, 0.95)
    assert total.share == score.share
    assert enough.enough()
    assert not Results(killed[1:], excused, [mutant("Stale", "s")]).enough()


def test_one_file_below_the_goal_is_not_made_good_by_others() -> None:
    killed = [mutant("Stale", str(number)) for number in range(1000)]
    assert not Results(killed, [], [mutant("Other", "s", "small")]).enough()


def test_the_report_names_file_alert_and_change() -> None:
    report = Results([], [], [mutant("Stale", "> -> >=")]).report()
    assert "rules/shop.yaml: Stale\n    a > 1\n  survived: > -> >=\n    a >= 1" in report
    assert "below 95%" in report


def test_an_unknown_subject_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["shop"])
    assert "no rules for shop; there are alertmanager" in capsys.readouterr().err


def test_mutants_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list", "grafana"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "grafana: GrafanaAbsent: for 5m -> 10m" in told
    assert told[-1] == f"{len(told) - 1} mutants"


def test_every_excuse_is_for_a_rule_that_exists() -> None:
    """A full run also finds those that no survivor needs."""
    subjects = {path.stem for path in Path("rules").glob("*.yaml")}
    rules = {name_of(rule) for subject in subjects if (file := rule_file(subject)) for rule in file.rules()}
    assert {excuse.rule for excuse in excuses()} - rules == set()


def test_quick_tests_run_first_and_none_is_left_out() -> None:
    def group(name: str, minutes: int) -> dict[str, object]:
        return {"name": name, "alert_rule_test": [{"eval_time": f"{minutes}m", "alertname": "A"}]}

    tests = {
        "rule_files": ["a.yaml"],
        "tests": [group(str(minutes), minutes) for minutes in (60, 5, 1500, 0, 10, 30, 7)],
    }
    rounds = [[each["name"] for each in part["tests"]] for part in _rounds(tests)]
    assert rounds == [["0", "5"], ["7", "10", "30", "60"], ["1500"]]
    assert all(part["rule_files"] == ["a.yaml"] for part in _rounds(tests))


def test_data_for_programs_tells_what_the_report_tells() -> None:
    data = Results([mutant("Stale", "a")], [], [mutant("Stale", "> -> >=")]).data()
    assert data["files"][0] == {
        "subject": "shop",
        "mutants": 2,
        "killed": 1,
        "excused": 0,
        "survived": 1,
        "share": 0.5,
    }
    assert [each["change"] for each in data["survived"]] == ["> -> >="]
