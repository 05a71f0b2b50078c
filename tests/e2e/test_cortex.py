"""Samples in Cortex: real programs, every sample counted on both sides, whatever fails on the way.

One story over one stack, so the tests stand in their order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from docker.errors import NotFound

from tests.e2e.engine import Engine, free_ports, until
from tests.e2e.project import Project
from tests.e2e.remote import Remote, afresh, gathered, has_listed_blocks, lag, running_after, samples
from tests.e2e.stack import TIMINGS, Stack

TENANT = "X-Scope-OrgID"
LENT: dict[str, Any] = {"storage": {"backend": "cortex", "cortex": {"tenant": "shop", "retention": "30d"}}}


@pytest.fixture(scope="module")
def stack(project: Project, engine: Engine, run_name: str) -> Iterator[Stack]:
    """A local stack, not deployed yet."""
    environment, (port,) = f"{run_name}-cortex", free_ports(1)
    changes = {"tracing__backend": "none", "exporters__blackbox": False, "probes": []}
    stack = Stack(project, engine, environment, **changes, ports__cortex=port)
    stack.ports["cortex"] = port
    yield stack
    engine.remove(environment)


def cortex(stack: Stack) -> Remote:
    """Cortex, asked by the stack's tenant."""
    return Remote(stack, "cortex", "/prometheus", {TENANT: "shop"})


@pytest.fixture
def kept(stack: Stack) -> Remote:
    """Cortex, deployed as the first test leaves it, whatever the test before has come to."""
    stack.configure(**LENT)
    if stack.dirty:
        stack.up()
    return cortex(stack)


def blocks(stack: Stack) -> set[str]:
    """The whole blocks of the tenant that it keeps, by the file that is written last of each."""
    with suppress(NotFound):  # there is no folder before the first one
        found = stack.engine.files(stack.container("cortex"), "/cortex/blocks")
        return {path for path in found if path.startswith("shop/") and path.endswith("/meta.json")}
    return set()


def test_switching_over_restarts_nothing_and_keeps_what_prometheus_has(stack: Stack) -> None:
    """Prometheus takes up its new configuration live; from then on each sample is on both sides."""
    afresh(stack)
    stack.up(what="a local stack, to be given Cortex")
    old = stack.remember_sample()
    before = stack.starts()
    stack.configure(**LENT)
    stack.up(what="from local storage to Cortex")
    after = stack.starts()
    assert {name: start for name, start in after.items() if name in before} == before
    assert [name for name in after if name not in before] == ["cortex"]
    assert stack.has_sample(old)
    stack.no_changes()
    stack.targets_up("cortex")
    until(lambda: lag(stack) < 10, "samples arrive", 240)
    start = time.time()
    count, lost = cortex(stack).compare(start, gathered(stack, start))
    assert not lost, f"{len(lost)} of {count} samples are missing"


def test_it_answers_nobody_else(stack: Stack, kept: Remote) -> None:
    """Without a tenant nothing, and another tenant has nothing of this one."""
    with stack.http("cortex") as client:
        assert client.get("/prometheus/api/v1/query", params={"query": "up"}).status_code == 401
    assert kept.query("up")
    assert kept.query("up", {TENANT: "other"}) == []


def test_verify_finds_a_fresh_sample_in_it(stack: Stack, kept: Remote) -> None:
    """By the command that people use."""
    outcome = stack.project.run("./observatory", "verify", stack.environment, "--timeout", "180")
    assert "cortex has fresh samples" in outcome.output, outcome
    assert "cortex refuses no samples" in outcome.output, outcome
    assert not [line for line in outcome.output.splitlines() if "FAILED" in line], outcome


def test_a_restart_loses_nothing(stack: Stack, kept: Remote) -> None:
    """Prometheus sends again what it did not take."""
    start = time.time()
    stack.container("cortex").restart(timeout=60)
    kept.awaited()
    count, lost = kept.compare(start, gathered(stack, time.time()))
    assert not lost, f"{len(lost)} of {count} samples are missing"


