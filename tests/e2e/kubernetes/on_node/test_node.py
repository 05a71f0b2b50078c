"""A stack on a real node: its pods run, are reached, changed while they run, and come back with their data."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest

from tests.e2e.engine import until
from tests.e2e.kubernetes.deployed import NAME, REPLICAS, Deployed, is_ready
from tests.e2e.kubernetes.node import Node

TARGETS = 16
ABSENT = (
    "instance_receiver_integration:alertmanager_notifications_failed:",
    "kube_cronjob_",
    "kube_horizontalpodautoscaler_",
    "kube_job_",
    "kube_pod_container_status_last_terminated_reason",
    "kube_pod_container_status_waiting_reason",
    "kube_pod_init_container_status_waiting_reason",
    "kube_poddisruptionbudget_",
    "kube_resourcequota",
    "probe_ssl_",
)
"""Series of what is not there (jobs, autoscalers, certificates), or has not happened (a container that failed)."""


def _targets_are_up(deployed: Deployed) -> bool:
    return len(deployed.ask("up")) >= TARGETS and not deployed.ask("up == 0") and not deployed.ask("probe_success == 0")


def test_every_target_of_the_stack_and_of_the_cluster_answers(deployed: Deployed) -> None:
    until(lambda: _targets_are_up(deployed), "all targets are up")
    jobs = {each["metric"]["job"] for each in deployed.ask("up == 1")}
    assert jobs >= {"apiserver", "cadvisor", "checkout", "coredns", "kube-state-metrics", "kubelet", "node-exporter"}
    names = {each["metric"]["name"] for each in deployed.ask('container_memory_working_set_bytes{name!=""}')}
    assert names >= {"shop/checkout-0/main", f"{deployed.stack.namespace}/prometheus-0/prometheus"}


def test_rules_ask_for_series_that_a_cluster_has(deployed: Deployed) -> None:
    """Only those are missing that tell of something that this cluster has none of, or that did not happen."""
    rules = [rule for group in deployed.prometheus("/api/v1/rules")["groups"] for rule in group["rules"]]
    every = " or ".join(f"({rule['query']})" for rule in rules)
    asked = _selected(deployed.prometheus("/api/v1/parse_query", every))
    assert len(asked) > 50

    def missing() -> list[str]:
        found = deployed.prometheus("/api/v1/label/__name__/values")
        return sorted(name for name in asked.difference(found) if not name.startswith(ABSENT))

    with suppress(AssertionError):  # the names say more
        until(lambda: not missing(), "each rule has its series", 120)
    assert missing() == []


def _selected(query: object) -> set[str]:
    """The metrics that a parsed query reads."""
    if isinstance(query, list):
        return {name for each in query for name in _selected(each)}
    if not isinstance(query, dict):
        return set()
    own = {query["name"]} if query.get("type") == "vectorSelector" and query["name"] else set()
    return own.union(*(_selected(each) for each in query.values()))


def test_verify_and_doctor_reach_the_programs_through_the_cluster(deployed: Deployed) -> None:
    until(lambda: _targets_are_up(deployed), "all targets are up")
    verified = deployed.project.run("./observatory", "verify", NAME, *deployed.access)
    assert verified.code == 0, verified
    assert " ok in " in verified.output.splitlines()[-1], verified
    for check in ("a test alert is delivered and resolves", "a trace that is sent is found again"):
        assert f"ok           {check}" in verified.output, verified
    examined = deployed.project.run("./observatory", "doctor", NAME, *deployed.access)
    assert examined.code == 0, examined


def test_services_are_found_by_their_names(deployed: Deployed) -> None:
    namespace = deployed.stack.namespace
    for suffix in ("", f".{namespace}", f".{namespace}.svc", f".{namespace}.svc.cluster.local"):
        assert '"data"' in deployed.inside("alertmanager", "wget", "-qO-", f"http://jaeger{suffix}:16686/api/services")
    elsewhere = ("exec", "-n", "shop", "checkout-0", "--", "wget", "-qO-")
    assert '"data"' in deployed.cluster.kubectl(*elsewhere, f"http://jaeger.{namespace}:16686/api/services")
    deployed.cluster.kubectl(*elsewhere, "http://jaeger:16686/api/services", code=1)


def test_programs_may_do_no_more_than_is_planned(deployed: Deployed) -> None:
    for service in ("alertmanager", "blackbox-exporter", "jaeger", "node-exporter", "prometheus"):
        status = deployed.inside(service, "cat", "/proc/self/status")
        held = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert held["CapEff"] == held["CapBnd"] == "0" * 16, service
        assert (held["NoNewPrivs"], held["Seccomp"]) == ("1", "2"), service
        user, group = next(each.user for each in deployed.stack.plan.services if each.name == service).split(":")
        assert (held["Uid"].split()[0], held["Gid"].split()[0]) == (user, group), service
        deployed.inside(service, "sh", "-c", "echo > /etc/written", code=1)
        with pytest.raises(AssertionError, match="Read-only file system"):
            deployed.inside(service, "sh", "-c", "echo > /tmp/../written")


def test_a_changed_rule_goes_live_in_the_running_pod(deployed: Deployed) -> None:
    def text() -> str:
        groups = deployed.prometheus("/api/v1/rules")["groups"]
        return next(str(rule["query"]) for group in groups for rule in group["rules"] if rule["name"] == "HighCPUUsage")

    before = deployed.pod("prometheus")
    assert "> 0.42" not in text()
    deployed.apply(alerts={"HighCPUUsage": {"threshold": "42%"}})
    until(lambda: "0.42" in text(), "the rule is live", 90)
    after = deployed.pod("prometheus")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert not any(each["restartCount"] for each in after["status"]["containerStatuses"])


def test_replicas_find_each_other_by_the_name_that_they_share(deployed: Deployed) -> None:
    deployed.apply(high_availability={"alertmanager": REPLICAS, "one_host": True})

    def members() -> list[str]:
        return [str(each["value"][1]) for each in deployed.ask("alertmanager_cluster_members")]

    until(lambda: members() == [str(REPLICAS)] * REPLICAS, "each knows all others", 120)


def test_a_killed_program_and_a_removed_pod_come_back_with_their_data(deployed: Deployed, node: Node) -> None:
    def earlier() -> list[dict[str, Any]]:
        return deployed.ask('up{job="alertmanager"}', then)

    def restarts() -> int:
        return sum(each["restartCount"] for each in deployed.pod("prometheus")["status"]["containerStatuses"])

    until(lambda: _targets_are_up(deployed), "all targets are up")
    then = time.time()
    before = deployed.pod("prometheus")["metadata"]["uid"]
    assert earlier()
    node.run("sh", "-c", "kill -9 $(pidof prometheus)")
    until(lambda: restarts() == 1 and is_ready(deployed.pod("prometheus")), "the program runs again")
    assert earlier()
    deployed.cluster.kubectl("delete", "pod", "-n", deployed.stack.namespace, "prometheus-0", "jaeger-0")
    until(lambda: _targets_are_up(deployed), "all targets are up again", 90)
    assert deployed.pod("prometheus")["metadata"]["uid"] != before
    assert earlier()
    claims = deployed.cluster.get("PersistentVolumeClaim", "v1", deployed.stack.namespace)["items"]
    assert {each["status"]["phase"] for each in claims} == {"Bound"}
