"""Databases of yours that programs of the stack keep their data in, in place of a volume: several can share one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from components.config.base import Matching, Model, NotEmpty, PortNumber, Secret, Target, Url
from components.config.errors import Problem

if TYPE_CHECKING:
    from components.config.stack import StackConfig

Identifier = Annotated[
    str, Matching(r"^[A-Za-z_][A-Za-z0-9_.@-]*$", "letters, digits and any of _ . @ -, not beginning with a digit", 63)
]
Host = Annotated[
    str, Matching(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "a host name or IPv4 address, without a port: db.example.com")
]


class GrafanaDatabase(Model):
    """A PostgreSQL database of yours, in place of a file in Grafana's volume."""

    host: Host = Field(description="Of the server.")
    port: PortNumber = Field(default=5432, description="Of the server.")
    name: Identifier = Field(default="grafana", description="Of the database, which has to be there; may be empty.")
    user: Identifier = Field(default="grafana", description="Owner of that database: Grafana makes its tables.")
    password: Secret = Field(description="Of that user.")
    ssl_mode: Literal["disable", "require", "verify-ca", "verify-full"] = Field(
        default="verify-full",
        description="`verify-full` checks the server's certificate and its name, `require` neither, `disable` sends "
        "everything unencrypted.",
    )
    ca: Secret | None = Field(default=None, description="Authority to trust, PEM. Default: those of the image.")


class TraceStoreLogin(Model):
    """User and password."""

    username: Annotated[str, Matching(r"^[^\s$<>]+$", "text without spaces and any of $ < >")] = Field(
        description="User that Jaeger logs in as."
    )
    password: Secret = Field(description="Of that user; for Cassandra one without `$`.")


class TraceStoreTls(Model):
    """TLS to the database."""

    ca: Secret | None = Field(default=None, description="Authority to trust, PEM. Default: those of the image.")
    certificate: Secret | None = Field(default=None, description="Client certificate, PEM; with `key`.")
    key: Secret | None = Field(default=None, description="Its private key, PEM; with `certificate`.")
    server_name: Host | None = Field(default=None, description="Expected in the certificate, if not the address.")


class CassandraStore(Model):
    """A Cassandra cluster of yours."""

    servers: Annotated[tuple[Target, ...], NotEmpty()] = Field(description="host or host:port; 9042 by default.")
    datacenter: Identifier = Field(description="That is asked, and in which the keyspace is made.")
    keyspace: Annotated[
        str, Matching(r"^[a-z][a-z0-9_]{0,47}$", "lower-case letters, digits and _, such as jaeger")
    ] = Field(default="jaeger", description="Made with its tables where it is not there yet.")
    replication_factor: int = Field(default=3, ge=1, le=9, description="Copies of each trace, in a keyspace it makes.")
    login: TraceStoreLogin | None = Field(default=None, description="Default: none.")
    tls: TraceStoreTls | None = Field(default=None, description="Default: none, everything goes unencrypted.")


class SearchStore(Model):
    """An Elasticsearch or OpenSearch cluster of yours."""

    urls: Annotated[tuple[Url, ...], NotEmpty()] = Field(description="https://search-1.example.com:9200, ...")
    index_prefix: Annotated[str, Matching(r"^[a-z0-9][a-z0-9_-]*$", "lower-case letters, digits, _ and -")] | None = (
        Field(default=None, description="Before the names of its indices, so that several can share a cluster.")
    )
    shards: int = Field(default=5, ge=1, le=100, description="Of each index.")
    replicas: int = Field(default=1, ge=0, le=9, description="Further copies of each index.")
    login: TraceStoreLogin | None = Field(default=None, description="Default: none.")
    tls: TraceStoreTls | None = Field(default=None, description="Own authority or client certificate; needs https.")


SHARED_STORES = ("cassandra", "elasticsearch", "opensearch")


def database_problems(config: StackConfig) -> Iterator[Problem]:
    """Stores without their settings, settings without their store, and TLS that would not be used."""
    tracing = config.tracing
    for name in SHARED_STORES:
        store = getattr(tracing, name)
        if (store is None) == (tracing.storage == name):
            reason = f"is required with storage: {name}" if store is None else f"is for storage: {name} only"
            yield Problem(f"tracing.{name}", reason)
        if store is None or store.tls is None:
            continue
        if (store.tls.certificate is None) != (store.tls.key is None):
            yield Problem(f"tracing.{name}.tls", "certificate and key go together: give both or neither")
        if name != "cassandra" and any(urlsplit(url).scheme != "https" for url in store.urls):
            yield Problem(f"tracing.{name}.tls", "needs https:// urls, all of them")
    if tracing.shared and "retention" in tracing.model_fields_set and tracing.storage != "cassandra":
        reason = f"has no effect: in {tracing.storage} a policy of the cluster deletes old indices"
        hint = "leave it out here, and see docs/guide/high-availability.md"
        yield Problem("tracing.retention", reason, tracing.retention, hint)
    database = config.grafana.database
    if database and database.ca and database.ssl_mode == "disable":
        yield Problem("grafana.database.ca", "has no effect with ssl_mode: disable")
