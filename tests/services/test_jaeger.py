"""Jaeger: what it receives, where it keeps it, and what it derives from it."""

from __future__ import annotations

from typing import Any

import pytest

from components.spec import Service
from tests.support import ACCESS, data, planned, service, stack


def jaeger(**changes: Any) -> Service:
    return service(planned(stack(**changes)), "jaeger")


def config(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = data(jaeger(**changes), "jaeger.yaml")
    return found


def test_how_it_is_run() -> None:
    one = jaeger()
    assert one.image == "docker.io/jaegertracing/jaeger:2.20.0"
    assert one.args == ("--config=file:/etc/jaeger/current/jaeger.yaml",)
    assert one.user == "10001:10001"
    assert [(volume.name, volume.path) for volume in one.volumes] == [("jaeger-data", "/badger")]
    assert {port.name: port.published for port in one.ports} == {
        "ui": 16686,
        "otlp-grpc": 4317,
        "otlp-http": 4318,
        "zipkin": None,
    }
    assert {port.address for port in one.ports} == {"127.0.0.1"}
    assert one.reload is None, "it reads its configuration at the start only"


def test_every_part_of_the_pipeline_is_defined() -> None:
    found = config()
    parts = {"receivers", "processors", "exporters", "connectors"}
    defined = {name for part in parts for name in found[part]}
    for pipeline in found["service"]["pipelines"].values():
        assert {name for part in pipeline.values() for name in part} <= defined
    assert set(found["service"]["extensions"]) == set(found["extensions"])
    assert (
        found["exporters"]["jaeger_storage_exporter"]["trace_storage"]
        in found["extensions"]["jaeger_storage"]["backends"]
    )


def test_every_published_port_is_listened_on_and_every_scraped_one_serves() -> None:
    found = config()
    text = str(found)
    for number in (16686, 4317, 4318, 9411, 13133, 8889):
        assert f"'0.0.0.0:{number}'" in text
    (reader,) = found["service"]["telemetry"]["metrics"]["readers"]
    assert reader["pull"]["exporter"]["prometheus"]["port"] == 8888


@pytest.mark.parametrize(("retention", "ttl"), [("48h", "48h0m0s"), ("7d", "168h0m0s"), ("90m", "1h30m0s")])
def test_traces_on_disk_are_kept_as_long_as_asked(retention: str, ttl: str) -> None:
    badger = config(tracing={"retention": retention})["extensions"]["jaeger_storage"]["backends"]["traces"]["badger"]
    assert badger["ttl"] == {"spans": ttl}
    assert badger["ephemeral"] is False
    assert set(badger["directories"].values()) == {"/badger/keys", "/badger/values"}


def test_traces_in_memory_need_no_volume() -> None:
    one = jaeger(tracing={"storage": "memory", "max_traces": 500})
    assert one.volumes == ()
    assert data(one, "jaeger.yaml")["extensions"]["jaeger_storage"]["backends"] == {
        "traces": {"memory": {"max_traces": 500}}
    }


def test_the_monitor_page_asks_prometheus_unless_that_wants_a_password() -> None:
    storage = config()["extensions"]["jaeger_storage"]["metric_backends"]
    assert storage["span_metrics"]["prometheus"]["endpoint"] == "http://prometheus:9090"
    assert config()["extensions"]["jaeger_query"]["storage"] == {"traces": "traces", "metrics": "span_metrics"}
    protected = config(access=ACCESS)["extensions"]
    assert "metric_backends" not in protected["jaeger_storage"]
    assert protected["jaeger_query"]["storage"] == {"traces": "traces"}


def test_any_change_of_its_configuration_needs_a_new_container() -> None:
    assert not any(file.live for file in jaeger().files)
    assert jaeger().restart_digest != jaeger(tracing={"retention": "1h"}).restart_digest


@pytest.mark.parametrize(("memory", "limit"), [(None, "409MiB"), ("1GB", "819MiB")])
def test_go_is_told_to_stay_below_the_memory_limit(memory: str | None, limit: str) -> None:
    changes = {"resources": {"jaeger": {"memory": memory}}} if memory else {}
    assert dict(jaeger(**changes).env) == {"GOMEMLIMIT": limit}


def test_without_tracing_there_is_none() -> None:
    assert planned(stack(tracing={"backend": "none"})).service("jaeger") is None
