"""Copies in a cluster: made by each pod, restored after a loss, proven by a drill, and what stands in their way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.engine import until
from tests.e2e.kubernetes.deployed import NAME, Deployed, is_ready
from tests.e2e.kubernetes.node import Node
from tests.e2e.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.e2e.stack import TIMINGS

OWNERS = ("alertmanager", "prometheus")
VOLUMES = [f"{owner}-data" for owner in OWNERS]


@pytest.fixture(scope="module")
def s3(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Where pods reach it."""
    found = S3Server(tmp_path_factory.mktemp("s3"), node.gateway)
    found.start()
    found.make_bucket("copies")
    yield found
    found.stop()


@pytest.fixture(scope="module")
def copied(deployed: Deployed, s3: S3Server) -> Deployed:
    """The stack once it makes copies, with the first ones made by themselves, and a silence."""
    deployed.secrets |= {"backupPassword": "of the copies", "s3AccessKey": ACCESS_KEY, "s3SecretKey": SECRET_KEY}
    keys = {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}}
    place = {"name": "copies", "region": "us-east-1", "endpoint": s3.endpoint, "path_style": True, "prefix": "acme"}
    deployed.values["backup"] = {
        "to": {"bucket": {**place, "credentials": keys}},
        "password": {"secret": "backupPassword"},
        "include": ["prometheus", "alertmanager"],
    }
    deployed.apply()
    for owner in OWNERS:
        until(lambda owner=owner: is_copied(deployed, owner), f"{owner} has its backup", 120)  # type: ignore[misc]
    amtool(deployed, "silence", "add", "--author=tests", "--comment=kept", "alertname=Nothing")
    return deployed


def is_copied(deployed: Deployed, owner: str) -> bool:
    """Whether the pod with the new program is ready."""
    pod = running(deployed, owner)
    names = {each["name"] for each in pod["spec"]["containers"]} if pod else set()
    return pod is not None and f"backup-{owner}" in names and is_ready(pod)


def running(deployed: Deployed, owner: str) -> dict[str, Any] | None:
    """Its pod; None between two of them."""
    try:
        return deployed.pod(owner)
    except ValueError:
        return None


def amtool(deployed: Deployed, *words: str) -> str:
    """Ask Alertmanager from inside of its pod."""
    service = deployed.stack.plan.service("alertmanager")
    assert service
    assert service.probe
    login = [word for word in service.probe.command if word.startswith(("--alertmanager.url=", "--http.config.file="))]
    return deployed.inside("alertmanager", "amtool", *login, *words)


def silences(deployed: Deployed) -> list[dict[str, Any]]:
    """Those in force, with their ids and times."""
    found = json.loads(amtool(deployed, "--output=json", "silence", "query"))
    return sorted(found, key=lambda each: str(each["id"]))


def samples(deployed: Deployed, at: float) -> dict[str, Any]:
    """Every sample of two minutes up to a time."""
    found = deployed.ask('{__name__=~"up|scrape_.*|prometheus_.*"}[2m]', at)
    return {json.dumps(each["metric"], sort_keys=True): each["values"] for each in found}


def copies(deployed: Deployed) -> list[dict[str, Any]]:
    """Those that are listed, oldest first."""
    outcome = deployed.observatory("backups", "--json")
    return list(json.loads(outcome.output)) if outcome.code == 0 else []


def lose_claim(deployed: Deployed, owner: str) -> None:
    """A program with all of its data, as with its cluster; then the same deployment again."""
    namespace = deployed.stack.namespace
    deployed.cluster.kubectl("delete", "-n", namespace, f"statefulset/{owner}", f"pvc/{owner}-data")
    until(lambda: running(deployed, owner) is None, f"{owner} is gone", 90)
    deployed.apply()
    until(lambda: (pod := running(deployed, owner)) and is_ready(pod), f"{owner} serves again", 120)


def lose(deployed: Deployed, owner: str) -> None:
    """All files of a program, and the program with them."""
    words = f"find /data/{owner}-data -mindepth 1 -maxdepth 1 ! -name .backup -exec rm -rf {{}} +"
    deployed.inside(owner, "sh", "-c", words, container=f"backup-{owner}")
    deployed.cluster.kubectl("delete", "pod", "-n", deployed.stack.namespace, f"{owner}-0", "--grace-period=1")
    until(lambda: (pod := running(deployed, owner)) and is_ready(pod), f"{owner} serves again", 90)


def test_each_pod_makes_its_first_copy_by_itself_and_tells_of_it(copied: Deployed, s3: S3Server) -> None:
    until(lambda: sorted({each["volumes"][0] for each in copies(copied)}) == VOLUMES, "a copy of each", 90)
    assert {each["kind"] for each in copies(copied)} == {"scheduled"}
    assert sorted(s3.listed(f"copies/acme/observatory-{NAME}")) == ["alertmanager", "prometheus"]

    def told() -> list[str]:
        return sorted(each["metric"]["backup"] for each in copied.ask("backup_last_run_success == 1"))

    until(lambda: told() == [*OWNERS], "the metrics of each")


