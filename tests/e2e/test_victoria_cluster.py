"""Samples in a cluster of VictoriaMetrics, closed by TLS and a password: each on two of three vmstorage.

One story over one stack, so the tests stand in their order: every vmstorage is killed once, then two at the same time,
then a vminsert and a vmselect.
"""

from __future__ import annotations

import math
import re
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from components.plan import plan_stack_file
from components.replicas import any_of
from components.services.victoria_cluster import QUERY_PATH
from operations.http import Credentials, Endpoint
from operations.pages.dashboards import PATIENCE, counted, planned_dashboards, with_data
from operations.pages.data import Window
from tests.e2e.engine import Engine, free_ports, until
from tests.e2e.project import Project
from tests.e2e.remote import WAITING, Remote, gathered, lag, running_after
from tests.e2e.stack import TIMINGS, Stack

NODES = ("vmstorage", "vmstorage-2", "vmstorage-3")
TLS = {"ca": {"secret": "tlsCa"}, "certificate": {"secret": "tlsCertificate"}, "key": {"secret": "tlsKey"}}
FLUSH = 10
"""Seconds until a vmstorage has written to its disk what it has taken: what it has not is lost when it is killed."""
_COUNTER = "vm_rpc_rows_incompletely_replicated_total"
COPIES_MISSING = f"sum({_COUNTER}) and count({_COUNTER}) == 2"
"""Of both vminsert: after a scrape of one that was missed the sum alone would be less than it was."""


@pytest.fixture(scope="module")
def stack(project: Project, engine: Engine, run_name: str) -> Iterator[Stack]:
    """The cluster, running, and Prometheus with nothing but itself and it to scrape."""
    environment, (port,) = f"{run_name}-vmcluster", free_ports(1)
    stack = Stack(
        project,
        engine,
        environment,
        access={"password": {"secret": "accessPassword"}, "tls": TLS},
        storage={"backend": "victoria", "victoria": {"cluster": {}}},
        high_availability={"one_host": True},
        alerts__VictoriaMetricsStorageUnreachable={"for": "2s"},
        alerts__VictoriaMetricsCopiesMissing={"for": "1s"},
        tracing__backend="none",
        exporters__blackbox=False,
        probes=[],
        ports__victoria=port,
    )
    stack.ports["victoria"] = port
    stack.configure()
    made = project.run("./observatory", "certs", environment)
    assert made.code == 0, made
    password = "password-of-the-cluster-5e81"
    stack.set_secret("accessPassword", password)
    stack.credentials = ("observatory", password)
    stack.authority = ssl.create_default_context(cadata=stack.pulumi("config", "get", "observatory:tlsCa").output)
    stack.up(what="a cluster of VictoriaMetrics: 3 vmstorage, 2 vminsert, 2 vmselect, by TLS")
    stack.targets_up("vmstorage", "vminsert", "vmselect")
    yield stack
    engine.remove(environment)


@pytest.fixture(scope="module")
def kept(stack: Stack) -> Remote:
    """The cluster, as its first vmselect answers for it."""
    found = Remote(stack, "victoria", QUERY_PATH)
    until(lambda: lag(stack) < 10, "samples arrive", 180)
    return found


def number(stack: Stack, expression: str) -> float:
    """The one value that Prometheus answers a query with; NaN, which no comparison is true of, where it has none."""
    found = stack.query(expression)
    return float(found[0]["value"][1]) if len(found) == 1 else math.nan


def reachable(stack: Stack) -> dict[str, bool]:
    """Name of each vmstorage to whether all vminsert reach it."""
    found = stack.query("min by (addr) (vm_rpc_vmstorage_is_reachable)")
    return {each["metric"]["addr"].partition(":")[0]: each["value"][1] == "1" for each in found}


def all_reachable(stack: Stack) -> bool:
    """Whether the cluster is whole again."""
    return reachable(stack) == dict.fromkeys(NODES, True)


