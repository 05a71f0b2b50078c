"""History in a bucket: real Prometheus, Thanos and an S3 server; every sample is counted, whatever fails on the way.

One story over one stack, so the tests stand in their order: a local stack with history gets a bucket, loses its disk,
its store gateway, its compactor and its S3 server, and in the end what is too old.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.engine import Engine, free_ports, until
from tests.e2e.history import History, Samples, move_in, samples
from tests.e2e.lengths import Lengths
from tests.e2e.project import Project
from tests.e2e.s3 import ACCESS_KEY, NEXT_ACCESS_KEY, NEXT_SECRET_KEY, SECRET_KEY, S3Server
from tests.e2e.stack import TIMINGS, Stack

HOUR, DAY = 3600, 86400
DAYS = 20
DELAY = '"--delete-delay=48h"'
IMPATIENT = f'{DELAY}, "--consistency-delay=0s", "--wait-interval=5s", "--compact.cleanup-interval=5s"'
"""In place of half an hour and five minutes, for blocks that were made a moment ago."""
SLOW = {"thanos-compact": {"cpus": 0.2}}
"""So slow that it can be killed at work."""
UPLOADED_NOTHING = """increase(thanos_shipper_dir_syncs_total{job="thanos-sidecar"}[15m]) == 0
          unless increase(thanos_shipper_uploads_total{job="thanos-sidecar"}[15m]) > 0"""
"""What fires ThanosUploadFailing."""
DOWNSAMPLED = 40 * HOUR
"""Length of blocks of which the compactor makes coarser ones."""
QUERIES = ("sum(sum_over_time(e2e_history[1d]))", "count(e2e_history)", "max(delta(e2e_history[1h]))")


@dataclass
class Story:
    """The stack, its server, what was there before, and the count of what went wrong on purpose."""

    stack: Stack
    server: S3Server
    folder: Path
    history: History
    before: dict[str, Any] = field(default_factory=dict)
    moved_in: dict[str, int] = field(default_factory=dict)
    """Blocks of each history that is on Prometheus' disk."""
    wiped: int = 0
    """Blocks that were lost there."""
    faults: int = 0
    lost: int = 0

    def move_in(self, history: History) -> int:
        """Have blocks on Prometheus' disk; how many. A test that is tried once more finds them there."""
        if history.name not in self.moved_in:
            blocks, prometheus = history.blocks(self.folder / history.name), self.stack.container("prometheus")
            prometheus.stop(timeout=30)
            try:
                self.moved_in[history.name] = move_in(prometheus, blocks)
            finally:
                prometheus.start()
        until(lambda: ready(self.stack), "Prometheus is ready", 240)
        return self.moved_in[history.name]

    @contextmanager
    def without_server(self) -> Iterator[None]:
        """The S3 server is away meanwhile."""
        self.server.stop()
        self.faults += 1
        try:
            yield
        finally:
            self.server.start()

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

    def metas(self, marked: bool = False) -> list[dict[str, Any]]:
        """The description of each block in the bucket, of those that are marked for deletion only on demand."""
        found = []
        for block in self.server.listed("metrics"):
            names = self.server.listed(f"metrics/{block}")
            if "meta.json" in names and (marked or "deletion-mark.json" not in names):
                with suppress(httpx.HTTPStatusError):  # gone since it was listed
                    found.append(json.loads(self.server.content(f"metrics/{block}/meta.json")))
        return found

    def uploaded(self) -> list[dict[str, Any]]:
        """The same of what the sidecar has uploaded: what the compactor made of it would count a second time."""
        return [meta for meta in self.metas(marked=True) if meta["thanos"]["source"] == "sidecar"]

    def store_knows(self, start: float, end: float) -> None:
        """Wait until the store gateway has found the blocks of a time, as it does when it starts.

        And until the querier knows: it asks no store for a time that the store has not said to have.
        """
        last = end - self.history.step
        self.stack.container("thanos-store").restart(timeout=10)

        def known() -> bool:
            with suppress(httpx.TransportError, AssertionError):
                found = stores(self.stack, "store")
                return any(each["minTime"] <= start * 1000 and each["maxTime"] >= last * 1000 for each in found)
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
    gateway = engine.gateway()
    server = S3Server(folder / "s3", gateway)
    environment, (port,) = f"{run_name}-thanos", free_ports(1)
    end = int(time.time()) // (2 * HOUR) * 2 * HOUR - 6 * HOUR
    with ExitStack() as at_end:
        at_end.callback(engine.remove, environment)
        at_end.callback(server.stop)
        at_end.enter_context(project.changed("components/services/thanos.py", DELAY, IMPATIENT))
        server.start()
        server.make_bucket("metrics")
        changes = {"tracing__backend": "none", "exporters__blackbox": False, "probes": []}
        stack = Stack(project, engine, environment, **changes, ports__thanos=port, retention__time="60d")
        stack.ports["thanos"] = port
        stack.configure()
        stack.set_secret("s3AccessKey", ACCESS_KEY)
        stack.set_secret("s3SecretKey", SECRET_KEY)
        yield Story(stack, server, folder, History("e2e_history", end - DAYS * DAY, end, step=120))


