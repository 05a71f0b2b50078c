"""The real kube-state-metrics with the planned arguments and rights, and what Prometheus makes of troubles."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.config import parse_stack
from components.platforms.kubernetes_manifests import service_manifests, stack_manifests
from components.platforms.kubernetes_objects import Stack
from components.rules import chosen_groups
from components.services.kube_state_metrics import OF_ITSELF, WATCHED, offered
from tests.e2e.engine import free_ports, until
from tests.e2e.kubernetes.cluster import Cluster, url_of
from tests.e2e.kubernetes.prometheus import asked, real_prometheus, targets
from tests.e2e.processes import end
from tests.platforms.clusters import stack_on_cluster
from tests.support import service

NAME = "kube-state-metrics"
AT_ONCE = (
    "ContainerCannotStart",
    "ContainerOutOfMemory",
    "DisruptionBudgetViolated",
    "JobFailed",
    "NodeNotReady",
    "NodeUnderPressure",
    "NodeUnschedulable",
    "PodCrashLooping",
    "PodsNotReady",
    "QuotaAlmostFull",
    "ReplicasMissing",
    "RolloutStuck",
)
STACK: dict[str, Any] = {
    "environment": "watched",
    "platform": "kubernetes",
    "kubernetes": {"context": "test", "monitor": {"kubelet": False, "dns": False, "api_server": False}},
    "exporters": {"node": False, "blackbox": False, "cadvisor": False},
    "tracing": {"backend": "none"},
    "grafana": {"enabled": False},
    "scrape": {"interval": "2s", "timeout": "2s"},
    # Trouble is told at once here; how long it has to last is for the rules' own tests.
    "alerts": {name: {"for": "0s"} for name in AT_ONCE} | {"PodsNotReady": {"for": "0s", "grace": "0s"}},
}


@dataclass(frozen=True)
class Watching:
    """The running program: its address for each port of the plan, and its log."""

    addresses: dict[str, str]
    log: Path

    def page(self, port: int) -> str:
        """What Prometheus gets to read."""
        return httpx.get(f"http://{self.addresses[f'{NAME}:{port}']}/metrics", timeout=60).text


@pytest.fixture(scope="module")
def stack(cluster: Cluster) -> Stack:
    """Controllers, nodes, and the stack's rights; its own pods are not needed here."""
    cluster.play_nodes(3)
    found = stack_on_cluster(parse_stack(STACK, "watched"))
    for each in stack_manifests(found):
        cluster.apply(each)
    for name in (NAME, "prometheus"):
        for each in service_manifests(found, service(found.plan, name)):
            if each["kind"] in ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
                cluster.apply(each)
    return found


@contextmanager
def running(cluster: Cluster, stack: Stack, account: str, folder: Path) -> Iterator[Watching]:
    """kube-state-metrics as its pod would run it, but for free ports, and with the token of an account."""
    (folder / "kubeconfig").write_text(json.dumps(_way_in(cluster, cluster.account_token(stack.namespace, account))))
    program = shutil.which(NAME)
    assert program, f"{NAME} is not here; `python3 -m toolchain ready --for e2e` gets it"
    planned = service(stack.plan, NAME)
    ports = {str(port.number): str(free) for port, free in zip(planned.ports, free_ports(2), strict=True)}
    arguments = [re.sub(r"(?<=port=)\d+$", lambda match: ports[match[0]], each) for each in planned.args]
    assert sum(a != b for a, b in zip(arguments, planned.args, strict=True)) == len(ports)
    arguments += [f"--kubeconfig={folder}/kubeconfig", "--host=127.0.0.1", "--telemetry-host=127.0.0.1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)
    try:
        found = Watching({f"{NAME}:{planned}": f"127.0.0.1:{real}" for planned, real in ports.items()}, folder / "log")
        until(lambda: _is_up(found, process), f"{NAME} answers", 120)
        yield found
    finally:
        end(process)


@pytest.fixture(scope="module")
def watching(cluster: Cluster, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    """With the rights that it has by the plan."""
    with running(cluster, stack, NAME, tmp_path_factory.mktemp("watching")) as found:
        yield found


def _way_in(cluster: Cluster, token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubeconfig.read_text())
    found["users"][0]["user"] = {"token": token}
    return found


def _is_up(found: Watching, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, found.log.read_text()[-3000:]
    try:
        found.page(8080)  # answers, if only by nothing where it has no rights
        return found.page(8081).startswith("# HELP")
    except httpx.TransportError:
        return False


# Trouble


def _status(cluster: Cluster, kind: str, api: str, namespace: str, name: str, status: dict[str, Any]) -> None:
    """Report a status, as a kubelet would."""
    path = url_of(kind, api, namespace, name) + "/status"
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    answer = cluster.api.patch(path, headers=headers, content=json.dumps({"status": status}))
    assert answer.status_code == 200, answer.text


def _template(name: str, **more: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "example.com/main:1.0",
        "resources": {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    }
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **more}}


def _deployment(cluster: Cluster, namespace: str, name: str, replicas: int, **more: Any) -> None:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "progressDeadlineSeconds": 2}
    spec |= {"minReadySeconds": 0, "template": _template(name, **more)}
    metadata = {"name": name, "namespace": namespace}
    cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})


