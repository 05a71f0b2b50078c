"""The Docker engine as the tests see it: containers, files in volumes, leftovers."""

from __future__ import annotations

import fcntl
import io
import ipaddress
import os
import random
import signal
import socket
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import docker
import httpx
import pytest
from docker.errors import APIError, NotFound
from docker.models.containers import Container

LABEL = "observatory.environment"
PREFIX = "e2e-"
T = TypeVar("T")


def until(
    question: Callable[[], T | None], what: str | Callable[[], str], seconds: float = 60, longest_pause: float = 1.0
) -> T:
    """The first answer that is neither None nor false; fails with `what` when time is up.

    A program that answers too late has not answered yet: on a busy machine that is no finding. A refused connection
    is one. `what` is a function where it tells what was seen last.
    """
    deadline, pause = time.monotonic() + seconds, min(0.1, longest_pause)
    while True:
        late: httpx.TimeoutException | None = None
        try:
            answer = question()
            if answer:
                return answer
        except httpx.TimeoutException as error:
            late = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}") from late
        time.sleep(pause)
        pause = min(pause * 1.3, longest_pause)


_GIVEN: set[int] = set()
"""Ports that this process was told of; who got one may not listen yet."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses on any address, below those that the system gives to outgoing connections.

    Each process of a run that goes on in several chooses from its own share: it does not know what the others were
    told of.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = range(20000, 30000)[number :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    found: list[int] = []
    with ExitStack() as held:
        for port in random.sample([*{*share} - _GIVEN], 500):
            listener = held.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind(("", port))  # some listen on the address of a bridge
                found.append(port)
            if len(found) == count:
                _GIVEN.update(found)
                return found
    raise AssertionError("no free ports between 20000 and 30000")


def free_subnet() -> str:
    """A network of 32 addresses, likely to be free even where several runs share one engine.

    Of the range for benchmarks (RFC 2544): neither the engine's own choice nor what a machine is part of.
    """
    return str(random.choice([*ipaddress.ip_network("198.18.0.0/15").subnets(new_prefix=27)]))


def gateway(client: docker.DockerClient, network: str) -> str:
    """This machine's address in a network of the engine."""
    settings = client.networks.get(network).attrs["IPAM"]["Config"][0]
    # Where it was given a subnet, and where it has just been installed, the engine takes the first address of it and
    # does not say so.
    return str(settings.get("Gateway") or next(ipaddress.ip_network(settings["Subnet"]).hosts()))


class Claim:
    """The right to a name for one run; it ends with the process, however that ends."""

    folder = Path(tempfile.gettempdir()) / "observatory-e2e"

    def __init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.run = f"{PREFIX}{random.randrange(16**6):06x}"
        self._lock = (self.folder / self.run).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    @classmethod
    def is_held(cls, run: str) -> bool:
        """Whether a run is still going on."""
        file = cls.folder / run
        if not file.exists():
            return False
        with file.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        file.unlink(missing_ok=True)
        return False

    def release(self) -> None:
        """Give it up."""
        (self.folder / self.run).unlink(missing_ok=True)
        self._lock.close()


class Engine:
    """The engine that the environment names."""

    def __init__(self) -> None:
        self.client = docker.from_env(timeout=300)

    def container(self, name: str) -> Container:
        """The container of that name; NotFound where there is none."""
        return self.client.containers.get(name)

    def containers(self, environment: str) -> dict[str, Container]:
        """All of an environment, by their service."""
        labels = [f"{LABEL}={environment}", "observatory.service"]
        found = self.client.containers.list(all=True, filters={"label": labels})
        return {container.labels["observatory.service"]: container for container in found}

    def volumes(self, environment: str) -> list[str]:
        """Names of an environment's volumes."""
        return sorted(str(v.name) for v in self.client.volumes.list(filters={"label": f"{LABEL}={environment}"}))

    def leftovers(self, environment: str) -> list[str]:
        """Names of containers, volumes and networks that are called like an environment's, with labels or without."""
        wanted: dict[str, Any] = {"name": f"observatory-{environment}"}
        found = (
            *self.client.containers.list(all=True, filters=wanted, ignore_removed=True),
            *self.client.volumes.list(filters=wanted),
            *self.client.networks.list(filters=wanted),
        )
        return sorted(str(each.attrs["Name"]).lstrip("/") for each in found)

    def files(self, container: Container, folder: str) -> dict[str, str]:
        """Path to text of every file below a folder of a container, wherever it is mounted from."""
        chunks, _ = container.get_archive(folder)
        found = {}
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            for member in archive.getmembers():
                content = archive.extractfile(member) if member.isreg() else None
                if content:
                    found[member.name.split("/", 1)[1]] = content.read().decode(errors="replace")
        return found

    @contextmanager
    def events(self, environment: str, *actions: str) -> Iterator[list[tuple[str, str]]]:
        """What happens to an environment's containers meanwhile, in order: action and service of each.

        Listened to, as the engine remembers only its last 256 events, most of which are health checks.
        """
        found: list[tuple[str, str]] = []
        wanted: dict[str, Any] = {"type": "container", "label": f"{LABEL}={environment}", "event": [*actions]}
        stream = self.client.api.events(since=int(time.time()), filters=wanted, decode=True)

        def listen() -> None:
            for event in stream:
                found.append((event["Action"], event["Actor"]["Attributes"]["observatory.service"]))  # noqa: PERF401 - read meanwhile

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield found
        finally:
            stream.close()
            listener.join(60)

    def gateway(self, environment: str = "") -> str:
        """This machine's address as the containers of an environment see it, or those of any."""
        return gateway(self.client, f"observatory-{environment}" if environment else "bridge")

    def crash(self, container: Container) -> None:
        """End a container's main process as the kernel would; `docker kill` would count as the user's own wish."""
        container.reload()
        try:
            os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)
        except (PermissionError, ProcessLookupError) as error:
            pytest.skip(f"ending a process of the engine needs root on its machine: {error}")

    def remove(self, environment: str) -> None:
        """Remove all that an environment left, data as well."""
        filters: dict[str, Any] = {"label": f"{LABEL}={environment}"}
        named: dict[str, Any] = {"name": f"-{environment}-"}
        for wanted in (filters, named):
            for container in self.client.containers.list(all=True, filters=wanted, ignore_removed=True):
                with suppress(NotFound, APIError):
                    container.remove(force=True)
        for volume in self.client.volumes.list(filters=filters):
            with suppress(NotFound, APIError):
                volume.remove(force=True)
        for network in self.client.networks.list(filters=filters):
            with suppress(NotFound, APIError):
                network.remove()

    def sweep(self) -> None:
        """Remove what killed runs left behind; other runs that go on keep theirs."""
        filters: dict[str, Any] = {"label": LABEL}
        everything = [
            *(
                container.labels
                for container in self.client.containers.list(all=True, filters=filters, ignore_removed=True)
            ),
            *(volume.attrs["Labels"] for volume in self.client.volumes.list(filters=filters)),
            *(network.attrs["Labels"] for network in self.client.networks.list(filters=filters)),
        ]
        for environment in sorted({labels[LABEL] for labels in everything}):
            run = "-".join(environment.split("-")[:2])
            if environment.startswith(PREFIX) and not Claim.is_held(run):
                self.remove(environment)
