"""cAdvisor: processor, memory and disk use of every container on the host."""

from __future__ import annotations

from components.context import Context
from components.spec import HostMount, Metrics, Probe, Service

NAME, PORT = "cadvisor", 8080

# Of no use for alerts and dashboards here, and together most of its series.
_DISABLED = (
    "advtcp,cpu_topology,cpuset,hugetlb,memory_numa,perf_event,percpu,process,referenced_memory,resctrl,sched,tcp,udp"
)
_DROPPED = (
    "container_(blkio_device_usage_total|fs_.*|last_seen_seconds|memory_failures_total|network_tcp_.*|network_udp_.*"
    "|tasks_state|ulimits_soft)"
)


def cadvisor(context: Context) -> Service:
    """Plan cAdvisor. It runs as root to read the control groups and the engine's socket, but without privileges."""
    return Service(
        name=NAME,
        product="Cadvisor",
        image=context.image(NAME),
        user="0:0",
        resources=context.resources(NAME, memory=192, cpus=0.5),
        args=(
            f"-port={PORT}",
            "-docker_only=true",
            "-housekeeping_interval=15s",
            "-store_container_labels=false",
            f"-disable_metrics={_DISABLED}",
            "-logtostderr=true",
        ),
        per_node=True,
        ports=(context.port("http", PORT),),
        host_mounts=(
            HostMount("/", "/rootfs"),
            HostMount("/var/run", "/var/run"),
            HostMount("/sys", "/sys"),
        ),
        probe=Probe(("wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{PORT}/healthz"), start_period=60),
        metrics=(Metrics(NAME, PORT, honor_labels=False, drop=(_DROPPED,)),),
    )
