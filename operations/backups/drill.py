"""`restore --drill`: proves that a copy can be restored, by doing it beside the stack and comparing both."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from components.platforms.errors import DeploymentError
from components.services import grafana_dump
from operations import console
from operations.backups.containers import Backups
from operations.backups.drill_stack import DrillStack
from operations.backups.restore import GRAFANA_VOLUME, fill
from operations.backups.snapshots import Snapshot, chosen, read_check, snapshots, told
from operations.errors import CommandError, UsageError
from operations.inside import Inside
from operations.running import CheckFailed

_EVERYTHING = '{__name__!=""}'
_EACH_SCRAPE = ("up", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling")
"""What Prometheus itself stores for each scrape of each target."""
_COMPARED_ONE_BY_ONE = 20_000
"""Series of which every sample of five minutes is compared; of more, those of each scrape alone are."""
_SETTLED = 30
"""Seconds before the copy was taken by which each scrape that had begun was stored."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. `first` is None where the first stack cannot be asked; then the copy speaks for itself."""

    what: str
    first: str | None
    copy: str
    right: bool


def drill_command(
    stack: str, place: str | None, wanted: str | None, other_ways: bool, password_file: Path | None, as_json: bool
) -> int:
    """Restore a copy into a second stack, compare, remove it, and remember the success. The first is only asked."""
    if other_ways:
        raise UsageError("--drill has a stack of its own, so neither --into nor --replace")
    start = time.monotonic()
    try:
        backups = Backups.of(stack, place, password_file)
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
        right = bool(rows) and all(row.right for row in rows)
        if right and (answer := backups.run("passed")).code != 0:
            raise backups.error(answer, "the drill passed, but that could not be written down")
    except DeploymentError as error:
        raise CommandError(str(error)) from None
    seconds = round(time.monotonic() - start, 1)
    if as_json:
        told = [{"what": row.what, "first": row.first, "copy": row.copy, "right": row.right} for row in rows]
        console.print_json({"snapshot": snapshot.short, "passed": right, "seconds": seconds, "comparisons": told})
        return 0 if right else 1
    lines = [(row.what, row.first or "not asked", row.copy, "same" if row.right else "DIFFERENT") for row in rows]
    for line in console.table(lines, ("compared", backups.config.environment, "restored copy", "")):
        console.say(line)
    verdict = "passed" if right else "FAILED"
    console.say(
        console.paint(f"the drill {verdict} in {seconds} s; nothing of it is left", "green" if right else "red")
    )
    return 0 if right else 1


def _comparisons(backups: Backups, second: DrillStack, snapshot: Snapshot) -> Iterator[Row]:
    taken = told(backups, snapshot, "moment")
    try:
        if "prometheus-data" in snapshot.volumes:
            yield from _samples(*_both(backups, second, "prometheus"), taken - _SETTLED)
        if "alertmanager-data" in snapshot.volumes:
            yield _silences(*_both(backups, second, "alertmanager"), told(backups, snapshot, "begin"))
        if GRAFANA_VOLUME in snapshot.volumes:
            yield _dashboards(backups, second)
        if grafana_dump.VOLUME.name in snapshot.volumes:
            yield _database(backups, second)
    except CheckFailed as error:
        yield Row("answers", None, error.detail, False)


def _both(backups: Backups, second: DrillStack, name: str) -> tuple[Inside | None, Inside]:
    """The program of the first stack, where it runs, and that of the copy."""
    planned, copied = backups.plan.service(name), second.plan.service(name)
    assert planned
    assert copied
    first = Inside(backups.engine, backups.prefix, planned)
    return first if first.runs else None, Inside(second.engine, second.prefix, copied)


def _samples(first: Inside | None, copy: Inside, at: float) -> Iterator[Row]:
    """Series; the samples of an hour about each scrape; and all samples of five minutes, one by one."""
    count = f"count({_EVERYTHING})"
    series = copy.number(count, at)
    expected = first.number(count, at) if first else 0.0
    yield _numbers("series", expected, series)
    for name in _EACH_SCRAPE:
        for what, function in (("samples", "count_over_time"), ("sum", "sum_over_time")):
            expression = f"sum({function}({name}[1h]))"
            number = first.number(expression, at) if first else 0.0
            yield _numbers(f"{what} of {name}, 1 h", number, copy.number(expression, at))
    if expected and expected <= _COMPARED_ONE_BY_ONE and first:
        selector = f"{_EVERYTHING}[5m]"
        original, restored = first.samples(selector, at), copy.samples(selector, at)
        total = sum(map(len, original.values()))
        same = sum(len(values) for key, values in original.items() if restored.get(key) == values)
        yield Row("every sample, 5 min", str(total), str(same), original == restored)


def _numbers(what: str, expected: float, restored: float) -> Row:
    """Where the first stack has nothing any more (it is down, or its retention is over), something has to be there."""
    if not expected:
        return Row(what, None, f"{restored:.10g}", restored > 0)
    return Row(what, f"{expected:.10g}", f"{restored:.10g}", restored == expected)


def _silences(first: Inside | None, copy: Inside, taken: float) -> Row:
    """Those of the first stack that are as old as the copy, with their ids and times."""
    restored = {each["id"]: _essence(each) for each in copy.silences()}
    if first is None:
        return Row("silences", None, str(len(restored)), True)
    expected = {
        each["id"]: _essence(each)
        for each in first.silences()
        if datetime.fromisoformat(each["updatedAt"]).timestamp() < taken
    }
    same = sum(restored.get(key) == value for key, value in expected.items())
    return Row("silences", str(len(expected)), str(same), same == len(expected))


def _updated(silence: dict[str, Any]) -> float:
    return datetime.fromisoformat(silence["updatedAt"]).timestamp()


def _essence(silence: dict[str, Any]) -> tuple[str, ...]:
    matchers = sorted(str(sorted(matcher.items())) for matcher in silence["matchers"])
    return (silence["startsAt"], silence["endsAt"], silence["createdBy"], silence["comment"], *matchers)


def _dashboards(backups: Backups, second: DrillStack) -> Row:
    """Whether Grafana's database is whole, and how many dashboards are in it."""
    try:
        content = second.file(GRAFANA_VOLUME, "grafana.db", backups.service.image)
    except KeyError:
        return Row("dashboards", None, "the copy has no database of Grafana", False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "grafana.db"
        file.write_bytes(content)
        try:
            with closing(sqlite3.connect(file)) as database:
                (state,) = database.execute("PRAGMA integrity_check").fetchone()
                (count,) = database.execute("SELECT count(*) FROM dashboard WHERE NOT is_folder").fetchone()
        except sqlite3.DatabaseError as error:
            return Row("dashboards", None, f"the database is damaged: {error}", False)
    return Row("dashboards", None, f"{count}, integrity {state}", state == "ok")


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
