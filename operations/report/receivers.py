"""What each channel sends to, and how, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.services.alertmanager_routes import NOBODY, VERIFICATION
from operations.report.change import Change, joined
from operations.report.flat import differing, file_of
from operations.report.snapshot import Snapshot

_LEADS = frozenset(
    [
        "api_key_file",
        "api_url",
        "api_url_file",
        "app_token_file",
        "app_url",
        "channel",
        "responders",
        "routing_key_file",
        "smarthost",
        "to",
        "url",
        "url_file",
    ]
)
"""Keys of an integration that say where it leads."""
_WORDS = frozenset(
    [
        "actions",
        "class",
        "color",
        "component",
        "description",
        "details",
        "entity",
        "fallback",
        "group",
        "headers",
        "html",
        "links",
        "message",
        "priority",
        "severity",
        "source",
        "tags",
        "text",
        "title",
    ]
)
"""Keys that make up the message: templates of the stack's own, which say nothing to people."""
_ELSEWHERE = "lost-receivers"


def receiver_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Channels of the same name that lead elsewhere, or tell something else.

    Every channel has a receiver of its own; those of several channels repeat what these say.
    """
    configs = [file_of(each, "alertmanager", "alertmanager.yml") for each in (before, after)]
    old, new = (
        {each["name"]: each for each in config.get("receivers") or () if "," not in each["name"]} for config in configs
    )
    secrets = _secrets(before, after)
    found = [
        change
        for name in new
        if name in old and name not in (NOBODY, VERIFICATION)
        for change in _receiver(
            f"receiver {name}",
            *(_named(each[name], secrets) for each, secrets in zip((old, new), secrets, strict=True)),
        )
    ]
    yield from joined(sorted(found, key=lambda change: (change.what, change.before, change.after)))
    for path, mine, other in differing(*(config.get("global") for config in configs)):
        yield Change("routes", "all receivers", path, mine, other)


def _receiver(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    (mine, settings), (other, others) = _integration(old), _integration(new)
    if mine != other:
        yield Change("routes", name, "sends by", mine, other, _ELSEWHERE)
        return
    reworded = False
    for path, was, now in differing(settings, others):
        key = path.partition(".")[0].partition("[")[0]
        reworded |= key in _WORDS
        if key not in _WORDS:
            yield Change("routes", name, path, was, now, _ELSEWHERE if key in _LEADS else "")
    if reworded:
        yield Change("routes", name, "other words or links in the message")


def _integration(receiver: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The kind of a channel's only integration, and its settings."""
    kind = next(key for key in receiver if key.endswith("_configs"))
    return kind.removesuffix("_configs"), receiver[kind][0]


def _secrets(*sides: Snapshot) -> list[dict[str, str]]:
    """For each side, the end of a secret's path to its name in words; nothing where one side does not tell."""
    found = []
    for side in sides:
        program = side.programs.get("alertmanager")
        files = program.secret_files if program else {}
        found.append({path: f"secret {', '.join(names)}" for path, names in files.items()})
    return found if all(found) else [{} for _ in sides]


def _named(data: Any, secrets: Mapping[str, str]) -> Any:
    """The same data with the name of the secret in place of the file that it stands in."""
    if isinstance(data, dict):
        return {key: _named(value, secrets) for key, value in data.items()}
    if isinstance(data, str) and "/secrets/" in data:
        return secrets.get(f"secrets/{data.rpartition('/secrets/')[2]}", data)
    return [_named(value, secrets) for value in data] if isinstance(data, list) else data
