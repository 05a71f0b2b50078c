"""Files that a container is given, found where they lie beside the compose file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Mounted:
    """Files of a container that lie beside the compose file."""

    def __init__(self, folder: Path, mounts: dict[str, str]) -> None:
        self._folder, self._mounts = folder, mounts

    def find(self, inside: str) -> Path | None:
        """Where a path of the container lies here; None where it is not mounted, or not there."""
        for target in sorted(self._mounts, key=len, reverse=True):
            if inside == target or inside.startswith(target.rstrip("/") + "/"):
                path = self._folder / self._mounts[target] / inside[len(target) :].lstrip("/")
                return path if path.exists() else None
        return None

    def all(self, inside: str, pattern: str) -> Iterator[Path]:
        """Files below a folder of the container."""
        found = self.find(inside)
        if found and found.is_dir():
            yield from sorted(found.rglob(pattern))
            return
        for target, source in sorted(self._mounts.items()):
            if target.startswith(inside.rstrip("/") + "/"):
                path = self._folder / source
                yield from sorted(path.rglob(pattern)) if path.is_dir() else [path] if path.match(pattern) else []

    def beside(self, path: str) -> Path:
        """A path as the compose file writes it."""
        return self._folder / re.sub(r"^(\$\{PWD\}|\$PWD)", ".", path)

    def name(self, path: Path) -> str:
        """What the report calls a file."""
        whole, folder = path.resolve(), self._folder.resolve()
        return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(path)


def mounts(service: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Path in the container to path beside the compose file."""
    for each in service.get("volumes") or ():
        if isinstance(each, dict) and each.get("type", "bind") == "bind":
            source, target = str(each.get("source") or ""), str(each.get("target") or "")
        else:
            parts = re.split(r":(?![^{]*\})", str(each))
            source, target = (parts[0], parts[1]) if len(parts) > 1 else ("", "")
        source = re.sub(r"\$\{PWD\}|\$PWD", ".", source)
        if source.startswith((".", "/")) or "/" in source:
            yield target, source


def configs(service: dict[str, Any], declared: Any) -> Iterator[tuple[str, str]]:
    """The same for `configs`, by which a swarm gives files to a container."""
    for each in service.get("configs") or ():
        name = str(each.get("source") if isinstance(each, dict) else each)
        table = declared.get(name) if isinstance(declared, dict) else None
        if isinstance(table, dict) and table.get("file"):
            yield str(each.get("target") or f"/{name}") if isinstance(each, dict) else f"/{name}", str(table["file"])
