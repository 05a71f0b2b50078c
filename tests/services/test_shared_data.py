"""Grafana and Jaeger over databases of the user's, alone and as replicas."""

from __future__ import annotations

import configparser
from typing import Any

import pytest

from components.spec import Call, Plan
from tests.support import ACCESS, content, data, planned, service, stack

DATABASE: dict[str, Any] = {"host": "db.example.com", "password": {"secret": "grafanaDatabase"}}
LOGIN: dict[str, Any] = {"username": "jaeger", "password": {"secret": "traceStore"}}
TLS: dict[str, Any] = {name: {"secret": name} for name in ("ca", "certificate", "key")}
SEARCH: dict[str, Any] = {"urls": ["https://a.example.com:9200", "https://b.example.com"], "login": LOGIN, "tls": TLS}
CASSANDRA: dict[str, Any] = {"servers": ["a.example.com", "b.example.com:9999"], "datacenter": "dc1"}
SECRETS = "/etc/jaeger/current/secrets"


def ini(plan: Plan, name: str = "grafana") -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(content(service(plan, name), "grafana.ini"))
    return {section: dict(parser[section]) for section in parser.sections()}


def backend(**tracing: Any) -> dict[str, Any]:
    found = data(service(planned(stack(tracing=tracing)), "jaeger"), "jaeger.yaml")
    backends: dict[str, Any] = found["extensions"]["jaeger_storage"]["backends"]["traces"]
    return backends


def shared(**changes: Any) -> Plan:
    return planned(
        stack(
            high_availability={"grafana": 2, "jaeger": 3, "one_host": True},
            grafana={"database": DATABASE},
            tracing={"storage": "cassandra", "cassandra": CASSANDRA},
            **changes,
        )
    )


def test_grafana_has_no_database_unless_asked() -> None:
    alone = planned(stack())
    assert "database" not in ini(alone)
    assert service(alone, "grafana").meets_services is False


def test_grafana_logs_in_to_its_database_with_a_password_from_a_file() -> None:
    whole = planned(stack(grafana={"database": {**DATABASE, "ca": {"secret": "dbCa"}, "port": 5433, "user": "g"}}))
    folder = "/etc/grafana/current/secrets"
    assert ini(whole)["database"] == {
        "type": "postgres",
        "host": "db.example.com:5433",
        "name": "grafana",
        "user": "g",
        "password": f"$__file{{{folder}/database-password}}",
        "ssl_mode": "verify-full",
        "ca_cert_path": f"{folder}/database-ca.crt",
    }
    grafana = service(whole, "grafana")
    assert content(grafana, "secrets/database-password") == "<secret:grafanaDatabase>"
    assert content(grafana, "secrets/database-ca.crt") == "<secret:dbCa>"
    assert grafana.meets_services
    assert Call() in grafana.calls
    assert [volume.name for volume in grafana.volumes] == ["grafana-data"], "it stays, with what was kept in it"


def test_replicas_of_grafana_are_alike_and_one_name_leads_to_any_of_them() -> None:
    first, second = shared(access=ACCESS).replicas("grafana")
    assert (first.name, second.name) == ("grafana", "grafana-2")
    assert first.files == second.files
    assert {first.entry_name, second.entry_name} == {"grafana-any"}
    assert (first.port("http").published, second.port("http").published) == (3000, None)
    assert [volume.name for volume in second.volumes] == ["grafana-2-data"]
    assert first.calls == second.calls
    assert ini(shared())["unified_alerting"] == {"enabled": "false"}, "else they would have to hear of each other"


