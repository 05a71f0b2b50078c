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
    # Rules read all of it to see whether something is missing: as often as by default, not every second.
    stack.configure(services=[service], scrape__evaluation_interval="15s")
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


def number(stack: Stack, expression: str) -> float:
    """The one value that a query has; 0 where it has none yet."""
    found = stack.query(expression)
    return float(found[0]["value"][1]) if found else 0.0


def test_the_estimate_is_what_prometheus_has(loaded: Stack) -> None:
    answer = sized(loaded)
    needs = {need["resource"]: need for need in answer["needs"]}
    (declared,) = (source for source in answer["sources"] if source["name"] == "load")
    loaded.targets_up("load")
    until(lambda: number(loaded, 'scrape_samples_scraped{service="load"}') == SERIES, "a scrape of everything")
    # To the series: what is declared, and what Prometheus adds to a target.
    assert number(loaded, 'count({job="load"})') == declared["series"]
    time.sleep(70)  # so that a minute lies between the first and the last sample that count

    series = number(loaded, "prometheus_tsdb_head_series")
    rate = number(loaded, "rate(prometheus_tsdb_head_samples_appended_total[1m])")
    cores = number(loaded, 'rate(process_cpu_seconds_total{job="prometheus"}[1m])')
    container = loaded.container("prometheus")
    memory = own_memory(container.stats(stream=False, one_shot=True))  # type: ignore[arg-type]
    limit = container.attrs["HostConfig"]["Memory"]
    TIMINGS.append(f"{'':10}series {series:,.0f} of {answer['series']:,} estimated")
    TIMINGS.append(f"{'':10}samples/s {rate:,.0f} of {answer['rate']:,.0f} estimated")
    TIMINGS.append(f"{'':10}memory {memory / 2**20:.0f} MiB of {needs['memory']['plan'] / 2**20:.0f} to plan with")
    TIMINGS.append(f"{'':10}CPU {cores:.2f} cores of {needs['cpus']['plan']:.2f} to plan with")

    assert series == pytest.approx(answer["series"], rel=0.05)
    assert rate == pytest.approx(answer["rate"], rel=0.1)
    assert cores < needs["cpus"]["plan"]
    assert needs["memory"]["plan"] / 5 < memory < needs["memory"]["plan"]
    # And the limit that is judged is the one that the engine sets.
    (judged,) = (row for row in answer["asked"] if row["key"] == "resources.prometheus.memory")
    assert judged["value"] == limit == size_bytes("1GB")
