"""What is monitored: the user's services and how Prometheus finds and reaches them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from components.config.base import (
    Duration,
    Label,
    Matching,
    Model,
    Name,
    NotEmpty,
    PortNumber,
    Secret,
    Target,
    Url,
    seconds,
)
from components.config.kubernetes import KubernetesDiscovery
from components.config.metrics import DeclaredMetric, MetricName, Objectives, Subject


def _check_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return value


Pattern = Annotated[
    str,
    Matching(r"^[a-zA-Z0-9_:.*+?|()\[\]^$-]+$", "a regular expression of metric names, such as http_.*"),
    AfterValidator(_check_pattern),
]
"""A regular expression of metric names, of which it has to match the whole."""


class StaticDiscovery(Model):
    """Addresses written down here."""

    targets: Annotated[tuple[Target, ...], NotEmpty()] = Field(
        description="host or host:port; the service's port is added."
    )


class FileDiscovery(Model):
    """Addresses in a file of their own, in Prometheus' file_sd format, below the stack file's folder."""

    file: Annotated[str, Matching(r"^[A-Za-z0-9._/-]+\.(ya?ml|json)$", "the path of a .yaml, .yml or .json file")] = (
        Field(description="Path from the stack file's folder, for example targets/batch.yaml.")
    )


class DockerDiscovery(Model):
    """Containers with a label, found through a Docker API that Prometheus can reach."""

    host: Annotated[str, Matching(r"^(tcp|http|https)://[^\s/]+$", "an address such as tcp://docker-proxy:2375")] = (
        Field(description="Docker API, best a read-only proxy of the socket, for example tcp://docker-proxy:2375.")
    )
    label: str = Field(default="prometheus-job", description="Container label whose value is the service's name.")


class DnsDiscovery(Model):
    """Addresses in DNS."""

    names: Annotated[
        tuple[Annotated[str, Matching(r"^[A-Za-z0-9._-]+$", "a host name such as shop.example.com")], ...], NotEmpty()
    ] = Field(description="Host names; each address that one has is a target.")
    type: Literal["A", "AAAA", "SRV", "MX", "NS"] = Field(
        default="A", description="Of the records. Only SRV carries ports; the others need the service's `port`."
    )


class Discovery(Model):
    """Exactly one way to find the service."""

    static: StaticDiscovery | None = None
    file: FileDiscovery | None = None
    docker: DockerDiscovery | None = None
    dns: DnsDiscovery | None = None
    kubernetes: KubernetesDiscovery | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"needs exactly one of static, file, docker, dns, kubernetes; has {', '.join(given) or 'none'}"
            )
        return self


class BasicAuthentication(Model):
    """User name and password."""

    username: str = Field(min_length=1, description="User that Prometheus logs in as.")
    password: Secret = Field(description="Of that user.")


class BearerAuthentication(Model):
    """A token in the Authorization header."""

    token: Secret = Field(description="Sent as `Bearer <token>`.")


class OAuth2Authentication(Model):
    """OAuth2 client credentials; Prometheus fetches and renews the token."""

    client_id: str = Field(min_length=1, description="As the identity provider knows Prometheus.")
    client_secret: Secret = Field(description="The client's secret.")
    token_url: Url = Field(description="Where tokens are fetched.")
    scopes: tuple[str, ...] = Field(default=(), description="Asked for with the token.")


class Authentication(Model):
    """Exactly one of these; client certificates are in `tls`."""

    basic: BasicAuthentication | None = None
    bearer: BearerAuthentication | None = None
    oauth2: OAuth2Authentication | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of basic, bearer, oauth2; has {', '.join(given) or 'none'}")
        return self


class ClientTls(Model):
    """Trust and client certificate (mutual TLS) towards a service."""

    ca: Secret | None = Field(default=None, description="Authority to trust, PEM. Default: those of the image.")
    certificate: Secret | None = Field(default=None, description="Client certificate, PEM; with `key`.")
    key: Secret | None = Field(default=None, description="Its private key, PEM; with `certificate`.")
    server_name: str | None = Field(default=None, description="Expected in the certificate, if not the address.")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: give both or neither")
        return self


class MonitoredService(Model):
    """One service of the user: a scrape job of that name, with labels service and team."""

    name: Name = Field(description="Of the scrape job and of the label `service`; each only once.")
    team: Name = Field(description="Label `team` on its series and so on its alerts.")
    discovery: Discovery
    port: PortNumber | None = Field(default=None, description="Added to addresses that have none.")
    path: Annotated[str, Matching(r"^/\S*$", "a path that begins with a slash, such as /metrics")] = Field(
        default="/metrics", description="Where its metrics are."
    )
    params: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="Query parameters: name to values.")
    scheme: Literal["http", "https"] = Field(default="http", description="How it is asked.")
    interval: Duration | None = Field(default=None, description="At most 2m30s. Default: the stack's scrape interval.")
    timeout: Duration | None = Field(
        default=None, description="Default: the stack's, or the interval where that is shorter."
    )
    authentication: Authentication | None = Field(default=None, description="How Prometheus logs in. Default: not.")
    tls: ClientTls | None = Field(default=None, description="Own authority or client certificate; needs https.")
    labels: dict[Label, str] = Field(default_factory=dict, description="Further labels on every series of it.")
    exposes: tuple[Subject, ...] = Field(
        default=(), description="Known sets of metrics that it exposes; each brings its alerts and dashboards."
    )
    metrics: dict[MetricName, DeclaredMetric] = Field(
        default_factory=dict, description="Further metrics, or other labels and buckets than a known set has."
    )
    objectives: Objectives = Field(default=Objectives(), description="What it promises.")
    instances: int | None = Field(
        default=None, ge=1, le=100_000, description="How many there are at most. Default: its static targets, else 1."
    )
    series_budget: int = Field(default=10_000, ge=1, description="Series that all its instances may have together.")
    channels: tuple[Name, ...] = Field(
        default=(), description="Channels that get all its alerts, besides what the routes say."
    )
    sample_limit: int = Field(default=20000, ge=1, description="Samples a scrape; above it the scrape fails.")
    target_limit: int | None = Field(default=None, ge=1, description="Targets that may be found. Default: any number.")
    label_limit: int = Field(default=64, ge=1, description="Labels a series; above it the scrape fails.")
    keep: tuple[Pattern, ...] = Field(
        default=(), description="Only metrics with these names are stored; `./observatory keep-list` tells them."
    )
    drop: tuple[Pattern, ...] = Field(default=(), description="Metrics with these names are not stored.")
    fallback_protocol: Literal["PrometheusText0.0.4", "PrometheusText1.0.0", "OpenMetricsText1.0.0"] | None = Field(
        default=None, description="For targets that send no Content-Type, which Prometheus 3 refuses."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.timeout and self.interval and seconds(self.timeout) > seconds(self.interval):
            raise ValueError(f"timeout {self.timeout} must not be longer than interval {self.interval}")
        if self.tls and self.scheme != "https":
            raise ValueError("tls needs scheme: https")
        if self.port is None and self.discovery.static:
            bare = [t for t in self.discovery.static.targets if ":" not in t.rsplit("]", 1)[-1]]
            if bare:
                raise ValueError(f"target {bare[0]} has no port; write {bare[0]}:8080 or give the service a port")
        if self.port is None and self.discovery.dns and self.discovery.dns.type != "SRV":
            raise ValueError("port is required: only DNS records of type SRV carry one")
        if (found := self.discovery.kubernetes) and (self.port is None) == (found.port_name is None):
            raise ValueError("kubernetes discovery needs the service's port or a port_name, and not both")
        reserved = {"service", "team", "environment", "job", "instance"} & set(self.labels)
        if reserved:
            raise ValueError(f"labels {', '.join(sorted(reserved))} are set by the stack itself")
        return self


OWN_CERTIFICATE = "stack-certificate"
"""Name and module of the probe that every stack with TLS has for its own certificate."""


class BlackboxProbe(Model):
    """A URL or address that the blackbox exporter asks from outside."""

    name: Name = Field(description="Label `probe`; each only once.")
    target: str = Field(
        description="A URL for http modules, host:port for tcp and tls, a host for icmp, a name server for dns."
    )
    module: Literal["http_2xx", "http_post_2xx", "tcp_connect", "tls_connect", "dns", "icmp"] = Field(
        default="http_2xx", description="How it is asked, and what counts as an answer."
    )
    team: Name = Field(default="platform", description="Label `team` on its alerts.")
    interval: Duration | None = Field(default=None, description="At most 2m30s. Default: the stack's scrape interval.")


_HOST = r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)"
_TARGETS = {
    "http": (r"https?://[^\s/@?#]+([/?#]\S*)?", "a URL such as https://shop.example.com/health, without a login in it"),
    "tcp": (_HOST + r":[1-9]\d{0,4}", "host:port, such as mail.example.com:25, without http://"),
    "tls": (_HOST + r":[1-9]\d{0,4}", "host:port, such as mail.example.com:993, without https://"),
    "dns": (_HOST + r"(:[1-9]\d{0,4})?", "the host or host:port of a name server"),
    "icmp": (
        rf"{_HOST}|[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F.]*",
        "a host, such as gateway.example.com, without http:// and without a port",
    ),
}
"""The first word of a module to the pattern of its targets, and that in words."""


def target_problem(probe: BlackboxProbe) -> str:
    """What is wrong with a probe's target for its module; empty where nothing is."""
    pattern, words = _TARGETS[probe.module.partition("_")[0]]
    return "" if re.fullmatch(pattern, probe.target) else f"must be {words}, for module {probe.module}"
