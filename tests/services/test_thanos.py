"""Thanos: who uploads, keeps, merges and answers, over which bucket, and who may ask whom."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import StackConfig, StackFileError
from components.spec import Call, Plan, Service
from tests.support import ACCESS, data, planned, service, stack

BUCKET: dict[str, Any] = {"name": "acme-metrics", "region": "eu-central-1"}
KEYS = {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}}
OWN_SERVER = {**BUCKET, "endpoint": "https://s3.example.com:8333", "path_style": True, "credentials": KEYS}
TLS = {"ca": {"secret": "grpcCa"}, "certificate": {"secret": "grpcCertificate"}, "key": {"secret": "grpcKey"}}


def config(storage: dict[str, Any] | None = None, **changes: Any) -> StackConfig:
    return stack(storage={"backend": "s3", "bucket": BUCKET, **(storage or {})}, **changes)


def plan(storage: dict[str, Any] | None = None, **changes: Any) -> Plan:
    return planned(config(storage, **changes))


def components(found: Plan) -> list[str]:
    return [each.name for each in found.services if each.name.startswith("thanos")]


def flag(one: Service, name: str) -> str:
    (found,) = (arg.partition("=")[2] for arg in one.args if arg.startswith(f"--{name}="))
    return found


def test_a_local_stack_has_none_of_it() -> None:
    found = planned(stack())
    assert components(found) == []
    assert not [arg for arg in service(found, "prometheus").args if "block-duration" in arg]
    assert "replica" not in data(service(found, "prometheus"), "prometheus.yml")["global"]["external_labels"]


def test_one_of_each_and_a_sidecar_for_each_prometheus() -> None:
    assert components(plan()) == [
        "thanos-sidecar",
        "thanos-store",
        "thanos-compact",
        "thanos-query",
        "thanos-query-frontend",
    ]
    assert components(plan({"query_frontend": False})) == components(plan())[:-1]
    two = plan(high_availability={"prometheus": 2, "one_host": True})
    assert components(two) == ["thanos-sidecar", "thanos-sidecar-2", *components(plan())[1:]]
    names = [each.name for each in two.services]
    for number in ("", "-2"):
        sidecar = service(two, f"thanos-sidecar{number}")
        assert sidecar.beside == f"prometheus{number}"
        assert flag(sidecar, "prometheus.url") == f"http://prometheus{number}:9090"
        assert names.index(sidecar.beside) < names.index(sidecar.name), "its volumes have to be there"


def test_all_are_the_pinned_image_or_what_the_stack_file_says() -> None:
    images = {each.image for each in plan().services if each.name.startswith("thanos")}
    assert images == {"quay.io/thanos/thanos:v0.42.5"}
    other = "mirror.example.com/thanos:1"
    found = plan(images={"overrides": {"thanos": other}})
    assert {each.image for each in found.services if each.name.startswith("thanos")} == {other}


def test_without_its_image_nothing_is_deployed_that_would_lose_samples() -> None:
    with pytest.raises(StackFileError, match="thanos: its image cannot be had here"):
        planned(config(), without=["thanos"])
    assert planned(stack(), without=["thanos"]).withheld == ()


def test_prometheus_leaves_its_blocks_as_they_are_uploaded() -> None:
    """A merged block could not be uploaded any more: the same samples would be in the bucket twice."""
    found = plan()
    prometheus, sidecar = service(found, "prometheus"), service(found, "thanos-sidecar")
    assert flag(prometheus, "storage.tsdb.min-block-duration") == flag(prometheus, "storage.tsdb.max-block-duration")
    assert flag(prometheus, "storage.tsdb.min-block-duration") == "2h"
    assert flag(sidecar, "tsdb.path") == flag(prometheus, "storage.tsdb.path") == prometheus.volumes[0].path
    assert "--shipper.upload-compacted" in sidecar.args, "what was merged before there was a bucket"
    assert sidecar.user == prometheus.user, "it writes into the same folder"
    labels = data(prometheus, "prometheus.yml")["global"]["external_labels"]
    assert labels == {"environment": "test", "replica": "1"}
    assert data(prometheus, "prometheus.yml")["storage"]["tsdb"]["retention"] == {"time": "15d"}, "as without a bucket"


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        (
            BUCKET,
            {
                "bucket": "acme-metrics",
                "endpoint": "s3.eu-central-1.amazonaws.com",
                "region": "eu-central-1",
                "insecure": False,
                "bucket_lookup_type": "virtual-hosted",
                "aws_sdk_auth": True,
                "sse_config": {"type": "SSE-S3"},
            },
        ),
        (
            {**OWN_SERVER, "encryption": "none"},
            {
                "bucket": "acme-metrics",
                "endpoint": "s3.example.com:8333",
                "region": "eu-central-1",
                "insecure": False,
                "bucket_lookup_type": "path",
                "access_key": "<secret:s3AccessKey>",
                "secret_key": "<secret:s3SecretKey>",
            },
        ),
    ],
)
def test_everyone_who_needs_the_bucket_has_the_same_file(bucket: dict[str, Any], expected: dict[str, Any]) -> None:
    found = plan({"bucket": bucket})
    for name in ("thanos-sidecar", "thanos-store", "thanos-compact"):
        one = service(found, name)
        assert data(one, "bucket.yml") == {"type": "S3", "config": expected}
        assert flag(one, "objstore.config-file") == "/etc/thanos/current/bucket.yml"
        assert one.restart_digest, "read at the start only"
    for name in ("thanos-query", "thanos-query-frontend"):
        assert "bucket.yml" not in {file.path for file in service(found, name).files}


def test_a_folder_of_the_bucket_and_a_key_of_ones_own() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/1"
    found = plan({"bucket": {**BUCKET, "prefix": "metrics/test", "encryption": {"kms_key": key}}})
    content = data(service(found, "thanos-store"), "bucket.yml")
    assert content["prefix"] == "metrics/test"
    assert content["config"]["sse_config"] == {"type": "SSE-KMS", "kms_key_id": key}


def test_the_way_to_the_bucket_is_the_only_one_out() -> None:
    def out(bucket: dict[str, Any], name: str) -> set[Call]:
        return {call for call in service(plan({"bucket": bucket}), name).calls if not call.service}

    for name in ("thanos-sidecar", "thanos-store", "thanos-compact"):
        assert out({**BUCKET, "credentials": KEYS}, name) == {Call(port=443)}
        assert out(BUCKET, name) == {Call(port=443), Call(port=80)}, "where a machine's role is asked for"
        assert out(OWN_SERVER, name) == {Call()}
    for name in ("thanos-query", "thanos-query-frontend"):
        assert out(OWN_SERVER, name) == set()


def test_the_compactor_keeps_each_resolution_as_long_as_the_stack_file_says() -> None:
    found = service(plan({"retention": {"raw": "30d", "five_minutes": "90d", "one_hour": "forever"}}), "thanos-compact")
    assert [flag(found, f"retention.resolution-{name}") for name in ("raw", "5m", "1h")] == ["30d", "90d", "0d"]
    assert "--wait" in found.args
    assert found.volumes, "blocks that are merged need room"


def test_the_querier_asks_every_sidecar_and_the_store_and_shows_replicas_as_one() -> None:
    query = service(plan(high_availability={"prometheus": 2, "one_host": True}), "thanos-query")
    asked = [each["address"] for each in data(query, "endpoints.yml")["endpoints"]]
    assert asked == ["thanos-sidecar:10901", "thanos-sidecar-2:10901", "thanos-store:10901"]
    # Else what does not answer is left out without a warning, and the query frontend remembers the gap.
    assert all(each["strict"] for each in data(query, "endpoints.yml")["endpoints"])
    assert flag(query, "query.replica-label") == "replica"
    assert "--query.auto-downsampling" in query.args


def test_grafana_asks_thanos_under_the_name_that_it_asked_prometheus() -> None:
    for storage, host in ((None, "thanos-query-frontend"), ({"query_frontend": False}, "thanos-query")):
        found = plan(storage)
        sources = data(service(found, "grafana"), "provisioning/datasources/stack.yaml")["datasources"]
        (source,) = (each for each in sources if each["type"] == "prometheus")
        assert (source["name"], source["uid"], source["isDefault"]) == ("Prometheus", "prometheus", True)
        assert source["url"] == f"http://{host}:10902"
        assert source["jsonData"]["prometheusType"] == "Thanos"
        assert Call(host, 10902) in service(found, "grafana").calls


def test_what_people_ask_is_published_and_nothing_else() -> None:
    for storage, host in ((None, "thanos-query-frontend"), ({"query_frontend": False}, "thanos-query")):
        found = plan(storage, ports={"thanos": 12345})
        published = {
            each.name: port.published
            for each in found.services
            if each.name.startswith("thanos")
            for port in each.ports
            if port.published
        }
        assert published == {host: 12345}


def test_access_protects_all_of_them_and_lets_them_ask_each_other() -> None:
    found = plan(access=ACCESS)
    for name in components(found):
        one = service(found, name)
        assert flag(one, "http.config") == "/etc/thanos/current/web.yml"
        assert one.port("http").scheme == "https"
        assert one.metrics[0].protected
    sidecar = service(found, "thanos-sidecar")
    assert flag(sidecar, "prometheus.url") == "https://prometheus:9090"
    assert data(sidecar, "prometheus-client.yml")["basic_auth"]["username"] == "observatory"
    frontend = service(found, "thanos-query-frontend")
    assert flag(frontend, "query-frontend.downstream-url") == "https://thanos-query:10902"
    assert flag(frontend, "query-frontend.forward-header") == "Authorization"
    assert data(frontend, "querier.yml") == {"tls_config": {"ca_file": "/etc/thanos/current/secrets/ca.crt"}}


def test_mutual_tls_where_it_is_asked_for() -> None:
    open_query = service(plan(), "thanos-query")
    assert data(open_query, "endpoints.yml")["endpoints"][0] == {"address": "thanos-sidecar:10901", "strict": True}
    assert not [arg for arg in open_query.args if "tls" in arg]
    found = plan({"tls": TLS}, high_availability={"prometheus": 2, "one_host": True})
    for name in ("thanos-sidecar", "thanos-sidecar-2", "thanos-store", "thanos-query"):
        assert flag(service(found, name), "grpc-server-tls-client-ca") == "/etc/thanos/current/grpc/ca.crt"
    first, second, _ = data(service(found, "thanos-query"), "endpoints.yml")["endpoints"]
    assert first["client_config"]["tls_config"]["cert_file"] == "/etc/thanos/current/grpc/tls.crt"
    assert "server_name" not in first["client_config"]
    assert second["client_config"]["server_name"] == "thanos-sidecar", "replicas share the first one's certificate"


@pytest.mark.parametrize(("memory", "cache", "item"), [("1GB", "256MB", "125MB"), ("256MB", "64MB", "32MB")])
def test_no_item_of_the_index_cache_is_larger_than_the_cache(memory: str, cache: str, item: str) -> None:
    """Or the store gateway ends at once: "max item size cannot be bigger than overall cache size"."""
    store = service(plan(resources={"thanos-store": {"memory": memory}}), "thanos-store")
    assert data(store, "index-cache.yml")["config"] == {"max_size": cache, "max_item_size": item}
