"""Reads the files of the other system: YAML and JSON of any size, each mistake one clear error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from components import yaml_text
from operations.errors import CommandError
from operations.migrate.report import Node


def read_text(path: Path) -> str:
    """The text of a file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CommandError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text in UTF-8"
        raise CommandError(f"{path} cannot be read: {reason}") from None


def parse_yaml(text: str, name: str) -> Any:
    """The data of the one document of a YAML file. Keys that stand twice and unknown tags are refused."""
    try:
        return yaml_text.load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise CommandError(f"{name}{where} is not valid YAML: {problem}") from None


def read_yaml(path: Path, name: str | None = None) -> Node:
    """A YAML file as a source; `name` is what the report calls it."""
    name = name or path.name
    return Node(name, (), parse_yaml(read_text(path), str(path)))


def read_json(path: Path, name: str | None = None) -> Node:
    """A JSON file as a source."""
    try:
        return Node(name or path.name, (), json.loads(read_text(path)))
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} is not valid JSON: {error}") from None


def mapping(node: Node, what: str) -> Node:
    """The source itself, which has to be a mapping."""
    if not isinstance(node.value, dict):
        raise CommandError(f"{node.file} is no {what}: it is no mapping of keys to values")
    return node


def json_files(sources: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Every JSON file among and below these paths, with its name for the report."""
    for source in sources:
        if source.is_dir():
            found = sorted(source.rglob("*.json"))
            if not found:
                raise CommandError(f"{source} has no .json file in it")
            yield from ((path, str(path.relative_to(source))) for path in found)
        else:
            yield source, source.name
