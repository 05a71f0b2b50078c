"""Grafana: dashboards over everything that is planned, with its datasources wired to each other."""

from __future__ import annotations

import configparser
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from components.config.own_files import own_name
from components.context import Context
from components.replicas import any_of, as_replica
from components.rules import grafana_url, shown_dashboards, subjects_on
from components.services import cortex, victoria_cluster
from components.services.thanos import asked_by_people
from components.spec import Call, File, Metrics, Probe, Reload, Service, Volume, secret_token
from components.yaml_text import dump

NAME, PORT = "grafana", 3000
ADMIN_PASSWORD, SECRET_KEY = "grafanaAdminPassword", "grafanaSecretKey"
"""Secrets that the deployment makes up where the stack has none. The key encrypts what Grafana stores."""
_FOLDER = "/etc/grafana"
_CONFIG = f"{_FOLDER}/current"


def grafanas(context: Context) -> tuple[Service, ...]:
    """Plan all replicas of Grafana; `provisioned` gives them their files once everything else is planned."""
    first = _grafana(context)
    return tuple(as_replica(first, number) for number in context.replicas(NAME))


def _grafana(context: Context) -> Service:
    scheme = context.access.scheme
    return Service(
        name=NAME,
        product="Grafana",
        image=context.image(NAME),
        user="472:0",
        resources=context.resources(NAME, memory=512, cpus=0.5),
        env=(("GF_PATHS_CONFIG", f"{_CONFIG}/grafana.ini"), ("GF_PATHS_PROVISIONING", f"{_CONFIG}/provisioning")),
        config_folder=_FOLDER,
        ports=(context.port("http", PORT, "grafana", scheme),),
        volumes=(Volume("grafana-data", "/var/lib/grafana"),),
        entry_name=any_of(NAME) if len(context.replicas(NAME)) > 1 else "",
        # Its database is outside of the stack's network.
        meets_services=context.config.grafana.database is not None,
        scratch=("/tmp",),
        probe=Probe(("curl", "-fsSk", "-o", "/dev/null", f"{scheme}://localhost:{PORT}/api/health"), start_period=90),
        reload=Reload(commands=_reload_commands(scheme)),
        metrics=(Metrics(NAME, PORT, protected=True),),
    )


def provisioned(service: Service, context: Context, others: Sequence[Service]) -> Service:
    """Grafana with a datasource for each of `others` that is one, and the dashboards whose products are there."""
    sources = _shown(context, others)
    named, entered = {each.name for each in sources}, {each.group for each in sources if each.entry_name}
    asked = (each for each in others if each.name in named or each.group in entered)
    shown = (Call(each.name, each.ports[0].number) for each in asked)
    fetched = (Call(port=443),) if context.config.grafana.plugins else ()
    kept = (Call(),) if context.config.grafana.database else ()
    return replace(service, files=_files(context, others), calls=(*shown, *fetched, *kept))


def _files(context: Context, others: Sequence[Service]) -> tuple[File, ...]:
    password = admin_password(context)
    login = f"machine localhost login {context.config.grafana.admin_user} password {secret_token(password)}\n"
    datasources = {"apiVersion": 1, "prune": True, "datasources": _datasources(context, others)}
    return (
        File("grafana.ini", _settings(context), live=False),
        File("provisioning/datasources/stack.yaml", dump(datasources)),
        File("provisioning/dashboards/stack.yaml", dump({"apiVersion": 1, "providers": [_PROVIDER]})),
        *_dashboards(context, others),
        *_own_dashboards(context),
        File("secrets/admin-password", secret_token(password)),
        File("secrets/netrc", login),
        File("secrets/secret-key", secret_token(SECRET_KEY), live=False),
        *_database_files(context),
        *_tls_files(context),
        # Datasources hold what these files say, so a rotated password needs a reload here.
        *(replace(file, reload=True) for file in context.access.client_files(_CONFIG)),
    )


def admin_password(context: Context) -> str:
    """Name of the secret with the administrator's password."""
    configured = context.config.grafana.admin_password
    return configured.secret if configured else ADMIN_PASSWORD


def _tls_files(context: Context) -> tuple[File, ...]:
    # Without web.yml: Grafana takes certificate and key directly.
    return tuple(file for file in context.access.server_files() if file.path != "web.yml")


def _database_files(context: Context) -> tuple[File, ...]:
    database = context.config.grafana.database
    found = {"database-password": database.password, "database-ca.crt": database.ca} if database else {}
    return tuple(
        File(f"secrets/{name}", secret_token(secret.secret), live=False) for name, secret in found.items() if secret
    )


