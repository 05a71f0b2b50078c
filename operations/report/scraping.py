"""Scrape jobs before and after: which, of what, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.yaml_text import load
from operations.report.change import Change, listed
from operations.report.flat import NONE, differing, file_of
from operations.report.snapshot import Snapshot

Job = Mapping[str, Any]
_LIMITS = ("sample_limit", "target_limit", "label_limit")
"""Above each of them a scrape fails as a whole."""
_ASKED = ("names", "match[]", "target")
"""Ends of paths whose values are each something that is scraped."""
_FEWER = "fewer-targets"


def job_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Scrape jobs by name, their targets, and every value of theirs."""
    old, new = (file_of(each, "prometheus", "prometheus.yml") for each in (before, after))
    jobs = [
        {job["job_name"]: _with_files(job, side) for job in config.get("scrape_configs") or ()}
        for config, side in ((old, before), (new, after))
    ]
    moved = dict(zip(before.namespaces, after.namespaces, strict=False))
    for name in [name for name in jobs[0] if name not in jobs[1]]:
        yield Change("scraping", name, "removed", _targets_text(jobs[0][name]), "", _FEWER)
    for name, job in jobs[1].items():
        if name not in jobs[0]:
            yield Change("scraping", name, "added", "", _targets_text(job))
        else:
            yield from _job(name, jobs[0][name], job, moved)
    for path, mine, other in differing(old.get("global"), new.get("global")) if old and new else ():
        yield Change("scraping", "all jobs", path, mine, other)


def _with_files(job: Job, snapshot: Snapshot) -> Job:
    """A job whose files of targets, which are deployed with it, count as if they stood in it."""
    files = snapshot.programs["prometheus"].files
    paths = [path for found in job.get("file_sd_configs") or () for path in found["files"]]
    groups = [
        group
        for path in paths
        for inside, text in files.items()
        if path.endswith(f"/{inside}")
        for group in load(text) or ()
    ]
    return {**job, "static_configs": [*(job.get("static_configs") or ()), *groups]} if groups else job


def _job(name: str, old: Job, new: Job, moved: Mapping[str, str]) -> Iterator[Change]:
    mine, others = _targets(old), _targets(new)
    if mine != others:
        gone = [target for target in mine if target not in others]
        yield Change("scraping", name, "targets", _targets_text(old), _targets_text(new), _FEWER if gone else "")
    for path, before, after in differing(_without_targets(old), _without_targets(new)):
        if path.endswith("namespaces.names") and _moved_along(before, moved) == after:
            continue  # the stack's own programs go with it to its other namespaces
        yield Change("scraping", name, path, before, after, _FEWER if _less(path, before, after) else "")


def _moved_along(names: str, moved: Mapping[str, str]) -> str:
    return ", ".join(sorted(moved.get(name, name) for name in names.split(", ")))


def _less(path: str, before: str, after: str) -> bool:
    """Whether a changed value may leave out something that was scraped or stored."""
    if path.startswith("metric_relabel_configs"):
        return after != NONE  # one that goes leaves out less
    if path in _LIMITS:
        return after != NONE and (before == NONE or int(after) < int(before))
    return path.endswith(_ASKED) and before != NONE and not {*before.split(", ")} <= {*after.split(", ")}


def _targets(job: Job) -> list[str]:
    return [target for group in job.get("static_configs") or () for target in group.get("targets") or ()]


def _without_targets(job: Job) -> dict[str, Any]:
    groups = [
        {key: value for key, value in group.items() if key != "targets"} for group in job.get("static_configs") or ()
    ]
    return {**job, "static_configs": groups or None}


def _targets_text(job: Job) -> str:
    found = sorted(key.removesuffix("_sd_configs") for key in job if key.endswith("_sd_configs"))
    return listed(_targets(job)) or f"found by {', '.join(found)}"
