"""A copy of this project in a folder of its own, and Pulumi runs in it: the working tree stays as it is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_COPIED = (
    "__main__.py",
    "Pulumi.yaml",
    "components",
    "dashboards",
    "metrics",
    "observatory",
    "operations",
    "requirements.txt",
    "rules",
    "runbooks",
    "tests/rules",
    "toolchain",
)
PATIENCE = 900
"""Seconds for one command, for which a busy machine needs many times as long; the slowest takes half a minute."""


@dataclass(frozen=True)
class Outcome:
    """A command that has ended. `output` is what a user sees: both streams. As text, its last lines."""

    command: str
    code: int
    output: str
    seconds: float

    def __str__(self) -> str:
        last = "\n".join(self.output.splitlines()[-60:])
        return f"`{self.command}` ended with {self.code} after {self.seconds:.1f} s:\n{last}"


class Run:
    """A command that runs in a session of its own, so that all of its processes can be found and ended."""

    def __init__(self, command: list[str], folder: Path, variables: dict[str, str], stdin: str = "") -> None:
        self.command, self._begin = " ".join(command), time.monotonic()
        self._log = folder.parent / f"output-{time.monotonic_ns()}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self.process.stdin
        with suppress(BrokenPipeError):
            self.process.stdin.write(stdin.encode())
            self.process.stdin.close()

    def output(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    def wait(self, seconds: float = PATIENCE) -> Outcome:
        """Its end; it is ended by force when it takes too long or the test is interrupted."""
        try:
            code = self.process.wait(seconds)
        except BaseException:
            self.kill()
            raise
        return Outcome(self.command, code, self.output(), time.monotonic() - self._begin)

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """What a power cut does: every process ends at once, plugins too, which are in process groups of their own."""
        listed = subprocess.run(["ps", "-eo", "pid=,sess="], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            pid, session = map(int, line.split())
            if session == self.process.pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Project:
    """The copy, with its own stack files and its own state."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder / "project", folder / "state"
        self.state.mkdir(parents=True)
        (self.folder / "stacks").mkdir(parents=True)
        for name in _COPIED:
            source, target = ROOT / name, self.folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        (self.folder / ".venv").symlink_to(ROOT / ".venv")
        substitutes = ROOT / ".observatory" / "images.yaml"
        if substitutes.exists():
            (self.folder / ".observatory").mkdir()
            shutil.copy2(substitutes, self.folder / ".observatory")
        self.variables = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.state}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": "of the end-to-end tests",
            "NO_COLOR": "1",
        }
        self.variables.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def start(self, *command: str, stdin: str = "") -> Run:
        """Start a command in the copy."""
        return Run(list(command), self.folder, self.variables, stdin)

    def run(self, *command: str, stdin: str = "") -> Outcome:
        """Run a command in the copy."""
        return self.start(*command, stdin=stdin).wait()

    @contextmanager
    def changed(self, path: str, old: str, new: str) -> Iterator[None]:
        """A file of the copy with another text in one place."""
        file = self.folder / path
        before = file.read_text()
        assert before.count(old) == 1, f"{path} has {old!r} {before.count(old)} times, not once"
        file.write_text(before.replace(old, new))
        try:
            yield
        finally:
            file.write_text(before)
