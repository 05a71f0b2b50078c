"""kube-state-metrics offers the catalogue's series of what it watches, and may see nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components.catalogue import exposed_series
from components.config import StackFileError, parse_stack
from components.rules import chosen_groups
from components.services.kube_state_metrics import WATCHED, offered
from components.spec import Service
from tests.support import ACCESS, changed, data, planned, service

MINIMAL: dict[str, Any] = {"environment": "test", "platform": "kubernetes", "kubernetes": {"context": "test"}}
SINGULAR = {
    "nodes": "node",
    "persistentvolumeclaims": "persistentvolumeclaim",
    "pods": "pod",
    "resourcequotas": "resourcequota",
    "daemonsets": "daemonset",
    "deployments": "deployment",
    "statefulsets": "statefulset",
    "cronjobs": "cronjob",
    "jobs": "job",
    "horizontalpodautoscalers": "horizontalpodautoscaler",
    "poddisruptionbudgets": "poddisruptionbudget",
}
"""How the names of the series of a kind begin."""


def one(**changes: Any) -> Service:
    return service(planned(parse_stack(changed(MINIMAL, **changes), "stack")), "kube-state-metrics")


def argument(found: Service, name: str) -> str:
    (value,) = (each.partition("=")[2] for each in found.args if each.startswith(f"--{name}="))
    return value


def test_it_is_told_to_watch_what_it_may_watch() -> None:
    found = one()
    assert found.api
    assert found.api.watched == WATCHED
    assert (found.api.namespaces, found.api.nodes, found.calls) == ((), False, ())
    assert argument(found, "resources").split(",") == sorted(kind.partition(".")[0] for kind in WATCHED)


def test_every_kind_is_watched_for_some_series_and_every_series_is_of_a_watched_kind() -> None:
    kinds = {SINGULAR[kind.partition(".")[0]] for kind in WATCHED}
    assert {name.split("_")[1] for name in offered()} == kinds


def test_it_offers_the_catalogues_series_and_no_longer_name() -> None:
    patterns = argument(one(), "metric-allowlist").split(",")
    assert {name for name in exposed_series("kube-state-metrics") if any(re.search(p, name) for p in patterns)} == (
        offered()
    )
    for longer in ("kube_resourcequota_created", "kube_node_info_x", "x_kube_node_info"):
        assert not any(re.search(pattern, longer) for pattern in patterns)


def test_both_its_ports_are_scraped_and_labels_stay_those_of_the_objects() -> None:
    prometheus = service(planned(parse_stack(MINIMAL, "stack")), "prometheus")
    jobs = {job["job_name"]: job for job in data(prometheus, "prometheus.yml")["scrape_configs"]}
    assert jobs["kube-state-metrics"]["honor_labels"] is True
    assert jobs["kube-state-metrics"]["static_configs"] == [{"targets": ["kube-state-metrics:8080"]}]
    assert jobs["kube-state-metrics-telemetry"]["static_configs"] == [{"targets": ["kube-state-metrics:8081"]}]


def test_access_control_is_followed_by_its_own_flag() -> None:
    protected = one(access=ACCESS)
    assert argument(protected, "tls-config") == "/etc/kube-state-metrics/current/web.yml"
    assert {"web.yml", "tls.crt", "tls.key"} == {file.path for file in protected.files}
    assert not any("tls" in each for each in one().args)


def test_it_is_there_unless_it_is_switched_off_and_its_rules_with_it() -> None:
    config = parse_stack(changed(MINIMAL, kubernetes__monitor={"workloads": False}), "stack")
    assert planned(config).service("kube-state-metrics") is None
    assert "kube-state-metrics" not in chosen_groups(config, ["prometheus"])
    assert planned(parse_stack({"environment": "test"}, "stack")).service("kube-state-metrics") is None


def test_every_rule_of_its_file_is_on_where_it_is() -> None:
    groups = chosen_groups(parse_stack(MINIMAL, "stack"), ["prometheus", "kube-state-metrics"])
    assert len(groups["kube-state-metrics"][0]["rules"]) == 23


def test_its_name_is_taken_from_services() -> None:
    taken = {"name": "kube-state-metrics-telemetry", "team": "web", "discovery": {"static": {"targets": ["a:1"]}}}
    with pytest.raises(StackFileError, match="scrape job of the stack itself"):
        parse_stack(changed(MINIMAL, services=[taken]), "stack")
