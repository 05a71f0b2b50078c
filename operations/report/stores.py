"""What Grafana and Jaeger keep, when it is another place than before: neither moves its data by itself."""

from __future__ import annotations

from collections.abc import Iterator
from configparser import ConfigParser, Error
from typing import Any

from operations.report.change import Change
from operations.report.flat import file_of
from operations.report.snapshot import Snapshot

_LOSS = "data-loss"
_PLACES = {"elasticsearch": "server_urls", "opensearch": "server_urls", "cassandra": "connection.servers"}
"""Shared store of traces to the setting that says where it is."""
_PARTS = ("indices.index_prefix", "schema.keyspace")
"""What divides such a store."""


def store_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Another database of Grafana; another store of traces, where not a volume already tells it."""
    for name, what, place in (
        ("grafana", "begins anew: users and dashboards made by hand stay where they were", _database),
        ("traces", "begins anew: earlier ones stay where they were", _traces),
    ):
        old, new = (place(side) for side in (before, after))
        if old and new and old != new:
            yield Change("data", name, what, old, new, _LOSS)


def _database(snapshot: Snapshot) -> str:
    program = snapshot.programs.get("grafana")
    text = program.files.get("grafana.ini") if program else None
    if text is None:
        return ""
    settings = ConfigParser(interpolation=None, strict=False)
    try:
        settings.read_string(text)
    except Error:  # another revision may write what this one does not read
        return ""
    if not settings.has_section("database") or settings.get("database", "type", fallback="") != "postgres":
        return "its own file"
    return f"{settings.get('database', 'host', fallback='?')}/{settings.get('database', 'name', fallback='?')}"


def _traces(snapshot: Snapshot) -> str:
    """The store, with whatever says where and in which part of it traces are."""
    found = file_of(snapshot, "jaeger", "jaeger.yaml")
    backends = _at(found, "extensions.jaeger_storage.backends.traces") or {}
    kind = next(iter(backends), "")
    if kind not in _PLACES:
        return kind
    places = _at(backends[kind], _PLACES[kind]) or []
    parts = [str(part) for path in _PARTS if (part := _at(backends[kind], path))]
    return ", ".join([kind, *sorted(map(str, places)), *parts])


def _at(data: Any, path: str) -> Any:
    for key in path.split("."):
        data = data.get(key) if isinstance(data, dict) else None
    return data
