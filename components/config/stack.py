"""`StackConfig`: the values of one environment, and the relations between them that must hold."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, Literal, Self, get_args

from pydantic import Field, model_validator

from components.config.alert_settings import AlertSettings, alert_problems
from components.config.alerting import Alerting, alerting_problems
from components.config.backup import Backup, backup_problems
from components.config.base import Model, Name, Switch, seconds
from components.config.costs import PriceName, PriceOverride
from components.config.databases import database_problems
from components.config.declarations import declaration_problems
from components.config.errors import Problem, RelationError, near
from components.config.federation import FederatedServer, federation_problems
from components.config.high_availability import HighAvailability, high_availability_problems
from components.config.kubernetes import Kubernetes
from components.config.own_files import DashboardFiles, RuleFile, own_file_problems
from components.config.platform import only_own_settings, platform_problems
from components.config.products import (
    Access,
    Data,
    Docker,
    Exporters,
    ExternalUrls,
    Grafana,
    Images,
    Ports,
    ResourceLimits,
    Retention,
    Scrape,
    Tracing,
)
from components.config.promises import longest_window, promise_problems
from components.config.services import OWN_CERTIFICATE, BlackboxProbe, MonitoredService, target_problem
from components.config.storage import Storage, storage_problems

PRODUCTS = (
    "prometheus",
    "alertmanager",
    "grafana",
    "jaeger",
    "node-exporter",
    "blackbox-exporter",
    "cadvisor",
    "kube-state-metrics",
    "backup",
    "grafana-dump",
    "thanos",
    "victoria-metrics",
    "vmstorage",
    "vminsert",
    "vmselect",
    "cortex",
)
"""Everything that a stack is made of: keys of versions.yaml, and network names but for Thanos, which has several."""
THANOS = (
    "thanos-sidecar",
    "thanos-store",
    "thanos-query",
    "thanos-query-frontend",
    "thanos-compact",
    "thanos-rule",
    "thanos-receive",
)
"""Network names of the components of Thanos, each with limits of its own; one image for all."""
SIZED = (*(product for product in PRODUCTS if product != "thanos"), *THANOS)
"""What `resources` can name."""
DEMO = ("demo-shop", "demo-gateway", "demo-exporter", "demo-traffic")
"""Network names of the example services, which `demo: true` deploys beside the stack; keys of versions.yaml too."""
DashboardName = Literal[
    "stack",
    "alerts",
    "team",
    "services",
    "red",
    "golden-signals",
    "api-overview",
    "slo",
    "business",
    "concierge",
    "security",
    "backup-compliance",
    "neo4j-aura",
    "janusgraph",
    "cassandra",
    "node",
    "containers",
    "probes",
    "cluster",
    "cluster-nodes",
    "workloads",
    "thanos",
    "remote-write",
    "victoria-metrics",
    "victoria-metrics-cluster",
    "cortex",
]
DASHBOARDS: tuple[DashboardName, ...] = get_args(DashboardName)
UNPROTECTED = ("jaeger", "otlp_grpc", "otlp_http", "zipkin", "cortex", "demo")
"""Published ports of programs without an authentication of their own: Jaeger, Cortex and the demo."""
OWN_JOBS = (
    *PRODUCTS,
    *THANOS,
    "jaeger-spans",
    "kube-state-metrics-telemetry",
    "probe",
    "federate",
    "kubelet",
    "apiserver",
    "coredns",
)
"""Names of the stack's own scrape jobs, besides one `probe-<name>` for each probe."""
DEFAULT_RETENTION = "15d"
LOOKBACK = 300
"""Seconds after which Prometheus takes a series for gone; two scrapes must fit in."""


