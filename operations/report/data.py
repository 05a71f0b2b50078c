"""Data at risk: what is kept, where, for how long, and of what there are copies, before and after."""

from __future__ import annotations

from collections.abc import Iterator

from components.config.base import duration_text, seconds, size_bytes
from operations.report.change import Change
from operations.report.flat import file_of, flat
from operations.report.snapshot import Copies, Snapshot, Stated
from operations.units import with_unit

_LOSS, _FEWER = "data-loss", "fewer-backups"


def data_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Volumes, their protection and sizes; the place they are in; retentions; the bucket; backups."""
    if not before.programs:
        return  # a new stack has nothing to lose
    if before.environment != after.environment:
        yield Change("data", "environment", "all data stays behind", before.environment, after.environment, _LOSS)
    yield from _volumes(before, after)
    if before.protected and after.protected is False:
        yield Change("data", "all volumes", "no longer protected", "data.keep: true", "data.keep: false", _LOSS)
    elif before.protected is False and after.protected:
        yield Change("data", "all volumes", "protected", "data.keep: false", "data.keep: true")
    yield from _retentions(before, after)
    old, new = before.stated, after.stated
    if old is None or new is None:
        return
    if old.place != new.place:
        yield Change("data", "place", "all data stays behind", old.place, new.place, _LOSS)
    if old.bucket != new.bucket:
        what = "another bucket" if old.bucket and new.bucket else "left" if old.bucket else "new"
        yield Change("data", "bucket", what, old.bucket, new.bucket, _LOSS if old.bucket else "")
    yield from _bucket_care(old, new)
    if None not in (old.storage_class, new.storage_class) and old.storage_class != new.storage_class:
        mine, other = (each.storage_class or "the cluster's own" for each in (old, new))
        yield Change("data", "all volumes", "new ones, of another storage class", mine, other, _LOSS)
    yield from copies_changes(old.backup, new.backup)


def _bucket_care(old: Stated, new: Stated) -> Iterator[Change]:
    """How the stack's own bucket keeps what is deleted, and whether it goes with the stack."""
    mine, other = old.deleted_kept, new.deleted_kept
    if mine is not None and other is not None and mine != other:
        what = "kept for less" if other < mine else "kept for more"
        yield Change(
            "data", "what is deleted in the bucket", what, f"{mine}d", f"{other}d", _LOSS if other < mine else ""
        )
    if None not in (old.bucket_stays, new.bucket_stays) and old.bucket_stays != new.bucket_stays:
        was, is_now = ("stays without the stack" if each.bucket_stays else "goes with the stack" for each in (old, new))
        yield Change("data", "bucket", "at the end of the stack", was, is_now, _LOSS if old.bucket_stays else "")


def _volumes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    old, new = (
        {name: size for each in side.programs.values() for name, size in each.volumes.items()}
        for side in (before, after)
    )
    for name in [*old, *(name for name in new if name not in old)]:
        mine, other = (_size(side, name) for side in (old, new))
        if name not in new:
            yield Change("data", f"volume {name}", "no longer used", mine, "", _LOSS)
        elif name not in old:
            yield Change("data", f"volume {name}", "new", "", other)
        elif old[name] != new[name]:
            shrinks = (new[name] or 0) < (old[name] or 0)
            yield Change(
                "data", f"volume {name}", "shrinks" if shrinks else "grows", mine, other, _LOSS if shrinks else ""
            )


def _size(side: dict[str, int | None], name: str) -> str:
    size = side.get(name)
    return with_unit(size, "bytes") if size else ""


def _retentions(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    old, new = retentions(before), retentions(after)
    for name in [name for name in old if name in new and old[name] != new[name]]:
        cut = new[name] < old[name]
        mine, other = (kept_text(name, side[name]) for side in (old, new))
        yield Change("data", name, "kept for less" if cut else "kept for more", mine, other, _LOSS if cut else "")


def copies_changes(old: Copies | None, new: Copies | None) -> Iterator[Change]:
    """How the data is copied: where to, how often, how many copies stay, and of what."""
    if old is None or new is None:
        if old != new:
            mine, other = (f"{_every(each)}, to {each.to}" if each else "" for each in (old, new))
            yield Change("data", "backup", "new" if new else "gone", mine, other, "" if new else _FEWER)
        return
    if old.to != new.to:
        yield Change("data", "backup", "goes elsewhere; older copies stay where they are", old.to, new.to)
    if old.period != new.period:
        rarer = new.period > old.period
        what = "rarer" if rarer else "more often"
        yield Change("data", "backup", what, _every(old), _every(new), _FEWER if rarer else "")
    for unit, count in new.keep.items():
        before = old.keep.get(unit, 0)
        if before != count:
            fewer = count < before
            yield Change("data", "backup", f"{unit} copies", str(before), str(count), _FEWER if fewer else "")
    if {*old.include} != {*new.include}:
        fewer = bool({*old.include} - {*new.include})
        yield Change("data", "backup", "of", ", ".join(old.include), ", ".join(new.include), _FEWER if fewer else "")


def _every(copies: Copies) -> str:
    return f"every {duration_text(copies.period)}"


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
