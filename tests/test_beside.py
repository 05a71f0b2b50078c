"""Rules and dashboards of the user's own: named in the stack file, checked, deployed as they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.config import StackFileError
from components.config.own_files import own_name
from components.plan import plan_stack_file
from components.spec import Plan
from operations.chain import chain_checks
from operations.results import Status
from operations.stored import used_metrics

RULES = """\
groups:
  - name: shop
    rules:
      - alert: ShopQueueLong
        expr: shop_queue_length{job=~"(?i)shop"} > 5
        for: 5m
        labels: {severity: warning, category: shop, team: web}
        annotations: {summary: The queue is long, description: "{{ $value }} orders wait"}
"""
BOARD = {
    "uid": "shop",
    "title": "Shop",
    "panels": [{"type": "row", "panels": [{"targets": [{"expr": "shop_orders"}]}]}],
}


def write(folder: Path, keys: str, rules: str = RULES, board: Any = BOARD) -> Path:
    (folder / "rules").mkdir()
    (folder / "rules" / "Shop.yaml").write_text(rules)
    (folder / "shop.json").write_text(board if isinstance(board, str) else json.dumps(board))
    path = folder / "Pulumi.test.yaml"
    path.write_text(f"config:\n  observatory:stack: {{environment: test, {keys}}}\n")
    return path


def content(plan: Plan, path: str) -> str:
    (file,) = (one for each in (*plan.services, *plan.withheld) for one in each.files if one.path == path)
    return file.content


def test_own_files_are_deployed_as_they_stand(tmp_path: Path) -> None:
    path = write(tmp_path, "rule_files: [rules/Shop.yaml], dashboard_files: {Web shop: [shop.json]}")
    config, plan = plan_stack_file(str(path))
    assert content(plan, "rules/own-shop.yaml") == RULES
    assert json.loads(content(plan, "dashboards/Web shop/own-shop.json")) == BOARD
    checks = {check.name: check for check in chain_checks(config, plan)}
    assert [name for name, check in checks.items() if check.status is Status.FAILED] == []
    said = checks["chain: metric to own files"]
    assert (said.status, said.detail.rpartition(": ")[2]) == (Status.NOT_CHECKED, "shop_orders, shop_queue_length")
    assert {"shop_orders", "shop_queue_length"} <= used_metrics(plan), "so keep-list keeps what they need"


def test_an_own_alert_that_nobody_could_be_told_about_fails_the_chain(tmp_path: Path) -> None:
    bare = "groups: [{name: a, rules: [{alert: Mine, expr: up == 0}]}]"
    config, plan = plan_stack_file(str(write(tmp_path, "rule_files: [rules/Shop.yaml]", bare)))
    (failed,) = (check for check in chain_checks(config, plan) if check.status is Status.FAILED)
    assert failed.name == "chain: rule to message"
    assert failed.detail.splitlines() == [
        *(f"Mine has no {key}" for key in ("summary", "description")),
        *(f"Mine has no label {key}" for key in ("severity", "category", "team")),
    ]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("a: [", "while parsing a flow node"),
        ("groups: []", "must be a mapping with the one key `groups`, a list that is not empty"),
        ("groups: [{name: a}]\nother: 1", "must be a mapping with the one key `groups`"),
        ("groups: [{name: a}]", "each of `groups` must have a name and a list of rules"),
        ("groups: [{name: a, rules: []}, {name: a, rules: []}]", "has two groups called a"),
        ("groups: [{name: a, rules: [{alert: B}]}]", "group a, rule 1: must be a mapping with `expr`, which is text"),
        ("groups: [{name: a, rules: [{expr: up}]}]", "group a, rule 1: must have either `alert` or `record`"),
        (
            "groups: [{name: a, rules: [{record: b, alert: c, expr: up}]}]",
            "group a, rule 1: must have either `alert` or `record`",
        ),
        (
            "groups: [{name: a, rules: [{alert: B, expr: up, fro: 5m}]}]",
            "group a, rule 1: unknown key fro; allowed here: alert, ",
        ),
        (
            "groups: [{name: a, rules: [{alert: B, expr: up, labels: {a: 1}}]}]",
            "group a, rule 1: `labels` must be a mapping of names",
        ),
        (
            "groups: [{name: a, rules: [{alert: Watchdog, expr: up}]}]",
            "group a, rule 1: Watchdog is an alert of the product itself",
        ),
        ("groups: [{name: a, rules: [{alert: B, expr: '<secret:x>'}]}]", "must not hold a placeholder of a secret"),
    ],
)
def test_a_rule_file_that_prometheus_could_not_use_is_refused(tmp_path: Path, rules: str, words: str) -> None:
    path = write(tmp_path, "rule_files: [rules/Shop.yaml]", rules)
    with pytest.raises(StackFileError) as caught:
        plan_stack_file(str(path))
    assert f"rule_files[0] (is 'rules/Shop.yaml'): {words}" in str(caught.value)


@pytest.mark.parametrize(
    ("board", "words"),
    [
        ("{", "Expecting property name"),
        ([], "must be a dashboard: a JSON object with a title"),
        ({"uid": "a"}, "must be a dashboard: a JSON object with a title"),
        ({"title": "A"}, "must have a uid of at most 40 letters, digits, - and _"),
        ({"title": "A", "uid": "a b"}, "must have a uid"),
        ({"title": "A", "uid": "a" * 41}, "must have a uid"),
        ({"title": "A", "uid": "red"}, "has the uid red, which is that of a dashboard of the product itself"),
        ({"title": "A", "uid": "a", "panels": {}}, "its `panels` must be a list of objects"),
        ({"title": "A", "uid": "a", "rows": [1]}, "its `rows` must be a list of objects"),
    ],
)
def test_a_dashboard_that_grafana_could_not_use_is_refused(tmp_path: Path, board: Any, words: str) -> None:
    if isinstance(board, dict) and isinstance(board.get("panels"), dict):
        board["panels"] = {"a": 1}
    path = write(tmp_path, "dashboard_files: {Shop: [shop.json]}", board=board)
    with pytest.raises(StackFileError) as caught:
        plan_stack_file(str(path))
    assert f"dashboard_files.Shop[0] (is 'shop.json'): {words}" in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("rule_files: [gone.yaml]", "rule_files[0] (is 'gone.yaml'): No such file or directory"),
        ("rule_files: [a/../../x.yaml]", "must stand below the stack file's folder"),
        ("rule_files: [/etc/x.yaml]", "rule_files[0] (is '/etc/x.yaml'): must be the path of a .yaml or .yml file"),
        ("rule_files: [rules/Shop.yaml, rules/Shop.yaml]", "rule_files[1] (is 'rules/Shop.yaml'): is there twice"),
        ("rule_files: [rules/Shop.yaml, shop.yml]", "would have the same name as rules/Shop.yaml"),
        ("dashboard_files: {../a: [shop.json]}", "is no key that is allowed here; it must be letters, digits, spaces"),
        ("dashboard_files: {A: []}", "dashboard_files.A: must name at least one"),
        ("dashboard_files: {A: [shop.json], B: [shop.json]}", "has the uid shop of shop.json"),
    ],
)
def test_files_that_are_not_there_or_clash_are_refused(tmp_path: Path, keys: str, words: str) -> None:
    path = write(tmp_path, keys)
    with pytest.raises(StackFileError) as caught:
        plan_stack_file(str(path))
    assert words in str(caught.value)


def test_names_are_fit_for_objects_of_a_cluster() -> None:
    assert own_name("rules/Shop_A/errors.v2.yaml") == "own-shop-a-errors-v2"
    assert own_name("dashboards.json") == "own-dashboards"