def _pods(cluster: Cluster, namespace: str, name: str) -> list[dict[str, Any]]:
    found = cluster.get("Pod", "v1", namespace)["items"]
    return [pod for pod in found if pod["metadata"]["labels"].get("app", "") == name]


def _running(cluster: Cluster, namespace: str, name: str, count: int) -> list[str]:
    """Names of the pods of a workload, once so many run."""
    found = [p["metadata"]["name"] for p in _pods(cluster, namespace, name) if p["status"].get("phase") == "Running"]
    return sorted(found) if len(found) == count else []


def _has_been_complete(cluster: Cluster, namespace: str, name: str) -> bool:
    """Whether a Deployment's rollout is over: pods that are unready later on do not make it one that is stuck."""
    status = cluster.get("Deployment", "apps/v1", namespace, name).get("status", {})
    return any(each.get("reason") == "NewReplicaSetAvailable" for each in status.get("conditions", ()))


def _container(reason: str, restarts: int, last: str = "") -> dict[str, Any]:
    """The status of a pod whose container waits, and of what ended it the last time."""
    ended = {"lastState": {"terminated": {"reason": last, "exitCode": 137}}} if last else {}
    status = {"name": "main", "image": "example.com/main:1.0", "imageID": "", "ready": False, "restartCount": restarts}
    return {
        "conditions": [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "False"}],
        "containerStatuses": [{**status, "state": {"waiting": {"reason": reason}}, **ended}],
    }


@pytest.fixture(scope="module")
def trouble(cluster: Cluster, stack: Stack) -> dict[str, str]:
    """Workloads that are well, and one for each kind of trouble; names of pods by what they are in."""
    for namespace in ("shop", "batch"):
        until(partial(cluster.has_account, namespace), "namespaces have their account", 240)
    metadata = {"namespace": "shop"}
    hard = {"hard": {"pods": "6", "requests.cpu": "100"}}
    cluster.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {**metadata, "name": "quota"}, "spec": hard}
    )
    _deployment(cluster, "shop", "well", 2)
    _deployment(cluster, "shop", "crashing", 1)
    _deployment(cluster, "shop", "imageless", 1)
    _deployment(cluster, "shop", "placeless", 2, nodeSelector={"pool": "nowhere"})
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "crashing"}}}
    cluster.apply(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {**metadata, "name": "crashing"},
            "spec": budget,
        }
    )
    job = {"backoffLimit": 0, "template": _template("broken", restartPolicy="Never")}
    cluster.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "broken", "namespace": "batch"},
            "spec": job,
        }
    )
    found = {}
    for namespace, name, count in (
        ("shop", "well", 2),
        ("shop", "crashing", 1),
        ("shop", "imageless", 1),
        ("batch", "broken", 1),
    ):
        found[name] = until(partial(_running, cluster, namespace, name, count), f"{name} runs", 240)[0]
    for name in ("well", "crashing", "imageless"):
        until(partial(_has_been_complete, cluster, "shop", name), f"{name} has been complete", 240)
    _status(cluster, "Pod", "v1", "shop", found["crashing"], _container("CrashLoopBackOff", 3, "OOMKilled"))
    _status(cluster, "Pod", "v1", "shop", found["imageless"], _container("ImagePullBackOff", 0))
    _status(cluster, "Pod", "v1", "batch", found["broken"], {"phase": "Failed"})
    lost = [{"type": "Ready", "status": "Unknown"}, {"type": "DiskPressure", "status": "True"}]
    _status(cluster, "Node", "v1", "", "node-2", {"conditions": lost})
    cluster.kubectl("cordon", "node-1")
    return found