def test_a_local_stack_has_history(story: Story) -> None:
    """Blocks of two hours are moved in, and Prometheus merges some of them as it always does."""
    stack = story.stack
    stack.up(what="a local stack, to be given a bucket")
    assert story.move_in(story.history) == DAYS * 12
    merged = "prometheus_tsdb_compactions_total"
    until(lambda: any(float(each["value"][1]) > 3 for each in stack.query(merged)), "Prometheus merges blocks", 240)
    found = samples(stack, "prometheus", "e2e_history", story.history.start, story.history.end)
    assert found == story.history.expected(), "samples are lost"
    story.before = story.asked("prometheus")


def ready(stack: Stack) -> bool:
    """Whether Prometheus answers."""
    with suppress(httpx.TransportError, AssertionError):
        return bool(stack.text("prometheus", "/-/ready"))
    return False


def test_switching_to_a_bucket_keeps_the_history(story: Story) -> None:
    """Everything is uploaded, merged or not, and the same queries have the same answers."""
    stack = story.stack
    stack.configure(storage=story.server.storage(), resources=SLOW)
    stack.up(what="from local storage to a bucket")
    stack.container("thanos-compact").stop(timeout=10)  # until it is to be killed at work
    started = time.monotonic()

    def uploaded() -> bool:
        found = story.uploaded()
        covered: int = sum(meta["stats"]["numSamples"] for meta in found if meta["minTime"] < story.history.end * 1000)
        return covered >= story.history.count

    until(uploaded, "all blocks are in the bucket", 240)
    TIMINGS.append(f"{time.monotonic() - started:6.1f} s  until {DAYS} days of history are in the bucket")
    levels = {meta["compaction"]["level"] for meta in story.uploaded()}
    assert max(levels) > 1, "blocks that Prometheus had merged before"
    story.store_knows(story.history.start, story.history.end)
    story.compare()
    stack.no_changes()


def wipe(story: Story) -> None:
    """Lose the blocks on Prometheus' disk, not what is in memory and its log."""
    prometheus, sidecar = story.stack.container("prometheus"), story.stack.container("thanos-sidecar")
    sidecar.stop(timeout=10)
    try:
        found = prometheus.exec_run(["/bin/busybox", "sh", "-c", "ls -d /prometheus/01* | wc -l"])
        assert isinstance(found.output, bytes)
        prometheus.exec_run(["/bin/busybox", "sh", "-c", "/bin/busybox rm -rf /prometheus/01*"])
        story.wiped += int(found.output)
        prometheus.restart(timeout=30)
        until(lambda: ready(story.stack), "Prometheus is ready", 240)
    finally:
        sidecar.start()
    until(lambda: whole(story.stack), "the querier reaches every store again", 240)


def whole(stack: Stack) -> bool:
    """Whether a query over everything is answered by every store."""
    with suppress(httpx.TransportError, AssertionError):
        answer = stack.get("thanos", "/api/v1/query", query=f"count(count_over_time(up[{DAYS}d]))")
        return not answer.get("warnings")
    return False


def test_the_local_disk_is_lost(story: Story) -> None:
    """What was uploaded is answered from the bucket, to the sample."""
    wipe(story)
    story.faults += 1
    assert story.wiped > 0
    local = story.stack.query("count_over_time(e2e_history[1d])", at=story.history.start + DAY)
    assert local == [], "Prometheus itself has nothing left of it"
    story.compare()


