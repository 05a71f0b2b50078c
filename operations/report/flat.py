"""Nested data as one line for each value, so that two configurations are compared value by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from components.yaml_text import load
from operations.report.snapshot import Snapshot

NONE = "-"
"""Stands where one side has no value: or a value alone would not tell whether it is new or gone."""


def flat(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path to text of every value. Lists of plain values are one value, in which order does not count."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list) and any(isinstance(each, dict | list) for each in data):
        for index, value in enumerate(data):
            yield from flat(value, f"{path}[{index}]" if len(data) > 1 else path)
    elif isinstance(data, list):
        yield path, ", ".join(sorted(map(_text, data)))
    elif data is not None:
        yield path, _text(data)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def differing(before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """Path and both texts of every value that is not the same; `-` where one side has none."""
    old, new = dict(flat(before)), dict(flat(after))
    for path in dict.fromkeys((*old, *new)):
        if old.get(path) != new.get(path):
            yield path, old.get(path, NONE), new.get(path, NONE)


def file_of(snapshot: Snapshot, program: str, path: str) -> Any:
    """The data of a YAML file of a program; an empty mapping where it is not there."""
    found = snapshot.programs.get(program)
    return (load(found.files[path]) if found and path in found.files else None) or {}
