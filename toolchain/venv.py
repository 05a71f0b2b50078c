"""The project's virtual environment, kept equal to the requirement files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from toolchain import atomic, children
from toolchain.machine import ROOT, VENV, ToolchainError, is_debian, python_version
from toolchain.progress import Progress

RUN = "requirements.txt"
DEVELOP = "requirements-dev.txt"
_lock = threading.Lock()


def folder() -> Path:
    """The environment's folder; Pulumi.yaml names the same one."""
    return VENV


def _stamp() -> Path:
    return VENV / ".observatory.json"


def _files(file: Path) -> Iterator[Path]:
    """A requirement file and those that it includes."""
    yield file
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            yield from _files(file.parent / line.removeprefix("-r ").strip())


def _digest(name: str) -> str:
    text = "\n".join(file.read_text(encoding="utf-8") for file in _files(ROOT / name))
    return hashlib.sha256(f"{python_version()}\n{text}".encode()).hexdigest()


def _installed() -> dict[str, str]:
    """What an earlier run finished: requirement file to digest."""
    if not (VENV / "bin" / "python").exists():
        return {}
    try:
        content = json.loads(_stamp().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(content) if isinstance(content, dict) else {}


def is_ready(name: str = RUN) -> bool:
    """Whether the environment holds exactly what a requirement file asks for."""
    return _installed().get(name) == _digest(name)


def ensure(progress: Progress, name: str = RUN) -> None:
    """Makes or updates the environment; what an interrupted run left is completed.

    What developing needs stays installed once it was asked for. Raises ToolchainError.
    """
    with _lock:
        if is_ready(name):
            return
        with atomic.lock(ROOT / ".observatory" / "venv.lock"):
            if is_ready(name):
                return
            wanted = DEVELOP if DEVELOP in _installed() else name
            with progress.step(".venv", f"installing {wanted}", "ready"):
                _stamp().unlink(missing_ok=True)
                _create()
                install(["-r", str(ROOT / wanted)], "pip")
                done = {RUN: _digest(RUN)}
                if wanted == DEVELOP:
                    done[DEVELOP] = _digest(DEVELOP)
                os.sync()  # a power cut must not leave the stamp without what it speaks of
                atomic.write(_stamp(), json.dumps(done, indent=1) + "\n")


def _create() -> None:
    python = VENV / "bin" / "python"
    if python.exists():
        check = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
        answer = subprocess.run([str(python), "-c", check], capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip() == python_version():
            return
    shutil.rmtree(VENV, ignore_errors=True)
    remedy = "run `apt-get install python3-venv` and try again" if is_debian() else ""
    children.run([sys.executable, "-m", "venv", str(VENV)], "venv", remedy=remedy)


def install(arguments: list[str], log: str) -> None:
    """Runs `pip install` in the environment; raises ToolchainError with pip's last lines."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    remedy = "see whether the Python package index can be reached from here"
    children.run([*pip, *arguments], log, remedy=remedy)


def missing_error() -> ToolchainError:
    """What to say when something needs the environment and nobody made it."""
    return ToolchainError("there is no .venv yet; run `make ready`")
