"""A cluster of VictoriaMetrics: who keeps what how often, who reaches whom, and what is asked of its copies."""

from __future__ import annotations

from typing import Any

import pytest

from components.catalogue import VICTORIA_NODES
from components.rules import chosen_groups
from components.spec import Call, Plan, Service
from tests.support import ACCESS, data, planned, service, stack

HOST = {"one_host": True}
STORAGE = ("vmstorage", "vmstorage-2", "vmstorage-3")


def plan(cluster: dict[str, int] | None = None, **changes: Any) -> Plan:
    storage = {"backend": "victoria", "victoria": {"retention": "90d", "cluster": cluster or {}}}
    return planned(stack(**{"storage": storage, "high_availability": HOST} | changes))


def flags(one: Service, name: str) -> list[str]:
    return [arg.partition("=")[2] for arg in one.args if arg.startswith(f"-{name}=")]


def test_there_are_as_many_of_each_as_the_stack_file_says_and_no_single_node() -> None:
    names = [each.name for each in plan({"vmstorage": 3, "vminsert": 1, "vmselect": 2}).services]
    ours = [name for name in names if name.startswith(("vm", "victoria"))]
    assert ours == [*STORAGE, "vminsert", "vmselect", "vmselect-2"], "those that keep first, for the others ask them"


def test_every_vmstorage_has_a_volume_of_its_own_and_the_same_retention() -> None:
    nodes = [service(plan(), name) for name in STORAGE]
    assert [volume.name for each in nodes for volume in each.volumes] == [f"{name}-data" for name in STORAGE]
    assert all(flags(each, "retentionPeriod") == ["90d"] for each in nodes)
    assert all(flags(each, "storageDataPath") == [each.volumes[0].path] for each in nodes)
    assert all(flags(each, "inmemoryDataFlushInterval") == ["2s"] for each in nodes)


@pytest.mark.parametrize(("name", "port"), [("vminsert", 8400), ("vminsert-2", 8400), ("vmselect", 8401)])
def test_each_knows_all_vmstorage_and_reaches_nothing_else(name: str, port: int) -> None:
    one = service(plan(), name)
    assert flags(one, "storageNode") == [f"{node}:{port}" for node in STORAGE]
    assert one.calls == tuple(Call(node, port) for node in STORAGE)
    assert not one.volumes
    assert {number.number for node in STORAGE for number in service(plan(), node).ports} == {8482, 8400, 8401}


def test_a_sample_is_on_as_many_as_the_replication_factor_says_and_is_shown_once() -> None:
    found = plan({"vmstorage": 5, "replication_factor": 3})
    assert flags(service(found, "vminsert"), "replicationFactor") == ["3"]
    select = service(found, "vmselect")
    assert flags(select, "replicationFactor") == ["3"]
    assert flags(select, "dedup.minScrapeInterval") == ["1ms"]
    assert flags(service(found, "vmstorage"), "dedup.minScrapeInterval") == []


def test_one_copy_needs_no_deduplication_and_is_said_to_be_one() -> None:
    found = plan({"replication_factor": 1})
    assert flags(service(found, "vmselect"), "dedup.minScrapeInterval") == []
    (note,) = (note for note in found.notes if "replication_factor" in note)
    assert "queries fail while any of them is away" in note
    assert not [note for note in plan().notes if "replication_factor" in note]


def test_replicas_of_prometheus_are_deduplicated_where_samples_are_kept_and_where_they_are_asked_for() -> None:
    found = plan(high_availability={**HOST, "prometheus": 2}, scrape={"interval": "15s", "evaluation_interval": "30s"})
    for name in ("vmstorage-3", "vmselect-2"):
        assert flags(service(found, name), "dedup.minScrapeInterval") == ["15s"]
    (target,) = data(service(found, "prometheus-2"), "prometheus.yml")["remote_write"]
    assert target["write_relabel_configs"] == [{"regex": "replica", "action": "labeldrop"}]


def test_an_answer_in_which_series_are_missing_is_an_error_and_nothing_is_remembered_too_early() -> None:
    select = service(plan(), "vmselect")
    assert "-search.denyPartialResponse" in select.args
    assert flags(select, "search.cacheTimestampOffset") == ["3h"], "longer than Prometheus can send what it had to keep"