def test_prometheus_scrapes_each_replica_and_grafana_asks_whichever_jaeger_serves() -> None:
    whole = shared()
    jobs = {job["job_name"]: job for job in data(service(whole, "prometheus"), "prometheus.yml")["scrape_configs"]}
    assert jobs["grafana"]["static_configs"] == [{"targets": ["grafana:3000", "grafana-2:3000"]}]
    names = ("jaeger", "jaeger-2", "jaeger-3")
    assert jobs["jaeger-spans"]["static_configs"] == [{"targets": [f"{name}:8889" for name in names]}]
    grafana = service(whole, "grafana")
    sources = {each["uid"]: each for each in data(grafana, "provisioning/datasources/stack.yaml")["datasources"]}
    assert {uid for uid in sources if "jaeger" in uid} == {"jaeger"}
    assert sources["jaeger"]["url"] == "http://jaeger-any:16686"
    assert {Call(name, 16686) for name in names} <= {*grafana.calls}


def test_replicas_of_jaeger_are_alike_and_have_no_volume() -> None:
    first, *others = shared().replicas("jaeger")
    assert [each.name for each in others] == ["jaeger-2", "jaeger-3"]
    assert all(each.files == first.files and each.entry_name == "jaeger-any" for each in others)
    assert not any(each.volumes for each in (first, *others))
    assert not any(port.published for each in others for port in each.ports)
    assert Call() in first.calls


def test_one_of_each_has_no_further_name() -> None:
    alone = planned(stack(grafana={"database": DATABASE}))
    assert {each.entry_name for each in alone.services} == {""}


def test_cassandra() -> None:
    found = backend(storage="cassandra", retention="7d", cassandra={**CASSANDRA, "login": LOGIN, "tls": TLS})
    assert found == {
        "cassandra": {
            "schema": {
                "keyspace": "jaeger",
                "create": True,
                "datacenter": "dc1",
                "replication_factor": 3,
                "trace_ttl": "168h0m0s",
                "dependencies_ttl": "168h0m0s",
            },
            "connection": {
                "servers": ["a.example.com", "b.example.com:9999"],
                "local_dc": "dc1",
                "auth": {
                    "basic": {
                        "username": "jaeger",
                        "password": f"${{file:{SECRETS}/storage-password}}${{env:NOTHING:-}}",
                    }
                },
                "tls": {
                    "ca_file": f"{SECRETS}/storage-ca.crt",
                    "cert_file": f"{SECRETS}/storage.crt",
                    "key_file": f"{SECRETS}/storage.key",
                },
            },
        }
    }
    plain = backend(storage="cassandra", cassandra=CASSANDRA)["cassandra"]["connection"]
    assert plain["tls"] == {"insecure": True}
    assert "auth" not in plain


@pytest.mark.parametrize("kind", ["elasticsearch", "opensearch"])
def test_elasticsearch_and_opensearch(kind: str) -> None:
    found = backend(storage=kind, **{kind: {**SEARCH, "index_prefix": "acme", "replicas": 2}})[kind]
    assert found["server_urls"] == ["https://a.example.com:9200", "https://b.example.com"]
    assert found["auth"]["basic"] == {
        "username": "jaeger",
        "password_file": f"{SECRETS}/storage-password",
        "reload_interval": "1m",
    }
    assert found["tls"]["ca_file"] == f"{SECRETS}/storage-ca.crt"
    assert found["indices"]["index_prefix"] == "acme"
    assert found["indices"]["spans"] == {"shards": 5, "replicas": 2}
    bare = backend(storage=kind, **{kind: {"urls": ["http://a:9200"]}})[kind]
    assert not bare.keys() & {"auth", "tls"}


def test_secrets_of_the_store_are_files() -> None:
    tracing = {"storage": "opensearch", "opensearch": {**SEARCH, "tls": {**TLS, "server_name": "search"}}}
    jaeger = service(planned(stack(tracing=tracing)), "jaeger")
    files = {file.path: file.content for file in jaeger.files}
    assert files.pop("jaeger.yaml").count("server_name_override: search") == 1
    assert files == {
        "secrets/storage-password": "<secret:traceStore>",
        "secrets/storage-ca.crt": "<secret:ca>",
        "secrets/storage.crt": "<secret:certificate>",
        "secrets/storage.key": "<secret:key>",
    }
