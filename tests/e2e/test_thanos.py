"""History in a bucket: real Prometheus, Thanos and an S3 server; every sample is counted, whatever fails on the way.

One story over one stack, so the tests stand in their order: a local stack with history gets a bucket, loses its disk,
and has its store gateway restarted under queries.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.engine import Engine, free_ports, until
from tests.e2e.history import History, Samples, move_in, samples
from tests.e2e.project import Project
from tests.e2e.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.e2e.stack import TIMINGS, Stack

HOUR, DAY = 3600, 86400
DAYS = 20
IMPATIENT = '"--delete-delay=0s", "--consistency-delay=0s", "--wait-interval=5s", "--compact.cleanup-interval=5s"'
"""In place of two days and half an hour, for blocks that were made a moment ago."""
QUERIES = ("sum(sum_over_time(e2e_history[1d]))", "count(e2e_history)", "max(delta(e2e_history[1h]))")


@dataclass
class Story:
    """The stack, its server, what was there before, and the count of what went wrong on purpose."""

    stack: Stack
    server: S3Server
    folder: Path
    history: History
    before: dict[str, Any] = field(default_factory=dict)
    faults: int = 0
    lost: int = 0

    def asked(self, product: str) -> dict[str, Any]:
        """The answers to the same queries, at the same times."""
        found = {}
        for query in QUERIES:
            for day in range(1, DAYS):
                at = self.history.start + day * DAY
                answer = self.stack.get(product, "/api/v1/query", query=query, time=at, max_source_resolution="0s")
                assert not answer.get("warnings"), answer["warnings"]
                found[f"{query} {day}"] = [each["value"] for each in answer["data"]["result"]]
        return found

    def compare(self) -> None:
        """Every sample of the history once and right, by Thanos, and the same answers as before."""
        wanted = self.history.expected()
        found = samples(self.stack, "thanos", self.history.name, self.history.start, self.history.end)
        self.lost += missing(wanted, found)
        assert found == wanted, f"{missing(wanted, found)} samples missing"
        assert self.asked("thanos") == self.before

    def metric(self, component: str, name: str, **labels: str) -> float:
        """The sum of a metric as the component itself says it."""
        program = self.stack.container(component)
        output = program.exec_run(["wget", "-qO-", "http://localhost:10902/metrics"]).output
        assert isinstance(output, bytes)
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = [line for line in output.decode().splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(each in line for each in wanted))

    def metas(self) -> list[dict[str, Any]]:
        """The description of each block in the bucket that is not marked for deletion."""
        found = []
        for block in self.server.listed("metrics"):
            names = self.server.listed(f"metrics/{block}")
            if "meta.json" in names and "deletion-mark.json" not in names:
                found.append(json.loads(self.server.content(f"metrics/{block}/meta.json")))
        return found

    def store_knows(self, at: float) -> None:
        """Wait until the store gateway has found the blocks of a time: it looks when it starts."""
        self.stack.container("thanos-store").restart(timeout=10)

        def known() -> bool:
            with suppress(httpx.TransportError, AssertionError):
                stores = self.stack.get("thanos", "/api/v1/stores")["data"].get("store") or []
                return any(not each["lastError"] and each["minTime"] <= at * 1000 for each in stores)
            return False

        until(known, "the store gateway knows the history", 120)
        until(lambda: whole(self.stack), "the querier reaches every store again", 120)


def missing(wanted: Samples, found: Samples) -> int:
    """Samples that should be there and are not."""
    return sum(len({*values} - {*found.get(name, ())}) for name, values in wanted.items())


@pytest.fixture(scope="module")
def story(project: Project, engine: Engine, run_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A local stack with twenty days of history, not deployed yet."""
    folder = tmp_path_factory.mktemp("thanos")
    gateway = engine.client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    server = S3Server(folder / "s3", gateway)
    environment, (port,) = f"{run_name}-thanos", free_ports(1)
    end = int(time.time()) // (2 * HOUR) * 2 * HOUR - 6 * HOUR
    with ExitStack() as at_end:
        at_end.callback(engine.remove, environment)
        at_end.callback(server.stop)
        at_end.enter_context(project.changed("components/services/thanos.py", '"--delete-delay=48h"', IMPATIENT))
        server.start()
        server.make_bucket("metrics")
        changes = {"tracing__backend": "none", "exporters__blackbox": False, "probes": []}
        stack = Stack(project, engine, environment, **changes, ports__thanos=port, retention__time="60d")
        stack.ports["thanos"] = port
        stack.configure()
        stack.set_secret("s3AccessKey", ACCESS_KEY)
        stack.set_secret("s3SecretKey", SECRET_KEY)
        yield Story(stack, server, folder, History("e2e_history", end - DAYS * DAY, end))


def storage(story: Story, **more: Any) -> dict[str, Any]:
    """The bucket of the tests, as a stack file names it."""
    keys = {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}}
    bucket = {"name": "metrics", "region": "us-east-1", "endpoint": story.server.endpoint, "path_style": True}
    return {"backend": "s3", "bucket": {**bucket, "credentials": keys, "encryption": "none"}, **more}


