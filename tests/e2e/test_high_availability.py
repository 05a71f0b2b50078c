"""Three real Alertmanagers: one dies, one is cut off, all are updated. Every alert arrives, and only once if it can."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from components.services.alertmanager import PEER_TIMEOUT
from tests.e2e.engine import Engine, until
from tests.e2e.project import Project
from tests.e2e.receiver import Receiver
from tests.e2e.replicas import REPLICAS, Cluster, deliveries, numbered, tellers
from tests.e2e.stack import TIMINGS

ALERTS = 200
AFTERWARDS = len(REPLICAS) * PEER_TIMEOUT + 5
"""Seconds within which every replica that is going to send a message has sent it."""


@pytest.fixture(scope="module")
def cluster(project: Project, engine: Engine, run_name: str) -> Iterator[Cluster]:
    """The stack, running; gone afterwards."""
    found = Cluster(project, engine, f"{run_name}-available")
    found.stack.up(what="up from nothing with three Alertmanagers, one after the other")
    yield found
    engine.remove(found.stack.environment)


@pytest.fixture
def receiver(cluster: Cluster) -> Iterator[Receiver]:
    """The webhook; every test has a new one, and three running Alertmanagers that send to it."""
    found = Receiver(cluster.stack.engine.gateway(cluster.stack.environment))
    cluster.listen(found)
    cluster.stack.configure()
    cluster.stack.up()
    cluster.settled()
    yield found
    found.close()


def told(receiver: Receiver, alertname: str, seconds: float = 300) -> dict[str, int]:
    """Wait for all alerts and for what might come after them; how many replicas have told how many."""
    until(lambda: len(tellers(receiver, alertname)) == ALERTS, f"all {ALERTS} alerts arrive", seconds)
    time.sleep(AFTERWARDS)
    found = tellers(receiver, alertname)
    summary = {
        "alerts": len(found),
        "messages": deliveries(receiver, alertname).total(),
        "by one": sum(len(each) == 1 for each in found.values()),
        "by more than one": sum(len(each) > 1 for each in found.values()),
    }
    TIMINGS.append(f"{alertname}: {', '.join(f'{count} {what}' for what, count in summary.items())}")
    return summary


def test_all_of_them_work_as_one_and_verify_says_so(cluster: Cluster, receiver: Receiver) -> None:
    stack = cluster.stack
    stack.await_health()
    stack.no_changes()
    known = stack.get("prometheus", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    assert len(known) == len(REPLICAS)
    stack.targets_up("alertmanager", "prometheus")
    until(
        lambda: [s["value"][1] for s in stack.query("alertmanager_cluster_members")] == ["3"] * 3,
        "three members each, as Prometheus sees them",
        180,
    )
    outcome = stack.project.run("./observatory", "verify", "--timeout", "180", stack.environment)
    assert outcome.code == 0, outcome


def test_with_one_dead_every_alert_of_prometheus_is_told_once(cluster: Cluster, receiver: Receiver) -> None:
    """From the scrape of 200 targets that are down, by Prometheus' rule, past an Alertmanager that is gone."""
    stack = cluster.stack
    stack.container(REPLICAS[1]).kill()
    try:
        down = 'expr: up{service!=""} == 0\n        for: 3m'
        with stack.project.changed("rules/services.yaml", down, down.replace("3m", "2s")):
            targets = [f"127.0.0.1:{port}" for port in range(20001, 20001 + ALERTS)]
            many = {"name": f"many{time.time():.0f}", "team": "web", "discovery": {"static": {"targets": targets}}}
            stack.configure(services=[many])
            stack.up()
            summary = told(receiver, "ServiceDown")
        assert summary == {"alerts": ALERTS, "messages": ALERTS, "by one": ALERTS, "by more than one": 0}
        for name in (REPLICAS[0], REPLICAS[2]):
            until(partial(cluster.counts, name, 2), f"{name} counts two members", 180)
    finally:
        stack.container(REPLICAS[1]).start()
        stack.dirty = True


def test_one_that_is_cut_off_loses_nothing_and_comes_back_to_the_others(cluster: Cluster, receiver: Receiver) -> None:
    """The one cut off still gets alerts and sends them itself: told twice, for it cannot know better. Never less."""
    lost, addresses = REPLICAS[2], {name: cluster.address(name) for name in REPLICAS}
    with cluster.cut_off(lost) as elsewhere:
        there = {lost: elsewhere}
        addresses[lost] = cluster.address(lost, elsewhere)
        until(lambda: cluster.counts(lost, 1, elsewhere), "the one cut off is alone", 180)
        cluster.settled(REPLICAS[:2])
        cluster.silence(REPLICAS[0], "made by those who stayed")
        cluster.silence(lost, "made by the one cut off", elsewhere)
        split = f"Split{time.time():.0f}"  # of a test before that failed they are told already
        alerts = numbered(split, ALERTS, cluster.stack.environment)
        for name in REPLICAS:  # as Prometheus does: to each of them
            cluster.ask(name, "/alerts", alerts, there.get(name, ""))
        summary = told(receiver, split)
        senders = Counter(sender for each in tellers(receiver, split).values() for sender in each)
        TIMINGS.append(f"{split}: {', '.join(f'{senders[addresses[name]]} by {name}' for name in REPLICAS)}")
        assert summary["alerts"] == ALERTS, "alerts are lost"
        assert senders[addresses[lost]] == ALERTS
        assert sum(senders.values()) - ALERTS == ALERTS, "those who stayed have told each of them once, too"

    begin = time.monotonic()
    cluster.settled()
    both = {"made by those who stayed", "made by the one cut off"}
    until(lambda: all(cluster.silences(name) >= both for name in REPLICAS), "both silences are on all", 240)
    TIMINGS.append(f"{time.monotonic() - begin:6.1f} s  until one that was cut off is back and all have all silences")
    assert deliveries(receiver, split).total() == summary["messages"], "healing tells nothing again"


def test_an_update_touches_one_after_the_other_and_forgets_nothing(cluster: Cluster, receiver: Receiver) -> None:
    """An argument is changed, so every container is made anew; each only once the one before it serves."""
    stack = cluster.stack
    cluster.silence(REPLICAS[1], "made before the update")
    until(lambda: all("made before the update" in cluster.silences(name) for name in REPLICAS), "it is on all", 180)
    before = stack.starts()
    with stack.engine.events(stack.environment, "start", "die") as events:
        stack.configure(external_urls={"alertmanager": "https://alerts.example.com"})
        stack.up(what="three Alertmanagers made anew, one after the other")
        until(lambda: len(events) >= 2 * len(REPLICAS), lambda: f"their ends and starts: {events}")
        after = stack.starts()
        assert {name for name in after if after[name] != before[name]} == {*REPLICAS}
        cluster.settled()
    assert events == [(action, name) for name in REPLICAS for action in ("die", "start")]
    until(
        lambda: all("made before the update" in cluster.silences(name) for name in REPLICAS), "it is on all still", 180
    )
    stack.dirty = True
