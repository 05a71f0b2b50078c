"""`StackConfig`: the values of one environment, and the relations between them that must hold."""

from __future__ import annotations

import ipaddress
from typing import Literal, Self

from pydantic import Field, model_validator

from components.config.alerting import Alerting
from components.config.base import Model, Name, seconds
from components.config.products import (
    Access,
    Data,
    Docker,
    Exporters,
    Grafana,
    Images,
    Ports,
    ResourceLimits,
    Retention,
    Scrape,
    Tracing,
)
from components.config.services import BlackboxProbe, MonitoredService

PRODUCTS = ("prometheus", "alertmanager", "grafana", "jaeger", "node-exporter", "blackbox-exporter", "cadvisor")
"""Network names of everything that this version can deploy; the keys of versions.yaml."""
DashboardName = Literal["stack", "node", "api-overview"]
DASHBOARDS: tuple[DashboardName, ...] = ("stack", "node", "api-overview")
UNPROTECTED = ("jaeger", "otlp_grpc", "otlp_http", "zipkin")
"""Published ports of Jaeger, which has no authentication of its own."""
LOOKBACK = 300
"""Seconds after which Prometheus takes a series for gone; two scrapes must fit in."""


class StackConfig(Model):
    """One environment's monitoring, as its stack file describes it."""

    stack: Literal["prometheus"] = "prometheus"
    environment: Name = Field(description="Becomes the label `environment` on every series and alert.")
    platform: Literal["docker"] = "docker"
    docker: Docker = Docker()
    ports: Ports = Ports()
    access: Access | None = Field(default=None, description="TLS and passwords. Default: none, so loopback only.")
    retention: Retention = Retention()
    scrape: Scrape = Scrape()
    storage: Literal["local"] = "local"
    services: tuple[MonitoredService, ...] = ()
    probes: tuple[BlackboxProbe, ...] = ()
    exporters: Exporters = Exporters()
    tracing: Tracing = Tracing()
    alerting: Alerting = Alerting()
    grafana: Grafana = Grafana()
    dashboards: tuple[DashboardName, ...] = Field(
        default=DASHBOARDS, description="Those whose products are deployed are provisioned."
    )
    resources: dict[str, ResourceLimits] = Field(default_factory=dict, description="Product to limits.")
    images: Images = Images()
    data: Data = Data()

    @model_validator(mode="after")
    def _relations(self) -> Self:
        for check in (
            self._check_scrape,
            self._check_names,
            self._check_ports,
            self._check_access,
            self._check_alerting,
            self._check_products,
        ):
            check()
        return self

    def _check_scrape(self) -> None:
        scrape = self.scrape
        if seconds(scrape.timeout) > seconds(scrape.interval):
            raise ValueError(
                f"scrape.timeout {scrape.timeout} must not be longer than scrape.interval {scrape.interval}"
            )
        if not 1 <= seconds(scrape.interval) <= LOOKBACK / 2:
            raise ValueError(
                f"scrape.interval {scrape.interval} must be between 1s and 2m30s: "
                "above that, series drop out of queries between two scrapes"
            )
        if seconds(self.retention.time) < 7200:
            raise ValueError(f"retention.time {self.retention.time} must be at least 2h, the length of a block")
        for service in self.services:
            interval = service.interval or scrape.interval
            timeout = service.timeout or scrape.timeout
            if service.timeout and seconds(timeout) > seconds(interval):
                raise ValueError(
                    f"services: {service.name}: timeout {timeout} must not be longer than its interval {interval}"
                )
            if seconds(interval) > LOOKBACK / 2:
                raise ValueError(f"services: {service.name}: interval {interval} must be at most 2m30s")

    def _check_names(self) -> None:
        own = {*PRODUCTS, "probe"}
        seen: set[str] = set()
        for service in self.services:
            if service.name in own:
                raise ValueError(f"services: {service.name} is the name of a scrape job of the stack itself")
            if service.name in seen:
                raise ValueError(f"services: {service.name} is there twice; each name is one scrape job")
            seen.add(service.name)
        probes = [probe.name for probe in self.probes]
        twice = {name for name in probes if probes.count(name) > 1}
        if twice:
            raise ValueError(f"probes: {min(twice)} is there twice")
        if self.probes and not self.exporters.blackbox:
            raise ValueError("probes need exporters.blackbox: true")

    def _check_ports(self) -> None:
        taken: dict[int, tuple[str, str]] = {}
        for name, (address, number) in self.ports.published().items():
            other = taken.get(number)
            if other:
                raise ValueError(
                    f"ports: {name} and {other[0]} are both published on {number}\nhint: give one another port"
                )
            taken[number] = (name, address)

    def _check_access(self) -> None:
        for name, (address, number) in self.ports.published().items():
            if ipaddress.ip_address(address).is_loopback:
                continue
            if name in UNPROTECTED:
                raise ValueError(
                    f"ports: {name} would be open on {address}:{number}, but Jaeger has no authentication of its own"
                    f"\nhint: write `{name}: 127.0.0.1:{number}` and put a proxy with a login before it"
                )
            if self.access is None:
                raise ValueError(
                    f"ports: {name} would be open on {address}:{number} without a password"
                    "\nhint: add `access:` (TLS and a password), or bind it to 127.0.0.1"
                )

    def _check_alerting(self) -> None:
        alerting = self.alerting
        named = [("default_channels", name) for name in alerting.default_channels]
        named += [(f"routes[{i}]", name) for i, route in enumerate(alerting.routes) for name in route.channels]
        if alerting.dead_mans_switch:
            named.append(("dead_mans_switch", alerting.dead_mans_switch.channel))
        for where, name in named:
            if name not in alerting.channels:
                known = ", ".join(sorted(alerting.channels)) or "none is defined"
                raise ValueError(f"alerting.{where}: no channel is called {name}; channels: {known}")
        used = {name for _, name in named}
        idle = sorted(set(alerting.channels) - used)
        if idle:
            raise ValueError(
                f"alerting.channels: {idle[0]} gets no alert"
                "\nhint: name it in default_channels, a route or dead_mans_switch"
            )

    def _check_products(self) -> None:
        for key, names in (("resources", self.resources), ("images.overrides", self.images.overrides)):
            unknown = sorted(set(names) - set(PRODUCTS))
            if unknown:
                raise ValueError(f"{key}: {unknown[0]} is no product; products: {', '.join(PRODUCTS)}")
