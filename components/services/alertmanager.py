"""Alertmanager: groups, silences and delivers alerts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.config.alerting import RETENTION
from components.context import Context
from components.services import prometheus
from components.services.alertmanager_inhibitions import catalogue_pairs, inhibit_rules
from components.services.alertmanager_messages import TEMPLATES, links, template_text
from components.services.alertmanager_receivers import Receivers, outside_calls, secret_files
from components.services.alertmanager_routes import NOBODY, VERIFICATION, routing_tree, time_intervals
from components.spec import Call, File, Metrics, Probe, Reload, Service, Volume
from components.yaml_text import dump

NAME, PORT = "alertmanager", 9093
_FOLDER = "/etc/alertmanager"
_SECRETS = f"{_FOLDER}/current/secrets"


def alertmanager(context: Context) -> Service:
    """Plan Alertmanager with its routes, receivers and message templates."""
    files = (
        File("alertmanager.yml", dump(_config(context))),
        File(TEMPLATES, template_text()),
        *secret_files(context.config.alerting),
        *context.access.server_files(),
        *context.access.client_files(f"{_FOLDER}/current"),
    )
    service = Service(
        name=NAME,
        product="Alertmanager",
        image=context.image(NAME),
        user="65534:65534",
        resources=context.resources(NAME, memory=128, cpus=0.5),
        config_folder=_FOLDER,
        files=files,
        ports=(context.port("http", PORT, "alertmanager", context.access.scheme),),
        volumes=(Volume("alertmanager-data", "/alertmanager"),),
        reload=Reload(
            "SIGHUP", loaded="Completed loading of configuration file", rejected="Loading configuration file failed"
        ),
        calls=(Call(prometheus.NAME, prometheus.PORT), *outside_calls(context.config.alerting)),
        metrics=(Metrics(NAME, PORT, protected=True),),
    )
    folder, scheme = service.mounted_config, context.access.scheme
    args = (
        f"--config.file={folder}/alertmanager.yml",
        "--storage.path=/alertmanager",
        f"--data.retention={RETENTION}",
        *context.web_urls(NAME, PORT),
        "--cluster.listen-address=",
        "--enable-feature=utf8-strict-mode,receiver-name-in-metrics",
        *context.access.web_args(folder),
    )
    check = ("amtool", f"--alertmanager.url={scheme}://localhost:{PORT}", *context.access.client_args(folder))
    return replace(service, args=args, probe=Probe((*check, "cluster", "show")))


def _config(context: Context) -> dict[str, Any]:
    alerting = context.config.alerting
    receivers = Receivers(alerting.channels, links(context), _SECRETS)
    tree = routing_tree(alerting, context.config.services, receivers)
    intervals = time_intervals(alerting.time_intervals)
    return {
        "global": {"resolve_timeout": "5m"},
        "templates": [f"{_FOLDER}/current/{TEMPLATES}"],
        "route": tree,
        **({"time_intervals": intervals} if intervals else {}),
        "inhibit_rules": inhibit_rules(catalogue_pairs()),
        "receivers": [{"name": NOBODY}, _verification_receiver(context), *receivers.all()],
    }


def _verification_receiver(context: Context) -> dict[str, Any]:
    scheme = context.access.scheme
    webhook: dict[str, Any] = {
        "url": f"{scheme}://{prometheus.NAME}:{prometheus.PORT}/api/v1/query?query=vector(1)",
        "send_resolved": True,
    }
    if client := context.access.client_config(f"{_FOLDER}/current"):
        webhook["http_config"] = client
    return {"name": VERIFICATION, "webhook_configs": [webhook]}
