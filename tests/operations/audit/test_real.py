"""The audit of a real Prometheus, whose series are known one by one; what it promises comes true."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner

from components.yaml_text import dump
from operations import programs
from operations.app import app
from operations.http import Endpoint
from operations.running import CheckFailed
from tests.e2e.engine import free_ports
from tests.support import data, planned, service, stack

T = TypeVar("T")
USED, IDLE, WIDE = 40, 60, 200
EVERY = 4
"""Seconds between two scrapes, and for one: the shop answers late on a busy machine, and then its series are gone."""


class Shop(BaseHTTPRequestHandler):
    """40 series of a metric that alerts ask for, 60 and 200 of some that nothing does, 7 of one that is dropped."""

    def do_GET(self) -> None:
        lines = [f'http_requests_total{{route="/{n}",method="GET",status="200"}} {n}' for n in range(USED)]
        lines += [f'shop_idle_{kind}_total{{one="{n}"}} {n}' for kind in "abc" for n in range(IDLE // 3)]
        lines += [f'shop_stock{{article="{n}",half="{n % 2}"}} {n}' for n in range(WIDE)]
        lines += [f'shop_old{{one="{n}"}} {n}' for n in range(7)]
        body = "\n".join([*lines, ""]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


@pytest.fixture
def shop() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def until(question: Callable[[], T | None], seconds: float = 180) -> T:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := question():
                return answer
        except CheckFailed:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)


class Server:
    """A Prometheus that scrapes the shop every few seconds, as the stack's own plan says."""

    def __init__(self, folder: Path, target: int, watched: dict[str, Any]) -> None:
        self.folder, self.target = folder, target
        (self.port,) = free_ports(1)
        program = programs.find("prometheus")
        assert program, "prometheus is not on this machine: `make ready`"
        self.configure(watched)
        arguments = [
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self.url = f"http://127.0.0.1:{self.port}"
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([str(program), *arguments], stdout=log, stderr=log)
        self.endpoint = Endpoint("prometheus", self.url, patience=60)

    def configure(self, watched: dict[str, Any]) -> None:
        """The job of the shop as it would be deployed; of the stack's others only Prometheus itself runs here."""
        prometheus = service(planned(stack(services=[watched])), "prometheus")
        (job,) = [job for job in data(prometheus, "prometheus.yml")["scrape_configs"] if job["job_name"] == "shop"]
        own = {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}]}
        settings = {"scrape_interval": f"{EVERY}s", "scrape_timeout": f"{EVERY}s"}
        (self.folder / "prometheus.yml").write_text(dump({"global": settings, "scrape_configs": [own, job]}))

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stored(self, job: str) -> dict[str, int]:
        found = self.endpoint.prometheus("/api/v1/query", query=f'count by (__name__) ({{job="{job}"}})')["result"]
        return {each["metric"]["__name__"]: int(each["value"][1]) for each in found}

    def close(self) -> None:
        self.endpoint.close()
        self.process.terminate()
        self.process.wait(timeout=120)


def audit(file: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["audit", str(file), *arguments])


def audited(server: Server, file: Path) -> tuple[dict[str, int], int, Any]:
    """The series of the shop's metrics, the least that there are in all, and what an audit of the same moment found.

    A scrape that is late takes all of the shop's series away for a moment; so it is made again until it saw them all.
    """
    deadline = time.monotonic() + 180
    while True:
        until(lambda: server.stored("shop").get("shop_stock") == WIDE and server.stored("prometheus").get("go_info"))
        before = server.stored("shop")
        # Counted before the audit, whose own questions give Prometheus further series of itself.
        least = sum(before.values()) + sum(server.stored("prometheus").values())
        answer = audit(file, "--against", server.url, "--json")
        assert answer.exit_code == 0, answer.output
        found = json.loads(answer.stdout)
        seen = {each["name"]: each["jobs"]["shop"] for each in found["metrics"] if "shop" in each["jobs"]}
        jobs = {job["name"]: job["series"] for job in found["jobs"]}
        whole = before.get("shop_stock") == WIDE and before == server.stored("shop")
        if (whole and before == seen and jobs.get("shop") == sum(before.values())) or time.monotonic() > deadline:
            return before, least, found


