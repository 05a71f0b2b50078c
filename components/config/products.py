"""The products of the stack and how they are published, protected, sized and named."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from components.config.base import Duration, Matching, Model, Secret, Size, Switch, Url, size_bytes
from components.config.databases import SHARED_STORES, CassandraStore, GrafanaDatabase, SearchStore


def _check_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("must be an IP address of this host, such as 127.0.0.1 or 0.0.0.0") from None


def _check_subnet(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("must be a network such as 172.30.0.0/24, with no host bits set") from None


def _check_published(value: object) -> object:
    text = str(value) if isinstance(value, str) or value in range(1, 65536) else ""
    address, _, port = text.rpartition(":")
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError("must be a port number (1 to 65535) or address:port, or null to publish nothing")
    if address:
        _check_address(address.strip("[]"))
    return text


Address = Annotated[str, AfterValidator(_check_address)]
Published = Annotated[
    str | None,
    BeforeValidator(lambda value: value if value is None else _check_published(value)),
    Field(json_schema_extra={"type": ["string", "integer", "null"], "anyOf": None}),
]


class Ports(Model):
    """What is published on the host: a port, or address:port; null publishes nothing."""

    bind_address: Address = Field(default="127.0.0.1", description="For ports without an address of their own.")
    prometheus: Published = Field(default="9090", description="UI and API of Prometheus.")
    alertmanager: Published = Field(default="9093", description="UI and API of Alertmanager.")
    grafana: Published = Field(default="3000", description="Grafana.")
    jaeger: Published = Field(default="16686", description="UI and API of Jaeger. Loopback only: it has no login.")
    otlp_grpc: Published = Field(default="4317", description="Takes traces by OTLP over gRPC. Loopback only.")
    otlp_http: Published = Field(default="4318", description="Takes traces by OTLP over HTTP. Loopback only.")
    zipkin: Published = Field(default=None, description="Takes traces in Zipkin's format. Loopback only.")
    thanos: Published = Field(default="10902", description="UI and API of Thanos, with storage in a bucket.")
    victoria: Published = Field(default="8428", description="UI and API of VictoriaMetrics, with storage there.")
    cortex: Published = Field(default="9009", description="API of Cortex, with storage there. Loopback only.")
    receive: Published = Field(default="19291", description="Takes samples by remote write, with `storage.receive`.")
    demo: Published = Field(default=None, description="Switch for faults of the demo. Loopback only.")

    def published(self) -> dict[str, tuple[str, int]]:
        """Every published port by name: (address, number)."""
        found: dict[str, tuple[str, int]] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name == "bind_address" or value is None:
                continue
            address, _, number = value.rpartition(":")
            found[name] = (address.strip("[]") or self.bind_address, int(number))
        return found


class Docker(Model):
    """The Docker engine to deploy to."""

    host: (
        Annotated[str, Matching(r"^(unix|tcp|npipe)://\S+$", "an address such as unix:///var/run/docker.sock")] | None
    ) = Field(default=None, description="Default: DOCKER_HOST, else the local socket.")
    subnet: Annotated[str, AfterValidator(_check_subnet)] | None = Field(
        default=None, description="Of the stack's own network, for example 172.30.0.0/24. Default: the engine chooses."
    )
    networks: tuple[
        Annotated[str, Matching(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "the name of a network, such as shop_default")], ...
    ] = Field(
        default=(),
        description="Existing networks of your services, such as shop_default of a Compose project. Prometheus, the "
        "blackbox exporter, Jaeger, and Grafana with a database join them; services on the host itself are "
        "host.docker.internal.",
    )


class Retention(Model):
    """How long samples stay on disk: the first limit that is reached counts."""

    time: Duration | None = Field(
        default=None,
        description="Age after which samples go; at least 2h, and as long as objectives look back. "
        "Default: 15d, or the longest window of an objective.",
    )
    size: Size | None = Field(default=None, description="At most 80 % of the disk, for example 20GB.")


class Scrape(Model):
    """How often Prometheus collects and evaluates."""

    interval: Duration = Field(default="15s", description="From one scrape of a target to the next; 1s to 2m30s.")
    timeout: Duration = Field(default="10s", description="After which a scrape has failed; at most the interval.")
    evaluation_interval: Duration | None = Field(default=None, description="Default: the scrape interval.")


class Tracing(Model):
    """Where traces are kept."""

    backend: Literal["jaeger", "none"] = Field(default="jaeger", description="`none` deploys no tracing.")
    storage: Literal["badger", "memory", "cassandra", "elasticsearch", "opensearch"] = Field(
        default="badger",
        description="badger: on disk; memory: until restart; the others: a database of yours, which has a key of that "
        "name here.",
    )
    retention: Duration = Field(default="48h", description="Of traces on disk and in Cassandra.")
    max_traces: int = Field(default=50000, ge=100, description="Kept in memory, with storage: memory.")
    cassandra: CassandraStore | None = Field(default=None, description="With storage: cassandra, and only then.")
    elasticsearch: SearchStore | None = Field(default=None, description="With storage: elasticsearch, and only then.")
    opensearch: SearchStore | None = Field(default=None, description="With storage: opensearch, and only then.")

    @property
    def shared(self) -> bool:
        """Whether traces are where several Jaegers can find them."""
        return self.storage in SHARED_STORES


class Exporters(Model):
    """What watches the host, its containers, and addresses from outside."""

    node: Switch = Field(default=True, description="node exporter: processor, memory and disks of the host.")
    blackbox: Switch = Field(default=True, description="blackbox exporter: makes the probes.")
    cadvisor: Switch = Field(default=True, description="cAdvisor: processor and memory of each container.")


class Grafana(Model):
    """Dashboards for people."""

    enabled: Switch = Field(default=True, description="false deploys no Grafana.")
    root_url: Url | None = Field(default=None, description="As browsers see it. Default: the published port.")
    admin_user: Annotated[str, Matching(r"^[A-Za-z0-9._@-]+$", "letters, digits and any of . _ @ -")] = Field(
        default="admin", description="Login of the administrator."
    )
    admin_password: Secret | None = Field(default=None, description="Default: made up once, kept as a secret output.")
    database: GrafanaDatabase | None = Field(
        default=None, description="Where users and dashboards made by hand are kept. Default: a file in its volume."
    )
    plugins: tuple[
        Annotated[str, Matching(r"^[a-z0-9-]+@\d+\.\d+\.\d+\S*$", "name@version, such as grafana-clock-panel@2.1.3")],
        ...,
    ] = Field(default=(), description="name@version")


class ExternalUrls(Model):
    """How people reach what links in messages lead to, where that is not the published port: through a proxy."""

    prometheus: Url | None = Field(
        default=None, description="Default: the published port. If it has a path, the proxy has to take that off."
    )
    alertmanager: Url | None = Field(default=None, description="As above, of Alertmanager.")


class Tls(Model):
    """Certificate of the stack's own endpoints, as `./observatory certs` makes it."""

    ca: Secret = Field(description="Certificate of the authority, PEM.")
    certificate: Secret = Field(description="The certificate, PEM; valid for the names of all services.")
    key: Secret = Field(description="Its private key, PEM.")


