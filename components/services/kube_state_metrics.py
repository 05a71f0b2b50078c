"""kube-state-metrics: what the API server of the cluster knows of workloads, pods, nodes, quotas and claims."""

from __future__ import annotations

from dataclasses import replace

from components.catalogue import exposed_series
from components.context import Context
from components.spec import Metrics, PlatformApi, Probe, Service

NAME, PORT, TELEMETRY_PORT = "kube-state-metrics", 8080, 8081
WATCHED = (
    "nodes",
    "persistentvolumeclaims",
    "pods",
    "resourcequotas",
    "daemonsets.apps",
    "deployments.apps",
    "statefulsets.apps",
    "cronjobs.batch",
    "jobs.batch",
    "horizontalpodautoscalers.autoscaling",
    "poddisruptionbudgets.policy",
)
"""Kinds of objects that it is told to watch and may watch. No Secrets or ConfigMaps: it would hold their content."""
OF_ITSELF = "kube_state_metrics_"
"""How the names of its own metrics begin, which it has on another port."""


def kube_state_metrics(context: Context) -> Service:
    """Plan kube-state-metrics; on Kubernetes only. It offers the catalogue's series, a tenth of all that it could."""
    service = Service(
        name=NAME,
        product="KubeStateMetrics",
        image=context.image(NAME),
        user="65534:65534",
        resources=context.resources(NAME, memory=256, cpus=0.25),
        config_folder="/etc/kube-state-metrics",
        files=context.access.server_files(),
        ports=(context.port("http", PORT), context.port("telemetry", TELEMETRY_PORT)),
        api=PlatformApi(watched=WATCHED),
        probe=Probe(port=PORT),
        metrics=(
            Metrics(NAME, PORT, protected=True, honor_labels=True),
            Metrics(f"{NAME}-telemetry", TELEMETRY_PORT, protected=True),
        ),
    )
    args = (
        f"--port={PORT}",
        f"--telemetry-port={TELEMETRY_PORT}",
        f"--resources={','.join(sorted(kind.partition('.')[0] for kind in WATCHED))}",
        # Patterns that would match anywhere in a name.
        f"--metric-allowlist={','.join(f'^{name}$' for name in sorted(offered()))}",
        *context.access.web_args(service.mounted_config, "--tls-config"),
    )
    return replace(service, args=args)


def offered() -> frozenset[str]:
    """The series of objects that rules and dashboards know."""
    return frozenset(name for name in exposed_series(NAME) if not name.startswith(OF_ITSELF))
