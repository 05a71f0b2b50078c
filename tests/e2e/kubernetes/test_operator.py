"""A Prometheus that the real operator runs: it takes our objects and makes of them what we would run ourselves."""

from __future__ import annotations

import base64
import copy
import gzip
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.config import parse_stack
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_monitors import API, LAST_OF_THE_OPERATORS
from components.platforms.kubernetes_objects import Manifest, Stack
from components.platforms.kubernetes_operator import object_name
from components.spec import File
from components.yaml_text import dump, load
from operations.certificates import make_certificates
from operations.operated import as_planned, rule_file_of
from tests.e2e.engine import until
from tests.e2e.kubernetes.cluster import Cluster, Refused
from tests.e2e.kubernetes.disks import have_disks
from tests.e2e.kubernetes.prometheus import real_prometheus, targets
from tests.e2e.kubernetes.test_running import _have_users_programs
from tests.platforms.clusters import of_kind, one, stack_on_cluster
from tests.support import OPERATED, changed, content, service

VOLUMES = {"prometheus": "10GB", "jaeger": "10GB", "grafana": "10GB", "alertmanager": "10GB"}
DECLARED = changed(
    OPERATED,
    kubernetes__volumes=VOLUMES,
    kubernetes__storage_class="grows",
    retention={"time": "7d", "size": "4GB"},
    services=[
        changed(each, discovery__kubernetes__namespaces=["search"]) if "crawler" in each["name"] else each
        for each in OPERATED["services"]
    ],
)
COUNTS = {"basket": 4, "basket-inside": 4, "crawler": 1, "crawler-inside": 1}
"""Targets of the user's own jobs."""
NODES = 2
OPERATORS = ("Prometheus", "PrometheusRule", "ServiceMonitor", "PodMonitor")


def with_values(stack: Stack, found: list[Manifest]) -> list[Manifest]:
    """The objects with a value for each secret; the operator reads certificates and keys, so these are real ones."""
    made = make_certificates("test", ["basket.example.com"], 30, datetime.now(UTC))
    values = {"basketCa": made.ca, "basketCertificate": made.certificate, "basketKey": made.key}
    result = copy.deepcopy(found)
    for each in of_kind(result, "Secret"):
        each["stringData"] = {
            key: File(key, text).resolve(lambda _, name: values.get(name, f"value-of-{name}"))
            for key, text in each["stringData"].items()
        }
    return result


def claim_of(cluster: Cluster, stack: Stack) -> dict[str, Any]:
    return cluster.get("PersistentVolumeClaim", "v1", stack.namespace, "prometheus-data")


@pytest.fixture(scope="module")
def nodes(cluster: Cluster) -> None:
    """Nodes, disks and the operator, made once: what waits for them may be tried again."""
    cluster.play_nodes(NODES)
    cluster.start_operator()
    have_disks(cluster, 4)


@pytest.fixture(scope="module")
def switched(cluster: Cluster, nodes: None) -> tuple[Stack, str]:
    """The stack with the operator's Prometheus in place of a workload of ours; and the claim that this had."""
    before = stack_on_cluster(parse_stack(changed(DECLARED, kubernetes__operator="none"), "operated"))
    stack = stack_on_cluster(parse_stack(DECLARED, "operated"))
    for each in with_values(before, manifests(before)):
        cluster.apply(each)
    until(lambda: claim_of(cluster, before).get("status", {}).get("phase") == "Bound", "the claim is bound", 240)
    claim = str(claim_of(cluster, before)["metadata"]["uid"])
    for each in with_values(stack, manifests(stack)):
        cluster.apply(each)
    # As `up` does in the end: what is no longer planned goes.
    cluster.kubectl("delete", "statefulset", "--namespace", stack.namespace, "prometheus")
    return stack, claim


@pytest.fixture(scope="module")
def operated(cluster: Cluster, switched: tuple[Stack, str]) -> Stack:
    """The stack with all pods ready, and the user's programs beside it."""
    stack, _ = switched
    _have_users_programs(cluster)
    until(partial(available, cluster, stack), "the operator's Prometheus is available", 240)
    return stack


