"""`backup` and `backups`: a copy by hand, and the list of those that there are."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from components.platforms.errors import DeploymentError
from operations import console
from operations.backups.containers import Backups
from operations.backups.snapshots import snapshots
from operations.errors import CommandError
from operations.inside import Inside
from operations.running import CheckFailed


def size_text(size: float) -> str:
    """Bytes for people, in powers of 1024."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def counts(backups: Backups) -> dict[str, int]:
    """What the stack holds now, as its programs tell: series, samples since its start, blocks, silences."""
    found: dict[str, int] = {}
    now = time.time()
    asked = (
        ("series", "prometheus_tsdb_head_series"),
        ("samples", "sum(prometheus_tsdb_head_samples_appended_total)"),
        ("blocks", "prometheus_tsdb_blocks_loaded"),
    )
    for name, expression in asked:
        prometheus = backups.plan.service("prometheus")
        if prometheus and (one := Inside(backups.engine, backups.prefix, prometheus)).runs:
            try:
                found[name] = round(one.number(expression, now))
            except CheckFailed as error:
                console.note(f"{name}: {error.detail}")
    alertmanager = backups.plan.service("alertmanager")
    if alertmanager and (one := Inside(backups.engine, backups.prefix, alertmanager)).runs:
        try:
            found["silences"] = len(one.silences())
        except CheckFailed as error:
            console.note(f"silences: {error.detail}")
    return found


def backup_command(stack: str, to: str | None, password_file: Path | None, as_json: bool) -> int:
    """Make a copy now."""
    start = time.monotonic()
    try:
        backups = Backups.of(stack, to, password_file)
        volumes = backups.volumes()
        if not volumes:
            raise CommandError(f"{stack} has no data on its engine, so nothing to copy", "deploy it: `make up`")
        answer = backups.run("run", "manual", volumes=volumes, show=console.note)
        if answer.code != 0:
            raise backups.error(answer, f"no copy was made to {backups.place}")
        summary = json.loads(answer.output.splitlines()[-1])
        held = counts(backups)
    except DeploymentError as error:
        raise CommandError(str(error)) from None
    result: dict[str, Any] = {
        "stack": backups.config.environment,
        "to": backups.place,
        "snapshot": summary["snapshot_id"][:8],
        "volumes": volumes,
        "files": summary["total_files_processed"],
        "bytes": summary["total_bytes_processed"],
        "added_bytes": summary["data_added_packed"],
        "seconds": round(time.monotonic() - start, 1),
        **held,
    }
    if as_json:
        console.print_json(result)
        return 0
    console.say(
        f"copy {result['snapshot']} of {', '.join(volumes)}: {result['files']} files, {size_text(result['bytes'])}, "
        f"of which {size_text(result['added_bytes'])} are new in {backups.place}; {result['seconds']} s"
    )
    if held:
        console.say("the stack holds " + ", ".join(f"{number} {name}" for name, number in held.items()))
    return 0


def backups_command(stack: str, place: str | None, password_file: Path | None, as_json: bool) -> int:
    """List the copies that can be restored."""
    try:
        backups = Backups.of(stack, place, password_file)
        found = snapshots(backups)
    except DeploymentError as error:
        raise CommandError(str(error)) from None
    if as_json:
        console.print_json(
            [
                {"id": each.short, "time": each.time.isoformat(), "kind": each.kind, "bytes": each.size}
                | {"added_bytes": each.added, "volumes": sorted(each.volumes)}
                for each in found
            ]
        )
        return 0
    rows = [
        (each.short, f"{each.time:%Y-%m-%d %H:%M:%S} UTC", each.kind, size_text(each.size), size_text(each.added))
        for each in found
    ]
    for line in console.table(rows, ("copy", "taken", "made", "size", "new")):
        console.say(line)
    if not rows:
        console.note(f"{backups.place} holds no copy of this stack")
    return 0