def test_the_store_gateway_is_restarted_under_queries(story: Story) -> None:
    """A query meanwhile fails, or says that it lacks something; it never passes off less as everything."""
    stack, stop = story.stack, threading.Event()
    right, lacking, failed, wrong = [0], [0], [0], [0]
    wanted = story.history.count
    query = f"sum(count_over_time(e2e_history[{DAYS}d]))"

    def ask() -> None:
        while not stop.is_set():
            try:
                at = story.history.end - 0.001
                answer = stack.get(
                    "thanos", "/api/v1/query", patience=0, query=query, time=at, max_source_resolution="0s"
                )
            except (httpx.TransportError, AssertionError):
                failed[0] += 1
                continue
            found = [float(each["value"][1]) for each in answer["data"]["result"]]
            if answer.get("warnings"):
                lacking[0] += 1
            elif found == [wanted]:
                right[0] += 1
            else:
                wrong[0] += 1

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for each in asking:
        each.start()
    try:
        until(lambda: right[0] > 0, "the first right answer", 120)
        for _ in range(3):
            time.sleep(3)
            stack.container("thanos-store").restart(timeout=5)
            story.faults += 1
        time.sleep(5)
    finally:
        stop.set()
        for each in asking:
            each.join()
    counts = f"{right[0]} right, {lacking[0]} with a warning, {failed[0]} failed, {wrong[0]} wrong"
    TIMINGS.append(f"         queries while the store gateway was restarted three times: {counts}")
    assert wrong == [0], counts
    assert right[0] > 0, counts
    until(lambda: whole(stack), "the querier reaches every store again", 120)
    story.compare()


def test_the_compactor_is_killed_at_work(story: Story, lengths: Lengths) -> None:
    """It merges and downsamples in the end, whenever it is ended; nothing is there twice, and nothing is missing."""
    compactor, at_work = story.stack.container("thanos-compact"), 0
    # Later in its work each time: while it reads the bucket, merges, uploads, downsamples.
    try:
        for start in range(lengths.compactor_starts):
            done = compactor.logs().count(DONE)
            compactor.start()
            time.sleep(0.5 + start / 3)
            compactor.kill()
            story.faults += 1
            at_work += compactor.logs().count(DONE) == done
    finally:
        compactor.start()
    assert at_work > 0, "it was done before it was killed"
    until(lambda: compacted(story), "blocks are merged and downsampled", 300)
    assert story.metric("thanos-compact", "thanos_compact_halted") == 0
    resolutions = {meta["thanos"]["downsample"]["resolution"] for meta in story.metas()}
    assert {0, 300_000} <= resolutions
    TIMINGS.append(
        f"         compactor killed at work {at_work} times; resolutions in the bucket: {sorted(resolutions)}"
    )
    story.store_knows(story.history.start, story.history.end)
    story.compare()


DONE = b"downsampling iterations done"


def compacted(story: Story) -> bool:
    """Whether all of the old history is in long blocks, and some of it in a coarser resolution."""
    found = [meta for meta in story.metas() if meta["maxTime"] <= (story.history.end - 4 * DAY) * 1000]
    short = [meta for meta in found if meta["maxTime"] - meta["minTime"] <= 2 * HOUR * 1000]
    return not short and any(meta["thanos"]["downsample"]["resolution"] for meta in found)


def test_the_s3_server_is_away(story: Story, lengths: Lengths) -> None:
    """New blocks wait on the disk, the alert speaks, and afterwards they are uploaded: none is lost."""
    stack, server = story.stack, story.server
    patience = 1500 if lengths.real_alerts else 150
    if not lengths.real_alerts:  # the alert as it is, but for its quarter of an hour; the sidecar looks every 30 s
        with stack.project.changed("rules/thanos.yaml", UPLOADED_NOTHING, UPLOADED_NOTHING.replace("15m", "45s")):
            stack.configure(storage=server.storage(), resources=SLOW, alerts={"ThanosUploadFailing": {"for": "1s"}})
            stack.up()
    before = story.metric("thanos-sidecar", "thanos_shipper_dir_syncs_total")
    outage = History("e2e_outage", story.history.end, story.history.end + 4 * HOUR)
    with story.without_server():
        away = time.monotonic()
        count = story.move_in(outage)
        failures = "thanos_shipper_dir_sync_failures_total"
        until(lambda: story.metric("thanos-sidecar", failures) > 0, "the sidecar cannot upload", 150)
        until(lambda: "ThanosUploadFailing" in stack.active_alerts(), "Alertmanager has the alert", patience)
        TIMINGS.append(f"{time.monotonic() - away:6.1f} s  from the S3 server's end until its alert is in Alertmanager")
        found = samples(stack, "prometheus", outage.name, outage.start, outage.end)
        assert found == outage.expected(), "samples are lost"
        time.sleep(max(0.0, away + lengths.bucket_away - time.monotonic()))
        started = time.monotonic()
    syncs = "thanos_shipper_dir_syncs_total"
    until(lambda: story.metric("thanos-sidecar", syncs) > before, "the sidecar uploads again", 240)
    until(lambda: "ThanosUploadFailing" not in stack.active_alerts(), "the alert is over", 150)

    def there() -> bool:
        found = [meta for meta in story.uploaded() if meta["minTime"] >= outage.start * 1000]
        uploaded: int = sum(meta["stats"]["numSamples"] for meta in found)
        return uploaded >= outage.count

    until(there, "the blocks of the outage are in the bucket", 240)
    TIMINGS.append(
        f"{time.monotonic() - started:6.1f} s  from the S3 server's return after {started - away:.0f} s until {count} "
        "blocks were uploaded"
    )
    wipe(story)
    story.store_knows(story.history.start, outage.end)
    found = samples(stack, "thanos", "e2e_outage", outage.start, outage.end)
    story.lost += missing(outage.expected(), found)
    assert found == outage.expected(), "samples are lost"
    story.compare()


