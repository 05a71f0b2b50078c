"""The report on one or more stacks: compared with a base, as data for scripts, and judged by the dangers to fail on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from operations.errors import UsageError
from operations.report.alike import told_together
from operations.report.change import DANGERS, Change


@dataclass(frozen=True, slots=True)
class Report:
    """One stack's differences. `notes` say what a reader has to know about how they were found."""

    stack: str
    environment: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    @property
    def dangers(self) -> dict[str, list[Change]]:
        """Danger to the changes that it comes from, in the order of DANGERS."""
        found = {name: [change for change in self.changes if change.danger == name] for name in DANGERS}
        return {name: changes for name, changes in found.items() if changes}

    @property
    def told(self) -> list[Change]:
        """The changes as people read them: of many that are alike one line."""
        return told_together(self.changes)


@dataclass(frozen=True, slots=True)
class Reports:
    """The reports on all stacks of one call. `base` is what they were compared with, in words."""

    base: str
    stacks: tuple[Report, ...]
    fail_on: tuple[str, ...] = field(default=())

    @property
    def failures(self) -> list[tuple[Report, Change]]:
        """What the call was told to fail on."""
        return [(report, change) for report in self.stacks for change in report.told if change.danger in self.fail_on]


def dangers_named(words: Sequence[str]) -> tuple[str, ...]:
    """The dangers in `a,b` words. A UsageError names the one that is none.

    A word without any would be a gate that lets everything through, as where a variable is empty.
    """
    for word in words:
        if not word.strip(" ,"):
            raise UsageError(f"--fail-on {word!r}: names no danger", f"dangers: {', '.join(DANGERS)}")
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    for name in names:
        if name not in DANGERS:
            raise UsageError(f"--fail-on {name}: is no danger", f"dangers: {', '.join(DANGERS)}")
    return tuple(dict.fromkeys(names))


def as_json(reports: Reports) -> dict[str, Any]:
    """Everything for scripts; keys are only ever added. `what`, `before` and `after` are meant for people."""
    return {
        "base": reports.base,
        "ok": not reports.failures,
        "fail_on": list(reports.fail_on),
        "stacks": [
            {
                "stack": report.stack,
                "environment": report.environment,
                "notes": list(report.notes),
                "dangers": {name: len(changes) for name, changes in report.dangers.items()},
                "changes": [asdict(change) for change in report.changes],
            }
            for report in reports.stacks
        ],
    }


def sentence(change: Change, arrow: str = " -> ") -> str:
    """A change in one line; of what is new or gone, the one value that there is."""
    values = arrow.join(filter(None, (change.before, change.after)))
    return f"{change.name} {change.what}" + (f": {values}" if values else "")


def shortened(before: str, after: str, most: int) -> tuple[str, str]:
    """Two values of which the longer has at most about `most` characters: what they share at both ends goes first."""
    if max(len(before), len(after)) <= most:
        return before, after
    start = _shared(before, after)
    end = _shared(before[start:][::-1], after[start:][::-1])
    context = max(10, (most - max(len(before), len(after)) + start + end) // 2)
    first, last = max(0, start - context), max(0, end - context)
    return tuple(_cut(text, first, last, most) for text in (before, after))  # type: ignore[return-value]


def _shared(before: str, after: str) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )


def _cut(text: str, first: int, last: int, most: int) -> str:
    if not text:
        return text
    middle = text[first : len(text) - last]
    middle = middle if len(middle) <= most + 20 else f"{middle[:most]}…"
    return f"{'…' * bool(first)}{middle}{'…' * bool(last and not middle.endswith('…'))}"
