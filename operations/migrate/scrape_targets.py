"""Where a scrape job finds its targets: written down, in files, by DNS; other ways are not known here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.yaml_text import dump
from operations.errors import CommandError
from operations.migrate.output import Bundle
from operations.migrate.report import Node
from operations.migrate.sources import parse_yaml, read_text


def static_targets(job: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """Each written target with the labels beside it."""
    found: list[tuple[str, dict[str, str]]] = []
    for each in job.get("static_configs") or ():
        given = each.get("labels") if isinstance(each, dict) else None
        labels = {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
        targets = each.get("targets") if isinstance(each, dict) else ()
        found.extend((str(target), dict(labels)) for target in targets or ())
    return found


def split(target: str) -> tuple[str, int | None]:
    host, _, port = target.rpartition(":")
    return (host, int(port)) if host and port.isdigit() else (target, None)


def discovery(
    bundle: Bundle, job: Node, name: str, folder: Path | None, differences: list[str]
) -> tuple[dict[str, Any] | None, dict[str, str], list[str], int | None]:
    """How its targets are found, the labels that all of them have, the keys that say so, and a port for all."""
    data = job.value
    kinds = [key for key in data if key.endswith("_sd_configs") and data[key]]
    default = 443 if str(data.get("scheme", "")).lower() == "https" else 80
    targets = static_targets(data)
    if kinds == ["file_sd_configs"]:
        groups = [*_target_groups(data), *_files(data, folder, differences)]
        if not groups:
            return None, {}, [], None
        path = f"targets/{name}.yaml"
        bundle.extra[path] = dump(groups)
        return {"file": {"file": path}}, {}, ["file_sd_configs", "static_configs"], default
    if kinds == ["dns_sd_configs"] and not targets and len(data["dns_sd_configs"]) == 1:
        found = data["dns_sd_configs"][0]
        kind, port = found.get("type", "SRV"), found.get("port")
        dns = {"names": [str(each) for each in found.get("names") or ()], "type": kind}
        return {"dns": dns}, {}, kinds, port if kind != "SRV" else None
    if kinds or not targets:
        return None, {}, [], None
    bare = default if any(split(target)[1] is None for target, _ in targets) else None
    labels = targets[0][1]
    if all(each == labels for _, each in targets):
        every = list(dict.fromkeys(target for target, _ in targets))
        return {"static": {"targets": every}}, dict(labels), ["static_configs"], bare
    path = f"targets/{name}.yaml"
    bundle.extra[path] = dump(_target_groups(data))
    differences.append(f"its targets have different labels, so they are in {path}")
    return {"file": {"file": path}}, {}, ["static_configs"], None


def _target_groups(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"targets": [target], **({"labels": labels} if labels else {})} for target, labels in static_targets(data)]


def _files(data: Mapping[str, Any], folder: Path | None, differences: list[str]) -> list[dict[str, Any]]:
    """Target groups in the files of file_sd_configs, as far as they are beside the source."""
    groups: list[dict[str, Any]] = []
    for each in data["file_sd_configs"]:
        for pattern in (each.get("files") or ()) if isinstance(each, dict) else ():
            # As it was inside of its container: looked for by its last parts beside the source.
            parts = Path(str(pattern)).parts[-2:]
            places = [Path(*parts[-length:]) for length in range(len(parts), 0, -1)]
            found = [path for place in places for path in sorted(folder.glob(str(place)))] if folder else []
            content: Any = None
            try:
                content = parse_yaml(read_text(found[0]), str(found[0])) if found else None
            except CommandError as error:
                differences.append(error.message)
            if isinstance(content, list):
                groups += [group for group in content if isinstance(group, dict) and group.get("targets")]
            else:
                differences.append(f"{pattern} was not found beside the source")
    return groups
