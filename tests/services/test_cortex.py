"""Cortex as one program: what it takes and keeps, whose samples they are, and where its blocks go."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import StackConfig, StackFileError
from components.spec import Call, Plan, secret_token
from tests.support import data, planned, service, stack

NAME = "cortex"
BUCKET: dict[str, Any] = {
    "name": "blocks",
    "region": "eu-central-1",
    "credentials": {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}},
}
KMS = "arn:aws:kms:eu-central-1:123456789012:key/1"


def config(storage: dict[str, Any] | None = None, **changes: Any) -> StackConfig:
    return stack(storage={"backend": "cortex", **(storage or {})}, **changes)


def plan(storage: dict[str, Any] | None = None, **changes: Any) -> Plan:
    return planned(config(storage, **changes))


def settings(storage: dict[str, Any] | None = None) -> Any:
    return data(service(plan(storage), NAME), "cortex.yaml")


def remote_write(found: Plan) -> dict[str, Any]:
    (target,) = data(service(found, "prometheus"), "prometheus.yml")["remote_write"]
    assert isinstance(target, dict)
    return target


def test_a_local_stack_has_none_of_it() -> None:
    assert planned(stack()).service(NAME) is None


def test_all_of_it_is_one_program_that_evaluates_no_rules() -> None:
    found = settings()
    assert found["target"].split(",") == [
        "distributor",
        "ingester",
        "querier",
        "query-frontend",
        "store-gateway",
        "compactor",
    ]
    assert found["ingester"]["lifecycler"]["ring"]["replication_factor"] == 1
    assert found["server"]["grpc_listen_address"] == "127.0.0.1", "open to nobody but itself"
    assert [port.number for port in service(plan(), NAME).ports] == [9009]


def test_its_data_are_on_its_volume() -> None:
    one, found = service(plan(), NAME), settings()
    assert [(volume.name, volume.path) for volume in one.volumes] == [("cortex-data", "/cortex")]
    blocks = found["blocks_storage"]
    paths = [
        blocks["filesystem"]["dir"],
        blocks["tsdb"]["dir"],
        blocks["bucket_store"]["sync_dir"],
        found["compactor"]["data_dir"],
        found["querier"]["active_query_tracker_dir"],
    ]
    assert len({*paths}) == len(paths)
    assert all(path.startswith("/cortex/") for path in paths)


def test_it_takes_and_keeps_as_much_as_the_stack_file_says() -> None:
    limits = settings({"cortex": {"max_series": 7000, "max_samples_per_second": 3000, "retention": "90d"}})["limits"]
    assert limits["max_series_per_user"] == 7000
    assert limits["max_series_per_metric"] == 0, "no limit of its own"
    assert (limits["ingestion_rate"], limits["ingestion_burst_size"]) == (3000, 12000)
    assert limits["compactor_blocks_retention_period"] == "90d"


@pytest.mark.parametrize(("given", "tenant"), [({}, "test"), ({"cortex": {"tenant": "shop"}}, "shop")])
def test_who_writes_and_who_asks_says_whose_samples_are_meant(given: dict[str, Any], tenant: str) -> None:
    assert settings(given)["auth_enabled"] is True
    found = plan(given, environment="test")
    assert remote_write(found)["headers"] == {"X-Scope-OrgID": tenant}
    sources = data(service(found, "grafana"), "provisioning/datasources/stack.yaml")["datasources"]
    (source,) = (each for each in sources if each["type"] == "prometheus")
    assert source["jsonData"]["httpHeaderName1"] == "X-Scope-OrgID"
    assert source["secureJsonData"] == {"httpHeaderValue1": tenant}


def test_grafana_asks_it_under_the_name_that_dashboards_know() -> None:
    sources = data(service(plan(), "grafana"), "provisioning/datasources/stack.yaml")["datasources"]
    (source,) = (each for each in sources if each["type"] == "prometheus")
    assert (source["uid"], source["name"], source["isDefault"]) == ("prometheus", "Prometheus", True)
    assert source["url"] == "http://cortex:9009/prometheus"
    assert source["jsonData"]["prometheusType"] == "Cortex"


def test_prometheus_sends_every_sample_and_again_what_is_too_much_at_a_time() -> None:
    target = remote_write(plan())
    assert (target["name"], target["url"]) == (NAME, "http://cortex:9009/api/v1/push")
    assert target["queue_config"]["retry_on_http_429"] is True
    assert target["send_exemplars"] is True
    assert settings()["limits"]["max_exemplars"] > 0


def test_only_who_is_planned_to_may_ask_it() -> None:
    found = plan()
    callers = {one.name for one in found.services for call in one.calls if call == Call(NAME, 9009)}
    assert callers == {"prometheus", "grafana"}
    assert service(found, NAME).calls == ()


@pytest.mark.parametrize(
    ("encryption", "sse"),
    [
        ("sse-s3", {"type": "SSE-S3"}),
        ({"kms_key": KMS}, {"type": "SSE-KMS", "kms_key_id": KMS}),
        ("none", None),
    ],
)
def test_blocks_go_into_a_bucket_where_there_is_one(encryption: Any, sse: dict[str, str] | None) -> None:
    endpoint = "http://s3.example.com:9000"
    found = plan({"bucket": {**BUCKET, "endpoint": endpoint, "path_style": True, "encryption": encryption}})
    blocks = data(service(found, NAME), "cortex.yaml")["blocks_storage"]
    assert blocks["backend"] == "s3"
    assert "filesystem" not in blocks
    s3 = blocks["s3"]
    assert (s3["bucket_name"], s3["endpoint"], s3["insecure"]) == ("blocks", "s3.example.com:9000", True)
    assert s3["bucket_lookup_type"] == "path"
    assert s3["access_key_id"] == secret_token("s3AccessKey")
    assert s3["secret_access_key"] == secret_token("s3SecretKey")
    assert s3.get("sse") == sse
    assert service(found, NAME).calls, "the way to the bucket is open"


def test_without_keys_it_is_the_machine_s_or_the_pod_s_own_role() -> None:
    keyless = {key: value for key, value in BUCKET.items() if key != "credentials"}
    s3 = settings({"bucket": keyless})["blocks_storage"]["s3"]
    assert not {"access_key_id", "secret_access_key"} & {*s3}
    assert s3["bucket_lookup_type"] == "virtual-hosted"


def test_it_has_no_password_so_its_port_stays_on_loopback() -> None:
    with pytest.raises(StackFileError, match="would be open to others, but Cortex has no authentication of its own"):
        config(ports={"cortex": "0.0.0.0:9009"})
    assert stack(ports={"cortex": "0.0.0.0:9009"}).storage.backend == "local", "nobody listens there"
