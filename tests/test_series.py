"""How many series a stack has: counted by hand, and never fewer for more services, instances or machines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.config import StackConfig, parse_stack
from components.objectives import RECORDS
from components.onboarding import expected_series
from components.rules import chosen_groups
from components.series import CLUSTER, SCRAPE_SERIES, Circumstances, Source, recorded_series, sources
from components.sizing import load_of
from tests.support import changed, config_of, plan_of, planned, stack, stack_object

SHOP: dict[str, Any] = {
    "name": "shop",
    "team": "web",
    "port": 80,
    "discovery": {"static": {"targets": ["one", "two", "three"]}},
    "metrics": {
        "shop_carts_total": {"type": "counter", "labels": {"country": ["de", "fr"], "route": 5}},
        "shop_wait_seconds": {"type": "histogram", "labels": {"route": 5}, "buckets": [0.1, 0.5, 1]},
        "shop_size_bytes": {"type": "summary"},
    },
}
"""Each of its three instances has 2 x 5 + 5 x (3 + 3) + 5 = 45 series."""
PRODUCTS = ("prometheus", "alertmanager")


def found(config: StackConfig, *products: str, given: Circumstances | None = None) -> dict[str, Source]:
    """The sources of a stack of these products, by name."""
    products = products or PRODUCTS
    every = sources(config, products, chosen_groups(config, products), given)
    return {source.name: source for source in every}


def test_a_service_counts_by_what_it_declares() -> None:
    shop = found(stack(services=[SHOP]))["shop"]
    assert (shop.targets, shop.series, shop.basis) == (3, 3 * (45 + SCRAPE_SERIES), "declared")
    assert (shop.interval, shop.rate) == (15, 10)
    assert found(stack(services=[{**SHOP, "interval": "30s"}]))["shop"].rate == 5
    assert found(stack(services=[SHOP], scrape__interval="1m"))["shop"].rate == 2.5


@pytest.mark.parametrize(
    ("chosen", "each"),
    [
        ({"drop": ["shop_wait_seconds_bucket"]}, 45 - 5 * 4),
        ({"drop": ["shop_wait_.*"]}, 45 - 5 * 6),
        ({"keep": ["shop_carts_total", "shop_size_bytes_(sum|count)"]}, 10 + 2),
        ({"keep": ["shop_.*"], "drop": ["shop_size_bytes"]}, 45 - 3),
        ({"keep": ["nothing"]}, 0),
    ],
)
def test_what_is_not_stored_does_not_count(chosen: dict[str, list[str]], each: int) -> None:
    assert expected_series(stack(services=[{**SHOP, **chosen}]).services[0]) == 3 * each


def test_a_service_that_declares_nothing_counts_by_a_guess_within_its_budget() -> None:
    bare = {key: value for key, value in SHOP.items() if key != "metrics"}
    shop = found(stack(services=[bare]))["shop"]
    assert (shop.series, shop.basis) == (1500 + 3 * SCRAPE_SERIES, "undeclared")
    assert found(stack(services=[{**bare, "series_budget": 600}]))["shop"].series == 600 + 3 * SCRAPE_SERIES


def test_twice_the_load_of_the_services_is_no_more_of_the_stack_itself() -> None:
    config = stack(services=[SHOP])
    once, twice = found(config), found(config, given=Circumstances(scale=2))
    assert twice["shop"].series == 2 * once["shop"].series
    assert twice["alertmanager"] == once["alertmanager"]


def test_probes_by_their_intervals_and_that_of_the_own_certificate() -> None:
    probes = [
        {"name": "home", "target": "https://example.com"},
        {"name": "fast", "target": "https://example.com/fast", "interval": "5s"},
    ]
    config = stack(probes=probes)
    every = sources(config, ("prometheus", "blackbox-exporter"), {})
    assert [(each.targets, each.interval) for each in every if each.name == "probes"] == [(1, 5), (1, 15)]
    assert "probes" not in found(config)


def test_machines_count_where_they_are_watched() -> None:
    config = config_of("k8s-dev")
    products = [service.name for service in plan_of("k8s-dev").services]
    one = found(config, *products)
    five = found(config, *products, given=Circumstances(nodes=5))
    for name in ("node-exporter", "cadvisor", "kubelet"):
        assert five[name].series == 5 * one[name].series
        assert five[name].targets == 5
    assert five["apiserver"] == one["apiserver"]
    assert one["apiserver"].series == CLUSTER["apiserver"] + SCRAPE_SERIES
    unwatched = stack_object("k8s-dev")
    unwatched["kubernetes"]["monitor"] = {"kubelet": False, "api_server": False, "dns": False}
    assert not {"kubelet", "apiserver", "coredns"} & {*found(parse_stack(unwatched, "k8s-dev"), *products)}


def test_what_copies_beside_each_program_counts_as_one_product() -> None:
    names = ("prometheus", "prometheus-2", "backup-prometheus", "backup-prometheus-2", "backup-grafana")
    copies = found(stack(), *names)["backup"]
    assert (copies.targets, copies.series, copies.basis) == (3, 3 * (6 + SCRAPE_SERIES), "measured")
    assert found(stack(), "prometheus", "backup")["backup"].series == 6 + SCRAPE_SERIES


def test_every_replica_is_asked() -> None:
    config = stack(high_availability={"alertmanager": 3, "one_host": True})
    products = [service.name for service in planned(config).services]
    one, three = found(stack(), "prometheus", "alertmanager", "jaeger"), found(config, *products)
    assert (three["alertmanager"].targets, three["alertmanager"].series) == (3, 3 * one["alertmanager"].series)
    assert three["prometheus"].targets == 1
    assert three["jaeger"] == one["jaeger"]


def test_objects_of_the_cluster_count_by_containers() -> None:
    config = config_of("k8s-dev")
    every = [
        found(config, "prometheus", "kube-state-metrics", given=Circumstances(nodes=nodes, containers=containers))
        for nodes, containers in ((1, 30), (10, 30), (10, 50))
    ]
    few, more, most = (each["kube-state-metrics"].series for each in every)
    assert (more - few, most - more) == (9 * 30 * 25, 10 * 20 * 25)


def test_the_example_services_count_once() -> None:
    config = config_of("demo")
    names = set(found(config, *(service.name for service in plan_of("demo").services)))
    assert {service.name for service in config.services} <= names
    assert "demo-exporter" not in names, "a program, whose metrics are several services"


def test_objectives_record_one_series_of_each_kind() -> None:
    promise = {"availability": {"target": "99.9%"}, "latency": {"target": "99%", "threshold": "500ms"}}
    plain = {**SHOP, "metrics": {}, "exposes": ["http"]}
    bare, promised = stack(services=[plain]), stack(services=[{**plain, "objectives": promise}])
    more = recorded_series(promised, chosen_groups(promised, PRODUCTS)) - recorded_series(
        bare, chosen_groups(bare, PRODUCTS)
    )
    assert more == 2 * len(RECORDS)


@pytest.mark.parametrize(
    ("expression", "series"),
    [
        ("sum by (service, team) (rate(shop_carts_total[5m]))", 1),
        ("sum by (service, team, country) (rate(shop_carts_total[5m]))", 2),
        ('sum by (service, country, route) (rate(shop_carts_total{country="de"}[5m]))', 5),
        ("histogram_quantile(0.9, sum by (service, route, le) (rate(shop_wait_seconds_bucket[5m])))", 5),
        ("max by (service, instance) (shop_carts_total)", 3),
        ("shop_carts_total / 2", 30),
        ("sum(shop_carts_total)", 1),
        ("sum by (service, route) (shop_carts_total) or 0 * sum by (service) (shop_carts_total)", 5),
        ("sum by (service) (scrape_samples_post_metric_relabeling)", 1),
        ("absent(shop_carts_total)", 0),
        ("vector(1)", 1),
        ("up{job='other'}", 0),
    ],
)
def test_a_rule_records_as_many_series_as_its_expression_has_results(expression: str, series: int) -> None:
    groups = {"shop": [{"name": "shop", "rules": [{"record": "a:b", "expr": expression}]}]}
    budgets = 1
    assert recorded_series(stack(services=[SHOP]), groups) == budgets + series
    chained = [{"record": "a:b", "expr": expression}, {"record": "a:c", "expr": "a:b * 2"}]
    assert recorded_series(stack(services=[SHOP]), {"shop": [{"rules": chained}]}) == budgets + 2 * series


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 5), st.integers(1, 150), st.floats(1, 10))
def test_more_of_anything_is_never_less(routes: int, count: int, more: int, interval: int, scale: float) -> None:
    def load(number: int, every: int, by: float, services: int) -> tuple[int, float]:
        metrics = {"shop_carts_total": {"type": "counter", "labels": {"route": routes}}}
        each = changed({**SHOP, "metrics": metrics}, instances=number + 2, discovery={"dns": {"names": ["a.example"]}})
        config = stack(
            services=[{**each, "name": f"shop{'x' * index}"} for index in range(services)],
            scrape={"interval": f"{every}s", "timeout": "1s"},
        )
        measured = load_of(sources(config, PRODUCTS, {}, Circumstances(scale=by)), 86400)
        return measured.series, measured.rate

    base = load(count, interval, 1, 1)
    assert load(count + more, interval, 1, 1) >= base
    assert load(count, interval, 1, 1 + more) >= base
    assert load(count, interval, scale, 1) >= base
    slower = load(count, min(150, interval + more), 1, 1)
    assert slower[0] == base[0]
    assert slower[1] <= base[1]