def test_an_end_by_force_loses_nothing(stack: Stack, kept: Remote) -> None:
    """Each request is in its log before it is answered. Three times in a row, for one may be luck."""
    start, program = time.time(), stack.container("cortex")
    for _ in range(3):
        time.sleep(5)  # a few scrapes, and a request with them
        program.kill()
        program.start()
        kept.awaited()
    count, lost = kept.compare(start, gathered(stack, start))
    TIMINGS.append(f"{len(lost):8} of {count} samples are lost when Cortex is killed three times")
    assert not lost, f"{len(lost)} of {count} samples are missing"


def test_what_is_in_blocks_outlives_its_log(stack: Stack, kept: Remote) -> None:
    """The log is made a block, the block is kept, and with the log wiped the same samples are answered from there."""
    end = stack.settled()
    count, lost = kept.compare(end - 30, end)  # or what is late would come to what is remembered
    assert not lost, f"{len(lost)} of {count} samples are missing"
    before = kept.samples(end - 30, end)
    old = blocks(stack)
    with stack.http("cortex") as client:
        flush = partial(client.post, "/ingester/flush", params={"wait": "true"})
        # It says that it has where it could not, too.
        until(lambda: flush().is_success and blocks(stack) > old, "it has made its blocks", 240)
    program = stack.container("cortex")
    assert program.exec_run(["/bin/busybox", "rm", "-rf", "/cortex/tsdb/shop"]).exit_code == 0
    program.kill()
    program.start()
    until(lambda: has_listed_blocks(stack, "shop"), "the list of blocks is written", 240)

    def answers_anew() -> bool:
        """It reads the list at its start and every quarter of an hour; half of one counts as none."""
        program.restart(timeout=60)
        kept.awaited()
        with suppress(AssertionError):
            until(lambda: kept.answered(end - 30, end) == before, "blocks are answered from", 60)
            return True
        return False

    until(answers_anew, "blocks are answered from", 300)


def test_while_it_is_away_nothing_is_lost_and_deployments_go_through(stack: Stack, kept: Remote) -> None:
    """Prometheus keeps what it cannot send, and sends it once there is somebody who takes it."""
    start, program = time.time(), stack.container("cortex")
    with running_after(program):
        program.stop(timeout=60)
        stack.configure(**LENT, scrape__interval="3s")
        stack.up(what="another change while Cortex is away")
        until(lambda: lag(stack) > 12, "samples wait", 240)
    kept.awaited()
    until(lambda: lag(stack) < 10, "everything that waited has arrived", 240)
    count, lost = kept.compare(start, gathered(stack, start))
    assert not lost, f"{len(lost)} of {count} samples are missing"


def test_going_back_to_local_storage_and_coming_again_keeps_all_history(stack: Stack, kept: Remote) -> None:
    """As each product with data: the preview refuses and names the way on, and the volume stays."""
    kept.awaited()
    until(lambda: lag(stack) < 10, "samples arrive", 240)
    start = time.time()
    gathered(stack, start, 120)
    end = stack.settled()
    count, lost = kept.compare(start, end)  # or what is late would come to what is remembered
    assert not lost, f"{len(lost)} of {count} samples are missing"
    own, there = samples(stack, start, end), kept.samples(start, end)
    stack.configure()
    preview = stack.pulumi("preview")
    assert preview.code != 0, preview
    urn = next(r["urn"] for r in stack.exported_resources() if r["urn"].endswith("::cortex-data"))
    assert f"pulumi state unprotect '{urn}'" in preview.output, preview
    assert stack.pulumi("state", "unprotect", urn, "--yes").code == 0
    stack.up(what="from Cortex back to local storage")
    assert "remote_write" not in stack.running_config()
    assert samples(stack, start, end) == own
    stack.configure(**LENT)
    stack.up(what="and to Cortex again")
    kept.awaited()
    # It answers from its log before its store gateway has found the blocks, and misses the youngest ones silently.
    until(lambda: kept.answered(start, end) == there, "all of its history is answered again", 240)
    assert samples(stack, start, end) == own
