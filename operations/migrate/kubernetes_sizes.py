"""Quantities of Kubernetes in the chart's values: limits, claims, and what must hold between them here."""

from __future__ import annotations

import re
from typing import Any

from components.config.base import size_bytes
from operations.migrate.output import Bundle
from operations.migrate.report import Node

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}


def size(text: Any) -> str:
    """A quantity of Kubernetes (`50Gi`) or of Prometheus (`45GB`) as the stack file writes it; empty for none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|[kMGT])?i?B?", str(text).strip())
    if not match:
        return ""
    amount = float(match[1]) * (_UNITS[match[2]] if match[2] else 1)
    if str(text).strip().endswith("B") and match[2] in ("k", "M", "G", "T"):
        amount = float(match[1]) * _UNITS[f"{match[2]}i".replace("k", "K")]  # Prometheus counts in powers of 1024
    for unit in ("TB", "GB", "MB", "KB"):
        whole = amount / size_bytes(f"1{unit}")
        if whole >= 1 and (whole == int(whole) or whole >= 10):
            return f"{int(whole)}{unit}"
    return f"{max(1, round(amount / 1024))}KB"


def migrate_limits(bundle: Bundle, spec: Node, product: str) -> None:
    """Limits of memory and processors; what is requested is the same as the limit here."""
    resources = spec.get("resources")
    limits = resources.get("limits") if resources else None
    made: dict[str, Any] = {}
    if limits and isinstance(limits.value, dict):
        if memory := size(limits.value.get("memory")):
            made["memory"] = memory
        cpu = str(limits.value.get("cpu", ""))
        cores = (
            float(cpu[:-1]) / 1000 if re.fullmatch(r"\d+m", cpu) else float(cpu) if re.fullmatch(r"[\d.]+", cpu) else 0
        )
        if 0.05 < cores <= 64:
            made["cpus"] = cores
        if made:
            bundle.stack.setdefault("resources", {})[product] = made
            bundle.report.carried(
                limits, "setting", limits.place, keys=tuple(key for key in ("memory", "cpu") if key in limits.value)
            )
    if resources:
        bundle.report.rest(resources, "limits are what is requested, too")


def migrate_claim(bundle: Bundle, spec: Node, key: str, product: str) -> None:
    storage = spec.get(key)
    template = storage.get("volumeClaimTemplate") if storage else None
    inner = template.get("spec") if template else None
    if inner is None or not isinstance(inner.value, dict):
        return
    requests = inner.get("resources")
    asked = requests.get("requests") if requests else None
    if asked and (made := size(asked.value.get("storage"))):
        bundle.stack["kubernetes"].setdefault("volumes", {})[product] = made
        bundle.report.carried(asked, "setting", asked.place, f"kubernetes.volumes.{product}: {made}", ("storage",))
    if name := inner.get("storageClassName"):
        bundle.stack["kubernetes"].setdefault("storage_class", str(name.value))
        bundle.report.carried(name, "setting", name.place, "kubernetes.storage_class, one for all claims")
    if modes := inner.get("accessModes"):
        bundle.report.carried(modes, "setting", modes.place, "is ReadWriteOnce")


def fitting_sizes(bundle: Bundle) -> None:
    """Relations that a stack file has and the chart has not: samples fill at most 80 % of their claim."""
    kept = bundle.stack.get("retention", {}).get("size")
    volumes = bundle.stack["kubernetes"].setdefault("volumes", {})
    claim = volumes.get("prometheus", "50GB")
    if kept and size_bytes(kept) > 0.8 * size_bytes(claim):
        volumes["prometheus"] = f"{-(-size_bytes(kept) * 5 // (4 * 2**30))}GB"
        bundle.notes.append(
            f"`kubernetes.volumes.prometheus` is {volumes['prometheus']}, as samples fill at most 80 % of it."
        )
    if not volumes:
        del bundle.stack["kubernetes"]["volumes"]
