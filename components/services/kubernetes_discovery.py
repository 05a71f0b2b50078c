"""How Prometheus finds targets in a cluster: the user's services, what runs on each node, and the cluster itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from components.config import StackConfig
from components.config.kubernetes import KubernetesDiscovery
from components.config.platform import namespaces
from components.config.services import MonitoredService
from components.context import Context
from components.spec import Call, Metrics, PlatformApi, Service

Relabel = dict[str, Any]
_ACCOUNT = PlatformApi.folder
API_SERVER_NAMESPACE, DNS_NAMESPACE, DNS_METRICS = "default", "kube-system", 9153
_API_SERVER_KEPT = (
    "apiserver_request_total|apiserver_request_terminations_total|apiserver_current_inflight_requests"
    "|apiserver_client_certificate_expiration_seconds_bucket|apiserver_storage_objects|apiserver_request_duration_seconds_(sum|count)|process_.*|go_goroutines"
)
"""Of tens of thousands of series of an API server, those that say whether it answers, and whom."""
_CONTAINER = "$1/$2/$3"


def platform_api(context: Context, others: Iterable[Service]) -> PlatformApi | None:
    """What Prometheus reads of the cluster: the namespaces where it looks for targets, and the nodes."""
    cluster = context.config.kubernetes
    if cluster is None:
        return None
    wanted = list(namespaces(context.config)) if any(service.per_node for service in others) else []
    wanted += [
        name for each in context.config.services if (found := each.discovery.kubernetes) for name in found.namespaces
    ]
    wanted += [API_SERVER_NAMESPACE] * cluster.monitor.api_server + [DNS_NAMESPACE] * cluster.monitor.dns
    api = PlatformApi(tuple(dict.fromkeys(wanted)), nodes=_asks_nodes(context.config))
    return api if api.namespaces or api.nodes else None


def _asks_nodes(config: StackConfig) -> bool:
    return bool(config.kubernetes and (config.kubernetes.monitor.kubelet or config.exporters.cadvisor))


def calls(context: Context) -> list[Call]:
    """The connections to what is found: pods and name servers. Nodes and API server come with the access to them."""
    cluster = context.config.kubernetes
    found = [
        Call(port=discovery.port_name or service.port, namespaces=discovery.namespaces)
        for service in context.config.services
        if (discovery := service.discovery.kubernetes)
    ]
    if cluster and cluster.monitor.dns:
        found.append(Call(port=DNS_METRICS, namespaces=(DNS_NAMESPACE,)))
    return found


def service_targets(service: MonitoredService, discovery: KubernetesDiscovery) -> dict[str, Any]:
    """Endpoints or pods that carry the labels and annotations, at the service's port; with where they run as labels."""
    slices = discovery.role == "endpointslice"
    subject = "service" if slices else "pod"
    relabel = [
        _keep(f"__meta_kubernetes_{subject}_{kind}_{_sanitized(name)}", value)
        for kind, wanted in (("label", discovery.wanted_labels(service.name)), ("annotation", discovery.annotations))
        for name, value in wanted.items()
    ]
    if not slices:
        relabel.append(_keep("__meta_kubernetes_pod_container_init", "false"))
        relabel.append({**_keep("__meta_kubernetes_pod_phase", "Failed|Succeeded", literal=False), "action": "drop"})
    port = "__meta_kubernetes_endpointslice_port" if slices else "__meta_kubernetes_pod_container_port"
    if discovery.port_name:
        relabel.append(_keep(f"{port}_name", discovery.port_name))
    else:
        relabel.append(_keep(port if slices else f"{port}_number", str(service.port)))
    relabel += [
        {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": label}
        for source, label in (("namespace", "namespace"), ("pod_name", "pod"), ("pod_node_name", "node"))
    ]
    return {"kubernetes_sd_configs": [_discovery(discovery.role, discovery.namespaces)], "relabel_configs": relabel}


def node_targets(context: Context, service: Service, metrics: Metrics) -> dict[str, Any]:
    """The pod of a service on every node; the node is the instance."""
    relabel = [
        _keep("__meta_kubernetes_pod_label_app_kubernetes_io_name", service.name),
        _keep("__meta_kubernetes_pod_container_port_number", str(metrics.port)),
        {"source_labels": ["__meta_kubernetes_pod_node_name"], "target_label": "instance"},
    ]
    return {"kubernetes_sd_configs": [_discovery("pod", namespaces(context.config))], "relabel_configs": relabel}


def cluster_jobs(context: Context) -> list[dict[str, Any]]:
    """Scrape jobs for the cluster itself, as far as the stack file wants them."""
    cluster, jobs = context.config.kubernetes, []
    if cluster is None:
        return []
    if cluster.monitor.kubelet:
        jobs.append({"job_name": "kubelet", **_kubelet(cluster.monitor.verify_kubelets)})
    if context.config.exporters.cadvisor:
        jobs.append(_container_job(cluster.monitor.verify_kubelets))
    if cluster.monitor.api_server:
        jobs.append(
            {
                "job_name": "apiserver",
                **_as_account({"ca_file": f"{_ACCOUNT}/ca.crt", "server_name": "kubernetes.default.svc"}),
                "kubernetes_sd_configs": [_discovery("endpointslice", [API_SERVER_NAMESPACE])],
                "relabel_configs": [
                    _keep("__meta_kubernetes_service_name", "kubernetes"),
                    _keep("__meta_kubernetes_endpointslice_port_name", "https"),
                ],
                "metric_relabel_configs": [_keep("__name__", _API_SERVER_KEPT, literal=False)],
            }
        )
    if cluster.monitor.dns:
        jobs.append(
            {
                "job_name": "coredns",
                "kubernetes_sd_configs": [_discovery("endpointslice", [DNS_NAMESPACE])],
                "relabel_configs": [
                    _keep("__meta_kubernetes_service_label_k8s_app", "kube-dns"),
                    _keep("__meta_kubernetes_endpointslice_port_name", "metrics"),
                    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
                ],
            }
        )
    return jobs


def _container_job(verify: bool) -> dict[str, Any]:
    """cAdvisor as the kubelet has it built in, under the name and with the labels that rules know."""
    named: list[Relabel] = [
        # Its own name is an id, of containers and of pods; ours says which container, and is there only for those.
        {"target_label": "name", "replacement": ""},
        {
            "source_labels": ["namespace", "pod", "container"],
            "regex": "(.+);(.+);(.+)",
            "target_label": "name",
            "replacement": _CONTAINER,
        },
    ]
    job = {"job_name": "cadvisor", "metrics_path": "/metrics/cadvisor", "honor_timestamps": False}
    return {**job, **_kubelet(verify), "metric_relabel_configs": named}


def _kubelet(verify: bool) -> dict[str, Any]:
    # Most kubelets sign their own certificate.
    tls = {"ca_file": f"{_ACCOUNT}/ca.crt"} if verify else {"insecure_skip_verify": True}
    node = [{"source_labels": ["__meta_kubernetes_node_name"], "target_label": label} for label in ("instance", "node")]
    return {**_as_account(tls), "kubernetes_sd_configs": [{"role": "node"}], "relabel_configs": node}


def _as_account(tls: dict[str, Any]) -> dict[str, Any]:
    return {"scheme": "https", "authorization": {"credentials_file": f"{_ACCOUNT}/token"}, "tls_config": tls}


def _discovery(role: str, names: Iterable[str]) -> dict[str, Any]:
    return {"role": role, "namespaces": {"names": list(names)}}


def _keep(source: str, value: str, literal: bool = True) -> Relabel:
    return {
        "source_labels": [source],
        # Where settings are objects, an empty expression counts as none, which matches everything.
        "regex": (re.escape(value).replace(r"\-", "-") or "()") if literal else value,
        "action": "keep",
    }


def _sanitized(name: str) -> str:
    """A label's or annotation's name as it stands in the names of meta labels."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)