def doubled(kept: Remote, start: float, end: float) -> int:
    """Samples that are answered more than once, of a series that every target has."""
    parameters = {"query": f"up[{end - start:.0f}s]", "time": f"{end:.3f}"}
    answer = kept.stack.get(kept.name, f"{kept.below}/api/v1/query", **parameters)
    times = [Counter(at for at, _ in series["values"]) for series in answer["data"]["result"]]
    return sum(count - 1 for each in times for count in each.values())


def test_every_sample_is_there_once_and_kept_twice(stack: Stack, kept: Remote) -> None:
    """Copies are for vmstorage to have, and not for who asks."""
    start = time.time()
    time.sleep(20)
    end = gathered(stack, start)
    count, lost = kept.compare(start, end)
    assert not lost, f"{len(lost)} of {count} samples are missing"
    assert not doubled(kept, start, end)
    seen: list[Any] = []

    def shared_out() -> bool:
        """Two copies of each, but for what was taken between the scrapes of both kinds; a third of them on each."""
        copies = number(stack, "sum(vm_rows_added_to_storage_total) / sum(vm_rows_inserted_total)")
        shares = stack.query("vm_rows_added_to_storage_total / on () group_left () sum(vm_rows_added_to_storage_total)")
        seen[:] = [copies, shares]
        return 1.7 < copies < 2.3 and len(shares) == 3 and all(0.15 < float(s["value"][1]) < 0.55 for s in shares)

    # A scrape that a busy machine missed leaves one of them out.
    until(shared_out, lambda: f"two copies of each sample, shared out: {seen}", 90)


def test_verify_finds_a_fresh_sample_in_it(stack: Stack, kept: Remote) -> None:
    """By the command that people use."""
    kept.awaited()
    outcome = stack.project.run("./observatory", "verify", stack.environment, "--timeout", "180")
    assert "victoria-metrics has fresh samples" in outcome.output, outcome
    assert not [line for line in outcome.output.splitlines() if "FAILED" in line], outcome


def test_it_asks_for_the_password(stack: Stack, kept: Remote) -> None:
    """Of people; what Prometheus and the cluster themselves say is closed by the same."""
    with stack.http("victoria") as client:
        assert client.get(f"{QUERY_PATH}/api/v1/query", params={"query": "up"}, auth=("", "")).status_code == 401
    assert stack.running_config()["remote_write"][0]["tls_config"]["server_name"] == "vminsert"


def test_every_panel_about_it_has_data(stack: Stack, kept: Remote) -> None:
    """But one: the version that runs here does not say how large a disk is; the pinned one does."""
    kept.awaited()
    config, plan = plan_stack_file(str(stack.file))
    names = {"victoria-metrics", "victoria-metrics-cluster", "remote-write"}
    shown = [board for board in planned_dashboards(config, plan) if board.name in names]
    assert len(shown) == len(names)
    assert stack.credentials
    authority = stack.pulumi("config", "get", "observatory:tlsCa").output
    url = f"https://localhost:{stack.ports['prometheus']}"
    prometheus = Endpoint("prometheus", url, Credentials(*stack.credentials, authority), PATIENCE)
    missing: set[str] = set()

    def complete() -> bool:
        now = time.time()
        boards = counted(plan.environment, with_data(shown, prometheus, Window(now - 120, now, 5)))["dashboards"]
        missing.clear()
        missing.update(each["panel"] for board in boards for each in board["without_data"])
        return missing <= {"Disk that is free"}

    try:
        until(complete, "data in every panel", 240)
    except AssertionError:
        raise AssertionError(missing) from None
    finally:
        prometheus.close()


