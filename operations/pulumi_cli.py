"""Runs Pulumi: for secrets and outputs, which stay in memory, and for removals, whose progress people see."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from components.config.load import FOLDER, stack_name, stack_path
from components.yaml_text import load
from operations.errors import CommandError

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120
"""Seconds for an answer; the first start of a language runtime is slow."""
_CUT = re.compile(
    r'(load checkpoint|meta\.yaml"): EOF$|unexpected end of JSON input$|load checkpoint: .*invalid character',
    re.MULTILINE,
)
"""What Pulumi says of a state that a power cut left half written; it says other things of a bucket that is away."""


def environment() -> dict[str, str]:
    """The variables that Pulumi is run with.

    Where `make ready` has set this clone up, its programs and its state count, as they do for `make up`; elsewhere
    everything is as the user has it. What the user set is kept either way.
    """
    own = dict(os.environ)
    if not own.get("PULUMI_BACKEND_URL") and (ROOT / ".observatory" / "state").is_dir():
        from toolchain import environment as toolchain
        from toolchain import ready
        from toolchain.progress import Progress

        own |= toolchain.variables(own, ready.find_ready(Progress()), ready.docker_host())
    return own


@dataclass(frozen=True)
class Pulumi:
    """Pulumi for one stack. Values never are arguments: every user of the machine can read those."""

    stack: str
    file: Path
    variables: dict[str, str] = field(default_factory=environment, repr=False)

    @classmethod
    def of(cls, stack: str) -> Pulumi:
        """For a stack's name or the path of its file. Raises CommandError where there is no Pulumi."""
        file = stack_path(stack)
        found = cls(stack_name(stack), file)
        found.program()
        return found

    def program(self) -> str:
        """Where Pulumi is."""
        found = shutil.which("pulumi", path=self.variables.get("PATH"))
        if found is None:
            hint = "run `make ready`, or install it from https://www.pulumi.com/docs/install/"
            raise CommandError("pulumi is not on this machine", hint)
        return found

    def _command(self, arguments: Sequence[str]) -> list[str]:
        """The stack file counts, wherever it lies; Pulumi itself only knows the project's folder."""
        command = [self.program(), *arguments, "--stack", self.stack, "--non-interactive"]
        if self.file.resolve().parent != FOLDER.resolve() and arguments[0] in (
            "config",
            "destroy",
            "preview",
            "refresh",
            "up",
        ):
            command += ["--config-file", str(self.file.resolve())]
        return command

    def ask(self, *arguments: str, value: str | None = None) -> str:
        """Pulumi's answer. `value` goes to its standard input. Raises CommandError with Pulumi's own message."""
        try:
            done = subprocess.run(
                self._command(arguments),
                cwd=ROOT,
                env=self.variables,
                input=value if value is not None else "",
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CommandError(f"pulumi {arguments[0]} did not end within {PATIENCE} s") from None
        if done.returncode != 0:
            message = (done.stderr.strip() or f"exit code {done.returncode}").removeprefix("error: ")
            # `recover` itself begins with `cancel`: no advice to run what runs.
            hint = (
                f"run `./observatory recover {self.stack}`" if _CUT.search(message) and arguments[0] != "cancel" else ""
            )
            raise CommandError(f"pulumi {' '.join(arguments[:2])}: {message}", hint)
        return done.stdout

    def secret(self, name: str) -> str | None:
        """A value of the stack's configuration, or None where it has none."""
        try:
            answer = json.loads(self.ask("config", "get", f"observatory:{name}", "--json"))
        except CommandError as error:
            if "not found" in error.message:
                return None
            raise
        return str(answer["value"])

    def set_secret(self, name: str, value: str) -> None:
        """Encrypt a value into the stack's file."""
        self.ask("config", "set", "--secret", f"observatory:{name}", value=value)

    def backend(self) -> str:
        """The URL of where the state is kept, "" where it is not known.

        Found as Pulumi does (variable, project, login), for it cannot say so itself while its state is cut.
        """
        home = Path(self.variables.get("PULUMI_HOME") or Path.home() / ".pulumi")
        try:
            login = json.loads((home / "credentials.json").read_bytes()).get("current")
        except (OSError, ValueError):
            login = None
        project = load((ROOT / "Pulumi.yaml").read_text()).get("backend") or {}
        return self.variables.get("PULUMI_BACKEND_URL") or project.get("url") or login or ""

    def exists(self) -> bool:
        """Whether the stack has been made in Pulumi's backend."""
        return self._state() is not None

    def resources(self) -> list[dict[str, Any]]:
        """What the last deployment left in the stack's state, secrets encrypted; nothing for an unknown stack."""
        return list(((self._state() or {}).get("deployment") or {}).get("resources") or [])

    def _state(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self.ask("stack", "export"))
        except CommandError as error:
            if "no stack named" in error.message:
                return None
            raise
        return found

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in plain text."""
        found: dict[str, Any] = json.loads(self.ask("stack", "output", "--json", "--show-secrets"))
        return found

    def show(self, *arguments: str, output: TextIO | None = None) -> int:
        """Run Pulumi on the terminal, what it says to `output` (default: standard output); returns its exit code.

        Ctrl-C reaches it too: it then ends what it is doing and writes its state, which is waited for.
        """
        interrupted = False
        with subprocess.Popen(self._command(arguments), cwd=ROOT, env=self.variables, stdout=output) as process:
            while process.returncode is None:
                try:
                    process.wait()
                except KeyboardInterrupt:
                    if not interrupted:
                        process.terminate()
                    interrupted = True
        if interrupted:
            raise KeyboardInterrupt
        return process.returncode
