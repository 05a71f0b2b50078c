"""Copies of a stack's data: what can be asked of them, wherever the script of the backup runs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from components.config import StackConfig
from components.plan import plan_stack_file
from components.spec import Plan, Service
from operations.errors import CommandError
from operations.inside import Inside

WRONG_PASSWORD, LOCKED, NO_REPOSITORY = 12, 11, 10
"""Exit codes of restic."""


def with_backup(stack: str) -> tuple[StackConfig, Plan]:
    """A stack that asks for copies. Raises CommandError for one that does not."""
    config, plan = plan_stack_file(stack)
    if config.backup is None:
        hint = "`backup: {to: {folder: /srv/backup}, password: {secret: backupPassword}}`; see docs/guide/backup.md"
        raise CommandError(f"{stack} has no `backup:` in its stack file", hint)
    return config, plan


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of the script ended with; both outputs apart."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Copies(ABC):
    """Those of one stack in one repository; `service` is the planned backup that makes them."""

    config: StackConfig
    plan: Plan
    service: Service

    @property
    def prefix(self) -> str:
        """What names of the stack's containers and volumes begin with."""
        return f"observatory-{self.config.environment}"

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the copies are, in words."""

    @abstractmethod
    def run(self, *arguments: str, show: Callable[[str], None] = lambda _line: None) -> Answer:
        """Run the script; Ctrl-C ends it first. `show` gets each line for people."""

    @abstractmethod
    def inside(self, name: str, patience: float = 0.0) -> Inside | None:
        """The program of that name, where it runs. One that is starting is asked again for `patience` seconds."""

    def repository(self, *arguments: str) -> Answer:
        """An answer of restic about the repository. Raises CommandError with the reason for anything but success."""
        answer = self.run("restic", *arguments)
        if answer.code != 0:
            raise self.error(answer, f"{self.place} cannot be read")
        return answer

    def error(self, answer: Answer, what: str) -> CommandError:
        """What went wrong in a container, in one line, and what to do about it."""
        reasons = {
            WRONG_PASSWORD: ("the password does not open it", "set the secret that `backup.password` names, as it was"),
            NO_REPOSITORY: ("there is no backup", "is `backup.to` right? is the disk mounted?"),
            LOCKED: ("somebody else works on it", "wait for the end of that run; a dead one's lock ends by itself"),
        }
        if answer.code in reasons:
            reason, hint = reasons[answer.code]
            return CommandError(f"{what}: {reason}", hint)
        lines = [line.strip() for line in answer.errors.splitlines() if line.strip()]
        told = next(
            (line for line in reversed(lines) if "Fatal" in line or "error" in line), lines[-1] if lines else ""
        )
        full = any("no space left" in line for line in lines)
        return CommandError(f"{what}: {_plain(told) or f'exit code {answer.code}'}", "make room there" if full else "")


def _plain(line: str) -> str:
    """The message of a line that may be JSON."""
    with suppress(ValueError, TypeError, AttributeError):
        content: Any = json.loads(line)
        line = str(content.get("message") or content.get("error", {}).get("message") or line)
    return line.removeprefix("Fatal: ").removeprefix("error: ")