def test_retention_deletes_what_is_too_old_and_nothing_else(story: Story) -> None:
    """The oldest long block of raw samples goes; what is newer, and its samples of five minutes, stay."""
    stack = story.stack
    rounds = "thanos_compact_iterations_total"
    two_more = story.metric("thanos-compact", rounds) + 2
    until(lambda: story.metric("thanos-compact", rounds) >= two_more, "the compactor has nothing left to do", 300)
    long = [meta for meta in raw(story) if meta["maxTime"] - meta["minTime"] >= DOWNSAMPLED * 1000]
    limit = min(meta["maxTime"] for meta in long)
    kept = {meta["ulid"] for meta in raw(story) if meta["maxTime"] > limit}
    assert kept
    hours = int(time.time() - limit / 1000) // HOUR - 1
    shorter = {"raw": f"{hours}h", "five_minutes": "forever", "one_hour": "forever"}
    with stack.project.changed("components/services/thanos.py", DELAY, '"--delete-delay=0s"'):
        stack.configure(storage=story.server.storage(retention=shorter))
        stack.up(what="a shorter retention in the bucket")
        until(lambda: {meta["ulid"] for meta in raw(story, True)} == kept, "old blocks are deleted", 300)
    story.store_knows(story.history.start + DAY, story.history.end)
    start = math.ceil(limit / 1000 / (2 * HOUR)) * 2 * HOUR
    wanted = {name: [each for each in values if each[0] >= start] for name, values in story.history.expected().items()}
    assert samples(stack, "thanos", "e2e_history", start, story.history.end) == wanted, "samples are lost"

    def before(resolution: str) -> list[Any]:
        query = {"query": "sum(count_over_time(e2e_history[1h]))", "time": start - 2 * HOUR}
        answer = stack.get("thanos", "/api/v1/query", **query, max_source_resolution=resolution)
        return [each["value"][1] for each in answer["data"]["result"]]

    assert before("0s") == []
    assert before("5m") == [str(12 * story.history.series)], "one value for each five minutes"


def raw(story: Story, marked: bool = False) -> list[dict[str, Any]]:
    """The blocks in the bucket that hold samples as scraped."""
    return [meta for meta in story.metas(marked) if meta["thanos"]["downsample"]["resolution"] == 0]


def stores(stack: Stack, kind: str) -> list[dict[str, Any]]:
    """The stores of a kind that the querier reaches."""
    found = stack.get("thanos", "/api/v1/stores")["data"].get(kind) or []
    return [each for each in found if not each["lastError"]]


def test_rotated_keys_of_the_bucket_replace_exactly_those_that_have_them(story: Story) -> None:
    """These read them at their start only. Afterwards all of them work with the new keys."""
    stack = story.stack
    if stack.dirty:  # what a first try has not deployed
        stack.up()
    before, used = stack.starts(), stack.pulumi("config", "get", "observatory:s3AccessKey").output.strip()
    keys = (ACCESS_KEY, SECRET_KEY) if used == NEXT_ACCESS_KEY else (NEXT_ACCESS_KEY, NEXT_SECRET_KEY)
    stack.set_secret("s3AccessKey", keys[0])
    stack.set_secret("s3SecretKey", keys[1])
    stack.up(what="rotated keys of the bucket")
    after = stack.starts()
    replaced = {name.rpartition(f"{stack.environment}-")[2] for name in after if after[name] != before[name]}
    assert replaced == {"thanos-sidecar", "thanos-store", "thanos-compact"}
    assert not any(
        key in str(stack.container(name).attrs) for name in replaced for key in (SECRET_KEY, NEXT_SECRET_KEY)
    )
    stack.no_changes()
    until(lambda: whole(stack), "every store answers with the new keys", 240)


def test_nothing_was_lost(story: Story, lengths: Lengths) -> None:
    """The sum of it all."""
    TIMINGS.append(f"         faults on purpose: {story.faults}; samples lost: {story.lost}")
    assert story.lost == 0, "samples are lost"
    assert story.faults >= 5 + lengths.compactor_starts, "further ones are of tests that were tried once more"
