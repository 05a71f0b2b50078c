"""What a drill compares: the programs of the first stack with those that got the copy."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from operations import console
from operations.backups.snapshots import Snapshot
from operations.inside import Inside

_EVERYTHING = '{__name__!=""}'
_EACH_SCRAPE = ("up", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling")
"""What Prometheus itself stores for each scrape of each target."""
_COMPARED_ONE_BY_ONE = 20_000
"""Series of which every sample of five minutes is compared; of more, those of each scrape alone are."""
SETTLED = 30
"""Seconds before the copy was taken by which each scrape that had begun was stored."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. `first` is None where the first stack cannot be asked; then the copy speaks for itself."""

    what: str
    first: str | None
    copy: str
    right: bool


def samples(first: Inside | None, copy: Inside, at: float) -> Iterator[Row]:
    """Series; the samples of an hour about each scrape; and all samples of five minutes, one by one."""
    count = f"count({_EVERYTHING})"
    series = copy.number(count, at)
    expected = first.number(count, at) if first else 0.0
    yield numbers("series", expected, series)
    for name in _EACH_SCRAPE:
        for what, function in (("samples", "count_over_time"), ("sum", "sum_over_time")):
            expression = f"sum({function}({name}[1h]))"
            number = first.number(expression, at) if first else 0.0
            yield numbers(f"{what} of {name}, 1 h", number, copy.number(expression, at))
    if expected and expected <= _COMPARED_ONE_BY_ONE and first:
        selector = f"{_EVERYTHING}[5m]"
        original, restored = first.samples(selector, at), copy.samples(selector, at)
        total = sum(map(len, original.values()))
        same = sum(len(values) for key, values in original.items() if restored.get(key) == values)
        yield Row("every sample, 5 min", str(total), str(same), original == restored)


def numbers(what: str, expected: float, restored: float) -> Row:
    """Where the first stack has nothing any more (it is down, or its retention is over), something has to be there."""
    if not expected:
        return Row(what, None, f"{restored:.10g}", restored > 0)
    return Row(what, f"{expected:.10g}", f"{restored:.10g}", restored == expected)


def silences(first: Inside | None, copy: Inside, taken: float) -> Row:
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


def _essence(silence: dict[str, Any]) -> tuple[str, ...]:
    matchers = sorted(str(sorted(matcher.items())) for matcher in silence["matchers"])
    return (silence["startsAt"], silence["endsAt"], silence["createdBy"], silence["comment"], *matchers)


def dashboards(content: bytes | None) -> Row:
    """Whether Grafana's database is whole, and how many dashboards are in it."""
    if not content:
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


def report(environment: str, copies: Sequence[Snapshot], rows: Sequence[Row], seconds: float, as_json: bool) -> int:
    """Tell what was found; the exit code."""
    right, seconds = passed(rows), round(seconds, 1)
    if as_json:
        told = [{"what": row.what, "first": row.first, "copy": row.copy, "right": row.right} for row in rows]
        named = ", ".join(copy.short for copy in copies)
        console.print_json({"snapshot": named, "passed": right, "seconds": seconds, "comparisons": told})
        return 0 if right else 1
    lines = [(row.what, row.first or "not asked", row.copy, "same" if row.right else "DIFFERENT") for row in rows]
    for line in console.table(lines, ("compared", environment, "restored copy", "")):
        console.say(line)
    verdict = "passed" if right else "FAILED"
    console.say(
        console.paint(f"the drill {verdict} in {seconds} s; nothing of it is left", "green" if right else "red")
    )
    return 0 if right else 1


def passed(rows: Sequence[Row]) -> bool:
    """Whether something was compared, and all of it is right."""
    return bool(rows) and all(row.right for row in rows)
