"""Configuration on Kubernetes: ConfigMaps and a Secret with fixed names, and the folder that a program sees.

A program that reloads gets its files from a loader beside it, which swaps the folder as a whole and then says so
(`kubernetes_loader`). All others have the cluster's own projected volume, which swaps the folder, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from components.platforms.kubernetes_objects import Manifest, Stack
from components.spec import File, Service

PART = 900_000
"""Bytes of one ConfigMap; the API server takes 1 MiB with everything around it."""
INDEX = "index"
"""Key that lists the others for the loader: a key and its path on each line."""


def key_of(path: str) -> str:
    """A file's key: these hold no `/` and no space."""
    return re.sub(r"[^-._A-Za-z0-9]", "_", path.replace("/", "__"))


def file_objects(stack: Stack, service: Service) -> list[Manifest]:
    """The ConfigMaps and the Secret of a service. Secrets stand as placeholders in it."""
    objects: list[Manifest] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": stack.metadata(service, name),
            "data": data,
        }
        for name, data in _config_maps(service)
    ]
    hidden = {key_of(file.path): file.content for file in service.files if file.secrets}
    if hidden:
        objects.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": stack.metadata(service, secret_name(service)),
                "type": "Opaque",
                "stringData": hidden,
            }
        )
    return objects


def projected(service: Service, whole: bool) -> dict[str, Any]:
    """The volume source with all files: each at its path, or (`whole`) each under its key, with the index."""
    sources: list[dict[str, Any]] = []
    paths = {key_of(file.path): file.path for file in service.files}
    for name, data in _config_maps(service):
        items = [{"key": key, "path": paths[key]} for key in data if key != INDEX]
        sources.append({"configMap": {"name": name, **({} if whole else {"items": items})}})
    if any(file.secrets for file in service.files):
        items = [{"key": key_of(file.path), "path": file.path} for file in service.files if file.secrets]
        sources.append({"secret": {"name": secret_name(service), **({} if whole else {"items": items})}})
    return {"projected": {"defaultMode": 0o440, "sources": sources}}


def secret_name(service: Service) -> str:
    """Of the Secret with a service's secret files."""
    return f"{service.name}-secrets"


def _config_maps(service: Service) -> Iterator[tuple[str, dict[str, str]]]:
    """Name and data of each ConfigMap: as many as the size of the files asks for."""
    parts: list[dict[str, str]] = [{}]
    size = 0
    if service.reload:
        parts[0][INDEX] = "".join(f"{key_of(file.path)} {file.path}\n" for file in service.files)
        size = len(parts[0][INDEX])
    for file in service.files:
        if not file.secrets:
            length = len(key_of(file.path)) + len(file.content.encode())
            _check(service, file, length)
            if size + length > PART:
                parts.append({})
                size = 0
            parts[-1][key_of(file.path)] = file.content
            size += length
    for number, data in enumerate(parts, 1):
        if data:
            yield f"{service.name}-files" + (f"-{number}" if number > 1 else ""), data


def _check(service: Service, file: File, length: int) -> None:
    if length > PART:
        raise ValueError(f"{service.name}/{file.path} has {length} bytes; a ConfigMap holds {PART} at most")
