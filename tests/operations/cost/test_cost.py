"""The bills against sums done by hand, the list of prices against its own rules, and what may stand in its place."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from typer.testing import CliRunner

from components.config import StackFileError
from components.config.base import seconds
from components.series import Circumstances
from operations.app import app
from operations.cost.bills import PLATFORMS, Bill, monthly_cost
from operations.cost.command import answer, lines
from operations.cost.load import MONTH, CostLoad, Usage, cost_load
from operations.cost.prices import OLD, Own, Price, combined, from_file, from_stack
from operations.errors import CommandError
from operations.size import Question, sized
from tests.support import STACKS, config_of, plan_of, planned, stack

LOAD = CostLoad(
    series=300_000,
    own_series=100_000,
    rate=20_000.0,
    nodes=10,
    containers=20,
    spans=100.0,
    users=5,
    queries=1.0,
    hours=2.0,
    alerts=100,
    dashboards=12,
    cpus=5.0,
    memory=12.0,
    disk=(100.0, 200.0),
    bucket=(1000.0, 2000.0),
    retention=30 * 86400.0,
)
BUCKET = {"backend": "thanos", "bucket": {"name": "acme-metrics", "region": "eu-central-1"}}


def bills(load: CostLoad = LOAD, *own: Own) -> dict[str, Bill]:
    return {bill.platform: bill for bill in monthly_cost(load, combined(*own))}


def amounts(platform: str, load: CostLoad = LOAD) -> dict[str, Any]:
    return {line.item: line.amount for line in bills(load)[platform].lines}


def test_self_hosted_by_hand() -> None:
    found = amounts("self-hosted")
    assert found["machine"] == pytest.approx((2.5 * 59.57, 3 * 59.57))  # 5 cores decide, not 12 GiB
    assert found["disk"] == pytest.approx((8, 16))
    assert found["bucket"] == pytest.approx((23, 46))
    assert bills(LOAD, Own("me", {"prices": {"self-hosted": {"work": 80}}}))["self-hosted"].lines[-1].amount == (
        160,
        160,
    )


def test_datadog_by_hand() -> None:
    found = amounts("datadog")
    assert found["hosts"] == (150, 180)
    assert found["containers"] == pytest.approx((150, 219))
    assert found["custom_metrics"] == pytest.approx(((100_000 - 1000) * 0.05, (300_000 - 1000) * 0.05))
    assert found["apm_hosts"] == (310, 480)
    assert found["indexed_spans"] == pytest.approx((0, (262.8 - 10) * 1.7))
    assert found["ingested_spans"] == (0, 0), "131 GB of 1,500"


def test_new_relic_by_hand() -> None:
    samples = 20_000 * 730 * 3600
    found = amounts("new-relic")
    low, high = (samples * size / 1e9 + 131.4 - 100 for size in (30, 150))
    assert found["data"] == pytest.approx((low * 0.4, high * 0.6))
    assert (found["first_user"], found["further_users"]) == ((10, 10), (396, 396))
    many = amounts("new-relic", replace(LOAD, users=6))
    assert many["pro_users"] == pytest.approx((6 * 349, 6 * 418.8))
    assert "first_user" not in many


def test_grafana_cloud_by_hand() -> None:
    found = amounts("grafana-cloud")
    assert found["series"] == pytest.approx(((1200 - 10) * 6.5, (1200 - 10) * 8))  # 1.2 million samples a minute
    slow = amounts("grafana-cloud", replace(LOAD, rate=2_500.0))
    assert slow["series"] == pytest.approx(((300 - 10) * 6.5, (300 - 10) * 8))
    assert found["traces"] == pytest.approx((81.4 * 0.45, 81.4 * 0.5))
    assert (found["users"], found["platform"]) == ((16, 16), (19, 19))


def test_cloudwatch_by_hand() -> None:
    found = amounts("cloudwatch")
    metrics = 10_000 * 0.3 + 240_000 * 0.1 + (300_000 - 10 - 250_000) * 0.05
    assert found["metrics"] == pytest.approx((metrics, metrics))
    requests = (300 * 43_800 / 1000 - 1000) * 0.01
    assert found["requests"] == pytest.approx((requests, requests))
    assert found["alarms"] == pytest.approx((9, 9))
    assert found["dashboards"] == (27, 27)
    assert found["traces"] == pytest.approx(((26.28 - 0.1) * 5,) * 2)


def test_amazon_prometheus_by_hand() -> None:
    found = amounts("amazon-prometheus")
    samples = 200 * 0.9 + (20_000 * MONTH / 1e7 - 4 - 200) * 0.35
    assert found["samples"] == pytest.approx((samples, samples))
    stored = 20_000 * 150 * 86_400 / 1e9
    assert found["storage"] == pytest.approx(((stored - 10) * 0.03, (2 * stored - 10) * 0.03))
    assert found["queries"] == pytest.approx((0, (262.8 - 200) * 0.1))
    assert found["users"] == (25, 45)


def test_without_traces_nobody_bills_any() -> None:
    items = {line.item for bill in bills(replace(LOAD, spans=0.0)).values() for line in bill.lines}
    assert items & {"apm_hosts", "indexed_spans", "ingested_spans", "traces"} == set()


@settings(max_examples=50, deadline=None)
@given(
    some.floats(1, 50),
    some.sampled_from(["series", "rate", "nodes", "spans", "users", "queries", "hours"]),
)
def test_more_load_is_never_cheaper(factor: float, field: str) -> None:
    value = getattr(LOAD, field)
    more = replace(LOAD, **{field: type(value)(value * factor)})
    for name, bill in bills(more).items():
        before = bills()[name]
        assert 0 <= bill.total[0] <= bill.total[1]
        # Each machine comes with metrics and spans that are free of charge: with more machines others may be saved.
        if (name, field) != ("datadog", "nodes"):
            assert bill.total[0] >= before.total[0] - 1e-6
            assert bill.total[1] >= before.total[1] - 1e-6


def test_every_listed_price_is_used_and_says_where_it_is_from() -> None:
    prices = combined().prices
    assert prices.keys() == PLATFORMS.keys()
    used = {name: {line.item for line in bill.lines} for name, bill in bills().items()}
    used["new-relic"] |= {"pro_users", "sample_bytes"}
    used["amazon-prometheus"].add("query_samples")
    for name, items in prices.items():
        assert items.keys() == used[name]
        for item, price in items.items():
            assert price.source.startswith("https://") or "own assumption" in price.source, item
            assert price.basis in ("provider", "other", "unconfirmed"), item
            assert price.seen.startswith("https://") == (price.basis == "other"), item


@pytest.mark.parametrize("name", STACKS)
def test_the_load_is_that_of_size(name: str) -> None:
    config, plan = config_of(name), plan_of(name)
    load, other = cost_load(config, plan, Usage(Circumstances())), sized(config, plan, Question())
    assert load.series == other["series"]
    assert load.rate == pytest.approx(other["rate"])
    assert 0 <= load.own_series < load.series
    assert load.alerts > 20
    assert load.disk[0] < load.disk[1]
    assert (load.bucket[1] > 0) == config.storage.thanos
    json.dumps(answer(name, load, combined(), dt.date(2026, 11, 22)))


def test_the_load_follows_the_stack() -> None:
    small = stack()
    service: dict[str, Any] = {"name": "shop", "team": "web", "discovery": {"static": {"targets": ["a:1", "b:1"]}}}
    large = stack(services=[service], storage=BUCKET, tracing={"backend": "none"})
    before, after = (cost_load(each, planned(each), Usage(Circumstances())) for each in (small, large))
    assert (before.own_series, after.own_series) == (0, 2 * 505)
    assert (before.spans, after.spans) == (10, 0)
    assert after.retention == seconds("3y")
    assert after.bucket[0] < after.bucket[1]
    endless = stack(
        storage={**BUCKET, "retention": {"raw": "forever", "five_minutes": "forever", "one_hour": "forever"}}
    )
    assert cost_load(endless, planned(endless), Usage(Circumstances())).bucket[0] > 0


def test_what_another_database_keeps_takes_disk_as_well() -> None:
    here, there = (
        cost_load(each, planned(each), Usage(Circumstances())) for each in (stack(), stack(storage="victoria"))
    )
    assert there.retention == seconds("1y")
    samples = there.rate * seconds("1y")
    assert there.disk[0] - here.disk[0] == pytest.approx(samples * 0.4 * 1.2 / 1e9, rel=0.1)


def test_what_cortex_keeps_in_a_bucket_is_no_disk() -> None:
    bucket = {"name": "acme-metrics", "region": "eu-central-1"}
    disk, far = (
        cost_load(each, planned(each), Usage(Circumstances()))
        for each in (stack(storage="cortex"), stack(storage={"backend": "cortex", "bucket": bucket}))
    )
    assert disk.bucket[1] == 0
    assert far.bucket[0] > 0
    assert disk.disk[0] > far.disk[0]
    assert disk.retention == far.retention


def test_own_prices_win_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("date: 2027-01-01\nprices: {datadog: {hosts: 9, apm_hosts: {price: [10, 20]}}}\n")
    config = stack(prices={"datadog.hosts": 12, "new-relic.data": [0.1, 0.2]})
    found = combined(from_stack(config.prices, "Pulumi.test.yaml"), from_file(file))
    datadog, relic = found.prices["datadog"], found.prices["new-relic"]
    assert (datadog["hosts"].range, datadog["hosts"].basis, datadog["hosts"].source) == ((9, 9), "own", str(file))
    assert (datadog["apm_hosts"].range, relic["data"].range, relic["data"].free) == ((10, 20), (0.1, 0.2), 100)
    assert relic["data"].source == "Pulumi.test.yaml"
    assert found.date == dt.date(2027, 1, 1)


def test_a_single_price_replaces_tiers() -> None:
    found = combined(Own("me", {"prices": {"cloudwatch": {"metrics": 0.02}}})).prices["cloudwatch"]["metrics"]
    assert found.amount((100.0, 200.0)) == pytest.approx((2, 4))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"prices": {"datadogg": {}}}, "did you mean datadog?"),
        ({"prices": {"datadog": {"host": 1}}}, "did you mean hosts?"),
        ({"prices": {"datadog": 1}}, "prices.datadog must be a mapping"),
        ({"prices": [1]}, "prices must be a mapping"),
    ],
)
def test_what_the_list_has_not_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(CommandError) as error:
        combined(Own("prices.yaml", data))
    assert message in str(error.value)
    assert "prices.yaml" in str(error.value)


@pytest.mark.parametrize(
    "price",
    [-1, "cheap", [2, 1], [1], float("nan"), {"tiers": [[10, 1]]}, {"price": 1, "tiers": [[None, 1]]}, {"x": 1}],
)
def test_what_is_no_price_is_refused(price: Any) -> None:
    with pytest.raises(StackFileError) as error:
        combined(Own("prices.yaml", {"prices": {"datadog": {"hosts": price}}}))
    assert "prices.datadog.hosts" in str(error.value)


def test_tiers_are_counted_one_after_the_other() -> None:
    price = Price(tiers=((10, 1), (10, 0.5), (None, 0.1)), unit="x", source="s", basis="own")
    assert price.amount((5.0, 35.0)) == (5, 10 + 5 + 1.5)
    assert price.range == (0.1, 1)


def test_an_old_list_is_called_old() -> None:
    prices = combined()
    young, old = (answer("x", LOAD, prices, prices.date + dt.timedelta(days=days)) for days in (OLD, OLD + 1))
    assert (young["prices"]["old"], old["prices"]["old"]) == (False, True)
    assert "are 181 days old" in "\n".join(lines(old))
    assert "days old" not in "\n".join(lines(young))


def test_the_command_shows_totals_formulas_and_what_is_uncertain() -> None:
    done = CliRunner().invoke(app, ["cost", "prod", "--nodes", "3", "--rate", "100"])
    assert done.exit_code == 0, done.output
    for words in ("Grafana Cloud", "max(", "* could not be confirmed", "3 machines", "2 x 100 per hour"):
        assert words in done.output
    assert "Work is not counted" not in done.output
    done = CliRunner().invoke(app, ["cost", "prod", "--json"])
    found = json.loads(done.stdout)
    for platform in found["platforms"]:
        assert platform["total"] == pytest.approx(
            [sum(line["amount"][end] for line in platform["lines"]) for end in (0, 1)]
        )


def test_the_command_ends_with_one_error(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    for text, message in (
        ("a: [", "is not valid YAML"),
        ("- 1", "must be a mapping of date"),
        ("price: {}", "mapping of"),
    ):
        file.write_text(text)
        done = CliRunner().invoke(app, ["cost", "dev", "--prices", str(file)])
        assert (done.exit_code, message in done.output) == (1, True), done.output
    assert CliRunner().invoke(app, ["cost", "dev", "--prices", str(tmp_path / "none")]).exit_code == 1
    assert CliRunner().invoke(app, ["cost", "dev", "--users", "0"]).exit_code == 2


@pytest.mark.parametrize("prices", [{"datadog": 1}, {"datadog.hosts": -1}, {"datadog.hosts": [1]}])
def test_a_stack_file_takes_prices_only(prices: dict[str, Any]) -> None:
    with pytest.raises(StackFileError, match="prices"):
        stack(prices=prices)