def test_any_vmstorage_may_be_killed_and_nothing_is_missing(stack: Stack, kept: Remote) -> None:
    """While it is away, and once it is back.

    The one that is killed loses its copies of the last seconds, and nobody gives it them again. So while another one is
    away, of those seconds something may be missing, until it is back.
    """
    until(lambda: all_reachable(stack), "all are there", 180)
    start = time.time()
    for name in NODES:
        begin = time.time()
        time.sleep(3)
        with running_after(stack.container(name)):
            stack.container(name).kill()
            until(lambda: not all_reachable(stack), f"{name} is missed", 180)
            until(lambda: "VictoriaMetricsStorageUnreachable" in stack.active_alerts(), "the alert about it", 180)
            end = gathered(stack, begin)
            count, lost = kept.compare(begin, end)  # while it is away
            assert not lost, f"without {name} {len(lost)} of {count} samples are missing"
            assert not doubled(kept, begin, end)
        until(lambda: all_reachable(stack), f"{name} is back", 180)
        time.sleep(FLUSH)  # or the next one would lose what only it and the one before had
    end = time.time()
    count, lost = kept.compare(start, end)
    TIMINGS.append(f"{len(lost):8} of {count} samples are lost when each of 3 vmstorage is killed")
    assert not lost, f"{len(lost)} of {count} samples are missing"
    assert not doubled(kept, start, end)
    TIMINGS.append(
        f"{number(stack, COPIES_MISSING):8.0f} of all samples found one vmstorage alone while the others were killed"
    )


def test_no_answer_has_less_than_all_series(stack: Stack, kept: Remote) -> None:
    """With two of three away some samples cannot be had: that is an error, no gap that looks like one of the data."""
    away = [stack.container(name) for name in NODES[1:]]

    def refused() -> bool:
        try:
            kept.query("up")
            return False
        except httpx.HTTPStatusError as error:
            return "vmstorage" in error.response.text or "storage node" in error.response.text
        except httpx.TransportError:
            return False  # no answer is no refusal

    def counted() -> list[float]:
        """In a list, as it may be 0; empty after a scrape that was missed."""
        return [found for found in (number(stack, COPIES_MISSING),) if not math.isnan(found)]

    until(lambda: all_reachable(stack), "all are there", 180)
    with running_after(*away):
        for each in away:
            each.kill()
        start = time.time()  # what both have taken since they wrote to their disks last is lost with them
        until(refused, "queries are refused")
        for _ in range(10):
            assert refused()
        (before,) = until(counted, "both vminsert tell how many samples lack a copy")
        until(lambda: number(stack, COPIES_MISSING) > before, "samples have found one vmstorage alone", 180)
        until(lambda: "VictoriaMetricsCopiesMissing" in stack.active_alerts(), "the alert about it", 180)
    until(lambda: all_reachable(stack), "all are back", 180)
    kept.awaited()
    count, lost = kept.compare(start, gathered(stack, start))
    assert not lost, f"{len(lost)} of {count} samples are missing"


def test_one_vminsert_and_one_vmselect_may_be_killed(stack: Stack, kept: Remote) -> None:
    """The names that Prometheus and Grafana know lead to the others. What a vminsert has in its memory goes with it."""
    start, on_the_way = time.time(), 3 * WAITING
    gathered(stack, start)
    time.sleep(on_the_way)
    gone = [stack.container(name) for name in ("vminsert", "vmselect-2")]
    networks = stack.container("vmselect").attrs["NetworkSettings"]["Networks"]
    (address,) = (each["IPAddress"] for each in networks.values())
    found: list[str] = []

    def leads_to_the_other() -> bool:
        output = stack.container("vmstorage").exec_run(["busybox", "nslookup", any_of("vmselect")]).output
        assert isinstance(output, bytes)
        found[:] = [output.decode()]
        return re.findall(r"^Address[ 0-9]*: ([0-9.]+)$", found[0].partition("Name:")[2], re.MULTILINE) == [address]

    with running_after(*gone):
        # What is in a vminsert's memory has just come, and is as old as Prometheus is behind.
        until(lambda: lag(stack) < 10, "samples arrive", 180)
        dying = time.time()
        for each in gone:
            each.kill()
        killed = time.time()
        until(lambda: lag(stack) < 10 and time.time() > killed + 5, "samples arrive by the other", 180)
        until(leads_to_the_other, lambda: f"the name leads to {address} alone: {found}")
    until(lambda: len(stack.query('up{job=~"vminsert|vmselect"} == 1')) == 4, "both are back", 180)
    count, lost = kept.compare_but(dying - on_the_way, killed, start, time.time())
    TIMINGS.append(f"{len(lost):8} of {count} samples are lost when a vminsert is killed")