class Access(Model):
    """TLS and a password for Prometheus, Alertmanager, Grafana and the exporters."""

    username: Annotated[str, Matching(r"^[A-Za-z0-9._-]+$", "letters, digits and any of . _ -")] = Field(
        default="observatory", description="One user for people and for the services among themselves."
    )
    password: Secret = Field(description="Of that user. Grafana has its own users.")
    tls: Tls


class ResourceLimits(Model):
    """Upper limits of one product."""

    memory: Size | None = Field(default=None, description="At least 16MB.")
    cpus: float | None = Field(default=None, gt=0.05, le=64, description="Cores.")

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.memory and size_bytes(self.memory) < 16 * 2**20:
            raise ValueError(f"memory {self.memory} must be at least 16MB")
        return self


ImageReference = Annotated[
    str,
    Matching(
        r"^[a-z0-9][a-z0-9._/:-]*(:[\w][\w.-]*|@sha256:[0-9a-f]{64})$",
        "an image with its tag or digest, such as docker.io/grafana/grafana:13.0.0",
    ),
]


class Images(Model):
    """Where images come from."""

    registry: (
        Annotated[str, Matching(r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._/-]+)?$", "a host, with port and path if any")] | None
    ) = Field(
        default=None,
        description="A mirror that replaces the registry of every image, for example mirror.example.com/hub.",
    )
    overrides: dict[str, ImageReference] = Field(default_factory=dict, description="Product to full image reference.")


class Data(Model):
    """What happens to volumes."""

    keep: Switch = Field(default=True, description="Volumes stay when the stack is destroyed, and cannot be replaced.")
