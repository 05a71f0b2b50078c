"""A backtest for people."""

from __future__ import annotations

from datetime import UTC, datetime

from components.config.base import duration_text
from operations import console
from operations.backtest.compare import Compared, Firing, Outcome, Report

SHOWN = 10
"""Firings listed of each rule; JSON and the page have all."""
_COLOURS = {"changed": "yellow", "new": "green", "removed": "red", "same": "dim"}


def lines(report: Report) -> list[str]:
    """The table, then the firings of each alert."""
    span = f"{moment(report.start)} to {moment(report.end)}"
    found = [f"{report.environment}: {span} UTC, against {report.against}, beside the rules of {report.base}", ""]
    if not report.alerts:
        return [*found, f"No alert differs from {report.base}. Name alerts to run them all the same."]
    head = ["ALERT", "RULE", "FIRED", "IN ALL", "LONGEST", "LABEL SETS", "PENDING ONLY", "CHANGE"]
    rows = [row for each in report.alerts for row in _rows(each)]
    first, *rest = console.table(rows, head)
    body = [
        line.removesuffix(row[-1]) + console.paint(row[-1], _COLOURS[row[-1]]) if row[-1] in _COLOURS else line
        for line, row in zip(rest, rows, strict=True)
    ]
    found += [console.paint(first, "bold"), *body]
    for each in report.alerts:
        found += _details(each)
    found += ["", *(f"Note: {note}." for note in report.notes)]
    counted = "counted by the server" if report.counted else "worked out from the number of series"
    found.append(
        f"The server looked at {report.samples:,} samples ({counted}) in {report.queries} queries and "
        f"{report.asking:.1f} s."
    )
    if not report.complete:
        found.append(console.paint("Not complete: --max-samples was reached.", "red"))
    return found


def _rows(each: Compared) -> list[list[str]]:
    rows = [_row(each.key[1], "now", each.now, each.change)]
    if each.change in ("changed", "removed"):
        rows.append(_row("", "before", each.before, ""))
    return rows


def _row(name: str, which: str, found: Outcome | None, change: str) -> list[str]:
    if found is None:
        return [name, which, "-", "-", "-", "-", "-", change]
    lengths = [firing.length for firing in found.firings]
    return [
        name,
        which,
        f"{len(lengths):,}",
        length(sum(lengths)),
        length(max(lengths, default=0.0)),
        f"{len({firing.labels for firing in found.firings}):,}",
        f"{found.pending_only:,}",
        change,
    ]


def _details(each: Compared) -> list[str]:
    found: list[str] = []
    sides = [("now", each.now)] + [("before", each.before)] * (each.change in ("changed", "removed"))
    for which, side in sides:
        if side and side.firings:
            found += ["", f"{each.key[1]}, {which}:", *(f"  {told(firing)}" for firing in side.firings[:SHOWN])]
            if len(side.firings) > SHOWN:
                found.append(f"  and {len(side.firings) - SHOWN:,} more (--json, --html)")
    if each.change == "changed" and each.now and each.before:
        shared = each.data()["difference"]
        parts = [f"{length(shared[key])} {words}" for key, words in _SHARED]
        found += ["", f"{each.key[1]}: {', '.join(parts)}"]
    return found + [f"{each.key[1]}: {note}" for note in each.notes]


_SHARED = (("both", "by both rules"), ("only_now", "by that of now alone"), ("only_before", "by that of before alone"))


def told(firing: Firing) -> str:
    """A firing in one line."""
    begin = "before " if firing.before_window else ""
    end = ", and goes on" if firing.goes_on else ""
    labels = ", ".join(f"{name}={value}" for name, value in firing.labels)
    return f"{begin}{moment(firing.start)} for {length(firing.length)}{end}  {labels}"


def moment(at: float) -> str:
    """A time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def length(time: float) -> str:
    """Seconds as people write durations."""
    return duration_text(round(time, 3)) if time >= 0.001 else "-"