@pytest.fixture(scope="module")
def one_of_each_kind(cluster: Cluster, trouble: dict[str, str]) -> None:
    """What else it watches; a kind of which there is nothing has no series."""
    metadata = {"name": "one", "namespace": "batch"}
    job = {"template": {"spec": _template("one", restartPolicy="Never")["spec"]}}
    selector = {"matchLabels": {"app": "one"}}
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "one"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    for api, kind, spec in (
        ("batch/v1", "CronJob", {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}),
        ("apps/v1", "StatefulSet", {"serviceName": "one", "selector": selector, "template": _template("one")}),
        ("apps/v1", "DaemonSet", {"selector": selector, "template": _template("one")}),
        ("autoscaling/v2", "HorizontalPodAutoscaler", {"maxReplicas": 2, "scaleTargetRef": scaled}),
        ("v1", "PersistentVolumeClaim", claim),
    ):
        cluster.apply({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec})


# Tests


def test_it_may_list_and_watch_what_it_is_told_to_and_nothing_else(cluster: Cluster, stack: Stack) -> None:
    account = f"{stack.namespace}:{NAME}"
    for kind in WATCHED:
        plural, _, group = kind.partition(".")
        # The API server learns of a binding by a watch of its own, a moment after it has taken it.
        for verb in ("list", "watch"):
            until(partial(cluster.allowed, account, verb, plural, group=group), f"it may {verb} {kind}")
        for verb in ("get", "create", "update", "patch", "delete"):
            assert not cluster.allowed(account, verb, plural, group=group), (verb, kind)
    for resource in ("secrets", "configmaps", "services", "pods/log", "pods/exec", "nodes/proxy", "serviceaccounts"):
        for verb in ("get", "list", "create"):
            assert not cluster.allowed(account, verb, resource), (verb, resource)


WORKLOAD = ("namespace", "workload_type", "workload")
BROKEN = [("shop", "Deployment", name) for name in ("crashing", "imageless", "placeless")]
TOLD: tuple[tuple[str, tuple[str, ...], list[tuple[str, ...]]], ...] = (
    ("PodCrashLooping", WORKLOAD, [("shop", "Deployment", "crashing")]),
    ("ContainerCannotStart", WORKLOAD, [("shop", "Deployment", "imageless")]),
    ("PodsNotReady", WORKLOAD, [*BROKEN]),
    ("ReplicasMissing", WORKLOAD, [*BROKEN]),
    ("RolloutStuck", WORKLOAD, [("shop", "Deployment", "placeless")]),
    ("NodeNotReady", ("node",), [("node-2",)]),
    ("NodeUnderPressure", ("node", "condition"), [("node-2", "DiskPressure")]),
    ("NodeUnschedulable", ("node",), [("node-1",)]),
    ("JobFailed", ("namespace", "job_name"), [("batch", "broken")]),
    ("DisruptionBudgetViolated", ("poddisruptionbudget",), [("crashing",)]),
    ("QuotaAlmostFull", ("namespace", "resource"), [("shop", "pods")]),
)
"""Alert, its labels, and their values for each trouble."""


