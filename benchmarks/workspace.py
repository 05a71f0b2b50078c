"""A copy of this project in a temporary folder with a state of its own: a benchmark changes nothing that is in use."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 600
"""Seconds for one command."""
_COPIED = ("__main__.py", "Pulumi.yaml", "components", "dashboards", "rules", "runbooks", "requirements.txt")
_PROJECT = "name: benchmark-{}\nruntime:\n  name: python\n  options:\n    virtualenv: .venv\n"
_EMPTY = '"""Nothing: what Pulumi itself costs."""\n'
_SMALLEST = '''"""One resource of each provider that the stack needs: what the providers cost."""

import pulumi
import pulumi_docker
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("smallest", props)


class Smallest(Resource, module="benchmark", name="Smallest"):
    pass


engine = pulumi_docker.Provider("engine")
options = pulumi.ResourceOptions(provider=engine)
pulumi_docker.Volume("volume", name=f"{pulumi.get_stack()}-smallest", opts=options)
Smallest(Provider(), "smallest", {"a": 1})
'''
_ENDING_SECONDS = 60


class CommandFailed(Exception):
    """A command that had to succeed did not; the text says which, and what it said."""


def run(command: list[str], folder: Path, variables: Mapping[str, str] | None = None) -> float:
    """Seconds that a command takes. It must succeed. On Ctrl-C it is asked to end, and waited for."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(PATIENCE)
            seconds = time.perf_counter() - begin
        except BaseException:
            _end(process)
            raise
        if code != 0:
            output.seek(0)
            raise CommandFailed(f"`{' '.join(command)}` ended with {code}:\n{output.read()[-4000:]}")
    return seconds


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it end by itself, for a Pulumi that is killed leaves plugins behind; by force if it does not."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Workspace:
    """The copy, an empty and a smallest Pulumi program beside it, and a state that all share."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="observatory-bench-"))
        self.project, self.empty, self.smallest = (self.folder / name for name in ("project", "empty", "smallest"))
        self.variables = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": "of the benchmark",
            "NO_COLOR": "1",
        }
        self.variables.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def __enter__(self) -> Self:
        for folder in (self.project / "stacks", self.empty, self.smallest, self.folder / "state"):
            folder.mkdir(parents=True)
        for name in _COPIED:
            source, target = ROOT / name, self.project / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        substitutes = ROOT / ".observatory" / "images.yaml"
        if substitutes.exists():
            (self.project / ".observatory").mkdir()
            shutil.copy2(substitutes, self.project / ".observatory")
        for program, text in ((self.empty, _EMPTY), (self.smallest, _SMALLEST)):
            (program / "Pulumi.yaml").write_text(_PROJECT.format(program.name))
            (program / "__main__.py").write_text(text)
        for program in (self.project, self.empty, self.smallest):
            (program / ".venv").symlink_to(ROOT / ".venv")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def pulumi(self, program: Path, stack: str, *arguments: str) -> float:
        """Seconds that Pulumi takes for a stack of one of the programs."""
        command = ["pulumi", *arguments, "--stack", stack, "--non-interactive", "--color=never"]
        return run(command, program, self.variables)
