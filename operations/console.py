"""What people see: colours on a terminal only, aligned tables, a line for each check."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from operations.results import Result, Status, passed, summary

_CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
_COLOUR_OF = {Status.OK: "green", Status.FAILED: "red", Status.NOT_CHECKED: "yellow"}
_SHOWN = {Status.OK: "ok", Status.FAILED: "FAILED", Status.NOT_CHECKED: "not checked"}


def coloured(stream: TextIO) -> bool:
    """Whether colours are wanted there: a terminal that can, and no NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """The text in a colour, or as it is where colours are not wanted."""
    return f"\033[{_CODES[colour]}m{text}\033[0m" if coloured(stream or sys.stdout) else text


def say(text: str = "") -> None:
    """A line of the answer."""
    print(text, flush=True)


def note(text: str) -> None:
    """A line beside the answer, so that the answer can be piped on."""
    print(text, file=sys.stderr, flush=True)


def print_json(data: Any) -> None:
    """The answer for scripts."""
    say(json.dumps(data, indent=2, ensure_ascii=False))


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> list[str]:
    """Lines with aligned columns; a row may be shorter than the others."""
    everything = [list(head), *map(list, rows)] if head else [list(row) for row in rows]
    if not everything:
        return []
    widths = [0] * max(map(len, everything))
    for row in everything:
        for index, cell in enumerate(row[:-1]):
            widths[index] = max(widths[index], len(cell))
    return ["  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip() for row in everything]


def result_lines(result: Result, width: int = 0) -> list[str]:
    """A check in one line, further lines of its findings and the remedy below it."""
    first, *more = result.detail.splitlines() or [""]
    status = paint(f"{_SHOWN[result.status]:<11}", _COLOUR_OF[result.status])
    lines = [f"{status}  {result.name:<{width}}  {result.seconds:5.1f} s  {first}".rstrip()]
    lines += [f"{'':13}{line}" for line in more]
    if result.remedy:
        first, *more = result.remedy.splitlines()
        lines += [f"{'':13}{paint('remedy:', 'bold')} {first}", *(f"{'':21}{line}" for line in more)]
    return lines


def verdict(results: Sequence[Result], seconds: float) -> str:
    """The last line of a list of checks."""
    text = f"{summary(results)} in {seconds:.1f} s"
    return paint(text, "green" if passed(results) else "red")
