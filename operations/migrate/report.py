"""What became of each item of the input: carried over, approximated or not possible. Nothing is lost in silence.

A source is a tree of mappings and lists. Whoever reads it says of each part what became of it, once; `rest` then finds
every part that nobody has spoken of, and reports it as not possible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

Path = tuple[str | int, ...]
_EMPTY = "is empty"


class Outcome(StrEnum):
    """What became of an item."""

    CARRIED = "carried over"
    APPROXIMATED = "approximated"
    IMPOSSIBLE = "not possible"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the input: where it stands, what became of it, how or why, and what is left to do."""

    file: str
    place: str
    kind: str
    name: str
    outcome: Outcome
    detail: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a source."""

    file: str
    path: Path
    value: Any

    def get(self, key: str) -> Node | None:
        """The part under a key of a mapping; None where it is not there or empty."""
        if not isinstance(self.value, Mapping) or self.value.get(key) in (None, "", [], {}):
            return None
        return Node(self.file, (*self.path, key), self.value[key])

    def items(self) -> Iterator[Node]:
        """The parts of a list, or of a mapping by its keys."""
        found = self.value if isinstance(self.value, Mapping | list) else ()
        for key, value in found.items() if isinstance(found, Mapping) else enumerate(found):
            yield Node(self.file, (*self.path, key if isinstance(key, int) else str(key)), value)

    @property
    def place(self) -> str:
        """The way to it as people write it: `scrape_configs[0].job_name`."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
        return text


@dataclass(slots=True)
class Report:
    """All items of a migration, in the order in which they were met."""

    items: list[Item] = field(default_factory=list)
    covered: dict[tuple[str, Path], Item] = field(default_factory=dict)
    """Part of a source to the item that speaks of it, with everything below it."""

    def carried(self, node: Node, kind: str, name: str, detail: str = "", keys: tuple[str, ...] | None = None) -> None:
        """It is there, and means the same."""
        self.add(node, kind, name, Outcome.CARRIED, detail, keys=keys)

    def approximated(
        self, node: Node, kind: str, name: str, detail: str, todo: str = "", keys: tuple[str, ...] | None = None
    ) -> None:
        """It is there, and differs in what `detail` says."""
        self.add(node, kind, name, Outcome.APPROXIMATED, detail, todo, keys)

    def impossible(
        self, node: Node, kind: str, name: str, detail: str, todo: str = "", keys: tuple[str, ...] | None = None
    ) -> None:
        """It is not there, for the reason in `detail`; `todo` says what to do instead."""
        self.add(node, kind, name, Outcome.IMPOSSIBLE, detail, todo, keys)

    def add(
        self,
        node: Node,
        kind: str,
        name: str,
        outcome: Outcome,
        detail: str = "",
        todo: str = "",
        keys: tuple[str, ...] | None = None,
    ) -> None:
        """Say what became of a part of the input, or of these keys of it; each part once."""
        item = Item(node.file, node.place, kind, name, outcome, detail, todo)
        if keys is not None and isinstance(node.value, Mapping):
            paths = [(*node.path, key) for key in keys if key in node.value]
        else:
            paths = [node.path]
        for path in paths:
            if (node.file, path) in self.covered:
                raise AssertionError(f"{node.file}: {path} is reported twice")
            self.covered[node.file, path] = item
        self.items.append(item)

    def covers(self, node: Node) -> bool:
        """Whether something was said of this very part: files that two programs share are read twice."""
        return (node.file, node.path) in self.covered

    def judged(
        self,
        node: Node,
        kind: str,
        name: str,
        differences: list[str],
        detail: str = "",
        todo: str = "",
        keys: tuple[str, ...] | None = None,
    ) -> None:
        """Carried over where nothing differs, approximated where something does."""
        outcome = Outcome.APPROXIMATED if differences else Outcome.CARRIED
        text = "; ".join(dict.fromkeys([*differences, *([detail] if detail else [])]))
        self.add(node, kind, name, outcome, text, todo, keys)

    def rest(self, node: Node, why: str, todo: str = "", kind: str = "key") -> None:
        """Report as not possible every part below `node` that nothing was said of, unless it is empty."""
        for part in list(uncovered(node, self.covered)):
            if all(leaf.value in (None, "", [], {}) for leaf in leaves(part)):
                self.carried(part, kind, part.place or part.file, _EMPTY)
            else:
                self.impossible(part, kind, part.place or part.file, why, todo)

    def useful(self) -> bool:
        """Whether anything was carried over or approximated that says something."""
        return any(item.outcome is not Outcome.IMPOSSIBLE and item.detail != _EMPTY for item in self.items)

    def count(self) -> dict[Outcome, int]:
        """How many items had which outcome."""
        counts = Counter(item.outcome for item in self.items)
        return {outcome: counts[outcome] for outcome in Outcome}


def uncovered(node: Node, covered: Mapping[tuple[str, Path], Item]) -> Iterator[Node]:
    """The largest parts of a tree that no item speaks of, and of which none speaks inside either."""
    inside = {path[:length] for file, path in covered if file == node.file for length in range(len(path) + 1)}

    def walk(part: Node) -> Iterator[Node]:
        if (part.file, part.path) in covered:
            return
        if part.path in inside:
            for each in part.items():
                yield from walk(each)
        else:
            yield part

    yield from walk(node)


def leaves(node: Node) -> Iterator[Node]:
    """Every value of a tree that has no further parts."""
    parts = list(node.items())
    if not parts:
        yield node
    for part in parts:
        yield from leaves(part)


def as_json(report: Report, **more: Any) -> dict[str, Any]:
    """The report for scripts; keys are only ever added."""
    items = [asdict(item) | {"outcome": str(item.outcome)} for item in report.items]
    return {"count": {str(key): number for key, number in report.count().items()}, "items": items, **more}


def as_markdown(report: Report, title: str, after: str = "") -> str:
    """The report as a page: what is left to do first, then every item by its outcome."""
    counts = report.count()
    lines = [f"# {title}", "", ", ".join(f"{number} {outcome}" for outcome, number in counts.items()) + ".", ""]
    lines += [after, ""] if after else []
    for outcome in (Outcome.IMPOSSIBLE, Outcome.APPROXIMATED, Outcome.CARRIED):
        if counts[outcome]:
            lines += [f"## {str(outcome).capitalize()}", ""]
            lines += ["| Where | What | Name | How, or why | To do |", "| --- | --- | --- | --- | --- |"]
            rows = (item for item in report.items if item.outcome is outcome)
            lines += [_row(item) for item in rows] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _row(item: Item) -> str:
    where = f"{item.file}: {item.place}" if item.place else item.file
    return "| " + " | ".join(map(_cell, (where, item.kind, item.name, item.detail, item.todo))) + " |"


def _cell(text: str) -> str:
    """One line of a table, without what Markdown or HTML would take for its own."""
    flat = " ".join(text.split())
    shown = flat if len(flat) <= 500 else flat[:497] + "..."
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), ("\\", "\\\\"), ("|", "\\|")):
        shown = shown.replace(sign, escaped)
    return shown