def test_a_local_stack_has_history(story: Story) -> None:
    """Blocks of two hours are moved in, and Prometheus merges some of them as it always does."""
    stack = story.stack
    stack.up(what="a local stack, to be given a bucket")
    prometheus = stack.container("prometheus")
    prometheus.stop(timeout=30)
    assert move_in(prometheus, story.history.blocks(story.folder / "history")) == DAYS * 12
    prometheus.start()
    until(lambda: ready(stack), "Prometheus is ready")
    merged = "prometheus_tsdb_compactions_total"
    until(lambda: any(float(each["value"][1]) > 3 for each in stack.query(merged)), "Prometheus merges blocks", 150)
    found = samples(stack, "prometheus", "e2e_history", story.history.start, story.history.end)
    assert found == story.history.expected()
    story.before = story.asked("prometheus")


def ready(stack: Stack) -> bool:
    """Whether Prometheus answers."""
    with suppress(httpx.TransportError, AssertionError):
        return bool(stack.text("prometheus", "/-/ready"))
    return False


def test_switching_to_a_bucket_keeps_the_history(story: Story) -> None:
    """Everything is uploaded, merged or not, and the same queries have the same answers."""
    stack = story.stack
    stack.configure(storage=storage(story))
    stack.up(what="from local storage to a bucket")
    started = time.monotonic()

    def uploaded() -> bool:
        found = story.metas()
        covered: int = sum(meta["stats"]["numSamples"] for meta in found if meta["minTime"] < story.history.end * 1000)
        return covered >= DAYS * 1440 * story.history.series

    until(uploaded, "all blocks are in the bucket", 240)
    TIMINGS.append(f"{time.monotonic() - started:6.1f} s  until {DAYS} days of history are in the bucket")
    levels = {meta["compaction"]["level"] for meta in story.metas()}
    assert max(levels) > 1, "blocks that Prometheus had merged before"
    story.store_knows(story.history.start + DAY)
    story.compare()
    stack.no_changes()


def wipe(story: Story) -> int:
    """Lose the blocks on Prometheus' disk, not what is in memory and its log; how many."""
    prometheus, sidecar = story.stack.container("prometheus"), story.stack.container("thanos-sidecar")
    sidecar.stop(timeout=10)
    found = prometheus.exec_run(["/bin/busybox", "sh", "-c", "ls -d /prometheus/01* | wc -l"])
    assert isinstance(found.output, bytes)
    prometheus.exec_run(["/bin/busybox", "sh", "-c", "/bin/busybox rm -rf /prometheus/01*"])
    prometheus.restart(timeout=30)
    until(lambda: ready(story.stack), "Prometheus is ready")
    sidecar.start()
    until(lambda: whole(story.stack), "the querier reaches every store again", 120)
    return int(found.output)


def whole(stack: Stack) -> bool:
    """Whether a query over everything is answered by every store."""
    with suppress(httpx.TransportError, AssertionError):
        answer = stack.get("thanos", "/api/v1/query", query=f"count(count_over_time(up[{DAYS}d]))")
        return not answer.get("warnings")
    return False


def test_the_local_disk_is_lost(story: Story) -> None:
    """What was uploaded is answered from the bucket, to the sample."""
    assert wipe(story) > 0
    story.faults += 1
    local = story.stack.query("count_over_time(e2e_history[1d])", at=story.history.start + DAY)
    assert local == [], "Prometheus itself has nothing left of it"
    story.compare()


def test_the_store_gateway_is_restarted_under_queries(story: Story) -> None:
    """A query meanwhile fails, or says that it lacks something; it never passes off less as everything."""
    stack, stop = story.stack, threading.Event()
    right, partial, failed, wrong = [0], [0], [0], [0]
    wanted = DAYS * 1440 * story.history.series
    query = f"sum(count_over_time(e2e_history[{DAYS}d]))"

    def ask() -> None:
        while not stop.is_set():
            try:
                at = story.history.end - 0.001
                answer = stack.get("thanos", "/api/v1/query", query=query, time=at, max_source_resolution="0s")
            except (httpx.TransportError, AssertionError):
                failed[0] += 1
                continue
            found = [float(each["value"][1]) for each in answer["data"]["result"]]
            if answer.get("warnings"):
                partial[0] += 1
            elif found == [wanted]:
                right[0] += 1
            else:
                wrong[0] += 1

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for each in asking:
        each.start()
    try:
        for _ in range(3):
            time.sleep(3)
            stack.container("thanos-store").restart(timeout=5)
            story.faults += 1
        time.sleep(5)
    finally:
        stop.set()
        for each in asking:
            each.join()
    counts = f"{right[0]} right, {partial[0]} with a warning, {failed[0]} failed, {wrong[0]} wrong"
    TIMINGS.append(f"         queries while the store gateway was restarted three times: {counts}")
    assert wrong == [0], counts
    assert right[0] > 0, counts
    until(lambda: whole(stack), "the querier reaches every store again", 120)
    story.compare()


def test_nothing_was_lost(story: Story) -> None:
    """The sum of it all."""
    TIMINGS.append(f"         faults on purpose: {story.faults}; samples lost: {story.lost}")
    assert story.lost == 0
    assert story.faults == 4
