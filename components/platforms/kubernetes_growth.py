"""Claims only grow: a smaller size is refused in the preview, before the API server would do it half-way through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pulumi

_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(|[KMGT]i|[kMGT])")


def growing() -> pulumi.ResourceHookBinding:
    """For the options of every claim; one hook for all, as its name has to be unique."""
    hook = pulumi.ResourceHook("claims-only-grow", refuse_smaller, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_update=[hook])


def refuse_smaller(change: pulumi.ResourceHookArgs) -> None:
    """Fails for a claim that asks for less than it was deployed with; names both sizes and the key."""
    before, after = _asked(change.old_inputs), _asked(change.new_inputs)
    if bytes_of(after) < bytes_of(before):
        raise ValueError(
            f"the claim {change.name} has {before} and cannot shrink to {after}: "
            f"write {_as_written(before)} or more in `kubernetes.volumes`; nothing of it was changed"
        )


def _asked(claim: Mapping[str, Any] | None) -> str:
    spec = (claim or {}).get("spec") or {}
    return str(((spec.get("resources") or {}).get("requests") or {}).get("storage", "0"))


def _as_written(quantity: str) -> str:
    """In a stack file, whose units are powers of 1024 too: `10Gi` is `10GB` there."""
    return re.sub(r"i$", "B", quantity)


def bytes_of(quantity: str) -> float:
    """A quantity of Kubernetes in bytes: `50Gi`. Raises ValueError for what is none."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is no size that Kubernetes knows")
    return float(match[1]) * _UNITS[match[2]]
