"""The neutral description of what is deployed: small frozen values that every platform honours in full.

A platform that cannot honour a value refuses it with an error; it never drops it. Nothing here knows Pulumi.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

SECRET_TOKEN = re.compile(r"<(secret|bcrypt|mark):([A-Za-z][A-Za-z0-9]*)>")
"""How a secret stands in a planned file: `<secret:name>` is its value, `<bcrypt:name>` a bcrypt hash of it.

`<mark:name>` stands in no file: it changes with the value, and tells nothing of it.
"""
RESTART_KEY = "restartKey"
"""The generated secret that marks are made with: without it, whoever sees a mark could try out passwords."""


def secret_token(name: str, transform: str = "secret") -> str:
    """The placeholder that a deployment replaces and that a rendered file shows."""
    return f"<{transform}:{name}>"


@dataclass(frozen=True, slots=True)
class File:
    """One file of a service, below its configuration folder.

    `live` files take effect by a reload; the others only by replacing the container, which the preview shows.
    `reload` is false for files that the program reads again by itself each time (certificates, passwords).
    """

    path: str
    content: str
    live: bool = True
    reload: bool = True

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets that the content asks for, in order, each once."""
        return tuple(dict.fromkeys(match.group(2) for match in SECRET_TOKEN.finditer(self.content)))

    def resolve(self, replace: Callable[[str, str], str]) -> str:
        """The content with each token replaced by `replace(transform, secret name)`."""
        return SECRET_TOKEN.sub(lambda match: replace(match.group(1), match.group(2)), self.content)


Intake = Literal["traces", "samples"]


@dataclass(frozen=True, slots=True)
class Port:
    """A port that the program listens on; published on the host only where `published` is set."""

    name: str
    number: int
    published: int | None = None
    address: str = "127.0.0.1"
    scheme: str = "http"
    path: str = ""
    """Below which its query API stands; empty for the root."""
    intake: Intake | None = None
    """What programs outside of the stack send to it."""
    protocols: tuple[str, ...] = ("tcp",)
    """tcp, udp, or both at the same number."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Data that outlives its container; mounted read-write and owned by the service's user."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class HostMount:
    """A path of the host, mounted read-only but where `writable` says otherwise: for what watches the host itself.

    Mounts that the host makes below it later are seen after a restart only: to pass them on live, the host's own
    mounts would have to be shared, which they are not everywhere.
    """

    source: str
    path: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """A health check: a program of the image, run without a shell. Times in seconds.

    Where the image holds no program for it, the platform itself connects to `port`, if it can: Docker cannot.
    """

    command: tuple[str, ...] = ()
    interval: int = 30
    timeout: int = 5
    retries: int = 3
    start_period: int = 30
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits: memory in MiB, CPU in cores."""

    memory: int
    cpus: float


@dataclass(frozen=True, slots=True)
class Reload:
    """How a running program takes new configuration without a restart, and how it answers.

    Either `signal`, answered in the log by a line with `loaded` or `rejected` in it, or `commands`, run inside the
    container, each of which must exit with 0.
    """

    signal: str = ""
    loaded: str = ""
    rejected: str = ""
    commands: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Metrics:
    """An endpoint that Prometheus scrapes. `protected` follows the stack's access settings (TLS, password)."""

    job: str
    port: int
    path: str = "/metrics"
    protected: bool = False
    honor_labels: bool = False
    drop: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    """Patterns of whole names, and what they are called instead, `$1` for a group: for names that are not a program's
    own and would be taken for those of the user's services."""


@dataclass(frozen=True, slots=True)
class Call:
    """A connection that a program opens: to a service of the stack, or outside of it (""); port None is any.

    With `namespaces`, to the platform's programs there only; these may have a name for the port.
    """

    service: str = ""
    port: int | str | None = None
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlatformApi:
    """What a program reads from the platform's own API: what runs in `namespaces`, and the nodes themselves."""

    namespaces: tuple[str, ...] = ()
    nodes: bool = False
    watched: tuple[str, ...] = ()
    """Kinds of objects that it lists and watches in all namespaces: `pods`, or with their group `jobs.batch`."""
    folder: ClassVar[str] = "/var/run/secrets/kubernetes.io/serviceaccount"
    """Where the program finds `token` and `ca.crt`, with which it is let in and knows whom it speaks to."""


