"""What a compose project sets by variables: `.env` beside it, defaults, and the `env_file` of a service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from operations.errors import CommandError
from operations.migrate.mounted import Mounted
from operations.migrate.output import Bundle
from operations.migrate.report import Node
from operations.migrate.sources import read_text

_USED = re.compile(r"\$(?:\{(\w+)(?::?-([^{}]*)|:?[?+][^{}]*)?\}|(\w+))")


def variables(path: Path) -> dict[str, str]:
    """Of a file of `NAME=value` lines, as compose reads them; empty where there is none."""
    if not path.is_file():
        return {}
    lines = (line.strip().removeprefix("export ") for line in read_text(path).splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): re.sub(r"\s+#.*$", "", value).strip().strip("'\"") for name, _, value in pairs}


def filled(text: str, known: Mapping[str, str]) -> str:
    """The text with its variables replaced, by what is known of them or their own default; others stay."""

    def value(match: re.Match[str]) -> str:
        name, default, short = match.groups()
        return known.get(name or short) or (match[0] if default is None else default)

    return _USED.sub(value, text)


def of_env_files(bundle: Bundle, node: Node, files: Mounted) -> Iterator[Node]:
    """The variables that `env_file` of a service names, each a part of its file; a file that is not there is told."""
    found = node.get("env_file")
    if found is None:
        return
    listed: tuple[Any, ...] = tuple(found.value) if isinstance(found.value, list) else (found.value,)
    read: list[str] = []
    missing: list[str] = []
    for each in listed:
        path = files.beside(str(each.get("path") if isinstance(each, dict) else each))
        try:
            table = variables(path)
        except CommandError:
            table = {}
        (read if table else missing).append(files.name(path))
        source = Node(files.name(path), (), table)
        yield from (part for part in source.items() if not bundle.report.covers(part))
    if missing:
        why = f"no variables were found in {', '.join(missing)}"
        bundle.report.impossible(found, "environment", "env_file", why, "set what it sets in the stack file")
    else:
        bundle.report.carried(found, "environment", ", ".join(read), "each of its variables is an item of its own")
