"""Datadog: the grammar of its queries, their PromQL, monitors as rules, widgets as panels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.yaml_text import load
from operations.migrate.datadog.dashboards import migrate_dashboard
from operations.migrate.datadog.monitors import Monitors, is_monitor
from operations.migrate.datadog.queries import (
    Binary,
    Call,
    Number,
    Query,
    Scope,
    Tag,
    Unreadable,
    parse_queries,
)
from operations.migrate.datadog.scopes import CannotTranslate
from operations.migrate.datadog.table import metric
from operations.migrate.datadog.translate import Translation
from operations.migrate.report import Node
from tests.operations.migrate.support import assert_complete, assert_valid, bundle, item, outcomes


def test_a_query_is_read_as_it_is_written() -> None:
    (tree,) = parse_queries("avg:system.cpu.user{env:prod, !host:a, $region} by {host,env}.rollup(max, 60).as_rate()")
    assert tree == Query(
        "avg",
        "system.cpu.user",
        Scope(True, (Tag("env", ("prod",)), Tag("host", ("a",), True), Tag("", ("$region",)))),
        ("host", "env"),
        (("rollup", tree.methods[0][1]), ("as_rate", ())),
    )
    assert parse_queries("top(sum:a.b{*}, 5, 'mean', 'desc')")[0].name == "top"
    assert parse_queries("a{*} / 2 * 3 - -1")[0] == Binary(
        "-",
        Binary("*", Binary("/", Query("avg", "a", Tag("", ("*",))), Number("2")), Number("3")),
        Number("-1"),
    )
    assert len(parse_queries("sum:a{*}, sum:b{host IN (x,y) AND (k:1 OR k:2)}")) == 2
    assert isinstance(parse_queries("abs(query1 + query2)")[0], Call)


@pytest.mark.parametrize("text", ["", "avg:", "avg:a{", "avg:a{b}}", "sum(a{*}", "a{*} by host", "a{*} +", "{*}"])
def test_what_is_no_query_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Unreadable, match=r"cannot be read|ends too early"):
        parse_queries(text)


QUERIES = {
    "avg:system.load.1{*}": "avg(node_load1)",
    "max:system.load.1{host:web-1} by {host}": 'max by (instance) (node_load1{instance="web-1"})',
    "sum:system.net.bytes_rcvd{env:prod,!device:lo}": (
        'sum(rate(node_network_receive_bytes_total{environment="prod",device!="lo"}[5m]))'
    ),
    "avg:system.cpu.idle{host:web-*}": (
        'avg(100 * avg without (cpu, mode) (rate(node_cpu_seconds_total{mode="idle",instance=~"web-.*"}[5m])))'
    ),
    "sum:shop.orders{*}.as_count()": "sum(increase(shop_orders[5m]))",
    "sum:shop.orders{*} by {team}.as_rate()": "sum by (team) (rate(shop_orders[5m]))",
    "sum:shop.orders{*}.as_count().rollup(sum, 3600)": "sum(increase(shop_orders[1h]))",
    "avg:shop.queue{*}.rollup(max, 60)": "avg(max_over_time(shop_queue[1m]))",
    "avg:shop.queue{zone IN (a,b)}": 'avg(shop_queue{zone=~"a|b"})',
    "avg:shop.queue{zone:a OR zone:b}": 'avg(shop_queue{zone=~"a|b"})',
    "avg:shop.queue{NOT (zone:a OR zone:b)}": 'avg(shop_queue{zone!="a",zone!="b"})',
    "100 * (sum:a.b{*} / (sum:a.c{*} + 1))": "100 * (sum(a_b) / (sum(a_c) + 1))",
    "abs(avg:a{*})": "abs(avg(a))",
    "top(avg:a{*} by {x}, 5, 'mean', 'desc')": "topk(5, avg by (x) (a))",
    "bottom10(avg:a{*} by {x})": "bottomk(10, avg by (x) (a))",
    "timeshift(avg:a{*}, -3600)": "last_over_time((avg(a))[1m:1m] offset 1h)",
    "moving_rollup(avg:a{*}, 300, 'max')": "max_over_time((avg(a))[5m:])",
    "clamp_min(avg:a{*}, 0)": "clamp_min(avg(a), 0)",
    "p95:web.time{*} by {route}": "histogram_quantile(0.95, sum by (route, le) (rate(web_time_bucket[5m])))",
    "sum:trace.flask.request.hits{service:shop}.as_rate()": (
        'sum(rate(traces_span_metrics_calls_total{service="shop"}[5m]))'
    ),
    "avg:aws.elb.request_count{*}": "avg(aws_elb_request_count_sum)",
    "default_zero(sum:a{*})": "sum(a)",
    "count_nonzero(sum:a{*} by {host})": "count((sum by (instance) (a)) != 0)",
}


@pytest.mark.parametrize("text", QUERIES)
def test_a_query_in_promql(text: str) -> None:
    made = Translation().expression(parse_queries(text)[0])
    assert made == QUERIES[text]
    promql_parser.parse(made)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("anomalies(avg:a{*}, 'basic', 2)", "the function anomalies()"),
        ("avg:a{x:1 OR y:2}", "alternatives over several tags"),
        ("avg:a{$gone}", "is no template variable here"),
        ("timeshift(avg:a{*}, 60)", "it looks into the future"),
        ("query7 + 1", "it names query7"),
        ("max:trace.x.duration{*}", "a histogram has no max"),
    ],
)
def test_what_promql_cannot_say_is_said(text: str, words: str) -> None:
    with pytest.raises(CannotTranslate) as caught:
        Translation().expression(parse_queries(text)[0])
    assert words in str(caught.value)


def test_every_entry_of_the_table_is_promql_with_and_without_matchers() -> None:
    path = Path(__file__).parents[3] / "operations/migrate/datadog/metrics.yaml"
    names = [name.replace("*", "web.request") for name in load(path.read_text())["metrics"]]
    assert len(names) > 60
    for name in names:
        assert "guess" not in metric(name)
        for scope in ("*", "env:prod,host:a"):
            for query in (f"avg:{name}{{{scope}}}", f"sum:{name}{{{scope}}} by {{host}}.as_count()"):
                promql_parser.parse(Translation().expression(parse_queries(query)[0]))


WORDS = st.sampled_from(["host", "env", "a.b", "x_1", "prod", "web-*"])
TAGS = st.builds("{}:{}".format, st.sampled_from(["env", "host", "zone"]), WORDS) | st.just("*")
SCOPES = st.lists(TAGS | TAGS.map("!{}".format), min_size=1, max_size=3).map(",".join)
BASE = st.builds(
    "{}:{}{{{}}}{}{}".format,
    st.sampled_from(["avg", "sum", "min", "max"]),
    st.sampled_from(["system.cpu.user", "shop.orders", "system.mem.pct_usable", "kubernetes.memory.usage"]),
    SCOPES,
    st.sampled_from(["", " by {host}", " by {host,env}"]),
    st.sampled_from(["", ".as_count()", ".as_rate()", ".rollup(sum, 60)", ".fill(zero)"]),
)
TREES = st.recursive(
    BASE | st.integers(0, 9).map(str),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner)
        | st.builds("{}({})".format, st.sampled_from(["abs", "log10", "default_zero", "top5", "per_second"]), BASE)
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(TREES)
def test_whatever_can_be_translated_is_promql(text: str) -> None:
    made = Translation().expression(parse_queries(text)[0])
    promql_parser.parse(made)


MONITORS: list[dict[str, Any]] = [
    {
        "id": 1,
        "name": "High CPU on {{host.name}}",
        "type": "metric alert",
        "query": "avg(last_5m):avg:system.cpu.user{env:prod} by {host} > 90",
        "message": "{{#is_alert}}CPU is {{value}} over {{threshold}} on {{host.name}} "
        "in {{env.name}}{{/is_alert}} @slack-ops",
        "tags": ["team:Web Shop", "service:shop"],
        "options": {
            "thresholds": {"critical": 90, "warning": 80, "critical_recovery": 70},
            "notify_no_data": True,
            "no_data_timeframe": 20,
            "renotify_interval": 60,
        },
    },
    {
        "id": 2,
        "name": "Errors",
        "type": "query alert",
        "query": "sum(last_10m):sum:shop.errors{*}.as_count() / sum:shop.orders{*}.as_count() >= 0.05",
    },
    {"id": 3, "name": "Both", "type": "composite", "query": "1 && !2"},
    {"id": 4, "name": "Logs", "type": "log alert", "query": "logs(...)"},
    {"id": 5, "name": "Anomaly", "type": "query alert", "query": "avg(last_4h):anomalies(avg:a{*}, 'agile', 2) >= 1"},
    {
        "id": 6,
        "name": "Agent",
        "type": "service check",
        "query": '"datadog.agent.up".over("env:prod").by("host").last(2).count_by_status()',
    },
    {
        "id": 7,
        "name": "Drop",
        "type": "metric alert",
        "query": "pct_change(avg(last_5m),last_1h):sum:shop.orders{*} < -50",
    },
    {"id": 8, "name": "Lost", "type": "composite", "query": "4 || 99"},
    {"id": 9, "name": "No query", "type": "metric alert"},
    {"id": 10, "name": "Changed", "type": "metric alert", "query": "avg(last_5m):avg:a{*} > "},
]


def test_monitors_become_alerts_with_their_thresholds(tmp_path: Path) -> None:
    made, root = bundle(), Node("monitors.json", (), {"monitors": MONITORS})
    monitors = Monitors(made, "platform")
    monitors.add(root)
    monitors.finish()
    assert_complete(made.report, root)
    assert outcomes(made.report) == {
        "High CPU on {{host.name}}": "approximated",
        "Errors": "approximated",
        "Both": "approximated",
        "Logs": "not possible",
        "Anomaly": "not possible",
        "Agent": "approximated",
        "Drop": "approximated",
        "Lost": "not possible",
        "No query": "not possible",
        "Changed": "not possible",
    }
    rules = {(rule["alert"], rule["labels"]["severity"]): rule for rule in made.rules["datadog-monitors"][0]["rules"]}
    high = rules["HighCPUOn", "critical"]
    rates = 'rate(node_cpu_seconds_total{mode="user",environment="prod"}[5m])'
    cpu = f"avg by (instance) (100 * avg without (cpu, mode) ({rates}))"
    assert high["expr"] == f"avg_over_time(({cpu})[5m:1m]) > 90"
    assert rules["HighCPUOn", "warning"]["expr"].endswith("> 80")
    assert high["labels"] == {"severity": "critical", "category": "migrated", "service": "shop", "team": "web-shop"}
    text = "CPU is {{ $value }} over 90 on {{ $labels.instance }} in (env.name)"
    assert high["annotations"] == {"summary": "High CPU on {{ $labels.instance }}", "description": text}
    assert rules["HighCPUOnNoData", "warning"]["expr"].startswith("absent_over_time((avg by (instance)")
    assert "[20m:1m]" in rules["HighCPUOnNoData", "warning"]["expr"]
    assert rules["Errors", "critical"]["expr"] == (
        "(sum(increase(shop_errors[10m])) / sum(increase(shop_orders[10m]))) >= 0.05"
    )
    assert " and on () absent(" in rules["Both", "critical"]["expr"]
    assert rules["Agent", "critical"]["expr"] == 'up{environment="prod"} == 0'
    assert "offset 1h" in rules["Drop", "critical"]["expr"]
    told = item(made.report, "High CPU on {{host.name}}")
    assert told.todo == "route it to @slack-ops"
    for words in ("threshold itself", "not renotify_interval", "all groups are missing"):
        assert words in told.detail
    assert_valid(made, tmp_path / "out")


def test_exports_of_monitors_are_told_from_dashboards() -> None:
    assert is_monitor(MONITORS[0])
    assert is_monitor(MONITORS)
    assert is_monitor({"definition": MONITORS[0]})
    assert is_monitor({"monitors": []})
    assert not is_monitor(BOARD)
    assert not is_monitor([])


CPU = {"q": "avg:system.cpu.user{$env} by {host}"}
NEW = {
    "queries": [
        {"name": "a", "data_source": "metrics", "query": "sum:shop.orders{*}.as_rate()"},
        {"name": "b", "data_source": "logs", "search": {"query": "x"}},
    ],
    "formulas": [{"formula": "a * 60", "alias": "per minute"}, {"formula": "b"}],
}
BOARD: dict[str, Any] = {
    "title": "Shop",
    "layout_type": "ordered",
    "template_variables": [{"name": "env", "prefix": "env", "default": "prod"}, {"name": "host"}, {}],
    "widgets": [
        {"definition": {"type": "timeseries", "title": "CPU", "requests": [CPU], "markers": [{"value": "y = 1"}]}},
        {
            "definition": {
                "type": "group",
                "title": "Group",
                "widgets": [
                    {"definition": {"type": "query_value", "title": "Rate", "requests": [NEW], "precision": 1}},
                    {"definition": {"type": "note", "content": "hello"}, "layout": {"width": 4, "height": 2}},
                ],
            }
        },
        {"definition": {"type": "toplist", "title": "Top", "requests": [{"q": "avg:a{*} by {host}"}]}},
        {"definition": {"type": "log_stream", "title": "Logs"}},
        {"definition": {"type": "hostmap", "title": "Map", "requests": {"fill": CPU}}},
        {"definition": {"type": "timeseries", "title": "Odd", "requests": [{"q": "avg:a{"}]}},
        {"definition": {"type": "heatmap", "title": "Heat", "requests": [CPU]}},
        {"definition": {"type": "image", "url": "https://example.com/x.png"}},
        {"id": 1},
    ],
}


def test_widgets_become_panels_or_notes(tmp_path: Path) -> None:
    made, root = bundle(), Node("board.json", (), BOARD)
    migrate_dashboard(made, root, "Datadog")
    assert_complete(made.report, root)
    assert outcomes(made.report, "widget") == {
        "CPU": "approximated",
        "Rate": "approximated",
        "note": "carried over",
        "Top": "approximated",
        "Logs": "not possible",
        "Map": "not possible",
        "Odd": "not possible",
        "Heat": "approximated",
        "image": "approximated",
        "widgets[8]": "not possible",
    }
    (board,) = made.dashboards["Datadog"].values()
    panels = {panel["title"]: panel for panel in board["panels"]}
    assert panels["CPU"]["targets"][0]["expr"] == (
        "avg by (instance) (100 * avg without (cpu, mode) (rate("
        'node_cpu_seconds_total{mode="user",environment=~"${env}"}[$__rate_interval])))'
    )
    assert panels["CPU"]["targets"][0]["legendFormat"] == "{{instance}}"
    assert "without markers" in item(made.report, "CPU").detail
    assert panels["Rate"]["targets"][0]["expr"] == "sum(rate(shop_orders[$__rate_interval])) * 60"
    assert panels["Rate"]["targets"][0]["legendFormat"] == "per minute"
    assert "it asks for logs" in item(made.report, "Rate").detail
    assert panels["Top"]["targets"][0]["expr"] == "topk(10, avg by (instance) (a))"
    assert panels["Top"]["type"] == "bargauge"
    assert panels["Logs"]["type"] == "text"
    env = board["templating"]["list"][1]
    assert (env["name"], env["definition"]) == ("env", "label_values(environment)")
    assert env["current"]["value"] == ["prod"]
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "env", "host"]
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in board["panels"]]
    assert len(set(places)) == len(places)
    assert_valid(made, tmp_path / "out")


def test_what_is_no_dashboard_is_one_item() -> None:
    made = bundle()
    migrate_dashboard(made, Node("x.json", (), {"title": "x"}), "F")
    assert [each.outcome for each in made.report.items] == ["not possible"]


KEYS = st.sampled_from(
    [
        "widgets",
        "definition",
        "type",
        "title",
        "requests",
        "q",
        "queries",
        "formulas",
        "query",
        "name",
        "layout",
        "width",
        "height",
        "template_variables",
        "prefix",
        "default",
        "yaxis",
        "data_source",
        "formula",
        "dashboard",
    ]
)
VALUES = (
    st.none() | st.booleans() | st.integers(-5, 30) | st.sampled_from(["group", "timeseries", "note", "avg:a{*}", "x"])
)
ANYTHING = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=30
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(KEYS, ANYTHING, min_size=1, max_size=6))
def test_whatever_a_file_holds_it_ends_in_items(data: dict[str, Any]) -> None:
    made, root = bundle(), Node("any.json", (), json.loads(json.dumps(data)))
    migrate_dashboard(made, root, "F")
    assert_complete(made.report, root)
