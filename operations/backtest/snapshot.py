"""A folder with Prometheus' data, answered from by a Prometheus of its own: on a copy, so that it stays as it is."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from operations import programs
from operations.errors import CommandError, UsageError
from operations.http import Endpoint
from operations.running import CheckFailed

PATIENCE = 120.0
"""Seconds until it answers: it reads its write-ahead log first."""


@contextmanager
def opened(folder: Path, patience: float) -> Iterator[tuple[Endpoint, float]]:
    """A Prometheus over a copy of the folder, on a free port of loopback, and the time of the last sample.

    `patience` is in seconds, for one answer. Raises UsageError where the folder holds no data.
    """
    program = programs.find("prometheus")
    if program is None:
        raise CommandError("prometheus is not on this machine, which reads a snapshot", "`make ready` gets it")
    blocks = [block for block in folder.iterdir() if (block / "meta.json").is_file()]
    if not blocks and not (folder / "wal").is_dir():
        raise UsageError(
            f"--against {folder} holds no data of Prometheus",
            "give the folder with its blocks: `wal`, 01ABC... and so on",
        )
    with tempfile.TemporaryDirectory(prefix="observatory-snapshot-") as name:
        place = Path(name)
        try:
            _copy(folder, blocks, place / "data")
        except OSError as error:
            raise CommandError(f"{folder} cannot be copied: {error}") from None
        (place / "prometheus.yml").write_text("{}\n")
        with _running(program, place) as port:
            endpoint = Endpoint("the snapshot's Prometheus", f"http://127.0.0.1:{port}", patience=patience)
            try:
                yield endpoint, _last(blocks, endpoint)
            finally:
                endpoint.close()


def _copy(folder: Path, blocks: list[Path], to: Path) -> None:
    """Blocks by hard links where that can be: Prometheus replaces their files, it never writes into them."""
    for block in blocks:
        shutil.copytree(block, to / block.name, copy_function=_linked)
    for name in ("wal", "wbl", "chunks_head"):
        if (folder / name).is_dir():
            shutil.copytree(folder / name, to / name)


def _linked(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _free_port() -> int:
    """A port of loopback below those that the system gives to outgoing connections, which would take it meanwhile."""
    for port in random.sample(range(20000, 30000), 100):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise CommandError("there is no free port between 20000 and 30000")


@contextmanager
def _running(program: Path, place: Path) -> Iterator[int]:
    port = _free_port()
    log = place / "log"
    arguments = [
        f"--config.file={place / 'prometheus.yml'}",
        f"--storage.tsdb.path={place / 'data'}",
        "--storage.tsdb.retention.time=100y",
        # Blocks stay as they are: without longer ones nothing is merged.
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=2h",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen([str(program), *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _await(process, port, log)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    endpoint, deadline = Endpoint("prometheus", f"http://127.0.0.1:{port}"), time.monotonic() + PATIENCE
    try:
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(CheckFailed):
                endpoint.get("/-/ready")
                return
            time.sleep(0.1)
    finally:
        endpoint.close()
    words = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise CommandError(f"no Prometheus comes up on the snapshot: {' '.join(words) or 'it does not get ready'}")


def _last(blocks: list[Path], endpoint: Endpoint) -> float:
    """The time of the last sample, in seconds since 1970: that of the log, or of the last block."""
    ends = [int(json.loads((block / "meta.json").read_text())["maxTime"]) - 1 for block in blocks]
    head = endpoint.prometheus("/api/v1/status/tsdb")["headStats"]
    if head["numSeries"]:
        ends.append(int(head["maxTime"]))
    return max(ends, default=0) / 1000
