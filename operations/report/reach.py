"""Where dashboards ask for samples, how far that reaches back, and what of earlier samples they no longer see.

What a database does not hold from before, it never gets: only Thanos takes over what Prometheus has on its disk.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.config.base import duration_text
from components.services.cortex import TENANT
from operations.report.change import Change
from operations.report.flat import NONE, differing, file_of
from operations.report.retentions import kept_text, retentions
from operations.report.snapshot import Snapshot

_LOSS, _FEWER = "data-loss", "fewer-targets"
_PLACES = (
    ("VictoriaMetrics", ("victoria-metrics",)),
    ("a cluster of VictoriaMetrics", ("vmselect",)),
    ("Cortex", ("cortex",)),
    ("Thanos", ("thanos-query",)),
    ("Prometheus", ("prometheus",)),
)
"""Who answers dashboards: the first of which a program is there."""
_KEPT = {"Prometheus": "samples on disk", "Thanos": "samples in the bucket, "}
_LIMITS = {
    "max_series_per_user": "series that Cortex takes",
    "ingestion_rate": "samples a second that Cortex takes",
}


def reach_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Another place that is asked; of Cortex another tenant, place of blocks, or limit."""
    old, new = (_asked(side) for side in (before, after))
    if not old or not new:
        return
    if old != new:
        reaches = [_reach(side, name) for side, name in ((before, old), (after, new))]
        mine, other = (f"{name}, {_text(each)}" for name, each in zip((old, new), reaches, strict=True))
        shorter = None not in reaches and reaches[1] < reaches[0]  # type: ignore[operator]
        what = _beginning(new, before, after)
        yield Change("data", "what dashboards see", what, mine, other, _LOSS if shorter else "")
    elif new == "Cortex":
        yield from _cortex(before, after)


def _asked(snapshot: Snapshot) -> str:
    return next((name for name, programs in _PLACES if {*programs} & snapshot.programs.keys()), "")


def _reach(snapshot: Snapshot, name: str) -> float | None:
    """Seconds; None where that cannot be told."""
    start = _KEPT.get(name, f"samples in {name}")
    found = [each for key, each in retentions(snapshot).items() if key.startswith(start) and not key.endswith("size")]
    return max(found, default=None)


def _text(reach: float | None) -> str:
    return "?" if reach is None else kept_text("", reach)


def _beginning(new: str, before: Snapshot, after: Snapshot) -> str:
    disks = [each["samples on disk"] for each in map(retentions, (before, after)) if "samples on disk" in each]
    kept = f"the last {duration_text(min(disks))}" if disks else "the last days"
    if new in ("Prometheus", "Thanos"):
        return f"of before: {kept}, which are on Prometheus' disk"
    return f"begins anew; of before, {kept} are seen in Prometheus itself"


def _cortex(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    old, new = (file_of(each, "cortex", "cortex.yaml") for each in (before, after))
    mine, other = (_tenant(each) for each in (before, after))
    if mine != other and mine and other:
        yield Change("data", "what dashboards see", "begins anew, with another tenant of Cortex", mine, other, _LOSS)
    if not old or not new:
        return
    backends = [str(each.get("blocks_storage", {}).get("backend")) for each in (old, new)]
    if backends[0] != backends[1]:
        mine, other = ("its volume" if each == "filesystem" else "a bucket" for each in backends)
        what = "elsewhere; the older ones are no longer read, and stay where they are"
        yield Change("data", "blocks of Cortex", what, mine, other, _LOSS)
    for key, mine, other in differing(old.get("limits"), new.get("limits")):
        if key in _LIMITS and NONE not in (mine, other):
            yield Change("scraping", _LIMITS[key], "at most", mine, other, _FEWER if float(other) < float(mine) else "")


def _tenant(snapshot: Snapshot) -> str:
    for each in file_of(snapshot, "prometheus", "prometheus.yml").get("remote_write") or ():
        if TENANT in (each.get("headers") or {}):
            return str(each["headers"][TENANT])
    return ""
