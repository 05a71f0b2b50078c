"""Cortex with its blocks in a bucket: real programs and a real S3 server, every sample counted whatever fails.

One story over one stack, so the tests stand in their order. What it does with a folder is in test_cortex.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import httpx
import pytest

from tests.e2e.engine import Engine, free_ports, until
from tests.e2e.lengths import Lengths
from tests.e2e.project import Project
from tests.e2e.remote import Remote, gathered, has_listed_blocks, lag, running_after
from tests.e2e.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.e2e.stack import TIMINGS, Stack

TENANT = "shop"


@dataclass
class Story:
    """The stack, its server, and Cortex asked by the stack's tenant."""

    stack: Stack
    server: S3Server
    kept: Remote

    def blocks(self) -> set[str]:
        """The whole blocks of the tenant in the bucket: folders by the names of blocks, beside its list of them."""
        found = [each for each in self.server.listed(f"metrics/{TENANT}") if each.startswith("01")]
        return {each for each in found if "meta.json" in self.server.listed(f"metrics/{TENANT}/{each}")}

    def flush(self, wait: bool = True) -> bool:
        """Have it make a block of what is in memory now, and take that to the bucket; whether it says that it has."""
        with self.stack.http("cortex") as client, suppress(httpx.TimeoutException):
            return client.post(
                "/ingester/flush", params={"wait": str(wait).lower()}, timeout=30 if wait else 5
            ).is_success
        return False

    def nothing_lost(self, start: float, what: str) -> None:
        """Compare both sides from a time on."""
        self.kept.awaited()
        until(lambda: lag(self.stack) < 10, "everything that waited has arrived", 240)
        count, lost = self.kept.compare(start, gathered(self.stack, start))
        TIMINGS.append(f"{len(lost):8} of {count} samples are lost by Cortex and its bucket when {what}")
        assert not lost, f"{len(lost)} of {count} samples are missing"


@pytest.fixture(scope="module")
def story(project: Project, engine: Engine, run_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The stack, running from nothing."""
    gateway = engine.gateway()
    server = S3Server(tmp_path_factory.mktemp("cortex") / "s3", gateway)
    environment, (port,) = f"{run_name}-cortexbucket", free_ports(1)
    with ExitStack() as at_end:
        at_end.callback(engine.remove, environment)
        at_end.callback(server.stop)
        server.start()
        server.make_bucket("metrics")
        stack = Stack(
            project,
            engine,
            environment,
            storage=server.storage(backend="cortex", cortex={"tenant": TENANT}),
            tracing={"backend": "none"},
            grafana={"enabled": False},
            exporters={"cadvisor": False, "blackbox": False},
            probes=[],
            ports__cortex=port,
        )
        stack.ports["cortex"] = port
        stack.configure()
        stack.set_secret("s3AccessKey", ACCESS_KEY)
        stack.set_secret("s3SecretKey", SECRET_KEY)
        stack.up(what="up from nothing with Cortex on a bucket")
        yield Story(stack, server, Remote(stack, "cortex", "/prometheus", {"X-Scope-OrgID": TENANT}))


def test_samples_are_written_and_answered(story: Story) -> None:
    """By both sides the same; its keys for the bucket are visible nowhere."""
    story.stack.targets_up("cortex")
    until(lambda: lag(story.stack) < 10, "samples arrive", 240)
    story.nothing_lost(time.time(), "nothing happens")
    shown = str(story.stack.container("cortex").attrs)
    assert ACCESS_KEY not in shown
    assert SECRET_KEY not in shown


def test_blocks_are_in_the_bucket_and_outlive_its_disk(story: Story) -> None:
    """All that it has on its volume goes; what is in a block is answered from the bucket, to the sample."""
    start = time.time()
    gathered(story.stack, start)
    end = story.stack.settled()
    count, lost = story.kept.compare(start, end)  # or what is late would come to what is remembered
    assert not lost, f"{len(lost)} of {count} samples are missing"
    before, old = story.kept.samples(start, end), story.blocks()
    # It says that it has where it could not, too.
    until(lambda: story.flush() and story.blocks() > old, "it has made its blocks", 240)
    program = story.stack.container("cortex")
    lose = "/bin/busybox rm -rf /cortex/tsdb /cortex/store-gateway /cortex/compactor"
    assert program.exec_run(["/bin/busybox", "sh", "-c", lose]).exit_code == 0
    program.kill()
    program.start()
    until(lambda: has_listed_blocks(story.stack, TENANT), "the list of blocks is written", 240)
    program.restart(timeout=60)  # it reads the list at its start and every quarter of an hour
    story.kept.awaited()
    until(lambda: story.kept.answered(start, end) == before, "all of them are answered from the bucket", 240)
    TIMINGS.append(f"       0 of {len(before)} samples are lost when Cortex' disk is, once they are in the bucket")


def test_an_end_by_force_and_a_restart_lose_nothing(story: Story) -> None:
    """What is in the bucket and what is in its log are one history."""
    start = time.time()
    program = story.stack.container("cortex")
    for _ in range(2):
        time.sleep(4)  # a few scrapes, and a request with them
        program.kill()
        program.start()
        story.kept.awaited()
    program.restart(timeout=60)
    story.nothing_lost(start, "it is killed twice and restarted")


def test_while_the_bucket_is_away_samples_stay_with_cortex(story: Story, lengths: Lengths) -> None:
    """It takes samples all the while, makes a block that it cannot bring away, and brings it once it can."""
    start, before = time.time(), story.blocks()
    gathered(story.stack, start)
    with running_after(story.server):
        story.server.stop()
        away = time.monotonic()
        until(lambda: story.flush(wait=False), "it begins to make a block", 60)
        time.sleep(max(0.0, away + lengths.bucket_away - time.monotonic()))
        until(lambda: lag(story.stack) < 10, "samples are taken without a bucket", 90)
    gone = time.monotonic() - away
    until(lambda: story.flush() and story.blocks() > before, "the block is in the bucket", 240)
    story.nothing_lost(start, f"the bucket is away for {gone:.0f} s")
    assert story.stack.query("increase(prometheus_remote_storage_samples_failed_total[15m]) > 0") == []


def test_killed_while_the_bucket_is_away(story: Story) -> None:
    """Its log holds what it took; what it could not take meanwhile waits in Prometheus."""
    start = time.time()
    gathered(story.stack, start)
    with running_after(story.server):
        story.server.stop()
        story.stack.container("cortex").kill()
        story.stack.container("cortex").start()
        time.sleep(5)
    story.nothing_lost(start, "it is killed while the bucket is away")
