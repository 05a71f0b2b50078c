"""A Docker engine that answers: the one that is there, started or, as root on Debian and Ubuntu, installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

from toolchain import atomic, children
from toolchain.docker_api import DEFAULT_HOST, Engine, current_host
from toolchain.machine import ToolchainError, cache_folder, is_debian, is_root, system
from toolchain.progress import Progress

_START_SECONDS = 60.0
_apt = threading.Lock()  # apt-get refuses to run twice
_apt_updated = False
_started: list[subprocess.Popen[bytes]] = []  # kept, as Python warns about a child that is let go while it runs


def ensure(progress: Progress) -> Engine:
    """An engine that answers; raises ToolchainError that says what to do."""
    engine = Engine(current_host())
    if engine.answers():
        return engine
    if engine.host != DEFAULT_HOST:
        raise ToolchainError(f"the Docker engine at {engine.host} does not answer; start it, or change DOCKER_HOST")
    with atomic.lock(cache_folder() / "engine" / "lock"):
        if engine.answers():
            return engine
        if not is_root() or system() != "linux":
            raise ToolchainError(_what_to_do())
        if not shutil.which("dockerd"):
            if not is_debian():
                raise ToolchainError(_what_to_do())
            with progress.step("docker engine", "installing the packages docker.io and iptables", "installed"):
                apt_install("docker.io", "iptables")
        with progress.step("docker engine", "starting", "answers"):
            _start(engine)
    return engine


def _what_to_do() -> str:
    if Path(DEFAULT_HOST.removeprefix("unix://")).exists() and not is_root():
        return "the Docker engine's socket is there but not for you; add yourself to the group `docker`, log in again"
    if shutil.which("dockerd") or shutil.which("docker"):
        return (
            "the Docker engine does not run; start it (`sudo systemctl start docker`, or Docker Desktop) and run again"
        )
    return "no Docker engine here; install one (https://docs.docker.com/engine/install/) or set DOCKER_HOST, run again"


def apt_install(*packages: str) -> None:
    """Installs Debian packages as root, their services not started; raises ToolchainError."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _apt:
        _apt_update(environment)
        # An interrupted installation has to be completed first, or the next one is refused.
        children.run(["dpkg", "--configure", "-a"], "dpkg", environment=environment)
        command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        children.run(command, "apt-install", environment=environment, remedy=f"install {' '.join(packages)} yourself")


def apt_download(package: str, folder: Path) -> Path:
    """Downloads a Debian package into a folder without installing it; raises ToolchainError."""
    with _apt:
        if is_root():
            _apt_update(dict(os.environ))
        children.run(
            ["apt-get", "download", package], "apt-download", folder=folder, remedy=f"install {package} yourself"
        )
    files = sorted(folder.glob(f"{package}_*.deb"))
    if not files:
        raise ToolchainError(f"apt-get downloaded no {package}; install {package} yourself")
    return files[0]


def _apt_update(environment: dict[str, str]) -> None:
    global _apt_updated  # noqa: PLW0603 - once a run is enough
    if not _apt_updated:
        children.run(["apt-get", "update"], "apt-update", environment=environment)
        _apt_updated = True


def _start(engine: Engine) -> None:
    """Starts the installed engine; it belongs to the machine and outlives us."""
    log = cache_folder() / "engine" / "dockerd.log"
    if _runs_systemd():
        children.run(["systemctl", "start", "docker"], "engine-start")
        process = None
    else:
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True
            )
        _started.append(process)
        atomic.write(cache_folder() / "engine" / "dockerd.pid", f"{process.pid}\n")
    deadline = time.monotonic() + _START_SECONDS
    while not engine.answers():
        children.check_interrupted()
        if process is not None and process.poll() is not None:
            raise ToolchainError(f"the Docker engine ended at once: {_last_line(log)} (see {log})")
        if time.monotonic() > deadline:
            raise ToolchainError(f"the Docker engine did not answer within {_START_SECONDS:.0f} s (see {log})")
        time.sleep(0.1)


def _runs_systemd() -> bool:
    return Path("/run/systemd/system").exists()


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"
