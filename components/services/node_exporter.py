"""Node exporter: the host's processors, memory, disks and clocks."""

from __future__ import annotations

from dataclasses import replace

from components.context import Context
from components.services.probes import port_probe
from components.spec import HostMount, Metrics, Service

NAME, PORT = "node-exporter", 9100

# The exporter lives in a network namespace of its own, where these would report the container, not the host.
_FOREIGN = (
    "arp",
    "bonding",
    "conntrack",
    "ipvs",
    "netclass",
    "netdev",
    "netstat",
    "sockstat",
    "softnet",
    "udp_queues",
    "wifi",
)
_IGNORED_MOUNTS = r"^/(dev|proc|run|sys|var/lib/(docker|containerd|containers)/.+|snap/.+)($|/)"


def node_exporter(context: Context) -> Service:
    """Plan the node exporter. It sees the host's processes and root folder, read-only."""
    service = Service(
        name=NAME,
        product="NodeExporter",
        image=context.image(NAME),
        user="65534:65534",
        resources=context.resources(NAME, memory=64, cpus=0.25),
        config_folder="/etc/node-exporter",
        files=context.access.server_files(),
        ports=(context.port("http", PORT),),
        host_mounts=(HostMount("/", "/host"),),
        host_pid=True,
        per_node=True,
        probe=port_probe(PORT),
        metrics=(Metrics(NAME, PORT, protected=True),),
    )
    args = (
        f"--web.listen-address=:{PORT}",
        "--path.rootfs=/host",
        "--path.procfs=/host/proc",
        "--path.sysfs=/host/sys",
        f"--collector.filesystem.mount-points-exclude={_IGNORED_MOUNTS}",
        *(f"--no-collector.{name}" for name in _FOREIGN),
        *context.access.web_args(service.mounted_config),
    )
    return replace(service, args=args)