@dataclass(frozen=True, slots=True)
class Service:
    """One program of the stack. `name` is its network name and the same on every platform."""

    name: str
    product: str
    image: str
    user: str
    resources: Resources
    entrypoint: tuple[str, ...] = ()
    """Program and first arguments in place of those that the image starts; empty for the image's own."""
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    config_folder: str = ""
    files: tuple[File, ...] = ()
    ports: tuple[Port, ...] = ()
    volumes: tuple[Volume, ...] = ()
    shares: tuple[Volume, ...] = ()
    """Volumes of services that are planned before, mounted read-write as well; their owners stay."""
    host_mounts: tuple[HostMount, ...] = ()
    host_pid: bool = False
    capabilities: tuple[str, ...] = ()
    per_node: bool = False
    """Runs once on every machine of the platform, because it watches that machine."""
    calls: tuple[Call, ...] = ()
    """All connections that the program opens; a platform may allow these and no others."""
    api: PlatformApi | None = None
    """Only where the platform has an API that a stack file can ask for."""
    beside: str = ""
    """Name of the service that it runs beside: it sees that one's volumes, and on Kubernetes is in the same pod."""
    prepares: tuple[str, ...] = ()
    """Arguments with which it also runs to its end, before anything else, whenever the pod that it is in is started."""
    replica_of: str = ""
    """Name of the first of the replicas that this is one of; empty for that first one, and where there is one only.
    Of several that differ in what they stand beside, the name that they would have alone: none of them is the first.

    Replicas stand one after the other in a plan, and a platform updates them so, each once the one before it serves.
    """
    group_name: str = ""
    """One more network name, which all replicas share; it leads to the address of each one that runs."""
    entry_name: str = ""
    """One more network name, for replicas that are all the same to whoever asks: it leads to one that serves."""
    meets_services: bool = False
    """Talks to the user's own services, which live outside of the stack's network."""
    read_only: bool = True
    scratch: tuple[str, ...] = ()
    """Folders that the program writes to and that may vanish with the container (kept in memory)."""
    probe: Probe | None = None
    reload: Reload | None = None
    stop_grace: int = 30
    """Seconds between the request to stop and the end by force."""
    metrics: tuple[Metrics, ...] = ()

    @property
    def group(self) -> str:
        """Name of the first of its replicas: what is set for a product is found by it."""
        return self.replica_of or self.name

    @property
    def mounted_config(self) -> str:
        """Where the files are seen by the program. Every platform swaps this folder as a whole."""
        return f"{self.config_folder}/current"

    @property
    def restart_digest(self) -> str:
        """Changes exactly when a file changes that only a new container takes up, by a mark for each secret in it."""
        fixed = [file for file in self.files if not file.live]
        if not fixed:
            return ""
        content = "".join(f"{file.path}\0{file.content}\0" for file in fixed)
        names = dict.fromkeys(name for file in fixed for name in file.secrets)
        marks = [secret_token(name, "mark") for name in names]
        return "-".join([hashlib.sha256(content.encode()).hexdigest()[:12], *marks])

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of all secrets that the files ask for."""
        return tuple(dict.fromkeys(name for file in self.files for name in file.secrets))

    def port(self, name: str) -> Port:
        """The port called `name`; a KeyError is a mistake in the product's module."""
        for port in self.ports:
            if port.name == name:
                return port
        raise KeyError(f"{self.name} has no port {name}")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one stack file asks for, rendered, in the order in which it may be started."""

    environment: str
    services: tuple[Service, ...]
    unavailable: tuple[str, ...] = ()
    """Products asked for whose image this machine cannot have; their files are in `withheld`."""
    withheld: tuple[Service, ...] = ()
    notes: tuple[str, ...] = ()
    """What people should know though nothing is wrong: other images than pinned, channels that end. A line each."""
    generated_secrets: tuple[str, ...] = ()
    """Secrets that the deployment makes up itself where the stack has no value for them."""

    def service(self, name: str) -> Service | None:
        """The planned service of that network name, if any."""
        return next((service for service in self.services if service.name == name), None)

    def replicas(self, name: str) -> tuple[Service, ...]:
        """The planned service of that name and its further replicas."""
        return tuple(service for service in self.services if service.group == name)
