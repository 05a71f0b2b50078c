"""`verify`: proves on a running stack that it does what it is planned for, through the ports that it publishes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from components.config import StackConfig
from components.plan import plan_stack_file
from components.services import victoria_cluster
from components.services.cortex import TENANT
from components.services.grafana import ADMIN_PASSWORD
from components.spec import Plan
from operations import console
from operations.checks import alertmanager, cortex, grafana, prometheus, thanos, tracing, victoria_metrics
from operations.cluster import forwarded
from operations.errors import CommandError
from operations.http import Credentials, Endpoint, endpoint_url
from operations.pulumi_cli import Pulumi
from operations.results import Result, as_json, as_junit, passed
from operations.running import Check, Running, run_checks
from operations.written import writable, write

GRAFANA_PASSWORD = "OBSERVATORY_GRAFANA_PASSWORD"  # noqa: S105 - the name of a variable
"""Environment variable with Grafana's administrator password, for where there is no Pulumi."""
_PORTS = {
    "prometheus": ("prometheus", "http", "prometheus"),
    "alertmanager": ("alertmanager", "http", "alertmanager"),
    "jaeger": ("jaeger", "ui", "jaeger"),
    "otlp": ("jaeger", "otlp-http", "otlp_http"),
    "grafana": ("grafana", "http", "grafana"),
    "thanos": ("thanos-query-frontend", "http", "thanos"),
    "victoria-metrics": ("victoria-metrics", "http", "victoria"),
    "cortex": ("cortex", "http", "cortex"),
}
"""Endpoint to service, its port, and the key of the stack file that publishes it."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where passwords come from: files that are named, else Pulumi."""

    stack: str
    password_file: Path | None = None
    ca_file: Path | None = None

    def access(self, config: StackConfig) -> Credentials | None:
        """User, password and authority of the stack's endpoints; None where they are open."""
        access = config.access
        if access is None:
            return None
        password = _read(self.password_file) if self.password_file else self._pulumi(access.password.secret)
        authority = _read(self.ca_file) if self.ca_file else self._pulumi(access.tls.ca.secret)
        return Credentials(access.username, password.removesuffix("\n"), authority)

    def _pulumi(self, name: str) -> str:
        value = Pulumi.of(self.stack).secret(name)
        if value is None:
            hint = f"./observatory certs {self.stack}"
            raise CommandError(f"the secret observatory:{name} is not set", f"{hint}, or --password-file and --ca-file")
        return value

    def grafana(self, config: StackConfig) -> str:
        """Grafana's administrator password. Raises CommandError where it cannot be had."""
        own = os.environ.get(GRAFANA_PASSWORD)
        if own:
            return own
        pulumi = Pulumi.of(self.stack)
        configured = config.grafana.admin_password
        name = configured.secret if configured else ADMIN_PASSWORD
        value = pulumi.secret(name)
        if value is None and not configured:
            value = pulumi.outputs().get(ADMIN_PASSWORD)
        if not value:
            raise CommandError(f"Pulumi knows no {name} of this stack")
        return str(value)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"{file} cannot be read: {reason}") from None


def _ports(config: StackConfig) -> dict[str, tuple[str, str, str]]:
    """The endpoints of a stack: of Thanos the component that people ask, be it the query frontend or the querier."""
    if config.storage.thanos and not config.storage.query_frontend:
        return {**_PORTS, "thanos": ("thanos-query", "http", "thanos")}
    if config.storage.victoria_cluster:
        return {**_PORTS, "victoria-metrics": (victoria_cluster.SELECT, "http", "victoria")}
    return _PORTS


def endpoint_ports(config: StackConfig) -> set[tuple[str, str]]:
    """Service and port of every endpoint: what a way into a cluster is needed to."""
    return {(product, port) for product, port, _ in _ports(config).values()}


