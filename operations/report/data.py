"""Data at risk: what is kept, where, for how long, and of what there are copies, before and after."""

from __future__ import annotations

from collections.abc import Iterator

from components.config.base import duration_text
from components.config.storage import DAY
from operations.report.change import Change
from operations.report.retentions import kept_text, retentions
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
        left = "left; what is in it stays there"
        what = "another bucket" if old.bucket and new.bucket else left if old.bucket else "new"
        yield Change("data", "bucket", what, old.bucket, new.bucket, _LOSS if old.bucket else "")
    yield from _bucket_care(old, new)
    if None not in (old.storage_class, new.storage_class) and old.storage_class != new.storage_class:
        mine, other = (each.storage_class or "the cluster's own" for each in (old, new))
        yield Change("data", "all volumes", "new ones, of another storage class", mine, other, _LOSS)
    yield from copies_changes(old.backup, new.backup)


def _bucket_care(old: Stated, new: Stated) -> Iterator[Change]:
    """How the stack's own bucket keeps what is deleted, and whether it goes with the stack."""
    mine, other = old.deleted_kept, new.deleted_kept
    if old.bucket == new.bucket and (mine is None) != (other is None):
        taken = "made and kept by the stack from now on; one that exists needs `adopt: true`"
        given = "no longer the stack's own: it is only used, and stays as it is set up"
        yield Change("data", "bucket", given if other is None else taken, old.bucket, "")
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
        elif None not in (old[name], new[name]) and old[name] != new[name]:  # on another platform it is another one
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
    elif old.password != new.password and old.password and new.password:
        what = "opened by another secret: unless its value is the old one, no copy can be made in that place"
        yield Change("data", "backup", what, old.password, new.password, _FEWER)
    if old.period != new.period:
        rarer = new.period > old.period
        what = "rarer" if rarer else "more often"
        yield Change("data", "backup", what, _every(old), _every(new), _FEWER if rarer else "")
    elif old.begins != new.begins:
        yield Change("data", "backup", "at another time", _every(old), _every(new))
    for unit, count in new.keep.items():
        before = old.keep.get(unit, 0)
        if before != count:
            fewer = count < before
            yield Change("data", "backup", f"{unit} copies", str(before), str(count), _FEWER if fewer else "")
    if {*old.include} != {*new.include}:
        fewer = bool({*old.include} - {*new.include})
        yield Change("data", "backup", "of", ", ".join(old.include), ", ".join(new.include), _FEWER if fewer else "")


def _every(copies: Copies) -> str:
    if copies.period == DAY:
        return f"each day at {copies.begins // 3600:02}:{copies.begins % 3600 // 60:02} UTC"
    return f"every {duration_text(copies.period)}"
