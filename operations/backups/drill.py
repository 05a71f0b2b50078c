"""`restore --drill`: proves that a copy can be restored, by doing it beside the stack and comparing both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from components.platforms.errors import DeploymentError
from components.services import grafana_dump
from operations import console
from operations.backups.comparisons import SETTLED, Row, dashboards, passed, report, samples, silences
from operations.backups.containers import Backups
from operations.backups.copies import with_backup
from operations.backups.drill_in_pods import drill_in_cluster
from operations.backups.drill_stack import START_PATIENCE, DrillStack
from operations.backups.in_pods import refuse_options
from operations.backups.restore import GRAFANA_VOLUME, fill
from operations.backups.snapshots import Snapshot, chosen, read_check, snapshots, told
from operations.errors import CommandError, UsageError
from operations.inside import InContainer, Inside
from operations.running import CheckFailed


def drill_command(
    stack: str, place: str | None, wanted: str | None, other_ways: bool, password_file: Path | None, as_json: bool
) -> int:
    """Restore a copy into a second stack, compare, remove it, and remember the success. The first is only asked."""
    if other_ways:
        raise UsageError("--drill has a stack of its own, so neither --into nor --replace")
    start = time.monotonic()
    try:
        config, plan = with_backup(stack)
        if config.kubernetes:
            refuse_options({"[FROM]": place, "--password-file": password_file})
            return drill_in_cluster(config, plan, wanted, as_json)
        backups = Backups.of(stack, config, plan, place, password_file)
        snapshot = chosen(snapshots(backups), wanted, backups.place)
        console.note(f"reading all of copy {snapshot.short} of {snapshot.time:%Y-%m-%d %H:%M:%S} UTC")
        read_check(backups, snapshot)
        second = DrillStack.beside(backups.config, backups.engine)
        with second.room():
            for volume in sorted({*snapshot.volumes} & second.volumes):
                console.note(f"restoring {volume}")
                fill(backups, snapshot, volume, second.config.environment)
            second.start()
            rows = list(_comparisons(backups, second, snapshot))
        if passed(rows) and (answer := backups.run("passed")).code != 0:
            raise backups.error(answer, "the drill passed, but that could not be written down")
    except DeploymentError as error:
        raise CommandError(str(error)) from None
    return report(config.environment, [snapshot], rows, time.monotonic() - start, as_json)


def _comparisons(backups: Backups, second: DrillStack, snapshot: Snapshot) -> Iterator[Row]:
    taken = told(backups, snapshot, "moment")
    try:
        if "prometheus-data" in snapshot.volumes:
            yield from samples(*_both(backups, second, "prometheus"), taken - SETTLED)
        if "alertmanager-data" in snapshot.volumes:
            yield silences(*_both(backups, second, "alertmanager"), told(backups, snapshot, "begin"))
        if GRAFANA_VOLUME in snapshot.volumes:
            yield dashboards(_grafana(backups, second))
        if grafana_dump.VOLUME.name in snapshot.volumes:
            yield _database(backups, second)
    except CheckFailed as error:
        yield Row("answers", None, error.detail, False)


def _both(backups: Backups, second: DrillStack, name: str) -> tuple[Inside | None, Inside]:
    """The program of the first stack, where it runs, and that of the copy."""
    copied = second.plan.service(name)
    assert copied
    copy = InContainer(copied, second.engine, second.prefix, patience=START_PATIENCE)
    return backups.inside(name, START_PATIENCE), copy


def _grafana(backups: Backups, second: DrillStack) -> bytes | None:
    try:
        return second.file(GRAFANA_VOLUME, "grafana.db", backups.service.image)
    except KeyError:
        return None


def _database(backups: Backups, second: DrillStack) -> Row:
    """Whether a server of its own takes the dump of Grafana's database, and how many dashboards are in it then."""
    what = "dashboards in the database"
    service = backups.plan.service(grafana_dump.NAME)
    if service is None:
        return Row(what, None, "the stack file names no grafana.database any more", False)
    code, output, errors = second.run(service, "prove")
    if code != 0:
        return Row(what, None, errors.splitlines()[-1] if errors else f"exit code {code}", False)
    return Row(what, None, f"{output}, loaded into a server", True)
