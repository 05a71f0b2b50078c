"""What Pulumi sees: resources that are not as it left them, and what of the stack file is not deployed yet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operations.drift.findings import Finding, Kind, Unchecked
from operations.errors import CommandError
from operations.pulumi_cli import Pulumi

QUESTIONS: Mapping[Kind, tuple[str, ...]] = {
    "resources": ("refresh", "--preview-only", "--json"),
    "not-deployed": ("preview", "--json"),
}
"""Kind of the findings to the command that is asked. Both only look: neither writes the state, nor locks it."""
_UNCHANGED = ("same", "read", "discard", "read-discard", "refresh")
_WORDS = {
    "create": "would be created",
    "update": "would be changed",
    "delete": "would be removed",
    "replace": "would be replaced",
}


def resource_findings(pulumi: Pulumi, kind: Kind) -> Iterator[Finding | Unchecked]:
    """The findings of one kind; that Pulumi cannot answer is said."""
    try:
        digest = json.loads(pulumi.ask(*QUESTIONS[kind]))
    except CommandError as error:
        yield Unchecked(kind, error.message)
    except json.JSONDecodeError as error:
        yield Unchecked(kind, f"Pulumi's answer is no JSON: {error}")
    else:
        yield from step_findings(kind, digest.get("steps") or [])


def step_findings(kind: Kind, steps: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """A finding for each step that is a change. Values are not shown: Pulumi masks secrets, other programs may not."""
    for step in steps:
        operation = step["op"]
        if operation in _UNCHANGED or operation in ("create-replacement", "delete-replaced"):
            continue
        _, _, kind_of, name = step["urn"].split("::")
        changed = sorted({*(step.get("diffReasons") or []), *(step.get("detailedDiff") or {})})
        subject = f"{kind_of.rpartition('$')[2].rpartition(':')[2]} {name}"
        yield Finding(kind, subject, f"{_said(kind, operation)}{': ' * bool(changed)}{', '.join(changed)}")


def _said(kind: Kind, operation: str) -> str:
    if kind == "resources":
        return {"delete": "is gone", "update": "has changed"}.get(operation, operation)
    return _WORDS.get(operation, operation)
