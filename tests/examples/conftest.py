"""What the tests of the examples share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from toolchain import runtimes
from toolchain.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., str]


@pytest.fixture
def registry() -> CollectorRegistry:
    """One of its own for each test: no test sees what another has counted."""
    return CollectorRegistry()


@pytest.fixture(scope="session")
def gateway_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gateway with its packages, as they are in its image."""
    folder = tmp_path_factory.mktemp("gateway")
    for file in (ROOT / "examples" / "gateway").iterdir():
        if file.is_file():
            shutil.copy2(file, folder)
    (folder / "node_modules").symlink_to(runtimes.node_modules(Progress()))
    return folder


@pytest.fixture(scope="session")
def node() -> str:
    """Node of the pinned version."""
    return str(runtimes.node_program(Progress()))


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Starts a program that says `... answers on port N`, and gives its URL; all end with the session."""
    running: list[subprocess.Popen[str]] = []

    def begin(*command: str, folder: Path = ROOT, **variables: str) -> str:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout
        said = process.stdout.readline()
        assert " answers on port " in said, f"{command} said {said!r}"
        return f"http://127.0.0.1:{said.rsplit(' ', 1)[1].strip()}"

    yield begin
    for process in running:
        process.terminate()
    for process in running:
        assert process.stdout
        process.stdout.close()
        assert process.wait(90) == 0, f"{process.args!r} does not end well"


@pytest.fixture(scope="session")
def shop(start: Start) -> str:
    """URL of a shop whose payment provider does not answer."""
    return start(sys.executable, "-m", "examples.shop", "--port=0", "--payments=http://127.0.0.1:9")


@pytest.fixture(scope="session")
def gateway(start: Start, shop: str, gateway_folder: Path, node: str) -> str:
    """URL of a gateway before that shop."""
    return start(node, "server.js", folder=gateway_folder, PORT="0", SHOP_URL=shop)


@pytest.fixture(scope="session")
def exporter(start: Start) -> str:
    """URL of an exporter."""
    return start(sys.executable, "-m", "examples.exporter", "--port=0")
