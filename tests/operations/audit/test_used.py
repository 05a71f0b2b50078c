"""Nothing is suggested for leaving out that a rule, an objective or a dashboard asks for."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.catalogue import everything_known
from components.promql import selectors
from operations import consistency
from operations.audit.counted import Counted, Job
from operations.audit.suggest import folded, suggestions
from operations.audit.used import Used, recorded_by, used_by, used_in
from operations.stored import known_metrics, panel_queries, rules, used_metrics
from tests.support import EVERYTHING, STACKS, config_of, plan_of, planned, stack

WORDS = ["go", "gc", "http", "requests", "total", "seconds", "bucket", "cpu", "x1"]
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map("_".join)


def server(by_job: dict[str, dict[str, int]], interval: float = 15) -> Counted:
    found = Counted(0, 0, None)
    for job, metrics in by_job.items():
        found.jobs[job] = Job(job, (job,), 1, interval, sum(metrics.values()))
        found.series |= {(job, name): series for name, series in metrics.items()}
    return found


def left_out(made: list[Any]) -> dict[str, list[str]]:
    return {each.job.name: list(each.patterns) for each in made}


@given(
    st.dictionaries(NAMES, st.integers(1, 100), min_size=1, max_size=25),
    st.sets(NAMES, max_size=12),
    st.lists(st.sampled_from(["go_.*", "http_requests.*", ".*_bucket", "cpu|x1", "(go|cpu)_total.*"]), max_size=2),
)
def test_no_pattern_ever_matches_what_is_used(metrics: dict[str, int], names: set[str], patterns: list[str]) -> None:
    asked = [*names, *(f'{{__name__=~"{pattern}"}}' for pattern in patterns)]
    used = used_in(f"sum({each})" for each in asked)
    found = server({"shop": metrics, "cart": metrics})
    made = suggestions(stack(), found, used, ())
    for each in made:
        gone = {name for name in metrics if any(re.fullmatch(pattern, name) for pattern in each.patterns)}
        assert gone == {*each.metrics}
        assert each.series == sum(metrics[name] for name in gone)
        for name in {*names, *metrics}:
            wanted = name in names or any(re.fullmatch(pattern, name) for pattern in patterns)
            assert not (wanted and any(re.fullmatch(pattern, name) for pattern in each.patterns))
    unused = {name for name in metrics if name not in used}
    assert {name for each in made for name in each.metrics} == unused


@pytest.mark.parametrize("name", [*STACKS, "everything"])
def test_everything_that_a_stacks_rules_and_dashboards_ask_for_is_used(name: str) -> None:
    config = stack(**EVERYTHING) if name == "everything" else config_of(name)
    plan = planned(config)
    used = used_by(plan, ())
    wanted, recorded = used_metrics(plan), recorded_by(plan)
    assert [metric for metric in wanted if metric not in used] == []
    asked = {rule["expr"] for _, rule in rules(plan)} | {expression for _, _, expression in panel_queries(plan)}
    assert len(asked) > 100
    # Every metric that there is, in every job that there may be.
    everything = known_metrics(config, plan) | everything_known()
    jobs = [*(service.name for service in config.services), "prometheus", "node-exporter"]
    made = suggestions(config, server({job: dict.fromkeys(everything, 2) for job in jobs}), used, recorded)
    assert {each.job.name for each in made} == {*jobs}
    for each in made:
        assert each.patterns
        broken = [
            (pattern, metric)
            for pattern in each.patterns
            for metric in wanted | recorded
            if re.fullmatch(pattern, metric)
        ]
        assert broken == []


def test_variables_of_dashboards_are_uses_too() -> None:
    plan = plan_of("prod")
    used = used_by(plan, ())
    grafana = consistency.grafana_of(plan)
    assert grafana
    asked = set()
    for text in consistency.dashboards(grafana).values():
        for variable in json.loads(text)["templating"]["list"]:
            if variable["type"] == "query":
                query = variable["query"] if isinstance(variable["query"], str) else variable["query"]["query"]
                asked |= set(re.findall(r"label_values\(([a-zA-Z_:][\w:]*)[{,]", query))
    assert len(asked) > 3
    assert [metric for metric in asked if metric not in used] == []


def test_objectives_are_uses() -> None:
    service = {
        "name": "shop",
        "team": "web",
        "port": 80,
        "discovery": {"static": {"targets": ["shop"]}},
        "exposes": ["http"],
        "objectives": {"availability": {"target": "99.9%"}, "latency": {"target": "99%", "threshold": "500ms"}},
    }
    config = stack(services=[service], grafana={"enabled": False})
    used = used_by(planned(config), ())
    found = server({"shop": {"http_requests_total": 5, "http_request_duration_seconds_bucket": 5, "shop_idle": 5}})
    assert left_out(suggestions(config, found, used, ())) == {"shop": ["shop_idle"]}


def test_rules_that_run_and_are_not_planned_are_uses() -> None:
    config = stack()
    used = used_by(planned(config), ["sum(rate(shop_sold_total[5m])) > 1"])
    found = server({"shop": {"shop_sold_total": 3, "shop_idle": 2}})
    assert left_out(suggestions(config, found, used, ())) == {"shop": ["shop_idle"]}


@pytest.mark.parametrize(
    ("expression", "metric", "expected"),
    [
        ("rate(a_total[5m])", "a_total", True),
        ("rate(a_total[5m])", "a", False),
        ('{__name__=~"a_.*"}', "a_total", True),
        ('{__name__=~"a_.*"}', "b_total", False),
        ('{__name__="b_total"}', "b_total", True),
        ('{__name__="b_total"}', "a_total", False),
        ('count({job="shop"})', "anything", True),
        ('{job="shop",__name__!="a"}', "b", True),
        ("vector(1)", "up", True),
        ("vector(1)", "scrape_duration_seconds", True),
        ("vector(1)", "ALERTS", True),
    ],
)
def test_what_counts_as_use(expression: str, metric: str, expected: bool) -> None:
    assert selectors(expression) or expression == "vector(1)"
    assert (metric in used_in([expression])) is expected


def test_a_beginning_stands_for_names_only_where_it_is_safe() -> None:
    nothing = Used(frozenset(), ())
    go = {"go_gc_a", "go_gc_b", "go_gc_c"}
    assert folded(go, (), nothing) == ("go_gc_.*",)
    assert folded({"go_gc_a", "go_gc_b"}, (), nothing) == ("go_gc_a", "go_gc_b")
    assert folded(go, {"go_gc_kept"}, nothing) == ("go_gc_a", "go_gc_b", "go_gc_c")
    assert folded(go, (), used_in(['{__name__=~"go_gc_kept.*"}'])) == ("go_gc_a", "go_gc_b", "go_gc_c")
    assert folded({"go_a", "go_b", "go_c"}, (), nothing) == ("go_a", "go_b", "go_c"), "one word alone is too much"


def test_what_is_recorded_federated_or_not_scraped_is_left_alone() -> None:
    config = stack(federation=[{"name": "eu", "url": "https://eu.example.com"}])
    found = server({"shop": {"idle": 1, "job:idle:sum": 4, "own_record": 9}, "federate-eu": {"idle": 7}})
    found.series["", "idle"] = 3
    found.jobs["gone"] = Job("gone")
    found.series["gone", "idle"] = 3
    made = suggestions(config, found, used_in(()), {"own_record"})
    assert left_out(made) == {"shop": ["idle"]}


def test_what_is_saved_follows_from_series_and_interval() -> None:
    config = stack(
        services=[{"name": "shop", "team": "web", "port": 80, "discovery": {"static": {"targets": ["shop"]}}}],
        retention={"time": "10d"},
    )
    found = server({"shop": {"idle": 300}, "other": {"idle": 30}}, interval=30)
    shop, other = suggestions(config, found, used_in(()), ())
    assert (shop.series, shop.rate, shop.memory, shop.disk) == (300, 10, 300 * 8192, round(10 * 1.3 * 864_000))
    assert shop.data(["old_.*"])["stack_file"] == {"name": "shop", "drop": ["old_.*", "idle"]}
    assert shop.data([])["metric_relabel_configs"] is None
    assert other.data([])["stack_file"] is None
    (step,) = other.data([])["metric_relabel_configs"]
    assert step == {"source_labels": ["__name__"], "regex": "idle", "action": "drop"}
    assert [each.job.name for each in suggestions(config, found, used_in(()), (), least=31)] == ["shop"]