def test_what_is_found_and_what_comes_of_the_suggestion(shop: int, tmp_path: Path) -> None:
    watched: dict[str, Any] = {
        "name": "shop",
        "team": "web",
        "port": shop,
        "discovery": {"static": {"targets": ["127.0.0.1"]}},
        "exposes": ["http"],
        "drop": ["shop_old"],
    }
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(dump({"config": {"observatory:stack": {"environment": "test", "services": [watched]}}}))
    with closing(Server(tmp_path, shop, watched)) as server:
        before, least, found = audited(server, file)

        metrics = {each["name"]: each for each in found["metrics"]}
        assert metrics["shop_stock"] == {
            "name": "shop_stock",
            "series": WIDE,
            "jobs": {"shop": WIDE},
            "recorded": False,
            "used": False,
        }
        assert metrics["http_requests_total"]["used"]
        jobs = {job["name"]: job for job in found["jobs"]}
        assert (jobs["shop"]["kept"], jobs["shop"]["left_out"]) == (USED + IDLE + WIDE, 7)
        assert jobs["shop"]["series"] == sum(before.values())
        assert (jobs["shop"]["pools"], jobs["shop"]["targets"], jobs["shop"]["interval"]) == (["shop"], 1, EVERY)
        assert found["series"]["active"] >= least
        (stock,) = [each for each in found["wide"] if each["metric"] == "shop_stock"]
        assert stock["labels"] == [
            {"name": "article", "values": WIDE, "series_without": 2},
            {"name": "half", "values": 2, "series_without": WIDE},
        ]
        assert {
            key: value
            for each in found["labels"]
            if each["name"] == "article"
            for key, value in each.items()
            if key != "bytes"
        } == {"name": "article", "values": WIDE}

        by_job = {each["job"]: each for each in found["suggestions"]}
        suggestion = by_job["shop"]
        assert suggestion["stack_file"] == {"name": "shop", "drop": ["shop_old", "shop_idle_.*", "shop_stock"]}
        assert suggestion["series"] == IDLE + WIDE
        assert suggestion["samples_per_second"] == (IDLE + WIDE) / EVERY
        assert by_job["prometheus"]["stack_file"] is None
        assert by_job["prometheus"]["metric_relabel_configs"][0]["action"] == "drop"
        assert found["saves"]["series"] == sum(each["series"] for each in found["suggestions"])

        server.configure(watched | {"drop": suggestion["stack_file"]["drop"]})
        server.reload()

        def reduced() -> dict[str, int] | None:
            # In one answer: while no scrape was in time, nothing at all is there.
            now = server.stored("shop")
            return now if "shop_stock" not in now and now.get("http_requests_total") == USED else None

        after = until(reduced)
        assert sum(before.values()) - sum(after.values()) == suggestion["series"]

        again = json.loads(audit(file, "--against", server.url, "--json").stdout)
        assert "shop" not in {each["job"] for each in again["suggestions"]}
        text = audit(file, "--against", server.url, "--least", "100000").stdout
        assert "Every metric of a scrape job is used" in text

        until(lambda: server.endpoint.prometheus("/api/v1/status/tsdb")["headStats"]["numSeries"] > 1000)
        refused = audit(file, "--against", server.url, "--max-samples", "1000")
        assert refused.exit_code == 1
        assert "and --max-samples allows 1,000" in refused.stderr


def test_errors_are_told(tmp_path: Path) -> None:
    for arguments, code, words in (
        (("--against", "127.0.0.1:9090"), 2, "--against 127.0.0.1:9090 is no address"),
        (("--against", "http://me:secret@127.0.0.1:9090"), 2, "--against has a login in it"),
        (("--against", "http://127.0.0.1:1"), 1, "prometheus cannot be reached"),
    ):
        answer = audit(Path("dev"), *arguments)
        assert answer.exit_code == code
        assert words in answer.stderr
        assert "secret" not in answer.stderr
