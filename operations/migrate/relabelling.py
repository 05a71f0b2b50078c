"""Relabelling of a scrape job: the few uses that a service has keys for; every other step is reported."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from components.config.base import Label
from components.config.services import Pattern
from operations.migrate.report import Node

_PATTERN: TypeAdapter[str] = TypeAdapter(Pattern)
_LABEL: TypeAdapter[str] = TypeAdapter(Label)


def relabelled(job: Node, labels: dict[str, str], differences: list[str]) -> tuple[dict[str, Any], list[str]]:
    """`labels`, `keep` and `drop` of a service, and the keys of the job that they come from."""
    made: dict[str, Any] = {}
    own = dict(labels)
    used = []
    for key in ("relabel_configs", "metric_relabel_configs"):
        steps = job.value.get(key)
        if not isinstance(steps, list) or not steps:
            continue
        used.append(key)
        for number, step in enumerate(steps):
            if not isinstance(step, dict) or not _understood(key, step, made, own):
                text = ", ".join(f"{name}: {value}" for name, value in step.items()) if isinstance(step, dict) else ""
                differences.append(f"not {key}[{number}] ({text})")
    if own != labels:
        made["labels"] = own
    return made, used


def _understood(key: str, step: dict[str, Any], made: dict[str, Any], labels: dict[str, str]) -> bool:
    """Put one step where it belongs; False where it has no place."""
    sources, action = step.get("source_labels") or [], step.get("action", "replace")
    target, replacement = step.get("target_label"), str(step.get("replacement", "$1"))
    if key == "metric_relabel_configs" and list(sources) == ["__name__"] and action in ("keep", "drop"):
        pattern = str(step.get("regex", "")).removeprefix("^").removesuffix("$")
        # A second `keep` would narrow the first, where a list of patterns widens it.
        if _fits(_PATTERN, pattern) and (action == "drop" or "keep" not in made):
            made.setdefault(action, []).append(pattern)
            return True
        return False
    if action == "replace" and not sources and target and "$" not in replacement and _fits(_LABEL, str(target)):
        if not str(target).startswith("__"):
            labels[str(target)] = replacement
            return True
        return False
    # Its own address as `instance` is what Prometheus does anyway.
    return (
        list(sources) == ["__address__"]
        and target == "instance"
        and replacement in ("$1", "${1}")
        and not step.get("regex")
    )


def _fits(adapter: TypeAdapter[str], value: str) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True