def test_what_is_lost_comes_back_to_the_sample(copied: Deployed) -> None:
    until(lambda: sum(map(len, samples(copied, time.time()).values())) > 1000, "some samples")
    made = copied.observatory("backup", "--json")
    assert made.code == 0, made
    at = time.time() - 15
    before, quiet = samples(copied, at), silences(copied)
    assert len(quiet) == 1
    made = copied.observatory("backup")
    assert made.code == 0, made
    lose(copied, "prometheus")
    amtool(copied, "silence", "expire", quiet[0]["id"])
    until(lambda: copied.ask("up"), "Prometheus answers")
    assert not samples(copied, at)
    assert not silences(copied)

    refused = copied.observatory("restore")
    assert refused.code == 1, refused
    assert "has data, and it would be lost" in refused.output
    assert not samples(copied, at)
    start = time.monotonic()
    restored = copied.observatory("restore", "--replace")
    assert restored.code == 0, restored
    TIMINGS.append(f"{time.monotonic() - start:8.2f} s  restore of Prometheus and Alertmanager in a cluster")
    after = samples(copied, at)
    lost = sum(len(values) for key, values in before.items() if after.get(key) != values)
    TIMINGS.append(f"{lost:8} of {sum(map(len, before.values()))} samples are lost after a restore in a cluster")
    assert after == before
    assert silences(copied) == quiet


def test_a_new_cluster_leaves_the_copies_from_before_as_they_are_and_gets_their_data(copied: Deployed) -> None:
    """The first copy of an empty stack would be the newest, and the one to be restored."""
    assert copied.observatory("backup").code == 0
    at = time.time() - 15
    before, there = samples(copied, at), [each["id"] for each in copies(copied)]
    assert before
    lose_claim(copied, "prometheus")
    until(lambda: copied.ask("up"), "Prometheus answers")
    pod = f"--namespace={copied.stack.namespace}", "prometheus-0", "--container=backup-prometheus"
    until(lambda: "there are copies from before" in copied.cluster.kubectl("logs", *pod), "it has found them", 60)
    assert [each["id"] for each in copies(copied)] == there
    assert not samples(copied, at)
    restored = copied.observatory("restore", "--replace")
    assert restored.code == 0, restored
    assert samples(copied, at) == before


def test_a_drill_compares_and_leaves_nothing(copied: Deployed) -> None:
    assert copied.observatory("backup").code == 0
    passed = copied.observatory("restore", "--drill")
    assert passed.code == 0, passed
    assert "every sample, 5 min" in passed.output, passed
    assert "silences" in passed.output, passed
    assert "DIFFERENT" not in passed.output, passed
    until(lambda: len(copied.ask("backup_last_drill_success_timestamp_seconds > 0")) == len(OWNERS), "it is told")
    assert "drill" not in copied.cluster.kubectl("get", "namespaces")


def test_a_drill_that_is_interrupted_leaves_nothing(copied: Deployed) -> None:
    run = copied.project.start("./observatory", "restore", NAME, "--drill")
    until(lambda: "drill" in copied.cluster.kubectl("get", "namespaces"), "the second stack is on its way", 90)
    run.interrupt()
    outcome = run.wait(120)
    assert outcome.code == 130, outcome
    assert "drill" not in copied.cluster.kubectl("get", "namespaces")


def test_what_cannot_be_done_touches_nothing(copied: Deployed, s3: S3Server) -> None:
    uids = [copied.pod(owner)["metadata"]["uid"] for owner in OWNERS]
    held = len(copies(copied))
    for words, message in (
        (("restore", "--replace", "--snapshot", "ffffffff"), "no one copy has the id ffffffff"),
        (("restore", "/mnt/copies"), "[FROM] is for stacks on Docker"),
        (("restore", "--into", "dev"), "--into is for stacks on Docker"),
    ):
        outcome = copied.observatory(*words)
        assert outcome.code in (1, 2), outcome
        assert message in outcome.output, outcome
    s3.stop()
    try:
        for command in (("backup",), ("restore", "--replace")):
            outcome = copied.observatory(*command)
            assert outcome.code == 1, outcome
            assert "error: " in outcome.output, outcome
    finally:
        s3.start()
    until(lambda: len(copies(copied)) == held, "the same copies are there")
    assert [copied.pod(owner)["metadata"]["uid"] for owner in OWNERS] == uids
    assert ".restored" not in copied.inside("prometheus", "sh", "-c", "ls -a /prometheus")
