"""A report as Markdown, as GitHub and GitLab show it in a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from operations.report.change import DANGERS, SECTIONS, Change
from operations.report.report import Report, Reports, sentence, shortened

MOST = 60_000
"""Characters; GitHub takes 65,536 in a comment, and `pulumi preview` needs some."""
_LONGEST_VALUE, _FOLDED, _NAMED = 140, 8, 3
_FOLDED_RECORDS = 3
"""Their expressions are long, and what comes of them stands with the alerts."""
_SPECIAL = re.compile(r"([\\`*_<>\[\]|~#])")


def markdown(reports: Reports, most: int = MOST) -> str:
    """The whole report; sections that would make it longer than `most` characters are named only."""
    parts = [f"## What changes against {_plain(reports.base)}\n", _overview(reports)]
    for report in reports.stacks:
        if report.changes or report.notes:
            parts += _stack(report)
    text, left_out = "", []
    for part in parts:
        if len(text) + len(part) > most - 500:
            left_out.append(re.split("\n", part.removeprefix("<details><summary>"), maxsplit=1)[0].strip("# "))
        else:
            text += part + "\n"
    if left_out:
        names = ", ".join(re.sub("<[^>]*>", "", name) for name in left_out[:20])
        text += f"\nToo long for a comment, so left out: {names}. `./observatory report` shows all of it.\n"
    return text.strip() + "\n"


def _overview(reports: Reports) -> str:
    rows = [
        [
            _plain(report.stack),
            str(len(report.changes)) if report.changes else "none",
            ", ".join(report.dangers) or "none",
        ]
        for report in reports.stacks
    ]
    text = _table(["Stack", "Changes", "Dangers"], rows)
    if reports.fail_on:
        verdict = "**fails**" if reports.failures else "passes"
        text += f"\nThe gate ({', '.join(reports.fail_on)}) {verdict}.\n"
    return text


def _stack(report: Report) -> Iterator[str]:
    yield f"### {_plain(report.stack)}\n"
    if report.notes:
        yield "".join(f"{_plain(note)}\n" for note in report.notes)
    if report.dangers:
        lines = ["> [!WARNING]"]
        for name in report.dangers:
            changes = [change for change in report.told if change.danger == name]
            lines.append(f"> **{name}**: {DANGERS[name]}")
            lines += [f"> - {_sentence(change)}" for change in changes[:_NAMED]]
            lines += [f"> - and {len(changes) - _NAMED} more"] if len(changes) > _NAMED else []
            lines.append(">")
        yield "\n".join(lines[:-1]) + "\n"
    for section, group in groupby(report.told, key=lambda change: change.section):
        changes = list(group)
        yield _section(SECTIONS[section], changes, _FOLDED if section != "recorded" else _FOLDED_RECORDS)


def _sentence(change: Change) -> str:
    before, after = map(_code, shortened(change.before, change.after, 60))
    return sentence(Change("", _plain(change.name), _plain(change.what), before, after), " → ")


def _section(heading: str, changes: Sequence[Change], most: int) -> str:
    valued = any(change.before or change.after for change in changes)
    head = ["", "Change", *(["Before", "After"] if valued else [])]
    rows = []
    for change in changes:
        # Which danger it is stands above: here its name would only make the column wider.
        name = f"⚠ **{_plain(change.name)}**" if change.danger else _plain(change.name)
        values = shortened(change.before, change.after, _LONGEST_VALUE) if valued else ()
        rows.append([name, _plain(change.what), *map(_code, values)])
    table = _table(head, rows)
    if len(rows) > most:
        warned = sum(bool(change.danger) for change in changes)
        count = f"{len(rows)}, {warned} with ⚠" if warned else str(len(rows))
        return f"<details><summary><b>{heading}</b> ({count})</summary>\n\n{table}\n</details>\n"
    return f"#### {heading}\n\n{table}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _plain(text: str) -> str:
    """Text that shows as it is written, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """A value; inside of a table even code has to escape what parts cells."""
    text = " ".join(text.split())
    if not text:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if fence != "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")
