"""`restore`: a copy back in place of a stack's data. Nothing is touched before every byte of the copy was read."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from docker.errors import APIError, NotFound

from components.config import StackConfig
from components.plan import plan_stack_file
from components.platforms.errors import DeploymentError
from components.services import backup, grafana_dump
from components.spec import Plan, Service
from operations import console
from operations.backups import grafana_database
from operations.backups.containers import Backups
from operations.backups.copies import with_backup
from operations.backups.holdings import proof
from operations.backups.in_pods import refuse_options
from operations.backups.restore_in_pods import restore_in_cluster
from operations.backups.snapshots import Snapshot, chosen, read_check, size_text, snapshots, told
from operations.errors import CommandError
from operations.inside import InContainer, Inside
from operations.pulumi_cli import Pulumi

GRAFANA_VOLUME = "grafana-data"
START_PATIENCE = 180
"""Seconds for a program to be healthy after it got its data back, and then to answer: Prometheus reads a log first."""


@dataclass(frozen=True)
class Target:
    """The stack that gets the data."""

    stack: str
    config: StackConfig
    plan: Plan

    @property
    def prefix(self) -> str:
        """What names of its containers and volumes begin with."""
        return f"observatory-{self.config.environment}"

    def inside(self, backups: Backups, name: str) -> Inside | None:
        """Its program of that name, where it runs."""
        service = self.plan.service(name)
        found = InContainer(service, backups.engine, self.prefix, patience=START_PATIENCE) if service else None
        return found if found and found.runs else None

    def owners(self, volumes: Sequence[str]) -> dict[str, Service]:
        """Volume to its service; those that this stack has no use for are missing."""
        return {
            volume.name: service
            for service in self.plan.services
            for volume in service.volumes
            if volume.name in volumes
        }


def check_engine(source: StackConfig, target: Target) -> None:
    """The engine that has the copies has to have the volumes, too. Raises CommandError."""
    if target.config.platform != "docker":
        raise CommandError(f"{target.stack} is not on Docker; into a cluster only copies of its own stack are restored")
    if target.config.docker.host != source.docker.host:
        hint = "a stack file with the other engine's `docker.host` and this one's `backup:` restores there"
        raise CommandError(f"{target.stack} is on another Docker engine than the stack of the copies", hint)


def restore_command(
    stack: str,
    place: str | None,
    wanted: str | None,
    into: str | None,
    replace: bool,
    password_file: Path | None,
    as_json: bool,
) -> int:
    """Restore a copy of a stack, into that stack or another one."""
    start = time.monotonic()
    try:
        config, plan = with_backup(stack)
        if config.kubernetes:
            refuse_options({"[FROM]": place, "--into": into, "--password-file": password_file})
            return restore_in_cluster(config, plan, wanted, replace, as_json)
        backups = Backups.of(stack, config, plan, place, password_file)
        target = Target(into or stack, *plan_stack_file(into)) if into else Target(stack, backups.config, backups.plan)
        check_engine(backups.config, target)
        snapshot = chosen(snapshots(backups), wanted, backups.place)
        owners = target.owners(sorted(snapshot.volumes))
        if not owners:
            raise CommandError(f"{target.stack} has none of the services whose data is in copy {snapshot.short}")
        _refuse_to_lose_data(backups, target, snapshot, sorted(owners), replace)
        console.note(f"reading all of copy {snapshot.short} of {snapshot.time:%Y-%m-%d %H:%M:%S} UTC")
        read_check(backups, snapshot)
        taken = told(backups, snapshot, "moment")
        for volume in sorted({*snapshot.volumes} - {*owners}):
            console.note(f"{target.config.environment} has no use for {volume}, which is in the copy")
        _put_in_place(backups, target, snapshot, owners)
        if grafana_dump.VOLUME.name in owners:
            grafana_database.load(backups, target.plan, target.config.environment)
        found = proof(target.inside(backups, "prometheus"), target.inside(backups, "alertmanager"), taken)
    except DeploymentError as error:
        raise CommandError(str(error)) from None
    result = {
        "stack": target.config.environment,
        "snapshot": snapshot.short,
        "taken": snapshot.time.isoformat(),
        "volumes": sorted(owners),
        "bytes": snapshot.size,
        "seconds": round(time.monotonic() - start, 1),
        **found,
    }
    if as_json:
        console.print_json(result)
        return 0
    console.say(
        f"{target.config.environment} has copy {snapshot.short} of {snapshot.time:%Y-%m-%d %H:%M:%S} UTC: "
        f"{', '.join(sorted(owners))}, {size_text(snapshot.size)}; {result['seconds']} s"
    )
    if found:
        console.say("it answers with " + ", ".join(f"{number} {name}" for name, number in found.items()))
    return 0


def _refuse_to_lose_data(
    backups: Backups, target: Target, snapshot: Snapshot, volumes: Sequence[str], replace: bool
) -> None:
    there = [name for name in volumes if _exists(backups, f"{target.prefix}-{name}")]
    held = _look(backups, target, there)
    lost = [f"{name}: {files} files, {size_text(size)}" for name, (files, size) in held.items() if files]
    if grafana_dump.VOLUME.name in volumes:
        lost.append(grafana_database.would_be_lost(target.config))
    if lost and not replace:
        listed = "\n".join(f"  {each}" for each in lost)
        raise CommandError(
            f"{target.stack} has data, and it would be lost:\n{listed}",
            "--replace puts the copy in its place; ./observatory backup keeps it first; --into names another stack",
        )
    settle(backups, there, target.config.environment)
    _, free = _look(backups, target, there)["free"]
    if snapshot.size > free:
        raise CommandError(
            f"copy {snapshot.short} needs {size_text(snapshot.size)}, and the engine's disk has {size_text(free)} left",
            "make room: what is there now is removed only once the copy is complete beside it",
        )
    for each in lost:
        console.note(f"{target.config.environment} will lose {each}")


def _look(backups: Backups, target: Target, volumes: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Files and bytes of each volume, and as `free` what its disk has left."""
    answer = backups.run("look", *volumes, volumes=volumes, environment=target.config.environment)
    if answer.code != 0:
        raise backups.error(answer, f"the volumes of {target.stack} cannot be read")
    rows = [line.split() for line in answer.output.splitlines()]
    return {name: (int(files), int(size) * 1024) for name, files, size in rows}


