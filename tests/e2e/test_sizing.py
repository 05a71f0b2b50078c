"""The estimate of `size` beside a real Prometheus: series, samples per second, processor time and memory."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from benchmarks.resting import own_memory
from components.config.base import size_bytes
from tests.e2e.engine import until
from tests.e2e.stack import TIMINGS, Stack

METRICS, ITEMS = 50, 1000
SERIES = METRICS * ITEMS
SCRAPED = 'scrape_samples_scraped{service="load"}'
SCRAPES = f"count_over_time({SCRAPED}[65s]) and min_over_time({SCRAPED}[65s]) == {SERIES}"
"""How many there were of everything in the last minute; none where there was one of less."""


class Load(ThreadingHTTPServer):
    """A target of 50 counters with 1,000 items each, of which most move between two scrapes."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        self.scrapes = 0
        super().__init__((address, 0), LoadHandler)

    def page(self) -> bytes:
        """All of it, in Prometheus' text format."""
        self.scrapes += 1
        values = [self.scrapes * (item % 17) + self.scrapes * item % 7 for item in range(ITEMS)]
        lines = []
        for metric in range(METRICS):
            lines.append(f"# TYPE load_{metric}_total counter")
            lines += [f'load_{metric}_total{{item="{item}"}} {value}' for item, value in enumerate(values)]
        return "\n".join([*lines, ""]).encode()


class LoadHandler(BaseHTTPRequestHandler):
    """One scrape."""

    server: Load

    def do_GET(self) -> None:
        body = self.server.page()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


@pytest.fixture
def loaded(stack: Stack) -> Iterator[Stack]:
    """The shared stack with that target."""
    load = Load(stack.engine.gateway(stack.environment))
    threading.Thread(target=load.serve_forever, daemon=True).start()
    host, port = load.server_address[:2]
    service = {
        "name": "load",
        "team": "web",
        "discovery": {"static": {"targets": [f"{host!s}:{port}"]}},
        "series_budget": SERIES,
        "sample_limit": SERIES,
        "metrics": {
            f"load_{metric}_total": {"type": "counter", "labels": {"item": ITEMS}} for metric in range(METRICS)
        },
    }
    # Rules read all of it to see whether something is missing: as often as by default, not every second. And a busy
    # machine may need more than the usual two seconds for so long a page.
    stack.configure(services=[service], scrape={"interval": "5s", "timeout": "5s", "evaluation_interval": "15s"})
    stack.up()
    yield stack
    load.shutdown()
    load.server_close()
    stack.restore()


def sized(stack: Stack, *options: str) -> dict[str, Any]:
    """What `./observatory size` answers."""
    outcome = stack.project.start("./observatory", "size", stack.environment, "--json", *options).wait()
    assert outcome.code == 0, outcome
    found: dict[str, Any] = json.loads(outcome.output)
    return found


def number(stack: Stack, expression: str, at: float | None = None) -> float:
    """The one value that a query has; 0 where it has none yet."""
    found = stack.query(expression, at)
    return float(found[0]["value"][1]) if found else 0.0


def test_the_estimate_is_what_prometheus_has(loaded: Stack) -> None:
    answer = sized(loaded)
    needs = {need["resource"]: need for need in answer["needs"]}
    (declared,) = (source for source in answer["sources"] if source["name"] == "load")
    loaded.targets_up("load")
    # To the series: what is declared, and what Prometheus adds to a target.
    own = 'count({job="load",__name__!~"ALERTS.*"})'
    until(
        lambda: number(loaded, own) == declared["series"],
        lambda: f"{declared['series']}, not {number(loaded, own)}",
        180,
    )
    seen: dict[str, float] = {}

    def measured() -> bool:
        """In a minute of which a busy machine has missed no scrape; those of both jobs are counted at other moments."""
        at = time.time()
        if number(loaded, SCRAPES, at) < 13:
            return False
        seen["series"] = number(loaded, 'count({__name__=~".+"})', at)
        seen["rate"] = number(loaded, 'rate(prometheus_tsdb_head_samples_appended_total{job="prometheus"}[1m])', at)
        seen["cores"] = number(loaded, 'rate(process_cpu_seconds_total{job="prometheus"}[1m])', at)
        return seen["rate"] == pytest.approx(answer["rate"], rel=0.1)

    until(measured, lambda: f"{answer['rate']} samples per second, as estimated: {seen}", 300)
    series, rate, cores = seen["series"], seen["rate"], seen["cores"]
    container = loaded.container("prometheus")
    memory = own_memory(container.stats(stream=False, one_shot=True))  # type: ignore[arg-type]
    limit = container.attrs["HostConfig"]["Memory"]
    TIMINGS.append(f"{'':10}series {series:,.0f} of {answer['series']:,} estimated")
    TIMINGS.append(f"{'':10}samples/s {rate:,.0f} of {answer['rate']:,.0f} estimated")
    TIMINGS.append(f"{'':10}memory {memory / 2**20:.0f} MiB of {needs['memory']['plan'] / 2**20:.0f} to plan with")
    TIMINGS.append(f"{'':10}CPU {cores:.2f} cores of {needs['cpus']['plan']:.2f} to plan with")

    assert series == pytest.approx(answer["series"], rel=0.05)
    assert cores < needs["cpus"]["plan"]
    assert needs["memory"]["plan"] / 5 < memory < needs["memory"]["plan"]
    # And the limit that is judged is the one that the engine sets.
    (judged,) = (row for row in answer["asked"] if row["key"] == "resources.prometheus.memory")
    assert judged["value"] == limit == size_bytes("1GB")
