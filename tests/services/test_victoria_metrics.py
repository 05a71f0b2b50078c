"""VictoriaMetrics: what it keeps for how long, how Prometheus sends to it, and who is let in."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import StackConfig
from components.config.base import seconds
from components.platforms.docker_engine import RELOAD_PATIENCE
from components.spec import Call, Plan, Service
from tests.support import ACCESS, data, planned, service, stack

NAME = "victoria-metrics"
REPLICATED = {"prometheus": 2, "one_host": True}


def config(storage: dict[str, Any] | None = None, **changes: Any) -> StackConfig:
    return stack(storage={"backend": "victoria", **(storage or {})}, **changes)


def plan(storage: dict[str, Any] | None = None, **changes: Any) -> Plan:
    return planned(config(storage, **changes))


def flag(one: Service, name: str) -> str | None:
    return next((arg.partition("=")[2] for arg in one.args if arg.startswith(f"-{name}=")), None)


def remote_write(found: Plan, name: str = "prometheus") -> dict[str, Any]:
    (target,) = data(service(found, name), "prometheus.yml")["remote_write"]
    assert isinstance(target, dict)
    return target


def test_a_local_stack_has_none_of_it() -> None:
    found = planned(stack())
    assert found.service(NAME) is None
    assert "remote_write" not in data(service(found, "prometheus"), "prometheus.yml")


@pytest.mark.parametrize(("retention", "days"), [("1y", "365d"), ("90d", "90d"), ("36h", "2d"), ("1d", "1d")])
def test_it_keeps_samples_for_whole_days(retention: str, days: str) -> None:
    assert flag(service(plan({"victoria": {"retention": retention}}), NAME), "retentionPeriod") == days


def test_prometheus_sends_every_sample_to_it() -> None:
    target = remote_write(plan())
    assert target == {
        "name": NAME,
        "url": "http://victoria-metrics:8428/api/v1/write",
        "queue_config": {"capacity": 10000, "max_shards": 50, "max_samples_per_send": 2000},
    }


def test_the_queue_is_as_the_stack_file_says() -> None:
    queue = {"max_shards": 7, "max_samples_per_send": 500, "capacity": 2500}
    assert remote_write(plan({"remote_write": queue}))["queue_config"] == queue


def test_only_who_is_planned_to_may_ask_it() -> None:
    found = plan()
    callers = {one.name for one in found.services for call in one.calls if call == Call(NAME, 8428)}
    assert callers == {"prometheus", "grafana"}
    assert service(found, NAME).calls == ()


def test_it_is_away_without_holding_up_a_deployment() -> None:
    """Prometheus waits twice for a flush when remote write is changed: for samples and for metadata."""
    for found in (planned(stack()), plan()):
        (given,) = (arg for arg in service(found, "prometheus").args if "flush-deadline" in arg)
        assert 2 * seconds(given.partition("=")[2]) < RELOAD_PATIENCE


def test_it_writes_to_its_disk_as_often_as_it_can() -> None:
    assert flag(service(plan(), NAME), "inmemoryDataFlushInterval") == "2s"


def test_prometheus_goes_on_to_keep_and_evaluate() -> None:
    local, lent = service(planned(stack()), "prometheus"), service(plan(), "prometheus")
    assert lent.args == local.args, "nothing that only a restart takes up"
    assert lent.volumes == local.volumes
    one, other = data(local, "prometheus.yml"), data(lent, "prometheus.yml")
    assert other["global"] == one["global"]
    assert other["storage"] == one["storage"]
    assert {file.path for file in lent.files} >= {file.path for file in local.files}


def test_grafana_asks_it_under_the_name_that_dashboards_know() -> None:
    sources = data(service(plan(), "grafana"), "provisioning/datasources/stack.yaml")["datasources"]
    (found,) = (source for source in sources if source["type"] == "prometheus")
    assert (found["uid"], found["name"], found["isDefault"]) == ("prometheus", "Prometheus", True)
    assert found["url"] == "http://victoria-metrics:8428"


def test_replicas_send_the_same_series_and_one_sample_of_them_is_kept() -> None:
    services = [{"name": "fast", "interval": "5s", "discovery": {"static": {"targets": ["fast:1"]}}, "team": "shop"}]
    found = plan(high_availability=REPLICATED, services=services)
    for name in ("prometheus", "prometheus-2"):
        assert remote_write(found, name)["write_relabel_configs"] == [{"regex": "replica", "action": "labeldrop"}]
    assert flag(service(found, NAME), "dedup.minScrapeInterval") == "5s", "the shortest, or samples of it would go"
    assert flag(service(plan(), NAME), "dedup.minScrapeInterval") is None
    assert "write_relabel_configs" not in remote_write(plan())


def test_access_closes_it_and_no_secret_is_an_argument() -> None:
    found = plan(access=ACCESS)
    one, target = service(found, NAME), remote_write(found)
    assert "-tls" in one.args
    assert flag(one, "tlsMinVersion") == "TLS12"
    assert flag(one, "httpAuth.username") == target["basic_auth"]["username"]
    assert flag(one, "httpAuth.password") == "file:///etc/victoria-metrics/current/secrets/access-password"
    assert {file.path for file in one.files} == {"tls.crt", "tls.key", "secrets/access-password"}
    assert target["url"].startswith("https://")
    assert target["tls_config"] == {"ca_file": "/etc/prometheus/current/secrets/ca.crt"}
    assert one.files
    assert not any(file.reload or not file.live for file in one.files), "each is read again by itself"


def test_its_disk_is_a_volume_of_its_own() -> None:
    one = service(plan(), NAME)
    assert [(volume.name, volume.path) for volume in one.volumes] == [(f"{NAME}-data", "/victoria-metrics-data")]
    assert flag(one, "storageDataPath") == "/victoria-metrics-data"
