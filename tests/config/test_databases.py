"""Databases of the user's in the stack file: what they need, and replicas only over them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components.config import StackFileError
from tests.support import stack

CLUSTER: dict[str, Any] = {"platform": "kubernetes", "kubernetes": {"context": "test"}}
DATABASE: dict[str, Any] = {"host": "db.example.com", "password": {"secret": "grafanaDatabase"}}
CASSANDRA: dict[str, Any] = {"servers": ["one.example.com"], "datacenter": "dc1"}
SEARCH: dict[str, Any] = {"urls": ["https://search.example.com:9200"]}


def refused(**changes: Any) -> str:
    with pytest.raises(StackFileError) as found:
        stack(**changes)
    return re.sub(r" \(is .*?\)(?=:)", "", str(found.value))


def test_a_database_is_checked_and_encrypted_unless_the_stack_file_says_otherwise() -> None:
    database = stack(grafana={"database": DATABASE}).grafana.database
    assert database
    assert (database.port, database.name, database.user) == (5432, "grafana", "grafana")
    assert database.ssl_mode == "verify-full"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"host": "db.example.com:5432"}, "grafana.database.host: must be a host name or IPv4 address, without a port"),
        ({"host": "db;x"}, "grafana.database.host: must be a host name"),
        ({"name": "a b"}, "grafana.database.name: must be letters, digits and any of _ . @ -"),
        ({"user": "x;y"}, "grafana.database.user: must be letters, digits"),
        ({"password": "abc"}, "grafana.database.password: must name a secret"),
        ({"ssl_mode": "prefer"}, "grafana.database.ssl_mode"),
        ({"port": 0}, "grafana.database.port"),
        ({"ssl_mode": "disable", "ca": {"secret": "ca"}}, "grafana.database.ca: has no effect with ssl_mode: disable"),
    ],
)
def test_what_grafana_could_not_log_in_with_is_refused(change: dict[str, Any], reason: str) -> None:
    assert reason in refused(grafana={"database": {**DATABASE, **change}})


@pytest.mark.parametrize(
    ("tracing", "reason"),
    [
        ({"storage": "cassandra"}, "tracing.cassandra: is required with storage: cassandra"),
        ({"storage": "opensearch", "elasticsearch": SEARCH}, "tracing.opensearch: is required"),
        ({"cassandra": CASSANDRA}, "tracing.cassandra: is for storage: cassandra only"),
        ({"storage": "memory", "opensearch": SEARCH}, "tracing.opensearch: is for storage: opensearch only"),
        ({"storage": "cassandra", "cassandra": {**CASSANDRA, "servers": []}}, "servers: must name at least one"),
        ({"storage": "cassandra", "cassandra": {"servers": ["a"]}}, "tracing.cassandra.datacenter: is required"),
        ({"storage": "cassandra", "cassandra": {**CASSANDRA, "keyspace": "My-Keys"}}, "must be lower-case letters"),
        (
            {"storage": "cassandra", "cassandra": {**CASSANDRA, "tls": {"key": {"secret": "k"}}}},
            "tracing.cassandra.tls: certificate and key go together",
        ),
        (
            {"storage": "elasticsearch", "elasticsearch": {"urls": ["http://a:9200"], "tls": {"ca": {"secret": "c"}}}},
            "tracing.elasticsearch.tls: needs https:// urls, all of them",
        ),
        (
            {"storage": "elasticsearch", "elasticsearch": SEARCH, "retention": "7d"},
            "tracing.retention: has no effect: in elasticsearch a policy of the cluster deletes old indices",
        ),
        (
            {"storage": "opensearch", "opensearch": {**SEARCH, "login": {"username": "a", "password": "b"}}},
            "tracing.opensearch.login.password: must name a secret",
        ),
    ],
)
def test_stores_of_traces_that_cannot_work_are_refused(tracing: dict[str, Any], reason: str) -> None:
    assert reason in refused(tracing=tracing)


def test_replicas_share_their_data_or_are_refused() -> None:
    for product in ("grafana", "jaeger"):
        assert f"high_availability.{product}: each would have" in refused(high_availability={product: 2}, **CLUSTER)
    assert "tracing.storage is badger" in refused(high_availability={"jaeger": 2}, **CLUSTER)
    text = refused(high_availability={"grafana": 2}, grafana={"enabled": False, "database": DATABASE}, **CLUSTER)
    assert "there is no Grafana: grafana.enabled is false" in text
    text = refused(high_availability={"jaeger": 2}, tracing={"backend": "none"}, **CLUSTER)
    assert "there is no Jaeger: tracing.backend is none" in text
    assert "is no high availability" in refused(high_availability={"grafana": 1}, grafana={"database": DATABASE})
    shared = {"grafana": {"database": DATABASE}, "tracing": {"storage": "cassandra", "cassandra": CASSANDRA}}
    asked = stack(high_availability={"grafana": 2, "jaeger": 3}, **shared, **CLUSTER).high_availability.asked
    assert asked == {"grafana": 2, "jaeger": 3}
    text = refused(high_availability={"grafana": 2}, **shared)
    assert "replicas on one Docker host do not outlive it" in text
