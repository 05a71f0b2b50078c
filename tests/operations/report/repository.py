"""A git repository with this project's code and stacks of its own, whose working tree tests change."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.yaml_text import dump

ROOT = Path(__file__).resolve().parents[3]
_COPIED = (
    "components",
    "dashboards",
    "metrics",
    "observatory",
    "operations",
    "requirements.txt",
    "rules",
    "runbooks",
    "toolchain",
)
_NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Somebody"), ("EMAIL", "somebody@example.com"))
}


class Repository:
    """Commits and changes; `observatory` runs its own copy of the command."""

    def __init__(
        self, folder: Path, stacks: Mapping[str, Mapping[str, Any]], files: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)
        (folder / ".gitignore").write_text("__pycache__\n.observatory\n")
        for name, stack in stacks.items():
            self.write(f"stacks/Pulumi.{name}.yaml", dump({"config": {"observatory:stack": dict(stack)}}))
        for path, text in (files or {}).items():
            self.write(path, text)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("reviewed")

    def write(self, path: str, text: str) -> None:
        """Put a file into the working tree."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        """Change one place of a file."""
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times, not once"
        self.write(path, text.replace(old, new))

    def git(self, *arguments: str) -> str:
        """Run git, which has to succeed."""
        command = ["git", "-c", "commit.gpgsign=false", *arguments]
        environment = {**os.environ, **_NOBODY}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=True, timeout=600
        ).stdout

    def commit(self, tag: str) -> None:
        """Commit all that is there, under a tag."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", tag)
        self.git("tag", tag)

    def restore(self) -> None:
        """The working tree as it was committed first."""
        self.git("checkout", "--quiet", "--force", "main")
        self.git("reset", "--quiet", "--hard", "reviewed")
        self.git("clean", "--quiet", "--force", "-d")

    def observatory(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        done = subprocess.run(
            [sys.executable, "-B", "observatory", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        done.stderr = without_progress(done.stderr)
        return done

    def report(self, *arguments: str) -> dict[str, Any]:
        """The report as data."""
        done = self.observatory("report", *arguments, "--json")
        assert not done.stderr, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def without_progress(text: str) -> str:
    """What a command said but for what it tells of a step every half a minute: only a busy machine takes so long."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("still: "))


def without_commit(text: str) -> str:
    """A report without what changes though nobody changed a report: the commit's id, and how large the catalogue is."""
    return re.sub(r"and \d+ more", "and N more", re.sub(r"\([0-9a-f]{10}\)", "(commit)", text))
