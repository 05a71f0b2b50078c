"""Dashboards of another Grafana: kinds of panels, datasources, variables, marks; every part an item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.migrate.grafana.boards import migrate_board, safe_folder
from operations.migrate.grafana.queries import problem
from operations.migrate.report import Node
from tests.operations.migrate.support import assert_complete, assert_valid, bundle, item, outcomes

BOARD: dict[str, Any] = {
    "__inputs": [{"name": "DS_PROM", "type": "datasource", "pluginId": "prometheus"}],
    "__requires": [{"type": "panel", "id": "acme-panel", "version": "2.1.0"}],
    "id": 7,
    "uid": "red",
    "title": "Shop",
    "schemaVersion": 27,
    "panels": [
        {
            "id": 1,
            "type": "graph",
            "title": "Rate",
            "datasource": "${DS_PROM}",
            "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
            "yaxes": [{"format": "reqps", "min": 0, "logBase": 10}, {}],
            "stack": True,
            "seriesOverrides": [{"alias": "/out.*/", "transform": "negative-Y"}],
            "thresholds": [{"value": 5, "colorMode": "critical"}],
            "legend": {"show": True, "avg": True, "rightSide": True},
            "targets": [{"expr": 'sum(rate(x_total{job=~"$job"}[$__rate_interval]))', "refId": "A"}],
            "alert": {"name": "old"},
        },
        {
            "id": 2,
            "type": "singlestat",
            "title": "Up",
            "datasource": None,
            "format": "percent",
            "gauge": {"show": True, "minValue": 0, "maxValue": 100},
            "thresholds": "50,80",
            "colors": ["red", "orange", "green"],
            "targets": [{"expr": "up", "refId": "A"}],
        },
        {
            "id": 3,
            "type": "row",
            "title": "Inside",
            "collapsed": True,
            "panels": [
                {"id": 4, "type": "logs", "title": "Logs", "datasource": "Loki", "targets": [{"expr": "{a=1}"}]},
                {"id": 5, "type": "acme-panel", "title": "Acme", "targets": [{"expr": "up"}]},
            ],
        },
        {"id": 6, "title": "Shared", "libraryPanel": {"uid": "lib", "name": "The library"}},
        {
            "id": 7,
            "type": "timeseries",
            "title": "Mixed",
            "datasource": {"uid": "-- Mixed --"},
            "targets": [
                {"expr": "up", "datasource": {"type": "prometheus", "uid": "P1"}},
                {"expr": "x", "datasource": {"type": "loki", "uid": "L1"}},
            ],
        },
        {"id": 8, "type": "timeseries", "title": "Wrong", "targets": [{"expr": "sum(("}]},
        {"id": 9, "type": "text", "title": "Words", "options": {"content": "hello"}},
        "odd",
    ],
    "templating": {
        "list": [
            {"name": "job", "type": "query", "datasource": "${DS_PROM}", "query": "label_values(up, job)"},
            {"name": "app", "type": "query", "datasource": "Loki", "query": "x", "current": {"value": "a"}},
            {"name": "n", "type": "custom", "query": "1,2"},
            {"name": "logs", "type": "datasource", "query": "loki"},
        ]
    },
    "annotations": {
        "list": [
            {"name": "Built in", "builtIn": 1, "datasource": "-- Grafana --"},
            {"name": "Deploys", "datasource": "${DS_PROM}", "expr": "changes(up[5m])"},
            {"name": "From logs", "datasource": "Loki"},
        ]
    },
}


def migrated(data: Any, tmp_path: Path, file: str = "board.json") -> tuple[Any, dict[str, Any]]:
    made, root = bundle(), Node(file, (), data)
    migrate_board(made, root, "Old boards")
    assert_complete(made.report, root)
    assert_valid(made, tmp_path / "out")
    (board,) = made.dashboards["Old boards"].values()
    return made, board


def test_every_part_of_a_dashboard_is_an_item(tmp_path: Path) -> None:
    made, board = migrated(BOARD, tmp_path)
    assert outcomes(made.report, "panel") == {
        "Rate": "approximated",
        "Up": "approximated",
        "Logs": "not possible",
        "Acme": "approximated",
        "Shared": "not possible",
        "Mixed": "approximated",
        "Wrong": "approximated",
        "Words": "carried over",
        "panels[7]": "not possible",
    }
    assert outcomes(made.report, "variable") == {
        "job": "carried over",
        "app": "not possible",
        "n": "carried over",
        "logs": "not possible",
    }
    assert outcomes(made.report, "annotation") == {
        "Built in": "carried over",
        "Deploys": "carried over",
        "From logs": "not possible",
    }
    assert "acme-panel@2.1.0" in item(made.report, "Acme").detail
    assert "loki" in item(made.report, "Logs").detail
    assert "cannot be read" in item(made.report, "Wrong").detail
    assert "its alert is left out" not in item(made.report, "Rate").detail or board
    assert board["uid"] != "red", "that is a dashboard of the product"
    assert "is not one that can be kept" in item(made.report, "Shop").detail


def test_old_kinds_of_panels_become_todays(tmp_path: Path) -> None:
    _, board = migrated(BOARD, tmp_path)
    rate, up, row, library, mixed, *_ = board["panels"]
    assert rate["type"] == "timeseries"
    assert rate["gridPos"] == {"x": 0, "y": 0, "w": 12, "h": 8}
    defaults = rate["fieldConfig"]["defaults"]
    assert (defaults["unit"], defaults["min"]) == ("reqps", 0)
    assert defaults["custom"]["stacking"]["mode"] == "normal"
    assert defaults["custom"]["scaleDistribution"] == {"type": "log", "log": 10}
    assert defaults["thresholds"]["steps"][1] == {"value": 5, "color": "red"}
    assert rate["fieldConfig"]["overrides"][0]["properties"] == [{"id": "custom.transform", "value": "negative-Y"}]
    assert rate["options"]["legend"] == {
        "showLegend": True,
        "displayMode": "list",
        "placement": "right",
        "calcs": ["mean"],
    }
    assert rate["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert up["type"] == "gauge"
    steps = up["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in steps] == [(None, "red"), (50, "orange"), (80, "green")]
    assert [panel["type"] for panel in row["panels"]] == ["text", "acme-panel"]
    assert "loki" in row["panels"][0]["options"]["content"]
    assert library["type"] == "text"
    assert [target["expr"] for target in mixed["targets"]] == ["up"]
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "job", "app", "n", "logs"]
    assert board["templating"]["list"][2]["type"] == "textbox"


def test_rows_of_the_first_grafana_become_places(tmp_path: Path) -> None:
    panel = {"type": "graph", "title": "A", "span": 6, "targets": [{"expr": "up"}]}
    rows = [
        {"title": "First", "height": "300px", "panels": [panel, panel | {"title": "B"}, panel | {"title": "C"}]},
        {"panels": [panel | {"title": "D", "span": 12}]},
    ]
    _, board = migrated({"title": "Old", "rows": rows}, tmp_path)
    places = {each["title"]: each["gridPos"] for each in board["panels"]}
    assert places == {
        "First": {"x": 0, "y": 0, "w": 24, "h": 1},
        "A": {"x": 0, "y": 1, "w": 12, "h": 10},
        "B": {"x": 12, "y": 1, "w": 12, "h": 10},
        "C": {"x": 0, "y": 11, "w": 12, "h": 10},
        "D": {"x": 0, "y": 21, "w": 24, "h": 8},
    }
    assert len({each["title"] for each in board["panels"]}) == 5


@pytest.mark.parametrize("data", [[], {"title": "x"}, {"apiVersion": "v2", "spec": {}}, {"elements": {}}, 1])
def test_what_is_no_classic_dashboard_is_one_item(data: Any) -> None:
    made, root = bundle(), Node("x.json", (), data)
    migrate_board(made, root, "F")
    (only,) = made.report.items
    assert (only.outcome, made.dashboards) == ("not possible", {})


def test_two_of_one_title_and_uid_get_names_of_their_own(tmp_path: Path) -> None:
    made = bundle()
    for file in ("a.json", "b.json"):
        board = {"dashboard": {"title": "Same", "uid": "same", "panels": [{"type": "text"}]}, "meta": {"x": 1}}
        migrate_board(made, Node(file, (), board), "F")
    assert_valid(made, tmp_path / "out")
    assert {board["uid"] for board in made.dashboards["F"].values()} == {"same", "same-2"}
    assert {board["title"] for board in made.dashboards["F"].values()} == {"Same", "Same-2"}


@pytest.mark.parametrize(
    ("query", "fine"),
    [
        ('sum(rate(x{a="$b", c=~"[[d]]"}[$__interval])) by ($label)', True),
        ("topk($n, up)", True),
        ("$query", True),
        ("rate(${metric}_total[$__range:1m])", True),
        ("up offset $back", True),
        ("up > ${limit:raw} * 2", True),
        ("sum((", False),
        ("rate(up)", False),
    ],
)
def test_queries_are_judged_with_their_variables_filled_in(query: str, fine: bool) -> None:
    assert (problem(query) == "") is fine


SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "graph", "row", "prometheus", "x", "up"])
)
KEYS = st.sampled_from(
    [
        "type",
        "title",
        "panels",
        "rows",
        "targets",
        "expr",
        "datasource",
        "templating",
        "list",
        "annotations",
        "name",
        "gridPos",
        "yaxes",
        "legend",
        "thresholds",
        "uid",
        "libraryPanel",
        "model",
        "span",
        "height",
        "alert",
        "query",
    ]
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=30
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(KEYS, ANYTHING, min_size=1, max_size=6))
def test_whatever_a_file_holds_it_ends_in_items(data: dict[str, Any]) -> None:
    made, root = bundle(), Node("any.json", (), json.loads(json.dumps(data)))
    migrate_board(made, root, "F")
    assert_complete(made.report, root)


def test_folders_get_names_that_grafana_and_a_disk_take() -> None:
    assert safe_folder("Café / Ops: 1") == "Cafe Ops 1"
    assert safe_folder("///") == "Migrated"
