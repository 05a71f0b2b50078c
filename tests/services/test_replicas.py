"""Replicas in the plan: what they share, what each has of its own, and who knows all of them."""

from __future__ import annotations

from typing import Any

import pytest

from components.config.base import seconds
from components.replicas import replica_name
from components.services.alertmanager import GOSSIP
from components.spec import Call, Plan
from tests.support import ACCESS, content, data, planned, service, stack

BUCKET: dict[str, Any] = {"backend": "s3", "bucket": {"name": "acme-metrics", "region": "eu-central-1"}}


def three_alertmanagers(**changes: Any) -> Plan:
    return planned(stack(high_availability={"alertmanager": 3, "one_host": True}, **changes))


def two_prometheuses(**changes: Any) -> Plan:
    return planned(stack(high_availability={"prometheus": 2, "one_host": True}, storage=BUCKET, **changes))


@pytest.mark.parametrize(
    ("whole", "product"), [(three_alertmanagers(), "alertmanager"), (two_prometheuses(), "prometheus")]
)
def test_the_first_keeps_its_name_its_volume_and_its_published_port(whole: Plan, product: str) -> None:
    alone, first, *others = service(planned(stack()), product), *whole.replicas(product)
    assert (first.name, first.volumes, first.replica_of) == (alone.name, alone.volumes, "")
    assert first.port("http") == alone.port("http")
    assert others
    for number, each in enumerate(others, 2):
        assert (each.name, each.replica_of, each.group) == (replica_name(product, number), product, product)
        assert [volume.name for volume in each.volumes] == [f"{product}-{number}-data"]
        assert [volume.path for volume in each.volumes] == [volume.path for volume in first.volumes]
        assert [port.number for port in each.ports] == [port.number for port in first.ports]
        assert all(port.published is None for port in each.ports)
        assert (each.args, each.image, each.resources, each.probe) == (
            first.args,
            first.image,
            first.resources,
            first.probe,
        )


def test_replicas_of_alertmanager_differ_in_nothing_but_name_and_data() -> None:
    first, *others = three_alertmanagers(access=ACCESS).replicas("alertmanager")
    assert all(each.files == first.files for each in others)
    peers = {each.name: {call.service for call in each.calls if call.port == GOSSIP} for each in (first, *others)}
    assert peers == {name: peers.keys() - {name} for name in peers}
    assert first.port("gossip").protocols == ("tcp", "udp")


def test_they_find_each_other_by_one_name_so_that_more_of_them_change_nothing_for_the_first() -> None:
    three = three_alertmanagers()
    five = planned(stack(high_availability={"alertmanager": 5, "one_host": True}))
    assert {each.group_name for each in three.replicas("alertmanager")} == {"alertmanager-peers"}
    first = service(three, "alertmanager")
    assert "--cluster.peer=alertmanager-peers:9094" in first.args
    assert "--cluster.listen-address=0.0.0.0:9094" in first.args
    assert "--cluster.label=observatory-test" in first.args
    assert service(five, "alertmanager").args == first.args


def test_what_gossip_has_lost_is_exchanged_before_the_next_one_would_tell_it_again() -> None:
    """Whole states go round more often than a replica waits for its turn; or messages would go out twice."""
    arguments = dict(each.split("=", 1) for each in service(three_alertmanagers(), "alertmanager").args if "=" in each)
    exchanged, turn = (seconds(arguments[f"--cluster.{each}"]) for each in ("pushpull-interval", "peer-timeout"))
    assert exchanged < turn


def test_one_alertmanager_does_not_gossip() -> None:
    alone = service(planned(stack()), "alertmanager")
    assert "--cluster.listen-address=" in alone.args
    assert [port.name for port in alone.ports] == ["http"]
    assert alone.group_name == ""