class StackConfig(Model):
    """One environment's monitoring, as its stack file describes it."""

    stack: Literal["prometheus"] = Field(default="prometheus", description="Which products; one choice so far.")
    environment: Name = Field(description="Becomes the label `environment` on every series and alert.")
    platform: Literal["docker", "kubernetes"] = Field(default="docker", description="Where to.")
    docker: Docker = Docker()
    kubernetes: Kubernetes | None = Field(default=None, description="With `platform: kubernetes`, and only then.")
    ports: Ports = Ports()
    external_urls: ExternalUrls = ExternalUrls()
    access: Access | None = Field(default=None, description="TLS and passwords. Default: none, so loopback only.")
    retention: Retention = Retention()
    scrape: Scrape = Scrape()
    storage: Storage = Field(
        default=Storage(), description="Where samples are kept: `local`, in a bucket, in VictoriaMetrics or in Cortex."
    )
    high_availability: HighAvailability = HighAvailability()
    services: tuple[MonitoredService, ...] = Field(default=(), description="What of yours is scraped.")
    federation: tuple[FederatedServer, ...] = Field(
        default=(), description="Prometheus servers of regions, whose results this one collects."
    )
    probes: tuple[BlackboxProbe, ...] = Field(default=(), description="What is asked from outside.")
    demo: Switch = Field(
        default=False, description="Example services under traffic, deployed beside the stack and monitored by it."
    )
    exporters: Exporters = Exporters()
    tracing: Tracing = Tracing()
    alerting: Alerting = Alerting()
    alerts: dict[str, AlertSettings] = Field(
        default_factory=dict, description="Alert to its own numbers, or to `off`; docs/guide/alerts.md lists them all."
    )
    grafana: Grafana = Grafana()
    dashboards: tuple[DashboardName, ...] = Field(
        default=DASHBOARDS, description="Those that have data in this stack are provisioned."
    )
    rule_files: tuple[RuleFile, ...] = Field(
        default=(), description="Rules of your own in Prometheus' format: paths from the stack file's folder."
    )
    dashboard_files: DashboardFiles = Field(
        default_factory=dict, description="Dashboards of your own: folder in Grafana to paths of JSON files."
    )
    resources: dict[str, ResourceLimits] = Field(default_factory=dict, description="Product to limits.")
    images: Images = Images()
    data: Data = Data()
    prices: dict[PriceName, PriceOverride] = Field(
        default_factory=dict,
        description="Your own prices for `cost`, as platform.item to one or from-to; docs/guide/cost.md lists them.",
    )
    backup: Backup | None = Field(default=None, description="Copies of the stack's data. Default: none are made.")

    @model_validator(mode="before")
    @classmethod
    def _platform(cls, data: Any) -> Any:
        return only_own_settings(data)

    @model_validator(mode="after")
    def _relations(self) -> Self:
        checks = (
            self._check_scrape,
            self._check_storage,
            self._check_databases,
            self._check_services,
            self._check_federation,
            self._check_probes,
            self._check_ports,
            self._check_access,
            self._check_channels,
            self._check_products,
            self._check_alerts,
            self._check_platform,
            self._check_high_availability,
            self._check_backup,
            self._check_own_files,
        )
        problems = [problem for check in checks for problem in check()]
        if problems:
            raise RelationError(problems)
        return self

    @property
    def tenant(self) -> str:
        """Whose samples they are to a database that keeps those of several."""
        return self.storage.cortex.tenant or self.environment

    @property
    def retention_time(self) -> str:
        """How long samples are kept: as the stack file says, else for 15 days, or as long as objectives look back."""
        needed = None if "slo" in self.storage.ruler else longest_window(self.services)
        return self.retention.time or max(DEFAULT_RETENTION, needed or "0s", key=seconds)

    @property
    def _kept_for_objectives(self) -> tuple[str, str]:
        """Key and value of how far those who measure objectives can look back, sample by sample."""
        if "slo" in self.storage.ruler:
            return "storage.retention.raw", self.storage.retention.raw
        return "retention.time", self.retention_time

    def _check_scrape(self) -> Iterator[Problem]:
        interval, timeout, kept = self.scrape.interval, self.scrape.timeout, self.retention_time
        if seconds(timeout) > seconds(interval):
            yield Problem("scrape.timeout", f"must not be longer than scrape.interval {interval}", timeout)
        if not 1 <= seconds(interval) <= LOOKBACK / 2:
            reason = "above that, series drop out of queries between two scrapes"
            yield Problem("scrape.interval", f"must be between 1s and 2m30s: {reason}", interval)
        if seconds(kept) < 7200:
            yield Problem("retention.time", "must be at least 2h, the length of a block", kept)

    def _check_storage(self) -> Iterator[Problem]:
        yield from storage_problems(self)

    def _check_services(self) -> Iterator[Problem]:
        seen: set[str] = set()
        for index, service in enumerate(self.services):
            key = f"services[{index}]"
            if self.demo and service.name.startswith("demo-"):
                hint = "call it otherwise, or leave the demo out"
                yield Problem(f"{key}.name", "begins like those of the demo's own services", service.name, hint)
            if service.name in OWN_JOBS or service.name.startswith(("probe-", "federate-")):
                yield Problem(f"{key}.name", "is the name of a scrape job of the stack itself", service.name)
            if service.name in seen:
                yield Problem(f"{key}.name", "is there twice; each name is one scrape job", service.name)
            seen.add(service.name)
            yield from self._check_interval(key, service.interval)
            interval = service.interval or self.scrape.interval
            if service.timeout and seconds(service.timeout) > seconds(interval):
                yield Problem(f"{key}.timeout", f"must not be longer than its interval {interval}", service.timeout)
            yield from self._check_instances(key, service)
            yield from declaration_problems(key, service, interval)
        yield from promise_problems(self.services, *self._kept_for_objectives, self.alerts)

    def _check_databases(self) -> Iterator[Problem]:
        yield from database_problems(self)

    def _check_federation(self) -> Iterator[Problem]:
        yield from federation_problems(self)

    def _check_instances(self, key: str, service: MonitoredService) -> Iterator[Problem]:
        count = len(service.discovery.static.targets) if service.discovery.static else 0
        if service.instances is not None and service.instances < count:
            hint = "leave it out: static targets are counted"
            message = f"must be at least {count}, the number of its static targets"
            yield Problem(f"{key}.instances", message, str(service.instances), hint)

    def _check_interval(self, key: str, interval: str | None) -> Iterator[Problem]:
        if interval and not 1 <= seconds(interval) <= LOOKBACK / 2:
            yield Problem(f"{key}.interval", "must be between 1s and 2m30s", interval)

    def _check_probes(self) -> Iterator[Problem]:
        seen: set[str] = set()
        for index, probe in enumerate(self.probes):
            if probe.name in seen:
                yield Problem(f"probes[{index}].name", "is there twice", probe.name)
            if probe.name == OWN_CERTIFICATE:
                yield Problem(f"probes[{index}].name", "is the stack's own probe of its certificate", probe.name)
            seen.add(probe.name)
            if wrong := target_problem(probe):
                yield Problem(f"probes[{index}].target", wrong, probe.target)
            yield from self._check_interval(f"probes[{index}]", probe.interval)
        if self.probes and not self.exporters.blackbox:
            yield Problem("probes", "need exporters.blackbox: true")

    def _check_ports(self) -> Iterator[Problem]:
        taken: dict[int, str] = {}
        for name, (_, number) in self.ports.published().items():
            if number in taken:
                hint = "give one another port"
                yield Problem(f"ports.{name}", f"{taken[number]} is published there, too", str(number), hint)
            taken.setdefault(number, name)

    def _check_access(self) -> Iterator[Problem]:
        for name, (address, number) in self.ports.published().items():
            if ipaddress.ip_address(address).is_loopback or (name == "cortex" != self.storage.backend):
                continue  # in the second case nobody listens there
            where = f"{address}:{number}"
            if name in UNPROTECTED:
                program = {"demo": "the demo", "cortex": "Cortex"}.get(name, "Jaeger")
                reason = f"would be open to others, but {program} has no authentication of its own"
                hint = f"write `{name}: 127.0.0.1:{number}` and put a proxy with a login before it"
                yield Problem(f"ports.{name}", reason, where, hint)
            elif self.access is None:
                hint = "add `access:` (TLS and a password), or bind it to 127.0.0.1"
                yield Problem(f"ports.{name}", "would be open to others without a password", where, hint)

    def _check_channels(self) -> Iterator[Problem]:
        yield from alerting_problems(self.alerting, self.services, bool(self.rule_files))

    def _check_platform(self) -> Iterator[Problem]:
        yield from platform_problems(self)

    def _check_high_availability(self) -> Iterator[Problem]:
        yield from high_availability_problems(self)

    def _check_backup(self) -> Iterator[Problem]:
        yield from backup_problems(self)

    def _check_own_files(self) -> Iterator[Problem]:
        yield from own_file_problems(self.rule_files, self.dashboard_files)

    def _check_alerts(self) -> Iterator[Problem]:
        yield from alert_problems(self.alerts, self.alerting.dead_mans_switch is not None)

    def _check_products(self) -> Iterator[Problem]:
        for key, names, known in (
            ("resources", self.resources, SIZED),
            ("images.overrides", self.images.overrides, PRODUCTS),
        ):
            for name in sorted({*names} - {*known, *DEMO}):
                message = f"is no product; products: {', '.join(known)}"
                yield Problem(f"{key}.{name}", message, hint=near(name, (*known, *DEMO)))
