"""How long samples and traces are kept, by what the files of the programs say."""

from __future__ import annotations

from components.config.base import duration_text, seconds, size_bytes
from operations.report.flat import file_of, flat
from operations.report.snapshot import Snapshot
from operations.units import with_unit


def retentions(snapshot: Snapshot) -> dict[str, float]:
    """How long, or how much, is kept of what, by its name: seconds, or bytes where the name ends in `size`."""
    return {**_samples(snapshot), **_elsewhere(snapshot), **_cortex(snapshot), **_traces(snapshot)}


def _samples(snapshot: Snapshot) -> dict[str, float]:
    """Of Prometheus' own disk."""
    storage = file_of(snapshot, "prometheus", "prometheus.yml").get("storage") or {}
    kept = (storage.get("tsdb") or {}).get("retention") or {}
    if not kept:
        return {}
    found = {"samples on disk": seconds(kept["time"])} if "time" in kept else {}
    return {**found, "samples on disk, size": size_bytes(kept["size"]) if "size" in kept else float("inf")}


def _elsewhere(snapshot: Snapshot) -> dict[str, float]:
    """Of the bucket, by resolution, and of VictoriaMetrics."""
    found = {}
    for program, option, name in (
        ("thanos-compact", "--retention.resolution-", "samples in the bucket, "),
        ("victoria-metrics", "-retentionPeriod", "samples in VictoriaMetrics"),
        ("vmstorage", "-retentionPeriod", "samples in a cluster of VictoriaMetrics"),
    ):
        planned = snapshot.programs.get(program)
        for argument in planned.fixed.get("arguments", ()) if planned else ():
            if argument.startswith(option):
                which, _, value = argument.removeprefix(option).partition("=")
                found[f"{name}{which}"] = float("inf") if value == "0d" else seconds(value)
    return found


def _cortex(snapshot: Snapshot) -> dict[str, float]:
    limits = file_of(snapshot, "cortex", "cortex.yaml").get("limits") or {}
    kept = limits.get("compactor_blocks_retention_period")
    return {"samples in Cortex": seconds(str(kept)) or float("inf")} if kept is not None else {}


def _traces(snapshot: Snapshot) -> dict[str, float]:
    lengths = dict(flat(file_of(snapshot, "jaeger", "jaeger.yaml")))
    found = [seconds(value) for path, value in lengths.items() if path.endswith(("ttl.spans", ".trace_ttl"))]
    return {"traces": found[0]} if found else {}


def kept_text(name: str, value: float) -> str:
    """A retention for people."""
    if value == float("inf"):
        return "without limit"
    return with_unit(value, "bytes") if name.endswith("size") else duration_text(value)