def _exists(backups: Backups, volume: str) -> bool:
    try:
        backups.engine.client.volumes.get(volume)
    except NotFound:
        return False
    return True


def _put_in_place(backups: Backups, target: Target, snapshot: Snapshot, owners: Mapping[str, Service]) -> None:
    """Stop who uses the volumes, fill them, and start what was stopped; a stack that is not there is deployed."""
    stopped = [*dict.fromkeys(service.name for service in owners.values())]
    if target.plan.service(backup.NAME):
        stopped.append(backup.NAME)
    try:
        for name in stopped:
            if container := backups.engine.container(f"{target.prefix}-{name}"):
                service = target.plan.service(name)
                container.stop(timeout=service.stop_grace if service else 30)
        for volume in sorted(owners):
            console.note(f"restoring {volume}")
            fill(backups, snapshot, volume, target.config.environment)
    except (CommandError, DeploymentError, KeyboardInterrupt):
        with suppress(CommandError, DeploymentError):  # a volume for which that fails lets no program in
            settle(backups, sorted(owners), target.config.environment)
        for name in stopped:
            if container := backups.engine.container(f"{target.prefix}-{name}"):
                with suppress(APIError):
                    container.start()
        console.note(f"{target.config.environment} runs again with what it had in the volumes that were not restored")
        raise
    if all(backups.engine.container(f"{target.prefix}-{name}") for name in stopped):
        for name in stopped:
            service = target.plan.service(name)
            probe = list(service.probe.command) if service and service.probe else []
            backups.engine.await_started(f"{target.prefix}-{name}", probe, START_PATIENCE)
        return
    pulumi = Pulumi.of(target.stack)
    if not pulumi.exists():
        console.note(f"the data is in place; deploy the stack: make up STACK={pulumi.stack}")
    elif pulumi.show("up", "--yes", "--skip-preview", output=sys.stderr):
        raise CommandError("the data is in place, but the deployment failed", "correct that, and deploy again")


def fill(backups: Backups, snapshot: Snapshot, volume: str, environment: str) -> None:
    """Put one volume of a copy in place of what an environment's volume holds; all of it or nothing."""
    databases = [snapshot.staged] if volume == GRAFANA_VOLUME else []
    fetch = ("fetch", snapshot.id, volume, snapshot.volumes[volume], *databases)
    for arguments in (fetch, ("put", volume, snapshot.id)):
        answer = backups.run(*arguments, volumes=[volume], environment=environment)
        if answer.code != 0 and volume not in settle(backups, [volume], environment):
            raise backups.error(answer, f"{volume} was not restored, and holds what it held")


def settle(backups: Backups, volumes: Sequence[str], environment: str) -> list[str]:
    """Drop what restores left that were cut off before they touched any data, and finish others: those are named."""
    if not volumes:
        return []
    answer = backups.run("settle", *volumes, volumes=volumes, environment=environment)
    if answer.code != 0:
        raise backups.error(answer, f"a restore of {', '.join(volumes)} was cut off, and cannot be finished")
    finished = answer.output.split()
    for volume in finished:
        console.note(f"a restore of {volume} was cut off, and is finished")
    return finished
