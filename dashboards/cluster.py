"""The Kubernetes cluster that the stack is on: its API server, its name servers, its namespaces and its volumes."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import Panel, graph, listing, number
from dashboards.style import BLUE, GREEN, RED, Limit, Link, Query, rate

UID = "cluster"
TITLE = "Cluster"
FOLDER = "Hosts"
NEEDS: frozenset[str] = frozenset()
# Managed clusters hide some of these: what is left is shown.
ONE_OF = frozenset({"kubelet", "apiserver", "coredns", "kube-state-metrics"})

_HERE = 'environment=~"$environment"'
_KUBELET, _API, _DNS, _KNOWN = (
    f'job="{job}", {_HERE}' for job in ("kubelet", "apiserver", "coredns", "kube-state-metrics")
)
_REQUESTED = "namespace_node:kube_pod_container_resource_requests:sum"
_WORKLOADS = Link("Open its workloads", "workloads", "namespace")


def _left(what: str, of: str) -> str:
    """What is left of the volume of each claim. One that moves is seen by two nodes for a while."""
    return f"max by (namespace, persistentvolumeclaim) ({what}{{{_KUBELET}}} / {of}{{{_KUBELET}}})"


_FREE = _left("kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes")
_INODES = _left("kubelet_volume_stats_inodes_free", "kubelet_volume_stats_inodes")


def _glance(board: Board) -> None:
    def answering(title: str, description: str, labels: str) -> Panel:
        return number(title, description, "short", Query(f"sum(up{{{labels}}})"), [Limit(1, GREEN)], base=RED)

    pods = Query(f"sum(kubelet_running_pods{{{_KUBELET}}})")
    missing = f"namespace_workload:kube_replicas:desired{{{_HERE}}} - namespace_workload:kube_replicas:available > 0"
    board.row("At a glance")
    for panel in (
        answering("Nodes", "Nodes whose kubelet answers.", _KUBELET),
        number("Pods", "Pods that the kubelets of all nodes run.", "short", pods, base=BLUE),
        answering("API servers", "API servers that answer.", _API),
        answering("Name servers", "CoreDNS servers that answer.", _DNS),
        number(
            "Replicas missing",
            "Pods that workloads should have and that are not there or not ready, by kube-state-metrics.",
            "short",
            Query(f"sum({missing}) or vector(0)"),
            [Limit(1, RED)],
        ),
        number(
            "Pending pods",
            "Pods that wait for a node, a volume or an image, by kube-state-metrics.",
            "short",
            Query(f'sum(kube_pod_status_phase{{phase="Pending", {_KNOWN}}})'),
            base=BLUE,
        ),
    ):
        board.add(panel, width=4, height=5)


def _control(board: Board) -> None:
    requests, errors = "apiserver_request_total", _API + ', code=~"5.."'
    answers, failed = "coredns_dns_responses_total", _DNS + ', rcode="SERVFAIL"'
    ends = rate("apiserver_client_certificate_expiration_seconds_bucket", _API)
    board.row("API server and name servers (CoreDNS)")
    board.add(
        graph(
            "Requests to the API server",
            "By what is asked for.",
            "reqps",
            Query(f"sum by (verb) ({rate(requests, _API)})", "{{verb}}"),
            stacked=True,
        )
    )
    board.add(
        graph(
            "Errors of the API server",
            "Share of requests that it answers with an error of its own.",
            "percentunit",
            Query(f"sum({rate(requests, errors)}) / sum({rate(requests, _API)})", "errors"),
            limits=[board.limit("APIServerErrors")],
        )
    )
    board.add(
        graph(
            "Requests in work",
            "What the API server works on at the moment, by kind.",
            "short",
            Query(f"sum by (request_kind) (apiserver_current_inflight_requests{{{_API}}})", "{{request_kind}}"),
        )
    )
    board.add(
        graph(
            "Questions to the name servers",
            "By the type of record that is asked for.",
            "reqps",
            Query(f"sum by (type) ({rate('coredns_dns_requests_total', _DNS)})", "{{type}}"),
            stacked=True,
        )
    )
    board.add(
        graph(
            "Names that are not resolved",
            "Share of answers that say SERVFAIL: the name server could not find out.",
            "percentunit",
            Query(f"sum({rate(answers, failed)}) / sum({rate(answers, _DNS)})", "SERVFAIL"),
            limits=[board.limit("CoreDNSErrors")],
        )
    )
    board.add(
        graph(
            "Certificates of clients",
            "How long the certificate lasts that ends first, of those with which the API server is asked; no more "
            "than the year that it counts to.",
            "s",
            Query(f"histogram_quantile(0.001, sum by (le) ({ends}))", "ends first"),
            limits=[board.limit("ClientCertificateExpiring", below=True)],
        )
    )


def _namespaces(board: Board) -> None:
    def by_namespace(title: str, description: str, unit: str, expression: str) -> Panel:
        query = Query(f"sum by (namespace) ({expression})", "{{namespace}}")
        return graph(title, description, unit, query, stacked=True, link=_WORKLOADS)

    used, hard = (f'kube_resourcequota{{type="{kind}", {_KNOWN}}}' for kind in ("used", "hard"))
    names = "namespace, resourcequota, resource"
    board.row("Namespaces (kube-state-metrics)")
    running = f'kube_pod_status_phase{{phase="Running", {_KNOWN}}}'
    board.add(by_namespace("Pods by namespace", "Pods that run.", "short", running), width=6)
    for title, resource, unit in (("Requested processors", "cpu", "short"), ("Requested memory", "memory", "bytes")):
        asked = f'{_REQUESTED}{{resource="{resource}", {_HERE}}}'
        board.add(by_namespace(title, "What the pods of a namespace ask for, together.", unit, asked), width=6)
    board.add(
        listing(
            "Fullest quotas",
            "Quotas by how much of them is used; what goes beyond is refused.",
            "percentunit",
            Query(f"topk(20, max by ({names}) ({used}) / (max by ({names}) ({hard}) > 0))"),
            columns=["namespace", "resourcequota", "resource"],
            value="used",
            limits=[board.limit("QuotaAlmostFull")],
            link=_WORKLOADS,
        ),
        width=6,
    )


def _watching(board: Board) -> None:
    own = 'job="kube-state-metrics-telemetry", result="error", environment=~"$environment"'
    failed = [
        Query(f"sum by (resource) ({rate(f'kube_state_metrics_{kind}_total', own)})", f"{kind} {{{{resource}}}}")
        for kind in ("list", "watch")
    ]
    board.add(
        graph(
            "Failed requests of kube-state-metrics",
            "What it asks the API server for and does not get; nothing where all is well.",
            "reqps",
            *failed,
        ),
        width=24,
        height=5,
    )


def _volumes(board: Board) -> None:
    full, claims = board.limit("ClaimAlmostFull", below=True), ["namespace", "persistentvolumeclaim"]
    board.row("Volumes (kubelet)")
    board.add(
        graph(
            "Free share of volumes",
            "What is left of the volume of each claim.",
            "percentunit",
            Query(_FREE, "{{namespace}}/{{persistentvolumeclaim}}"),
            limits=[full],
            most=1,
        ),
        width=12,
    )
    board.add(
        listing(
            "Fullest volumes",
            "Claims by what is left of their volume.",
            "percentunit",
            Query(f"bottomk(20, {_FREE})"),
            columns=claims,
            value="free",
            ascending=True,
            limits=[full],
        ),
        width=12,
    )
    board.add(
        listing(
            "Fewest inodes left",
            "Claims by what is left of the inodes of their volume: without any no file can be made.",
            "percentunit",
            Query(f"bottomk(20, {_INODES})"),
            columns=claims,
            value="free inodes",
            ascending=True,
            limits=[board.limit("ClaimInodesLow", below=True)],
        ),
        width=8,
    )
    sizes = f"kube_persistentvolumeclaim_resource_requests_storage_bytes{{{_KNOWN}}}"
    board.add(
        listing(
            "Largest claims",
            "What claims ask for, by kube-state-metrics.",
            "bytes",
            Query(f"topk(20, max by (namespace, persistentvolumeclaim) ({sizes}))"),
            columns=claims,
            value="size",
            base=BLUE,
        ),
        width=8,
    )
    phases = f'kube_persistentvolumeclaim_status_phase{{phase!="Bound", {_KNOWN}}}'
    board.add(
        listing(
            "Claims without a volume",
            "Pending ones wait for a volume, or for a pod that uses them; lost ones had one. By kube-state-metrics.",
            "short",
            Query(f"max by (namespace, persistentvolumeclaim, phase) ({phases}) == 1"),
            columns=[*claims, "phase"],
            value="claims",
            base=BLUE,
        ),
        width=8,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "The Kubernetes cluster that the stack is on.", limits, ["hosts"])
    jobs = 'job=~"kubelet|apiserver|coredns|kube-state-metrics"'
    board.filter("environment", "Environment", "Which stack watches the cluster.", "up", jobs)
    for part in (_glance, _control, _namespaces, _watching, _volumes):
        part(board)
    return board.build()
