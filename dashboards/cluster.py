"""The Kubernetes cluster that the stack is on: its API server, its name servers, its nodes' pods and its volumes."""

from typing import Any

from components.parameters import Limits
from dashboards.board import Board
from dashboards.panels import graph, listing, number
from dashboards.style import BLUE, GREEN, RED, Limit, Query, rate

UID = "cluster"
TITLE = "Cluster"
FOLDER = "Hosts"
NEEDS = frozenset({"kubelet", "apiserver", "coredns"})
ONE_OF: frozenset[str] = frozenset()

_HERE = 'environment=~"$environment"'
_KUBELET, _API, _DNS = (f'job="{job}", {_HERE}' for job in ("kubelet", "apiserver", "coredns"))
_LEFT = (
    f"max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_available_bytes{{{_KUBELET}}} "
    f"/ kubelet_volume_stats_capacity_bytes{{{_KUBELET}}})"
)


def _glance(board: Board) -> None:
    board.row("At a glance")
    board.add(
        number(
            "Nodes",
            "Nodes whose kubelet answers.",
            "short",
            Query(f"sum(up{{{_KUBELET}}})"),
            [Limit(1, GREEN)],
            base=RED,
        ),
        width=6,
        height=5,
    )
    board.add(
        number(
            "Pods", "Pods that run on all nodes.", "short", Query(f"sum(kubelet_running_pods{{{_KUBELET}}})"), base=BLUE
        ),
        width=6,
        height=5,
    )
    board.add(
        number(
            "API servers",
            "API servers that answer.",
            "short",
            Query(f"sum(up{{{_API}}})"),
            [Limit(1, GREEN)],
            base=RED,
        ),
        width=6,
        height=5,
    )
    board.add(
        number(
            "Name servers",
            "CoreDNS servers that answer.",
            "short",
            Query(f"sum(up{{{_DNS}}})"),
            [Limit(1, GREEN)],
            base=RED,
        ),
        width=6,
        height=5,
    )


def _control(board: Board) -> None:
    requests, errors = "apiserver_request_total", _API + ', code=~"5.."'
    answers, failed = "coredns_dns_responses_total", _DNS + ', rcode="SERVFAIL"'
    board.row("API server and name servers")
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
            "Pods by node",
            "Pods that each node runs.",
            "short",
            Query(f"sum by (node) (kubelet_running_pods{{{_KUBELET}}})", "{{node}}"),
        )
    )


def _volumes(board: Board) -> None:
    full = board.limit("ClaimAlmostFull", below=True)
    board.row("Volumes")
    board.add(
        graph(
            "Free share of volumes",
            "What is left of the volume of each claim.",
            "percentunit",
            Query(_LEFT, "{{namespace}}/{{persistentvolumeclaim}}"),
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
            Query(f"bottomk(20, {_LEFT})"),
            columns=["namespace", "persistentvolumeclaim"],
            value="free",
            ascending=True,
            limits=[full],
        ),
        width=12,
    )


def build(limits: Limits) -> dict[str, Any]:
    """Return the dashboard as plain data."""
    board = Board(UID, TITLE, "The Kubernetes cluster that the stack is on.", limits, ["hosts"])
    board.filter("environment", "Environment", "Which stack watches the cluster.", "kubelet_running_pods")
    for part in (_glance, _control, _volumes):
        part(board)
    return board.build()
