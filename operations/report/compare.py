"""All differences between two snapshots of a stack, section by section."""

from __future__ import annotations

from collections.abc import Iterator

from operations.report.change import SECTIONS, Change
from operations.report.dashboards import dashboard_changes
from operations.report.data import data_changes
from operations.report.programs import effect_changes, open_changes, program_changes, secret_changes
from operations.report.reach import reach_changes
from operations.report.routes import route_changes, silence_changes
from operations.report.rules import rule_changes
from operations.report.scraping import job_changes
from operations.report.size import size_changes
from operations.report.snapshot import Snapshot
from operations.report.stores import store_changes

_PARTS = (
    rule_changes,
    route_changes,
    silence_changes,
    job_changes,
    size_changes,
    dashboard_changes,
    program_changes,
    open_changes,
    data_changes,
    reach_changes,
    store_changes,
    effect_changes,
    secret_changes,
)


def compared(before: Snapshot, after: Snapshot) -> list[Change]:
    """Every change from one to the other, in the order of a report."""
    found = [change for part in _PARTS for change in part(before, after)]
    found += _notes(before, after)
    return sorted(found, key=lambda change: list(SECTIONS).index(change.section))


def _notes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    if before.stated is None or after.stated is None:
        return
    for note in [note for note in after.stated.notes if note not in before.stated.notes]:
        yield Change("notes", note, "new")
    for note in [note for note in before.stated.notes if note not in after.stated.notes]:
        yield Change("notes", note, "gone")
