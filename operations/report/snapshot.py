"""A stack as a report sees it: data, so that another revision's own code can make it and this one compare it.

`python -m operations.report.snapshot STACK...` prints the snapshots of these stacks as a list in JSON; that is how a
report asks an older revision what it would deploy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from components.config import StackConfig, StackFileError
from components.config.base import seconds
from components.config.bucket import Bucket
from components.config.load import FOLDER, stack_path
from components.config.platform import namespaces
from components.notes import alert_owners
from components.plan import plan_stack_file
from components.rules import chosen_groups
from components.series import Circumstances, sources
from components.sizing import load_of, needs
from components.sizing_remote import DATABASES, remote_needs
from components.spec import Plan, Service
from operations.cost.bills import monthly_cost
from operations.cost.load import Usage, cost_load
from operations.cost.prices import combined, from_stack

FORMAT = 1
"""Another number where an older report could not read what is here. A key that is added needs a default instead."""


class Data(BaseModel):
    """Keys that this revision does not know are another revision's business."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Program(Data):
    """One planned or deployed program."""

    image: str
    group: str
    """Name of the first of its replicas."""
    pod: str = ""
    """Name of the pod's first program in a cluster, where all programs of a pod are replaced together."""
    memory: int
    """MiB."""
    cpus: float
    ports: dict[str, str] = {}
    """Number of each published port to the address:number of the host."""
    volumes: dict[str, int | None] = {}
    """Name to bytes, where the platform has sizes."""
    secrets: tuple[str, ...] | None = ()
    """None where that is not to be seen."""
    files: dict[str, str] = {}
    """Path to text, without those that hold secrets."""
    fixed: dict[str, tuple[str, ...]] = {}
    """All that only a new container takes up, by what it is."""
    at_start: tuple[str, ...] = ()
    """Paths of the files that are read at the start only."""
    secret_files: dict[str, tuple[str, ...]] = {}
    """Path to the names of the secrets in it."""


class Copies(Data):
    """What the stack file says about backups. Seconds, days, weeks, months."""

    to: str
    period: int
    keep: dict[str, int]
    include: tuple[str, ...]
    begins: int = 0
    """After midnight UTC, the first of a day."""
    password: str = ""
    """Name of the secret that opens all copies."""


class Stated(Data):
    """What only a stack file tells, and a deployed state does not."""

    place: str
    owners: tuple[tuple[str, str], ...]
    """Service and team, of all who can own an alert."""
    hosts: dict[str, str] = {}
    backup: Copies | None = None
    bucket: str = ""
    deleted_kept: int | None = None
    """Days that what is deleted in the bucket can be had back; None without a bucket of the stack's own."""
    bucket_stays: bool | None = None
    """Whether the bucket stays when the stack is destroyed."""
    storage_class: str | None = None
    """Of all claims in a cluster, which keep theirs for life; empty for the cluster's own, None elsewhere."""
    admitted: tuple[str, ...] = ()
    """Who else may send what, in a cluster."""
    series: dict[str, tuple[int, float]] = {}
    """Origin to its series and samples per second."""
    needs: dict[str, float] = {}
    """Of Prometheus, to plan with: bytes of memory, cores, bytes of disk."""
    elsewhere: dict[str, dict[str, float]] = {}
    """The same of the database that it sends its samples to, by that one's name."""
    cost: tuple[float, float] = (0.0, 0.0)
    """A month on machines of your own, at least and at most."""
    currency: str = ""
    notes: tuple[str, ...] = ()


class Snapshot(Data):
    """One stack, planned or deployed."""

    environment: str
    programs: dict[str, Program] = {}
    protected: bool | None = None
    """Whether volumes stay when they are no longer asked for; None where there are none."""
    login: bool | None = None
    """Whether the endpoints have TLS and a password."""
    namespaces: tuple[str, ...] = ()
    """In a cluster the stack's own, and that of what watches the nodes."""
    operated: bool = False
    """Read from objects of the cluster's Prometheus operator, which hide some of the configuration."""
    generated: tuple[str, ...] = ()
    """Secrets that the deployment makes up itself."""
    stated: Stated | None = None


def taken(stack: str, folder: Path = FOLDER) -> Snapshot:
    """The snapshot of a stack's name or file, with the pinned images, as any machine would plan it."""
    return of_plan(*plan_stack_file(stack, folder, pinned=True))


def of_plan(config: StackConfig, plan: Plan) -> Snapshot:
    """The snapshot of a plan."""
    return Snapshot(
        environment=plan.environment,
        programs={service.name: _program(config, service) for service in plan.services},
        protected=config.data.keep,
        login=config.access is not None,
        namespaces=namespaces(config) if config.kubernetes else (),
        generated=plan.generated_secrets,
        stated=_stated(config, plan),
    )


