"""The receiver: how others reach it, who may push, and how the querier shows what they have pushed."""

from __future__ import annotations

from typing import Any

from components.spec import Plan
from tests.services.test_thanos import flag
from tests.support import ACCESS, data, planned, service, stack

BUCKET = {"backend": "s3", "bucket": {"name": "acme-metrics", "region": "eu-central-1"}}
CLIENTS = {"clients": {"secret": "receiveClients"}}


def plan(receive: dict[str, Any] | None, **changes: Any) -> Plan:
    return planned(stack(storage={**BUCKET, **({} if receive is None else {"receive": receive})}, **changes))


def test_it_is_there_only_where_it_is_asked_for() -> None:
    assert plan(None).service("thanos-receive") is None
    asked = data(service(plan(None), "thanos-query"), "endpoints.yml")["endpoints"]
    assert "thanos-receive:10901" not in [each["address"] for each in asked]
    found = plan({})
    asked = data(service(found, "thanos-query"), "endpoints.yml")["endpoints"]
    assert "thanos-receive:10901" in [each["address"] for each in asked]


def test_it_is_published_where_the_stack_file_says() -> None:
    port = service(plan({}), "thanos-receive").port("remote-write")
    assert (port.number, port.published, port.address, port.scheme) == (19291, 19291, "127.0.0.1", "http")
    assert service(plan({}, ports={"receive": None}), "thanos-receive").port("remote-write").published is None


def test_its_own_label_is_not_shown() -> None:
    """It has to have one, and series that are pushed keep theirs."""
    found = plan({})
    assert flag(service(found, "thanos-receive"), "label") == 'receive_replica="1"'
    query = service(found, "thanos-query")
    assert [arg for arg in query.args if "replica-label" in arg] == [
        "--query.replica-label=replica",
        "--query.replica-label=receive_replica",
    ]


def test_it_keeps_samples_as_long_as_prometheus_does() -> None:
    receiver = service(plan({}, retention={"time": "30d"}), "thanos-receive")
    assert flag(receiver, "tsdb.retention") == "30d"
    assert [volume.path for volume in receiver.volumes] == [flag(receiver, "tsdb.path")]


def test_with_access_only_certificates_of_one_authority_may_push() -> None:
    receiver = service(plan(CLIENTS, access=ACCESS), "thanos-receive")
    assert receiver.port("remote-write").scheme == "https"
    assert flag(receiver, "remote-write.server-tls-client-ca") == "/etc/thanos/current/clients/ca.crt"
    assert flag(receiver, "remote-write.server-tls-cert") == "/etc/thanos/current/tls.crt"
    assert "receiveClients" in receiver.secrets
    assert not [arg for arg in service(plan({}), "thanos-receive").args if "server-tls" in arg]
