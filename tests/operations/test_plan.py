"""`plan` as data and as a table."""

from __future__ import annotations

from typing import Any

import pytest

from operations.plan import describe, lines, plan_command
from tests.support import ACCESS, EVERYTHING, plan_of, planned, stack


def test_services_with_endpoints_volumes_and_resources() -> None:
    config = stack(resources__prometheus={"memory": "2GB", "cpus": 1.5})
    described = describe(config, planned(config, without=["grafana"]))
    by_name = {service["name"]: service for service in described["services"]}
    prometheus = by_name["prometheus"]
    assert prometheus["endpoints"] == [
        {"name": "http", "internal": "prometheus:9090", "scheme": "http", "published": "127.0.0.1:9090"}
    ]
    assert prometheus["volumes"] == [{"name": "prometheus-data", "path": "/prometheus"}]
    assert (prometheus["memory"], prometheus["cpus"], prometheus["withheld"]) == (2048, 1.5, False)
    assert prometheus["image"].startswith("quay.io/prometheus/prometheus:v3.13.5")
    assert (by_name["grafana"]["withheld"], by_name["grafana"]["image"]) == (True, None)
    assert described["withheld"] == ["grafana"]


def test_totals_are_those_of_what_is_deployed() -> None:
    config = stack()
    plan = planned(config, without=["grafana"])
    assert describe(config, plan)["totals"] == {
        "services": 6,
        "memory": sum(service.resources.memory for service in plan.services),
        "cpus": sum(service.resources.cpus for service in plan.services),
        "volumes": 3,
    }


def test_targets_and_how_they_are_found() -> None:
    config = stack(**EVERYTHING)
    targets = {target["job"]: target for target in describe(config, planned(config))["targets"]}
    assert targets["shop"]["addresses"] == ["shop-1:8080", "shop-2:81"]
    assert targets["prometheus"]["scheme"] == "https"
    assert [targets[job]["discovery"] for job in ("batch", "cart", "ledger")] == [["file"], ["docker"], ["dns"]]
    assert targets["probe-home"]["path"] == "/probe"


def test_series_that_services_are_expected_to_bring() -> None:
    shop = {
        "name": "shop",
        "team": "web",
        "port": 80,
        "discovery": {"static": {"targets": ["one", "two"]}},
        "metrics": {"shop_carts_total": {"type": "counter", "labels": {"route": 1000}}},
    }
    old = {"name": "old", "team": "web", "port": 80, "discovery": {"static": {"targets": ["one"]}}}
    config = stack(services=[shop, old])
    described = describe(config, planned(config))
    assert described["series"] == [
        {"service": "shop", "instances": 2, "expected": 2000, "budget": 10000, "memory": 2000 * 8192},
        {"service": "old", "instances": 1, "expected": 0, "budget": 10000, "memory": 0},
    ]
    table = "\n".join(lines(described))
    assert "2,000" in table
    assert "16MB" in table
    assert "not declared" in table


def test_where_secrets_are_needed() -> None:
    config = stack(access=ACCESS)
    secrets = {secret["name"]: secret for secret in describe(config, planned(config))["secrets"]}
    assert secrets["accessPassword"]["services"][-2:] == ["prometheus", "grafana"]
    assert secrets["accessPassword"]["generated"] is False
    assert secrets["grafanaAdminPassword"] == {
        "name": "grafanaAdminPassword",
        "services": ["grafana"],
        "generated": True,
    }


@pytest.mark.parametrize("name", ["dev", "prod", "everything", "small"])
def test_the_table_names_everything(name: str) -> None:
    plan = plan_of(name)
    text = "\n".join(lines(describe(stack(), plan)))
    for service in plan.services:
        assert service.name in text
        assert service.image in text
        for port in service.ports:
            assert not port.published or f":{port.published}" in text
    for secret in {secret for service in plan.services for secret in service.secrets}:
        assert secret in text


def test_ipv6_addresses_are_in_brackets() -> None:
    config = stack(**EVERYTHING)
    text = "\n".join(lines(describe(config, planned(config))))
    assert "[::1]:19093" in text


def test_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    config = stack()
    assert "grafana is left out" in "\n".join(lines(describe(config, planned(config, without=["grafana"]))))
    assert plan_command("dev", json=False) == 0
    assert "SERVICE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kubernetes", "where"),
    [
        (None, "on loopback"),
        ({"context": "test"}, "inside of the cluster"),
        (
            {"context": "test", "ingress": {"tls_secret": "web", "hosts": {"grafana": "grafana.example.com"}}},
            "at its hosts",
        ),
    ],
)
def test_what_is_open_says_to_whom(kubernetes: dict[str, Any] | None, where: str) -> None:
    config = stack(**({"platform": "kubernetes", "kubernetes": kubernetes} if kubernetes else {}))
    assert lines(describe(config, planned(config)))[0].endswith(f": open, {where}")