def _program(config: StackConfig, service: Service) -> Program:
    fixed = {
        "image": (service.image,),
        "user": (service.user,),
        "entrypoint": service.entrypoint,
        "arguments": service.args,
        "arguments before the start": service.prepares,
        "environment": tuple(f"{name}={value}" for name, value in service.env),
        "ports": tuple(f"{place} to {inside}" for inside, place in _published(service)),
        "volumes": tuple(f"{each.name} at {each.path}" for each in (*service.volumes, *service.shares)),
        "host folders": tuple(
            f"{each.source} at {each.path}{' (writable)' if each.writable else ''}" for each in service.host_mounts
        ),
        "rights": (
            *service.capabilities,
            *["host processes"][: service.host_pid],
            *["writable"][: not service.read_only],
            *service.scratch,
        ),
        "network": (
            *(name for name in (service.group_name, service.entry_name) if name),
            *([config.docker.subnet] if config.docker.subnet else []),
            *(["meets services", *config.docker.networks] if service.meets_services else []),
        ),
        "placing": _placing(config, service),
        "health check": tuple(map(str, (*service.probe.command, service.probe.interval))) if service.probe else (),
        "cores": (f"{service.resources.cpus:g}",),
        # Docker changes it on a running container; a pod is made anew.
        **({"memory": (f"{service.resources.memory} MiB",)} if config.kubernetes else {}),
        "files": (service.restart_digest,) if service.restart_digest else (),
    }
    return Program(
        image=service.image,
        group=service.group,
        pod=(service.beside or service.name) if config.kubernetes else "",
        memory=service.resources.memory,
        cpus=service.resources.cpus,
        ports=dict(_published(service)),
        volumes={volume.name: _size(config, service) for volume in service.volumes},
        secrets=service.secrets,
        files={file.path: file.content for file in service.files if not file.secrets},
        fixed={name: values for name, values in fixed.items() if values},
        at_start=tuple(file.path for file in service.files if not file.live),
        secret_files={file.path: file.secrets for file in service.files if file.secrets},
    )


def _placing(config: StackConfig, service: Service) -> tuple[str, ...]:
    """What a pod asks of the cluster for its place and its images."""
    cluster = config.kubernetes
    if cluster is None:
        return ()
    nodes = {} if service.per_node else cluster.node_selector
    return (
        *(f"{label}={value}" for label, value in sorted(nodes.items())),
        *([cluster.priority_class] if cluster.priority_class else []),
        *cluster.image_pull_secrets,
    )


def _published(service: Service) -> tuple[tuple[str, str], ...]:
    return tuple(
        (port_name(port.number, protocol), address_text(port.address, port.published))
        for port in sorted(service.ports, key=lambda port: port.number)
        for protocol in port.protocols
        if port.published
    )


def port_name(number: int, protocol: str) -> str:
    """A port of a program: 9090, or 9094/udp."""
    return str(number) if protocol == "tcp" else f"{number}/{protocol}"


def address_text(address: str, number: int) -> str:
    """Where a port is published."""
    return f"[{address}]:{number}" if ":" in address else f"{address}:{number}"


def _size(config: StackConfig, service: Service) -> int | None:
    known = config.kubernetes and service.group.replace("-", "_") in type(config.kubernetes.volumes).model_fields
    return config.kubernetes.volumes.bytes_of(service.group) if config.kubernetes and known else None


def _bucket(bucket: Bucket) -> str:
    return f"{bucket.address}/{bucket.name}/{bucket.prefix or ''}"


def _stated(config: StackConfig, plan: Plan) -> Stated:
    products = [service.group for service in (*plan.services, *plan.withheld)]
    found = sources(config, products, chosen_groups(config, products))
    load = load_of(found, seconds(config.retention_time))
    remote = remote_needs(config, load, len(plan.replicas("prometheus")))
    bucket, backup = config.storage.bucket, config.backup
    cluster = config.kubernetes
    prices = combined(from_stack(config.prices, "prices"))
    bills = monthly_cost(cost_load(config, plan, Usage(Circumstances())), prices)
    return Stated(
        place=f"cluster {cluster.context}, namespace {namespaces(config)[0]}"
        if cluster
        else f"Docker engine {config.docker.host or 'of DOCKER_HOST'}",
        owners=tuple(sorted(alert_owners(config))),
        hosts={name: host for name, host in cluster.hosts.given.items() if host} if cluster else {},
        backup=Copies(
            to=f"bucket {_bucket(backup.to.bucket)}" if backup.to.bucket else f"folder {backup.to.folder}",
            period=backup.period[0],
            begins=backup.period[1],
            keep=backup.keep.model_dump(),
            include=backup.include,
            password=backup.password.secret,
        )
        if backup
        else None,
        bucket=_bucket(bucket) if bucket else "",
        deleted_kept=bucket.noncurrent_days if bucket and config.storage.backend == "thanos" else None,
        bucket_stays=not bucket.delete_with_objects if bucket and config.storage.backend == "thanos" else None,
        storage_class=cluster.storage_class or "" if cluster else None,
        admitted=(
            *(f"traces from namespace {name}" for name in cluster.trace_namespaces),
            *(f"samples from namespace {name}" for name in cluster.sample_namespaces),
        )
        if cluster
        else (),
        series={source.name: (source.series, source.rate) for source in found},
        needs={need.resource: need.plan for need in needs(load) if need.plan is not None},
        elsewhere={DATABASES[config.storage.backend][1]: {name: most for name, (_, most) in remote.items()}}
        if remote
        else {},
        cost=next((bill.total for bill in bills if bill.platform == "self-hosted"), (0.0, 0.0)),
        currency=prices.currency,
        notes=plan.notes,
    )


def main(stacks: list[str]) -> int:
    """Print what is there; a stack without a file is null, and a bad one ends it with the error as text."""
    found: list[object] = []
    for stack in stacks:
        if not stack_path(stack).is_file():
            found.append(None)
            continue
        try:
            found.append(taken(stack).model_dump(mode="json"))
        except StackFileError as error:
            print(error, file=sys.stderr)
            return 1
    json.dump({"format": FORMAT, "stacks": found}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
