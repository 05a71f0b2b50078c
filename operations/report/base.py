"""What another revision would deploy: its files in a folder of their own, planned by its own code.

A revision without snapshots lends its stack files, rules, metrics and versions, and this one's code plans them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.config.load import FOLDER, stack_path
from components.yaml_text import dump, load
from operations.errors import CommandError
from operations.report.snapshot import FORMAT, Snapshot
from operations.revisions import checked_out, commit_of, renames

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
"""Seconds for another revision to plan its stacks."""
_CODE, _CONTENT = ("components", "dashboards", "operations"), ("rules", "metrics")
_VERSIONS = Path("components/versions.yaml")
_SNAPSHOT = Path("operations/report/snapshot.py")


@dataclass(frozen=True, slots=True)
class Base:
    """The stacks of a revision. `snapshots` has None for a stack that it does not have."""

    commit: str
    snapshots: tuple[Snapshot | None, ...]
    renamed: tuple[str, ...] = ()
    """For each stack the path of the file that it was called there; empty where it is called the same."""
    note: str = ""
    """What a reader has to know about how they were made."""


def base_of(revision: str, stacks: Sequence[str], root: Path = ROOT) -> Base:
    """The stacks as a revision has them. Raises CommandError where git does not know it, or it cannot be planned."""
    commit = commit_of(revision, root)
    files, old_names = [_inside(stack, root) for stack in stacks], renames(commit, root)
    renamed = tuple(old_names.get(_path(file), "") for file in files)
    files = [was or file for was, file in zip(renamed, files, strict=True)]
    with checked_out(commit, root) as folder:
        own = _planned(folder, files, revision) if (folder / _SNAPSHOT).is_file() else None
        note = ""
        if own is None:
            note = f"{revision} cannot make snapshots: its stack files, rules and metrics were planned by this code"
            _lend(folder, root, _CODE)
            try:
                own = _planned(folder, files, revision)
            except CommandError:  # dashboards of now ask for alerts that its rules do not have
                note = (
                    f"{revision} cannot make snapshots: only its stack files and versions count, planned by this code"
                )
                _lend(folder, root, _CONTENT)
                own = _planned(folder, files, revision)
    if own is None:
        raise CommandError(f"{revision} answered in another format than {FORMAT}")
    snapshots = tuple(None if each is None else Snapshot.model_validate(each) for each in own)
    return Base(commit, snapshots, renamed, note)


def _inside(stack: str, root: Path) -> str:
    """A stack as the other revision knows it: by its name, or by its path from the root."""
    path = stack_path(stack)
    if stack == str(path):
        if not path.resolve().is_relative_to(root):
            raise CommandError(f"{stack} is outside of {root}", "no revision has it; give a stack of this repository")
        return str(path.resolve().relative_to(root))
    return stack


def _path(file: str) -> str:
    """The path from the root of a stack that is called by its name or by that path."""
    return file if file.endswith((".yaml", ".yml")) else f"{FOLDER.name}/Pulumi.{file}.yaml"


def _planned(folder: Path, stacks: Sequence[str], revision: str) -> list[Any] | None:
    """The snapshots, as data; None where they are in a format that this revision does not read."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "operations.report.snapshot", *stacks],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{revision} could not be planned within {PATIENCE} s") from None
    if done.returncode:
        said = done.stderr.strip().replace(f"{folder}/", "")
        reason = said if "Traceback" not in said else said.splitlines()[-1]
        raise CommandError(f"{revision} cannot be planned: {reason}", "give another --base")
    answer = json.loads(done.stdout)
    return list(answer["stacks"]) if answer["format"] == FORMAT else None


def _lend(folder: Path, root: Path, names: Sequence[str]) -> None:
    """Folders of this revision in place of another one's. Images keep the pins that they have there."""
    pins = load((folder / _VERSIONS).read_text()) if (folder / _VERSIONS).is_file() else {}
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / _VERSIONS).write_text(dump({**load((root / _VERSIONS).read_text()), **pins}))
