"""Containers and pods become the same facts, from what the engine and the cluster really answer."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from components.platforms.errors import DeploymentError
from operations.doctor.cluster_view import cluster_view, program_of
from operations.doctor.engine_view import engine_view, log_lines, seconds_of
from operations.errors import CommandError
from tests.operations.doctor.healthy import CONFIG, PLAN

SPEC: dict[str, Any] = {"name": "prometheus", "resources": {"limits": {"memory": "1Gi"}}}


def pod(**status: Any) -> dict[str, Any]:
    """A pod with one container in this state."""
    return {"metadata": {"name": "p-0", "namespace": "n"}, "spec": {"containers": [SPEC]}, "status": status}


def container(**more: Any) -> dict[str, Any]:
    """A pod with the status of its container."""
    return pod(containerStatuses=[{"name": "prometheus", "restartCount": 0, **more}])


def test_times_of_both_platforms() -> None:
    at = datetime(2026, 11, 21, 22, 25, 3, 850671, tzinfo=UTC).timestamp()
    assert seconds_of("2026-11-21T22:25:03.850671845Z") == pytest.approx(at, abs=1e-5)
    assert seconds_of("2026-11-21T23:25:03.850671+01:00") == pytest.approx(at, abs=1e-5)
    assert seconds_of("2026-11-21T22:25:03Z") == pytest.approx(at, abs=1)
    assert seconds_of("0001-01-01T00:00:00Z") == seconds_of("") == 0.0


def test_lines_of_a_log_have_their_time() -> None:
    first, second = log_lines("2026-11-21T22:25:03.8Z level=INFO a b\n2026-11-21T22:25:04Z c\n\n")
    assert (first.text, second.text) == ("level=INFO a b", "c")
    assert second.at - first.at == pytest.approx(0.2)


def test_a_pod_that_runs() -> None:
    found = program_of(container(ready=True, state={"running": {"startedAt": "2026-11-21T22:25:03Z"}}), SPEC)
    assert (found.state, found.failing_probes, found.memory_limit) == ("running", 0, 2**30)
    assert found.started == seconds_of("2026-11-21T22:25:03Z")


def test_a_pod_that_is_not_ready() -> None:
    found = program_of(container(ready=False, state={"running": {"startedAt": "2026-11-21T22:25:03Z"}}), SPEC)
    assert found.failing_probes > 1


def test_a_pod_that_the_kernel_ends_again_and_again() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}
    last = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    found = program_of(container(ready=False, restartCount=7, state=waiting, lastState=last), SPEC)
    assert (found.state, found.out_of_memory, found.restarts, found.exit_code) == ("waiting", True, 7, 137)
    assert found.error == "CrashLoopBackOff: back-off 5m0s"


def test_a_pod_without_a_node() -> None:
    conditions = [
        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: insufficient memory."}
    ]
    found = program_of(pod(phase="Pending", conditions=conditions), SPEC)
    assert (found.state, found.error) == ("waiting", "0/3 nodes are available: insufficient memory.")


class FakeCluster:
    """Answers as kubectl does."""

    namespaces = ("n",)

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = pods

    def ask(self, *words: str) -> str:
        """The pods, or a log."""
        if words[0] == "logs":
            if "gone" in words:
                raise CommandError("no log")
            return "2026-11-21T22:25:03Z the end\n"
        return json.dumps({"items": list(self.pods)})


def test_the_worst_of_several_pods_counts_and_none_is_missing() -> None:
    good = container(ready=True, state={"running": {"startedAt": "2026-11-21T22:25:03Z"}})
    bad = container(ready=False, state={"running": {"startedAt": "2026-11-21T22:25:03Z"}})
    with ThreadPoolExecutor(2) as pool:
        found = cluster_view(FakeCluster(good, bad), PLAN, pool)  # type: ignore[arg-type]
    assert found["prometheus"].failing_probes == 3
    assert found["prometheus"].log[0].text == "the end"
    assert found["alertmanager"].state == "missing"


def test_an_operator_calls_the_containers_of_all_replicas_the_same() -> None:
    second = replace(PLAN.services[-1], name="prometheus-2", replica_of="prometheus")
    plan = replace(PLAN, services=(second,))
    good = container(ready=True, state={"running": {"startedAt": "2026-11-21T22:25:03Z"}})
    with ThreadPoolExecutor(2) as pool:
        assert cluster_view(FakeCluster(good), plan, pool, operated=True)["prometheus-2"].state == "running"  # type: ignore[arg-type]
        assert cluster_view(FakeCluster(good), plan, pool)["prometheus-2"].state == "missing"  # type: ignore[arg-type]


def test_an_engine_that_does_not_answer() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(DeploymentError, match="does not answer"):
        engine_view("tcp://127.0.0.1:1", PLAN, pool)
    assert CONFIG.docker.host is None
