"""Prometheus' disk is full, and is smaller or larger by the stack file: what was stored stays, to the sample.

The disk is a real one: a file system in a file, so that it is full when it is full.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import httpx
import pytest

from tests.e2e.engine import LABEL, Engine, until
from tests.e2e.project import Project
from tests.e2e.stack import TIMINGS, Stack

SIZE = 300
"""Of the disk, in MiB: one file of chunks takes 128 of them at once."""
FILLER = "/prometheus/filler"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small disk; its device."""
    image = tmp_path_factory.mktemp("disk") / "image"
    with image.open("wb") as file:
        file.truncate(SIZE * 2**20)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True, capture_output=True)
        made = subprocess.run(["losetup", "-f", "--show", str(image)], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"making a disk of a file needs root on the engine's own machine: {error}")
    yield made.stdout.strip()
    subprocess.run(["losetup", "-d", made.stdout.strip()], check=True)


@pytest.fixture(scope="module")
def small(project: Project, engine: Engine, run_name: str, disk: str) -> Iterator[Stack]:
    """A stack whose Prometheus has its data on that disk, running for some scrapes."""
    environment = f"{run_name}-disk"
    with ExitStack() as at_end:
        at_end.callback(engine.remove, environment)
        stack = Stack(
            project,
            engine,
            environment,
            tracing={"backend": "none"},
            exporters={"cadvisor": False, "blackbox": False, "node": False},
            probes=[],
            alerts={"PrometheusStoresNothing": {"threshold": "30s", "for": "1s"}},
            retention={"time": "2d", "size": "150MB"},
        )
        stack.configure()
        engine.client.volumes.create(
            f"observatory-{environment}-prometheus-data",
            driver="local",
            driver_opts={"type": "ext4", "device": disk},
            labels={LABEL: environment},
        )
        stack.up()
        stack.targets_up("alertmanager", "prometheus")
        yield stack


def busybox(stack: Stack, command: str) -> tuple[int, bytes]:
    """What a command inside of Prometheus' container answers."""
    found = stack.container("prometheus").exec_run(["/bin/busybox", "sh", "-c", command])
    assert isinstance(found.output, bytes)
    return int(found.exit_code or 0), found.output


def samples_of(stack: Stack, at: float) -> list[dict[str, Any]]:
    """All samples of one job up to a time."""
    return stack.query('{job="alertmanager"}[10m]', at)


def test_more_or_less_room_by_the_stack_file_replaces_nothing(small: Stack) -> None:
    """The volume is as large as its disk: the size is Prometheus' own limit, which it takes up while it runs."""
    at, before = small.settled(), small.starts()
    history = samples_of(small, at)
    for size in (200, 100, 150):
        small.configure(retention={"time": "2d", "size": f"{size}MB"})
        small.up()
        limit = f"prometheus_tsdb_retention_limit_bytes == {size * 2**20}"
        until(partial(small.query, limit), f"the limit is {size} MB", 90)
        assert small.starts() == before
    assert samples_of(small, at) == history, "samples are lost"


def test_a_full_disk_is_told_and_loses_nothing_that_was_stored(small: Stack) -> None:
    """An alert speaks while nothing can be written; with room and a restart it goes on, and a crash changes nothing."""
    prometheus, at = small.container("prometheus"), small.settled()
    until(lambda: "PrometheusStoresNothing" not in small.active_alerts(), "no such alert before", 300)
    history = samples_of(small, at)
    assert history
    try:
        for number, size in enumerate(("1M", "1k")):
            code, _ = busybox(small, f"/bin/busybox dd if=/dev/zero of={FILLER}{number} bs={size} 2>/dev/null")
            assert code != 0, "the disk should be full"
        begin = time.monotonic()
        until(lambda: "PrometheusStoresNothing" in small.active_alerts(), "the alert about the full disk", 240)
        TIMINGS.append(f"{time.monotonic() - begin:6.1f} s  from a full disk until its alert is in Alertmanager")
        assert samples_of(small, at) == history, "queries are answered all the same, and nothing is lost"
    finally:
        code, output = busybox(small, f"/bin/busybox rm -f {FILLER}*")
        prometheus.restart(timeout=30)  # as the runbook says: its log is torn where the disk was full
    assert code == 0, output
    until(partial(goes_on, small, time.time()), "it stores samples again", 240)
    assert samples_of(small, at) == history, "samples are lost"
    later = small.settled()
    since = samples_of(small, later)
    small.engine.crash(prometheus)
    crashed = time.time()
    until(partial(goes_on, small, crashed), "it is back after a crash", 240)
    assert samples_of(small, later) == since, "nothing of after it is lost"
    # A record that the full disk has cut short is cut off, and counted as one of the log; it was never stored.
    torn = "prometheus_tsdb_mmap_chunk_corruptions_total"
    of_now = f"{torn} and timestamp({torn}) > {crashed:.3f}"  # for minutes, a query answers with those of before
    (found,) = until(partial(small.query, of_now), "its own figures", 180)
    assert found["value"][1] == "0"


def goes_on(stack: Stack, since: float) -> bool:
    """Whether there is a sample of after a time."""
    with suppress(httpx.TransportError, AssertionError):
        found = stack.query("max(timestamp(up{job='alertmanager'}))")
        return bool(found) and float(found[0]["value"][1]) > since
    return False
