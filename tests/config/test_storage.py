"""Where samples are kept: what a stack file may say of it, each refusal with its exact words."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from components.config import StackFileError, parse_stack
from components.config.bucket import Bucket
from components.config.storage import VictoriaCluster
from operations.guides.schema import stack_file_schema
from tests.support import ACCESS, MINIMAL, changed

FILE = "stacks/Pulumi.test.yaml"
BUCKET = {"name": "acme-metrics", "region": "eu-central-1"}
KEYS = {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}}


def storage(**settings: Any) -> dict[str, Any]:
    return {"backend": "thanos", "bucket": BUCKET, **settings}


def bucket(**settings: Any) -> dict[str, Any]:
    return storage(bucket={**BUCKET, **settings})


@pytest.mark.parametrize(
    "value",
    [
        "local",
        {"backend": "local"},
        storage(),
        storage(backend="s3"),
        storage(retention={"raw": "forever", "five_minutes": "forever", "one_hour": "forever"}),
        bucket(endpoint="http://localhost:8333", path_style=True, credentials=KEYS, encryption="none"),
        bucket(encryption={"kms_key": "arn:aws:kms:eu-central-1:123456789012:key/1"}),
        bucket(adopt=True, delete_with_objects=True, noncurrent_days=7, tags={"team": "platform"}),
        storage(tls={"ca": {"secret": "a"}, "certificate": {"secret": "b"}, "key": {"secret": "c"}}),
        {"backend": "victoria"},
        {"backend": "victoria", "victoria": {"retention": "1d"}, "remote_write": {"max_shards": 10}},
        "cortex",
        {"backend": "cortex", "bucket": BUCKET, "cortex": {"tenant": "shop's", "retention": "1d", "max_series": 1000}},
    ],
)
def test_what_is_allowed_is_allowed_by_the_schema_too(value: Any) -> None:
    data = {**MINIMAL, "storage": value}
    assert parse_stack(data, FILE).storage.thanos is (isinstance(value, dict) and value["backend"] in ("thanos", "s3"))
    jsonschema.validate({"config": {"observatory:stack": data}}, stack_file_schema())


def test_a_stack_keeps_samples_locally_unless_it_says_otherwise() -> None:
    found = parse_stack(MINIMAL, FILE).storage
    assert (found.backend, found.bucket, found.thanos) == ("local", None, False)


@pytest.mark.parametrize(
    "name", ["1.2.3.4", "xn--acme", "acme-s3alias", "acme.-x", "acme-.x", "acme..x", "ab", "a" * 64]
)
def test_names_that_no_server_takes(name: str) -> None:
    with pytest.raises(StackFileError, match=r"storage\.bucket\.name"):
        parse_stack({**MINIMAL, "storage": bucket(name=name, path_style=True)}, FILE)


@pytest.mark.parametrize("prefix", [".", "..", "a/../b", "a/.", "./a"])
def test_folders_that_clients_resolve_in_several_ways(prefix: str) -> None:
    with pytest.raises(StackFileError, match=r"storage\.bucket\.prefix"):
        parse_stack({**MINIMAL, "storage": bucket(prefix=prefix)}, FILE)


@pytest.mark.parametrize("settings", [{"name": "acme.metrics-1", "path_style": True}, {"prefix": "a.b/..c/d"}])
def test_odd_but_possible_ones(settings: dict[str, Any]) -> None:
    assert parse_stack({**MINIMAL, "storage": bucket(**settings)}, FILE).storage.bucket


NEEDED = "storage.bucket: is required with backend"
EXAMPLE = "\n      hint: `bucket: {name: acme-metrics, region: eu-central-1}`"
PROMISING = {
    "name": "shop",
    "team": "web",
    "discovery": {"static": {"targets": ["shop:80"]}},
    "exposes": ["http"],
    "objectives": {"availability": {"target": "99.9%"}},
}
"""A service with an objective over 30 days."""


def nodes(**settings: int) -> dict[str, Any]:
    return {"backend": "victoria", "victoria": {"cluster": settings}}


ONE_HOST = {"high_availability": {"one_host": True}}


@pytest.mark.parametrize(
    "settings", [{}, {"vmstorage": 2, "replication_factor": 1}, {"vmstorage": 9, "replication_factor": 5}]
)
def test_a_cluster_of_victoriametrics_has_room_for_its_copies(settings: dict[str, int]) -> None:
    data = {**MINIMAL, **ONE_HOST, "storage": nodes(**settings)}
    found = parse_stack(data, FILE).storage
    assert found.victoria_cluster == VictoriaCluster(**settings)
    assert found.products == ("vmstorage", "vminsert", "vmselect")
    jsonschema.validate({"config": {"observatory:stack": data}}, stack_file_schema())


CASES: list[tuple[dict[str, Any], str]] = [
    (
        {"storage": nodes(vmstorage=2), **ONE_HOST},
        "storage.victoria.cluster.vmstorage (is 2): must be at least 3 for a replication_factor of 2",
    ),
    (
        {"storage": nodes(vmstorage=4, replication_factor=3), **ONE_HOST},
        "storage.victoria.cluster.vmstorage (is 4): must be at least 5 for a replication_factor of 3",
    ),
    (
        {"storage": nodes(vmstorage=1), **ONE_HOST},
        "storage.victoria.cluster.vmstorage (is 1): input should be greater than or equal to 2",
    ),
    (
        {"storage": nodes()},
        (
            "storage.victoria.cluster: is on one Docker host, and does not outlive it\n"
            "      hint: `high_availability: {one_host: true}` if it is a program's crash that it is against; else "
            "platform: kubernetes, or one node: leave `cluster` out"
        ),
    ),
    (
        {"storage": {"backend": "victoria", "victoria": {"retention": "23h"}}},
        "storage.victoria.retention (is 23h): must be at least 1d",
    ),
    (
        {"storage": {"backend": "victoria", "bucket": BUCKET}},
        (
            "storage.bucket: is for backend thanos, s3 or cortex only\n"
            "      hint: leave it out, or `backend: thanos` in place of victoria"
        ),
    ),
    (
        {"storage": {"remote_write": {"max_shards": 10}}},
        "storage.remote_write: is for backend victoria or cortex only\n      hint: add `backend: victoria`",
    ),
    (
        {"storage": {"backend": "cortex", "cortex": {"retention": "23h"}}},
        "storage.cortex.retention (is 23h): must be at least 1d",
    ),
    (
        {"storage": "cortex", "access": ACCESS},
        (
            "storage.backend (is cortex): cannot be had with `access`: Cortex asks nobody for a password\n"
            "      hint: backend victoria, thanos or s3, or leave `access` out"
        ),
    ),
    (
        {"storage": {"backend": "cortex", "bucket": {**BUCKET, "prefix": "a"}}},
        "storage.bucket.prefix (is a): cannot be had with backend cortex, which uses the whole bucket",
    ),
    (
        {"storage": {"backend": "cortex", "bucket": {**BUCKET, "adopt": True}}},
        (
            "storage.bucket.adopt: is for a bucket that the stack makes; "
            "with backend cortex it is yours and only used\n"
            "      hint: `backend: thanos` makes and keeps it"
        ),
    ),
    (
        {"storage": "cortex", "high_availability": {"prometheus": 2, "one_host": True}},
        (
            "high_availability.prometheus (is 2): nothing would make their samples one: Cortex as one program "
            "refuses what it has from the other\n"
            "      hint: leave it out, or keep samples in a bucket: `storage: {backend: thanos, ...}`"
        ),
    ),
    (
        {"storage": {"backend": "cortex", "victoria": {"retention": "2d"}}},
        (
            "storage.victoria: is for backend victoria only\n"
            "      hint: leave it out, or `backend: victoria` in place of cortex"
        ),
    ),
    ({"storage": "s3"}, f"{NEEDED} s3{EXAMPLE}"),
    ({"storage": "thanos"}, f"{NEEDED} thanos{EXAMPLE}"),
    (
        {"storage": "loca"},
        (
            "storage (is 'loca'): input should be 'local', 'thanos', 's3', 'victoria' or 'cortex'\n"
            "      hint: did you mean local?"
        ),
    ),
    (
        {"storage": {"bucket": BUCKET}},
        "storage.bucket: is for backend thanos, s3 or cortex only\n      hint: add `backend: thanos`",
    ),
    (
        {"storage": {"retention": {"raw": "30d"}}},
        "storage.retention: is for backend thanos or s3 only\n      hint: add `backend: thanos`",
    ),
    (
        {"storage": {"backend": "s3", "bucket": {**BUCKET, "adopt": True}}},
        (
            "storage.bucket.adopt: is for a bucket that the stack makes; with backend s3 it is yours and only used\n"
            "      hint: `backend: thanos` makes and keeps it"
        ),
    ),
    (
        {"storage": bucket(name="acme.metrics")},
        (
            "storage.bucket.name (is acme.metrics): has a dot, so no certificate is valid for its address\n"
            "      hint: leave the dot out, or set `path_style: true`"
        ),
    ),
    (
        {"storage": bucket(name="Acme")},
        (
            "storage.bucket.name (is 'Acme'): must be 3 to 63 lower-case letters, digits, dots and hyphens, "
            "as bucket names are: no two dots, no dot beside a hyphen, no IP address, not xn-- at the beginning or "
            "-s3alias at the end"
        ),
    ),
    (
        {"storage": bucket(endpoint="https://s3.example.com/acme")},
        (
            "storage.bucket.endpoint (is https://s3.example.com/acme): must end after host and port\n"
            "      hint: `prefix` names a folder"
        ),
    ),
    (
        {"storage": bucket(endpoint="https://s3.example.com?region=eu")},
        (
            "storage.bucket.endpoint (is https://s3.example.com?region=eu): must end after host and port\n"
            "      hint: `prefix` names a folder"
        ),
    ),
    (
        {"storage": bucket(endpoint="https://s3.eu-central-1.amazonaws.com/", encryption="none")},
        (
            "storage.bucket.encryption (is none): is for servers that cannot encrypt\n"
            "      hint: leave it out, for AWS encrypts in any case"
        ),
    ),
    (
        {"storage": bucket(endpoint="s3.example.com")},
        (
            "storage.bucket.endpoint (is 's3.example.com'): must be a URL such as https://example.com/path, "
            "without a login in it"
        ),
    ),
    (
        {"storage": bucket(encryption="none")},
        (
            "storage.bucket.encryption (is none): is for servers that cannot encrypt\n"
            "      hint: leave it out, for AWS encrypts in any case"
        ),
    ),
    (
        {"storage": bucket(encryption={"kms_key": "arn:aws:kms:us-east-1:111122223333:alias/metrics"})},
        "storage.bucket.encryption.kms_key (is us-east-1): must be a key of the bucket's region eu-central-1",
    ),
    (
        {"storage": bucket(encryption={"kms_key": "abc"})},
        "storage.bucket.encryption.kms_key (is 'abc'): must be the ARN of a KMS key or alias",
    ),
    (
        {"storage": bucket(tags={"AWS:cost": "7"})},
        (
            "storage.bucket.tags.AWS:cost: must be 1 to 128 letters, digits, spaces and any of _ . : / = + - @, and "
            "not begin with aws:"
        ),
    ),
    (
        {"storage": bucket(tags={"team": "a|b"})},
        "storage.bucket.tags.team (is a|b): must be at most 256 letters, digits, spaces and any of _ . : / = + - @",
    ),
    (
        {"storage": bucket(tags={f"tag-{number}": "" for number in range(51)})},
        "storage.bucket.tags (is 51): must be at most 50",
    ),
    (
        {"storage": bucket(prefix="/metrics")},
        (
            "storage.bucket.prefix (is '/metrics'): must be names with / between them, such as metrics/prod, and "
            "none of . and .."
        ),
    ),
    (
        {"storage": bucket(credentials={"access_key": "AKIA", "secret_key": {"secret": "s3SecretKey"}})},
        (
            "storage.bucket.credentials.access_key: must name a secret, for example {secret: credentialsAccessKey}; "
            "its value never stands in this file"
        ),
    ),
    (
        {"storage": storage(retention={"raw": "2d"})},
        "storage.retention.raw (is 2d): must be at least 3d: before, nothing coarser is made of these samples",
    ),
    (
        {"storage": storage(retention={"raw": "20d", "five_minutes": "20d"})},
        (
            "storage.retention.five_minutes (is 20d): must be at least 3w: before, nothing coarser is made of these "
            "samples"
        ),
    ),
    (
        {"storage": storage(retention={"raw": "forever"})},
        "storage.retention.five_minutes (is 1y): must not be shorter than raw, or long queries end before short ones",
    ),
    (
        {"storage": storage(), "retention": {"time": "5h"}},
        (
            "retention.time (is 5h): must be at least 6h with a bucket: what is not uploaded yet is on Prometheus' own "
            "disk alone"
        ),
    ),
    (
        {
            "storage": storage(),
            "retention": {"size": "500MB"},
            "scrape": {"interval": "1s", "timeout": "1s"},
            "services": [
                {
                    "name": "shop",
                    "team": "web",
                    "discovery": {"static": {"targets": [f"shop-{n}:80" for n in range(20)]}},
                }
            ],
        },
        (
            "retention.size (is 500MB): must hold at least 6h of about 10,836 samples/s with a bucket: what is not "
            "uploaded yet is on Prometheus' own disk alone\n      hint: 2GB or more"
        ),
    ),
    (
        {"storage": storage(receive={}), "access": ACCESS},
        (
            "storage.receive.clients: is required with access: the receiver knows no password\n"
            "      hint: `receive: {clients: {secret: receiveClients}}`, an authority whose certificates may push"
        ),
    ),
    (
        {"storage": storage(receive={"clients": {"secret": "receiveClients"}})},
        "storage.receive.clients: needs TLS\n      hint: add `access:`, whose certificate it shows",
    ),
    (
        {"storage": storage(ruler=["slo"], retention={"raw": "20d"}), "services": [PROMISING]},
        (
            "services[0].objectives.availability.window (is 30d): is longer than storage.retention.raw 20d\n"
            "      hint: storage.retention: {raw: 30d}, or window: 14d"
        ),
    ),
]


@pytest.mark.parametrize(("changes", "words"), CASES, ids=[f"{i}" for i, _ in enumerate(CASES)])
def test_what_does_not_fit_is_one_clear_problem(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(StackFileError) as caught:
        parse_stack(changed(MINIMAL, **changes), FILE)
    assert str(caught.value) == f"{FILE}: 1 problem\n  {words}"


@pytest.mark.parametrize(
    ("settings", "address", "insecure"),
    [
        ({}, "s3.eu-central-1.amazonaws.com", False),
        ({"region": "cn-north-1"}, "s3.cn-north-1.amazonaws.com.cn", False),
        ({"endpoint": "https://s3.example.com"}, "s3.example.com", False),
        ({"endpoint": "http://seaweed:8333/"}, "seaweed:8333", True),
    ],
)
def test_the_address_of_the_server(settings: dict[str, Any], address: str, insecure: bool) -> None:
    found = Bucket.model_validate({**BUCKET, **settings})
    assert (found.address, found.insecure) == (address, insecure)
