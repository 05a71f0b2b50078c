"""Databases that several Jaegers share, as Jaeger 2 is told about them.

Source: https://www.jaegertracing.io/docs/latest/storage/
"""

from __future__ import annotations

from typing import Any

from components.config.base import Secret, go_duration
from components.config.databases import CassandraStore, SearchStore, TraceStoreTls
from components.config.products import Tracing
from components.spec import File, secret_token

_SECRETS = "/etc/jaeger/current/secrets"
_LOGIN = "storage-password"
_TLS = {"ca": "storage-ca.crt", "certificate": "storage.crt", "key": "storage.key"}


def store_of(tracing: Tracing) -> CassandraStore | SearchStore | None:
    """The settings of the database that traces are kept in; None where it is a volume or memory."""
    found: CassandraStore | SearchStore | None = getattr(tracing, tracing.storage, None) if tracing.shared else None
    return found


def shared_store(tracing: Tracing) -> dict[str, Any]:
    """The backend of `jaeger_storage`, with paths of secret files in place of secrets."""
    store = store_of(tracing)
    if isinstance(store, CassandraStore):
        return {"cassandra": _cassandra(store, tracing.retention)}
    assert store is not None
    return {tracing.storage: _search(store)}


def store_files(tracing: Tracing) -> tuple[File, ...]:
    """The secret files that `shared_store` names. Jaeger reads them when it starts; a login to a search also later."""
    store = store_of(tracing)
    secrets: dict[str, Secret | None] = {}
    if store and store.login:
        secrets[_LOGIN] = store.login.password
    again = {_LOGIN} if isinstance(store, SearchStore) else set()
    if store and store.tls:
        secrets |= {name: getattr(store.tls, key) for key, name in _TLS.items()}
    return tuple(
        File(f"secrets/{name}", secret_token(secret.secret), live=name in again, reload=False)
        for name, secret in secrets.items()
        if secret
    )


def _cassandra(store: CassandraStore, retention: str) -> dict[str, Any]:
    connection: dict[str, Any] = {"servers": list(store.servers), "local_dc": store.datacenter}
    if store.login:
        # There is no key for a file here, but any value may come from one. Alone it would be read as YAML, so that a
        # password such as `a: b` was no text; with something more beside it, be it empty, it is text as it stands.
        password = f"${{file:{_SECRETS}/{_LOGIN}}}${{env:NOTHING:-}}"
        connection["auth"] = {"basic": {"username": store.login.username, "password": password}}
    connection["tls"] = _tls(store.tls) if store.tls else {"insecure": True}
    return {
        "schema": {
            "keyspace": store.keyspace,
            "create": True,
            "datacenter": store.datacenter,
            "replication_factor": store.replication_factor,
            "trace_ttl": go_duration(retention),
            "dependencies_ttl": go_duration(retention),
        },
        "connection": connection,
    }


def _search(store: SearchStore) -> dict[str, Any]:
    index = {"shards": store.shards, "replicas": store.replicas}
    indices: dict[str, Any] = {kind: dict(index) for kind in ("spans", "services", "dependencies", "sampling")}
    if store.index_prefix:
        indices["index_prefix"] = store.index_prefix
    settings: dict[str, Any] = {"server_urls": list(store.urls), "indices": indices}
    if store.login:
        # Read again once a minute, so that a rotated password is taken up.
        login = {"username": store.login.username, "password_file": f"{_SECRETS}/{_LOGIN}"}
        settings["auth"] = {"basic": login | {"reload_interval": "1m"}}
    if store.tls:
        settings["tls"] = _tls(store.tls)
    return settings


def _tls(tls: TraceStoreTls) -> dict[str, Any]:
    names = {"ca": "ca_file", "certificate": "cert_file", "key": "key_file"}
    found = {name: f"{_SECRETS}/{_TLS[key]}" for key, name in names.items() if getattr(tls, key)}
    return found | ({"server_name_override": tls.server_name} if tls.server_name else {})
