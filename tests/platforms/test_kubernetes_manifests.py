"""A plan as Kubernetes objects: hardened, complete, and changed only where a change is meant."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from components.config import parse_stack
from components.platforms import kubernetes_files
from components.platforms.kubernetes_files import INDEX, file_objects, key_of, projected
from components.platforms.kubernetes_manifests import manifests, service_manifests
from components.platforms.kubernetes_monitors import ADDITIONAL
from components.platforms.kubernetes_objects import Manifest, Stack, needs_host
from components.platforms.kubernetes_workloads import _cpus, _quantity
from components.spec import File, Port, Service
from tests.platforms.clusters import (
    CLUSTERS,
    WORKLOADS,
    containers_of,
    objects,
    of_kind,
    on_cluster,
    one,
    pod_of,
    stack_on_cluster,
)
from tests.support import CLUSTER, changed, data, service

every_cluster = pytest.mark.parametrize("name", CLUSTERS)
SERVICES = [
    pytest.param(name, each, id=f"{name}-{each.name}") for name in CLUSTERS for each in on_cluster(name).plan.services
]
OF_OURS = [each for each in SERVICES if each.id != "operated-prometheus"]
"""Those that no operator runs; tests/platforms/test_kubernetes_operator.py is about the others."""
every_workload = pytest.mark.parametrize(("name", "service"), OF_OURS)
every_service = pytest.mark.parametrize(("name", "service"), SERVICES)
PEM_OR_TOKEN = re.compile(r"<(secret|bcrypt):")


def pod_name(service: Service) -> str:
    return service.beside or service.name


def workload_of(name: str, service: Service) -> Manifest:
    return next(each for each in of_kind(objects(name), *WORKLOADS) if each["metadata"]["name"] == pod_name(service))


# Every object


@every_cluster
def test_objects_are_distinct_plain_data_with_the_recommended_labels(name: str) -> None:
    found = objects(name)
    keys = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in found]
    assert len(set(keys)) == len(keys)
    for each in found:
        assert json.loads(json.dumps(each)) == each
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "observatory"
        assert labels["app.kubernetes.io/instance"] == f"observatory-{on_cluster(name).config.environment}"
        assert all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value) for value in labels.values())


@every_cluster
def test_namespaces_are_restricted_but_the_one_of_what_watches_the_machines(name: str) -> None:
    stack = on_cluster(name)
    levels = {
        each["metadata"]["name"]: {
            key.rpartition("/")[2]: value
            for key, value in each["metadata"]["labels"].items()
            if key.startswith("pod-security")
        }
        for each in of_kind(objects(name), "Namespace")
    }
    watching = any(map(needs_host, stack.plan.services))
    assert levels.keys() == ({stack.namespace, stack.host_namespace} if watching else {stack.namespace})
    assert levels[stack.namespace] == dict.fromkeys(("enforce", "warn", "audit"), "restricted")
    for each in of_kind(objects(name), *WORKLOADS):
        forbidden = "hostPID" in pod_of(each) or any("hostPath" in v for v in pod_of(each).get("volumes", []))
        assert forbidden == (each["metadata"]["namespace"] == stack.host_namespace)
        assert forbidden <= (each["metadata"]["name"] == "node-exporter")


# Every service


@every_service
def test_it_has_an_account_a_policy_a_network_name_and_one_workload(name: str, service: Service) -> None:
    stack = on_cluster(name)
    found = service_manifests(stack, service)
    kinds = [each["kind"] for each in found]
    if service.beside:
        assert {*kinds} <= {"ConfigMap", "Secret", "NetworkPolicy", "Service"}
        assert kinds[-2:] == ["NetworkPolicy", "Service"]
        return
    for kind in ("ServiceAccount", "NetworkPolicy", "Service"):
        shared = sum(map(bool, (service.group_name, service.entry_name))) if not service.replica_of else 0
        assert kinds.count(kind) == 1 + (shared if kind == "Service" else 0)
        assert one(found, kind, service.name)["metadata"]["namespace"] == stack.namespace_of(service)
    assert sum(kinds.count(kind) for kind in (*WORKLOADS, "Prometheus")) == 1
    operated = "Prometheus" in kinds
    expected = (
        "Prometheus"
        if operated
        else "DaemonSet"
        if service.per_node
        else "StatefulSet"
        if service.volumes
        else "Deployment"
    )
    assert expected in kinds


@every_service
def test_its_name_and_ports_on_the_network_are_those_of_the_plan(name: str, service: Service) -> None:
    found = one(objects(name), "Service", service.name)
    numbers = {port["port"] for port in found["spec"]["ports"]}
    assert numbers == {port.number for port in service.ports} | {metrics.port for metrics in service.metrics}
    assert all(port["port"] == port["targetPort"] and len(port["name"]) <= 15 for port in found["spec"]["ports"])
    assert (found["spec"].get("clusterIP") == "None") == service.per_node
    host = on_cluster(name).plan.service(service.beside) or service
    assert found["spec"]["selector"].items() <= on_cluster(name).labels(host).items()


@every_workload
def test_its_containers_have_no_rights(name: str, service: Service) -> None:
    workload = workload_of(name, service)
    pod = pod_of(workload)
    host = on_cluster(name).plan.service(service.beside) or service
    assert on_cluster(name).labels(host) == workload["spec"]["template"]["metadata"]["labels"]
    user, group = map(int, service.user.split(":"))
    assert pod["securityContext"]["runAsUser"] == user != 0
    assert pod["securityContext"]["runAsGroup"] == group
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == pod_name(service)
    assert "hostNetwork" not in pod
    for container in containers_of(workload):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert limits.keys() == requests.keys() == {"cpu", "memory"}
        assert (limits["memory"] == requests["memory"]) == (container["name"] != "loader")
        assert "runAsUser" not in container["securityContext"]


@every_workload
def test_it_runs_what_was_planned(name: str, service: Service) -> None:
    together = {each.name: each for each in on_cluster(name).plan.services if pod_name(each) == pod_name(service)}
    containers = {each["name"]: each for each in pod_of(workload_of(name, service))["containers"]}
    assert containers.keys() == together.keys()
    container = containers[service.name]
    assert container["image"] == service.image
    assert container.get("args", []) == list(service.args)
    assert {each["name"]: each["value"] for each in container.get("env", [])} == dict(service.env)
    assert container["resources"]["limits"]["memory"] == f"{service.resources.memory}Mi"
    assert service.probe is not None
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        if service.probe.port:
            assert container[kind]["tcpSocket"] == {"port": service.probe.port}
        assert container[kind].get("exec", {}).get("command", []) == list(service.probe.command)
        assert container[kind]["timeoutSeconds"] == service.probe.timeout
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 900
    ready, alive = (container[f"{kind}Probe"]["failureThreshold"] for kind in ("readiness", "liveness"))
    assert (ready < alive) == (not service.prepares)
    assert pod_of(workload_of(name, service))["terminationGracePeriodSeconds"] >= service.stop_grace
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container.get("volumeMounts", [])}
    for path in (*(volume.path for volume in service.shares or together[pod_name(service)].volumes), *service.scratch):
        assert mounts.pop(path) is False
    for mount in service.host_mounts:
        assert mounts.pop(mount.path) is True
    if service.files:
        assert mounts.pop(service.config_folder if service.reload else service.mounted_config) is True
    if service.api:
        assert mounts.pop("/var/run/secrets/kubernetes.io/serviceaccount") is True
    assert not mounts
    named = {volume["name"] for volume in pod_of(workload_of(name, service)).get("volumes", [])}
    used = {
        mount["name"] for each in containers_of(workload_of(name, service)) for mount in each.get("volumeMounts", [])
    }
    assert named == used


@every_workload
def test_its_files_arrive_at_the_very_paths_of_the_plan(name: str, service: Service) -> None:
    """As the kubelet (items) or the loader (index) would lay them out."""
    if not service.files:
        return
    stored = {each["metadata"]["name"]: each for each in file_objects(on_cluster(name), service)}
    assert {*stored} == {
        each["metadata"]["name"]
        for each in of_kind(service_manifests(on_cluster(name), service), "ConfigMap", "Secret")
        if each["metadata"]["name"] != f"{service.name}-authority"
    }
    laid_out: dict[str, str] = {}
    flat: dict[str, str] = {}
    for source in projected(service, whole=bool(service.reload))["projected"]["sources"]:
        ((kind, reference),) = source.items()
        data = stored[reference["name"]]["data" if kind == "configMap" else "stringData"]
        assert not {*data} & {*flat}
        flat |= data
        laid_out |= {item["path"]: data[item["key"]] for item in reference.get("items", [])}
    if service.reload:
        for line in flat[INDEX].splitlines():
            key, _, path = line.partition(" ")
            laid_out[path] = flat[key]
    assert laid_out == {file.path: file.content for file in service.files}
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) for key in flat)


@every_service
def test_secrets_stand_in_secrets_only_and_only_as_placeholders(name: str, service: Service) -> None:
    for each in service_manifests(on_cluster(name), service):
        if each["kind"] == "Secret" and each["metadata"]["name"] != ADDITIONAL:
            assert all(PEM_OR_TOKEN.search(value) for value in each["stringData"].values())
        elif each["metadata"]["name"] == f"{service.name}-authority":
            assert each["data"] == {"ca.crt": "<secret:tlsCa>"}, "public, for a gateway to trust"
        else:
            assert not PEM_OR_TOKEN.search(json.dumps(each)), each["kind"]


@every_service
def test_objects_fit_into_the_api_server(name: str, service: Service) -> None:
    for each in service_manifests(on_cluster(name), service):
        assert len(json.dumps(each).encode()) < 1_400_000
        if each["kind"] == "ConfigMap":
            assert sum(len(key) + len(value.encode()) for key, value in each["data"].items()) <= 2**20


# Access to the cluster


@every_cluster
def test_only_two_may_ask_the_api_server_and_only_for_what_the_stack_file_says(name: str) -> None:
    stack, found = on_cluster(name), objects(name)
    asking = {service.name for service in stack.plan.services if service.api}
    assert {each.removesuffix("-2") for each in asking} == (
        set() if name == "small-cluster" else {"prometheus", "kube-state-metrics"}
    )
    for each in of_kind(found, *WORKLOADS):
        for container in containers_of(each):
            token = [m for m in container.get("volumeMounts", []) if "serviceaccount" in m["mountPath"]]
            assert bool(token) == (container["name"] in asking)
    for binding in of_kind(found, "RoleBinding", "ClusterRoleBinding"):
        (subject,) = binding["subjects"]
        assert subject["name"] in asking
        assert subject["namespace"] == stack.namespace
        assert binding["roleRef"]["name"] == f"{stack.namespace}-{subject['name']}"
    monitor = stack.cluster.monitor
    named = {n for s in stack.config.services if (d := s.discovery.kubernetes) for n in d.namespaces}
    expected = named | ({*stack.namespaces()} if any(s.per_node for s in stack.plan.services) else set())
    expected |= ({"default"} if monitor.api_server else set()) | ({"kube-system"} if monitor.dns else set())
    assert {each["metadata"]["namespace"] for each in of_kind(found, "Role")} == expected
    for role in of_kind(found, "Role", "ClusterRole"):
        for rule in role["rules"]:
            assert {*rule["verbs"]} <= {"get", "list", "watch"}
            assert not {"secrets", "configmaps", "*", "nodes/proxy"} & {*rule.get("resources", [])}
    asks_nodes = monitor.kubelet or stack.config.exporters.cadvisor
    assert len(of_kind(found, "ClusterRole")) == asks_nodes * len(stack.plan.replicas("prometheus")) + monitor.workloads


def test_what_is_watched_everywhere_is_listed_and_watched_and_no_more() -> None:
    role = one(objects("k8s-dev"), "ClusterRole", "observatory-k8s-dev-kube-state-metrics")
    allowed = {
        f"{resource}.{group}".rstrip(".")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    watching = service(on_cluster("k8s-dev").plan, "kube-state-metrics")
    assert watching.api
    assert allowed == {*watching.api.watched}
    assert {tuple(rule["verbs"]) for rule in role["rules"]} == {("list", "watch")}
    assert {*role} == {"apiVersion", "kind", "metadata", "rules"}


@every_cluster
def test_discovery_looks_only_where_prometheus_may(name: str) -> None:
    for job in data(service(on_cluster(name).plan, "prometheus"), "prometheus.yml")["scrape_configs"]:
        for found in job.get("kubernetes_sd_configs", []):
            spaces = {each["metadata"]["namespace"] for each in of_kind(objects(name), "Role")}
            assert found["role"] == "node" or {*found["namespaces"]["names"]} <= spaces


# Changes


def with_files(service: Service, *files: File) -> Service:
    return replace(service, files=(*(f for f in service.files if f.path not in {x.path for x in files}), *files))


def kinds_that_differ(stack: Stack, before: Service, after: Service) -> set[str]:
    old = {(m["kind"], m["metadata"]["name"]): m for m in service_manifests(stack, before)}
    new = {(m["kind"], m["metadata"]["name"]): m for m in service_manifests(stack, after)}
    return {kind for kind, key in old.keys() | new.keys() if old.get((kind, key)) != new.get((kind, key))}


@pytest.mark.parametrize("product", ["prometheus", "alertmanager", "grafana", "blackbox-exporter"])
def test_changed_added_and_removed_live_files_leave_the_pods_alone(product: str) -> None:
    stack = on_cluster("cluster")
    before = service(stack.plan, product)
    live = next(file for file in before.files if file.live and not file.secrets)
    assert kinds_that_differ(stack, before, with_files(before, replace(live, content="other"))) == {"ConfigMap"}
    assert kinds_that_differ(stack, before, with_files(before, File("more/new.yaml", "a: b"))) == {"ConfigMap"}
    hidden = File("secrets/new", "<secret:accessPassword>")
    assert kinds_that_differ(stack, before, with_files(before, hidden)) == {"ConfigMap", "Secret"}
    gone = replace(before, files=tuple(file for file in before.files if file != live))
    assert kinds_that_differ(stack, before, gone) == {"ConfigMap"}


def test_files_that_only_a_new_container_takes_up_make_new_pods() -> None:
    stack = on_cluster("cluster")
    jaeger = service(stack.plan, "jaeger")
    (file,) = jaeger.files
    assert kinds_that_differ(stack, jaeger, with_files(jaeger, replace(file, content="a: b"))) == {
        "ConfigMap",
        "StatefulSet",
    }
    grafana = service(stack.plan, "grafana")
    ini = next(file for file in grafana.files if file.path == "grafana.ini")
    assert kinds_that_differ(stack, grafana, with_files(grafana, replace(ini, content="[a]"))) == {
        "ConfigMap",
        "StatefulSet",
    }


def test_a_grown_volume_changes_its_claim_and_nothing_else() -> None:
    def made(size: str) -> dict[tuple[str, str], Manifest]:
        config = parse_stack(changed(CLUSTER, kubernetes__volumes__prometheus=size), "f")
        return {(m["kind"], m["metadata"]["name"]): m for m in manifests(stack_on_cluster(config))}

    small, large = made("30GB"), made("60GB")
    assert [key for key in small if small[key] != large[key]] == [("PersistentVolumeClaim", "prometheus-data")]
    claim = large["PersistentVolumeClaim", "prometheus-data"]["spec"]
    assert claim["resources"]["requests"]["storage"] == "60Gi"
    assert claim["storageClassName"] == "fast"
    assert small["PersistentVolumeClaim", "grafana-data"]["spec"]["resources"]["requests"]["storage"] == "512Mi"
    for each in of_kind(list(large.values()), "StatefulSet"):
        assert "volumeClaimTemplates" not in each["spec"], "they could never grow"


# Particular values


def test_settings_of_the_cluster_reach_every_pod() -> None:
    for each in of_kind(objects("cluster"), *WORKLOADS):
        pod = pod_of(each)
        assert pod["priorityClassName"] == "monitoring"
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        everywhere = each["kind"] == "DaemonSet"
        assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", **({} if everywhere else {"pool": "monitoring"})}
        assert pod.get("tolerations") == ([{"operator": "Exists"}] if everywhere else None)


def test_pings_need_no_capability_and_every_other_one_is_refused() -> None:
    stack = on_cluster("cluster")
    blackbox = service(stack.plan, "blackbox-exporter")
    assert blackbox.capabilities == ("NET_RAW",)
    (workload,) = of_kind(service_manifests(stack, blackbox), "Deployment")
    ping = {"name": "net.ipv4.ping_group_range", "value": "65534 65534"}
    assert pod_of(workload)["securityContext"]["sysctls"] == [ping]
    with pytest.raises(ValueError, match=r"blackbox-exporter asks for capabilities .*\['SYS_ADMIN'\]"):
        service_manifests(stack, replace(blackbox, capabilities=("NET_RAW", "SYS_ADMIN")))


def test_what_the_platform_cannot_honour_is_refused_by_name() -> None:
    stack = on_cluster("cluster")
    prometheus = service(stack.plan, "prometheus")
    with pytest.raises(ValueError, match="prometheus runs on every node and cannot share volumes"):
        service_manifests(stack, replace(prometheus, per_node=True))
    with pytest.raises(ValueError, match=r"prometheus asks for ports on a host \(published\).*\['http'\]"):
        service_manifests(stack, replace(prometheus, ports=(Port("http", 9090, 9090),)))


def test_uis_have_a_host_with_tls_where_the_stack_file_gives_one() -> None:
    found = {each["metadata"]["name"]: each for each in of_kind(objects("cluster"), "Ingress")}
    assert found.keys() == {"grafana", "prometheus"}
    assert found["grafana"]["spec"] == {
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["grafana.example.com"], "secretName": "observatory-tls"}],
        "rules": [
            {
                "host": "grafana.example.com",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "grafana", "port": {"name": "http"}}},
                        }
                    ]
                },
            }
        ],
    }
    annotations = found["prometheus"]["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"
    assert "--web.external-url=https://prometheus.example.com" in service(on_cluster("cluster").plan, "prometheus").args


def test_large_files_are_spread_over_several_config_maps() -> None:
    stack = on_cluster("cluster")
    grafana = service(stack.plan, "grafana")
    big = with_files(grafana, *(File(f"dashboards/{n}.json", "x" * 400_000) for n in range(5)))
    parts = of_kind(file_objects(stack, big), "ConfigMap")
    assert [each["metadata"]["name"] for each in parts] == ["grafana-files", "grafana-files-2", "grafana-files-3"]
    assert max(sum(len(v) for v in each["data"].values()) for each in parts) <= kubernetes_files.PART
    with pytest.raises(ValueError, match=r"grafana/huge\.json has .* bytes; a ConfigMap holds 900000 at most"):
        file_objects(stack, with_files(grafana, File("huge.json", "x" * 1_000_000)))


def test_more_files_than_a_pod_holds_twice_are_refused() -> None:
    stack = on_cluster("cluster")
    grafana = service(stack.plan, "grafana")
    with pytest.raises(ValueError, match="the files of grafana have more than 16 MiB together"):
        service_manifests(stack, with_files(grafana, *(File(f"{n}.json", "x" * 800_000) for n in range(22))))


def test_keys_hold_neither_slashes_nor_spaces() -> None:
    assert key_of("dashboards/The stack/node.json") == "dashboards__The_stack__node.json"


@pytest.mark.parametrize(
    ("cores", "text"), [(0.25, "250m"), (1.0, "1"), (2.5, "2500m"), (0.0625, "62m"), (0.0001, "1m")]
)
def test_cores_are_written_as_the_api_server_writes_them(cores: float, text: str) -> None:
    assert _cpus(cores) == text


@pytest.mark.parametrize(
    ("size", "text"), [(2**40, "1Ti"), (50 * 2**30, "50Gi"), (1536 * 2**20, "1536Mi"), (2**10, "1Ki"), (7, "7")]
)
def test_sizes_are_written_as_the_api_server_writes_them(size: int, text: str) -> None:
    assert _quantity(size) == text


def test_versions_come_from_the_images_tag() -> None:
    labels: dict[str, Any] = workload_of("cluster", service(on_cluster("cluster").plan, "prometheus"))["metadata"][
        "labels"
    ]
    assert labels["app.kubernetes.io/version"] == "v3.13.5"
