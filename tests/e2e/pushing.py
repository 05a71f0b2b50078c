"""A Prometheus on this machine, of somebody else's: it scrapes a counter and pushes what it has to a stack."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from components.yaml_text import dump
from tests.e2e.engine import free_ports


class _Shop(BaseHTTPRequestHandler):
    """Ten requests a second, every tenth of which fails."""

    def do_GET(self) -> None:
        served = int(time.time() - 1e9)
        lines = (f'http_requests_total{{status_code="{code}"}} {served * n}' for code, n in (("200", 9), ("500", 1)))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write("\n".join(["# TYPE http_requests_total counter", *lines, ""]).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class Pushing:
    """The server with its target; `to` is its `remote_write` entry, `labels` what all of its series carry."""

    def __init__(self, folder: Path, to: dict[str, Any], labels: dict[str, str]) -> None:
        self._shop = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
        threading.Thread(target=self._shop.serve_forever, daemon=True).start()
        target = f"127.0.0.1:{self._shop.server_address[1]}"
        config = {
            "global": {"scrape_interval": "1s", "external_labels": labels},
            "scrape_configs": [{"job_name": "pushed", "static_configs": [{"targets": [target]}]}],
            "remote_write": [to],
        }
        folder.mkdir()
        (folder / "prometheus.yml").write_text(dump(config))
        (port,) = free_ports(1)
        program = shutil.which("prometheus")
        assert program, "prometheus is not on the path"
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """End both."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._shop.shutdown()
        self._shop.server_close()