def test_prometheus_tells_every_alertmanager_and_scrapes_each_under_one_job() -> None:
    prometheus = service(three_alertmanagers(), "prometheus")
    config = data(prometheus, "prometheus.yml")
    names = ["alertmanager:9093", "alertmanager-2:9093", "alertmanager-3:9093"]
    (entry,) = config["alerting"]["alertmanagers"]
    assert entry == {"scheme": "http", "static_configs": [{"targets": names}]}
    assert "alert_relabel_configs" not in config["alerting"]
    (job,) = (job for job in config["scrape_configs"] if "alertmanager" in job["job_name"])
    assert job == {"job_name": "alertmanager", "static_configs": [{"targets": names}]}
    assert {Call(name.split(":")[0], 9093) for name in names} <= {*prometheus.calls}


def test_replicas_answer_with_the_certificate_of_the_first() -> None:
    config = data(service(three_alertmanagers(access=ACCESS), "prometheus"), "prometheus.yml")
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "alertmanager")
    for client in (job, config["alerting"]["alertmanagers"][0]):
        assert client["tls_config"]["server_name"] == "alertmanager"
    alone = data(service(planned(stack(access=ACCESS)), "prometheus"), "prometheus.yml")
    assert "server_name" not in alone["alerting"]["alertmanagers"][0]["tls_config"]


@pytest.mark.parametrize("access", [None, ACCESS])
def test_grafana_shows_the_silences_of_each_alertmanager(access: dict[str, Any] | None) -> None:
    grafana = service(three_alertmanagers(access=access), "grafana")
    sources = data(grafana, "provisioning/datasources/stack.yaml")["datasources"]
    found = {source["uid"]: source for source in sources if source["type"] == "alertmanager"}
    assert {uid: source["name"] for uid, source in found.items()} == {
        "alertmanager": "Alertmanager",
        "alertmanager-2": "Alertmanager 2",
        "alertmanager-3": "Alertmanager 3",
    }
    assert found["alertmanager-3"]["url"].endswith("://alertmanager-3:9093")
    names = [source["jsonData"].get("serverName") for source in found.values()]
    assert names == ([None, "alertmanager", "alertmanager"] if access else [None, None, None])


def test_replicas_of_prometheus_differ_in_one_external_label_which_no_alert_carries() -> None:
    first, second = two_prometheuses().replicas("prometheus")
    one, other = (data(each, "prometheus.yml") for each in (first, second))
    assert one["global"]["external_labels"] == {"environment": "test", "replica": "1"}
    assert other["global"].pop("external_labels") == {"environment": "test", "replica": "2"}
    del one["global"]["external_labels"]
    assert one == other
    assert one["alerting"]["alert_relabel_configs"] == [{"regex": "replica", "action": "labeldrop"}]
    assert [job["static_configs"] for job in one["scrape_configs"] if job["job_name"] == "prometheus"] == [
        [{"targets": ["prometheus:9090", "prometheus-2:9090"]}]
    ]
    rest = [
        {file.path: file.content for file in each.files if file.path != "prometheus.yml"} for each in (first, second)
    ]
    assert rest[0] == rest[1]


def test_one_prometheus_with_a_bucket_has_the_label_for_when_there_are_more() -> None:
    prometheus = service(planned(stack(storage=BUCKET)), "prometheus")
    assert data(prometheus, "prometheus.yml")["global"]["external_labels"]["replica"] == "1"


def test_one_prometheus_has_no_replica_label() -> None:
    assert "replica" not in content(service(planned(stack()), "prometheus"), "prometheus.yml")


def test_grafana_asks_one_prometheus_for_everything() -> None:
    sources = data(service(two_prometheuses(), "grafana"), "provisioning/datasources/stack.yaml")["datasources"]
    assert len([source["uid"] for source in sources if source["type"] == "prometheus"]) == 1


def test_the_preview_says_what_replicas_on_one_machine_are_worth() -> None:
    assert (
        "high_availability.one_host: 3 replicas of alertmanager run on one machine; "
        "they outlive the crash of a program, not that of the machine"
    ) in three_alertmanagers().notes
    alone = planned(stack(high_availability={"one_host": True}))
    assert "high_availability.one_host has no effect: nothing has replicas" in alone.notes
