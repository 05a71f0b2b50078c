"""What `verify` proves of replicas, and how long it waits for one that leaves its turn to others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from components.services.alertmanager import PEER_TIMEOUT
from operations.checks import alertmanager
from operations.checks.alertmanager import replicas_are_one_cluster
from operations.results import Status
from operations.running import Check, CheckFailed, Running, run_check
from operations.verify import planned_checks
from tests.operations import fakes
from tests.support import planned, stack

CONFIG = stack(high_availability={"alertmanager": 3, "one_host": True})
PLAN = planned(CONFIG)
CHECK = "the alertmanagers are one cluster"
REPLICAS = ("alertmanager", "alertmanager-2", "alertmanager-3")


class Cluster:
    """Three Alertmanagers as the first of them and Prometheus tell of them."""

    def __init__(self) -> None:
        self.alertmanager, self.prometheus = fakes.Alertmanager(PLAN), fakes.prometheus(PLAN)
        self.series = {
            "alertmanager_cluster_members": dict.fromkeys(REPLICAS, "3"),
            "alertmanager_config_hash": dict.fromkeys(REPLICAS, "12345"),
        }
        self.prometheus.routes["GET", "/api/v1/query"] = self._query
        self.say("b", "a", "b", "c")

    def say(self, name: str, *peers: str, status: str = "ready") -> None:
        """What the first says of the cluster: its own name in it, and those of all."""
        _, answer = self.alertmanager.answer("GET", "/api/v2/status", None)
        told = {"status": status, "name": name, "peers": [{"name": peer} for peer in peers]}
        self.alertmanager.set("/api/v2/status", {**answer, "cluster": told})

    def _query(self, query: dict[str, str], _body: Any) -> fakes.Answer:
        series = self.series[query["query"].partition("{")[0]]
        assert query["query"].endswith('{job="alertmanager"}')
        return 200, fakes.vector(*(({"instance": f"{name}:9093"}, value) for name, value in series.items()))


@pytest.fixture
def cluster() -> Iterator[tuple[Cluster, Running]]:
    """A healthy one."""
    made = Cluster()
    with fakes.served({"alertmanager": made.alertmanager, "prometheus": made.prometheus}) as endpoints:
        yield made, Running(CONFIG, PLAN, endpoints, patience=0.2)


def test_it_is_asked_of_replicas_only() -> None:
    assert CHECK in {check.name for check in planned_checks(PLAN, CONFIG)}
    alone = stack()
    assert CHECK not in {check.name for check in planned_checks(planned(alone), alone)}


def test_a_healthy_cluster_is_told_with_its_size(cluster: tuple[Cluster, Running]) -> None:
    assert replicas_are_one_cluster(cluster[1]) == "3 members with one configuration"


@pytest.mark.parametrize(
    ("peers", "status", "detail"),
    [
        (("a", "b"), "ready", "alertmanager counts 2 members in its cluster, planned are 3"),
        ((), "disabled", "alertmanager counts 0 members in its cluster, planned are 3"),
        (("a", "b", "c"), "settling", "the cluster is not ready to send messages: settling"),
    ],
)
def test_what_the_first_says_counts(
    cluster: tuple[Cluster, Running], peers: tuple[str, ...], status: str, detail: str
) -> None:
    cluster[0].say("b", *peers, status=status)
    with pytest.raises(CheckFailed) as found:
        replicas_are_one_cluster(cluster[1])
    assert found.value.detail == detail
    assert "port 9094, TCP and UDP" in found.value.remedy


@pytest.mark.parametrize(
    ("metric", "value", "what"),
    [("alertmanager_cluster_members", "2", "members"), ("alertmanager_config_hash", "54321", "configurations")],
)
def test_what_prometheus_sees_of_the_others_counts(
    cluster: tuple[Cluster, Running], metric: str, value: str, what: str
) -> None:
    cluster[0].series[metric]["alertmanager-3"] = value
    with pytest.raises(CheckFailed, match=rf"the replicas have different {what} \(.*alertmanager-3:9093: {value}\)"):
        replicas_are_one_cluster(cluster[1])
    del cluster[0].series[metric]["alertmanager-3"]
    with pytest.raises(CheckFailed, match="Prometheus sees 2 replicas, planned are 3"):
        replicas_are_one_cluster(cluster[1])


def test_the_test_alert_may_take_as_long_as_others_are_waited_for(
    cluster: tuple[Cluster, Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on one replica alone, which leaves a turn to every one before it: here one, of longer than this takes."""
    made, running = cluster
    monkeypatch.setattr(alertmanager, "PEER_TIMEOUT", 120)
    begin = time.monotonic()
    sent = made.alertmanager.metrics

    def late() -> str:
        if time.monotonic() < begin + 0.8:
            made.alertmanager.sent = 0
        elif made.alertmanager.alerts:
            made.alertmanager.sent = 2
        return sent()

    made.alertmanager.routes["GET", "/metrics"] = lambda _query, _body: (200, late())
    check = Check("alert", alertmanager.test_alert_delivered, patient=False)
    assert run_check(check, running).status is Status.OK
    assert time.monotonic() - begin > running.patience


@pytest.mark.parametrize(("name", "seconds"), [("a", 0), ("b", PEER_TIMEOUT), ("c", 2 * PEER_TIMEOUT)])
def test_the_turn_goes_by_the_names_in_the_cluster(cluster: tuple[Cluster, Running], name: str, seconds: int) -> None:
    cluster[0].say(name, "c", "a", "b")
    assert alertmanager._turn(cluster[1].endpoint("alertmanager")) == seconds


def test_one_that_is_in_no_cluster_waits_for_nobody(cluster: tuple[Cluster, Running]) -> None:
    cluster[0].alertmanager.set("/api/v2/status", {"cluster": {"status": "disabled", "peers": []}})
    assert alertmanager._turn(cluster[1].endpoint("alertmanager")) == 0