def connect(config: StackConfig, plan: Plan, secrets: Secrets) -> tuple[dict[str, Endpoint], dict[str, str]]:
    """The endpoints that can be reached from here, and why the others cannot."""
    engine = config.docker.host or os.environ.get("DOCKER_HOST", "")
    credentials = secrets.access(config)
    endpoints: dict[str, Endpoint] = {}
    reasons: dict[str, str] = {}
    for name, (product, port_name, key) in _ports(config).items():
        service = plan.service(product)
        if service is None:
            left_out = product in plan.unavailable
            reasons[name] = (
                f"{product} is left out: its image cannot be had on this machine"
                if left_out
                else f"{product} is not part of this stack"
            )
            continue
        port = service.port(port_name)
        if port.published is None:
            reasons[name] = f"{product} is not published; give `ports.{key}` a port"
            continue
        protected = credentials if port.scheme == "https" else None
        headers = {TENANT: config.tenant} if name == "cortex" else None
        endpoints[name] = Endpoint(product, endpoint_url(port, engine), protected, headers=headers)
    _log_in_to_grafana(config, secrets, credentials, endpoints, reasons)
    return endpoints, reasons


def _log_in_to_grafana(
    config: StackConfig,
    secrets: Secrets,
    credentials: Credentials | None,
    endpoints: dict[str, Endpoint],
    reasons: dict[str, str],
) -> None:
    """Grafana twice: as anybody for its health, and as its administrator, who is none of the stack's users."""
    login = grafana.LOGIN
    if "grafana" not in endpoints:
        reasons[login] = reasons["grafana"]
        return
    url = endpoints["grafana"].url
    authority = credentials.ca if credentials else ""
    try:
        password = secrets.grafana(config)
    except CommandError as error:
        reasons[login] = f"no administrator password: {error.message}; give it by {GRAFANA_PASSWORD}"
        return
    endpoints[login] = Endpoint("grafana", url, Credentials(config.grafana.admin_user, password, authority))


def planned_checks(plan: Plan, config: StackConfig) -> list[Check]:
    """The checks that make sense for a stack: those of every product that it asks for, available or not.

    First whether the endpoints answer: without that the others say nothing.
    """
    asked = {service.name for service in (*plan.services, *plan.withheld)}
    by_product = (
        ("prometheus", prometheus.CHECKS),
        ("alertmanager", alertmanager.CHECKS),
        ("alertmanager-2", alertmanager.REPLICA_CHECKS),
        ("thanos-query", thanos.CHECKS),
        ("victoria-metrics", victoria_metrics.CHECKS),
        (victoria_cluster.SELECT, victoria_metrics.CHECKS),
        ("cortex", cortex.CHECKS),
        ("thanos-rule", thanos.RULER_CHECKS),
        ("jaeger", tracing.CHECKS),
        ("grafana", grafana.CHECKS if config.grafana.enabled else ()),
    )
    found = [check for product, checks in by_product if product in asked for check in checks]
    return sorted(found, key=lambda check: not check.answers)


def verify(
    config: StackConfig,
    plan: Plan,
    endpoints: Mapping[str, Endpoint],
    unreachable: Mapping[str, str],
    patience: float,
    show: Callable[[Result], None] = lambda _result: None,
) -> list[Result]:
    """Run all checks; `show` gets each result as soon as it is known."""
    running = Running(config, plan, endpoints, patience, unreachable)
    results = []
    # Closed before the connections are: an interrupted check still has to take its test alert back.
    with closing(run_checks(planned_checks(plan, config), running)) as found:
        for result in found:
            show(result)
            results.append(result)
    return results


def verify_command(
    stack: str, json: bool, patience: float, junit: Path | None, password_file: Path | None, ca_file: Path | None
) -> int:
    """Verify a stack and print what was found."""
    writable(junit, "--junit")
    start = time.monotonic()
    config, plan = plan_stack_file(stack)
    with forwarded(config, plan, endpoint_ports(config)) as reached:
        secrets = Secrets(stack, password_file, ca_file)
        return _verify_reached(config, reached, secrets, start, json, patience, junit)


def _verify_reached(
    config: StackConfig,
    plan: Plan,
    secrets: Secrets,
    start: float,
    json: bool,
    patience: float,
    junit: Path | None,
) -> int:
    endpoints, unreachable = connect(config, plan, secrets)
    width = max(len(check.name) for check in planned_checks(plan, config))

    def show(result: Result) -> None:
        if not json:
            console.say("\n".join(console.result_lines(result, width)))

    try:
        results = verify(config, plan, endpoints, unreachable, patience, show)
    finally:
        for endpoint in endpoints.values():
            endpoint.close()
    write(junit, as_junit(f"observatory verify {plan.environment}", results))
    if json:
        console.print_json(as_json(plan.environment, results))
    else:
        console.say(console.verdict(results, time.monotonic() - start))
    return 0 if passed(results) else 1
