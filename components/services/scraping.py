"""Scrape jobs: for the stack's own endpoints and for the services that the stack file names."""

from __future__ import annotations

from typing import Any

from components.config.base import Secret, seconds
from components.config.federation import FederatedServer
from components.config.services import Authentication, ClientTls, MonitoredService
from components.context import Context
from components.services.kubernetes_discovery import node_targets, service_targets
from components.spec import File, Metrics, Service, secret_token

_CONFIG = "/etc/prometheus/current"


def scrape_job(context: Context, metrics: Metrics, service: Service | str, *replicas: str) -> dict[str, Any]:
    """The job for an endpoint of the stack itself, given as its service or by its network name, and its replicas."""
    host = service if isinstance(service, str) else service.name
    job: dict[str, Any] = {"job_name": metrics.job}
    if metrics.path != "/metrics":
        job["metrics_path"] = metrics.path
    if metrics.honor_labels:
        job["honor_labels"] = True
    if metrics.protected and context.config.access:
        job |= {"scheme": "https", **context.access.client_config(_CONFIG, host if replicas else "")}
    if isinstance(service, Service) and service.per_node and context.config.kubernetes:
        job |= node_targets(context, service, metrics)
        if "tls_config" in job:  # asked by address, certified by name
            job["tls_config"] = {**job["tls_config"], "server_name": host}
    else:
        job["static_configs"] = [{"targets": [f"{name}:{metrics.port}" for name in (host, *replicas)]}]
    relabelled = [{"source_labels": ["__name__"], "regex": pattern, "action": "drop"} for pattern in metrics.drop]
    relabelled += [
        {"source_labels": ["__name__"], "regex": pattern, "target_label": "__name__", "replacement": name}
        for pattern, name in metrics.rename
    ]
    if relabelled:
        job["metric_relabel_configs"] = relabelled
    return job


def service_job(context: Context, service: MonitoredService) -> dict[str, Any]:
    """The job for one service of the user."""
    job: dict[str, Any] = {"job_name": service.name}
    settings = (
        ("scrape_interval", service.interval),
        ("scrape_timeout", service.timeout or capped_timeout(context, service.interval)),
        ("metrics_path", service.path if service.path != "/metrics" else None),
        ("params", {key: list(values) for key, values in service.params.items()}),
        ("scheme", service.scheme if service.scheme != "http" else None),
        ("fallback_scrape_protocol", service.fallback_protocol),
    )
    job |= {key: value for key, value in settings if value}
    job |= client_settings(service.name, service)
    job |= {"sample_limit": service.sample_limit, "label_limit": service.label_limit}
    if service.target_limit:
        job["target_limit"] = service.target_limit
    labels = {"service": service.name, "team": service.team, **service.labels}
    job |= _discovery(service, labels)
    if service.keep or service.drop:
        chosen = (("keep", service.keep), ("drop", service.drop))
        job["metric_relabel_configs"] = [
            {"source_labels": ["__name__"], "regex": "|".join(patterns), "action": action}
            for action, patterns in chosen
            if patterns
        ]
    return job


def capped_timeout(context: Context, interval: str | None) -> str | None:
    """What is scraped faster than the stack's timeout needs a shorter one, or Prometheus refuses the file."""
    if interval and seconds(context.config.scrape.timeout) > seconds(interval):
        return interval
    return None


def _discovery(service: MonitoredService, labels: dict[str, str]) -> dict[str, Any]:
    discovery = service.discovery
    relabel = [{"target_label": name, "replacement": literal(value)} for name, value in labels.items()]
    if discovery.static:
        return {"static_configs": [{"targets": static_targets(service), "labels": labels}]}
    if discovery.file:
        return {
            "file_sd_configs": [{"files": [f"{_CONFIG}/{target_path(service)}"]}],
            "relabel_configs": relabel,
        }
    if discovery.dns:
        settings: dict[str, Any] = {"names": list(discovery.dns.names), "type": discovery.dns.type}
        if discovery.dns.type != "SRV":
            settings["port"] = service.port
        return {"dns_sd_configs": [settings], "relabel_configs": relabel}
    if discovery.kubernetes:
        found = service_targets(service, discovery.kubernetes)
        return {**found, "relabel_configs": found["relabel_configs"] + relabel}
    assert discovery.docker is not None
    wanted = "__meta_docker_container_label_" + "".join(c if c.isalnum() else "_" for c in discovery.docker.label)
    kept: list[dict[str, Any]] = [{"source_labels": [wanted], "regex": service.name, "action": "keep"}]
    if service.port:
        kept.append({"source_labels": ["__meta_docker_port_private"], "regex": str(service.port), "action": "keep"})
    kept.append({"source_labels": ["__meta_docker_container_name"], "regex": "/(.*)", "target_label": "container"})
    return {"docker_sd_configs": [{"host": discovery.docker.host}], "relabel_configs": kept + relabel}