def test_prometheus_writes_to_any_vminsert_and_grafana_asks_any_vmselect() -> None:
    found = plan()
    (target,) = data(service(found, "prometheus"), "prometheus.yml")["remote_write"]
    assert target["url"] == "http://vminsert-any:8480/insert/0/prometheus/api/v1/write"
    assert {each.entry_name for each in found.replicas("vminsert")} == {"vminsert-any"}
    (source,) = metrics_sources(found)
    assert (source["uid"], source["url"]) == ("prometheus", "http://vmselect-any:8481/select/0/prometheus")
    assert {each.entry_name for each in found.replicas("vmselect")} == {"vmselect-any"}
    alone = plan({"vminsert": 1, "vmselect": 1})
    (target,) = data(service(alone, "prometheus"), "prometheus.yml")["remote_write"]
    assert target["url"].startswith("http://vminsert:8480/")
    assert metrics_sources(alone)[0]["url"].startswith("http://vmselect:8481/")


def metrics_sources(found: Plan) -> list[dict[str, Any]]:
    sources = data(service(found, "grafana"), "provisioning/datasources/stack.yaml")["datasources"]
    return [source for source in sources if source["type"] == "prometheus"]


def test_every_program_is_scraped_by_a_job_of_its_kind() -> None:
    jobs = {job["job_name"]: job for job in data(service(plan(), "prometheus"), "prometheus.yml")["scrape_configs"]}
    targets = {name: jobs[name]["static_configs"][0]["targets"] for name in ("vmstorage", "vminsert", "vmselect")}
    assert targets == {
        "vmstorage": [f"{name}:8482" for name in STORAGE],
        "vminsert": ["vminsert:8480", "vminsert-2:8480"],
        "vmselect": ["vmselect:8481", "vmselect-2:8481"],
    }


def test_access_closes_every_program_and_names_whose_certificate_the_common_names_show() -> None:
    found = plan(access=ACCESS)
    for name in (*STORAGE, "vminsert", "vmselect-2"):
        one = service(found, name)
        assert "-tls" in one.args
        assert flags(one, "httpAuth.password") == [f"file:///etc/{one.group}/current/secrets/access-password"]
        assert {file.path for file in one.files} == {"tls.crt", "tls.key", "secrets/access-password"}
    (target,) = data(service(found, "prometheus"), "prometheus.yml")["remote_write"]
    assert target["url"].startswith("https://vminsert-any:")
    assert target["tls_config"]["server_name"] == "vminsert"
    assert metrics_sources(found)[0]["jsonData"]["serverName"] == "vmselect"
    assert any("is not encrypted" in note for note in found.notes)
    assert not any("is not encrypted" in note for note in plan().notes)


def test_on_one_host_the_stack_says_what_that_is_worth() -> None:
    (note,) = (note for note in plan({"vminsert": 1}).notes if note.startswith("high_availability.one_host"))
    assert note.startswith("high_availability.one_host: 3 replicas of vmstorage and 2 replicas of vmselect run on one")


def test_its_port_is_no_setting_without_effect() -> None:
    assert not [note for note in plan(ports={"victoria": 8428}).notes if note.startswith("ports.")]
    assert service(plan(ports={"victoria": 8428}), "vmselect").port("http").published == 8428
    assert service(plan(ports={"victoria": 8428}), "vmselect-2").port("http").published is None


def test_its_rules_are_those_of_the_node_and_its_own() -> None:
    config = stack(storage={"backend": "victoria", "victoria": {"cluster": {}}}, high_availability=HOST)
    chosen = chosen_groups(config, [each.name for each in planned(config).services])
    assert {"victoria-metrics", VICTORIA_NODES, "remote-write"} <= chosen.keys()
    alerts = {rule.get("alert") for group in chosen["victoria-metrics"] for rule in group["rules"]}
    single = stack(storage="victoria")
    of_node = chosen_groups(single, [each.name for each in planned(single).services])
    assert VICTORIA_NODES not in of_node
    assert alerts == {rule.get("alert") for group in of_node["victoria-metrics"] for rule in group["rules"]}