def _firing(client: httpx.Client, alert: str, labels: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return sorted(asked(client, f'ALERTS{{alertname="{alert}", alertstate="firing"}}', *labels))


def _fires(client: httpx.Client, alert: str, labels: tuple[str, ...], wanted: list[tuple[str, ...]]) -> bool:
    return _firing(client, alert, labels) == wanted


Values = dict[tuple[str, ...], float]


def _is(client: httpx.Client, query: str, labels: tuple[str, ...], values: Values) -> bool:
    """For now or a moment later: a scrape that a busy machine missed leaves nothing to be seen until the next."""
    return asked(client, query, *labels) == values


def test_prometheus_finds_each_trouble_and_no_other(
    cluster: Cluster, stack: Stack, watching: Watching, trouble: dict[str, str], tmp_path: Path
) -> None:
    with real_prometheus(cluster, stack, tmp_path, addresses=watching.addresses) as client:
        for alert, labels, wanted in TOLD:
            until(partial(_fires, client, alert, labels, wanted), f"{alert} fires for {wanted}", 240)
        missing = "namespace_workload:kube_replicas:desired - namespace_workload:kube_replicas:available"
        counts: Values = {("well",): 0, ("crashing",): 1, ("imageless",): 1, ("placeless",): 2}
        until(partial(_is, client, missing, ("workload",), counts), f"{counts} are missing")
        requested = 'sum by (namespace) (namespace_node:kube_pod_container_resource_requests:sum{resource="cpu"})'
        until(partial(_is, client, requested, ("namespace",), {("shop",): 3}), "three cores are requested")
        pods = "namespace_workload_pod:kube_pod_info:max"
        for namespace, workload, kind in (("batch", "broken", "Job"), ("shop", "well", "Deployment")):
            one = f'{pods}{{namespace="{namespace}", pod="{trouble[workload]}"}}'
            wanted_one: Values = {(workload, kind): 1}
            until(partial(_is, client, one, ("workload", "workload_type"), wanted_one), f"{one} is of {workload}")

        # A further end for want of memory, while Prometheus looks on.
        assert not _firing(client, "ContainerOutOfMemory")
        _status(cluster, "Pod", "v1", "shop", trouble["crashing"], _container("CrashLoopBackOff", 5, "OOMKilled"))
        crashing: list[tuple[str, ...]] = [("shop", "Deployment", "crashing")]
        until(partial(_fires, client, "ContainerOutOfMemory", WORKLOAD, crashing), "it is told", 240)

        planned = chosen_groups(stack.config, [each.name for each in stack.plan.services])[NAME][0]["rules"]
        for group in client.get("/api/v1/rules").json()["data"]["groups"]:
            if group["name"] == NAME:
                assert len(group["rules"]) == len(planned)
                assert {rule["health"] for rule in group["rules"]} == {"ok"}, group["rules"]

        def health() -> list[str]:
            jobs = targets(client)
            return [each["health"] for name in (NAME, f"{NAME}-telemetry") for each in jobs[name]]

        until(lambda: health() == ["up", "up"], "both ports answer Prometheus")
        assert not _firing(client, "KubeStateMetricsErrors")
    assert "forbidden" not in watching.log.read_text(), watching.log.read_text()[-2000:]


def test_it_offers_exactly_the_catalogues_series(watching: Watching, one_of_each_kind: None) -> None:
    def seen() -> set[str]:
        return set(re.findall(r"^# HELP (\S+)", watching.page(8080), re.MULTILINE))

    until(lambda: seen() >= offered(), "all that is in the catalogue is offered", 90)
    assert seen() == offered()


def test_without_its_rights_it_says_so_in_the_series_that_an_alert_goes_by(
    cluster: Cluster, stack: Stack, tmp_path: Path
) -> None:
    """What the test above relies on when it finds no error."""
    failed = re.compile(rf'^{OF_ITSELF}(list|watch)_total{{[^}}]*resource="\*v1.Pod"[^}}]*result="error"', re.MULTILINE)
    failed_too = re.compile(
        rf'^{OF_ITSELF}(list|watch)_total{{[^}}]*result="error"[^}}]*resource="\*v1.Pod"', re.MULTILINE
    )
    with running(cluster, stack, "prometheus", tmp_path) as found:
        until(lambda: failed.search(found.page(8081)) or failed_too.search(found.page(8081)), "it counts failures", 120)
        until(lambda: "forbidden" in found.log.read_text(), "it says why")
