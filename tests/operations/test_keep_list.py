"""The metrics that rules and dashboards use, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.yaml_text import dump, load
from operations.chain import chain_checks
from operations.errors import UsageError
from operations.keep_list import keep_list_command, keep_lists
from operations.results import passed
from operations.stored import filled, kept, used_metrics
from tests.support import planned, stack

CHECKOUT: dict[str, Any] = {
    "name": "checkout",
    "team": "payments",
    "port": 8080,
    "discovery": {"static": {"targets": ["one"]}},
    "exposes": ["http"],
    "metrics": {"checkout_unused_total": {"type": "counter"}},
    "objectives": {"latency": {"target": "99%", "threshold": "500ms"}},
}
UNDECLARED = {"name": "legacy", "team": "web", "port": 80, "discovery": {"static": {"targets": ["two"]}}}


def test_a_service_keeps_what_it_declares_and_something_asks_for() -> None:
    config = stack(services=[CHECKOUT, UNDECLARED], grafana={"enabled": False})
    lists = keep_lists(config, planned(config))
    assert {"http_requests_total", "http_request_duration_seconds_bucket"} <= {*lists["checkout"]}
    # The rule about missing metrics asks for every declared one.
    assert "checkout_unused_total" in lists["checkout"]
    assert not [name for name in lists["checkout"] if name.startswith(("prometheus_", "node_", "go_"))]
    assert "up" not in lists["legacy"]
    assert not [name for name in lists["legacy"] if ":" in name or name.startswith("scrape_")]


def test_dashboards_count_as_use() -> None:
    services = {"services": [CHECKOUT]}
    with_grafana, without = stack(**services), stack(**services, grafana={"enabled": False})
    more = used_metrics(planned(with_grafana)) - used_metrics(planned(without))
    assert "prometheus_tsdb_head_series" in used_metrics(planned(with_grafana))
    assert more


def test_what_is_listed_can_be_kept_without_breaking_a_rule() -> None:
    config = stack(services=[CHECKOUT])
    listed = keep_lists(config, planned(config))["checkout"]
    smaller = stack(services=[{**CHECKOUT, "keep": listed}])
    assert passed(chain_checks(smaller, planned(smaller)))
    fewer = stack(services=[{**CHECKOUT, "keep": [name for name in listed if name != "http_requests_total"]}])
    assert not passed(chain_checks(fewer, planned(fewer)))


def test_relabelling_by_name_decides_what_is_stored() -> None:
    keep = {"source_labels": ["__name__"], "regex": "a_.*|b", "action": "keep"}
    drop = {"source_labels": ["__name__"], "regex": "a_c", "action": "drop"}
    other = {"source_labels": ["path"], "regex": "x", "action": "drop"}
    names = ["a_c", "a_d", "b", "bb", "c"]
    assert [name for name in names if kept(name, [keep, drop, other])] == ["a_d", "b"]
    assert [name for name in names if kept(name, [])] == names


@pytest.mark.parametrize(
    ("query", "valid"),
    [
        ('rate(a{b=~"$service"}[$__rate_interval])', 'rate(a{b=~".*"}[5m])'),
        ("max_over_time(a[$__range:1m])", "max_over_time(a[5m:1m])"),
        ('a{b=~"${team}"}', 'a{b=~".*"}'),
    ],
)
def test_variables_are_filled_in(query: str, valid: str) -> None:
    assert filled(query) == valid


def written(folder: Path) -> str:
    """A stack file with the two services."""
    file = folder / "Pulumi.shop.yaml"
    stack_object = {"environment": "shop", "services": [CHECKOUT, UNDECLARED]}
    file.write_text(dump({"config": {"observatory:stack": stack_object}}))
    return str(file)


def test_the_command_prints_what_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keep_list_command(written(tmp_path), "checkout", json=False) == 0
    first, second = capsys.readouterr().out.split("# or in a Prometheus of your own, in its scrape job:")
    (service,) = load(first)
    (step,) = load(second)["metric_relabel_configs"]
    assert service["name"] == "checkout"
    assert step == {"source_labels": ["__name__"], "regex": "|".join(service["keep"]), "action": "keep"}


def test_the_command_in_json_and_with_an_unknown_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keep_list_command(written(tmp_path), None, json=True) == 0
    assert set(json.loads(capsys.readouterr().out)["services"]) == {"checkout", "legacy"}
    with pytest.raises(UsageError, match="has no service shop; there are checkout, legacy"):
        keep_list_command(written(tmp_path), "shop", json=True)