def _database(context: Context) -> dict[str, dict[str, str]]:
    """Where all that is not provisioned is kept; without this, in a file in the volume."""
    database = context.config.grafana.database
    if database is None:
        return {}
    settings = {
        "type": "postgres",
        "host": f"{database.host}:{database.port}",
        "name": database.name,
        "user": database.user,
        "password": f"$__file{{{_CONFIG}/secrets/database-password}}",
        "ssl_mode": database.ssl_mode,
    }
    if database.ca:
        settings["ca_cert_path"] = f"{_CONFIG}/secrets/database-ca.crt"
    return {"database": settings}


def _settings(context: Context) -> str:
    """grafana.ini. Secrets are read from files by Grafana's own $__file; nothing phones home."""
    config = context.config
    sections: dict[str, dict[str, str]] = {
        "paths": {"data": "/var/lib/grafana", "plugins": "/var/lib/grafana/plugins"},
        "server": {"http_port": str(PORT), "root_url": f"{grafana_url(context)}/"},
        "security": {
            "admin_user": config.grafana.admin_user,
            "admin_password": f"$__file{{{_CONFIG}/secrets/admin-password}}",
            "secret_key": f"$__file{{{_CONFIG}/secrets/secret-key}}",
            "cookie_secure": str(bool(config.access)).lower(),
        },
        **_database(context),
        "users": {"allow_sign_up": "false", "allow_org_create": "false"},
        "auth.anonymous": {"enabled": "false"},
        "analytics": {"reporting_enabled": "false", "check_for_updates": "false", "check_for_plugin_updates": "false"},
        # On a read-only file system the updater of bundled plugins would remove the datasources it cannot replace.
        "plugins": _plugins(config.grafana.plugins),
        "news": {"news_feed_enabled": "false"},
        "unified_alerting": {"enabled": "false"},
        "log": {"mode": "console"},
        "metrics": {"enabled": "true"},
    }
    if config.access:
        sections["server"] |= {
            "certs_watch_interval": "30s",
            "protocol": "https",
            "cert_file": f"{_CONFIG}/tls.crt",
            "cert_key": f"{_CONFIG}/tls.key",
        }
    parser = configparser.RawConfigParser()
    parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _plugins(wanted: Sequence[str]) -> dict[str, str]:
    """Those that the stack file names, at their versions; without any, Grafana fetches none of its own choice."""
    chosen = {"preinstall": ",".join(wanted)} if wanted else {"preinstall_disabled": "true"}
    return chosen | {"preinstall_auto_update": "false"}


_PROVIDER: dict[str, Any] = {
    "name": "stack",
    "type": "file",
    "disableDeletion": False,
    "allowUiUpdates": False,
    "updateIntervalSeconds": 30,
    "options": {"path": f"{_CONFIG}/dashboards", "foldersFromFilesStructure": True},
}


def _dashboards(context: Context, others: Sequence[Service]) -> tuple[File, ...]:
    on = subjects_on(context.config, [service.group for service in others])
    shown = shown_dashboards(context.config, on)
    return tuple(File(f"dashboards/{each.folder}/{each.file}.json", each.text) for each in shown)


def _own_dashboards(context: Context) -> tuple[File, ...]:
    """Those that the stack file names, as they stand."""
    chosen = [(folder, path) for folder, paths in context.config.dashboard_files.items() for path in paths]
    return tuple(File(f"dashboards/{folder}/{own_name(path)}.json", context.beside[path]) for folder, path in chosen)


def _datasources(context: Context, others: Sequence[Service]) -> list[dict[str, Any]]:
    planned = {service.name for service in others}
    sources = []
    for service in _shown(context, others):
        port = service.ports[0]
        number = service.name.removeprefix(service.group).replace("-", " ")
        source: dict[str, Any] = {"name": service.product + number, "uid": service.name}
        kind = service.group
        if service.name == _metrics(context):
            kind = "prometheus"  # the same to dashboards and bookmarks, whatever answers
            source = {"name": "Prometheus", "uid": kind}
        host = service.entry_name or service.name
        source |= {"access": "proxy", "editable": False, "url": f"{port.scheme}://{host}:{port.number}{port.path}"}
        source |= _DATASOURCES[kind](context, planned) | _login(context, port.scheme)
        if service.name == cortex.NAME:
            source |= _of_tenant(context, source)
        if host != service.group and port.scheme == "https":
            source["jsonData"] = {**source["jsonData"], "serverName": service.group}
        sources.append(source)
    return sources