def literal(value: str) -> str:
    """Text for the replacement of a relabelling, where `$` begins a reference to the match."""
    return value.replace("$", "$$")


def static_targets(service: MonitoredService) -> list[str]:
    """The addresses that the stack file names, with their ports."""
    static = service.discovery.static
    return [_with_port(target, service.port) for target in static.targets] if static else []


def _with_port(target: str, port: int | None) -> str:
    return target if port is None or ":" in target.rsplit("]", 1)[-1] else f"{target}:{port}"


def _secret_path(job: str, use: str) -> str:
    # In a folder of their own: a service may be called what a file of the stack itself is called.
    return f"secrets/services/{job}-{use}"


def client_settings(job: str, to: MonitoredService | FederatedServer) -> dict[str, Any]:
    """How a job logs in, and whom it trusts."""
    return _authentication(job, to.authentication) | _tls(job, to.tls)


def _authentication(job: str, authentication: Authentication | None) -> dict[str, Any]:
    if authentication is None:
        return {}
    if basic := authentication.basic:
        path = f"{_CONFIG}/{_secret_path(job, 'password')}"
        return {"basic_auth": {"username": basic.username, "password_file": path}}
    if authentication.bearer:
        return {"authorization": {"credentials_file": f"{_CONFIG}/{_secret_path(job, 'token')}"}}
    assert authentication.oauth2 is not None
    oauth2 = authentication.oauth2
    settings: dict[str, Any] = {
        "client_id": oauth2.client_id,
        "client_secret_file": f"{_CONFIG}/{_secret_path(job, 'client-secret')}",
        "token_url": oauth2.token_url,
    }
    if oauth2.scopes:
        settings["scopes"] = list(oauth2.scopes)
    return {"oauth2": settings}


def _tls(job: str, tls: ClientTls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    settings: dict[str, Any] = {}
    for use, key in (("ca", "ca_file"), ("certificate", "cert_file"), ("key", "key_file")):
        if getattr(tls, use):
            settings[key] = f"{_CONFIG}/{_secret_path(job, use)}"
    if tls.server_name:
        settings["server_name"] = tls.server_name
    return {"tls_config": settings}


def _secrets_of(to: MonitoredService | FederatedServer) -> dict[str, Secret]:
    found: dict[str, Secret | None] = {}
    if authentication := to.authentication:
        found["password"] = authentication.basic.password if authentication.basic else None
        found["token"] = authentication.bearer.token if authentication.bearer else None
        found["client-secret"] = authentication.oauth2.client_secret if authentication.oauth2 else None
    if to.tls:
        found |= {"ca": to.tls.ca, "certificate": to.tls.certificate, "key": to.tls.key}
    return {use: secret for use, secret in found.items() if secret}


def service_secrets(context: Context) -> tuple[File, ...]:
    """The secret files that the scrape jobs point to; Prometheus reads them again by itself."""
    return tuple(file for service in context.config.services for file in client_secrets(service.name, service))


def client_secrets(job: str, to: MonitoredService | FederatedServer) -> tuple[File, ...]:
    """The secret files that `client_settings` point to."""
    return tuple(
        File(_secret_path(job, use), secret_token(secret.secret), reload=False)
        for use, secret in _secrets_of(to).items()
    )


def target_path(service: MonitoredService) -> str:
    """Where a service's target file stands in Prometheus' configuration folder."""
    assert service.discovery.file is not None
    return f"targets/{service.name}.{service.discovery.file.file.rsplit('.', 1)[1]}"


def target_files(context: Context) -> tuple[File, ...]:
    """The file_sd files that services name, as they stand beside the stack file; Prometheus watches them."""
    return tuple(
        File(target_path(service), context.beside[service.discovery.file.file])
        for service in context.config.services
        if service.discovery.file
    )
