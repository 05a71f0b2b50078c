"""Samples on both sides of remote write: those that Prometheus has, and those of the database that it sends them to."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import httpx

from tests.e2e.engine import until
from tests.e2e.stack import Stack

WAITING = 5
"""Seconds that a sample waits in Prometheus at most before it is sent."""
VISIBLE = WAITING + 5
"""Seconds after which raw samples are to be had from the database."""
PAUSE = 20
"""Seconds for which a busy machine may hold up a program: what it sends or writes down is later by so much."""
_NAMES = ("up", "scrape_samples_scraped", "scrape_duration_seconds", "process_cpu_seconds_total")
"""Series that every target has."""
Samples = set[tuple[tuple[tuple[str, str], ...], float, str]]
"""Labels, time and value of each."""


class Remote:
    """A database by its service's name, which is published. `below` is the path of its query API."""

    def __init__(self, stack: Stack, name: str, below: str = "", headers: dict[str, str] | None = None) -> None:
        self.stack, self.name, self.below, self.headers = stack, name, below, headers or {}

    def query(self, expression: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """The series that it answers a query with; `headers` in place of the usual ones."""
        return _query(self.stack, self.name, self.below, expression, None, headers or self.headers)

    def samples(self, start: float, end: float) -> Samples:
        """All raw samples of some series, without what Prometheus adds on their way out."""
        return _samples(self.stack, self.name, self.below, start, end, self.headers)

    def answers(self) -> bool:
        """Whether it does."""
        try:
            return bool(self.query("vector(1)"))
        except (httpx.TransportError, httpx.HTTPStatusError):
            return False

    def answered(self, start: float, end: float) -> Samples:
        """The same; none while it starts and cannot tell yet."""
        try:
            return self.samples(start, end)
        except (httpx.TransportError, httpx.HTTPStatusError):
            return set()

    def awaited(self) -> None:
        """Wait until it answers."""
        until(self.answers, f"{self.name} answers", 240)

    def compare(self, start: float, end: float, patience: float = 90) -> tuple[int, Samples]:
        """How many samples Prometheus has, and those of them that are not here. There are none besides.

        What is late is not lost: both sides are looked at again until they are the same, for `patience` seconds. Where
        losses are expected, all of these pass, so that few are given.
        """
        until(lambda: time.time() > end + VISIBLE, "the samples are to be seen", VISIBLE + 60)
        deadline = time.monotonic() + patience
        while True:
            last = time.monotonic() >= deadline
            # In this order: what arrives in between is one that Prometheus has and that is awaited here.
            kept, own = self.answered(start, end), samples(self.stack, start, end)
            if own == kept or last:
                break
            time.sleep(1)
        assert kept <= own
        assert len(own) > 20
        return len(own), own - kept

    def compare_but(self, begin: float, over: float, start: float, end: float) -> tuple[int, Samples]:
        """The same where samples of a time, `begin` to `over`, may be lost: others are late at most, and awaited."""
        found: list[tuple[int, Samples]] = []

        def others_are_here() -> bool:
            found[:] = [self.compare(start, end, patience=0)]
            return all(begin <= at <= over for _, at, _ in found[0][1])

        def what() -> str:
            return f"samples are missing of {begin} to {over} only: {sorted({at for _, at, _ in found[0][1]})}"

        until(others_are_here, what, 90)
        return found[0]


def samples(stack: Stack, start: float, end: float) -> Samples:
    """The same of Prometheus itself."""
    return _samples(stack, "prometheus", "", start, end, {})


def gathered(stack: Stack, start: float, count: int = 60) -> float:
    """A time until which Prometheus has more than `count` samples since `start`, however long its scrapes pause."""

    def now() -> float | None:
        end = time.time()
        return end if end > start + 1 and len(samples(stack, start, end)) > count else None

    return until(now, f"{count} samples since {start:.0f}", 180)


def afresh(stack: Stack) -> None:
    """The base configuration, not deployed, and nothing of a first try of the test that begins with it."""
    if stack.starts():
        outcome = stack.project.run("./observatory", "destroy", stack.environment, "--delete-data", "--yes")
        assert outcome.code == 0, outcome
    stack.configure()


class _Program(Protocol):
    def start(self) -> None: ...


@contextmanager
def running_after(*programs: _Program) -> Iterator[None]:
    """Containers or servers that are ended meanwhile; they are started again however that ends, for who comes after."""
    with ExitStack() as after:
        for each in programs:
            after.callback(each.start)
        yield


def pending(stack: Stack) -> float:
    """Samples that wait in Prometheus to be sent."""
    return sum(float(each["value"][1]) for each in stack.query("prometheus_remote_storage_samples_pending"))


def lag(stack: Stack) -> float:
    """Seconds between the newest sample of all and the newest that has arrived; NaN after a scrape that was missed.

    Not the newest of the queue, which stands still once the queue is full.
    """
    name = 'prometheus_remote_storage_{}{{job="prometheus"}}'
    found = stack.query(
        f"{name.format('highest_timestamp_in_seconds')} - ignoring (remote_name, url) "
        f"{name.format('queue_highest_sent_timestamp_seconds')}"
    )
    return float(found[0]["value"][1]) if len(found) == 1 else math.nan


def has_listed_blocks(stack: Stack, tenant: str) -> bool:
    """Whether Cortex has written the list of a tenant's blocks since its start; one of before may lack the youngest."""
    written = f'cortex_bucket_index_last_successful_update_timestamp_seconds{{user="{tenant}"}}'
    with stack.http("cortex") as client:
        return written in client.get("/metrics").text


def _query(
    stack: Stack, product: str, below: str, expression: str, at: float | None, headers: dict[str, str]
) -> list[dict[str, Any]]:
    parameters = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
    # Whether a database answers is awaited where it has to, and elsewhere what is looked at.
    with stack.http(product, patience=60 if product == "prometheus" else 0) as client:
        answer = client.get(f"{below}/api/v1/query", params=parameters, headers=headers).raise_for_status()
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def _samples(stack: Stack, product: str, below: str, start: float, end: float, headers: dict[str, str]) -> Samples:
    found: Samples = set()
    for name in _NAMES:
        # To the millisecond: a second too many would bring samples of before, of which some may be lost.
        for series in _query(stack, product, below, f"{name}[{(end - start) * 1000:.0f}ms]", end, headers):
            labels = tuple(sorted((k, v) for k, v in series["metric"].items() if k != "environment"))
            # A series' end is a sample too, which VictoriaMetrics shows as NaN and Prometheus not at all.
            numbers = ((float(at), float(value)) for at, value in series["values"])
            found |= {(labels, at, f"{value:.6g}") for at, value in numbers if not math.isnan(value)}
    return found
