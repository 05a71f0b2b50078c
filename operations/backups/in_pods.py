"""Runs the planned backups in their pods: each program with data has its own, with a repository of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from components.config import StackConfig
from components.services import backup
from components.spec import Plan
from operations import console, pods
from operations.backups.copies import Answer, Copies
from operations.cluster import Cluster
from operations.errors import CommandError, UsageError
from operations.inside import InPod, Inside

_ABSENT = re.compile(r"container not found|pods \S+ not found|is not valid for pod")
"""In kubectl's words."""


@dataclass(frozen=True)
class PodCopies(Copies):
    """The copies of one program's data."""

    cluster: Cluster

    @property
    def owner(self) -> str:
        """The program whose data is copied."""
        return self.service.beside

    @property
    def volume(self) -> str:
        """Its claim."""
        return self.service.shares[0].name

    @property
    def place(self) -> str:
        """Where the copies are, in words."""
        assert self.config.backup
        return backup.repository_beside(self.config, self.config.backup.to.bucket, self.owner)

    def run(self, *arguments: str, show: Callable[[str], None] = lambda _line: None) -> Answer:
        """Run the script beside the program; Ctrl-C ends it first. `show` gets each line for people."""
        words = [*self.service.entrypoint, *arguments]
        try:
            return Answer(*pods.execute(self.cluster, self.owner, self.service.name, words, show))
        except KeyboardInterrupt:
            console.note("ending it")
            self._end()
            raise
        except CommandError as error:
            if not _ABSENT.search(error.message):
                self._end()
                raise
            raise CommandError(
                f"{self.service.name} does not run beside {self.owner}: {error.message}",
                "deploy the stack: it makes copies only once it runs with `backup:`",
            ) from None

    def _end(self) -> None:
        """What was cut off from here goes on there."""
        with suppress(CommandError):
            pods.execute(self.cluster, self.owner, self.service.name, [*self.service.entrypoint, "end"])

    def inside(self, name: str, patience: float = 0.0) -> Inside | None:
        """The program of that name, where it runs. One that is starting is asked again for `patience` seconds."""
        service = self.plan.service(name)
        found = InPod(service, self.cluster, patience=patience) if service else None
        return found if found and found.runs else None


def pod_copies(config: StackConfig, plan: Plan) -> list[PodCopies]:
    """Those of each program, in the order of the plan."""
    cluster = Cluster(config)
    return [PodCopies(config, plan, each, cluster) for each in plan.replicas(backup.NAME)]


def refuse_options(given: Mapping[str, object]) -> None:
    """Options that only make sense for an engine that this machine reaches. Raises UsageError for one that is used."""
    for option, value in given.items():
        if value:
            raise UsageError(
                f"{option} is for stacks on Docker", "in a cluster each pod has the bucket and the password"
            )