def prometheus_of(cluster: Cluster, stack: Stack) -> dict[str, Any]:
    return cluster.get("Prometheus", API, stack.namespace, object_name(stack))


def conditions(found: Mapping[str, Any]) -> dict[str, str]:
    return {each["type"]: each["status"] for each in found.get("status", {}).get("conditions", [])}


def available(cluster: Cluster, stack: Stack) -> bool:
    return conditions(prometheus_of(cluster, stack)) == {"Available": "True", "Reconciled": "True"}


def generated_text(cluster: Cluster, stack: Stack) -> str:
    """The configuration that the operator has made."""
    secret = cluster.get("Secret", "v1", stack.namespace, f"prometheus-{object_name(stack)}")
    return gzip.decompress(base64.b64decode(secret["data"]["prometheus.yaml.gz"])).decode()


def generated(cluster: Cluster, stack: Stack) -> dict[str, Any]:
    return dict(load(generated_text(cluster, stack)))


def planned(stack: Stack) -> dict[str, Any]:
    return dict(load(content(service(stack.plan, "prometheus"), "prometheus.yml")))


def statefulset(cluster: Cluster, stack: Stack) -> dict[str, Any]:
    return cluster.get("StatefulSet", "apps/v1", stack.namespace, f"prometheus-{object_name(stack)}")


def without_defaults(job: dict[str, Any]) -> dict[str, Any]:
    """A job without what the operator writes down though Prometheus does the same without it."""
    defaults = {"action": "replace", "honor_labels": False, "type": "Bearer"}
    result = {key: value for key, value in job.items() if key not in defaults or defaults[key] != value}
    for key, value in result.items():
        if key in ("relabel_configs", "metric_relabel_configs"):
            result[key] = [without_defaults(rule) for rule in value]
        elif key == "authorization":
            result[key] = without_defaults(value)
    return result


