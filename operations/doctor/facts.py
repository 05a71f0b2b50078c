"""What is known of a running stack at one moment: all that a diagnosis may look at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from components.config import StackConfig
from components.config.base import seconds
from components.config.load import stack_name
from components.config.platform import namespaces
from components.services.demo import monitored
from components.spec import Plan
from operations.results import Result
from operations.running import CheckFailed


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log, and when the platform got it, in seconds since 1970."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """One container as its platform sees it. Sizes in bytes, times in seconds since 1970."""

    state: str
    """running, paused, restarting, exited, created, waiting; "missing" where there is none."""
    exit_code: int = 0
    error: str = ""
    """The platform's own words on why it does not run."""
    out_of_memory: bool = False
    """The kernel ended it for its memory limit since its last start, or as the end of it."""
    restarts: int = 0
    """How often the platform itself has started it again."""
    started: float = 0.0
    failing_probes: int = 0
    """Health checks that failed in a row."""
    probe_output: str = ""
    memory: int = 0
    """In use, without what the kernel could take back; 0 where that is not known."""
    memory_limit: int = 0
    log: tuple[Line, ...] = ()
    """Its last lines."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an instant query's answer."""

    labels: Mapping[str, str]
    value: float

    @property
    def where(self) -> str:
        """Whose it is, for people."""
        return self.labels.get("instance") or self.labels.get("job") or self.labels.get("service") or "the stack"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was gathered. `missing` says of each source that could not be asked, why."""

    config: StackConfig
    plan: Plan
    stack: str
    """As the user calls it: for commands in remedies."""
    now: float
    """This machine's clock, in seconds since 1970."""
    platform_clock: float | None = None
    """That of the Docker engine, read at the same moment."""
    programs: Mapping[str, Program] = field(default_factory=dict)
    """By service; empty where the platform does not answer."""
    answers: Mapping[str, Any] = field(default_factory=dict)
    """By question (see gather.py): what the products' own interfaces answer."""
    queries: Mapping[str, tuple[Series, ...]] = field(default_factory=dict)
    """By the name of a diagnosis: what Prometheus answers its query."""
    checks: Mapping[str, Result] = field(default_factory=dict)
    """By name: checks that `verify` makes too."""
    failures: Mapping[str, CheckFailed] = field(default_factory=dict)
    """By endpoint: why one that is published does not answer."""
    certificates: Mapping[str, float] = field(default_factory=dict)
    """By endpoint: when the certificate that it shows ends, in seconds since 1970."""
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def pulumi_stack(self) -> str:
        """The stack as Pulumi calls it."""
        return stack_name(self.stack)

    @property
    def docker(self) -> str:
        """The command of Docker, for the stack's own engine."""
        return f"docker --host {self.config.docker.host}" if self.config.docker.host else "docker"

    @property
    def kubectl(self) -> str:
        """The command of Kubernetes, for the stack's own cluster and namespace, whatever the current context is."""
        assert self.config.kubernetes is not None
        given = self.config.kubernetes.kubeconfig
        own = f"--kubeconfig {given} " if given else ""
        return f"kubectl {own}--context {self.config.kubernetes.context} --namespace {self.namespace}"

    @property
    def up(self) -> str:
        """The command that brings back what is missing."""
        return f"pulumi up --refresh --stack {self.pulumi_stack}"

    @property
    def deploy(self) -> str:
        """The command that makes a changed stack file run."""
        return f"pulumi up --stack {self.pulumi_stack}"

    def service_key(self, job: str) -> str:
        """Where the stack file says something about a job: `services[2]`; empty for programs of the stack and the demo.

        The demo's services are planned among the user's, and yet have no place in the file.
        """
        names = [service.name for service in self.config.services]
        ours = self.config.demo and job in {service.name for service in monitored()}
        return f"services[{names.index(job)}]" if job in names and not ours else ""

    def logs(self, service: str) -> str:
        """The command that shows a program's log."""
        if self.config.kubernetes:
            found = self.plan.service(service)
            pod = found.beside if found and found.beside else service
            return f"{self.kubectl} logs --selector app.kubernetes.io/name={pod} --container {service} --tail 50"
        return f"{self.docker} logs --tail 50 {self.container(service)}"

    @property
    def namespace(self) -> str:
        """The stack's namespace in a cluster."""
        return namespaces(self.config)[0] if self.config.kubernetes else ""

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"observatory-{self.plan.environment}-{service}"

    def service_at(self, url: str) -> str:
        """The stack's own service behind an address, or the address's host and port."""
        parts = urlsplit(url if "//" in url else f"//{url}")
        service = self.plan.service(parts.hostname or url)
        if service is None:
            return parts.netloc
        own = {port.number for port in service.ports} | {metrics.port for metrics in service.metrics}
        return service.name if parts.port in own else parts.netloc

    def said(self, service: str, pattern: str, within: float = 120.0) -> str:
        """The last line of a program's log of the last seconds in which the pattern is found; empty for none."""
        program = self.programs.get(service)
        lines = program.log if program else ()
        return next(
            (line.text for line in reversed(lines) if self.now - line.at < within and re.search(pattern, line.text)), ""
        )

    @property
    def settled(self) -> bool:
        """Whether Prometheus has run for so long that what it still does not know is missing.

        An alert that it could not send at its start, as nobody listened yet, it sends again after a minute.
        """
        begun, interval = self.answers.get("runtime", {}).get("startTime"), self.config.scrape
        patience = 60 + 3 * seconds(interval.evaluation_interval or interval.interval)
        return bool(begun) and self.now - datetime.fromisoformat(begun[:19] + "+00:00").timestamp() > patience
