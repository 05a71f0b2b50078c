"""The same substitution in many expressions is told once: each now also asks for the same matcher, or no longer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import promql_parser as promql

from components.promql import selectors
from operations.report.change import Change, listed

MANY = 3
"""From so many changes on that are alike, one line tells them."""
_SELECTED = re.compile(r"""("(?:\\.|[^"\\])*")|\{(?:"(?:\\.|[^"\\])*"|[^"}])*\}""")
"""Strings, and the braces of selectors with all that is in them, as the parser writes both."""
_KINDS = {"alerts": "alerts", "recorded": "recording rules"}
"""Sections whose changes come from one cause by the hundred."""


def substitution(before: str, after: str) -> str:
    """What became of the selectors, as it is said of many; empty where not all that changed is one and the same."""
    try:
        old, new = str(promql.parse(before)), str(promql.parse(after))
    except ValueError:  # another revision may write what this parser does not know
        return ""
    if _without_matchers(old) != _without_matchers(new):
        return ""
    sides = [[{*map(str, each.matchers.matchers)} for each in selectors(text)] for text in (old, new)]
    found = {
        (", ".join(sorted(mine - other)), ", ".join(sorted(other - mine)))
        for mine, other in zip(*sides, strict=True)
        if mine != other
    }
    if len(found) != 1:
        return ""
    ((gone, more),) = found
    if gone and more:
        return f"ask for {more} instead of {gone}"
    return f"now also ask for {more}" if more else f"no longer ask for {gone}"


def told_together(changes: Iterable[Change]) -> list[Change]:
    """The changes for people: many that are alike as one, with their number and the plainest as the example."""
    groups: dict[object, list[Change]] = {}
    for change in changes:
        same = change.alike or (change.what, change.before, change.after)
        alone = change.section not in _KINDS or not (change.before and change.after)
        groups.setdefault(id(change) if alone else (change.section, change.danger, same), []).append(change)
    return [told for group in groups.values() for told in ([_together(group)] if len(group) >= MANY else group)]


def _together(group: list[Change]) -> Change:
    plainest = min(group, key=lambda change: len(change.before))
    if not plainest.alike:
        return replace(plainest, name=listed((change.name for change in group), 3))
    kind = _KINDS[plainest.section]
    return replace(plainest, name=f"{len(group)} {kind}, such as {plainest.name}", what=plainest.alike)


def _without_matchers(expression: str) -> str:
    return _SELECTED.sub(lambda found: found[1] or "", expression)