def test_its_configuration_is_ours(operated: Stack, cluster: Cluster, tmp_path: Path) -> None:
    """Every difference stands in `operations/operated.py`; what is left are defaults that the operator writes down."""
    found, ours = generated(cluster, operated), planned(operated)
    back = as_planned(operated.config, ours, found)
    back["scrape_configs"] = [without_defaults(job) for job in back["scrape_configs"]]
    assert [job["job_name"] for job in back["scrape_configs"]] == [job["job_name"] for job in ours["scrape_configs"]]
    for job, planned_job in zip(back["scrape_configs"], ours["scrape_configs"], strict=True):
        assert job == planned_job
    assert back == ours
    (tmp_path / "prometheus.yml").write_text(generated_text(cluster, operated))
    command = ["promtool", "check", "config", "--syntax-only", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_operator_adds_to_a_job_comes_before_it_and_is_undone(operated: Stack, cluster: Cluster) -> None:
    """What the test above leaves aside: no label that the operator sets outlives the job's own relabelling."""
    ours = {job["job_name"]: job for job in planned(operated)["scrape_configs"]}
    seen = 0
    for job in generated(cluster, operated)["scrape_configs"]:
        kind, _, name = job["job_name"].removesuffix("/0").partition(f"Monitor/{operated.namespace}/")
        if kind not in ("service", "pod"):
            assert job == ours[job["job_name"]]
            continue
        seen += 1
        rules = job["relabel_configs"]
        begin = rules.index(LAST_OF_THE_OPERATORS) + 1
        added, shared = rules[:begin], rules[begin + len(ours[name]["relabel_configs"]) :]
        set_here = {rule["target_label"] for rule in added if "target_label" in rule}
        set_anew = {rule["target_label"] for rule in ours[name]["relabel_configs"] if "target_label" in rule}
        assert {label for label in set_here if not label.startswith("__tmp")} - set_anew == {"job", "container"}
        assert without_defaults(added[-2]) == {"target_label": "job", "replacement": name}
        # One Prometheus gets all targets that are shared out.
        assert all(rule.get("target_label", "__tmp_hash").startswith("__tmp_") for rule in shared)
        # What it leaves out by labels, the job's own rules leave out as well.
        kept = [rule for rule in added if rule.get("action") in ("keep", "drop")]
        assert all("label" in rule["source_labels"][0] for rule in kept), kept
    assert seen == len(of_kind(manifests(operated), "ServiceMonitor", "PodMonitor")) == 4


def test_its_rules_are_ours_to_the_word(operated: Stack, cluster: Cluster) -> None:
    files: dict[str, Any] = {}
    for each in cluster.get("ConfigMap", "v1", operated.namespace)["items"]:
        if each["metadata"]["name"].startswith(f"prometheus-{object_name(operated)}-rulefiles-"):
            files |= {rule_file_of(operated.config, name): load(text) for name, text in each["data"].items()}
    ours = {
        file.path.removeprefix("rules/"): load(file.content)
        for file in service(operated.plan, "prometheus").files
        if file.path.startswith("rules/")
    }
    assert files == ours


def test_its_pod_is_ours_with_our_claim(operated: Stack, cluster: Cluster) -> None:
    found = statefulset(cluster, operated)
    assert "volumeClaimTemplates" not in found["spec"], "a claim of the operator's would start without our data"
    pod = found["spec"]["template"]["spec"]
    container = next(each for each in pod["containers"] if each["name"] == "prometheus")
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes[mounts["/prometheus"]["name"]]["persistentVolumeClaim"] == {"claimName": "prometheus-data"}
    assert "subPath" not in mounts["/prometheus"]
    assert "--web.enable-lifecycle" not in container["args"], "whoever reaches the port could end it"
    assert "--storage.tsdb.path=/prometheus" in container["args"]
    assert "--enable-feature=exemplar-storage" in container["args"]
    assert pod["shareProcessNamespace"] is True  # for the signal that makes it reload
    assert pod["securityContext"]["runAsNonRoot"] is True
    token = [each for each in pod["containers"] for mount in each["volumeMounts"] if mount["name"] == "api"]
    assert [each["name"] for each in token] == ["prometheus"]
    assert pod["automountServiceAccountToken"] is False


def test_who_switches_keeps_the_data(switched: tuple[Stack, str], operated: Stack, cluster: Cluster) -> None:
    """The one claim, with another pod on it."""
    found = claim_of(cluster, operated)
    assert found["metadata"]["uid"] == switched[1]
    assert found["status"]["phase"] == "Bound"
    claims = cluster.get("PersistentVolumeClaim", "v1", operated.namespace)["items"]
    assert len([each for each in claims if "prometheus" in each["metadata"]["name"]]) == 1
    pod = cluster.get("Pod", "v1", operated.namespace, f"prometheus-{object_name(operated)}-0")
    named = [each["persistentVolumeClaim"] for each in pod["spec"]["volumes"] if "persistentVolumeClaim" in each]
    assert named == [{"claimName": "prometheus-data"}]


def test_others_find_it_under_the_planned_name(operated: Stack, cluster: Cluster) -> None:
    """Its pod runs in the restricted namespace, is behind the Service, and is what the policy is about."""
    name = object_name(operated)
    pod = cluster.get("Pod", "v1", operated.namespace, f"prometheus-{name}-0")
    labels = pod["metadata"]["labels"]
    assert operated.selector(service(operated.plan, "prometheus")).items() <= labels.items()
    policy = one(manifests(operated), "NetworkPolicy", "prometheus")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()

    def addresses() -> set[str]:
        slices = cluster.get("EndpointSlice", "discovery.k8s.io/v1", operated.namespace)["items"]
        own = [each for each in slices if each["metadata"]["labels"]["kubernetes.io/service-name"] == "prometheus"]
        return {address for each in own for end in each["endpoints"] or () for address in end["addresses"]}

    until(lambda: addresses() == {pod["status"]["podIP"]}, "the Service leads to the pod")
    assert "prometheus-operated" not in str(cluster.get("Service", "v1", operated.namespace)["items"])


def without_tls(config: dict[str, Any]) -> dict[str, Any]:
    """For a Prometheus on this machine, which has no files of the pod: who is asked is found without them."""
    # The reloader beside it puts this in, in the pod.
    result = dict(load(dump(config).replace("$(SHARD)", "0")))
    for job in result["scrape_configs"]:
        if "/current/" in str(job.get("tls_config")) or "/certs/" in str(job.get("tls_config")):
            job["tls_config"] = {"insecure_skip_verify": True}
    return result


def found_by(cluster: Cluster, stack: Stack, folder: Path, config: dict[str, Any]) -> list[Any]:
    folder.mkdir()
    expected = {**COUNTS, **dict.fromkeys(("node-exporter", "kubelet", "cadvisor"), NODES), "apiserver": 1}
    with real_prometheus(cluster, stack, folder, without_tls(config)) as client:

        def complete() -> list[dict[str, Any]] | None:
            """The targets, once there are enough: those of one job, too, are found one after the other."""
            seen = [each for found in targets(client).values() for each in found]
            counts = Counter(each["job"] for each in seen)
            return seen if all(counts[job] >= count for job, count in expected.items()) else None

        found = until(complete, f"{expected} are found", 240)
        # Not their health, for one server has been asking for longer than the other.
        return sorted(sorted((name, value) for name, value in each.items() if name != "health") for each in found)


def test_a_real_prometheus_finds_the_same_targets_with_it(operated: Stack, cluster: Cluster, tmp_path: Path) -> None:
    ours = found_by(cluster, operated, tmp_path / "ours", planned(operated))
    theirs = found_by(cluster, operated, tmp_path / "theirs", generated(cluster, operated))
    assert theirs == ours
    assert {name: sum(dict(each)["job"] == name for each in ours) for name in COUNTS} == COUNTS


def test_a_changed_interval_goes_live_in_the_same_pod(operated: Stack, cluster: Cluster) -> None:
    before = statefulset(cluster, operated)["metadata"]["generation"]
    wanted = changed(DECLARED, scrape={"interval": "20s", "timeout": "10s"}, alerts={"TargetDown": False})
    stack = stack_on_cluster(parse_stack(wanted, "operated"))
    for each in with_values(stack, manifests(stack)):
        cluster.apply(each)
    until(lambda: generated(cluster, stack)["global"]["scrape_interval"] == "20s", "the operator has seen it", 180)
    assert as_planned(stack.config, planned(stack), generated(cluster, stack))["global"] == planned(stack)["global"]
    assert statefulset(cluster, stack)["metadata"]["generation"] == before
    for each in with_values(operated, manifests(operated)):
        cluster.apply(each)
    until(lambda: generated(cluster, operated)["global"]["scrape_interval"] == "15s", "the operator has seen it", 180)


def test_the_operators_kinds_are_checked_strictly(operated: Stack, cluster: Cluster) -> None:
    """What the tests above rely on."""
    for kind in OPERATORS:
        bad = copy.deepcopy(of_kind(manifests(operated), kind)[0])
        bad["spec"]["misspelt"] = True
        with pytest.raises(Refused, match="misspelt"):
            cluster.apply(bad, dry=True)


def test_applied_again_nothing_changes(operated: Stack, cluster: Cluster) -> None:
    def seen() -> Iterator[tuple[str, Any]]:
        for each in of_kind(manifests(operated), *OPERATORS):
            name = each["metadata"]["name"]
            found = cluster.get(each["kind"], each["apiVersion"], operated.namespace, name)
            yield f"{each['kind']}/{name}", (found["metadata"]["generation"], found["spec"])

    before = dict(seen())
    for each in with_values(operated, manifests(operated)):
        cluster.apply(each)
    assert dict(seen()) == before
