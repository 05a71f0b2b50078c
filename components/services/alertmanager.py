"""Alertmanager: groups, silences and delivers alerts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.config.alerting import RETENTION
from components.context import Context
from components.replicas import as_replica, replica_name
from components.services import prometheus
from components.services.alertmanager_inhibitions import catalogue_pairs, inhibit_rules
from components.services.alertmanager_messages import TEMPLATES, links, template_text
from components.services.alertmanager_receivers import Receivers, outside_calls, secret_files
from components.services.alertmanager_routes import NOBODY, VERIFICATION, routing_tree, time_intervals
from components.spec import Call, File, Metrics, Port, Probe, Reload, Service, Volume
from components.yaml_text import dump

NAME, PORT = "alertmanager", 9093
GOSSIP = 9094
PEER_TIMEOUT = 15
"""Seconds that each replica leaves to the one before it in the cluster to send a message."""
_PEERS = "alertmanager-peers"
_GOSSIP = Port("gossip", GOSSIP, protocols=("tcp", "udp"))
_FOLDER = "/etc/alertmanager"
_SECRETS = f"{_FOLDER}/current/secrets"


def alertmanagers(context: Context) -> tuple[Service, ...]:
    """Plan all replicas of Alertmanager: programs alike, which find each other by the name they share."""
    numbers = context.replicas(NAME)
    first = _alertmanager(context, clustered=len(numbers) > 1)
    return tuple(
        replace(replica, calls=(*replica.calls, *_peers(context, number)))
        for number in numbers
        for replica in [as_replica(first, number)]
    )


def _peers(context: Context, own: int) -> tuple[Call, ...]:
    return tuple(Call(replica_name(NAME, number), GOSSIP) for number in context.replicas(NAME) if number != own)


def _alertmanager(context: Context, clustered: bool) -> Service:
    """Alertmanager with its routes, receivers and message templates."""
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
        group_name=_PEERS if clustered else "",
        ports=(context.port("http", PORT, "alertmanager", context.access.scheme), *((_GOSSIP,) if clustered else ())),
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
        # A backup copies the file that silences are written to; each 15 minutes, the default, is too rarely for that.
        *(("--data.maintenance-interval=15s",) if context.config.backup else ()),
        *context.web_urls(NAME, PORT),
        *_cluster_args(context, clustered),
        "--enable-feature=utf8-strict-mode,receiver-name-in-metrics",
        *context.access.web_args(folder),
    )
    check = ("amtool", f"--alertmanager.url={scheme}://localhost:{PORT}", *context.access.client_args(folder))
    return replace(service, args=args, probe=Probe((*check, "cluster", "show")))


def _cluster_args(context: Context, clustered: bool) -> tuple[str, ...]:
    """One name for all peers, asked for again every 15 s: who comes later or moves is found, and no argument changes.

    The label keeps out packets of any other cluster that an address once belonged to. Whole states are exchanged more
    often than a replica waits for its turn: what is sent while another one has just been lost is gossiped to the dead,
    too, so that some of it never arrives by gossip, and messages would go out twice.
    """
    if not clustered:
        return ("--cluster.listen-address=",)
    return (
        f"--cluster.listen-address=0.0.0.0:{GOSSIP}",
        f"--cluster.peer={_PEERS}:{GOSSIP}",
        f"--cluster.peer-timeout={PEER_TIMEOUT}s",
        "--cluster.pushpull-interval=10s",
        f"--cluster.label=observatory-{context.config.environment}",
    )


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
