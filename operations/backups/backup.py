"""`backup` and `backups`: a copy by hand, and the list of those that there are."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.config import StackConfig
from components.platforms.errors import DeploymentError
from components.spec import Plan
from operations import console
from operations.backups.containers import Backups
from operations.backups.copies import Answer, Copies, with_backup
from operations.backups.holdings import counts
from operations.backups.in_pods import pod_copies, refuse_options
from operations.backups.snapshots import all_snapshots, size_text
from operations.errors import CommandError


def backup_command(stack: str, to: str | None, password_file: Path | None, as_json: bool) -> int:
    """Make a copy now."""
    start = time.monotonic()
    try:
        config, plan = with_backup(stack)
        if config.kubernetes:
            refuse_options({"--to": to, "--password-file": password_file})
            return backup_in_cluster(config, plan, as_json)
        backups = Backups.of(stack, config, plan, to, password_file)
        volumes = backups.volumes()
        if not volumes:
            raise CommandError(f"{stack} has no data on its engine, so nothing to copy", "deploy it: `make up`")
        answer = backups.run("run", "manual", volumes=volumes, show=console.note)
        if answer.code != 0:
            raise backups.error(answer, f"no copy was made to {backups.place}")
        result = made(backups, volumes, answer, time.monotonic() - start)
        held = counts(backups)
    except DeploymentError as error:
        raise CommandError(str(error)) from None
    if as_json:
        console.print_json({"stack": config.environment, **result, **held})
        return 0
    console.say(made_text(result))
    _say_held(held)
    return 0


def made(copies: Copies, volumes: Sequence[str], answer: Answer, seconds: float) -> dict[str, Any]:
    """A copy that was made, as data."""
    try:
        summary = json.loads(answer.output.splitlines()[-1])
        return {
            "to": copies.place,
            "snapshot": summary["snapshot_id"][:8],
            "volumes": [*volumes],
            "files": summary["total_files_processed"],
            "bytes": summary["total_bytes_processed"],
            "added_bytes": summary["data_added_packed"],
            "seconds": round(seconds, 1),
        }
    except (ValueError, KeyError, IndexError, TypeError):
        message = f"a copy of {', '.join(volumes)} was made, but what was told of it cannot be read"
        raise CommandError(f"{message}: {answer.output[:200]!r}", "./observatory backups lists it") from None


def made_text(copy: Mapping[str, Any]) -> str:
    """The same for people."""
    return (
        f"copy {copy['snapshot']} of {', '.join(copy['volumes'])}: {copy['files']} files, {size_text(copy['bytes'])}, "
        f"of which {size_text(copy['added_bytes'])} are new in {copy['to']}; {copy['seconds']} s"
    )


def _say_held(held: Mapping[str, int]) -> None:
    if held:
        console.say("the stack holds " + ", ".join(f"{number} {name}" for name, number in held.items()))


def backup_in_cluster(config: StackConfig, plan: Plan, as_json: bool) -> int:
    """Make a copy now in each pod that has data; one that fails does not keep the others from it."""
    done: list[dict[str, Any]] = []
    failed: list[CommandError] = []
    everyone = pod_copies(config, plan)
    for copies in everyone:
        start = time.monotonic()
        console.note(f"copying {copies.volume}")
        try:
            answer = copies.run("run", "manual", show=console.note)
            if answer.code != 0:
                raise copies.error(answer, f"no copy of {copies.volume} was made to {copies.place}")
            done.append(made(copies, [copies.volume], answer, time.monotonic() - start))
        except CommandError as error:
            failed.append(error)
            continue
        if not as_json:
            console.say(made_text(done[-1]))
    held = counts(everyone[0])
    if as_json:
        told = [error.message for error in failed]
        console.print_json({"stack": config.environment, "copies": done, "failed": told, **held})
    else:
        _say_held(held)
    return _told(failed)


def backups_command(stack: str, place: str | None, password_file: Path | None, as_json: bool) -> int:
    """List the copies that can be restored."""
    try:
        config, plan = with_backup(stack)
        if config.kubernetes:
            refuse_options({"--from": place, "--password-file": password_file})
            everyone: Sequence[Copies] = pod_copies(config, plan)
        else:
            everyone = [Backups.of(stack, config, plan, place, password_file)]
        held, failed = all_snapshots(everyone)
    except DeploymentError as error:
        raise CommandError(str(error)) from None
    found = sorted(((copies, each) for copies, those in held for each in those), key=lambda each: each[1].time)
    if as_json:
        console.print_json(
            [
                {"id": each.short, "time": each.time.isoformat(), "kind": each.kind, "bytes": each.size}
                | {"added_bytes": each.added, "volumes": sorted(each.volumes)}
                for _, each in found
            ]
        )
        return _told(failed)
    rows = []
    for _, each in found:
        about = (each.short, f"{each.time:%Y-%m-%d %H:%M:%S} UTC", each.kind, size_text(each.size))
        rows.append((*about, size_text(each.added), *([", ".join(sorted(each.volumes))] if config.kubernetes else [])))
    for line in console.table(rows, ("copy", "taken", "made", "size", "new", *(["of"] if config.kubernetes else []))):
        console.say(line)
    for copies, those in held:
        if not those:
            console.note(f"{copies.place} holds no copy of this stack")
    return _told(failed)


def _told(failed: Sequence[CommandError]) -> int:
    if failed:
        raise CommandError("; ".join(error.message for error in failed), failed[0].hint)
    return 0
