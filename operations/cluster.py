"""The cluster of a stack, by kubectl: what data it has there, how that goes, and a way to its programs from here."""

from __future__ import annotations

import re
import selectors
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from components.config import StackConfig
from components.config.platform import namespaces
from components.spec import Plan, Port, Service
from operations import programs
from operations.errors import CommandError

PATIENCE = 30.0
"""Seconds until a way into the cluster is open."""
_OPEN = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+)")


class Cluster:
    """One stack's namespaces in its cluster."""

    def __init__(self, config: StackConfig):
        assert config.kubernetes is not None
        program = programs.find("kubectl")
        if program is None:
            raise CommandError("kubectl is not on this machine", "install it; it asks the cluster of the stack file")
        given = config.kubernetes.kubeconfig
        # As Pulumi reads it: kubectl takes `~` for a folder's name.
        kubeconfig = [f"--kubeconfig={Path(given).expanduser()}"] if given else []
        self.command = [str(program), *kubeconfig, f"--context={config.kubernetes.context}"]
        self.namespaces = namespaces(config)

    def ask(self, *arguments: str, given: str = "") -> str:
        """What kubectl answers, to an input where it is `given` one; a CommandError with its words where it fails."""
        command = [*self.command, *arguments]
        try:
            done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            raise CommandError(f"kubectl {arguments[0]} did not end within 300 s") from None
        if done.returncode:
            raise CommandError(f"kubectl {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def names(self) -> list[str]:
        """Names of the claims with data."""
        claims = self.ask("get", "persistentvolumeclaims", f"--namespace={self.namespaces[0]}", "--output=name")
        return sorted(line.rpartition("/")[2] for line in claims.splitlines() if line)

    def remove(self) -> list[str]:
        """Remove the namespaces and with them all claims."""
        gone = self.names()
        self.ask("delete", "namespace", "--ignore-not-found", *self.namespaces)
        return gone


@contextmanager
def forwarded(config: StackConfig, plan: Plan, wanted: Collection[tuple[str, str]]) -> Iterator[Plan]:
    """The plan with its `wanted` ports (service, port) as they are reached from here while this lasts."""
    if config.kubernetes is None:
        yield plan
        return
    cluster, ways, services = Cluster(config), list[subprocess.Popen[bytes]](), []
    try:
        for service in plan.services:
            ports = []
            for port in service.ports:
                if (service.name, port.name) in wanted:
                    ways.append(_way(cluster, service, port))
                    ports.append(replace(port, published=_local(ways[-1], service), address="127.0.0.1"))
                else:
                    ports.append(port)
            services.append(replace(service, ports=tuple(ports)))
        yield replace(plan, services=tuple(services))
    finally:
        for way in ways:
            way.terminate()
        for way in ways:
            with way:  # closes its pipes and waits
                pass


def _way(cluster: Cluster, service: Service, port: Port) -> subprocess.Popen[bytes]:
    target = (f"--namespace={cluster.namespaces[0]}", f"service/{service.name}", f":{port.number}")
    command = [*cluster.command, "port-forward", "--address=127.0.0.1", *target]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _local(way: subprocess.Popen[bytes], service: Service) -> int:
    """The port here; a CommandError with kubectl's words where there is none."""
    assert way.stdout is not None
    deadline, said = time.monotonic() + PATIENCE, b""
    with selectors.DefaultSelector() as selector:
        selector.register(way.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            part = way.stdout.read1(4096)  # type: ignore[attr-defined]
            said += part
            if found := _OPEN.search(said):
                return int(found[1])
            if not part:
                break
    reason = said.decode(errors="replace").strip() or f"no answer within {PATIENCE:.0f} s"
    raise CommandError(f"no way to {service.name} in the cluster: {reason}", "is it deployed and running?")
