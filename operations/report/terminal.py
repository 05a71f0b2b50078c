"""A report for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from operations import console
from operations.report.change import SECTIONS, Change
from operations.report.report import Report, Reports, shortened

_LONGEST = 60


def lines(reports: Reports) -> Iterator[str]:
    """Every stack with its changes, dangers in red; the dangers once more at its end."""
    for number, report in enumerate(reports.stacks):
        if number:
            yield ""
        yield from _stack(reports.base, report)


def _stack(base: str, report: Report) -> Iterator[str]:
    count = len(report.changes)
    text = f"{count} change{'s' * (count != 1)}" if count else "no changes"
    yield console.paint(f"{report.stack}: {text} against {base}", "bold")
    yield from report.notes
    for section, group in groupby(report.told, key=lambda change: change.section):
        changes = list(group)
        yield ""
        yield console.paint(SECTIONS[section], "bold")
        # Painted after the columns are aligned: codes of colours would count as characters.
        for line, change in zip(console.table([_row(change) for change in changes]), changes, strict=True):
            yield "  " + (console.paint(line, "red") if change.danger else line)
    if report.dangers:
        yield ""
        yield console.paint(
            "dangers: " + ", ".join(f"{name} ({len(found)})" for name, found in report.dangers.items()), "red"
        )


def _row(change: Change) -> list[str]:
    before, after = shortened(change.before, change.after, _LONGEST)
    values = " -> ".join(filter(None, (before, after)))
    return [change.name, change.what, values, f"[{change.danger}]" if change.danger else ""]
