"""Under which conditions was measured: without them, figures say nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import docker


def load() -> str:
    """How busy the machine is: the load averages over 1, 5 and 15 minutes."""
    return ", ".join(f"{value:.2f}" for value in os.getloadavg())


def facts(images: list[str], compose: list[str]) -> list[tuple[str, str]]:
    """The machine, its programs, and the images of the stack."""
    client = docker.from_env(timeout=30)
    version = client.version()
    client.close()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("machine", f"{cores} cores, {_memory()}, {platform.system()} {platform.machine()}"),
        ("Docker engine", str(version["Version"])),
        ("Pulumi", _answer(["pulumi", "version"])),
        ("Compose", _answer([*compose, "version", "--short"])),
        ("Python", platform.python_version()),
        ("images", ", ".join(images)),
    ]


def short_image(image: str) -> str:
    """An image's name and tag, without registry and digest."""
    return image.split("@", maxsplit=1)[0].rsplit("/", 1)[-1]


def _memory() -> str:
    try:
        line = Path("/proc/meminfo").read_text().splitlines()[0]
        return f"{int(line.split()[1]) / 2**20:.0f} GiB"
    except (OSError, IndexError, ValueError):
        return "memory unknown"


def _answer(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "not found"
