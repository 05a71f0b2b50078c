"""The tutorial, command by command, as a new user would follow it."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.config import StackConfig
from components.yaml_text import dump, load
from tests.e2e.engine import Engine, free_ports, until
from tests.e2e.project import ROOT

TUTORIAL = ROOT / "docs" / "tutorial.md"
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".observatory",
    "__pycache__",
    ".*_cache",
    "node_modules",
)
PATIENCE = 240


@dataclass
class Step:
    """Part of the tutorial: a command with what it has to print, or text for the stack file."""

    command: str = ""
    expected: list[str] = field(default_factory=list)
    addition: str = ""


def steps(text: str) -> Iterator[Step]:
    """What the tutorial says to do, in its order."""
    for kind, block in re.findall(r"^```(console|yaml)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if kind == "yaml":
            yield Step(addition=block)
            continue
        step = None
        for line in block.splitlines():
            if line.startswith("$ "):
                if step:
                    yield step
                step = Step(line.removeprefix("$ "))
            elif step:
                step.expected.append(line)
        if step:
            yield step


def free_offset() -> int:
    """A number that leads from each port that a stack publishes by default to a free one.

    All but the highest are then below those that other tests are given.
    """
    ports = [number for _, number in StackConfig(environment="default").ports.published().values()]
    return next(
        offset for offset in random.sample(range(1000, 3300), 500) if all(_is_free(port + offset) for port in ports)
    )


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("", port))
        except OSError:
            return False
    return True


class Reader:
    """Somebody with a fresh copy of the project, a shell, and ports and names that nobody else has."""

    def __init__(self, folder: Path, environment: str) -> None:
        self.folder, self.environment = folder / "project", environment
        shutil.copytree(ROOT, self.folder, ignore=LEFT_OUT)
        (self.folder / ".venv").symlink_to(ROOT / ".venv")
        makefile = self.folder / "Makefile"  # the commands stay, with more patience for a busy machine
        makefile.write_text(makefile.read_text().replace("./observatory verify", "./observatory verify --timeout 180"))
        self.hello, self.offset = free_ports(1)[0], free_offset()
        self.shell: list[str] = []
        # Else they would share this project's state. The passphrase stays: stack files may be encrypted with it.
        self.variables = {name: value for name, value in os.environ.items() if name != "PULUMI_BACKEND_URL"}

    def own(self, text: str) -> str:
        """The tutorial's text with the reader's own names and ports."""
        text = re.sub(r"(?<!\w)(?<!(?<!/)/)tutorial\b", self.environment, text)  # not the folder, but a host
        text = text.replace("--demo", f"--demo --port-offset {self.offset}").replace(
            "127.0.0.1:8000:", f"127.0.0.1:{self.hello}:"
        )
        text = text.replace("localhost:8000", f"localhost:{self.hello}")
        return text.replace("localhost:9090", f"localhost:{9090 + self.offset}")

    def add(self, text: str) -> None:
        """Put text below `observatory:stack:`."""
        file = self.folder / "stacks" / f"Pulumi.{self.environment}.yaml"
        document = load(file.read_text())
        stack = document["config"]["observatory:stack"]
        for key, value in load(self.own(text)).items():
            stack[key] = {**stack[key], **value} if key in stack else value
        file.write_text(dump(document))

    def tried(self, command: str) -> subprocess.CompletedProcess[str]:
        """A command, run in the shell that earlier commands have set up."""
        script = "\n".join(["set -e", *self.shell, self.own(command)])
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    def run(self, command: str) -> str:
        """What a command prints that has to succeed."""
        if command.startswith("eval "):
            self.shell.append(self.own(command))
        done = self.tried(command)
        assert done.returncode == 0, f"$ {self.own(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return " ".join((done.stdout + done.stderr).split())

    def follow(self, step: Step) -> None:
        """Do what it says; what a log is to show may take a while."""
        if step.addition:
            return self.add(step.addition)
        wanted = [" ".join(self.own(line).split()) for line in step.expected]
        if step.command.startswith("docker logs"):
            until(lambda: all(line in self.run(step.command) for line in wanted), f"{wanted} in the log", PATIENCE)
            return None
        if step.command.startswith("curl "):  # a reader types slower than a program starts on a busy machine
            until(lambda: self.tried(step.command).returncode == 0, f"an answer to {step.command}", PATIENCE)
        output = self.run(step.command)
        missing = [line for line in wanted if line not in output]
        assert not missing, f"$ {step.command}\ndoes not print {missing}, but:\n{output[-4000:]}"
        return None


@pytest.fixture
def reader(tmp_path: Path, engine: Engine, run_name: str) -> Iterator[Reader]:
    """A reader, after whom everything is removed, however far they came."""
    found = Reader(tmp_path, f"{run_name}-tutorial")
    yield found
    for name in ("hello", "inbox"):
        subprocess.run(["docker", "rm", "-f", f"{found.environment}-{name}"], capture_output=True, check=False)
    engine.remove(found.environment)


def test_a_new_user_gets_from_nothing_to_a_dashboard_and_an_alert(reader: Reader, engine: Engine) -> None:
    for step in steps(TUTORIAL.read_text()):
        reader.follow(step)
    assert engine.containers(reader.environment) == {}
    assert engine.volumes(reader.environment) == []
    assert (reader.folder / f"dashboards-of-{reader.environment}" / "index.html").is_file()
