"""PostgreSQL, whose database the end-to-end tests log in to as Grafana does: the machine's own, or Debian's package."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from toolchain.engine import apt_install
from toolchain.machine import ToolchainError, is_debian, is_root
from toolchain.progress import Progress

DEBIAN = Path("/usr/lib/postgresql")
"""Debian has a folder for each version there, and none of its programs on PATH."""


def program() -> Path | None:
    """`postgres`, with its other programs beside it; None where it is not installed."""
    if own := shutil.which("postgres"):
        return Path(own).resolve()  # its other programs are beside it, not beside a link to it
    return max(DEBIAN.glob("*/bin/postgres"), key=lambda file: int(re.sub(r"\D", "", file.parts[-3])), default=None)


def ensure(progress: Progress) -> Path:
    """The program, installed where it is missing and can be; raises ToolchainError."""
    if program() is None:
        if not (is_debian() and is_root()):
            raise ToolchainError("the end-to-end tests need PostgreSQL; install it and run again")
        with progress.step("postgresql", "installing the package", "installed"):
            apt_install("postgresql")
    found = program()
    if found is None:
        raise ToolchainError("the package postgresql has no program `postgres`; install it yourself")
    return found