def _shown(context: Context, services: Sequence[Service]) -> list[Service]:
    """The datasources; for metrics one alone. Of replicas the first, but each Alertmanager has silences to show."""
    others = {*_DATASOURCES} - {"prometheus"}
    firsts = [each for each in services if each.replica_of in ("", "alertmanager")]
    return [each for each in firsts if each.group in others or each.name == _metrics(context)]


def _metrics(context: Context) -> str:
    """Network name of what answers queries: Prometheus, or what keeps all samples, from all replicas."""
    if context.config.storage.remote:
        return (
            victoria_cluster.SELECT if context.config.storage.victoria_cluster else context.config.storage.products[0]
        )
    return asked_by_people(context) or "prometheus"


def _login(context: Context, scheme: str) -> dict[str, Any]:
    """User, password and certificate authority for a protected datasource."""
    access = context.config.access
    if access is None or scheme != "https":
        return {}
    return {
        "basicAuth": True,
        "basicAuthUser": access.username,
        "secureJsonData": {
            "basicAuthPassword": f"$__file{{{_CONFIG}/secrets/access-password}}",
            "tlsCACert": f"$__file{{{_CONFIG}/secrets/ca.crt}}",
        },
    }


def _of_tenant(context: Context, source: dict[str, Any]) -> dict[str, Any]:
    """Cortex answers below a path, and only to who says whose samples are meant. The name is not a secret."""
    return {
        "url": f"{source['url']}{cortex.QUERY_PATH}",
        "jsonData": {**source["jsonData"], "prometheusType": "Cortex", "httpHeaderName1": cortex.TENANT},
        "secureJsonData": {"httpHeaderValue1": context.config.tenant},
    }


def _with_ca(context: Context, settings: dict[str, Any]) -> dict[str, Any]:
    return settings | ({"tlsAuthWithCACert": True} if context.config.access else {})


def _prometheus_source(context: Context, planned: set[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "httpMethod": "POST",
        "prometheusType": "Thanos" if asked_by_people(context) else "Prometheus",
        "timeInterval": context.config.scrape.interval,
        "manageAlerts": False,
    }
    if "alertmanager" in planned:
        settings["alertmanagerUid"] = "alertmanager"
    if "jaeger" in planned:
        settings["exemplarTraceIdDestinations"] = [{"name": "trace_id", "datasourceUid": "jaeger"}]
    return {"type": "prometheus", "isDefault": True, "jsonData": _with_ca(context, settings)}


def _alertmanager_source(context: Context, _planned: set[str]) -> dict[str, Any]:
    settings = {"implementation": "prometheus", "handleGrafanaManagedAlerts": False}
    return {"type": "alertmanager", "jsonData": _with_ca(context, settings)}


def _jaeger_source(_context: Context, _planned: set[str]) -> dict[str, Any]:
    # $$ is provisioning's way to write one $, which the query editor replaces by the span's labels.
    queries = [
        {"name": "Requests per second", "query": "sum(rate(traces_span_metrics_calls_total{$$__tags}[5m]))"},
        {
            "name": "Failed requests per second",
            "query": 'sum(rate(traces_span_metrics_calls_total{$$__tags, status_code="STATUS_CODE_ERROR"}[5m]))',
        },
    ]
    tags = [{"key": "service.name", "value": "service_name"}]
    return {
        "type": "jaeger",
        "jsonData": {
            "nodeGraph": {"enabled": True},
            "tracesToMetrics": {"datasourceUid": "prometheus", "tags": tags, "queries": queries},
        },
    }


_DATASOURCES = {"prometheus": _prometheus_source, "alertmanager": _alertmanager_source, "jaeger": _jaeger_source}


def _reload_commands(scheme: str) -> tuple[tuple[str, ...], ...]:
    """Takes up a rotated administrator password, then datasources and dashboards. No secret is an argument."""
    reset = (
        f"grafana cli --homepath /usr/share/grafana --config {_CONFIG}/grafana.ini admin reset-admin-password "
        f"--password-from-stdin < {_CONFIG}/secrets/admin-password"
    )
    call = ("curl", "-fsSk", "--netrc-file", f"{_CONFIG}/secrets/netrc", "-X", "POST")
    api = f"{scheme}://localhost:{PORT}/api/admin/provisioning"
    return (("sh", "-c", reset), *((*call, f"{api}/{kind}/reload") for kind in ("datasources", "dashboards")))
