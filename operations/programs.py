"""Finds the programs that check rendered files: on PATH, else where `make ready` keeps what it has made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60
"""Seconds for a program to check a file."""


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where `make ready` keeps programs: one folder for each version of each."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "observatory" / "programs"


def find(name: str, environment: Mapping[str, str] | None = None) -> Path | None:
    """The program, or None. Of several versions that are kept, the newest by number."""
    environment = os.environ if environment is None else environment
    own = shutil.which(name, path=environment.get("PATH", os.defpath))
    if own:
        return Path(own)
    kept = [file for file in cache_folder(environment).glob(f"*/*/bin/{name}") if os.access(file, os.X_OK)]
    return max(kept, key=lambda file: _numbers(file.parents[1].name), default=None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.split("-", maxsplit=1)[0]))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said: its exit code, and both its outputs in one text."""

    code: int
    text: str


def run(program: Path, arguments: Sequence[str], folder: Path, patience: float = PATIENCE) -> Answer:
    """Run a program in a folder without input. One that does not end in time counts as failed."""
    try:
        done = subprocess.run(
            [str(program), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(1, f"{program.name} did not end within {patience:g} s")
    except OSError as error:
        return Answer(1, f"{program} cannot be started: {error.strerror}")
    return Answer(done.returncode, done.stdout.strip())
