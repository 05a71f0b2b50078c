"""Samples in VictoriaMetrics: real programs, every sample counted on both sides, whatever fails on the way.

One story over one stack, so the tests stand in their order: a local stack is switched over while it runs, then
VictoriaMetrics is restarted, killed, and away for a while.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.engine import Engine, free_ports, until
from tests.e2e.project import Project
from tests.e2e.remote import PAUSE, WAITING, Remote, afresh, gathered, lag, pending, running_after, samples
from tests.e2e.stack import TIMINGS, Stack

FLUSH = 8
"""Seconds until it has written to its disk what it has taken: what it has not is lost when it is killed."""
LENT: dict[str, Any] = {"storage": {"backend": "victoria", "victoria": {"retention": "30d"}}}


@pytest.fixture(scope="module")
def stack(project: Project, engine: Engine, run_name: str) -> Iterator[Stack]:
    """A local stack, not deployed yet."""
    environment, (port,) = f"{run_name}-victoria", free_ports(1)
    changes = {"tracing__backend": "none", "exporters__blackbox": False, "probes": []}
    stack = Stack(project, engine, environment, **changes, ports__victoria=port)
    stack.ports["victoria"] = port
    yield stack
    engine.remove(environment)


@pytest.fixture
def kept(stack: Stack) -> Remote:
    """VictoriaMetrics, deployed as the first test leaves it, whatever the test before has come to."""
    stack.configure(**LENT)
    if stack.dirty:
        stack.up()
    return Remote(stack, "victoria")


def test_switching_over_restarts_nothing_and_keeps_what_prometheus_has(stack: Stack) -> None:
    """Prometheus takes up its new configuration live; from then on each sample is on both sides."""
    afresh(stack)
    stack.up(what="a local stack, to be given VictoriaMetrics")
    old = stack.remember_sample()
    before = stack.starts()
    stack.configure(**LENT)
    stack.up(what="from local storage to VictoriaMetrics")
    after = stack.starts()
    assert {name: start for name, start in after.items() if name in before} == before
    assert [name for name in after if name not in before] == ["victoria-metrics"]
    assert stack.has_sample(old)
    stack.no_changes()
    stack.targets_up("victoria-metrics")
    until(lambda: lag(stack) < 10, "samples arrive", 180)
    start = time.time()
    count, lost = Remote(stack, "victoria").compare(start, gathered(stack, start))
    assert not lost, f"{len(lost)} of {count} samples are missing"
    assert not stack.get("victoria", "/api/v1/query", query="up", time=f"{old:.3f}")["data"]["result"], (
        "what was there before is on Prometheus' own disk alone"
    )


def test_every_series_says_of_which_environment_it_is(stack: Stack, kept: Remote) -> None:
    """Several stacks could be asked as one."""
    found = until(lambda: kept.query("up"), "samples are shown", 180)
    assert {each["metric"]["environment"] for each in found} == {stack.environment}
    assert all("replica" not in each["metric"] for each in found)


def test_verify_finds_a_fresh_sample_in_it(stack: Stack, kept: Remote) -> None:
    """By the command that people use."""
    outcome = stack.project.run("./observatory", "verify", stack.environment, "--timeout", "180")
    assert "victoria-metrics has fresh samples" in outcome.output, outcome
    assert not [line for line in outcome.output.splitlines() if "FAILED" in line], outcome


def test_a_restart_loses_nothing(stack: Stack, kept: Remote) -> None:
    """It writes everything down before it ends, and Prometheus sends again what it did not take."""
    start = time.time()
    time.sleep(5)
    stack.container("victoria-metrics").restart(timeout=60)
    kept.awaited()
    count, lost = kept.compare(start, gathered(stack, time.time()))
    assert not lost, f"{len(lost)} of {count} samples are missing"


def test_a_snapshot_can_be_made(stack: Stack, kept: Remote) -> None:
    """For copies: a folder of hard links in its data."""
    with stack.http("victoria") as client:
        name = client.post("/snapshot/create").raise_for_status().json()["snapshot"]
        assert name in client.get("/snapshot/list").json()["snapshots"]
        assert client.post("/snapshot/delete", params={"snapshot": name}).json()["status"] == "ok"


def test_an_end_by_force_loses_no_more_than_the_last_seconds(stack: Stack, kept: Remote) -> None:
    """What it took since it wrote to its disk last; all before and all after is there."""
    start = time.time()
    gathered(stack, start)
    # What it took in its last FLUSH seconds is lost. A sample is older when it is taken, and where the machine holds up
    # Prometheus or the writing, older still: from before all that nothing may be missing.
    time.sleep(FLUSH + WAITING + PAUSE)
    program, dying = stack.container("victoria-metrics"), time.time()
    program.kill()
    killed = time.time()
    program.start()
    kept.awaited()
    end = gathered(stack, killed)
    count, lost = kept.compare_but(dying - FLUSH - WAITING - PAUSE, killed, start, end)
    oldest = max((killed - at for _, at, _ in lost), default=0)
    TIMINGS.append(
        f"{len(lost):8} of {count} samples are lost when VictoriaMetrics is killed, none older than {oldest:.0f} s"
    )


def test_while_it_is_away_nothing_is_lost(stack: Stack, kept: Remote) -> None:
    """Prometheus keeps what it cannot send, and sends it once there is somebody who takes it."""
    start = time.time()
    program = stack.container("victoria-metrics")
    with running_after(program):
        program.stop(timeout=60)
        until(lambda: lag(stack) > 15 and pending(stack) > 0, "samples of a quarter of a minute wait", 120)
    back = time.monotonic()
    kept.awaited()
    until(lambda: lag(stack) < 10, "everything that waited has arrived", 120)
    TIMINGS.append(f"{time.monotonic() - back:6.1f} s  until the samples of a quarter of a minute have arrived")
    count, lost = kept.compare(start, gathered(stack, start))
    assert not lost, f"{len(lost)} of {count} samples are missing"


def test_a_deployment_goes_through_while_it_is_away(stack: Stack, kept: Remote) -> None:
    """One that changes remote write itself: Prometheus waits for a flush, less long than the deployment waits."""
    program = stack.container("victoria-metrics")
    with running_after(program):
        program.stop(timeout=60)
        until(lambda: lag(stack) > 10, "samples wait", 180)
        stack.configure(**{**LENT, "storage": {**LENT["storage"], "remote_write": {"max_shards": 20}}})
        stack.up(what="other settings of remote write while VictoriaMetrics is away")
        assert stack.running_config()["remote_write"][0]["queue_config"]["max_shards"] == 20
    kept.awaited()
    until(lambda: lag(stack) < 10, "samples arrive", 180)


def test_going_back_to_local_storage_and_coming_again_keeps_all_history(stack: Stack, kept: Remote) -> None:
    """As each product with data: the preview refuses and names the way on, and the volume stays."""
    kept.awaited()
    until(lambda: lag(stack) < 10, "samples arrive", 180)
    start = time.time()
    gathered(stack, start, 120)
    end = stack.settled()
    count, lost = kept.compare(start, end)  # or what is late would come to what is remembered
    assert not lost, f"{len(lost)} of {count} samples are missing"
    own, there = samples(stack, start, end), kept.samples(start, end)
    stack.configure()
    preview = stack.pulumi("preview")
    assert preview.code != 0, preview
    urn = next(r["urn"] for r in stack.exported_resources() if r["urn"].endswith("::victoria-metrics-data"))
    assert f"pulumi state unprotect '{urn}'" in preview.output, preview
    assert stack.pulumi("state", "unprotect", urn, "--yes").code == 0
    stack.up(what="from VictoriaMetrics back to local storage")
    assert "remote_write" not in stack.running_config()
    assert f"observatory-{stack.environment}-victoria-metrics-data" in stack.engine.volumes(stack.environment)
    assert samples(stack, start, end) == own
    stack.configure(**LENT)
    stack.up(what="and to VictoriaMetrics again")
    kept.awaited()
    until(lambda: kept.answered(start, end) == there, "all of its history is answered again", 180)
    assert samples(stack, start, end) == own
