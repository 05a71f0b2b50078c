"""Asks Prometheus and Alertmanager from inside of their containers: no port has to be published for it."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, cast

from docker.errors import APIError

from components.platforms.docker_engine import Engine
from components.spec import Service
from operations import console, pods
from operations.cluster import Cluster
from operations.errors import CommandError
from operations.running import CheckFailed


@dataclass(frozen=True, slots=True)
class Inside(ABC):
    """One program where it runs. `patience` is for how many seconds it is asked again while it does not answer."""

    service: Service
    patience: float = field(default=0.0, kw_only=True)

    @property
    @abstractmethod
    def runs(self) -> bool:
        """Whether it does."""

    @abstractmethod
    def _execute(self, words: list[str]) -> tuple[int, str, str]:
        """Exit code and both outputs of a command in its container. Raises CheckFailed where there is none."""

    def number(self, expression: str, at: float) -> float:
        """The value of a query with one series at most; 0 where there is none. Raises CheckFailed."""
        return sum(float(each["value"][1]) for each in self._instant(expression, at))

    def samples(self, selector: str, at: float) -> dict[str, list[list[Any]]]:
        """Every stored sample of a range, up to a time: series to pairs of time and value. Raises CheckFailed."""
        found = self._instant(selector, at)
        return {json.dumps(each["metric"], sort_keys=True): each["values"] for each in found}

    def _instant(self, expression: str, at: float) -> list[dict[str, Any]]:
        url = next(word.removeprefix("--url=") for word in self._probe if word.startswith("--url="))
        words = ["promtool", "query", "--format=json", *self._login, "instant", f"--time={at:.3f}", url, expression]
        found: list[dict[str, Any]] = self._ask(words)
        return found

    def silences(self) -> list[dict[str, Any]]:
        """The silences that are active or will be. Raises CheckFailed."""
        url = next(word for word in self._probe if word.startswith("--alertmanager.url="))
        found: list[dict[str, Any]] = self._ask(["amtool", url, *self._login, "--output=json", "silence", "query"])
        return found

    @property
    def _probe(self) -> tuple[str, ...]:
        return self.service.probe.command if self.service.probe else ()

    @property
    def _login(self) -> list[str]:
        return [word for word in self._probe if word.startswith("--http.config.file=")]

    def _ask(self, words: list[str]) -> Any:
        """The answer, which may be late: a Prometheus that reads its log is healthy, and refuses queries until then."""
        deadline, pause = time.monotonic() + self.patience, 0.1
        told = False
        while True:
            try:
                return self._answer(words)
            except CheckFailed:
                if time.monotonic() + pause > deadline:
                    raise
            if not told:
                console.note(f"waiting for {self.service.name} to answer")
                told = True
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)

    def _answer(self, words: list[str]) -> Any:
        code, output, errors = self._execute(words)
        if code != 0:
            raise CheckFailed(f"{self.service.name} does not answer: {(errors or output).strip()}")
        try:
            return json.loads(output or "[]")
        except ValueError:
            raise CheckFailed(f"{self.service.name} answers with something that is no JSON: {output[:200]}") from None


@dataclass(frozen=True, slots=True)
class InContainer(Inside):
    """On a Docker engine; `prefix` is that of its stack."""

    engine: Engine
    prefix: str

    @property
    def runs(self) -> bool:
        """Whether there is such a container, and it runs."""
        container = self.engine.container(f"{self.prefix}-{self.service.name}")
        return container is not None and container.status == "running"

    def _execute(self, words: list[str]) -> tuple[int, str, str]:
        container = self.engine.container(f"{self.prefix}-{self.service.name}")
        if container is None:
            raise CheckFailed(f"{self.service.name} does not run")
        try:
            answer = container.exec_run(words, demux=True)
        except APIError as error:  # stopped between the two calls
            raise CheckFailed(f"{self.service.name} does not run: {error.explanation or error}") from None
        both = cast("tuple[bytes | None, bytes | None]", answer.output)
        output, errors = ((part or b"").decode(errors="replace") for part in both)
        return answer.exit_code or 0, output, errors


@dataclass(frozen=True, slots=True)
class InPod(Inside):
    """In a cluster."""

    cluster: Cluster

    @property
    def runs(self) -> bool:
        """Whether there is such a pod, and its program runs."""
        try:
            return pods.serves(pods.pod(self.cluster, self.service.name))
        except CommandError:
            return False

    def _execute(self, words: list[str]) -> tuple[int, str, str]:
        try:
            return pods.execute(self.cluster, self.service.name, self.service.name, words)
        except CommandError as error:
            raise CheckFailed(error.message) from None
